"""A day of a network in minutes: does what witnesses keep of blocks, votes and peers grow?

The cores of some witnesses, with their stores and histories in files and each linked to each, live
through the hours of a clock that waits for nobody, while people pay each other. What fills up with
blocks and messages fills up in the first of these hours, and then stays. Sockets, clients and whole
processes are what `tests.campaigns.soak` has.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

from node.chain.apply_block import AppliedBlock
from node.history.database.sqlite import SqliteDatabase
from node.history.database.store import HistoryStore
from node.history.database.stored import StoredHistory
from node.services.memory_watch import give_back, resident_bytes
from node.storage.block_store import BlockStore
from node.storage.snapshots import SnapshotFiles
from protocol.block import BlockEnvelope
from protocol.genesis import FINALITY_VOTES, chain_id
from protocol.genesis_form import Genesis
from tests.campaigns.siege import MEGABYTE
from tests.campaigns.slope import judge_growth, slope_of
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode, run, transfer
from tests.support.memory_stores import MemorySigningGuard
from tests.support.observers import QuietObserver
from tests.support.world import BLOCK_INTERVAL_S

TICK_MS = 500
SAMPLES = 400
TOLD_SAMPLES = 40
"""So many are taken, and the first of so many is told."""
PAYMENTS = 2
"""In each block."""


class Keeper(QuietObserver):
    """Has what a node applies kept in its history, as the service of a node does."""

    def __init__(self, history: StoredHistory) -> None:
        self.history = history

    def block_applied(self, block: AppliedBlock) -> None:
        self.history.apply_block(block)

    def block_popped(self, block: BlockEnvelope) -> None:
        self.history.revert_block(block.num)

    def write(self, irreversible_num: int) -> None:
        """Put what is irreversible into the file."""
        while blocks := self.history.writable(irreversible_num):
            self.history.write(blocks)
            self.history.written(blocks)


def live_through(hours: float, witnesses: int, warm_up: float) -> bool:
    """Let a network live for so long, and print how its memory went; whether it is kept."""
    genesis = make_genesis("alice", "bob", witnesses=witnesses, finality=FINALITY_VOTES)
    with TemporaryDirectory() as directory:
        nodes = [
            make_node(genesis, name, at, Path(directory) / name)
            for at, name in enumerate(witness_names(witnesses), 1)
        ]
        keepers = [keeper_of(node, Path(directory), at) for at, node in enumerate(nodes)]
        samples = watch(nodes, keepers, hours)
        head, final = nodes[0].chain.head_num, nodes[0].chain.last_irreversible_num
    after = [(at, mib / witnesses) for at, mib in samples if at >= warm_up * hours]
    verdict, is_kept = judge_growth(slope_of(after), hours, hours * (1 - warm_up))
    print(
        f"{hours:g} simulated hours of {witnesses} witnesses, {head} blocks, irreversible to"
        f" {final}: a witness grew by {verdict}"
    )
    return is_kept


def make_node(genesis: Genesis, witness: str, number: int, directory: Path) -> CoreNode:
    """A witness with its stores in files."""
    directory.mkdir()
    chain = chain_id(genesis)
    stores = (
        BlockStore(directory / "blocks.sqlite", chain),
        MemorySigningGuard(),
        SnapshotFiles(directory / "snapshots", chain),
    )
    return CoreNode(genesis, [witness], name=number, stores=stores)


def keeper_of(node: CoreNode, directory: Path, number: int) -> Keeper:
    """A history in a file that follows a node."""
    database = SqliteDatabase(directory / f"history-{number}.sqlite")
    keeper = Keeper(StoredHistory(HistoryStore(database, node.chain.chain_id), node.blocks))
    node.core.observe(keeper)
    return keeper


def watch(
    nodes: Sequence[CoreNode], keepers: Sequence[Keeper], hours: float
) -> list[tuple[float, float]]:
    """Hours since the beginning and MiB of this process, now and then."""
    for one, other in combinations(nodes, 2):
        one.connect(other, START_MS)
    samples = []
    now_ms, slots = START_MS, round(hours * 3_600 / BLOCK_INTERVAL_S)
    for number in range(slots):
        for amount in range(number * PAYMENTS + 1, (number + 1) * PAYMENTS + 1):
            node = nodes[amount % len(nodes)]
            node.core.broadcast(transfer(node.chain, amount), now_ms)
        now_ms = run(nodes, now_ms, BLOCK_INTERVAL_S, tick_ms=TICK_MS)
        for node, keeper in zip(nodes, keepers, strict=True):
            node.seen.clear()
            keeper.write(node.chain.last_irreversible_num)
        if number % max(slots // SAMPLES, 1) == 0:
            gc.collect()
            give_back()
            samples.append((number * BLOCK_INTERVAL_S / 3_600, resident_bytes() / MEGABYTE))
            if len(samples) % TOLD_SAMPLES == 1:
                print(f"{samples[-1][0]:.1f} h: {samples[-1][1]:.1f} MiB in all", flush=True)
    return samples
