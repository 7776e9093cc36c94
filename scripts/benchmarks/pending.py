"""(x) What waiting transactions cost a block: one that leaves them as they are, and others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice

from node.chain.chain import Chain
from protocol.block import HeaderEnvelope
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign
from tests.support.world import secret_of

from .measure import cpu_seconds, print_time
from .workload import EXPIRATION_S, TRANSACTIONS_A_BLOCK, Recorder, SignedBy

ACCOUNTS = 1_000
WAITING = 20_000
ROUNDS = 5
LIMIT_MS = 20
KINDS = {
    "an empty block": (0, f"limit {LIMIT_MS} ms"),
    "a block of others' transfers": (TRANSACTIONS_A_BLOCK, f"{TRANSACTIONS_A_BLOCK} of them"),
}


class Nodes:
    """One who makes blocks of transactions of its own, and a node with an empty pool and a full."""

    def __init__(self, operations: Callable[[Recorder], Iterable[SignedBy]]) -> None:
        mine, self.others = Recorder(2 * ACCOUNTS), Recorder(2 * ACCOUNTS)
        mine.ids, mine.names = mine.ids[:ACCOUNTS], mine.names[:ACCOUNTS]
        self.others.ids = self.others.ids[ACCOUNTS:]
        self.others.names = self.others.names[ACCOUNTS:]
        self.bare, self.full = (Chain(self.others.chain.genesis) for _ in range(2))
        self.make_block()
        self.full.pending.transactions_max = WAITING
        fill(self.full, operations(mine))

    def make_block(self) -> list[float]:
        """A block of what the others have; CPU seconds of both nodes, which know its keys."""
        known = [entry.envelope for entry in self.others.chain.pending]
        self.others.make_block()
        found = []
        for chain in (self.bare, self.full):
            front = HeaderEnvelope.read(self.others.blocks[-1])
            block = chain.read_block(front, self.others.blocks[-1])
            for (envelope, _), same in zip(block.transactions, known, strict=True):
                envelope.set_signature_keys(same.signature_keys(chain.chain_id))
            found.append(cpu_seconds(partial(chain.push_block, block)))
        return found


def bench_pending() -> None:
    """(x): CPU time of blocks that come to a node with an empty pool, and with a full one."""
    for what, operations in (("transfers", Recorder.transfers), ("orders", Recorder.offers)):
        nodes = Nodes(partial(operations, count=WAITING))
        waiting = f"{WAITING:,} {what}"
        transfers = nodes.others.transfers(ROUNDS * TRANSACTIONS_A_BLOCK)
        for name, (count, note) in KINDS.items():
            prepare = partial(_add, nodes, transfers, count)
            _bench(nodes, f"{name}; {{}} wait", waiting, note, prepare)
        assert len(nodes.full.pending) == WAITING, "none of them is in these blocks"
        for count in (1, TRANSACTIONS_A_BLOCK):
            what = f"a block of the first {count} of them; {{}} wait"
            _bench(nodes, what, waiting, "", partial(_tell, nodes, count))


def _bench(nodes: Nodes, what: str, waiting: str, note: str, prepare: Callable[[], None]) -> None:
    """Some blocks that are prepared in one way."""
    rounds = []
    for _ in range(ROUNDS):
        prepare()
        rounds.append(nodes.make_block())
    for waits, took in zip(("none", waiting), zip(*rounds, strict=True), strict=True):
        print_time("x", what.format(waits), took, note)


def _add(nodes: Nodes, transfers: Iterator[SignedBy], count: int) -> None:
    """The others have transfers that do not wait here."""
    for signer, transfer in islice(transfers, count):
        nodes.others.push(signer, transfer)


def _tell(nodes: Nodes, count: int) -> None:
    """The others hear of the oldest of what waits here."""
    for entry in islice(nodes.full.pending, count):
        nodes.others.chain.push_transaction(entry.envelope)


def fill(chain: Chain, operations: Iterable[SignedBy]) -> None:
    """Let a transaction of each operation wait."""
    number, prefix = reference_block(chain.head_id)
    for serial, (signer, operation) in enumerate(operations):
        expiration = chain.head_time + EXPIRATION_S - serial % 600
        transaction = Transaction(number, prefix, expiration, (operation,))
        signed = sign(transaction, [secret_of(signer)], chain.chain_id)
        chain.push_transaction(TransactionEnvelope.from_transaction(signed))
