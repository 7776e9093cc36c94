"""The history on a PostgreSQL server, which several nodes of one chain may share.

Its tables stand in a schema of their own. Each write holds an advisory lock until it ends, so that
two nodes never write at once, and whoever comes second finds the blocks there. The main thread
reads, and must not wait long: a read has a deadline of its own, also when the server hangs, and
after one that failed the next are refused at once for a while.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any, TypeVar

from node.clock import monotonic_s
from node.history.database.errors import DriverMissing, HistoryUnavailable
from node.history.database.session import Session, insert_into, or_change, stored_names
from node.history.kind import Kind, Row, Value
from node.storage.errors import StoreDamaged

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
except ImportError as error:
    raise DriverMissing(
        f"a history on PostgreSQL needs psycopg: {sys.executable} -m pip install"
        " 'psycopg[binary]>=3.3'"
    ) from error

SCHEMA = "pegboard"
READ_LIMIT_S = 0.5
"""How long a read may take; the main thread waits for it."""
WRITE_LIMIT_S = 20
"""How long the server may take for one statement of a write."""
PAUSE_S = 5
"""For how long reads are refused after one that failed."""
ROWS_AT_ONCE = 1_000
"""Rows of one INSERT."""
_LOCK = 0x7065_6762
"""Key of the advisory lock of those who write; "pegb"."""

_TYPES = {"integer": "BIGINT", "boolean": "BOOLEAN", "text": "TEXT", "bytes": "BYTEA"}

T = TypeVar("T")


class Connection(psycopg.Connection[Row]):
    """A connection whose every wait ends, also when the server hangs."""

    limit_s: float = WRITE_LIMIT_S

    def wait(
        self, gen: Generator[Any, Any, T], interval: float = 0.1, timeout: float | None = None
    ) -> T:
        """What psycopg waits with; raises `OperationalError` after the limit."""
        return super().wait(gen, interval, self.limit_s if timeout is None else timeout)


class PostgresSession:
    """A transaction of a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, statement: str, *values: Value) -> list[Row]:
        """See `Session.rows`."""
        cursor = self._connection.execute(statement.replace("?", "%s").encode(), values)
        return cursor.fetchall() if cursor.description else []

    def add(self, kind: Kind[Any], rows: Sequence[Row]) -> None:
        """See `Session.add`."""
        if not rows:
            return
        statement = f'COPY "{kind.name}" ({stored_names(kind)}) FROM STDIN'
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for row in rows:
                copy.write_row(row)

    def replace(self, kind: Kind[Any], rows: Sequence[Row]) -> None:
        """See `Session.replace`."""
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[first : first + ROWS_AT_ONCE]
            marks = f"({', '.join('?' * len(part[0]))})"
            text = insert_into(kind) + ", ".join([marks] * len(part)) + or_change(kind)
            self.rows(text, *chain.from_iterable(part))


class PostgresDatabase:
    """A schema of a database on a server."""

    is_shared = True
    types: Mapping[str, str] = _TYPES
    table_options = ""

    def __init__(self, url: str, now_s: Callable[[], float] = monotonic_s) -> None:
        """`url` is one of libpq's, "postgresql://user:password@host/database"."""
        self._url = url
        self._now_s = now_s
        self._writer: Connection | None = None
        self._reader: Connection | None = None
        self._refused_until = now_s()
        with self._errors():
            parts = conninfo_to_dict(url)
        self.name = f"PostgreSQL at {parts.get('host', 'localhost')}, {parts.get('dbname', '')}"

    def connect(self) -> None:
        """See `Database.connect`."""
        known = "SELECT 1 FROM information_schema.schemata WHERE schema_name = ?"
        with self.writing() as session:
            if not session.rows(known, SCHEMA):
                session.rows(f"CREATE SCHEMA {SCHEMA}")

    def is_empty(self, session: Session) -> bool:
        """See `Database.is_empty`."""
        found = "SELECT 1 FROM information_schema.tables WHERE table_schema = ? LIMIT 1"
        return not session.rows(found, SCHEMA)

    @contextmanager
    def reading(self) -> Iterator[PostgresSession]:
        """See `Database.reading`."""
        if self._now_s() < self._refused_until:
            raise HistoryUnavailable(f"{self.name} did not answer just now", limit=PAUSE_S)
        try:
            with self._errors():
                self._reader = self._open(self._reader, READ_LIMIT_S)
                begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                with _transaction(self._reader, begin) as session:
                    yield session
        except HistoryUnavailable:
            self._refused_until = self._now_s() + PAUSE_S
            raise

    @contextmanager
    def writing(self) -> Iterator[PostgresSession]:
        """See `Database.writing`."""
        with self._errors():
            self._writer = self._open(self._writer, WRITE_LIMIT_S)
            with _transaction(self._writer, "BEGIN") as session:
                session.rows("SELECT pg_advisory_xact_lock(?)", _LOCK)
                yield session

    def clear(self) -> None:
        """See `Database.clear`."""
        with self.writing() as session:
            session.rows(f"DROP SCHEMA {SCHEMA} CASCADE")
            session.rows(f"CREATE SCHEMA {SCHEMA}")

    def close(self) -> None:
        """See `Database.close`."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                with suppress(psycopg.Error):
                    connection.close()

    def _open(self, known: Connection | None, limit_s: float) -> Connection:
        if known is not None and not known.closed:
            return known
        found = Connection.connect(
            self._url,
            autocommit=True,
            connect_timeout=2,
            application_name="pegboard",
        )
        found.limit_s = limit_s
        try:
            found.execute(f"SET search_path TO {SCHEMA}")
            found.execute(f"SET statement_timeout = {int(limit_s * 1_000)}")
        except BaseException:
            found.close()
            raise
        return found

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the errors of PostgreSQL into typed ones."""
        try:
            yield
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise HistoryUnavailable(f"{self.name} cannot be used", value=_text(error)) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise HistoryUnavailable(f"{self.name} does not let us", value=_text(error)) from error
        except psycopg.Error as error:
            raise StoreDamaged(
                f"the history in {self.name} is damaged: `pegboard replay --history` makes it anew",
                value=_text(error),
            ) from error


@contextmanager
def _transaction(connection: Connection, begin: str) -> Iterator[PostgresSession]:
    """A connection whose server failed is closed, and opened again by the next."""
    try:
        connection.execute(begin.encode())
        yield PostgresSession(connection)
        connection.execute("COMMIT")
    except psycopg.OperationalError:
        connection.close()
        raise
    finally:
        if not connection.closed and connection.info.transaction_status:
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")


def _text(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
