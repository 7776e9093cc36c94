"""P12: a log that whoever makes things happen cannot fill."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest

from node.services import log_limits
from node.services.log_limits import (
    EVENT_BURST,
    EVENT_PER_S,
    FIELDS,
    SENDER_BURST,
    SENDERS_MAX,
    LogLimits,
)

DAY_S = 86_400


class Log:
    """A log with a clock of its own."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.limits = LogLimits(lambda: self.now_s)
        self.lines: list[dict[str, Any]] = []

    def write(self, name: str, level: str = "info", **fields: object) -> bool:
        """Log an event; whether it was written."""
        record = logging.makeLogRecord(
            {"msg": name, "levelno": getattr(logging, level.upper()), FIELDS: fields}
        )
        if is_written := self.limits(record):
            self.lines.append(fields)
        return is_written


@pytest.mark.parametrize("hosts", [1, 10, 50_000])
def test_a_storm_of_a_day_takes_a_bounded_log(hosts: int) -> None:
    """P12: ten connections a second, from one host or from many: lines are bounded, and the next
    one says how many were left out."""
    log = Log()
    for second in range(0, DAY_S, 20):
        log.now_s = float(second)
        for number in range(50):
            host = f"host {(second + number) % hosts}"
            log.write("peer_closed", host=host, peer=second * 200 + number)
    assert len(log.lines) <= EVENT_BURST + DAY_S * EVENT_PER_S
    if hosts == 1:
        assert len(log.lines) <= SENDER_BURST + DAY_S / 10 + 1
        assert sum(line.get("left_out", 0) for line in log.lines) > 200_000
    assert len(log.limits._senders) <= SENDERS_MAX


def test_one_sender_leaves_room_for_others() -> None:
    """P12: the lines of one peer do not use up those of the event."""
    log = Log()
    assert [log.write("peer_penalised", peer=1) for _ in range(1_000)].count(True) == SENDER_BURST
    assert log.write("peer_penalised", peer=2)
    assert log.lines[-1]["left_out"] == 1_000 - SENDER_BURST


def test_only_what_ends_the_process_is_an_error() -> None:
    """P12: whoever meets a bug of the API or of the peer layer again and again fills no log."""
    errors = {
        match[1]
        for path in (Path(log_limits.__file__).parents[1]).rglob("*.py")
        for match in re.finditer(r'log\.(?:error|exception|critical)\(\s*"(\w+)"', path.read_text())
    }
    assert errors == {"storage_failed", "stop", "bug", "fatal"}


def test_events_do_not_share_and_errors_are_always_written() -> None:
    """P12: a flood of one event hides neither another nor an error."""
    log = Log()
    for number in range(10_000):
        log.write("flood", host=f"host {number}")
    assert log.write("other")
    assert all(log.write("flood", level="error") for _ in range(1_000))
