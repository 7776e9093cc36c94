"""What is told in the log meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from node.services.event_log import LOGGER
from node.services.log_limits import FIELDS


class _Kept(logging.Handler):
    """Keeps events with their fields."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info and record.exc_info[1]
        self.events.append({"event": record.msg, "exc_info": error, **getattr(record, FIELDS)})


@contextmanager
def captured_log() -> Iterator[list[dict[str, Any]]]:
    """The events of all levels, each as its fields and `event` and `exc_info`."""
    kept, level = _Kept(), LOGGER.level
    LOGGER.addHandler(kept)
    LOGGER.setLevel(logging.DEBUG)
    try:
        yield kept.events
    finally:
        LOGGER.removeHandler(kept)
        LOGGER.setLevel(level)
