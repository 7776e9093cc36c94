"""(z:nodes) A sync and blocks on demand of whole nodes with many accounts and orders, and few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from protocol.asset import NO_FEE
from protocol.crypto.keys import wif
from protocol.crypto.recovery import QUESTION_LENGTH
from protocol.operations.limit_order import LimitOrderCreate
from protocol.transaction import TransactionEnvelope
from tests.support.chain import TestChain, witness_names
from tests.support.world import secret_of

from .large_state import LARGE, MAKERS, SMALL, Size, genesis_of, touch_accounts
from .measure import cpu_seconds_of, print_ratio, print_time, print_value, wall_seconds
from .sync import (
    Node,
    Synced,
    call,
    network,
    run_node,
    store_blocks,
    sync_once,
    wait_for_head,
    worker_start_s,
)
from .workload import TRANSACTIONS_A_BLOCK, Recording

TRANSFERS = 40_000
ROUNDS = 3
WITNESSES = 3
DEMANDED = 1_000
DEMANDS = 4
"""Of each node; the first is not counted."""


def bench_large_nodes() -> None:
    """(z:nodes): what nodes of a large state do for a synced transfer, and for an empty block on
    demand, by turns with those of a small one.

    The transfers are between as many accounts as there are, and so is their history, which another
    thread of the main process writes. No snapshot is taken beside the blocks on demand: a large one
    takes seconds, in slices, once in a thousand blocks, which are made here in less than one.
    """
    with ExitStack() as stack:
        few, many = (stack.enter_context(_nodes(size)) for size in (SMALL, LARGE))
        syncs = [(few.sync(f"fresh{at}"), many.sync(f"fresh{at}")) for at in range(ROUNDS)]
        blocks = [(few.blocks(), many.blocks()) for _ in range(DEMANDS)][1:]
    for what in ("main", "wall"):
        pairs = [(getattr(one, what), getattr(two, what)) for one, two in syncs]
        _print(f"a synced transfer, {what}", pairs)
    _print("an empty block on demand, wall", [(one.wall, two.wall) for one, two in blocks])
    _print("an empty block on demand, CPU", [(one.cpu, two.cpu) for one, two in blocks])


class Demanded(NamedTuple):
    """Seconds of one block on demand."""

    wall: float
    cpu: float


class Nodes(NamedTuple):
    """Running nodes of one chain."""

    directory: Path
    full: Node
    """Has all its blocks."""
    maker: Node
    """Makes more of them on demand."""
    recording: Recording

    def sync(self, name: str) -> Synced:
        """A node that has the prepared blocks takes the others; they cost its workers alike."""
        recording = self.recording
        store_blocks(self.directory, name, recording.genesis, recording.prepared)
        start_s = worker_start_s(recording.questions(1)[:QUESTION_LENGTH])
        head = len(recording.prepared) + len(recording.measured)
        return sync_once(self.directory, name, start_s, self.full, head, TRANSFERS)

    def blocks(self) -> Demanded:
        """Blocks on demand, in one call."""
        key = wif(secret_of(f"{witness_names(WITNESSES)[0]} block"))
        before = cpu_seconds_of(self.maker.process)
        make = partial(call, self.maker.api, "debug", "debug_generate_blocks", key, DEMANDED)
        wall_s = wall_seconds(make)
        cpu_s = cpu_seconds_of(self.maker.process) - before
        return Demanded(wall_s / DEMANDED, cpu_s / DEMANDED)


@contextmanager
def _nodes(size: Size) -> Iterator[Nodes]:
    recording = _record(size)
    blocks = recording.prepared + recording.measured
    with network(recording.genesis, blocks) as (directory, full):
        store_blocks(directory, "maker", recording.genesis, recording.prepared)
        start = monotonic()
        with run_node(directory, "maker", listen="", more=_witnesses(directory)) as maker:
            wait_for_head(maker.api, len(recording.prepared))
            note = f"{size.accounts:,} accounts; genesis, then {len(recording.prepared)} blocks"
            print_value("z", "start of a node", f"{monotonic() - start:.1f} s", note)
            yield Nodes(directory, full, maker, recording)


def _witnesses(directory: Path) -> Iterator[str]:
    """Settings of a development node with all keys, which takes no snapshots."""
    yield '[production]\nmode = "manual"\n[storage]\nsnapshot_interval = 1000000'
    for name in witness_names(WITNESSES):
        path = directory / f"{name}.key"
        path.write_text(wif(secret_of(f"{name} block")))
        path.chmod(0o600)
        yield f'[[witnesses]]\naccount = "{name}"\nkey_file = "{path.name}"'


def _record(size: Size) -> Recording:
    """Blocks of orders that rest, then of transfers to all accounts."""
    chain = TestChain(genesis=genesis_of(size))
    chain.chain.paranoid = False
    prepared = [chain.block().envelope.packed, *_blocks(chain, _orders(chain, size.orders))]
    measured = list(_blocks(chain, touch_accounts(chain, TRANSFERS, size.accounts)))
    return Recording(chain.chain.genesis, prepared, measured)


def _orders(chain: TestChain, count: int) -> Iterator[TransactionEnvelope]:
    makers = [(name, chain.account(name)) for name in MAKERS]
    for number in range(count):
        name, seller = makers[number % len(makers)]
        sold, wanted = chain.amount(1_000 + number, "TEST"), chain.amount(200 + number % 977, "USD")
        yield chain.transaction(LimitOrderCreate(NO_FEE, seller, sold, wanted), signers=[name])


def _blocks(chain: TestChain, items: Iterator[TransactionEnvelope]) -> Iterator[bytes]:
    while block := list(islice(items, TRANSACTIONS_A_BLOCK)):
        yield chain.block(*block).envelope.packed
        chain.serial = 0  # expirations go on from the head


def _print(what: str, pairs: Sequence[tuple[float, float]]) -> None:
    for size, side in ((SMALL, 0), (LARGE, 1)):
        print_time("z", f"{what}, {size.accounts:,} accounts", [pair[side] for pair in pairs])
    ratios = [many / few for few, many in pairs]
    print_ratio("z", f"{what}: large / small", ratios, "whole nodes, target at most 1.3")
