"""A batch of seeds keeps its ledger, goes on where it ended, and shrinks what fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.simulation import __main__ as command
from tests.simulation import batch, shrinking
from tests.simulation.batch import GROWTH_MAX, Job, Totals, run_batch
from tests.simulation.faults import DRAWS, Fault
from tests.simulation.ledger import Ledger
from tests.simulation.options import SWITCHED, Options, draw_options
from tests.simulation.runs import PASSED, Run, way_of
from tests.simulation.schedule import Schedule
from tests.simulation.shrinking import Budget, shrink_schedule


def needed_faults(faults: Sequence[Fault]) -> bool:
    """Whether two things happen that a test calls a failure together."""
    kinds = [fault.kind for fault in faults]
    return "crash" in kinds and "step" in kinds


def fake_run(schedule: Schedule, **_: object) -> Run:
    """A run that fails if clocks jump and nodes crash on a lossy network."""
    fails = needed_faults(schedule.faults) and schedule.options.loss > 0
    return Run(
        seed=schedule.options.seed,
        options=schedule.options.to_json(),
        verdict="durable" if fails else PASSED,
        detail="Violation: durable: 1 lost block 7" if fails else "",
        event_hash="",
        event_count=1,
        simulated_s=90,
        took_s=1.0,
        slots=30,
        blocks=28,
        irreversible=26,
        agreed_after_s=2,
        resident_kib=1_000 + schedule.options.seed,
        figures={"fault crash": 2, "applied": 60},
    )


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job whose runs cost nothing."""
    monkeypatch.setattr(batch, "run_schedule", fake_run)
    monkeypatch.setattr(batch, "memory_blocks", lambda: 0)
    monkeypatch.setattr(shrinking, "run_schedule", fake_run)
    return Job(nodes=4, minutes=4, commit="abc", regressions=tmp_path / "kept")


