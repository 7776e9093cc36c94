"""Every slow campaign there is, one after the other: scripts/campaign --hours 1.

Each prints its figures and its seeds; `--seed` and the command that is shown repeat it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.targets import NAMES

REPO = Path(__file__).resolve().parent.parent.parent
SEEDS_A_BATCH = 10
"""Simulated networks between two looks at the clock."""


class Part(NamedTuple):
    """One campaign."""

    name: str
    script: str
    share: float
    """Of the time."""
    arguments: Callable[[float, int], list[str]]
    """Of the script, for so many seconds and a seed."""
    repeats: bool = False
    """Whether it is started again, with further seeds, until its time is over."""


def simulate(seconds: float, seed: int) -> list[str]:
    """A batch of whole networks."""
    return ["--seeds", f"{seed}..{seed + SEEDS_A_BATCH - 1}"]


def fuzz(seconds: float, seed: int) -> list[str]:
    """Every target for the same time."""
    return ["--minutes", f"{seconds / 60 / len(NAMES):.3f}", "--seed", str(seed)]


def crash(seconds: float, seed: int) -> list[str]:
    """Every crash point."""
    return []


def besiege(seconds: float, seed: int) -> list[str]:
    """Half of the time alone, half under siege."""
    return ["--minutes", f"{max(seconds / 2, 30) / 60:.3f}"]


def kill(seconds: float, seed: int) -> list[str]:
    """Two hundred kills, however long they take."""
    return ["--seed", str(seed)]


PARTS = (
    Part("simulation", "simulate", 0.4, simulate, repeats=True),
    Part("fuzzing", "fuzz", 0.4, fuzz),
    Part("crash points", "crashpoints", 0.0, crash),
    Part("siege", "siege", 0.1, besiege),
    Part("kills", "kills", 0.1, kill),
)


def main() -> int:
    """Run the parts; 1 when one of them fails."""
    options = read_arguments()
    results = [(part.name, run(part, options)) for part in chosen(options)]
    print("\n== what came of it ==")
    for name, result in results:
        print(f"{name:14} {result}")
    return int(any(result.startswith("FAILED") for _, result in results))


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/campaign", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="for all together (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="of all choices (default 1)")
    parser.add_argument(
        "--only", action="append", choices=[part.name for part in PARTS], help="some of them"
    )
    return parser.parse_args()


def chosen(options: argparse.Namespace) -> list[Part]:
    """The parts to run, which share the time."""
    return [part for part in PARTS if options.only is None or part.name in options.only]


def run(part: Part, options: argparse.Namespace) -> str:
    """Run one part; how it ended, in a word or two."""
    print(f"\n== {part.name} ==", flush=True)
    script = REPO / "scripts" / part.script
    whole = sum(other.share for other in chosen(options)) or 1.0
    seconds = options.hours * 3_600 * part.share / whole
    started, seed, runs = time.monotonic(), options.seed, 0
    while not runs or (part.repeats and time.monotonic() - started < seconds):
        command = [str(script), *part.arguments(seconds, seed)]
        print(f"$ scripts/{part.script} {' '.join(command[1:])}", flush=True)
        code = subprocess.run(command, cwd=REPO, check=False).returncode
        if code:
            return f"FAILED with exit code {code}: scripts/{part.script} {' '.join(command[1:])}"
        seed += SEEDS_A_BATCH
        runs += 1
    return f"passed in {(time.monotonic() - started) / 60:.1f} minutes, {runs} runs"


if __name__ == "__main__":
    sys.exit(main())
