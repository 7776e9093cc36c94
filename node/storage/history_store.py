"""The history on disk: an SQLite file beside the blocks, of irreversible blocks only.

Rows are only ever added, a whole block at a time, so that the file is right after kill -9 and no
fork switch concerns it. All of it can be derived from the blocks again: a file that is damaged, or
of another format or chain, is put away and begun anew. One thread writes; reads use a connection
of their own and see the rows up to one block, whatever is written meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TypeVar

from node.storage.durable import OWNER_ONLY, disk_error
from node.storage.errors import DiskError, StorageError, StoreDamaged
from node.storage.history_rows import (
    ACCOUNT_COLUMNS,
    AssetEventRow,
    BlockRow,
    BucketRow,
    FeedRow,
    FillRow,
    HistoryRows,
    MarginCallRow,
    MarketRow,
    OperationRow,
)
from node.storage.history_view import HistoryView
from protocol.schema import Digest

FORMAT_VERSION = 2
ROWS_AT_ONCE = 500
"""Rows of one INSERT. SQLite lets other threads run while a statement is carried out, and getting
back is slow beside a busy one: many rows in one statement are paid for once."""

_CLUSTERED = " WITHOUT ROWID"
"""What SQLite calls a table that is ordered by its primary key; not needed in other databases."""

_SCHEMA = (
    "CREATE TABLE header (name TEXT PRIMARY KEY, value BLOB NOT NULL)" + _CLUSTERED,
    "CREATE TABLE block (num BIGINT PRIMARY KEY, id BLOB NOT NULL, time BIGINT NOT NULL,"
    " operations BIGINT NOT NULL, fills BIGINT NOT NULL, feeds BIGINT NOT NULL,"
    " margin_calls BIGINT NOT NULL, asset_events BIGINT NOT NULL)" + _CLUSTERED,
    "CREATE TABLE operation (id BIGINT PRIMARY KEY, block_num BIGINT NOT NULL,"
    " trx_in_block INTEGER NOT NULL, op_in_trx INTEGER NOT NULL, virtual_op INTEGER NOT NULL,"
    " is_virtual INTEGER NOT NULL, kind INTEGER NOT NULL, data BLOB NOT NULL,"
    " result BLOB NOT NULL, checksum BIGINT NOT NULL)" + _CLUSTERED,
    "CREATE TABLE account_operation (account BIGINT NOT NULL, number BIGINT NOT NULL,"
    " operation BIGINT NOT NULL, PRIMARY KEY (account, number))" + _CLUSTERED,
    "CREATE TABLE account_total (account BIGINT PRIMARY KEY, operations BIGINT NOT NULL)"
    + _CLUSTERED,
    "CREATE TABLE fill (base BIGINT NOT NULL, quote BIGINT NOT NULL, sequence BIGINT NOT NULL,"
    " id BIGINT NOT NULL, block_num BIGINT NOT NULL, time BIGINT NOT NULL,"
    " operation BIGINT NOT NULL, is_maker INTEGER NOT NULL, is_second INTEGER NOT NULL,"
    " price_base BIGINT NOT NULL, price_quote BIGINT NOT NULL, base_volume BIGINT NOT NULL,"
    " quote_volume BIGINT NOT NULL, PRIMARY KEY (base, quote, sequence))" + _CLUSTERED,
    "CREATE TABLE market (base BIGINT NOT NULL, quote BIGINT NOT NULL, number BIGINT NOT NULL,"
    " fills BIGINT NOT NULL, PRIMARY KEY (base, quote))" + _CLUSTERED,
    "CREATE TABLE bucket (base BIGINT NOT NULL, quote BIGINT NOT NULL, seconds BIGINT NOT NULL,"
    " open_time BIGINT NOT NULL, id BIGINT NOT NULL, open_base BIGINT NOT NULL,"
    " open_quote BIGINT NOT NULL, close_base BIGINT NOT NULL, close_quote BIGINT NOT NULL,"
    " high_base BIGINT NOT NULL, high_quote BIGINT NOT NULL, low_base BIGINT NOT NULL,"
    " low_quote BIGINT NOT NULL, base_volume BIGINT NOT NULL, quote_volume BIGINT NOT NULL,"
    " PRIMARY KEY (base, quote, seconds, open_time))" + _CLUSTERED,
    "CREATE TABLE feed (id BIGINT PRIMARY KEY, asset BIGINT NOT NULL, block_num BIGINT NOT NULL,"
    " backing BIGINT NOT NULL, settlement_base BIGINT NOT NULL, settlement_quote BIGINT NOT NULL,"
    " exchange_base BIGINT NOT NULL, exchange_quote BIGINT NOT NULL,"
    " exchange_asset BIGINT NOT NULL, maintenance_ratio INTEGER NOT NULL,"
    " squeeze_ratio INTEGER NOT NULL, initial_ratio INTEGER NOT NULL,"
    " publication_time BIGINT NOT NULL, feed_count INTEGER NOT NULL)",
    "CREATE INDEX feed_of_asset ON feed (asset, id)",
    "CREATE TABLE margin_call (id BIGINT PRIMARY KEY, operation BIGINT NOT NULL,"
    " block_num BIGINT NOT NULL, position BIGINT NOT NULL, account BIGINT NOT NULL,"
    " asset BIGINT NOT NULL, backing BIGINT NOT NULL, debt BIGINT NOT NULL,"
    " collateral BIGINT NOT NULL, settlement_base BIGINT NOT NULL,"
    " settlement_quote BIGINT NOT NULL, maintenance_ratio INTEGER NOT NULL,"
    " order_base BIGINT NOT NULL, order_quote BIGINT NOT NULL, bid BIGINT NOT NULL,"
    " bidder BIGINT NOT NULL, bid_base BIGINT NOT NULL, bid_quote BIGINT NOT NULL,"
    " covered BIGINT NOT NULL, paid BIGINT NOT NULL, fee BIGINT NOT NULL)",
    "CREATE INDEX margin_call_of_asset ON margin_call (asset, id)",
    "CREATE INDEX margin_call_of_account ON margin_call (account, id)",
    "CREATE INDEX margin_call_of_position ON margin_call (position, id)",
    "CREATE INDEX margin_call_of_operation ON margin_call (operation)",
    "CREATE TABLE asset_event (id BIGINT PRIMARY KEY, asset BIGINT NOT NULL,"
    " block_num BIGINT NOT NULL, kind INTEGER NOT NULL, backing BIGINT NOT NULL,"
    " price_base BIGINT NOT NULL, price_quote BIGINT NOT NULL, fund BIGINT NOT NULL)",
    "CREATE INDEX asset_event_of_asset ON asset_event (asset, id)",
)
_DISK_CODES = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
)
_PRIMARY_CODE = 0xFF

Row = TypeVar("Row", bound=tuple[int | bytes, ...])


class HistoryStore:
    """The history of a chain in one file; the block store's lock keeps other processes away."""

    def __init__(self, path: Path, chain_id: Digest) -> None:
        """Open the history of a chain, or begin an empty one; `DiskError`."""
        self.path = path
        self._chain_id = chain_id
        self._writer, self._reader = self._open()

    def head(self) -> BlockRow | None:
        """The newest block that is here, with all that there is up to it."""
        with self.view() as view:
            return view.head

    def write(self, rows: HistoryRows) -> None:
        """Add blocks that follow the newest one, in one transaction; `DiskError`, `StoreDamaged`.

        It survives kill -9; after a power cut the newest may be missing again.
        """
        with self._errors():
            database = self._writer
            database.execute("BEGIN IMMEDIATE")
            try:
                _insert(database, "block", BlockRow._fields, rows.blocks)
                _insert(database, "operation", OperationRow._fields, rows.operations)
                _insert(database, "account_operation", ACCOUNT_COLUMNS, rows.accounts)
                _insert(database, "fill", FillRow._fields, rows.fills)
                _insert(database, "feed", FeedRow._fields, rows.feeds)
                _insert(database, "margin_call", MarginCallRow._fields, rows.margin_calls)
                _insert(database, "asset_event", AssetEventRow._fields, rows.asset_events)
                _replace(database, "bucket", BucketRow._fields, 4, rows.buckets)
                _replace(database, "market", MarketRow._fields, 2, list(rows.markets.values()))
                totals = {account: number for account, number, _ in rows.accounts}
                names = ("account", "operations")
                _replace(database, "account_total", names, 1, list(totals.items()))
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    @contextmanager
    def view(self) -> Iterator[HistoryView]:
        """The history up to one block, for reads of one thread; `StoreDamaged`."""
        with self._errors():
            database = self._reader
            database.execute("BEGIN")
            try:
                yield HistoryView(database)
            finally:
                if database.in_transaction:
                    database.execute("ROLLBACK")

    def buckets_before(
        self, keys: Iterable[tuple[int, int, int, int]]
    ) -> dict[tuple[int, int, int, int], BucketRow]:
        """Those of these buckets (their keys) that are here; for the writing thread alone."""
        with self._errors():
            view = HistoryView(self._writer)
            found = {key: view.bucket(*key) for key in keys}
        return {key: row for key, row in found.items() if row is not None}

    def clear(self) -> None:
        """Begin anew: the rows are of other blocks than those of the chain."""
        self.close()
        remove_history(self.path)
        self._writer, self._reader = self._open()

    def close(self) -> None:
        """Give up the file; calling it twice does no harm."""
        for database in (self._reader, self._writer):
            with suppress(sqlite3.Error):
                database.close()

    def _open(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        with self._errors():
            try:
                return self._connect()
            except (sqlite3.Error, StorageError) as error:
                code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
                if code in _DISK_CODES:
                    raise
                remove_history(self.path)
                return self._connect()

    def _connect(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY))
        except OSError as error:
            raise disk_error(f"cannot open {self.path.name}", error) from error
        writer = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            writer.execute("PRAGMA journal_mode = WAL").fetchone()
            writer.execute("PRAGMA synchronous = NORMAL")
            writer.execute("PRAGMA cell_size_check = ON")
            self._check_header(writer)
            reader = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            reader.execute("PRAGMA query_only = ON")
        except BaseException:
            writer.close()
            raise
        return writer, reader

    def _check_header(self, database: sqlite3.Connection) -> None:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0 and not database.execute("SELECT 1 FROM sqlite_schema").fetchone():
            database.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                database.execute(statement)
            database.execute("INSERT INTO header VALUES ('chain_id', ?)", (self._chain_id,))
            database.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
            database.execute("COMMIT")
            return
        if version != FORMAT_VERSION:
            raise StoreDamaged("a history of another format", value=version, limit=FORMAT_VERSION)
        found = database.execute("SELECT value FROM header WHERE name = 'chain_id'").fetchone()
        if found != (self._chain_id,):
            raise StoreDamaged("a history of another chain")
        first, last, count = database.execute(
            "SELECT min(num), max(num), count(*) FROM block"
        ).fetchone()
        if count and (first != 1 or last != count):
            raise StoreDamaged("the history has lost blocks", value=count, limit=last)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the errors of SQLite into typed ones."""
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # a bug of ours, not of the disk
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            if code in _DISK_CODES:
                raise DiskError(f"cannot use {self.path.name}", value=name) from error
            raise StoreDamaged(
                f"{self.path.name} is damaged: remove it, it is made again from the blocks",
                value=f"{name}: {error}",
            ) from error


def _insert(
    database: sqlite3.Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    """Add rows, many in one statement."""
    _execute_many(database, f"INSERT INTO {table} ({', '.join(columns)}) VALUES ", "", rows)


def _replace(
    database: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    key_length: int,
    rows: Sequence[Row],
) -> None:
    """Add rows, or change those that are there by their key, the first columns."""
    key, values = ", ".join(columns[:key_length]), columns[key_length:]
    changes = ", ".join(f"{name} = excluded.{name}" for name in values)
    _execute_many(
        database,
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ",
        f" ON CONFLICT ({key}) DO UPDATE SET {changes}",
        rows,
    )


def _execute_many(database: sqlite3.Connection, start: str, end: str, rows: Sequence[Row]) -> None:
    for first in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[first : first + ROWS_AT_ONCE]
        marks = f"({', '.join('?' * len(part[0]))})"
        values = tuple(chain.from_iterable(part))
        database.execute(start + ", ".join([marks] * len(part)) + end, values)


def remove_history(path: Path) -> None:
    """Remove the files of a history that nobody has open."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
