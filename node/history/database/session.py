"""The seam between the history and its databases: SQLite, and PostgreSQL.

Statements are written once, in the SQL that both understand, with `?` for each value. What is left
to a database is how to connect, how its transactions begin, how many rows are added at once, and
what its errors mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from node.history.kind import BLOCK_TIME, Kind, Row, Value


class Session(Protocol):
    """One transaction."""

    def rows(self, statement: str, *values: Value) -> list[Row]:
        """Carry a statement out; the rows that it gives, none for a change."""

    def add(self, kind: Kind[Any], rows: Sequence[Row]) -> None:
        """Add rows that are not there."""

    def replace(self, kind: Kind[Any], rows: Sequence[Row]) -> None:
        """Add rows, or change those that are there by their key."""


class Database(Protocol):
    """A place for one history. Each method raises a `StorageError`."""

    name: str
    """What errors call it; never a password."""
    is_shared: bool
    """Whether other nodes may write to it; then it is never cleared without being asked."""
    types: Mapping[str, str]
    """What the types of columns are called."""
    table_options: str
    """What stands behind a table's columns."""

    def connect(self) -> None:
        """Open it; creates what is missing but tables."""

    def is_empty(self, session: Session) -> bool:
        """Whether there are no tables."""

    def reading(self) -> AbstractContextManager[Session]:
        """A transaction that sees the history up to one block; for one thread at a time."""

    def writing(self) -> AbstractContextManager[Session]:
        """A transaction that keeps other writers out; for one thread at a time."""

    def clear(self) -> None:
        """Remove every table."""

    def close(self) -> None:
        """Give it up; calling it twice does no harm."""


def schema_statements(kind: Kind[Any], database: Database) -> Iterator[str]:
    """What creates the table of a kind."""
    columns = [
        f'"{column.name}" {database.types[column.type]}{"" if column.is_optional else " NOT NULL"}'
        for column in kind.stored_columns
    ]
    key = f"PRIMARY KEY ({_names(kind.key)})"
    yield f'CREATE TABLE "{kind.name}" ({", ".join(columns)}, {key}){database.table_options}'
    for columns_of_index in kind.indexes:
        name = f"{kind.name}_by_{columns_of_index[0]}"
        yield f'CREATE INDEX "{name}" ON "{kind.name}" ({_names(columns_of_index)})'


def insert_into(kind: Kind[Any]) -> str:
    """The beginning of a statement that adds rows, up to their values."""
    return f'INSERT INTO "{kind.name}" ({stored_names(kind)}) VALUES '


def or_change(kind: Kind[Any]) -> str:
    """The end of a statement that changes those rows that are there."""
    names = [column.name for column in kind.stored_columns if column.name not in kind.key]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names)
    return f" ON CONFLICT ({_names(kind.key)}) DO UPDATE SET {changes}"


def stored_names(kind: Kind[Any]) -> str:
    """The columns of a table, with commas."""
    return _names(column.name for column in kind.stored_columns)


def select_from(kind: Kind[Any]) -> str:
    """The beginning of a statement that reads records."""
    names = [
        '"block"."time"' if column.name == BLOCK_TIME else f'"{kind.name}"."{column.name}"'
        for column in kind.columns
    ]
    text = f'SELECT {", ".join(names)} FROM "{kind.name}"'
    if len(kind.columns) > len(kind.stored_columns):
        text += f' JOIN block ON block.num = "{kind.name}".block_num'
    return text


def _names(names: Iterator[str] | Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
