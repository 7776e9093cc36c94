"""T-S1, T-S2, T-S4, T-S6: a small share of what `scripts/crashpoints` tries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from node.storage import block_store
from tests.crashpoints.enumeration import scratch, steps_of
from tests.crashpoints.failures import fail_at, places_to_fail
from tests.crashpoints.flips import Flips
from tests.crashpoints.mutants import MUTANTS
from tests.crashpoints.recovery import Recovery
from tests.crashpoints.second_lives import GROUPS
from tests.crashpoints.sqlite_files import find_library
from tests.crashpoints.trace import Failing, MakeDirectory, Rename, Sync, SyncNames, Write
from tests.crashpoints.workload import Parts, record

pytestmark = pytest.mark.skipif(
    find_library() is None,
    reason="NOT PROVEN HERE: Python's SQLite is not a library that can be watched",
)

BLOCKS = 12
PARTS = Parts(snapshot_every=4)
FLIPS = 60
FAILING_BLOCKS = 7
FAILED_EVERY = 9


@pytest.fixture
def directory() -> Iterator[Path]:
    with scratch() as found:
        yield found


def test_a_node_recovers_from_each_crash(directory: Path) -> None:
    """T-S1, T-S2, T-S6: told is kept, torn is cut, and the state is that of a replay."""
    run = record(directory / "run", BLOCKS, PARTS)
    kinds = [type(step) for step in run.recorder.steps]
    assert {MakeDirectory, Write, Sync, Rename, SyncNames} <= {*kinds}
    assert run.error is None
    assert run.switches > 0
    assert len(run.snapshots) == 2
    figures = Recovery(run, directory, cap=12, share=0.12, again=0.05).check_all()
    assert figures.failures == []
    chosen = [steps_of(run.recorder.steps, start) for start in GROUPS.values()]
    assert {number for steps in chosen for number, _ in steps} == set(range(len(kinds)))
    assert figures.points == sum(map(len, chosen))
    assert min(figures.images[group] for group in GROUPS) > 2
    assert figures.starts > BLOCKS / 2
    assert min(figures.second[what] for what in ("blocks", "history", "start")) > 10


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(directory: Path, name: str) -> None:
    """P16, T-S2: an enumeration that misses one has no teeth."""
    group, parts, again = MUTANTS[name]
    run = record(directory / "run", BLOCKS, replace(parts, snapshot_every=4))
    recovery = Recovery(run, directory, cap=12, again=again)
    recovery.check_group(group, until_failure=True)
    assert recovery.figures.failures


def test_no_wrong_block_is_served_whatever_bit_flips(directory: Path) -> None:
    """T-S3: in the file and in the log; a store that checks nothing is found out."""
    flips = Flips(record(directory / "run", BLOCKS, PARTS), directory)
    rng = Random("flips")
    for _ in range(FLIPS):
        flips.flip(rng)
    assert flips.wrong == []
    assert {"refused when read", "cut to an earlier head", "unharmed"} <= {*flips.outcomes}
    with patch.object(block_store, "is_whole", lambda *_: True):
        for _ in range(FLIPS):
            flips.flip(rng)
    assert flips.wrong


@pytest.mark.parametrize("is_full", [True, False], ids=["ENOSPC", "EIO"])
def test_a_failing_write_ends_the_node_typed_and_loses_nothing(
    directory: Path, is_full: bool
) -> None:
    """T-S4: the disk is full from a write on, or fails once; the same directory opens after."""
    whole = record(directory / "whole", FAILING_BLOCKS, PARTS)
    places = places_to_fail(whole, is_full=is_full)
    stopped = 0
    for place in places[::FAILED_EVERY]:
        outcome = fail_at(directory, FAILING_BLOCKS, PARTS, Failing(place, is_full))
        assert not outcome.wrong, outcome
        stopped += outcome.stopped
    assert stopped
