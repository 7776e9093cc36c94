"""What an error of SQLite says of the disk: which are its fault, and which are damage."""

from __future__ import annotations

import sqlite3
from typing import TypeAlias

SqliteError: TypeAlias = sqlite3.Error | UnicodeDecodeError
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""Python's module fails to decode a message of SQLite that quotes a damaged schema."""

_PRIMARY_CODE = 0xFF
_DISK_CODES = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
)


def code_of(error: SqliteError) -> int:
    """The primary code; 0 for an error that Python's module raises by itself."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & _PRIMARY_CODE


def name_of(error: SqliteError) -> str:
    """The name of the whole code, such as "SQLITE_IOERR_FSYNC"."""
    return str(getattr(error, "sqlite_errorname", type(error).__name__))


def is_of_the_disk(error: SqliteError) -> bool:
    """Whether the disk is full or fails, or the file may not be used; else it is damaged."""
    return code_of(error) in _DISK_CODES
