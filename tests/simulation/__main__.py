"""Runs simulated networks: `scripts/simulate --seed 7`, `scripts/simulate --seeds 1..100`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.simulation.options import draw_options
from tests.simulation.schedule import Schedule
from tests.simulation.simulation import Outcome, Simulation

REPO = Path(__file__).resolve().parent.parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 1 when a promise is broken."""
    options = read_arguments(arguments)
    if options.schedule is not None:
        return run(Schedule.load(options.schedule), options)
    first, last = options.seeds
    failures = 0
    for seed in range(first, last + 1):
        drawn = draw_options(seed, nodes=options.nodes, minutes=options.minutes)
        failures += run(Schedule.draw(drawn), options)
    if last > first:
        print(f"{last - first + 1} runs, {failures} failures")
    return min(failures, 1)


def read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/simulate",
        description="Runs a network of production nodes in simulated time, with faults drawn from "
        "a seed, and checks that it keeps its promises and comes together again.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seed", dest="seeds", type=read_seeds, metavar="S", help="run one seed")
    what.add_argument("--seeds", type=read_seeds, metavar="A..B", help="run a range of seeds")
    what.add_argument("--schedule", type=Path, metavar="FILE", help="run a stored schedule")
    parser.add_argument("--nodes", type=int, choices=range(2, 12), metavar="N", help="2 to 11")
    parser.add_argument("--minutes", type=int, metavar="M", help="length of the phase with faults")
    parser.add_argument("--replay", action="store_true", help="compare with a second process")
    parser.add_argument("--trace", action="store_true", help="print every event")
    parser.add_argument("--save", type=Path, metavar="FILE", help="store the schedule of the run")
    return parser.parse_args(arguments)


def read_seeds(text: str) -> tuple[int, int]:
    """The range that "7" or "1..100" names."""
    first, _, last = text.partition("..")
    return int(first), int(last or first)


def run(schedule: Schedule, options: argparse.Namespace) -> int:
    """One run with its lines; 1 when it failed."""
    if options.save is not None:
        schedule.save(options.save)
    is_only = options.schedule is not None or options.seeds[0] == options.seeds[1]
    simulation = Simulation(schedule, trace=print if options.trace else None)
    began = time.perf_counter()
    try:
        outcome = simulation.run()
    except Exception as error:
        print(f"{schedule.about}: FAILED {type(error).__name__}: {error}")
        print(f"  at {simulation.loop.elapsed_ms} ms, event {simulation.loop.event_count}")
        print(f"  commit {commit()}, options {json.dumps(schedule.options.to_json())}")
        if is_only:
            raise
        return 1
    took_s = time.perf_counter() - began
    if is_only:
        print(f"options {json.dumps(schedule.options.to_json())}")
        print("counts  " + ", ".join(f"{name} {n}" for name, n in sorted(outcome.counts.items())))
    print(f"{schedule.about}: {describe(outcome)}, {outcome.simulated_s / took_s:.0f} x real time")
    if options.replay:
        return verify(outcome, schedule, options)
    return 0


def describe(outcome: Outcome) -> str:
    """One line of figures."""
    return (
        f"hash {outcome.event_hash}, {outcome.event_count} events, {outcome.simulated_s} s, "
        f"head {outcome.head_num}, irreversible {outcome.last_irreversible_num}, "
        f"agreed {outcome.agreed_after_s} s after the healing"
    )


def verify(outcome: Outcome, schedule: Schedule, options: argparse.Namespace) -> int:
    """Run the same in another process with another hash seed; 1 unless the hashes agree."""
    if options.schedule is not None:
        what = ["--schedule", str(options.schedule)]
    else:
        what = ["--seed", str(schedule.options.seed)]
        for name in ("nodes", "minutes"):
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
    agrees = f"hash {outcome.event_hash}," in finished.stdout
    print(
        "replayed in another process: " + ("the same" if agrees else finished.stdout + " DIFFERS")
    )
    return 0 if agrees else 1


def commit() -> str:
    """The commit that a failure belongs to."""
    command = ["git", "-C", str(REPO), "rev-parse", "--short", "HEAD"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    return finished.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
