"""A node that makes and takes blocks with its real stores, recorded.

It is one of two: its own witness has a third of the slots, and now and then the two are parted, so
that it switches forks; it transfers, saves snapshots and keeps its history.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain
from node.core.effects import FlushSessions, SaveSnapshot, StoreBlocks, StoreHistory
from node.core.settings import CoreSettings
from node.core.startup import start_chain
from node.history.database.sqlite import SqliteDatabase
from node.history.database.store import HistoryStore
from node.history.database.stored import StoredHistory
from node.services.effect_queue import join_moves
from node.storage import block_store
from node.storage.block_store import BlockStore
from node.storage.errors import StorageError
from node.storage.interface import StoredBlock
from node.storage.snapshots import SnapshotFiles
from protocol.block import BlockEnvelope
from protocol.errors import PegboardError
from protocol.genesis import chain_id
from protocol.genesis_form import Genesis
from protocol.schema import BlockId, Digest, TransactionId
from protocol.transaction import TransactionEnvelope
from tests.crashpoints.trace import Failing, Recorder
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode, transfer
from tests.support.memory_stores import MemorySigningGuard

WITNESSES = 3
CHECKPOINT_BYTES = 8_000
"""Of the block store here, so that a short run has several."""
STEP_MS = 500
PARTED = range(5, 11)
"""Of each forty blocks, those whose slots the two nodes make apart."""

OpenBlocks = Callable[[Path, Digest], BlockStore]
OpenSnapshots = Callable[[Path, Digest], SnapshotFiles]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the stores are made with; planted bugs replace one."""

    blocks: OpenBlocks = BlockStore
    snapshots: OpenSnapshots = SnapshotFiles
    snapshot_every: int = 20
    tells_early: bool = False
    """Whether a move counts as told before it is stored."""


@dataclass(frozen=True, slots=True)
class Move:
    """A move of the main chain: the head after it, and when it was begun and told, in steps."""

    head: BlockId
    irreversible_num: int
    begun: int
    told: int


@dataclass(slots=True)
class Run:
    """What was recorded."""

    genesis: Genesis
    recorder: Recorder
    parts: Parts
    moves: list[Move] = field(default_factory=list)
    blocks: dict[BlockId, StoredBlock] = field(default_factory=dict)
    state_hashes: dict[BlockId, bytes] = field(default_factory=dict)
    snapshots: list[tuple[int, int]] = field(default_factory=list)
    """When each was told, in steps, and its number."""
    histories: dict[int, str] = field(default_factory=dict)
    """What the history holds, digested, by the number of its newest block."""
    switches: int = 0
    """Blocks that were taken back."""
    error: PegboardError | None = None
    """What ended it too early."""


def history_digest(path: Path) -> str:
    """What all tables of a history hold."""
    database = SqliteDatabase(path)
    database.connect()
    try:
        with database.reading() as session:
            names = session.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")
            rows = [session.rows(f"SELECT * FROM {name!s}") for (name,) in names]
    finally:
        database.close()
    return blake2b(repr(rows).encode(), digest_size=16).hexdigest()


class Started(NamedTuple):
    """What a node is after its start, that of its history digested."""

    head: BlockId
    state_hash: bytes
    history: str


def start_node(genesis: Genesis, directory: Path) -> Started:
    """Start a node from what is in a directory, and let its history catch up; a `StorageError`."""
    path = directory / "history.sqlite"
    with ExitStack() as stores:
        store = BlockStore(directory / "blocks.sqlite", chain_id(genesis))
        stores.callback(store.close)
        history = StoredHistory(HistoryStore(SqliteDatabase(path), chain_id(genesis)), store)
        stores.callback(history.close)
        files = SnapshotFiles(directory / "snapshots", chain_id(genesis))
        chain = start_chain(genesis, store, files, history=history).chain
        history.write_all(store.irreversible_num())
    return Started(chain.head_id, chain.state_hash(), history_digest(path))


