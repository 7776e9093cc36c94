"""A failing schedule made small: fewer and earlier faults, calmer options, failing alike.

Delta debugging (ddmin) over the faults, then each option back to its calm value, then the faults
again, until nothing more can go or the budget is spent.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace as with_parts
from pathlib import Path

from msgspec.structs import replace

from tests.simulation.faults import Fault
from tests.simulation.machine import Machine
from tests.simulation.options import Options
from tests.simulation.runs import run_schedule
from tests.simulation.schedule import Schedule
from tests.support.shrinking import shrink

REGRESSIONS = Path(__file__).with_name("regressions")
RUNS_MAX = 150
SECONDS_MAX = 900.0
KEPT = ("seed", "nodes", "witnesses", "fault_s", "old_rule")
"""Options that make another network of it, or are shortened otherwise."""
EARLIEST_MS = 5_000
"""No fault is moved before this time: nodes have met by then."""
MARGIN_S = 10
"""The phase of faults ends so long after the last one."""

Fails = Callable[[Schedule], bool]


class Budget:
    """So many runs and seconds for one failure."""

    def __init__(self, runs: int = RUNS_MAX, seconds: float = SECONDS_MAX) -> None:
        self.runs_left = runs
        self.runs = 0
        self._end = time.monotonic() + seconds

    def take(self) -> bool:
        """Use up a run, if there is one left."""
        if self.runs_left <= 0 or time.monotonic() > self._end:
            return False
        self.runs_left -= 1
        self.runs += 1
        return True


def shrink_schedule(schedule: Schedule, fails: Fails, budget: Budget) -> Schedule:
    """The smallest schedule found that fails as this one does."""

    def still_fails(candidate: Schedule) -> bool:
        return budget.take() and fails(candidate)

    while True:
        before = schedule
        schedule = _fewer_faults(schedule, still_fails)
        schedule = _earlier(schedule, still_fails)
        schedule = _shorter(schedule, still_fails)
        schedule = _calmer(schedule, still_fails)
        if schedule == before or budget.runs_left <= 0:
            return schedule


def _fewer_faults(schedule: Schedule, fails: Fails) -> Schedule:
    def fails_with(faults: tuple[Fault, ...]) -> bool:
        return fails(with_parts(schedule, faults=faults))

    return with_parts(schedule, faults=shrink(schedule.faults, fails_with))


def _earlier(schedule: Schedule, fails: Fails) -> Schedule:
    """With all faults moved to the beginning, or half of the way there."""
    spare_ms = schedule.faults[0].at_ms - EARLIEST_MS if schedule.faults else 0
    for shift_ms in (spare_ms, spare_ms // 2):
        if shift_ms > 0:
            faults = tuple(one._replace(at_ms=one.at_ms - shift_ms) for one in schedule.faults)
            candidate = with_parts(schedule, faults=faults)
            if fails(candidate):
                return candidate
    return schedule


def _shorter(schedule: Schedule, fails: Fails) -> Schedule:
    last_ms = schedule.faults[-1].at_ms if schedule.faults else 0
    fault_s = min(schedule.options.fault_s, last_ms // 1_000 + MARGIN_S)
    return _with(schedule, fails, fault_s=fault_s)


def _calmer(schedule: Schedule, fails: Fails) -> Schedule:
    """Options at their calm values: those that only draw faults at once, the others by and by."""
    calm = Options(seed=0, nodes=0, witnesses=0).to_json()
    changed = [name for name in calm if name not in KEPT]
    schedule = _with(schedule, fails, **{name: calm[name] for name in changed})
    drawing = {name: 0 for name in changed if name.endswith("_every_s")}
    schedule = _with(schedule, fails, **drawing)
    for name in changed:
        schedule = _with(schedule, fails, **{name: calm[name]})
    return schedule


def _with(schedule: Schedule, fails: Fails, **changes: int) -> Schedule:
    """The schedule with other options, if it fails so as well."""
    options = replace(schedule.options, **changes)
    if options == schedule.options:
        return schedule
    candidate = with_parts(schedule, options=options)
    return candidate if fails(candidate) else schedule


def keep(
    schedule: Schedule,
    verdict: str,
    *,
    directory: Path = REGRESSIONS,
    machine: type[Machine] = Machine,
    budget: Budget | None = None,
) -> tuple[Path, int]:
    """Shrink what failed and write it as a regression; the file, and how many runs it took."""
    spent = budget or Budget()
    small = shrink_schedule(
        schedule, lambda one: run_schedule(one, machine=machine).verdict == verdict, spent
    )
    name = re.sub(r"\W+", "_", verdict).strip("_").lower()
    path = directory / f"{name}_{schedule.options.seed}.json"
    small.save(path)
    return path, spent.runs
