"""A disk that is full, or fails once, at each write and flush in turn (T-S4)."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

from node.storage.errors import DiskError
from protocol.errors import PegboardError
from tests.crashpoints.recovery import Recovery
from tests.crashpoints.trace import Failing, Sync, Truncate, Write
from tests.crashpoints.workload import Parts, Run, record


class Outcome(NamedTuple):
    """What came of one failing step."""

    failing: Failing
    step: str
    stopped: bool
    """Whether the node ended by it; else it went on."""
    wrong: str
    """"" or which promise was broken."""


def places_to_fail(run: Run, *, is_full: bool) -> list[int]:
    """Steps of a recorded run that a full disk, or a failing one, can refuse."""
    kinds = (Write,) if is_full else (Write, Truncate, Sync)
    return [place for place, step in enumerate(run.recorder.steps) if isinstance(step, kinds)]


def fail_at(directory: Path, blocks: int, parts: Parts, failing: Failing) -> Outcome:
    """Run a node whose disk fails at a step: it stops typed or goes on, and opens again whole."""
    run = record(directory / "run", blocks, parts, failing)
    step = run.recorder.steps[failing.number]
    wrong = ""
    if run.error is not None and not isinstance(run.error, DiskError):
        wrong = f"ended by {run.error!r}"
    elif run.error is None and run.recorder.failures == 0:
        wrong = "nothing failed"
    recovery = Recovery(run, directory, cap=0)
    end = len(run.recorder.steps)
    for check in (recovery.check_blocks, recovery.check_snapshots, recovery.check_history):
        try:
            wrong = wrong or check(end, directory / "run")
        except PegboardError as error:
            wrong = wrong or f"does not open: {error!r}"
    rmtree(directory / "run")
    return Outcome(failing, f"{type(step).__name__} {step.name}", run.error is not None, wrong)
