"""The history in an SQLite file beside the blocks: the default, for one node."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from node.history.database.session import Session, insert_into, or_change
from node.history.kind import Kind, Row, Value
from node.storage.durable import OWNER_ONLY, disk_error
from node.storage.errors import DiskError, StoreDamaged
from node.storage.sqlite_errors import SQLITE_ERRORS, is_of_the_disk, name_of

ROWS_AT_ONCE = 500
"""Rows of one INSERT. SQLite lets other threads run while a statement is carried out, and getting
back is slow beside a busy one: many rows in one statement are paid for once."""

CACHE_KIB = 16 * 1024
"""Pages that the writer keeps: a write touches some of each account, all over the file."""

_TYPES = {"integer": "BIGINT", "boolean": "BOOLEAN", "text": "TEXT", "bytes": "BLOB"}


class SqliteSession:
    """A transaction of a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, statement: str, *values: Value) -> list[Row]:
        """See `Session.rows`."""
        return self._connection.execute(statement, values).fetchall()

    def add(self, kind: Kind[Any], rows: Sequence[Row]) -> None:
        """See `Session.add`."""
        self._insert(insert_into(kind), "", rows)

    def replace(self, kind: Kind[Any], rows: Sequence[Row]) -> None:
        """See `Session.replace`."""
        self._insert(insert_into(kind), or_change(kind), rows)

    def _insert(self, start: str, end: str, rows: Sequence[Row]) -> None:
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[first : first + ROWS_AT_ONCE]
            marks = f"({', '.join('?' * len(part[0]))})"
            values = tuple(chain.from_iterable(part))
            self._connection.execute(start + ", ".join([marks] * len(part)) + end, values)


class SqliteDatabase:
    """A file; the block store's lock keeps other processes away.

    One thread writes; reads use a connection of their own.
    """

    is_shared = False
    types: Mapping[str, str] = _TYPES
    table_options = " WITHOUT ROWID"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    def connect(self) -> None:
        """See `Database.connect`."""
        self.close()
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY))
        except OSError as error:
            raise disk_error(f"cannot open {self.name}", error) from error
        with self._errors():
            self._writer = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._writer.execute("PRAGMA journal_mode = WAL").fetchone()
            self._writer.execute("PRAGMA synchronous = NORMAL")
            self._writer.execute("PRAGMA cell_size_check = ON")
            self._writer.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            self._reader = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._reader.execute("PRAGMA query_only = ON")

    def is_empty(self, session: Session) -> bool:
        """See `Database.is_empty`."""
        return not session.rows("SELECT 1 FROM sqlite_schema LIMIT 1")

    @contextmanager
    def reading(self) -> Iterator[SqliteSession]:
        """See `Database.reading`."""
        with self._errors(), _transaction(self._reader, "BEGIN") as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[SqliteSession]:
        """See `Database.writing`. It survives kill -9; after a power cut the newest blocks may be
        missing again."""
        with self._errors(), _transaction(self._writer, "BEGIN IMMEDIATE") as session:
            yield session

    def clear(self) -> None:
        """See `Database.clear`; the file goes, whatever is in it."""
        self.close()
        remove_history(self.path)
        self.connect()

    def close(self) -> None:
        """See `Database.close`."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the errors of SQLite into typed ones."""
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # a bug of ours, not of the disk
        except SQLITE_ERRORS as error:
            name = name_of(error)
            if is_of_the_disk(error):
                raise DiskError(f"cannot use {self.name}", value=name) from error
            raise StoreDamaged(
                f"{self.name} is damaged: remove it, it is made again from the blocks",
                value=f"{name}: {error}",
            ) from error


@contextmanager
def _transaction(connection: sqlite3.Connection | None, begin: str) -> Iterator[SqliteSession]:
    assert connection is not None, "connected"
    connection.execute(begin)
    try:
        yield SqliteSession(connection)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def remove_history(path: Path) -> None:
    """Remove the files of a history that nobody has open."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
