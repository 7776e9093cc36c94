"""A batch says what states it came to, and one that came to few of them fails."""

from __future__ import annotations

import pytest

from protocol.finality import Vote
from protocol.schema import BlockId, PublicKey, Signature
from tests.simulation import __main__ as command
from tests.simulation.batch import Totals
from tests.simulation.coverage import (
    GROUPS,
    JUDGED_RUNS,
    below_floors,
    lines,
    seen,
    vote_patterns,
)
from tests.simulation.runs import run_schedule
from tests.simulation.schedule import Schedule
from tests.simulation.simulation import Simulation
from tests.simulation.test_networks import CALM


def test_states_are_counted_and_change_nothing() -> None:
    """A calm run has one branch, all votes for one block, and the hash that it has unwatched."""
    schedule = Schedule.draw(CALM)
    run = run_schedule(schedule)
    assert run.event_hash == Simulation(schedule).run().event_hash
    found = {group.prefix: seen(run.figures, group) for group in GROUPS}
    assert set(found["branches"]) == {"1"}
    assert set(found["blocks voted for at a height"]) == {"1"}
    assert found["voters of a height"]["2"] > 5
    assert set(found["irreversible within"]) == {"2"}
    assert found["voting sets at once"].keys() == {"1"}
    assert not found["fork depth"]
    assert "rests" in found["sync"]


def test_votes_fall_into_patterns() -> None:
    """Two of three vote for one block of a height and the third for another."""

    def vote(num: int, tail: int) -> Vote:
        target = BlockId(num.to_bytes(4, "big") + bytes([tail]) * 16)
        return Vote(BlockId(bytes(20)), target, Signature(bytes(65)))

    votes = {
        PublicKey(b"a"): [vote(1, 0), vote(2, 0)],
        PublicKey(b"b"): [vote(1, 0), vote(2, 1)],
        PublicKey(b"c"): [vote(2, 0)],
    }
    assert vote_patterns(votes) == {
        "voters of a height 2": 1,
        "voters of a height 3": 1,
        "blocks voted for at a height 1": 1,
        "blocks voted for at a height 2": 1,
    }


def test_a_batch_that_tests_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its runs pass, and stay below every floor; a small batch is not judged."""
    totals = Totals()
    monkeypatch.setattr(command, "run_batch", lambda *_, **__: totals)
    for runs, code in ((JUDGED_RUNS - 1, 0), (JUDGED_RUNS, 1)):
        totals.runs = runs
        assert command.main(["--seeds", "1..30"]) == code
    shown = capsys.readouterr().out
    assert shown.count("BELOW THE FLOOR") == len(GROUPS)
    assert "fork depth: never" in shown


def test_each_floor_is_a_number_of_different_things() -> None:
    """Of each group as many as its floor says are enough, and one fewer is not."""
    figures = {f"{group.prefix} {n}": 1 for group in GROUPS for n in range(group.floor)}
    assert below_floors(figures) == []
    for group in GROUPS:
        fewer = {name: n for name, n in figures.items() if name != f"{group.prefix} 0"}
        assert [line.split(":")[0] for line in below_floors(fewer)] == [group.prefix]
    assert len(list(lines(figures))) == len(GROUPS)
