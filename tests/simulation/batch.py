"""Many seeds, on all processors, and what they come to: scripts/simulate --hours 1 --jobs 8.

Each run is written into the ledger as it ends. A seed that fails prints how to run it again,
is counted, then shrinks by itself and leaves a regression; of several that fail alike only the
first.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from tests.simulation.ledger import Ledger
from tests.simulation.options import Options, draw_options
from tests.simulation.runs import PASSED, Run, run_schedule
from tests.simulation.schedule import Schedule
from tests.simulation.shrinking import REGRESSIONS, Budget, keep

WARM_RUNS = 3
"""After so many runs a process has in memory what it needs."""
JUDGED_RUNS = 3
"""So many more runs of one process tell whether it goes on to grow (T-R1)."""
GROWTH_MAX = 2_000
"""Blocks of memory by which a process may grow with each run, once it is warm: caches fill up."""
PROGRESS_S = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for all seeds of a batch."""

    nodes: int | None = None
    minutes: int | None = None
    commit: str = "unknown"
    regressions: Path | None = REGRESSIONS
    """Where schedules of failures go; None to shrink none."""
    shrinking_s: float = 900.0
    """How long a failure may be shrunk."""
    scenario: str = ""
    """The file of another scenario than seeds choose."""

    def options(self, seed: int) -> Options:
        """The options of a seed."""
        return draw_options(seed, nodes=self.nodes, minutes=self.minutes)

    def command(self, seed: int) -> str:
        """What runs a seed again."""
        given: list[tuple[str, object]] = [("--nodes", self.nodes), ("--minutes", self.minutes)]
        given.append(("--scenario", self.scenario or None))
        more = "".join(f" {name} {value}" for name, value in given if value is not None)
        return f"scripts/simulate --seed {seed}{more}"


@dataclass(slots=True)
class Totals:
    """What the runs of a batch come to."""

    runs: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    """Seeds and ways."""
    first_seed: int = 0
    last_seed: int = 0
    simulated_s: int = 0
    slots: int = 0
    blocks: int = 0
    irreversible: int = 0
    figures: Counter[str] = field(default_factory=Counter)
    warm: dict[int, Run] = field(default_factory=dict)
    """Of each process the last of its first runs."""
    last: dict[int, Run] = field(default_factory=dict)
    runs_of: Counter[int] = field(default_factory=Counter)

    def add(self, worker: int, run: Run) -> None:
        """Count a run that a process has made."""
        self.first_seed = min(self.first_seed, run.seed) if self.runs else run.seed
        self.last_seed = max(self.last_seed, run.seed)
        self.runs += 1
        if not run.has_passed:
            self.failures.append((run.seed, run.verdict))
        self.simulated_s += run.simulated_s
        self.slots += run.slots
        self.blocks += run.blocks
        self.irreversible += run.irreversible
        self.figures.update(run.figures)
        self.runs_of[worker] += 1
        if self.runs_of[worker] <= WARM_RUNS:
            self.warm[worker] = run
        self.last[worker] = run

    @property
    def growth(self) -> int | None:
        """By how many blocks of memory the worst process grows with each run; None for too few."""
        return max(
            (
                (self.last[one].memory_blocks - warm.memory_blocks) // (count - WARM_RUNS)
                for one, warm in self.warm.items()
                if (count := self.runs_of[one]) >= WARM_RUNS + JUDGED_RUNS
            ),
            default=None,
        )

    @property
    def is_leaking(self) -> bool:
        """Whether what a run leaves behind stays in memory."""
        return (self.growth or 0) > GROWTH_MAX

    @property
    def conflicts(self) -> int:
        """Runs in which two nodes called different blocks of one height irreversible (T-W4)."""
        return sum(verdict == "conflict" for _, verdict in self.failures)

    def evidence(self) -> str:
        """What speaks for the promise that nothing irreversible is taken back, in a line."""
        return (
            f"conflicts of irreversible blocks: {self.conflicts}, among {self.irreversible} "
            f"in {self.simulated_s / 3_600:.2f} network-hours"
        )

    def lines(self, took_s: float) -> Iterator[str]:
        """What is printed at the end."""
        missed = self.slots - self.blocks
        share = 100 * missed / max(1, self.slots)
        faults = {
            name.removeprefix("fault "): count
            for name, count in sorted(self.figures.items())
            if name.startswith("fault ")
        }
        most_kib = max((run.resident_kib for run in self.last.values()), default=0)
        growth_kib = max(
            (self.last[one].resident_kib - warm.resident_kib for one, warm in self.warm.items()),
            default=0,
        )
        speed = self.simulated_s / max(took_s, 0.001)
        yield (
            f"{self.runs} runs (seeds {self.first_seed}..{self.last_seed}), "
            f"{len(self.failures)} failures"
        )
        yield (
            f"{self.simulated_s / 3_600:.2f} simulated network-hours in {took_s / 3_600:.2f} hours "
            f"on {len(self.runs_of)} processes: {speed:.0f} x real time"
        )
        yield self.evidence()
        yield f"blocks {self.blocks}, slots {self.slots}, missed {missed} ({share:.1f} %)"
        yield f"faults injected: {sum(faults.values())}: " + listed(faults)
        per_run = "not judged" if self.growth is None else f"{self.growth} of {GROWTH_MAX} allowed"
        yield (
            f"memory of a process: at most {most_kib / 1_024:.0f} MiB, grown by "
            f"{growth_kib / 1_024:.1f} MiB at most after {WARM_RUNS} runs; "
            f"blocks of memory more with each run: {per_run}"
        )


