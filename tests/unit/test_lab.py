"""The lab in this process: plans, what is measured, statistics, and the directory of results."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import fmean, stdev

import pyarrow.parquet
import pytest
from msgspec.structs import replace

import pegboard
from node.cli import run
from node.exit_codes import Exit
from node.lab.errors import (
    BadPlan,
    DamagedResults,
    ForeignResults,
    LabError,
)
from node.lab.journal import RUNS_FILE, Journal
from node.lab.measures import MEASURES
from node.lab.plan import RUNS_MAX, Plan, Run, Vary, check_plan, read_vary
from node.lab.pool import play_here
from node.lab.runs import RunResult, play_run, play_runs
from node.lab.summary import Estimate, Z, quantile, skewed, summarize, wilson
from node.lab.tables import csv_text, run_table
from node.storage.errors import StoreLocked
from pegboard.parameters import NoSuchParameter
from pegboard.scenario import ScenarioError, read_scenario
from tests.support.lab import CALL, WALK, plan


def figures(scenario: str) -> dict[str, float | None]:
    result = play_run(plan(scenario, vary=()), Run(0, 0))
    assert (result.refused, result.unmet) == ("", 0)
    names = (one.name for one in MEASURES)
    return dict(zip(names, result.assets["bitUSD"], strict=True))


def test_a_call_is_measured_as_it_is_computed_by_hand() -> None:
    """R4.7: 400 of 2,000 owed are covered, by one of two borrowers, for 7,000 TEST at 0.06."""
    found = figures(CALL)
    assert found == {
        "swan": 0,
        "settled_alone": 0,
        "bad_debt": 0,
        "called": 1 / 2,
        "called_debt": 400 / 2_000,
        "call_cost": 0.05,
        "settlement_pressure": 100 / 1_600,
        "settled": 0,
        "peg_error": 1 / 6,
        "lowest_price": 0.06,
        "last_price": 0.06,
    }
    settled = figures(CALL.replace("maker = false", 'maker = false\nsettlement_delay = "6s"'))
    assert settled["settled"] == 100 / 2_000


def test_a_swan_s_bad_debt_is_what_its_fund_is_not_worth() -> None:
    """R6.2: a call takes 2,000 TEST for 100, and 11,000 are left for 500: 22 each, of which the
    fund gets 22 / 1.1 = 20. At 0.042 that is 0.84 for each bitUSD."""
    found = figures(CALL.replace('[[2, "-40%"]]', '[[2, "-40%"], [4, "-30%"]]'))
    assert found["swan"] == 1
    assert found["bad_debt"] == pytest.approx(1 - 20 * 0.042, abs=1e-12)
    assert found["last_price"] == 0.042


@pytest.mark.parametrize(("response", "share"), [("none", 0), ("fund", 1 / 2), ("order", 1 / 2)])
def test_a_position_that_is_settled_alone_is_counted(response: str, share: float) -> None:
    """BS1, BS3, BS5: where all would be settled, nobody or one of two borrowers is; the 11,000 TEST
    for 500 bitUSD are worth 462 at the median of 0.042, and 38 of 1,500 are lacking."""
    deep = CALL.replace('[[2, "-40%"]]', '[[2, "-40%"], [4, "-30%"]]')
    found = figures(deep.replace("maker = false", f'maker = false\nblack_swan = "{response}"'))
    assert (found["swan"], found["settled_alone"]) == (0, share)
    assert found["bad_debt"] == pytest.approx(38 / 1_500, abs=1e-12)
    assert found["last_price"] == 0.042


def test_a_refused_run_is_told_and_has_no_figures() -> None:
    """R3.2.8: in a cell with a higher MCR nobody may borrow so much; the other cell is played."""
    low, high = play_runs(plan(CALL, vary=("MCR=1.75,2.5",)), [Run(0, 0), Run(1, 0)])
    assert low.assets
    assert high.assets == {}
    assert high.refused.startswith("below_required_ratio: step 1, borrow")


def test_a_run_is_what_play_plays_with_its_seed() -> None:
    """The seed of a path and the parameters of a cell, given to `play`, have the same end."""
    asked = plan()
    result = play_run(asked, Run(1, 2))
    scenario = read_scenario(WALK, changes=asked.cells[1])
    played = pegboard.play(scenario, seed=asked.seed_of(2))
    last = result.assets["bitUSD"][-1]
    assert last == float(played.market.price("bitUSD"))


def test_all_cells_see_the_same_paths() -> None:
    """Common random numbers: prices differ between paths, never between cells."""
    asked = plan()
    by_path: dict[int, set[float | None]] = {}
    for result in play_runs(asked, list(asked.runs())):
        by_path.setdefault(result.path, set()).add(result.assets["bitUSD"][-1])
    assert all(len(prices) == 1 for prices in by_path.values())
    assert len(set.union(*by_path.values())) == asked.paths


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("MCR=1.4..2.0:4", ("1.4", "1.6", "1.8", "2")),
        ("MCR=1..2", ("1", "1.25", "1.5", "1.75", "2")),
        ("MCR=1..2:4", ("1", "1.333", "1.667", "2")),
        ("settlement_offset=0%..5%:3", ("0%", "2.5%", "5%")),
        ("settlement_delay=6s..60s:2", ("6s", "60s")),
        ("trigger=bid,feed", ("bid", "feed")),
    ],
)
def test_values_are_read(text: str, values: tuple[str, ...]) -> None:
    """Ranges in equal steps with both ends, and lists."""
    assert read_vary(text) == Vary(text.partition("=")[0], values)


@pytest.mark.parametrize(
    "text",
    [
        "MCR",
        "=1,2",
        "MCR=",
        "MCR=2..2",
        "MCR=2..1",
        "MCR=a..b",
        "MCR=1..2%",
        "MCR=1..2:1",
        "MCR=1..2:x",
        "MCR=1..2:99999",
        "MCR=1,1",
        "MCR=1,,2",
        "MCR=1z..2z",
    ],
)
def test_values_that_make_no_sense_are_refused(text: str) -> None:
    """Each names the option."""
    with pytest.raises(BadPlan, match="--vary"):
        read_vary(text)


def test_a_plan_is_checked_before_it_is_played() -> None:
    """Unknown parameters, too many runs, twice the same, a cell that is no scenario, no price."""
    check_plan(plan())
    with pytest.raises(NoSuchParameter) as unknown:
        check_plan(plan(vary=("bob.targett=1,2",)))
    assert "bob.target" in str(unknown.value.limit)
    with pytest.raises(BadPlan, match="too many runs") as many:
        check_plan(plan(vary=("MCR=1..2:101",), paths=10_000))
    assert (many.value.value, many.value.limit) == (1_010_000, RUNS_MAX)
    for wrong, match in (
        (plan(paths=0), "--paths"),
        (plan(seed=-1), "--seed"),
        (plan(vary=("MCR=1,2", "MCR=3,4")), "twice"),
        (plan(vary=("trigger=bid,neither",)), "trigger=neither"),
        (plan("pegboard = 1\n", vary=()), "no price"),
    ):
        with pytest.raises(BadPlan, match=match):
            check_plan(wrong)
    with pytest.raises(ScenarioError, match=r"test.toml, line 3, chain.trigger"):
        check_plan(plan('pegboard = 1\n[chain]\ntrigger = "x"\n', vary=()))


@pytest.mark.parametrize(("share", "runs"), [(0.02, 200), (0.5, 100), (0.9, 50)])
def test_wilson_intervals_cover_as_they_say(share: float, runs: int) -> None:
    """95 % of the intervals, a little more or less for discrete counts, hold the true share."""
    random, hits, rounds = Random(11), 0, 2_000
    for _ in range(rounds):
        found = wilson(sum(random.random() < share for _ in range(runs)), runs)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= share <= found.high
    assert 0.93 < hits / rounds < 0.98


def test_wilson_bounds_are_those_of_the_book() -> None:
    """Newcombe 1998, table I: 81 of 263, and 0 of 20."""
    assert [round(one or 0, 4) for one in wilson(81, 263)] == [0.3080, 0.2553, 0.3662]
    assert [round(one or 0, 4) for one in wilson(0, 20)] == [0, 0, 0.1611]


@pytest.mark.parametrize("share", [1, 0.2])
def test_intervals_of_skewed_means_cover_as_they_say(share: float) -> None:
    """Of 40 exponential numbers, of which most may be nothing: 95 %, or a little fewer. The normal
    interval, mean ± 1.96 s / √n, would cover 92 and 88 % of the time."""
    random, hits, rounds = Random(12), 0, 1_000
    for _ in range(rounds):
        found = skewed(
            [random.expovariate(1) if random.random() < share else 0.0 for _ in range(40)]
        )
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= share <= found.high
    assert 0.93 < hits / rounds < 0.98


def test_means_of_few_values_and_quantiles() -> None:
    """None of none, no interval of one; bounds solve Hall's cubic, and are the normal ones without
    skewness."""
    assert skewed([]) == Estimate(None, None, None)
    assert skewed([3.0]) == Estimate(3.0, None, None)
    assert skewed([2.0, 2.0]) == Estimate(2.0, 2.0, 2.0)
    values = [0.0, 0.0, 1.0, 5.0]
    found = skewed(values)
    deviation, root = stdev(values), len(values) ** 0.5
    skewness = fmean(((one - 1.5) / deviation) ** 3 for one in values)
    for end, normal in ((found.low, Z), (found.high, -Z)):
        t = root * (1.5 - (end or 0)) / deviation
        moved = t + skewness * t**2 / (3 * root) + skewness**2 * t**3 / (27 * root**2)
        assert moved + skewness / (6 * root) == pytest.approx(normal)
    assert skewed([1.0, 2.0, 3.0]) == pytest.approx((2, 2 - Z / 3**0.5, 2 + Z / 3**0.5))
    assert [quantile([1, 2, 4], share) for share in (0, 0.5, 0.75, 1)] == [1, 2, 3, 4]


def test_differences_are_paired_by_path() -> None:
    """What all paths have in common falls out: each cell is one more than the first, exactly.
    A path on which the first was refused counts for the mean alone."""
    results = [
        RunResult(cell, path, "", 0, 1, {"bitUSD": (float(cell), *[path + cell] * 9)})
        for cell in range(2)
        for path in range(4)
    ]
    results.append(RunResult(0, 4, "refused", 0, 1, {}))
    results.append(RunResult(1, 4, "", 0, 1, {"bitUSD": (0.0, *[2.5] * 9)}))
    lines = {(line.cell, line.measure): line for line in summarize(plan(paths=5), results)}
    line = lines[1, "bad_debt"]
    assert line.difference == Estimate(1, 1, 1)
    assert line.mean.value == 2.5
    assert lines[0, "bad_debt"].difference.value is None
    assert lines[1, "swan"].mean == wilson(4, 5)


def test_nothing_in_every_run_is_not_nothing_for_certain() -> None:
    """A share of none in 20 runs has Wilson's bound, 16 %; a price of zero none."""
    results = [
        RunResult(0, path, "", 0, 1, {"bitUSD": (0.0,) * len(MEASURES)}) for path in range(20)
    ]
    lines = {line.measure: line.mean for line in summarize(plan(vary=(), paths=20), results)}
    assert lines["bad_debt"] == lines["swan"] == wilson(0, 20)
    assert lines["last_price"] == Estimate(0, 0, 0)