class RecordedNode(CoreNode):
    """A node whose shell does what `node.services.node_service` does, in its order."""

    def __init__(self, directory: Path, run: Run, stores: ExitStack) -> None:
        """Open the stores; they are closed as those of a node that is asked to end."""
        self.run = run
        self.parts = parts = run.parts
        chain = chain_id(run.genesis)
        self.store = parts.blocks(directory / "blocks.sqlite", chain)
        stores.callback(self.store.close)
        self.files = parts.snapshots(directory / "snapshots", chain)
        self.history_path = directory / "history.sqlite"
        store = HistoryStore(SqliteDatabase(self.history_path), chain)
        stores.callback(store.close)
        self.history = StoredHistory(store, self.store)
        settings = CoreSettings(
            enable_stale=True, start_grace_ms=0, snapshot_interval=parts.snapshot_every
        )
        three = self.store, MemorySigningGuard(), self.files
        super().__init__(run.genesis, witness_names(WITNESSES)[:1], settings, 1, three)
        self.core.observe(self)

    def carry(self, now_ms: int) -> bool:
        """Blocks first, then everything else, as a batch of the service."""
        effects = self.core.take_effects()
        moves = join_moves([effect for effect in effects if isinstance(effect, StoreBlocks)])
        if moves:
            self._store(moves)
        for effect in effects:
            match effect:
                case SaveSnapshot():
                    self.files.save(effect.num, effect.block_id, *effect.payload)
                    self.run.snapshots.append((len(self.run.recorder.steps), effect.num))
                    self.store.prune_forks(effect.irreversible_num)
                case StoreHistory():
                    self.history.write_all(effect.irreversible_num)
                    stored = self.history.stored_num
                    if stored and stored not in self.run.histories:
                        self.run.histories[stored] = history_digest(self.history_path)
                case StoreBlocks() | FlushSessions():
                    """Done, or for clients."""
                case _:
                    self.core.effects.add(effect)
        return bool(moves) | super().carry(now_ms)

    def _store(self, moves: list[StoreBlocks]) -> None:
        steps = self.run.recorder.steps
        for move in moves:
            begun = len(steps)
            self.run.blocks.update((item[0], StoredBlock(*item)) for item in move.blocks)
            self.store.append(move.blocks, move.head, move.main_chain, move.irreversible_num)
            told = begun if self.parts.tells_early else len(steps)
            self.run.moves.append(Move(move.head, move.irreversible_num, begun, told))
            self.core.moves_stored(move.serial)

    # What the core tells.

    def block_applied(self, block: AppliedBlock) -> None:
        self.history.apply_block(block)

    def block_popped(self, block: BlockEnvelope) -> None:
        self.run.switches += 1
        self.history.revert_block(block.num)

    def transaction_pending(self, envelope: TransactionEnvelope) -> None:
        """Nothing is noted."""

    def transaction_dropped(self, transaction: TransactionId, reason: PegboardError) -> None:
        """Nothing is noted."""


def record(
    directory: Path, blocks: int, parts: Parts | None = None, failing: Failing | None = None
) -> Run:
    """Record a node until it has so many blocks, or until one of its stores fails."""
    directory.mkdir(parents=True)
    genesis = make_genesis("alice", "bob", witnesses=WITNESSES)
    run = Run(genesis, Recorder(directory, failing), parts or Parts())
    with (
        run.recorder.recording(),
        patch.object(block_store, "CHECKPOINT_BYTES", CHECKPOINT_BYTES),
        ExitStack() as stores,
    ):
        try:
            node = RecordedNode(directory, run, stores)
            _make_blocks(node, blocks)
        except StorageError as error:
            run.error = error
    if failing is None:
        note_state_hashes(run)
    return run


def _make_blocks(node: RecordedNode, blocks: int) -> None:
    other = CoreNode(node.run.genesis, witness_names(WITNESSES)[1:], name=2)
    now_ms = START_MS
    node.connect(other, now_ms)
    while node.chain.head_num < blocks:
        is_parted = node.chain.head_num % 40 in PARTED
        if is_parted and node.links:
            _part(node, other, now_ms)
        elif not is_parted and not node.links:
            node.connect(other, now_ms)
        before = node.chain.head_num
        for each in (node, other):
            each.core.tick(now_ms)
        while node.carry(now_ms) | other.carry(now_ms):
            pass
        if node.chain.head_num > before and node.chain.head_num % 3 == 0:
            node.core.broadcast(transfer(node.chain, node.chain.head_num), now_ms)
        now_ms += STEP_MS


def _part(one: CoreNode, two: CoreNode, now_ms: int) -> None:
    for near, (other, far) in list(one.links.items()):
        assert other is two
        one.core.peer_disconnected(near, now_ms)
        two.core.peer_disconnected(far, now_ms)
    one.links.clear()
    two.links.clear()


def note_state_hashes(run: Run) -> None:
    """Replay each chain that was ever the main one, alone, and note the state at every head."""
    for move in reversed(run.moves):
        if move.head not in run.state_hashes:
            chain = Chain(run.genesis)
            for block in main_chain(run, move.head):
                chain.push_block(BlockEnvelope.from_bytes(block.data), trusted=True)
                run.state_hashes[block.id] = chain.state_hash()


def main_chain(run: Run, head: BlockId) -> list[StoredBlock]:
    """The blocks from the first one to a head."""
    chain: list[StoredBlock] = []
    while head in run.blocks:
        block = run.blocks[head]
        chain.append(block)
        head = BlockId(block.data[:20])
    return chain[::-1]
