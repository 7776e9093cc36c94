"""Exit codes of every command, and which refusal ends with which (sysexits.h)."""

from __future__ import annotations

from node.config import ConfigError
from node.rules import UnknownRule
from node.storage.errors import StorageError
from node.witness.feed_text import FeedSourceError
from protocol.errors import DecodeError, KeyFormatError, PegboardError

OK = 0
REFUSED = 1
USAGE = 64
DAMAGED = 65
UNREACHABLE = 69
INVARIANT = 70
DISK = 74
LOCKED = 75
KEYS = 77
CONFIGURATION = 78
INTERRUPTED = 130

MEANINGS = {
    OK: "done",
    REFUSED: "refused by the chain, or a prediction that did not come true",
    USAGE: "wrong use of the command line",
    DAMAGED: "stored data is damaged, or a file cannot be read as what it should be",
    UNREACHABLE: "no node, or no database of the history, answers at the URL, or not in time",
    INVARIANT: "an invariant of the chain is violated; the node stopped before keeping the block",
    DISK: "disk full or failing",
    LOCKED: "another process uses the data directory",
    KEYS: "a key, key file or password is missing or wrong",
    CONFIGURATION: "settings or genesis are wrong or do not fit together",
    INTERRUPTED: "interrupted",
}
"""What each exit code says; `pegboard --help` prints it."""


class CliError(PegboardError):
    """A command cannot go on; `exit_code` is that of the process."""

    name = "cli_error"
    exit_code = REFUSED


class UsageProblem(CliError):
    """Arguments that click lets pass and that make no sense here."""

    name = "usage"
    exit_code = USAGE


class NodeUnreachable(CliError):
    """No node answers at the URL, its answer is no JSON-RPC, or it comes too late."""

    name = "node_unreachable"
    exit_code = UNREACHABLE


class KeyMissing(CliError):
    """The wallet has no key, or not the password, that an operation needs."""

    name = "key_missing"
    exit_code = KEYS


class SetupRefused(CliError):
    """What is asked for does not fit what lies in the directory."""

    name = "setup_refused"
    exit_code = CONFIGURATION


class FileUnreadable(CliError):
    """A file that the user named cannot be read as what it should be."""

    name = "file_unreadable"
    exit_code = DAMAGED


def exit_code_of(error: PegboardError) -> int:
    """The exit code that a refusal ends a command with."""
    if isinstance(error, CliError | StorageError):
        return error.exit_code
    if isinstance(error, UnknownRule):
        return USAGE
    if isinstance(error, ConfigError | FeedSourceError):
        return CONFIGURATION
    if isinstance(error, KeyFormatError):
        return KEYS
    if isinstance(error, DecodeError):
        return DAMAGED
    return REFUSED
