"""Which database a history is in."""

from __future__ import annotations

from pathlib import Path

from node.history.database.session import Database
from node.history.database.sqlite import SqliteDatabase


def open_database(url: str, path: Path) -> Database:
    """The database of a URL, "postgresql://user:password@host/name"; without one a file's.

    Raises `DriverMissing`, `HistoryUnavailable` for a URL that is none.
    """
    if not url:
        return SqliteDatabase(path)
    from node.history.database.postgres import PostgresDatabase  # psycopg need not be installed

    return PostgresDatabase(url)
