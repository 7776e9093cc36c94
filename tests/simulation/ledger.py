"""The ledger of seeds: which commit ran which, with what options, and how each ended.

One JSON line a run, appended as the run ends. The next batch goes on after the highest seed of its
commit; a tree with changes of its own counts as another commit.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.simulation.runs import REPO, Run

DEFAULT = REPO / "var" / "seeds.jsonl"
"""Beside the sources, and not among them."""


class Entry(msgspec.Struct, frozen=True):
    """One line."""

    commit: str
    run: Run


class Ledger:
    """The file."""

    def __init__(self, path: Path, commit: str) -> None:
        self.path = path
        self.commit = commit

    def add(self, run: Run) -> None:
        """Write down a run."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(Entry(self.commit, run)) + b"\n")

    def entries(self) -> Iterator[Entry]:
        """All lines, oldest first; one that was cut off by a crash is passed over."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for line in file:
                try:
                    yield msgspec.json.decode(line, type=Entry)
                except msgspec.DecodeError:
                    continue

    def next_seed(self) -> int:
        """The first seed that this commit has not come to."""
        seeds = [entry.run.seed for entry in self.entries() if entry.commit == self.commit]
        return max(seeds, default=0) + 1

    def report(self) -> list[str]:
        """A line for each commit, oldest first."""
        runs: dict[str, list[Run]] = {}
        for entry in self.entries():
            runs.setdefault(entry.commit, []).append(entry.run)
        return [f"{commit:16} {sum_up(found)}" for commit, found in runs.items()]


def sum_up(runs: list[Run]) -> str:
    """What some runs come to, in a line."""
    seeds = sorted(run.seed for run in runs)
    failed = [run for run in runs if not run.has_passed]
    ways = ", ".join(f"seed {run.seed} ({run.verdict})" for run in failed) or "none failed"
    hours = sum(run.simulated_s for run in runs) / 3_600
    return f"seeds {seeds[0]}..{seeds[-1]}, {len(runs)} runs, {hours:.1f} network-hours, {ways}"


def current_commit() -> str:
    """The commit that runs here, with a mark if files of it were changed."""
    command = ["git", "-C", str(REPO), "describe", "--always", "--dirty", "--exclude=*"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    return finished.stdout.strip() or "unknown"