def test_a_failing_seed_shrinks_by_itself(
    job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its replay command is printed; of seeds that fail alike the first becomes a regression."""
    ledger = Ledger(tmp_path / "var" / "seeds.jsonl", "abc")
    totals = run_batch(range(1, 60), job, ledger, tell=lambda line: None)
    assert totals.runs == 59
    assert 2 < len(totals.failures) < 30
    first, verdict = totals.failures[0]
    shown = capsys.readouterr().out
    assert f"again: scripts/simulate --seed {first} --nodes 4 --minutes 4" in shown
    assert shown.count("shrunk from") == 1
    [kept] = (tmp_path / "kept").glob("*.json")
    assert kept.name == f"{verdict}_{first}.json"
    small = Schedule.load(kept)
    assert sorted(fault.kind for fault in small.faults) == ["crash", "step"]
    calm = Options(seed=first, nodes=4, witnesses=small.options.witnesses)
    expected = replace(calm, loss=small.options.loss, fault_s=small.options.fault_s)
    assert small.options == expected
    assert small.options.fault_s <= small.faults[-1].at_ms // 1_000 + shrinking.MARGIN_S


def test_a_failure_is_counted_before_it_is_shrunk(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shrinking takes many minutes, in which the lines of progress must not say that all is
    well, and whoever stops the batch must find the failure in the ledger."""
    ledger = Ledger(tmp_path / "seeds.jsonl", "abc")
    found: list[str] = []

    def keep(schedule: Schedule, verdict: str, **_: object) -> tuple[Path, int]:
        found.extend(one.run.verdict for one in ledger.entries() if not one.run.has_passed)
        path = tmp_path / "kept.json"
        schedule.save(path)
        return path, 1

    monkeypatch.setattr(batch, "keep", keep)
    monkeypatch.setattr(batch, "PROGRESS_S", 0.0)
    told: list[str] = []
    totals = run_batch(range(1, 60), job, ledger, hours=1.0, tell=told.append)
    assert found == ["durable"]
    ends = [int(line.split()[-2]) for line in told]
    assert ends == sorted(ends)
    assert ends[-1] == len(totals.failures) > 2


def test_the_next_batch_goes_on_where_the_last_one_ended(job: Job, tmp_path: Path) -> None:
    """Each commit has its own seeds; a line that a crash has cut off costs only itself."""
    path = tmp_path / "seeds.jsonl"
    ledger = Ledger(path, "abc")
    assert ledger.next_seed() == 1
    run_batch(range(1, 8), job, ledger, tell=lambda line: None)
    with path.open("ab") as file:
        file.write(path.read_bytes().splitlines(keepends=True)[0][:50] + b"\n")
    assert ledger.next_seed() == 8
    assert Ledger(path, "def").next_seed() == 1
    Ledger(path, "def").add(fake_run(Schedule.draw(draw_options(3))))
    assert [line.split(",")[0] for line in ledger.report()] == [
        f"{'abc':16} seeds 1..7",
        f"{'def':16} seeds 3..3",
    ]


def test_a_batch_says_what_it_comes_to(job: Job) -> None:
    """Hours, conflicts, missed slots, faults by kind, and how memory grew."""
    job = Job(nodes=2, minutes=1, regressions=None)
    totals = run_batch(range(1, 9), job, None, tell=lambda line: None)
    text = "\n".join(totals.lines(36.0))
    for part in (
        "8 runs (seeds 1..8)",
        "0.20 simulated network-hours in 0.01 hours on 1 processes: 20 x real time",
        "conflicts of irreversible blocks: 0, among 208",
        "blocks 224, slots 240, missed 16 (6.7 %)",
        "faults injected: 16: crash 16",
    ):
        assert part in text
    [grown] = (
        totals.last[key].resident_kib - warm.resident_kib for key, warm in totals.warm.items()
    )
    assert grown == 5


def test_memory_that_grows_with_each_run_is_a_failure() -> None:
    """Six runs of one process are judged, fewer or a process that caches are not."""
    totals = Totals()
    run = fake_run(Schedule.draw(draw_options(1)))
    for number, per_run, is_leaking in ((5, GROWTH_MAX + 1, False), (6, GROWTH_MAX + 1, True)):
        totals = Totals()
        for at in range(number):
            totals.add(7, replace(run, memory_blocks=1_000_000 + at * per_run))
        assert totals.is_leaking == is_leaking
        assert (totals.growth is None) != is_leaking
    assert "not judged" not in "\n".join(totals.lines(1.0))


def test_the_ledgers_of_all_commits_are_summed_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """T-W4: runs, hours, conflicts and how deep forks went; a conflict among them fails."""
    path = tmp_path / "seeds.jsonl"
    arguments = ["--report", "--ledger", str(path)]
    run = fake_run(Schedule.draw(draw_options(1)))
    for commit in ("abc", "def"):
        Ledger(path, commit).add(replace(run, figures={"fork depth 2": 3}))
    assert command.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "all commits: 2 runs, 0 failures" in shown
    assert "conflicts of irreversible blocks: 0, among 52 in 0.05 network-hours" in shown
    assert "fork depth: 2 6" in shown
    Ledger(path, "def").add(replace(run, verdict="conflict"))
    assert command.main(arguments) == 1


def test_shrinking_ends_with_its_budget() -> None:
    """A failure that is slow to run is given up small or not, after so many runs."""
    schedule = Schedule.draw(replace(draw_options(1, nodes=4, minutes=4), crash_every_s=1))
    budget = Budget(runs=7)
    small = shrink_schedule(schedule, lambda one: len(one.faults) > 10, budget)
    assert budget.runs == 7
    assert 10 < len(small.faults) < len(schedule.faults)


def test_every_seed_switches_kinds_of_faults_on_and_off() -> None:
    """Swarm testing: each kind is on in some seeds and off in others, and so is each pair."""
    drawn = [draw_options(seed, nodes=5).to_json() for seed in range(200)]
    for kind in SWITCHED:
        assert {options[kind] > 0 for options in drawn} == {False, True}
        assert {options[kind] for options in drawn} == {0, *SWITCHED[kind]}
        for other in SWITCHED:
            if other != kind:
                assert any(options[kind] and not options[other] for options in drawn)
    options = replace(
        draw_options(1), **{name: strengths[0] for name, strengths in SWITCHED.items()}
    )
    assert all(every_s(options) for _, every_s in DRAWS.values())


def test_errors_of_one_place_fail_alike() -> None:
    """What a node raises is told apart by its type and by where it was raised."""
    with pytest.raises(AssertionError) as caught:
        Options.from_json({"nope": 1})
    assert way_of(caught.value) == "AssertionError in options.from_json"
