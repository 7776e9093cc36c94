"""Runs simulated networks: one seed, a range, or as many as go into some hours."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from protocol.errors import PegboardError
from tests.simulation import coverage
from tests.simulation.batch import Job, Totals, processors, run_batch
from tests.simulation.coverage import JUDGED_RUNS
from tests.simulation.economy import check_scenario
from tests.simulation.ledger import DEFAULT, Ledger, current_commit
from tests.simulation.runs import REPO, Run, run_schedule
from tests.simulation.schedule import Schedule
from tests.simulation.shrinking import REGRESSIONS
from tests.simulation.teeth import run_batch_of_bugs


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 1 when a promise is broken."""
    options = read_arguments(arguments)
    ledger = Ledger(options.ledger, current_commit())
    if options.report:
        return report(ledger)
    if options.teeth:
        return run_batch_of_bugs(options.jobs, options.bugs or ())
    if options.schedule is not None:
        return run_one(Schedule.load(options.schedule), options)
    job = Job(
        options.nodes,
        options.minutes,
        ledger.commit,
        options.regressions,
        scenario=options.scenario or "",
    )
    if options.scenario is not None:
        try:
            check_scenario(options.scenario)
        except PegboardError as error:
            print(f"refused: {error}")
            return 1
    if options.seeds is not None and options.seeds[0] == options.seeds[1]:
        return run_one(Schedule.draw(job.options(options.seeds[0]), job.scenario), options)
    return run_many(job, ledger, options)


def read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/simulate",
        description="Runs networks of production nodes in simulated time, with faults drawn from "
        "a seed, and checks that they keep their promises and come together again.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seed", dest="seeds", type=read_seeds, metavar="S", help="run one seed")
    what.add_argument("--seeds", type=read_seeds, metavar="A..B", help="run a range of seeds")
    what.add_argument(
        "--hours", type=float, metavar="H", help="run further seeds, for so long by the clock"
    )
    what.add_argument("--schedule", type=Path, metavar="FILE", help="run a stored schedule")
    what.add_argument(
        "--teeth", action="store_true", help="plant every known bug, and fail if one is missed"
    )
    what.add_argument("--report", action="store_true", help="what the ledger says, by commit")
    parser.add_argument(
        "--jobs",
        type=int,
        default=processors(),
        metavar="J",
        help="processes (default: one a processor)",
    )
    parser.add_argument(
        "--bug", dest="bugs", action="append", metavar="NAME", help="only these, with --teeth"
    )
    parser.add_argument("--nodes", type=int, choices=range(2, 12), metavar="N", help="2 to 11")
    parser.add_argument("--minutes", type=int, metavar="M", help="length of the phase with faults")
    parser.add_argument(
        "--scenario", metavar="FILE", help="whose prices and people; else seeds choose among ours"
    )
    parser.add_argument("--replay", action="store_true", help="compare with a second process")
    parser.add_argument("--trace", action="store_true", help="print every event")
    parser.add_argument("--save", type=Path, metavar="FILE", help="store the schedule of one run")
    parser.add_argument(
        "--ledger", type=Path, default=DEFAULT, metavar="FILE", help="of seeds (var/seeds.jsonl)"
    )
    parser.add_argument(
        "--regressions",
        type=Path,
        default=REGRESSIONS,
        metavar="DIRECTORY",
        help="where schedules go that failed, shrunk",
    )
    return parser.parse_args(arguments)


def read_seeds(text: str) -> tuple[int, int]:
    """The range that "7" or "1..100" names."""
    first, _, last = text.partition("..")
    return int(first), int(last or first)


def run_many(job: Job, ledger: Ledger, options: argparse.Namespace) -> int:
    """A batch with its figures; 1 when a run failed."""
    seeds: Iterable[int]
    if options.hours is None:
        seeds = range(options.seeds[0], options.seeds[1] + 1)
    else:
        seeds = count(ledger.next_seed())
    began = time.monotonic()
    totals = run_batch(seeds, job, ledger, jobs=options.jobs, hours=options.hours)
    for line in totals.lines(time.monotonic() - began):
        print(line)
    print("seen:")
    for line in coverage.lines(totals.figures):
        print(line)
    if totals.is_leaking:
        print(f"MEMORY GROWS by {totals.growth} blocks with each run")
    toothless = coverage.below_floors(totals.figures) if totals.runs >= JUDGED_RUNS else []
    for line in toothless:
        print(f"BELOW THE FLOOR {line}")
    return int(bool(totals.failures or toothless or totals.is_leaking))


def report(ledger: Ledger) -> int:
    """What all runs of a ledger come to, by commit and together; 1 if two of them conflict."""
    for line in ledger.report():
        print(line)
    totals = Totals()
    for entry in ledger.entries():
        totals.add(0, entry.run)
    if not totals.runs:
        print(f"{ledger.path} is empty")
        return 0
    print(f"all commits: {totals.runs} runs, {len(totals.failures)} failures")
    for line in (totals.evidence(), *coverage.lines(totals.figures)):
        print(line)
    return int(bool(totals.conflicts))


def run_one(schedule: Schedule, options: argparse.Namespace) -> int:
    """One run with its lines; 1 when it failed."""
    if options.save is not None:
        schedule.save(options.save)
    run = run_schedule(schedule, is_traced=options.trace, shows_error=True)
    print(f"options {json.dumps(run.options)}")
    print("counts  " + ", ".join(f"{name} {n}" for name, n in sorted(run.figures.items())))
    print(f"{schedule.about}: {run.line()}")
    if not run.has_passed:
        print(f"  at {run.simulated_s} s, event {run.event_count}, commit {current_commit()}")
        return 1
    return verify(run, options) if options.replay else 0


def verify(run: Run, options: argparse.Namespace) -> int:
    """Run the same in another process with another hash seed; 1 unless the hashes agree."""
    if options.schedule is not None:
        what = ["--schedule", str(options.schedule)]
    else:
        what = ["--seed", str(run.seed)]
        for name in ("nodes", "minutes", "scenario"):
            if getattr(options, name) is not None:
                what += [f"--{name}", str(getattr(options, name))]
    finished = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *what],
        cwd=REPO,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=False,
    )
    agrees = f"hash {run.event_hash}," in finished.stdout
    print(
        "replayed in another process: " + ("the same" if agrees else finished.stdout + " DIFFERS")
    )
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
