"""The pool of transactions that wait for a block, in order of arrival (R9.2, R9.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from node.state.context import AppliedOperation, Context
from node.state.errors import PoolFull
from node.state.events import ChainEvent
from node.state.undo import Record
from protocol import schema
from protocol.block import OperationResults
from protocol.ids import AssetId, ForceSettlementId
from protocol.schema import TransactionId
from protocol.transaction import TransactionEnvelope

POOL_TRANSACTIONS_MAX = 10_000
POOL_BYTES_MAX = 8_000_000
_FRONT_BYTES = 64
"""Bytes by which a transaction is looked for in a block; few have the first so many in common."""


Reads = AbstractSet[object] | None
"""Tables whose objects a transaction reads without writing them; None where that is not known."""


class AppliedTransaction(schema.Record):
    """A transaction on top of the head and what it did there: all that a block takes over of it."""

    envelope: TransactionEnvelope
    results: OperationResults
    """Answers of its operations, in order."""
    operations: list[AppliedOperation]
    """Its operations and the virtual ones that they caused; a block gives them their place."""
    events: Sequence[ChainEvent] = ()
    dirty_assets: AbstractSet[AssetId] = frozenset()
    requests_made: AbstractSet[ForceSettlementId] = frozenset()
    has_guessed_time: bool = False
    """Whether it depends on the time of its block, which may be another than it had here."""
    steps: int = 0
    """Records of the undo log; those of all that wait stand one behind the other."""
    reads: Reads = None
    stays_until: schema.Timestamp = 0
    """The last time of a block beneath which it may stay (R9.2)."""


class Ready(NamedTuple):
    """The first transactions of a block, where they were applied already, on its parent."""

    transactions: Sequence[AppliedTransaction] = ()
    spans: Sequence[range] = ()
    """Where their records stand in the undo log."""
    is_apart: Callable[[Context, Sequence[Record]], bool] = lambda *_: True
    """Whether all that the block has done besides could be done on top of what else waits."""


NOTHING_READY = Ready()


class PendingPool:
    """Applied pending transactions by id, oldest first, within a number and a size."""

    __slots__ = ("_by_front", "_bytes", "_entries", "bytes_max", "transactions_max")

    def __init__(
        self,
        transactions_max: int = POOL_TRANSACTIONS_MAX,
        bytes_max: int = POOL_BYTES_MAX,
    ) -> None:
        self.transactions_max = transactions_max
        self.bytes_max = bytes_max
        self._entries: dict[TransactionId, AppliedTransaction] = {}
        self._by_front: dict[bytes, TransactionEnvelope] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[AppliedTransaction]:
        return iter(self._entries.values())

    def find(self, transaction_id: TransactionId) -> AppliedTransaction | None:
        """The pending transaction with this id, or None."""
        return self._entries.get(transaction_id)

    def find_at(self, data: bytes, offset: int) -> TransactionEnvelope | None:
        """The pending transaction whose whole binary form stands at an offset, if there is one.

        A transaction tells its own end, so reading there could find no other one.
        """
        found = self._by_front.get(data[offset : offset + _FRONT_BYTES])
        return found if found is not None and data.startswith(found.packed(), offset) else None

    def check_room(self, envelope: TransactionEnvelope) -> None:
        """Raise `PoolFull` unless one more transaction fits."""
        if len(self._entries) >= self.transactions_max:
            raise PoolFull(
                "too many pending transactions",
                rule="R9.4",
                value=len(self._entries),
                limit=self.transactions_max,
            )
        if self._bytes + envelope.size > self.bytes_max:
            raise PoolFull(
                "too many bytes of pending transactions",
                rule="R9.4",
                value=self._bytes + envelope.size,
                limit=self.bytes_max,
            )

    def add(self, entry: AppliedTransaction) -> None:
        """Add a transaction that was applied on top of all others."""
        self._entries[entry.envelope.id] = entry
        self._by_front[entry.envelope.packed()[:_FRONT_BYTES]] = entry.envelope
        self._bytes += entry.envelope.size

    def forget(self, entries: Iterable[AppliedTransaction]) -> None:
        """Wait no longer for these."""
        for entry in entries:
            envelope = entry.envelope
            del self._entries[envelope.id]
            self._by_front.pop(envelope.packed()[:_FRONT_BYTES], None)
            self._bytes -= envelope.size

    def take_all(self) -> list[TransactionEnvelope]:
        """Empty the pool; what was in it, oldest first."""
        envelopes = [entry.envelope for entry in self._entries.values()]
        self._entries.clear()
        self._by_front.clear()
        self._bytes = 0
        return envelopes
