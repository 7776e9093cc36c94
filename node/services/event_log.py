"""What a node tells of itself: one JSON line an event on standard error, readable on a terminal.

It is the standard library's `logging`, which trio loads anyway: nobody who starts a node waits for
another one.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import click

from node.clock import monotonic_s
from node.services.log_limits import FIELDS, LogLimits

LOGGER = logging.getLogger("pegboard")
COLOURS = {"debug": "blue", "info": "green", "warning": "yellow", "error": "red"}
EVENT_WIDTH = 20


class EventLog:
    """Tells events by their names, each with fields that JSON has, or their `repr`.

    A field `exc_info` is an exception, of which the line has the traceback.
    """

    def debug(self, event: str, /, **fields: object) -> None:
        """Of use to who looks for a bug."""
        _tell(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Something happened as it should."""
        _tell(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Something is wrong, and the node goes on."""
        _tell(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Something ends the node."""
        _tell(logging.ERROR, event, fields)


log = EventLog()
"""The log of this process."""


def configure_log() -> None:
    """Write the log from now on: to standard error as it is now, and all levels of it."""
    readable = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ReadableLines() if readable else JsonLines())
    handler.addFilter(LogLimits(monotonic_s))
    LOGGER.handlers.clear()
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG)


class JsonLines(logging.Formatter):
    """An event as a JSON object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of an event."""
        return json.dumps(self._line(record), default=repr)

    def _line(self, record: logging.LogRecord) -> Mapping[str, object]:
        at = datetime.fromtimestamp(record.created, UTC).isoformat().removesuffix("+00:00")
        line = {
            "ev": record.msg,
            **getattr(record, FIELDS),
            "event": record.msg,
            "level": record.levelname.lower(),
            "timestamp": f"{at}Z",
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return line


class ReadableLines(JsonLines):
    """An event as people read it, in colours; a traceback stands below."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of an event."""
        line = dict(self._line(record))
        event, level, at = (str(line.pop(name)) for name in ("event", "level", "timestamp"))
        traceback = line.pop("exception", None)
        del line["ev"]
        fields = (f"{click.style(name, 'cyan')}={value}" for name, value in line.items())
        told = (
            click.style(at, dim=True),
            click.style(f"{level:7}", COLOURS[level]),
            click.style(f"{event:{EVENT_WIDTH}}", bold=True),
            *fields,
        )
        return " ".join(told) + (f"\n{traceback}" if traceback else "")


def _tell(level: int, event: str, fields: dict[str, object]) -> None:
    error = fields.pop("exc_info", None)
    assert error is None or isinstance(error, BaseException)
    LOGGER.log(level, event, exc_info=error, extra={FIELDS: fields})
