"""The refusals of the command line, and which refusal ends with which exit code."""

from __future__ import annotations

from node.exit_codes import Exit
from protocol.errors import DecodeError, KeyFormatError, PegboardError


class CliError(PegboardError):
    """A command cannot go on; `exit_code` is that of the process."""

    name = "cli_error"
    exit_code: Exit = Exit.REFUSED


class UsageProblem(CliError):
    """Arguments that click lets pass and that make no sense here."""

    name = "usage"
    exit_code = Exit.USAGE


class NodeUnreachable(CliError):
    """No node answers at the URL, its answer is no JSON-RPC, or it comes too late."""

    name = "node_unreachable"
    exit_code = Exit.UNREACHABLE


class KeyMissing(CliError):
    """The wallet has no key, or not the password, that an operation needs."""

    name = "key_missing"
    exit_code = Exit.KEYS


class SetupRefused(CliError):
    """What is asked for does not fit what lies in the directory."""

    name = "setup_refused"
    exit_code = Exit.CONFIGURATION


class FileUnreadable(CliError):
    """A file that the user named cannot be read as what it should be."""

    name = "file_unreadable"
    exit_code = Exit.DAMAGED


class Refused(CliError):
    """A refusal as a command ends with it: as the chain gave it, and `told` to people."""

    def __init__(self, error: PegboardError, told: PegboardError) -> None:
        super().__init__(
            error.what, rule=error.rule, value=error.value, limit=error.limit, unit=error.unit
        )
        self.name = told.name = error.name
        self.exit_code = exit_code_of(error)
        self.told = told


def exit_code_of(error: PegboardError) -> Exit:
    """The exit code that a refusal ends a command with.

    Most commands end well, so what only a refusal is compared with is loaded for it.
    """
    from node.config import ConfigError
    from node.lab.errors import LabError
    from node.rules import UnknownRule
    from node.storage.errors import StorageError
    from node.witness.feed_text import FeedSourceError

    if isinstance(error, CliError | StorageError | LabError):
        return error.exit_code
    if isinstance(error, UnknownRule):
        return Exit.USAGE
    if isinstance(error, ConfigError | FeedSourceError):
        return Exit.CONFIGURATION
    if isinstance(error, KeyFormatError):
        return Exit.KEYS
    if isinstance(error, DecodeError):
        return Exit.DAMAGED
    return Exit.REFUSED
