"""(z) What transfers and orders cost with 250,000 accounts and 100,000 orders, by a small state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from node.services.garbage import GarbageSchedule
from protocol.asset import NO_FEE
from protocol.block import BlockEnvelope, HeaderEnvelope
from protocol.operations.limit_order import LimitOrderCreate
from protocol.schema import PublicKey, TransactionId
from protocol.transaction import TransactionEnvelope
from tests.support.chain import TestChain

from .large_state import HOLDERS, LARGE, SMALL, Size, large_chain, touch_accounts
from .measure import cpu_seconds, print_ratio, print_time
from .workload import TRANSACTIONS_A_BLOCK

TRANSFERS = 2_000
ASKS = 2_000
BIDS = 500
EMPTY_BLOCKS = 200
ROUNDS = 9
WAITED = "transfers that wait, then in blocks"
EMPTY = "empty blocks"

Make = Callable[[TestChain, Size], Iterator[TransactionEnvelope]]


def _transfers(chain: TestChain, size: Size) -> Iterator[TransactionEnvelope]:
    """Each to another account of all that there are, of as many in both states."""
    return touch_accounts(chain, TRANSFERS, size.accounts)


def _asks(chain: TestChain, _: Size) -> Iterator[TransactionEnvelope]:
    """Every second one below all that rest, the others among them."""
    for number in range(ASKS):
        wanted = 100 + number % 89 if number % 2 else 200 + number * 7 % 977
        yield _order(chain, number, (1_000, "TEST"), (wanted, "USD"))


def _bids(chain: TestChain, _: Size) -> Iterator[TransactionEnvelope]:
    """Each buys about two of the asks that were just placed below the others."""
    for number in range(BIDS):
        yield _order(chain, number + 1, (280, "USD"), (1_474, "TEST"))


KINDS: dict[str, Make] = {
    "transfers": _transfers,
    "limit orders that rest": _asks,
    "limit orders that match": _bids,
}


def _order(
    chain: TestChain, number: int, sold: tuple[int, str], wanted: tuple[int, str]
) -> TransactionEnvelope:
    name = HOLDERS[number % len(HOLDERS)]
    order = LimitOrderCreate(
        NO_FEE, chain.account(name), chain.amount(*sold), chain.amount(*wanted)
    )
    return chain.transaction(order, signers=[name])


class Played:
    """A state, and blocks of each kind that are pushed on it again and again."""

    def __init__(self, size: Size) -> None:
        chain = large_chain(size)
        chain.block()
        self._chain = chain.chain
        self._mark = chain.chain.mark()
        self._keys: dict[TransactionId, tuple[PublicKey, ...]] = {}
        self._blocks = {
            kind: self._record(chain, make(chain, size)) for kind, make in KINDS.items()
        }
        self._empty = [chain.block().envelope.packed for _ in range(EMPTY_BLOCKS)]

    def _record(self, chain: TestChain, items: Iterator[TransactionEnvelope]) -> list[bytes]:
        """Full blocks of these transactions."""
        blocks = []
        while block := list(islice(items, TRANSACTIONS_A_BLOCK)):
            chain_id = chain.chain.chain_id
            self._keys |= {item.id: item.signature_keys(chain_id) for item in block}
            blocks.append(chain.block(*block).envelope.packed)
        return blocks

    def cost(self) -> dict[str, float]:
        """Seconds of a processor for one transaction of each kind, keys known, from bytes on.

        First, they wait and are then in blocks; then, empty blocks.
        """
        self._chain.revert(self._mark)
        waiting = self._blocks["transfers"]
        found = {WAITED: cpu_seconds(partial(self._wait, waiting)) / self._count(waiting)}
        self._chain.revert(self._mark)
        for kind, blocks in self._blocks.items():
            found[kind] = cpu_seconds(partial(self._push, blocks)) / self._count(blocks)
        found[EMPTY] = cpu_seconds(partial(self._push, self._empty)) / len(self._empty)
        return found

    def _wait(self, blocks: list[bytes]) -> None:
        """Take the transactions of blocks into the pool, and then the blocks, which take them."""
        for data in blocks:
            for envelope in self._transactions(BlockEnvelope.from_bytes(data)):
                self._chain.push_transaction(envelope)
            self._chain.push_block(self._chain.read_block(HeaderEnvelope.read(data), data))

    def _transactions(self, block: BlockEnvelope) -> list[TransactionEnvelope]:
        """Those of a block, with their keys."""
        found = [transaction for transaction, _ in block.transactions]
        for transaction in found:
            transaction.set_signature_keys(self._keys[transaction.id])
        return found

    def _push(self, blocks: list[bytes]) -> None:
        for data in blocks:
            envelope = BlockEnvelope.from_bytes(data)
            self._transactions(envelope)
            self._chain.push_block(envelope)

    def _count(self, blocks: list[bytes]) -> int:
        return sum(len(BlockEnvelope.from_bytes(data).transactions) for data in blocks)


def bench_sizes() -> None:
    """(z): the same blocks on a large and on a small state by turns; keys known, CPU time."""
    small, large = Played(SMALL), Played(LARGE)
    GarbageSchedule()
    rounds = [(small.cost(), large.cost()) for _ in range(ROUNDS)]
    for kind in (WAITED, *KINDS, EMPTY):
        print_time("z", f"{kind}, {SMALL.accounts:,} accounts", [one[kind] for one, _ in rounds])
        print_time("z", f"{kind}, {LARGE.accounts:,} accounts", [one[kind] for _, one in rounds])
        ratios = [many[kind] / few[kind] for few, many in rounds]
        print_ratio("z", f"{kind}: large / small", ratios, "target at most 1.3")
