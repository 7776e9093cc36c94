"""Recovers from every crash point of a recorded run, with figures; see `scripts/crashpoints`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import replace
from random import Random

from tests.crashpoints.enumeration import Enumeration, scratch
from tests.crashpoints.failures import fail_at, places_to_fail
from tests.crashpoints.flips import Flips
from tests.crashpoints.mutants import MUTANTS
from tests.crashpoints.recovery import Failure, Figures, Recovery
from tests.crashpoints.second_lives import GROUPS
from tests.crashpoints.small_files import SMALL_FILES, crash_everywhere
from tests.crashpoints.sqlite_files import find_library
from tests.crashpoints.trace import Failing
from tests.crashpoints.workload import Parts, record

FLIPPED_BLOCKS = 60
SHOWN = 10
"""Failures that are printed."""


def crash(options: argparse.Namespace) -> Figures:
    """Crash a healthy node everywhere."""
    with scratch() as directory:
        run = record(directory / "run", options.blocks)
        kinds = Counter(type(step).__name__ for step in run.recorder.steps)
        print(
            f"recorded {options.blocks} blocks: {len(run.recorder.steps)} steps {dict(kinds)},"
            f" {len(run.moves)} moves, {run.switches} blocks taken back,"
            f" {len(run.snapshots)} snapshots"
        )
        recovery = Recovery(run, directory, cap=options.cap, share=options.share)
        return recovery.check_all()


def crash_again(options: argparse.Namespace) -> list[Failure]:
    """Crash a healthy node everywhere, and each recovery everywhere."""
    with scratch() as directory:
        run = record(directory / "run", options.again_blocks, Parts(snapshot_every=4))
        recovery = Recovery(
            run, directory, cap=options.again_cap, share=options.again, again=options.again
        )
        figures = recovery.check_all()
    second = ", ".join(f"{figures.second[what]} of {what}" for what in (*GROUPS, "start"))
    print(
        f"recoveries cut, {options.again_blocks} blocks: {sum(figures.images.values())} first "
        f"crashes, different files after second ones: {second}"
    )
    return figures.failures


def crash_small_files(options: argparse.Namespace) -> list[Failure]:
    """Crash each small file of a data directory everywhere."""
    failures = []
    for name, file in SMALL_FILES.items():
        with scratch() as directory:
            enumeration = Enumeration(options.cap)
            wrong = crash_everywhere(file, directory, enumeration)
        failures += [Failure(name, 0, f"{what} after {step}") for step, what in wrong]
        print(f"{name}: {enumeration.points} crash points, {enumeration.crashes} crashes")
    return failures


def flip_bits(options: argparse.Namespace) -> list[Failure]:
    """Flip bits of a stored chain, one at a time."""
    with scratch() as directory:
        flips = Flips(record(directory / "run", FLIPPED_BLOCKS), directory)
        rng = Random(f"flips {options.seed}")
        for _ in range(options.flips):
            flips.flip(rng)
    print(f"{options.flips} flipped bits: {dict(flips.outcomes)}, {len(flips.wrong)} wrong")
    return [Failure("flips", 0, what) for what in flips.wrong]


def find_planted_bugs(options: argparse.Namespace) -> int:
    """How many planted bugs are not found."""
    missed = 0
    for name, (group, parts, again) in MUTANTS.items():
        with scratch() as directory:
            run = record(directory / "run", 12, replace(parts, snapshot_every=4))
            recovery = Recovery(run, directory, cap=options.cap, again=again)
            recovery.check_group(group, until_failure=True)
            found = recovery.figures.failures
        missed += not found
        print(f"planted bug, {name}: {found[0].what[:100] if found else 'NOT FOUND'}", flush=True)
    return missed


def fail(options: argparse.Namespace) -> int:
    """Fail each write once, and have the disk full from each write on; how many go wrong."""
    with scratch() as directory:
        parts = Parts(snapshot_every=4)
        whole = record(directory / "whole", options.failing_blocks, parts)
        wrong = 0
        for is_full in (True, False):
            places = places_to_fail(whole, is_full=is_full)[:: options.every]
            stopped = 0
            for place in places:
                outcome = fail_at(directory, options.failing_blocks, parts, Failing(place, is_full))
                stopped += outcome.stopped
                if outcome.wrong:
                    wrong += 1
                    print(f"WRONG: {outcome}")
            what = "disk full from" if is_full else "EIO at"
            print(f"{what} each of {len(places)} steps: {stopped} ended the node, {wrong} wrong")
    return wrong


def main() -> int:
    """Run it all; exit code 1 when a promise is broken or a planted bug is not found."""
    parser = argparse.ArgumentParser(prog="scripts/crashpoints", description=__doc__)
    parser.add_argument("--blocks", type=int, default=200, help="length of the recorded run")
    parser.add_argument("--cap", type=int, default=300, help="subsets a window of unflushed writes")
    parser.add_argument("--share", type=float, default=1.0, help="part of all crashes to try")
    parser.add_argument("--again-blocks", type=int, default=4, help="of a run cut twice")
    parser.add_argument("--again", type=float, default=0.2, help="part of its crashes to try")
    parser.add_argument("--again-cap", type=int, default=12, help="subsets a window of it")
    parser.add_argument("--flips", type=int, default=1_000, help="bits of a stored chain to flip")
    parser.add_argument("--seed", type=int, default=1, help="of the flipped bits")
    parser.add_argument("--failing-blocks", type=int, default=12, help="length of failing runs")
    parser.add_argument("--every", type=int, default=1, help="fail only every so manieth step")
    options = parser.parse_args()
    if find_library() is None:
        print("NOT PROVEN HERE: Python's SQLite is not a library that can be watched")
        return 1
    started = time.monotonic()
    figures = crash(options)
    images = ", ".join(f"{figures.images[group]} of {group}" for group in GROUPS)
    print(f"crash points {figures.points}, crashes {figures.crashes}, different files: {images}")
    print(f"nodes started {figures.starts}, failures {len(figures.failures)}")
    failures = [
        *figures.failures,
        *crash_again(options),
        *crash_small_files(options),
        *flip_bits(options),
    ]
    for failure in failures[:SHOWN]:
        print(f"FAILURE: {failure}")
    missed = find_planted_bugs(options)
    wrong = fail(options)
    print(f"{time.monotonic() - started:.0f} s")
    return int(bool(failures or missed or wrong))


if __name__ == "__main__":
    sys.exit(main())
