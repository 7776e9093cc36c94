"""What a history on a server may refuse, with the exit code of a process that cannot start."""

from __future__ import annotations

from node.exit_codes import Exit
from node.storage.errors import StorageError


class HistoryUnavailable(StorageError):
    """The server of the history does not answer, or not in time; a running node tries again."""

    name = "history_unavailable"
    exit_code = Exit.UNREACHABLE


class DriverMissing(StorageError):
    """The package that speaks with the server is not installed."""

    name = "driver_missing"
    exit_code = Exit.CONFIGURATION
