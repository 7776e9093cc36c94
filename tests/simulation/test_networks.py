"""Networks of production nodes keep their promises under faults, and come together after them."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from protocol.p2p.messages import MESSAGES, Goodbye, Message, NotAvailable, Ping, Pong
from tests.simulation.faults import DRAWS, LIES
from tests.simulation.options import Options, draw_options
from tests.simulation.schedule import Schedule
from tests.simulation.simulation import Outcome, Simulation
from tests.support.shrinking import shrink

REGRESSIONS = sorted(Path(__file__).with_name("regressions").glob("*.json"))

CALM = Options(seed=1, nodes=2, witnesses=2, required_participation=33, paranoid=1)
"""Two nodes and nothing that goes wrong."""


def run(options: Options) -> Outcome:
    """A run of drawn faults."""
    return Simulation(Schedule.draw(options)).run()


def test_without_faults_every_slot_has_its_block() -> None:
    """R8.4, R8.5: two calm nodes miss no slot once they have met, and include what is sent."""
    outcome = run(CALM)
    assert outcome.head_num >= CALM.fault_s // CALM.block_interval_s - 1
    assert outcome.last_irreversible_num == outcome.head_num - 2
    assert outcome.counts["fork_switch"] == 0
    assert outcome.counts["accepted Transfer"] > 3
    assert outcome.counts["transaction_dropped"] == 0


@pytest.mark.parametrize("seed", [1, 2, 3, 6])
def test_a_drawn_network_keeps_its_promises_and_heals(seed: int) -> None:
    """T-S1, T-W1, T-E1, I14, I18, S1: whatever a seed draws, one head and one state at the end."""
    outcome = run(draw_options(seed, minutes=1))
    assert outcome.head_num > 5
    assert outcome.counts["state hashes"] >= 2


@pytest.mark.parametrize("seed", [1, 4])
def test_blocks_that_travel_longer_than_a_slot_become_irreversible(seed: int) -> None:
    """F5, S1: of three witnesses, all of whom a quorum takes, within three rounds as ever; votes
    for heads alone, parted by the blocks of one height, made none so of these."""
    slow = Options(seed, 3, 3, block_interval_s=1, flush_ms=400, delay_ms=150, stale_starters=3)
    outcome = run(slow)
    assert outcome.counts["fork_switch"] > 10
    assert outcome.last_irreversible_num > 3


def test_a_hard_life_meets_every_fault_and_every_message() -> None:
    """S1, S3, S4: a run that exercises less than it says would prove less than it says."""
    options = replace(
        draw_options(6, nodes=4, minutes=4),
        block_interval_s=2,
        loss=100,
        reset=5,
        duplicate=100,
        partition_every_s=20,
        crash_every_s=15,
        clog_every_s=20,
        pause_every_s=20,
        step_every_s=30,
        transactions_per_minute=200,
        snapshot_interval=7,
        paranoid=0,
        blackout_every_s=60,
        wipe_every_s=60,
        lose_every_s=60,
        hostile=0,
        scheme_every_s=60,
        disk_every_s=60,
        flip_every_s=60,
    )
    counts = run(options).counts
    rare: tuple[type[Message], ...] = (Goodbye, NotAvailable, Ping, Pong)
    wanted = [f"sent {cls.__name__}" for cls in MESSAGES.values() if cls not in rare]
    wanted += [f"fault {kind}" for kind in DRAWS if kind not in LIES]
    wanted += ["fork_switch", "transaction_dropped", "keys recovered", "started from a snapshot"]
    assert [name for name in wanted if not counts[name]] == []


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_what_once_failed_does_not_fail_again(path: Path) -> None:
    """T-S1, T-W1, S2: schedules that once broke a promise, or break one of a planted bug."""
    outcome = Simulation(Schedule.load(path)).run()
    assert outcome.head_num >= outcome.last_irreversible_num > 0


def test_a_schedule_survives_its_file(tmp_path: Path) -> None:
    """A stored run is the same run."""
    schedule = Schedule.draw(replace(CALM, crash_every_s=5, partition_every_s=5))
    assert len(schedule.faults) > 4
    schedule.save(tmp_path / "run.json")
    assert Schedule.load(tmp_path / "run.json") == schedule


def test_shrinking_keeps_only_what_is_needed() -> None:
    """A failure that needs two faults of many is told with those two."""
    faults = Schedule.draw(replace(CALM, crash_every_s=1, fault_s=60)).faults
    needed = (faults[3], faults[-2])
    assert shrink(faults, lambda fewer: all(fault in fewer for fault in needed)) == needed
