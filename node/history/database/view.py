"""Reads of the stored history, all of them up to one block; every list is bounded by `limit`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar, cast

from node.history.database.session import Session, select_from
from node.history.figures import market_of
from node.history.impacted import accounts_of_operation
from node.history.kind import Kind, RowDamaged, Value
from node.history.reader import E
from node.history.records import (
    ACCOUNT_OPERATIONS,
    ACCOUNT_TOTALS,
    BLOCKS,
    BUCKET_SECONDS,
    BUCKETS,
    FILLS,
    MARKETS,
    NEWEST,
    OPERATIONS,
    POOL_OPERATIONS,
    AccountOperation,
    AccountRun,
    AccountTotal,
    BlockRecord,
    Bucket,
    FillEntry,
    FillRecord,
    Market,
    MarketTotal,
    OperationRecord,
    PoolOperation,
)
from node.history.runs import ENTRIES_A_RUN, OPERATIONS_A_RUN, entries_of, records_of
from node.storage.errors import StoreDamaged
from protocol.block import NO_BLOCK
from protocol.ids import operation_text
from protocol.operations.limit_order import FillOrder

R = TypeVar("R")

_BEFORE_ALL = BlockRecord(0, NO_BLOCK, 0, 0, 0, 0)
ROWS_AT_ONCE = 500
"""Rows that are asked for by their ids in one statement."""
_OF_MARKET = "WHERE market_first = ? AND market_second = ? "
_OF_TYPE = (
    "JOIN account_operation_type AS found ON found.account = account_operation.account"
    " AND found.number = account_operation.number WHERE found.operation_type = ?"
)


class HistoryView:
    """What one transaction sees."""

    def __init__(self, session: Session) -> None:
        self._session = session
        found = self._records(BLOCKS, "ORDER BY num DESC LIMIT 1")
        self.head: BlockRecord | None = found[0] if found else None

    @property
    def head_num(self) -> int:
        """Number of the newest block; 0 for none."""
        return 0 if self.head is None else self.head.num

    def block(self, num: int) -> BlockRecord | None:
        """A block by its number."""
        return self._one(BLOCKS, "WHERE num = ?", num)

    def account_totals(self) -> list[AccountTotal]:
        """Every account with a history."""
        return self._records(ACCOUNT_TOTALS, "")

    def markets(self) -> list[MarketTotal]:
        """Every market that has traded."""
        return self._records(MARKETS, "")

    def pool_operation_count(self) -> int:
        """How many entries there are in the histories of all liquidity pools."""
        return self._next_instance(POOL_OPERATIONS)

    def newest_pool_operations(self) -> list[PoolOperation]:
        """The newest entry of each pool."""
        return self._records(
            POOL_OPERATIONS,
            "WHERE sequence = (SELECT max(sequence) FROM pool_operation AS newer"
            " WHERE newer.pool = pool_operation.pool)",
        )

    def pool_operation(self, instance: int) -> PoolOperation | None:
        """An entry in a pool's history by its id."""
        return self._one(POOL_OPERATIONS, "WHERE instance = ?", instance)

    def pool_operations(
        self, pool: int, operation_type: int | None, newest: int, oldest: int, limit: int
    ) -> list[PoolOperation]:
        """Entries of a pool by sequence, descending; of one type unless that is None."""
        of_type = "" if operation_type is None else "AND operation_type = ? "
        values = () if operation_type is None else (operation_type,)
        clause = (
            f"WHERE pool = ? AND sequence BETWEEN ? AND ? {of_type}ORDER BY sequence DESC LIMIT ?"
        )
        return self._records(POOL_OPERATIONS, clause, pool, oldest, newest, *values, limit)

    def pool_operations_until(self, pool: int, time: int) -> int:
        """How many entries a pool had up to a time, inclusive."""
        newest = self.pool_operations(pool, None, NEWEST, 0, 1)
        return self._count_up_to(
            "SELECT time FROM pool_operation WHERE pool = ? AND sequence = ?",
            (pool,),
            time,
            newest[0].sequence if newest else 0,
            first=1,
        )

    def event_count(self, kind: Kind[Any]) -> int:
        """How many records there are of a kind that is numbered."""
        return self._next_instance(kind)

    def _next_instance(self, kind: Kind[Any]) -> int:
        ((newest,),) = self._session.rows(f'SELECT max(instance) FROM "{kind.name}"')
        return 0 if newest is None else cast(int, newest) + 1

    def operations(self, first: int, last: int) -> list[OperationRecord]:
        """Operations with ids within bounds, ascending."""
        runs = self._records(
            OPERATIONS,
            "WHERE instance BETWEEN ? AND ? ORDER BY instance",
            first - OPERATIONS_A_RUN + 1,
            last,
        )
        return [record for run in runs for record in records_of(run, first, last)]

    def _operations_by_id(self, ids: Sequence[int]) -> dict[int, OperationRecord]:
        """Operations by their ids."""
        found: dict[int, OperationRecord] = {}
        for start in range(0, len(ids), ROWS_AT_ONCE):
            part = ids[start : start + ROWS_AT_ONCE]
            marks = ", ".join(["(?)"] * len(part))
            runs = self._records(
                OPERATIONS,
                f"WHERE instance IN (WITH wanted (id) AS (VALUES {marks})"
                " SELECT (SELECT max(run.instance) FROM operation AS run WHERE run.instance <= id)"
                " FROM wanted)",
                *part,
            )
            by_run = {int(run.instance): run for run in runs}
            starts = sorted(by_run)
            for wanted in part:
                place = bisect_right(starts, wanted) - 1
                run = by_run[starts[place]] if place >= 0 else None
                records = () if run is None else records_of(run, wanted, wanted)
                found.update((wanted, record) for record in records)
        return found

    def account_operations(
        self, account: int, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """Operations of an account by their number in its history, descending."""
        return self._operations_of(self.account_entries(account, newest, oldest, limit))

    def account_entries(
        self, account: int, newest: int, oldest: int, limit: int
    ) -> list[AccountOperation]:
        """Entries of an account by number, descending."""
        runs = self._records(
            ACCOUNT_OPERATIONS,
            "WHERE account = ? AND number BETWEEN ? AND ? ORDER BY number DESC LIMIT ?",
            account,
            oldest - ENTRIES_A_RUN + 1,
            newest,
            limit,
        )
        return _newest_first(runs, newest, oldest, limit)

    def typed_operations(
        self, account: int, operation_type: int, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """Operations of one type of an account by their number in its history, descending."""
        runs = self._records(
            ACCOUNT_OPERATIONS,
            f"{_OF_TYPE} AND found.account = ? AND found.number BETWEEN ? AND ?"
            " ORDER BY found.number DESC LIMIT ?",
            operation_type,
            account,
            oldest - ENTRIES_A_RUN + 1,
            newest,
            limit + 1,
        )
        return self._operations_of(_newest_first(runs, newest, oldest, limit, operation_type))

    def operations_of_type(self, operation_type: int) -> Iterator[OperationRecord]:
        """All operations of one type, ascending; for a start, before anything else runs."""
        runs = self._records(ACCOUNT_OPERATIONS, _OF_TYPE, operation_type)
        found = {
            int(entry.operation)
            for run in runs
            for entry in entries_of(run)
            if entry.operation_type == operation_type
        }
        ids = sorted(found)
        for first in range(0, len(ids), ROWS_AT_ONCE):
            part = ids[first : first + ROWS_AT_ONCE]
            records = self._operations_by_id(part)
            yield from (records[instance] for instance in part)

    def _operations_of(self, entries: Sequence[AccountOperation]) -> list[OperationRecord]:
        """The operations of entries, in their order; raises `StoreDamaged`."""
        found = self._operations_by_id([entry.operation for entry in entries])
        if len(found) < len(entries):
            raise _damaged(OPERATIONS, "missing")
        return [found[entry.operation] for entry in entries]

    def operations_until(self, time: int) -> int:
        """How many operations there were up to a time, inclusive."""
        num = self._count_up_to(
            "SELECT time FROM block WHERE num = ?", (), time, self.head_num, first=1
        )
        found = self.block(num)
        return 0 if found is None else found.operations

    def entry(self, instance: int) -> AccountOperation | None:
        """An entry in an account's history by its id: it follows from the block's operations."""
        before = self._blocks_before("entries", instance)
        if before is None:
            return None
        accounts = (
            (account, record.instance)
            for record in self._operations_after(before)
            for account in accounts_of_operation(record.op, record.result)
        )
        found = next(islice(accounts, instance - before.entries, None), None)
        if found is None:
            raise _damaged(ACCOUNT_OPERATIONS, instance)
        account, operation = found
        number = self.account_number(account, operation, self.account_total(account))
        return self.numbered_entry(account, number)

    def numbered_entry(self, account: int, number: int) -> AccountOperation | None:
        """An entry in an account's history by its number there."""
        found = self.account_entries(account, number, number, 1)
        return found[0] if found else None

    def account_number(self, account: int, operation: int, total: int) -> int:
        """How many of an account's first `total` operations have ids up to an operation's."""
        last = self._count_up_to(
            "SELECT operation FROM account_operation WHERE account = ? AND number <= ?"
            " ORDER BY number DESC LIMIT 1",
            (account,),
            operation,
            total,
            first=1,
        )
        entries = self.account_entries(account, last, last - ENTRIES_A_RUN + 1, ENTRIES_A_RUN)
        return next((entry.number for entry in entries if entry.operation <= operation), 0)

    def account_runs_from(self, entries: int) -> list[AccountRun]:
        """The runs of all accounts that hold entries from an instance on."""
        return self._records(ACCOUNT_OPERATIONS, "WHERE newest >= ?", entries)

    def account_total(self, account: int) -> int:
        """How many operations are in an account's history."""
        found = self._one(ACCOUNT_TOTALS, "WHERE account = ?", account)
        return 0 if found is None else found.operations

    def fill_count(self, market: Market) -> int:
        """How many sides of trades a market has."""
        found = self._one(MARKETS, _OF_MARKET, *market)
        return 0 if found is None else found.fills

    def fills_until(self, market: Market, time: int) -> int:
        """How many sides of trades a market had up to a time, inclusive."""
        return self._count_up_to(
            f"SELECT time FROM fill {_OF_MARKET} AND sequence = ?",
            market,
            time,
            self.fill_count(market),
            first=0,
        )

    def fill(self, instance: int) -> FillRecord | None:
        """A side of a trade by its id; raises `StoreDamaged`."""
        before = self._blocks_before("fills", instance)
        if before is None:
            return None
        ops = (record.op for record in self._operations_after(before))
        fills = (op for op in ops if isinstance(op, FillOrder))
        op = next(islice(fills, instance - before.fills, None), None)
        if op is None:
            raise _damaged(FILLS, instance)
        market = market_of(op.pays.asset_id, op.receives.asset_id)
        count = self._count_up_to(
            f"SELECT instance FROM fill {_OF_MARKET} AND sequence = ?",
            market,
            instance,
            self.fill_count(market),
            first=0,
        )
        return next(iter(self.fills(market, count - 1, 1)), None)

    def fills(self, market: Market, newest: int, limit: int) -> list[FillRecord]:
        """Sides of trades by sequence, descending; raises `StoreDamaged`."""
        clause = _OF_MARKET + "AND sequence <= ? ORDER BY sequence DESC LIMIT ?"
        return self._fills(clause, *market, newest, limit)

    def _fills(self, clause: str, *values: Value) -> list[FillRecord]:
        entries = self._records(FILLS, clause, *values)
        if not entries:
            return []
        found = self._operations_by_id([int(entry.operation) for entry in entries])
        return [_fill(entry, found.get(int(entry.operation))) for entry in entries]

    def volumes(self, market: Market, after: int) -> tuple[int, int]:
        """What makers traded after a time: of the base, and of the quote.

        Whole minutes come from their buckets, so that it takes no more than a day's minutes.
        """
        width = BUCKET_SECONDS[0]
        whole = (after // width + 1) * width
        first, end = self.fills_until(market, after), self.fills_until(market, whole - 1)
        entries = self._records(
            FILLS, _OF_MARKET + "AND sequence BETWEEN ? AND ? AND is_maker", *market, first, end - 1
        )
        minutes = self._records(
            BUCKETS, _OF_MARKET + "AND seconds = ? AND open_time >= ?", *market, width, whole
        )
        parts: list[FillEntry | Bucket] = [*entries, *minutes]
        return sum(part.base_volume for part in parts), sum(part.quote_volume for part in parts)

    def bucket(self, market: Market, seconds: int, open_time: int) -> Bucket | None:
        """One bucket."""
        found = self.buckets(market, seconds, open_time, open_time, 1)
        return found[0] if found else None

    def buckets(
        self, market: Market, seconds: int, start: int, end: int, limit: int
    ) -> list[Bucket]:
        """Buckets of one width that open within two times, ascending."""
        clause = "AND seconds = ? AND open_time BETWEEN ? AND ? ORDER BY open_time LIMIT ?"
        return self._records(BUCKETS, _OF_MARKET + clause, *market, seconds, start, end, limit)

    def events(self, kind: Kind[E], column: str, value: int, newest: int, limit: int) -> list[E]:
        """Records of a kind by an indexed column, by instance, descending."""
        assert any(column == index[0] for index in (kind.key, *kind.indexes)), column
        clause = f'WHERE "{column}" = ? AND instance <= ? ORDER BY instance DESC LIMIT ?'
        return self._records(kind, clause, value, newest, limit)

    def events_from(
        self, kind: Kind[E], column: str, value: int, oldest: int, limit: int
    ) -> list[E]:
        """The same by instance, ascending."""
        assert any(column == index[0] for index in (kind.key, *kind.indexes)), column
        clause = f'WHERE "{column}" = ? AND instance >= ? ORDER BY instance LIMIT ?'
        return self._records(kind, clause, value, oldest, limit)

    def _records(self, kind: Kind[R], clause: str, *values: Value) -> list[R]:
        rows = self._session.rows(f"{select_from(kind)} {clause}", *values)
        try:
            return [kind.record_of(row) for row in rows]
        except RowDamaged as error:
            raise _damaged(kind, error) from error

    def _one(self, kind: Kind[R], clause: str, *values: Value) -> R | None:
        found = self._records(kind, clause, *values)
        return found[0] if found else None

    def _blocks_before(self, counted: str, instance: int) -> BlockRecord | None:
        """The block before that with the n-th of what blocks count; None if there is none."""
        if self.head is None or not 0 <= instance < getattr(self.head, counted):
            return None
        num = self._count_up_to(
            f"SELECT {counted} FROM block WHERE num = ?", (), instance, self.head_num, first=1
        )
        return self.block(num) or _BEFORE_ALL

    def _operations_after(self, block: BlockRecord) -> list[OperationRecord]:
        """The operations of the block after one."""
        following = self.block(block.num + 1)
        assert following is not None, "blocks follow each other"
        return self.operations(block.operations, following.operations - 1)

    def _count_up_to(
        self, statement: str, group: tuple[int, ...], limit: int, total: int, *, first: int
    ) -> int:
        """How many rows of a group have a value up to `limit`: they are numbered without gaps
        from `first`, and their values never fall, so that halving finds it."""
        low, high = 0, total
        while low < high:
            middle = (low + high) // 2
            ((found,),) = self._session.rows(statement, *group, first + middle)
            if cast(int, found) <= limit:
                low = middle + 1
            else:
                high = middle
        return low


def _newest_first(
    runs: Iterable[AccountRun],
    newest: int,
    oldest: int,
    limit: int,
    operation_type: int | None = None,
) -> list[AccountOperation]:
    """Entries of runs, which come newest first, with numbers within bounds, descending."""
    entries = (
        entry
        for run in runs
        for entry in reversed(entries_of(run))
        if oldest <= entry.number <= newest and operation_type in (None, entry.operation_type)
    )
    return list(islice(entries, limit))


def _damaged(kind: Kind[Any], value: object) -> StoreDamaged:
    return StoreDamaged(f"a stored {kind.name} is damaged", rule="T-S3", value=value)


def _fill(entry: FillEntry, found: OperationRecord | None) -> FillRecord:
    if found is None or not isinstance(found.op, FillOrder):
        raise _damaged(FILLS, operation_text(entry.operation))
    return FillRecord(
        entry.instance,
        entry.market,
        entry.sequence,
        entry.block_num,
        entry.time,
        entry.operation,
        entry.is_second,
        found.op,
    )
