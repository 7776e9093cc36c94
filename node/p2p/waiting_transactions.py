"""Transactions that have come faster than they may be judged (P5).

They cost nothing before it is their turn, and every peer that delivered some has its turns.
"""

from __future__ import annotations

from collections import deque

from node.p2p.effects import PeerKey
from protocol.transaction import TransactionEnvelope


class WaitingTransactions:
    """The transactions of each peer, oldest first; at most `limit_bytes` of all together."""

    __slots__ = ("_limit_bytes", "_queues", "_total_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._total_bytes = 0
        self._queues: dict[PeerKey, deque[TransactionEnvelope]] = {}

    def __bool__(self) -> bool:
        return bool(self._queues)

    def add(self, peer: PeerKey, envelope: TransactionEnvelope) -> bool:
        """Let a transaction wait; False when there is no room for it."""
        size = len(envelope.packed())
        if self._total_bytes + size > self._limit_bytes:
            return False
        self._total_bytes += size
        self._queues.setdefault(peer, deque()).append(envelope)
        return True

    def take(self) -> tuple[PeerKey, TransactionEnvelope]:
        """The oldest of the peer whose turn it is; there must be one."""
        peer = next(iter(self._queues))
        return peer, self._pop(peer)

    def remove_peer(self, peer: PeerKey) -> list[TransactionEnvelope]:
        """A peer is gone; what waited of it."""
        gone = list(self._queues.get(peer, ()))
        for _ in gone:
            self._pop(peer)
        return gone

    def _pop(self, peer: PeerKey) -> TransactionEnvelope:
        queue = self._queues.pop(peer)
        envelope = queue.popleft()
        self._total_bytes -= len(envelope.packed())
        if queue:
            self._queues[peer] = queue  # behind the others
        return envelope
