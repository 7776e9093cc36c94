"""What the API may ask the history."""

from __future__ import annotations

from typing import Protocol, TypeVar

from node.history.kind import Kind
from node.history.records import (
    Bucket,
    DaySummary,
    EventRecord,
    FillRecord,
    Market,
    OperationRecord,
)
from protocol.ids import AccountId

E = TypeVar("E", bound=EventRecord)


class HistoryReader(Protocol):
    """All lists are bounded by `limit`, newest first unless their method says otherwise."""

    def operation(self, instance: int) -> OperationRecord | None:
        """An operation by its id (1.11.n)."""

    def operations_of(
        self, account: AccountId, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """Operations that concern an account, with ids from `newest` down to `oldest`."""

    def numbered_operations_of(
        self, account: AccountId, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """Operations of an account by their number in its history, which begins with 1."""

    def operation_count(self, account: AccountId) -> int:
        """How many operations have concerned an account."""

    def newest_operation(self, account: AccountId) -> int | None:
        """Id of the newest operation that concerns an account."""

    def operations_in(self, block_num: int) -> list[OperationRecord]:
        """All operations of a block, virtual ones included, in order."""

    def fills_of(self, market: Market, *, newest: int, limit: int) -> list[FillRecord]:
        """Sides of trades with sequences from `newest` down."""

    def fills_until(self, market: Market, time: int) -> int:
        """How many sides of trades a market had up to a time, inclusive."""

    def buckets_of(
        self, market: Market, seconds: int, *, start: int, end: int, limit: int
    ) -> list[Bucket]:
        """Buckets of one width that open within two times, oldest first."""

    def last_day(self, market: Market, now: int) -> DaySummary | None:
        """The last 24 hours; None when the market never traded."""

    def events_of(
        self, kind: Kind[E], column: str, value: int, *, newest: int, limit: int
    ) -> list[E]:
        """Records of one of `EVENT_KINDS` by an indexed column, with instances from `newest`."""
