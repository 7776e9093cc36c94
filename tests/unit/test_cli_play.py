"""`pegboard play` in this process: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from node.cli import run
from node.exit_codes import Exit
from node.shipped import shipped_file
from tests.support.desk import Desk

FALL = str(shipped_file("config/scenarios/fall.toml"))


def test_a_scenario_is_told_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    """The same words for people and for programs; twice the same."""
    assert run(["play", FALL]) == 0
    out = capsys.readouterr().out
    assert '   1. borrow account=alice amount="1,000 bitUSD" ratio=1.9\n' in out
    assert "as expected: bob.position.bitUSD.closed = true; found true (R4.7)" in out
    assert run(["play", FALL, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events].count("step") == 6
    assert events[-1]["failed"] == 0
    assert events[-1]["state_hash"] in out


def test_what_is_not_as_expected_ends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and the rule's sentence; a file that is none has a code of its own."""
    path = tmp_path / "wrong.toml"
    path.write_text('pegboard = 1\nexpect = ["bitUSD.supply > 0", "bitUSD.price > 1"]\n')
    assert run(["play", str(path)]) == Exit.REFUSED
    printed = capsys.readouterr()
    assert "NOT AS EXPECTED: bitUSD.price > 1; found 0.1357 (R1.16)" in printed.out
    assert "expected bitUSD.supply > 0, value 0.0000, limit > 0 (I3)" in printed.err
    path.write_text("pegboard = 3\n")
    assert run(["play", str(path)]) == Exit.DAMAGED
    assert "wrong.toml, line 1, pegboard: a scenario of another version" in capsys.readouterr().err


def test_rules_are_added_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A small function, named in the scenario; without its file it is not known."""
    rules, path = tmp_path / "rules.py", tmp_path / "it.toml"
    rules.write_text(
        "import pegboard\n\n@pegboard.rule\ndef hoarder(agent: pegboard.Agent) -> None:\n"
        '    agent.account.buy("1 bitUSD", at=agent.market.price("bitUSD") / 2)\n'
    )
    path.write_text(
        'pegboard = 1\nexpect = ["harry.orders = 3"]\n[[agents]]\nrule = "hoarder"\n'
        'name = "harry"\ncore = 1000\n[[steps]]\ndo = "block"\ncount = 3\n'
    )
    assert run(["play", str(path)]) == Exit.REFUSED
    assert "no such rule of agents, value hoarder" in capsys.readouterr().err
    assert run(["play", str(path), "--rules", str(rules)]) == 0
    assert run(["play", str(path), "--rules", str(tmp_path / "missing.py")]) == Exit.DAMAGED


def test_a_scenario_is_played_on_a_node(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shipped one with signed transactions, twice on one node: people are new each time."""
    desk = Desk(monkeypatch, capsys)
    for _ in range(2):
        ended = desk.run("play", FALL, "--url", "http://desk:1", "--json")
        assert ended.code == 0, ended.err
        assert json.loads(ended.out.splitlines()[-1])["failed"] == 0
    names = [item.name for item in desk.chain.state.accounts.in_order()]
    assert len([name for name in names if name.startswith("alice-")]) == 2
