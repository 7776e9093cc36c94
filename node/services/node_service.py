"""The shell around a `NodeCore`: gives it bytes and time, and carries its effects out in order.

Effects wait in an `EffectQueue`, which says what is to be durable before what; the writes happen
off the main thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog
import trio

from node.core.core import NodeCore
from node.core.effects import (
    Effect,
    FlushSessions,
    RecoverKeys,
    Report,
    SaveSnapshot,
    StopNode,
    StoreHistory,
)
from node.p2p.effects import ClosePeer, OpenConnection, PeerAddress, PeerKey, SendBytes
from node.services.clock import Clock
from node.services.effect_queue import Batch, EffectQueue
from node.services.garbage import GarbageSchedule
from node.services.p2p_server import PeerConnections
from node.services.signature_pool import SignaturePool
from node.services.stored_history import StoredHistory
from node.storage.errors import StorageError
from node.storage.interface import BlockStorage, SigningStorage, SnapshotStorage
from protocol.errors import PegboardError

TICK_MS = 100
"""Ticks fall on multiples of it, so that one falls on the start of each slot."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that a node keeps on disk."""

    blocks: BlockStorage
    guard: SigningStorage
    snapshots: SnapshotStorage

    def close(self) -> None:
        """Give up files and locks."""
        self.guard.close()
        self.blocks.close()


class NodeStopped(PegboardError):
    """The node ends; `exit_code` is that of the process."""

    name = "node_stopped"

    def __init__(self, exit_code: int, reason: str) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


class SessionFlusher(Protocol):
    """The API server, as far as notices concern it."""

    def flush_sessions(self) -> None:
        """Send what sessions have waiting."""


class NodeService:
    """Runs one node until cancelled."""

    def __init__(self, core: NodeCore, stores: Stores, clock: Clock) -> None:
        self.core = core
        self.stores = stores
        self.clock = clock
        self.pool = SignaturePool()
        self.sessions: SessionFlusher | None = None
        self.garbage: GarbageSchedule | None = None
        self.history: StoredHistory | None = None
        self.peers: PeerConnections | None = None
        self.reports: Counter[str] = Counter()
        """How often the core reported each event."""
        self._queue = EffectQueue()
        self._queued = trio.Event()
        self._nursery: trio.Nursery | None = None

    async def run(
        self,
        listen: tuple[str, int] | None,
        *,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve peers and time until cancelled; reports the peer port, 0 for none.

        Raises `NodeStopped` when the core or a store says that the node must end.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self.peers = PeerConnections(self, nursery)
                nursery.start_soon(self._carry_effects)
                port = 0
                if listen is not None:
                    port = await nursery.start(self.peers.listen, *listen)
                nursery.start_soon(self._tick)
                task_status.started(port)
        finally:
            self.pool.close()

    def pump(self) -> None:
        """Queue the core's effects; to be called after every input."""
        self._queue.put(self.core.take_effects())
        self._queued.set()

    # Inputs from peers.

    def peer_connected(self, peer: PeerKey, address: PeerAddress, *, outbound: bool) -> None:
        """A connection is open."""
        self.core.peer_connected(peer, address, self.clock.now_ms(), outbound=outbound)
        self.pump()

    def peer_received(self, peer: PeerKey, data: bytes) -> None:
        """Bytes arrived."""
        self.core.peer_received(peer, data, self.clock.now_ms())
        self.pump()

    def peer_disconnected(self, peer: PeerKey) -> None:
        """A connection is gone."""
        self.core.peer_disconnected(peer, self.clock.now_ms())
        self.pump()

    def dial_failed(self, address: PeerAddress) -> None:
        """Nobody answered at an address."""
        self.core.dial_failed(address, self.clock.now_ms())
        self.pump()

    async def _tick(self) -> None:
        while True:
            now_ms = self.clock.now_ms()
            self.core.tick(now_ms)
            self.pump()
            if self.garbage is not None:
                self.garbage.collect_if_due()
            await trio.sleep((TICK_MS - now_ms % TICK_MS) / 1_000)

    # Effects.

    async def _carry_effects(self) -> None:
        while True:
            batch = self._queue.take_batch()
            if batch is not None:
                await self._carry(batch)
                continue
            self._queued = trio.Event()
            await self._queued.wait()

    async def _carry(self, batch: Batch) -> None:
        if batch.slots or batch.moves:
            await self._persist(partial(self._store, batch))
        for effect in batch.rest:
            if isinstance(effect, SaveSnapshot):
                await self._persist(partial(self._save_snapshot, effect))
            else:
                self._carry_one(effect)
        kept = [effect for effect in batch.rest if isinstance(effect, StoreHistory)]
        if kept:
            await self._store_history(kept[-1])

    async def _store_history(self, effect: StoreHistory) -> None:
        history = self.history
        while history is not None and (blocks := history.writable(effect.irreversible_num)):
            await self._persist(partial(history.write, blocks))
            history.written(blocks)

    async def _persist(self, write: Callable[[], None]) -> None:
        try:
            await trio.to_thread.run_sync(write)
        except StorageError as error:
            log.error("storage_failed", ev="storage_failed", reason=str(error))
            raise NodeStopped(error.exit_code, str(error)) from error

    def _store(self, batch: Batch) -> None:
        for slot in batch.slots:
            self.stores.guard.reserve(slot.witness, slot.slot_time_s, slot.block_num)
        for move in batch.moves:
            self.stores.blocks.append(
                move.blocks, move.head, move.main_chain, move.irreversible_num
            )

    def _save_snapshot(self, snapshot: SaveSnapshot) -> None:
        self.stores.snapshots.save(snapshot.num, snapshot.block_id, snapshot.payload)
        self.stores.blocks.prune_forks(snapshot.irreversible_num)

    def _carry_one(self, effect: Effect) -> None:
        assert self.peers is not None
        if isinstance(effect, SendBytes):
            self.peers.send(effect.peer, effect.data)
        elif isinstance(effect, ClosePeer):
            log.info("peer_closed", ev="peer_closed", peer=effect.peer, reason=effect.reason)
            self.peers.close(effect.peer)
        elif isinstance(effect, OpenConnection):
            self.peers.dial(effect.address)
        elif isinstance(effect, FlushSessions):
            if self.sessions is not None and self._queue.may_report:
                self.sessions.flush_sessions()
        elif isinstance(effect, Report):
            self.reports[effect.name] += 1
            log.info(effect.name, ev=effect.name, **effect.fields)
        elif isinstance(effect, RecoverKeys):
            assert self._nursery is not None
            self._nursery.start_soon(self._recover_keys, effect)
        elif isinstance(effect, StopNode):
            log.error("stop", ev="stop", reason=effect.reason)
            raise NodeStopped(effect.exit_code, effect.reason)

    async def _recover_keys(self, effect: RecoverKeys) -> None:
        keys = await self.pool.recover(effect.items)
        self.core.keys_recovered(effect.token, keys, self.clock.now_ms())
        self.pump()
