"""Planted bugs are found; without this, green runs would prove nothing.

Here those are looked for that are found in seconds: `scripts/simulate --teeth` looks for all.
"""

from __future__ import annotations

import ast
from collections import Counter
from typing import get_args

import pytest

from node.chain import finality
from tests.simulation import event_loop
from tests.simulation.bug import Attacked, Bug, ByTest, Kept, Layer
from tests.simulation.bugs import BUGS
from tests.simulation.event_loop import MessageStorm
from tests.simulation.planting import REPO, Edit, NotPlanted, planted
from tests.simulation.schedule import Schedule
from tests.simulation.simulation import Simulation
from tests.simulation.teeth import hunt
from tests.simulation.test_networks import CALM

QUICK = [bug for bug in BUGS if isinstance(bug.found_by, Kept | Attacked)]


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("bug", QUICK, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    """P16, T-S1, T-W1, T-W3, T-W4, S2: each breaks its promise where sound nodes keep it."""
    found = hunt(bug)
    assert found.where, found.note


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("name", ["a trace of popped blocks", "frames of any size"])
def test_a_bug_is_found_by_drawn_networks_and_by_tests(name: str) -> None:
    """T-E2, I18, T-P2: one of those that seeds find, and one of those that a named test does."""
    [bug] = [one for one in BUGS if one.name == name]
    found = hunt(bug)
    assert found.where, found.note


def test_bugs_are_of_all_layers() -> None:
    """At least 30 of them, each with a name of its own, in each layer; P16's are among them."""
    assert len(BUGS) >= 50
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert set(Counter(bug.layer for bug in BUGS)) == set(get_args(Layer))
    for name in (
        "blocks that are not flushed",
        "blocks from the future",
        "the newest confirmation",
    ):
        assert name in {bug.name for bug in BUGS}


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_each_bug_can_still_be_planted(bug: Bug) -> None:
    """The code that it breaks stands there, and so does the test that finds it."""
    with planted(bug.edits):
        pass
    if isinstance(bug.found_by, ByTest):
        path, _, name = bug.found_by.test.partition("::")
        tree = ast.parse((REPO / path).read_text(encoding="utf-8"))
        names = {
            getattr(node, "name", None) or getattr(node, "id", None) for node in ast.walk(tree)
        }
        assert name in {"", *names}


@pytest.mark.usefixtures("interpreted")
def test_what_is_planted_is_taken_out_again() -> None:
    """Whoever holds a function meets the bug, while it lasts."""
    held, edit = finality.quorum_of, Edit("node/chain/finality.py", "quorum_of", "+ 1", "+ 2")
    with planted([edit]):
        assert held(4) == finality.quorum_of(4) == 4
    assert held(4) == finality.quorum_of(4) == 3


@pytest.mark.parametrize(
    ("function", "old"), [("quorum_of", "+ 3"), ("missing_votes", "one"), ("quorum", "+ 1")]
)
def test_a_bug_is_not_planted_where_the_code_has_changed(function: str, old: str) -> None:
    """Its function is gone, or the text, or it stands there twice."""
    with pytest.raises(NotPlanted), planted([Edit("node/chain/finality.py", function, old, "")]):
        pass


def test_a_message_storm_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-R3: more events than nodes of this size can need stop the run."""
    monkeypatch.setattr(event_loop, "EVENTS_PER_SECOND_MAX", 10)
    with pytest.raises(MessageStorm):
        Simulation(Schedule.draw(CALM)).run()
