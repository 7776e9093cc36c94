"""The databases that a history can be in, for tests that run on each of them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Protocol

import psycopg

from node.history.database.postgres import SCHEMA, PostgresDatabase
from node.history.database.session import Database
from node.history.database.sqlite import SqliteDatabase
from node.history.kind import Row, Value


class HistoryPlace(Protocol):
    """Where one history is: it can be opened again and again, and looked at from outside."""

    def open(self) -> Database:
        """The database, as a node opens it."""

    def execute(self, statement: str, *values: Value) -> list[Row]:
        """Carry a statement out in a connection of its own, with `?` for each value."""


class SqlitePlace:
    """A file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> Database:
        return SqliteDatabase(self.path)

    def execute(self, statement: str, *values: Value) -> list[Row]:
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()


class PostgresPlace:
    """A database of a server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def open(self) -> Database:
        return PostgresDatabase(self.url)

    def execute(self, statement: str, *values: Value) -> list[Row]:
        with psycopg.connect(self.url) as connection:
            connection.execute(f"SET search_path TO {SCHEMA}".encode())
            cursor = connection.execute(statement.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []
