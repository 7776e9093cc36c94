"""Transactions that this node has seen lately, to be looked up by their ids."""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque

from node.chain.chain import Chain
from protocol.block import BlockEnvelope
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
        self._blocks: deque[BlockEnvelope] = deque()
        """Blocks of which the transactions are seen, too, once somebody asks."""
        self._in_blocks = 0
        """How many they are."""

    def __len__(self) -> int:
        return len(self._seen) + self._in_blocks

    def remember_block(self, envelope: BlockEnvelope) -> None:
        """All transactions of a block were seen; of old blocks no more than may be remembered."""
        if not envelope.transactions:
            return
        self._blocks.append(envelope)
        self._in_blocks += len(envelope.transactions)
        while self._in_blocks - len(self._blocks[0].transactions) >= self.maximum:
            self._in_blocks -= len(self._blocks.popleft().transactions)

    def _look_into_blocks(self, chain: Chain) -> None:
        blocks, self._blocks, self._in_blocks = self._blocks, deque(), 0
        for block in blocks:
            for transaction, _ in block.transactions:
                self._remember(chain, transaction)

    def remember(self, chain: Chain, envelope: TransactionEnvelope) -> None:
        """A transaction became pending; those leave that have expired, for nobody is told of them
        (T-R1)."""
        self._look_into_blocks(chain)
        self._remember(chain, envelope)

    def _remember(self, chain: Chain, envelope: TransactionEnvelope) -> None:
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
        self._look_into_blocks(chain)
        return self._seen.get(transaction)
