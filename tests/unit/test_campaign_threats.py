"""`scripts/threats`: its rows keep their promises at a tiny share, and a broken one shows."""

from __future__ import annotations

import re

import pytest

from protocol.crypto import recovery
from tests.campaigns.threats import ROWS, main
from tests.test_threats import TABLE

QUICK = ("T-P2", "T-P12", "T-C3", "T-C4", "T-E2", "T-E4", "T-W1", "T-W5")
"""Rows that need no server, no network and no other process."""
LINE = re.compile(r"^(T-[A-Z][0-9]+): .+ \(.+\) (kept|BROKEN), seed 3, [0-9]+ s$", re.MULTILINE)


def run(*arguments: str) -> int:
    """The exit code of a tiny share."""
    return main([*arguments, "--share", "0.000002", "--seed", "3"])


@pytest.mark.usefixtures("interpreted")
def test_the_rows_print_their_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """T-P2, T-P12, T-C3, T-C4, T-E2, T-E4, T-W1, T-W5: with limit, verdict and seed."""
    assert run(*(word for name in QUICK for word in ("--only", name))) == 0
    told = LINE.findall(capsys.readouterr().out)
    assert {name for name, _ in told} == set(QUICK)
    assert {verdict for _, verdict in told} == {"kept"}


def test_a_broken_promise_shows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-C3: a node that takes any form of a signature is found out; others are not blamed."""
    monkeypatch.setattr(recovery, "is_canonical", lambda signature: True)
    assert run("--only", "T-C3", "--only", "T-W5") == 1
    assert dict(LINE.findall(capsys.readouterr().out)) == {"T-C3": "BROKEN", "T-W5": "kept"}


def test_every_row_is_of_a_threat() -> None:
    """The rows' ids are of the catalogue, each once."""
    names = [row.id for row in ROWS]
    assert len(names) == len(set(names))
    assert set(names) <= TABLE
