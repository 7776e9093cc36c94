"""Looks for every planted bug of `bugs`, and says where each was found and in how many seeds."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from itertools import count
from typing import NamedTuple, assert_never

from msgspec.structs import replace as with_options

from tests.crashpoints.enumeration import scratch
from tests.crashpoints.mutants import MUTANTS as CRASH_MUTANTS
from tests.crashpoints.recovery import Recovery
from tests.crashpoints.workload import record
from tests.simulation.bug import Attacked, Bug, ByTest, Crashed, Drawn, Kept
from tests.simulation.bugs import BUGS
from tests.simulation.finality import run_seeds
from tests.simulation.options import draw_options
from tests.simulation.planting import REPO, VARIABLE, planted
from tests.simulation.runs import run_schedule
from tests.simulation.schedule import Schedule
from tests.simulation.shrinking import REGRESSIONS

PLUGIN = "tests.simulation.planting"
CRASH_BLOCKS = 12
CRASH_CAP = 12
TEST_FAILED = 1
"""What pytest ends with if a test has failed, and nothing else."""


class Hunt(NamedTuple):
    """What came of looking for one bug."""

    where: str
    """Where it was found; "" if it was missed."""
    seeds: int
    """How many seeds it took."""
    note: str = ""
    """What was seen instead."""


def hunt(bug: Bug) -> Hunt:
    """Plant a bug and look for it where it must be found."""
    match bug.found_by:
        case Kept():
            return _in_schedule(bug, bug.found_by)
        case Drawn():
            return _in_networks(bug, bug.found_by)
        case Attacked():
            return _in_attacks(bug, bug.found_by)
        case Crashed():
            return _in_crashes(bug.found_by)
        case ByTest():
            return _in_test(bug, bug.found_by)
        case _:
            assert_never(bug.found_by)


def _in_schedule(bug: Bug, by: Kept) -> Hunt:
    schedule = Schedule.load(REGRESSIONS / f"{by.name}.json")
    with planted(bug.edits):
        run = run_schedule(schedule, machine=bug.machine)
    if run.verdict == by.verdict:
        return Hunt(f"schedule {by.name}: {run.verdict}", 1)
    return Hunt("", 1, f"schedule {by.name} {run.line()}")


def _in_networks(bug: Bug, by: Drawn) -> Hunt:
    """The first seed that fails with the bug, and passes without."""
    note = ""
    for seed in range(1, by.most + 1):
        options = with_options(draw_options(seed, nodes=by.nodes, minutes=1), **dict(by.changes))
        schedule = Schedule.draw(options)
        with planted(bug.edits):
            run = run_schedule(schedule, machine=bug.machine)
        if run.has_passed:
            continue
        note = f"seed {seed} {run.line()}"
        if run.verdict.startswith(by.verdicts) and run_schedule(schedule).has_passed:
            return Hunt(f"networks, seed {seed}: {run.verdict}", seed)
    return Hunt("", by.most, note)


def _in_attacks(bug: Bug, by: Attacked) -> Hunt:
    first = by.attack.seed
    with planted(bug.edits):
        for seed in range(first, first + by.most):
            for _, checker in run_seeds(replace(by.attack, seed=seed), [seed]):
                if checker == by.verdict:
                    return Hunt(f"attacks on finality, seed {seed}: {checker}", seed - first + 1)
    return Hunt("", by.most)


def _in_crashes(by: Crashed) -> Hunt:
    group, parts, again = CRASH_MUTANTS[by.name]
    with scratch() as directory:
        run = record(directory / "run", CRASH_BLOCKS, replace(parts, snapshot_every=4))
        recovery = Recovery(run, directory, cap=CRASH_CAP, again=again)
        recovery.check_group(group, until_failure=True)
        figures = recovery.figures
    if figures.failures:
        return Hunt(f"crash points: {figures.failures[0].what[:60]}", figures.crashes)
    return Hunt("", figures.crashes)


def _in_test(bug: Bug, by: ByTest) -> Hunt:
    finished = run_tests([by.test], {VARIABLE: bug.name})
    if finished.returncode == TEST_FAILED and "1 failed" in finished.stdout:
        return Hunt(by.test, 1)
    last = (finished.stdout + finished.stderr).strip().splitlines()[-1:]
    return Hunt("", 1, f"exit code {finished.returncode}, {' '.join(last)}")


def run_tests(tests: Sequence[str], more: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run tests in a process of their own, with more in its environment."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "-p", PLUGIN, *tests],
        cwd=REPO,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def are_sound(bugs: Sequence[Bug]) -> str:
    """Whether the named tests pass where nothing is planted; "" if they do, or what they say."""
    tests = [bug.found_by.test for bug in bugs if isinstance(bug.found_by, ByTest)]
    if not tests:
        return ""
    finished = run_tests(sorted(set(tests)), {})
    return "" if finished.returncode == 0 else finished.stdout[-2_000:] + finished.stderr


def hunt_all(bugs: Sequence[Bug], jobs: int) -> Iterator[tuple[Bug, Hunt, float]]:
    """Look for all, in several processes; each as it is done, with how many seconds it took."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        waiting = {pool.submit(timed, BUGS.index(bug)): bug for bug in bugs}
        for done in as_completed(waiting):
            yield waiting[done], *done.result()


def timed(at: int) -> tuple[Hunt, float]:
    """Look for the bug at a place of the table."""
    began = time.monotonic()
    return hunt(BUGS[at]), time.monotonic() - began


def run_batch_of_bugs(jobs: int, names: Sequence[str] = ()) -> int:
    """The batch with its lines; 1 if a bug is missed, or a named test fails without one."""
    bugs = [bug for bug in BUGS if not names or bug.name in names]
    began, missed = time.monotonic(), 0
    for number, (bug, found, took_s) in zip(count(1), hunt_all(bugs, jobs), strict=False):
        missed += not found.where
        where = found.where or f"MISSED ({found.note})"
        figures = f"{found.seeds:3} seeds {took_s:6.1f} s"
        print(f"{number:3} {bug.layer:14} {bug.name:42} {figures}  {where}", flush=True)
    unsound = are_sound(bugs)
    print(f"{len(bugs)} bugs planted, {len(bugs) - missed} found, {missed} missed", end="")
    print(f"; {time.monotonic() - began:.0f} s on {jobs} processes")
    if unsound:
        print(f"a named test fails where nothing is planted:\n{unsound}")
    return int(bool(missed or unsound))
