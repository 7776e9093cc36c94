"""All that reaches a running `NodeCore`, with the time of its arrival; what follows is queued.

The core's time is that of the timers, so that a step of the wall clock neither ends nor prolongs
anything; it is told the wall clock beside, for the slots (T-K1). At the start both are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

from node.clock import Clock
from node.core.core import NodeCore
from node.core.time_travel import TimeTravel
from node.p2p.effects import PeerAddress, PeerKey
from node.services.effect_queue import Batch, EffectQueue
from protocol.block import BlockEnvelope
from protocol.crypto.keys import PrivateKey
from protocol.transaction import TransactionEnvelope

T = TypeVar("T")

BLOCKS_AT_ONCE = 64
"""So many blocks of one demand are stored together: each write has its price, and nobody is
answered before the last of them."""


class NodeInputs:
    """Gives a core bytes, ticks and calls; hands what it wants done to who carries it out."""

    def __init__(self, core: NodeCore, clock: Clock, travel: TimeTravel | None = None) -> None:
        self.core = core
        self.clock = clock
        self.travel = travel or TimeTravel(core)
        self._start_ms = self._wall_ms() - clock.timer_ms()
        self._queue = EffectQueue()
        self._is_due = trio.Event()
        self._held_blocks = 0

    def now_ms(self) -> int:
        """The time of the timers."""
        return self.clock.timer_ms() + self._start_ms

    def slot_s(self) -> int:
        """The time of slots, seconds since 1970."""
        return self.core.clock.slot_ms(self.now_ms()) // 1_000

    def _wall_ms(self) -> int:
        """The wall clock as somebody has moved it."""
        return self.clock.wall_ms() + self.travel.moved_ms

    async def next_batch(self) -> Batch:
        """The effects that wait, once there are any that do not wait for more."""
        while True:
            if not self._is_due.is_set():
                await self._is_due.wait()
            self._is_due = trio.Event()
            if (batch := self.take_batch()) is not None:
                return batch

    def take_batch(self) -> Batch | None:
        """The effects that wait, if there are any."""
        self._held_blocks = 0
        return self._queue.take_batch()

    # From peers; see `node.services.p2p_server.PeerInputs`.

    def peer_connected(self, peer: PeerKey, address: PeerAddress, *, outbound: bool) -> None:
        """A connection is open."""
        self.core.peer_connected(peer, address, self.now_ms(), outbound=outbound)
        self._queue_effects()

    def peer_received(self, peer: PeerKey, data: bytes) -> None:
        """Bytes arrived."""
        self.core.peer_received(peer, data, self.now_ms())
        self._queue_effects()

    def peer_written(self, peer: PeerKey, size: int) -> None:
        """Bytes have left for a peer."""
        self.core.peer_written(peer, size, self.now_ms())
        self._queue_effects()

    def peer_disconnected(self, peer: PeerKey) -> None:
        """A connection is gone."""
        self.core.peer_disconnected(peer, self.now_ms())
        self._queue_effects()

    def dial_failed(self, address: PeerAddress) -> None:
        """Nobody answered at an address."""
        self.core.dial_failed(address, self.now_ms())
        self._queue_effects()

    def add_peer(self, address: PeerAddress) -> bool:
        """The operator names a peer; False when its address cannot be remembered."""
        is_kept = self.core.add_peer(address, self.now_ms())
        self._queue_effects()
        return is_kept

    def is_peer_active(self, peer: PeerKey) -> bool:
        """Whether both sides have accepted each other."""
        return self.core.peers.is_active(peer)

    # From this node.

    def tick(self) -> int:
        """Time passes; the time of slots."""
        now_ms = self.now_ms()
        self.travel.tick(now_ms)
        self.core.read_clock(self._wall_ms(), now_ms)
        self.core.tick(now_ms)
        self._queue_effects()
        return self.core.clock.slot_ms(now_ms)

    def keys_recovered(self, token: int, keys: bytes) -> None:
        """The workers answered."""
        self.core.keys_recovered(token, keys, self.now_ms())
        self._queue_effects()

    def broadcast(self, envelope: TransactionEnvelope) -> None:
        """Take a transaction of a client; raises its refusal."""
        try:
            self.core.broadcast(envelope, self.now_ms())
        finally:
            self._queue_effects()

    def make_first_block(self) -> None:
        """Give a development chain its first block."""
        self.core.make_first_block(self.now_ms())
        self._queue_effects()

    def push_block(self, envelope: BlockEnvelope) -> None:
        """Take a block of a client; raises its refusal."""
        try:
            self.core.push_block(envelope, self.now_ms())
        finally:
            self._queue_effects()

    def generate_blocks(
        self,
        count: int,
        secret: PrivateKey | None = None,
        *,
        earliest_s: int = 0,
        made: int = 0,
        to_come: int = 0,
    ) -> list[BlockEnvelope]:
        """Make blocks on demand; see `NodeCore.generate_blocks`.

        What follows from blocks before the last of a demand waits for more, or for anything else
        that happens. Raises `NotPaused` where other processes would not come along: they take no
        block from the future, and make others for the same slots.
        """
        now_ms = self.now_ms()
        self.travel.check_may_go(now_ms)
        held_blocks = 0
        try:
            blocks = self.core.generate_blocks(
                count, now_ms, secret, earliest_s=earliest_s, made=made, to_come=to_come
            )
            held_blocks = count if to_come else 0
            return blocks
        finally:
            self._queue_effects(held_blocks)

    def go(self, act: Callable[[TimeTravel, int], T]) -> T:
        """Go through time: what an act gives that is given the node and the time of the timers."""
        try:
            return act(self.travel, self.now_ms())
        finally:
            self._queue_effects()

    def _queue_effects(self, held_blocks: int = 0) -> None:
        """Have carried out what the core wants done; of blocks that more follow not at once."""
        self._queue.put(self.core.take_effects())
        self._held_blocks += held_blocks
        if not held_blocks or self._held_blocks >= BLOCKS_AT_ONCE:
            self._is_due.set()
