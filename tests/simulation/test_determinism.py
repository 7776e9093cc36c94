"""One seed is one history, in every process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.simulation.options import draw_options
from tests.simulation.schedule import Schedule
from tests.simulation.simulation import Simulation
from tests.simulation.test_networks import CALM

REPO = Path(__file__).resolve().parent.parent.parent
SEED = 6


def event_hash(seed: int) -> str:
    """The event hash of a run of a minute in this process."""
    return Simulation(Schedule.draw(draw_options(seed, minutes=1))).run().event_hash


@pytest.fixture(scope="module")
def here() -> str:
    """The event hash in this process."""
    return event_hash(SEED)


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_another_process_and_hash_seed_give_the_same_history(here: str, hash_seed: str) -> None:
    """T-E5: no order of a set, no address, no clock and no chance but the seed's reaches it."""
    command = [sys.executable, "-m", "tests.simulation", "--seed", str(SEED), "--minutes", "1"]
    finished = subprocess.run(
        command,
        cwd=REPO,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found = re.search(r"hash ([0-9a-f]{32}),", finished.stdout)
    assert found is not None, finished.stdout
    assert found[1] == here


def test_another_seed_gives_another_history() -> None:
    """The hash depends on what happens."""
    schedules = [Schedule.draw(replace(CALM, seed=seed)) for seed in (SEED, SEED + 1)]
    one, other = (Simulation(schedule).run() for schedule in schedules)
    assert one.event_hash != other.event_hash
