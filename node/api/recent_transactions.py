"""Transactions that this node has seen lately, to be looked up by their ids."""

from __future__ import annotations

import heapq
from collections import OrderedDict

from node.chain.chain import Chain
from protocol.schema import TransactionId
from protocol.transaction import TransactionEnvelope

REMEMBERED_MAX = 10_000
"""Most transactions that are remembered; those seen longest ago make room (T-A2)."""


class RecentTransactions:
    """Remembers what was pending or in a block; whether it still is, the chain says."""

    def __init__(self, maximum: int = REMEMBERED_MAX) -> None:
        self.maximum = maximum
        self._seen: OrderedDict[TransactionId, TransactionEnvelope] = OrderedDict()
        """A plain dict would walk over all that left its front."""
        self._ends: dict[int, dict[TransactionId, None]] = {}
        """The same, by the second in which they expire."""
        self._next_ends: list[int] = []
        """Those seconds, a heap."""

    def __len__(self) -> int:
        return len(self._seen)

    def remember(self, chain: Chain, envelope: TransactionEnvelope) -> None:
        """A transaction became pending, or came in a block; those leave that have expired, for
        nobody is told of them (T-R1)."""
        now = chain.head_time
        while self._next_ends and self._next_ends[0] < now:
            for over in self._ends.pop(heapq.heappop(self._next_ends)):
                del self._seen[over]
        self._seen.pop(envelope.id, None)
        self._seen[envelope.id] = envelope
        end = envelope.transaction.expiration
        if end not in self._ends:
            self._ends[end] = {}
            heapq.heappush(self._next_ends, end)
        self._ends[end][envelope.id] = None
        if len(self._seen) > self.maximum:
            oldest, left = self._seen.popitem(last=False)
            del self._ends[left.transaction.expiration][oldest]

    def find(self, chain: Chain, transaction: TransactionId) -> TransactionEnvelope | None:
        """A transaction that the chain knows, so that it is neither dropped nor expired (R9.3)."""
        if not chain.has_transaction(transaction):
            return None
        return self._seen.get(transaction)
