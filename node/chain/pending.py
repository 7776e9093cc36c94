"""The pool of transactions that wait for a block, in order of arrival (R9.2, R9.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from node.state.context import AppliedOperation
from node.state.errors import PoolFull
from protocol.block import OperationResults
from protocol.schema import TransactionId
from protocol.transaction import TransactionEnvelope

POOL_TRANSACTIONS_MAX = 10_000
POOL_BYTES_MAX = 8_000_000


@dataclass(frozen=True, slots=True)
class AppliedTransaction:
    """A transaction on top of the head and what it did there."""

    envelope: TransactionEnvelope
    results: OperationResults
    """Answers of its operations, in order."""
    operations: list[AppliedOperation]
    """Its operations and the virtual ones that they caused."""


class PendingPool:
    """Applied pending transactions by id, oldest first, within a number and a size."""

    __slots__ = ("_bytes", "_entries", "bytes_max", "transactions_max")

    def __init__(
        self,
        transactions_max: int = POOL_TRANSACTIONS_MAX,
        bytes_max: int = POOL_BYTES_MAX,
    ) -> None:
        self.transactions_max = transactions_max
        self.bytes_max = bytes_max
        self._entries: dict[TransactionId, AppliedTransaction] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[AppliedTransaction]:
        return iter(self._entries.values())

    def find(self, transaction_id: TransactionId) -> AppliedTransaction | None:
        """The pending transaction with this id, or None."""
        return self._entries.get(transaction_id)

    def check_room(self, envelope: TransactionEnvelope) -> None:
        """Raise `PoolFull` unless one more transaction fits."""
        if len(self._entries) >= self.transactions_max:
            raise PoolFull(
                "too many pending transactions",
                value=len(self._entries),
                limit=self.transactions_max,
            )
        if self._bytes + envelope.size > self.bytes_max:
            raise PoolFull(
                "too many bytes of pending transactions",
                value=self._bytes + envelope.size,
                limit=self.bytes_max,
            )

    def add(self, entry: AppliedTransaction) -> None:
        """Add a transaction that was applied on top of all others."""
        self._entries[entry.envelope.id] = entry
        self._bytes += entry.envelope.size

    def take_all(self) -> list[TransactionEnvelope]:
        """Empty the pool; what was in it, oldest first."""
        envelopes = [entry.envelope for entry in self._entries.values()]
        self._entries.clear()
        self._bytes = 0
        return envelopes
