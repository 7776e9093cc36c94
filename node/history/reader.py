"""What the API may ask the history."""

from __future__ import annotations

from typing import Protocol, TypeVar

from node.history.account_storage import AccountStorage
from node.history.kind import Kind
from node.history.records import (
    AccountOperation,
    Bucket,
    DaySummary,
    EventRecord,
    FillRecord,
    Market,
    OperationRecord,
    PoolOperation,
)
from protocol.ids import AccountId, LiquidityPoolId

E = TypeVar("E", bound=EventRecord)


class HistoryReader(Protocol):
    """All lists are bounded by `limit`, newest first unless their method says otherwise."""

    @property
    def storage(self) -> AccountStorage | None:
        """What accounts store with custom operations; None where that is not kept."""

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

    def typed_operations_of(
        self, account: AccountId, operation_type: int, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """Operations of one type that concern an account, as `operations_of`."""

    def operations_until(self, time: int) -> int:
        """How many operations there were up to a time, inclusive."""

    def operation_count(self, account: AccountId) -> int:
        """How many operations have concerned an account."""

    def newest_entry(self, account: AccountId) -> int | None:
        """Id (2.9.n) of the newest entry in an account's history."""

    def entry(self, instance: int) -> AccountOperation | None:
        """An entry in an account's history by its id (2.9.n)."""

    def entry_id(self, account: AccountId, number: int) -> int | None:
        """Id (2.9.n) of an entry in an account's history by its number there, from 1."""

    def entries_in(self, block_num: int) -> list[AccountOperation]:
        """The entries of a block that may still be taken back, in order; none of older ones."""

    def operations_in(self, block_num: int) -> list[OperationRecord]:
        """All operations of a block, virtual ones included, in order."""

    def fill(self, instance: int) -> FillRecord | None:
        """A side of a trade by its id (5.0.n)."""

    def markets(self) -> list[Market]:
        """Every market that has traded, by the order of the first trades (5.2.n)."""

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

    def pool_operation(self, instance: int) -> PoolOperation | None:
        """An entry in a liquidity pool's history by its id (5.4.n)."""

    def pool_operations_of(
        self,
        pool: LiquidityPoolId,
        operation_type: int | None,
        *,
        newest: int,
        oldest: int,
        limit: int,
    ) -> list[PoolOperation]:
        """Entries of a pool, of one type unless it is None, with sequences within bounds."""

    def pool_operations_until(self, pool: LiquidityPoolId, time: int) -> int:
        """How many entries a pool had up to a time, inclusive."""

    def events_of(
        self, kind: Kind[E], column: str, value: int, *, newest: int, limit: int
    ) -> list[E]:
        """Records of one of `EVENT_KINDS` by an indexed column, with instances from `newest`."""

    def events_from(
        self, kind: Kind[E], column: str, value: int, *, oldest: int, limit: int
    ) -> list[E]:
        """The same, oldest first, with instances from `oldest` up."""
