"""What a node tells of itself, as programs and as people read it."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.services.event_log import LOGGER, configure_log, log
from node.services.log_limits import SENDER_BURST


class Terminal(io.StringIO):
    """Somebody reads along."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    yield
    LOGGER.handlers = []
    LOGGER.setLevel(logging.NOTSET)


def told_in(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    configure_log()


def test_an_event_is_a_json_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name first, then the fields; what JSON lacks as its `repr`."""
    told_in(stream := io.StringIO(), monkeypatch)
    log.debug("started", head=7, place=Path("here"), level=2, msg=None)
    text = stream.getvalue()
    at = json.loads(text)["timestamp"]
    assert text == (
        '{"ev": "started", "head": 7, "place": "PosixPath(\'here\')", "level": "debug", '
        f'"msg": null, "event": "started", "timestamp": "{at}"}}\n'
    )
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", at)


def test_a_bug_is_told_with_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same line, and on a terminal below it."""
    for stream in (io.StringIO(), Terminal()):
        told_in(stream, monkeypatch)
        try:
            raise KeyError("a key")
        except KeyError as error:
            log.error("bug", exc_info=error)
        text = stream.getvalue()
        if not stream.isatty():
            assert text.count("\n") == 1
            text = json.loads(text)["exception"]
        assert "Traceback (most recent" in text
        assert "KeyError: 'a key'" in text


def test_on_a_terminal_it_is_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    """In colours, unless NO_COLOR asks for none."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    told_in(stream := Terminal(), monkeypatch)
    log.warning("slow_step", task="main", ms=300)
    text = re.sub(r"\x1b\[\d+m", "", stream.getvalue())
    assert re.fullmatch(r"20\S+Z warning slow_step +task=main ms=300\n", text)
    assert "\x1b[33mwarning" in stream.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    told_in(stream := Terminal(), monkeypatch)
    log.info("ready")
    assert json.loads(stream.getvalue())["ev"] == "ready"


def test_the_log_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """P12: a storm is counted, not written."""
    told_in(stream := io.StringIO(), monkeypatch)
    for _ in range(SENDER_BURST + 5):
        log.info("peer_closed", host="there")
    log.info("peer_closed", host="elsewhere")
    lines = stream.getvalue().splitlines()
    assert len(lines) == SENDER_BURST + 1
    assert json.loads(lines[-1])["left_out"] == 5
