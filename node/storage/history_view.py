"""Reads of the history, all of them up to one block; every list is bounded by its `limit`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from node.storage.history_rows import (
    AssetEventRow,
    BlockRow,
    BucketRow,
    FeedRow,
    FillRow,
    MarginCallRow,
    MarketRow,
    OperationRow,
)


class TimedOperation(NamedTuple):
    """An operation and the time of its block."""

    row: OperationRow
    time: int


class FillAndOperation(NamedTuple):
    """One side of a trade, and its operation."""

    row: FillRow
    operation: OperationRow


class TimedFeed(NamedTuple):
    """A median and the time of its block."""

    row: FeedRow
    time: int


class TimedMarginCall(NamedTuple):
    """A margin call and the time of its block."""

    row: MarginCallRow
    time: int


class TimedAssetEvent(NamedTuple):
    """A turn of a BitAsset and the time of its block."""

    row: AssetEventRow
    time: int


_OPERATION = (
    f"SELECT {', '.join('operation.' + name for name in OperationRow._fields)}, block.time"
    " FROM operation JOIN block ON block.num = operation.block_num "
)
_FILL = (
    f"SELECT {', '.join('fill.' + name for name in FillRow._fields)},"
    f" {', '.join('operation.' + name for name in OperationRow._fields)}"
    " FROM fill JOIN operation ON operation.id = fill.operation "
)
_BUCKET = f"SELECT {', '.join(BucketRow._fields)} FROM bucket "
_OF_MARKET = "WHERE base = ? AND quote = ? "


class HistoryView:
    """What one read transaction sees."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        row = database.execute("SELECT * FROM block ORDER BY num DESC LIMIT 1").fetchone()
        self.head: BlockRow | None = None if row is None else BlockRow(*row)

    @property
    def head_num(self) -> int:
        """Number of the newest block; 0 for none."""
        return 0 if self.head is None else self.head.num

    def block(self, num: int) -> BlockRow | None:
        """A block by its number."""
        row = self._database.execute("SELECT * FROM block WHERE num = ?", (num,)).fetchone()
        return None if row is None else BlockRow(*row)

    def account_totals(self) -> Iterator[tuple[int, int]]:
        """Every account with a history, and how many operations are in it."""
        yield from self._database.execute("SELECT account, operations FROM account_total")

    def markets(self) -> list[MarketRow]:
        """Every market that has traded."""
        return [MarketRow(*row) for row in self._database.execute("SELECT * FROM market")]

    def operations(self, first: int, last: int) -> list[TimedOperation]:
        """Operations with ids within bounds, ascending."""
        return self._operations(
            "WHERE operation.id BETWEEN ? AND ? ORDER BY operation.id", first, last
        )

    def account_operations(
        self, account: int, newest: int, oldest: int, limit: int
    ) -> list[TimedOperation]:
        """Operations of an account by their number in its history, descending."""
        return self._operations(
            "JOIN account_operation ON account_operation.operation = operation.id"
            " WHERE account = ? AND number BETWEEN ? AND ? ORDER BY number DESC LIMIT ?",
            account,
            oldest,
            newest,
            limit,
        )

    def account_number(self, account: int, operation: int, total: int) -> int:
        """How many of an account's first `total` operations have ids up to an operation's."""
        return self._count_up_to(
            "SELECT operation FROM account_operation WHERE account = ? AND number = ?",
            (account,),
            operation,
            total,
            first=1,
        )

    def account_total(self, account: int) -> int:
        """How many operations are in an account's history."""
        row = self._database.execute(
            "SELECT operations FROM account_total WHERE account = ?", (account,)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def account_operation(self, account: int, number: int) -> int:
        """Id of an account's operation by its number."""
        row = self._database.execute(
            "SELECT operation FROM account_operation WHERE account = ? AND number = ?",
            (account, number),
        ).fetchone()
        return int(row[0])

    def fill_count(self, base: int, quote: int) -> int:
        """How many sides of trades a market has."""
        row = self._database.execute(
            "SELECT fills FROM market " + _OF_MARKET, (base, quote)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def fills_until(self, base: int, quote: int, time: int) -> int:
        """How many sides of trades a market had up to a time, inclusive."""
        return self._count_up_to(
            "SELECT time FROM fill WHERE base = ? AND quote = ? AND sequence = ?",
            (base, quote),
            time,
            self.fill_count(base, quote),
            first=0,
        )

    def fills(self, base: int, quote: int, newest: int, limit: int) -> list[FillAndOperation]:
        """Sides of trades by sequence, descending."""
        rows = self._database.execute(
            _FILL + _OF_MARKET + "AND sequence <= ? ORDER BY sequence DESC LIMIT ?",
            (base, quote, newest, limit),
        )
        width = len(FillRow._fields)
        return [FillAndOperation(FillRow(*row[:width]), OperationRow(*row[width:])) for row in rows]

    def volumes(self, base: int, quote: int, after: int) -> tuple[int, int]:
        """What makers traded after a time: of the base, and of the quote.

        Whole minutes come from their buckets, so that it takes no more than a day's minutes.
        """
        whole = (after // 60 + 1) * 60
        first, end = self.fills_until(base, quote, after), self.fills_until(base, quote, whole - 1)
        rows = [
            *self._database.execute(
                "SELECT base_volume, quote_volume FROM fill "
                + _OF_MARKET
                + "AND sequence BETWEEN ? AND ? AND is_maker = 1",
                (base, quote, first, end - 1),
            ),
            *self._database.execute(
                "SELECT base_volume, quote_volume FROM bucket "
                + _OF_MARKET
                + "AND seconds = 60 AND open_time >= ?",
                (base, quote, whole),
            ),
        ]
        return sum(row[0] for row in rows), sum(row[1] for row in rows)

    def bucket(self, base: int, quote: int, seconds: int, open_time: int) -> BucketRow | None:
        """One bucket."""
        found = self.buckets(base, quote, seconds, open_time, open_time, 1)
        return found[0] if found else None

    def buckets(
        self, base: int, quote: int, seconds: int, start: int, end: int, limit: int
    ) -> list[BucketRow]:
        """Buckets of one width that open within two times, ascending."""
        rows = self._database.execute(
            _BUCKET
            + _OF_MARKET
            + "AND seconds = ? AND open_time BETWEEN ? AND ? ORDER BY open_time LIMIT ?",
            (base, quote, seconds, start, end, limit),
        )
        return [BucketRow(*row) for row in rows]

    def feeds(self, asset: int, newest: int, limit: int) -> list[TimedFeed]:
        """Medians of a BitAsset by id, descending."""
        rows = self._timed("feed", "asset", asset, newest, limit)
        return [TimedFeed(FeedRow(*row[:-1]), row[-1]) for row in rows]

    def margin_calls(
        self, column: str, value: int, newest: int, limit: int
    ) -> list[TimedMarginCall]:
        """Margin calls of an "asset", "account", "position" or "operation" by id, descending."""
        assert column in MarginCallRow._fields, column
        rows = self._timed("margin_call", column, value, newest, limit)
        return [TimedMarginCall(MarginCallRow(*row[:-1]), row[-1]) for row in rows]

    def asset_events(self, asset: int, newest: int, limit: int) -> list[TimedAssetEvent]:
        """Turns of a BitAsset by id, descending."""
        rows = self._timed("asset_event", "asset", asset, newest, limit)
        return [TimedAssetEvent(AssetEventRow(*row[:-1]), row[-1]) for row in rows]

    def _timed(
        self, table: str, column: str, value: int, newest: int, limit: int
    ) -> Iterator[tuple[int, ...]]:
        yield from self._database.execute(
            f"SELECT {table}.*, block.time FROM {table} JOIN block ON block.num = block_num"
            f" WHERE {column} = ? AND {table}.id <= ? ORDER BY {table}.id DESC LIMIT ?",
            (value, newest, limit),
        )

    def _operations(self, clause: str, *values: int) -> list[TimedOperation]:
        rows = self._database.execute(_OPERATION + clause, values)
        return [TimedOperation(OperationRow(*row[:-1]), row[-1]) for row in rows]

    def _count_up_to(
        self, statement: str, group: tuple[int, ...], limit: int, total: int, *, first: int
    ) -> int:
        """How many rows of a group have a value up to `limit`: they are numbered without gaps
        from `first`, and their values never fall, so that halving finds it."""
        low, high = 0, total
        while low < high:
            middle = (low + high) // 2
            row = self._database.execute(statement, (*group, first + middle)).fetchone()
            if row[0] <= limit:
                low = middle + 1
            else:
                high = middle
        return low