def listed(counts: dict[str, int]) -> str:
    """Names with their counts, in a row."""
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def run_batch(
    seeds: Iterable[int],
    job: Job,
    ledger: Ledger | None,
    *,
    jobs: int = 1,
    hours: float | None = None,
    tell: Callable[[str], None] = print,
) -> Totals:
    """Run seeds, until they or the hours are over."""
    totals = Totals()
    end = None if hours is None else time.monotonic() + 3_600 * hours
    told = time.monotonic()
    for worker, run in _results(_until(seeds, end), job, jobs):
        totals.add(worker, run)
        if ledger is not None:
            ledger.add(run)
        if hours is None:
            tell(f"seed {run.seed}: {run.line()}")
        elif time.monotonic() - told > PROGRESS_S:
            told = time.monotonic()
            done_h = totals.simulated_s / 3_600
            tell(f"{totals.runs} runs, {done_h:.2f} network-hours, {len(totals.failures)} failures")
    return totals


def _until(seeds: Iterable[int], end: float | None) -> Iterator[int]:
    for seed in seeds:
        if end is not None and time.monotonic() >= end:
            return
        yield seed


def _results(seeds: Iterator[int], job: Job, jobs: int) -> Iterator[tuple[int, Run]]:
    """Runs as they end, with the process that made each.

    A failure is told before it is shrunk, which takes its turn among the seeds.
    """
    ways: set[str] = {PASSED}
    with _make_pool(jobs) as pool:
        waiting: set[Future[tuple[int, Run] | None]] = set()
        is_over = False
        while waiting or not is_over:
            while len(waiting) < jobs and not is_over:
                seed = next(seeds, None)
                is_over = seed is None
                if seed is not None:
                    waiting.add(pool.submit(run_seed, job, seed))
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for found in [one.result() for one in done]:
                if found is None:
                    continue
                yield found
                run = found[1]
                if run.verdict not in ways and job.regressions is not None:
                    waiting.add(pool.submit(keep_failure, job, run))
                ways.add(run.verdict)


def _make_pool(jobs: int) -> Executor:
    """One job runs in this process, more in others."""
    if jobs == 1:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


def run_seed(job: Job, seed: int) -> tuple[int, Run]:
    """One seed in this process; of a failure it is told at once how to see it again."""
    run = run_schedule(Schedule.draw(job.options(seed), job.scenario))
    if not run.has_passed:
        print(
            f"seed {seed}: FAILED {run.verdict}: {run.detail}\n"
            f"  after {run.simulated_s} s, event {run.event_count}, commit {job.commit}, "
            f"options {run.options}\n  again: {job.command(seed)}",
            flush=True,
        )
    return os.getpid(), msgspec.structs.replace(run, memory_blocks=memory_blocks())


def keep_failure(job: Job, run: Run) -> None:
    """Shrink a failure of an unknown way and keep it."""
    schedule = Schedule.draw(job.options(run.seed), job.scenario)
    about = f"{run.detail} (seed {run.seed}, commit {job.commit})"
    assert job.regressions is not None
    path, runs = keep(
        replace(schedule, about=about),
        run.verdict,
        directory=job.regressions,
        budget=Budget(seconds=job.shrinking_s),
    )
    small = Schedule.load(path)
    print(
        f"seed {run.seed}: shrunk from {len(schedule.faults)} to {len(small.faults)} faults "
        f"in {runs} runs: scripts/simulate --schedule {path}",
        flush=True,
    )


def memory_blocks() -> int:
    """What the interpreter holds now, in blocks of its allocator."""
    gc.collect()
    return sys.getallocatedblocks()


def processors() -> int:
    """So many processes can run at once."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
