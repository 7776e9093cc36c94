"""Transactions that this node has seen lately, to be looked up by their ids."""

from __future__ import annotations

from collections import OrderedDict

from node.chain.chain import Chain
from protocol.schema import TransactionId
from protocol.transaction import TransactionEnvelope

REMEMBERED_MAX = 10_000
"""Most transactions that are remembered; those looked at longest ago make room (T-A2)."""
LOOKED_AT = 2
"""So many of those with each new one: more than come."""


class RecentTransactions:
    """Remembers what was pending or in a block; whether it still is, the chain says."""

    def __init__(self, maximum: int = REMEMBERED_MAX) -> None:
        self.maximum = maximum
        self._seen: OrderedDict[TransactionId, TransactionEnvelope] = OrderedDict()
        """Those looked at longest ago first: a plain dict would walk over all that left it."""

    def __len__(self) -> int:
        return len(self._seen)

    def remember(self, chain: Chain, envelope: TransactionEnvelope) -> None:
        """A transaction became pending, or came in a block; those leave that the chain knows no
        more, for nobody is told of them (T-R1)."""
        self._seen.pop(envelope.id, None)
        for _ in range(min(LOOKED_AT, len(self._seen))):
            oldest = next(iter(self._seen))
            if chain.has_transaction(oldest):
                self._seen.move_to_end(oldest)
            else:
                del self._seen[oldest]
        self._seen[envelope.id] = envelope
        if len(self._seen) > self.maximum:
            self._seen.popitem(last=False)

    def find(self, chain: Chain, transaction: TransactionId) -> TransactionEnvelope | None:
        """A transaction that the chain knows, so that it is neither dropped nor expired (R9.3)."""
        if not chain.has_transaction(transaction):
            return None
        return self._seen.get(transaction)