def table_text(journal: Journal) -> str:
    return csv_text(run_table(journal.plan, journal.in_order()))


def test_results_go_on_where_they_were_cut(tmp_path: Path) -> None:
    """At each byte of the last line: what is whole is kept, the rest is played again, alike."""
    asked = plan(paths=2)
    journal = Journal(tmp_path / "out", asked)
    for results in play_here(asked, journal.missing()):
        journal.add(results)
    whole = table_text(journal)
    with pytest.raises(StoreLocked):
        Journal(tmp_path / "out", asked)
    journal.close()
    path = tmp_path / "out" / RUNS_FILE
    data = path.read_bytes()
    last = len(data.splitlines(keepends=True)[-1])
    for cut in (1, 2, last // 2, last - 1, last, len(data)):
        path.write_bytes(data[: len(data) - cut])
        again = Journal(tmp_path / "out", asked)
        missing = again.missing()
        assert len(missing) == (4 if cut == len(data) else 1)
        for results in play_here(asked, missing):
            again.add(results)
        assert table_text(again) == whole
        again.close()
        once_more = Journal(tmp_path / "out", asked)
        assert once_more.missing() == []
        once_more.close()


def test_foreign_and_damaged_results_are_refused(tmp_path: Path) -> None:
    """Of another plan, another version, something else; a line that is none, twice, out of plan."""
    asked, out = plan(paths=2), tmp_path / "out"
    journal = Journal(out, asked)
    journal.add(play_runs(asked, [Run(0, 0)]))
    journal.close()

    def refused(error: type[LabError], match: str, other: Plan = asked) -> LabError:
        with pytest.raises(error, match=match) as caught:
            Journal(out, other)
        return caught.value

    found = refused(ForeignResults, "another seed", replace(asked, seed=6))
    assert (found.value, found.limit) == (6, 5)
    refused(ForeignResults, "another vary", plan(vary=("MCR=1.6,1.8",), paths=2))
    refused(ForeignResults, "another scenario", plan(WALK + "\n", paths=2))
    refused(ForeignResults, "fewer paths", plan(paths=1))
    refused(ForeignResults, "another pegboard", replace(asked, pegboard="0.0.1"))
    runs = out / RUNS_FILE
    line = runs.read_bytes()
    for damage, match in (
        (line + b"{}\n", "line 2: Expected `array`"),
        (line + line, "line 2: a run that is there already"),
        (line.replace(b"[0,0,", b"[0,9,"), "line 1: a run that is not in the plan"),
        (line[:-5] + b"\n", "line 1"),
        (line.replace(b"null", b"", 1).replace(b"[0.0,", b"["), "line 1"),
        (b"\xff\n" + line, "line 1"),
    ):
        runs.write_bytes(damage)
        refused(DamagedResults, match)
    runs.write_bytes(line)
    more = Journal(out, plan(paths=3))
    assert len(more.missing()) == 5
    more.close()
    (out / "plan.json").write_text('{"form": 1')
    refused(DamagedResults, "cut, or no plan")
    (out / "plan.json").write_text('{"form": 2}')
    refused(ForeignResults, "of another version")
    (out / "plan.json").unlink()
    refused(ForeignResults, "something else than results")


def lab(*arguments: str) -> int:
    return run(["lab", *arguments, "--workers", "1"])


def test_the_command_writes_tables_and_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CSV and Parquet say the same, the page has every mean; a second call plays nothing."""
    scenario, out = tmp_path / "it.toml", tmp_path / "out"
    scenario.write_text(WALK.replace("count = 4", "count = 2"))
    asked = (str(scenario), "--vary", "MCR=1.6,1.75", "--paths", "2", "--out", str(out))
    assert lab(*asked) == 0
    printed = capsys.readouterr().out
    for name in ("runs", "summary"):
        rows = list(csv.DictReader(io.StringIO((out / f"{name}.csv").read_text())))
        stored = pyarrow.parquet.read_table(out / f"{name}.parquet").to_pylist()
        assert rows == [
            {key: "" if value is None else str(value) for key, value in row.items()}
            for row in stored
        ]
    assert len(rows) == 2 * len(MEASURES)
    runs = list(csv.DictReader(io.StringIO((out / "runs.csv").read_text())))
    [told] = [row for row in rows if (row["cell"], row["measure"]) == ("1", "last_price")]
    prices = [float(row["last_price"]) for row in runs if row["cell"] == "1"]
    assert float(told["mean"]) == pytest.approx(sum(prices) / 2)
    assert told["difference"] == "0.0"
    page = (out / "report.html").read_text()
    start = page.index("<h2>bitUSD: Bad debt</h2>")
    assert "<td>1.75</td>" in page[start : page.index("</section>", start)]
    assert "://" not in page[: page.index("<script>")]
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.suffix != ".lock"}
    assert lab(*asked) == 0
    assert capsys.readouterr().out == printed
    assert before == {
        path.name: path.read_bytes() for path in out.iterdir() if path.suffix != ".lock"
    }


def test_all_cores_play_and_a_terminal_sees_how_far_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless told otherwise; whoever reads a file of errors is spared the bar."""
    scenario, asked_for = tmp_path / "it.toml", list[int]()
    scenario.write_text(WALK.replace("count = 4", "count = 1"))

    @contextmanager
    def one_process(workers: int) -> Iterator[Executor]:
        asked_for.append(workers)
        yield ThreadPoolExecutor(1)

    monkeypatch.setattr("node.cli.laboratory.processes", one_process)
    monkeypatch.setattr("node.cli.laboratory.cores", lambda: 7)
    assert run(["lab", str(scenario), "--paths", "2", "--out", str(tmp_path / "quiet")]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("node.cli.laboratory._is_watched", lambda: True)
    assert run(["lab", str(scenario), "--paths", "3", "--out", str(tmp_path / "shown")]) == 0
    assert "3 runs" in capsys.readouterr().err
    assert asked_for == [7, 7]


def test_bad_input_of_the_command_is_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each refusal has its exit code, and names the option or the line."""
    scenario, out = tmp_path / "it.toml", str(tmp_path / "out")
    scenario.write_text(WALK)
    (tmp_path / "wrong.toml").write_text(WALK.replace('rule = "borrower"', "rule = 3"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").touch()
    it = str(scenario)
    for arguments, code, said in (
        ((it, "--vary", "MRC=1,2", "--out", out), Exit.REFUSED, "no such parameter, value MRC"),
        ((it, "--vary", "MCR=2..1", "--out", out), Exit.USAGE, "an empty range"),
        ((it, "--paths", "9999999", "--out", out), Exit.USAGE, "limit 1..1000000"),
        ((it, "--set", "MCR", "--out", out), Exit.USAGE, "--set"),
        ((it, "--out", str(tmp_path / "full")), Exit.CONFIGURATION, "something else"),
        ((str(tmp_path / "wrong.toml"), "--out", out), Exit.DAMAGED, "wrong.toml, line 7"),
        ((it, "--rules", str(tmp_path / "no.py"), "--out", out), Exit.DAMAGED, "no.py"),
        (
            (it, "--set", "bitUSD.source=bootstrap:no.csv", "--out", out),
            Exit.DAMAGED,
            "cannot be read",
        ),
    ):
        assert lab(*arguments) == code, arguments
        assert said in capsys.readouterr().err
    assert run(["lab", it, "--out", out, "--workers", "0"]) == Exit.USAGE


def test_what_is_missing_is_told_before_anything_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the extra, the command says how to install it."""
    monkeypatch.setattr("node.cli.laboratory.find_spec", lambda name: None)
    scenario = tmp_path / "it.toml"
    scenario.write_text(WALK)
    assert lab(str(scenario), "--out", str(tmp_path / "out")) == Exit.CONFIGURATION
    assert "pip install 'pegboard[lab]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
