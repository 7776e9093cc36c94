"""The shell around a `NodeCore`: sockets and time go in, effects are carried out (S7).

Effects wait in an `EffectQueue`, which says what is to be durable before what; the writes happen
off the main thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import assert_never

import trio

from node.api.api import Api
from node.chain.apply_block import AppliedBlock
from node.core.effects import (
    FlushSessions,
    RecoverKeys,
    Report,
    SaveSnapshot,
    StopNode,
    StoreEvidence,
    StoreHistory,
)
from node.exit_codes import Exit
from node.history.database.stored import StoredHistory
from node.p2p.effects import ClosePeer, OpenConnection, SendBytes
from node.services.aside_runner import AsideRunner
from node.services.durable_answers import wait_until_stored
from node.services.effect_queue import Batch
from node.services.event_log import log
from node.services.history_keeper import HistoryKeeper
from node.services.node_inputs import NodeInputs
from node.services.p2p_server import PeerConnections
from node.services.signature_pool import SignaturePool
from node.storage.errors import StorageError
from node.storage.interface import (
    BlockStorage,
    SignedSlot,
    SignedVote,
    SigningStorage,
    SnapshotStorage,
)
from protocol.block import BlockEnvelope, block_num_of
from protocol.errors import PegboardError
from protocol.schema import BlockId, Record, TransactionId
from protocol.transaction import TransactionEnvelope

TICK_MS = 100
"""Ticks fall on multiples of it, so that one falls on the start of each slot."""

GOODBYE_MAX_S = 1.0
GOODBYE_LOOK_S = 0.01


class Stores(Record, gc=True):
    """Everything that a node keeps on disk."""

    blocks: BlockStorage
    guard: SigningStorage
    snapshots: SnapshotStorage

    def go_back(
        self,
        head: BlockId,
        irreversible_num: int,
        clock_offset_ms: int | None = None,
        slots: Sequence[SignedSlot] = (),
        votes: Sequence[SignedVote] = (),
    ) -> None:
        """Go back on disk as a development chain did; the blocks last, for they decide.

        `slots` and `votes` are what was signed since, and for no block above that head.
        """
        self.guard.forget(slots, votes)
        self.snapshots.forget_above(block_num_of(head))
        self.blocks.go_back(head, irreversible_num, clock_offset_ms)

    def close(self) -> None:
        """Give up files and locks."""
        self.guard.close()
        self.blocks.close()


class NodeStopped(PegboardError):
    """The node ends; `exit_code` is that of the process."""

    name = "node_stopped"

    def __init__(self, exit_code: Exit, reason: str) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


@contextmanager
def _fatal_storage() -> Iterator[None]:
    """A store that fails ends the node."""
    try:
        yield
    except StorageError as error:
        log.error("storage_failed", reason=str(error))
        raise NodeStopped(error.exit_code, str(error)) from error


class NodeService:
    """Runs one node until cancelled; tells history and API at once what the core tells."""

    def __init__(
        self,
        inputs: NodeInputs,
        stores: Stores,
        history: StoredHistory,
        api: Api,
        keep_evidence: Callable[[str, bytes], None],
    ) -> None:
        """`keep_evidence` keeps a file of the data directory by its name."""
        self.inputs = inputs
        self.stores = stores
        self.history = history
        self.api = api
        self.keep_evidence = keep_evidence
        self.pool = SignaturePool()
        self.reports: Counter[str] = Counter()
        """How often the core reported each event."""
        self._keeper = HistoryKeeper(history)
        self._peers: PeerConnections | None = None
        inputs.core.observe(self)
        inputs.travel.listeners.append(api.chain_rewound)

    async def run(
        self,
        listen: tuple[str, int] | None,
        *,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve peers and time until cancelled; reports the peer port, 0 for none.

        Raises `NodeStopped` when the core or a store says that the node must end.
        """
        async with trio.open_nursery() as nursery:
            peers = self._peers = PeerConnections(self.inputs, nursery)
            nursery.start_soon(self._keep_history)
            nursery.start_soon(AsideRunner(self.api.aside, self.api.flush_sessions).run)
            nursery.start_soon(self.pool.run)
            nursery.start_soon(self._carry_effects, peers)
            port = 0
            if listen is not None:
                port = await nursery.start(peers.listen, *listen)
            nursery.start_soon(self._tick)
            task_status.started(port)

    async def _tick(self) -> None:
        while True:
            now_ms = self.inputs.tick()
            await trio.sleep((TICK_MS - now_ms % TICK_MS) / 1_000)

    # What the core tells; see `ChainObserver`.

    def block_applied(self, block: AppliedBlock) -> None:
        """A block became the head."""
        self.history.apply_block(block)
        self.api.block_applied(block)

    def block_popped(self, block: BlockEnvelope) -> None:
        """The head block was taken back."""
        self.history.revert_block(block.num)

    def transaction_pending(self, envelope: TransactionEnvelope) -> None:
        """A transaction entered the pending pool."""
        self.api.transaction_accepted(envelope)

    def transaction_dropped(self, transaction: TransactionId, reason: PegboardError) -> None:
        """A pending transaction will be in no block."""
        self.api.transaction_dropped(transaction, reason)

    # Effects.

    async def _carry_effects(self, peers: PeerConnections) -> None:
        """Carry out what waits, also when cancelled: only the wait for more can be cut off."""
        while True:
            await self._carry(await self.inputs.next_batch(), peers)

    async def _carry(self, batch: Batch, peers: PeerConnections) -> None:
        for question in batch.questions:
            peers.nursery.start_soon(self._recover_keys, question)
        if batch.slots or batch.votes or batch.moves:
            await self._persist(partial(self._store, batch))
            self._note_stored(batch)
        for effect in batch.rest:
            match effect:
                case SendBytes():
                    peers.send(effect.peer, effect.data)
                case FlushSessions():
                    self.api.flush_sessions()
                case Report():
                    self.reports[effect.name] += 1
                    log.info(effect.name, **effect.fields)
                case ClosePeer():
                    log.info(
                        "peer_closed",
                        peer=effect.peer,
                        host=effect.host,
                        code=effect.code.name.lower(),
                        reason=effect.reason,
                    )
                    peers.close(effect.peer)
                case OpenConnection():
                    peers.dial(effect.address)
                case SaveSnapshot():
                    await self._persist(partial(self._save_snapshot, effect))
                case StoreHistory():
                    self._keeper.advance(effect.irreversible_num)
                case StoreEvidence():
                    await self._persist(partial(self.keep_evidence, effect.name, effect.payload))
                case StopNode():
                    log.error("stop", reason=effect.reason)
                    raise NodeStopped(effect.exit_code, effect.reason)
                case _:
                    assert_never(effect)

    async def _keep_history(self) -> None:
        with _fatal_storage():
            await self._keeper.run()

    async def _persist(self, write: Callable[[], None]) -> None:
        """What is taken is written, whatever ends meanwhile."""
        with _fatal_storage(), trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(write)

    async def say_goodbye(self) -> None:
        """Tell peers and clients who wait that the node ends, for `GOODBYE_MAX_S` at most.

        From now on nothing comes of peers, and no block is made that none would hear of (P15).
        """
        self.inputs.go(lambda travel, now_ms: travel.stop(now_ms))
        self.api.stop()
        with trio.move_on_after(GOODBYE_MAX_S):
            await wait_until_stored(self.api.durability)
            self.api.flush_sessions()
            await trio.sleep(GOODBYE_LOOK_S)
            while self._is_sending():
                await trio.sleep(GOODBYE_LOOK_S)

    def _is_sending(self) -> bool:
        """Whether a peer is still there, or a client has not been sent all yet."""
        peers_are_there = self._peers is not None and bool(self._peers.open)
        return peers_are_there or any(session.outbox for session in self.api.sessions)

    def _note_stored(self, batch: Batch) -> None:
        if batch.moves:
            self.inputs.core.moves_stored(batch.moves[-1].serial)

    def _store(self, batch: Batch) -> None:
        slots = [SignedSlot(one.witness, one.slot_time_s, one.block_num) for one in batch.slots]
        votes = [SignedVote(one.key, one.source_num, one.target_num) for one in batch.votes]
        for move in batch.moves:
            if move.went_back and move is batch.moves[-1]:
                self.stores.go_back(
                    move.head, move.irreversible_num, move.clock_offset_ms, slots, votes
                )
                return
            if move.went_back:
                self.stores.go_back(move.head, move.irreversible_num, move.clock_offset_ms)
                continue
            self.stores.blocks.append(
                move.blocks, move.head, move.main_chain, move.irreversible_num
            )
            if move.clock_offset_ms is not None:
                self.stores.blocks.keep_clock(move.clock_offset_ms)
        if slots or votes:
            self.stores.guard.reserve(slots, votes)

    def _save_snapshot(self, snapshot: SaveSnapshot) -> None:
        head = self.stores.blocks.head()
        if head is None or head[0] < snapshot.num:
            return  # the chain went back meanwhile
        self.stores.snapshots.save(snapshot.num, snapshot.block_id, *snapshot.payload)
        self.stores.blocks.prune_forks(snapshot.irreversible_num)

    async def _recover_keys(self, question: RecoverKeys) -> None:
        keys = await self.pool.recover(question.questions)
        self.inputs.keys_recovered(question.token, keys)
