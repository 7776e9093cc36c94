"""`pegboard rule`, and what a refusal tells of its rule."""

from __future__ import annotations

import json

import pytest

from node.cli import run
from node.cli.output import show_error
from node.exit_codes import Exit
from node.rules import rule, rules
from protocol.errors import PegboardError


def test_a_rule_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Title, text, code and page, for people and as JSON."""
    assert run(["rule", "r4.2"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("R4.2  When a position is called\n")
    assert "SQP < bid < call price" in printed
    assert "node.market.margin_calls.is_called" in printed
    assert run(["rule", "R4.2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["sentence"] == rule("R4.2").sentence
    assert document["code"] == ["node.market.margin_calls.is_called"]
    assert document["page"] == "node/market/RULES.md"


def test_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them without an id, and those of a section for its number."""
    assert run(["rule"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(rules())
    assert run(["rule", "R3.2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "R3.2"
    assert run(["rule", "R7", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [item["id"] for item in listed] == ["R7.1", "R7.2", "R7.3"]


def test_an_unknown_rule_names_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt id is wrong use of the command line."""
    assert run(["rule", "R4.22"]) == Exit.USAGE
    assert "R4.2," in capsys.readouterr().err


def test_a_refusal_says_what_its_rule_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    """The first sentence of the paragraph, and where the rest is; nothing for other errors."""
    error = PegboardError("price is wrong", rule="R3.4b", value=1)
    show_error(error, is_json=False, exit_code=Exit.REFUSED)
    printed = capsys.readouterr().err
    assert rule("R3.4b").sentence in printed
    assert "pegboard rule R3.4b" in printed
    show_error(error, is_json=True, exit_code=Exit.REFUSED)
    assert json.loads(capsys.readouterr().err)["error"]["rule_says"] == rule("R3.4b").sentence
    show_error(PegboardError("nothing there"), is_json=False, exit_code=Exit.REFUSED)
    assert len(capsys.readouterr().err.splitlines()) == 1
