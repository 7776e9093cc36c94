"""Planted bugs are found; without this, green runs would prove nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from node.chain import irreversibility
from node.chain.chain import Chain
from node.core.core import NodeCore
from node.p2p.errors import ForkBelowIrreversible
from node.p2p.manager import PeerManager
from node.state.errors import InvariantViolated
from tests.simulation import event_loop, mutants
from tests.simulation.checkers import Violation
from tests.simulation.event_loop import MessageStorm
from tests.simulation.faults import Fault
from tests.simulation.machine import Machine
from tests.simulation.options import Options, draw_options
from tests.simulation.schedule import Schedule
from tests.simulation.simulation import Simulation
from tests.simulation.test_networks import CALM

DIRECTORY = Path(__file__).with_name("regressions")


@pytest.mark.parametrize(
    ("machine", "name", "checker"),
    [
        (mutants.SendsFirst, "send_first", "durable"),
        (mutants.TellsEarly, "early_notices", "durable"),
        (mutants.PrunesToHead, "prune_forks", "durable"),
        (mutants.ForgetsFinality, "finality", "monotonic"),
        (mutants.ForgetsSlots, "clock_steps", "one block a slot"),
        (mutants.NeverFlushesGuard, "guard_flush", "one block a slot"),
    ],
)
def test_a_broken_shell_is_found(machine: type[Machine], name: str, checker: str) -> None:
    """T-S1, T-W1: each bug breaks its promise in a run that sound nodes come through."""
    schedule = Schedule.load(DIRECTORY / f"{name}.json")
    with pytest.raises(Violation) as caught:
        Simulation(schedule, machine=machine).run()
    assert caught.value.checker == checker


def test_peers_that_shut_out_a_minority_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """S2: the network does not come together again."""
    monkeypatch.setattr(PeerManager, "_check_fork", mutants.compare_heads)
    monkeypatch.setattr(ForkBelowIrreversible, "is_banned", True)
    with pytest.raises(Violation) as caught:
        Simulation(Schedule.load(DIRECTORY / "minority_fork.json")).run()
    assert caught.value.checker == "agreement"


FAULTS = replace(CALM, nodes=4, witnesses=4, fault_s=40)
"""Four calm witnesses, to which what a test plans happens."""


def violation_of(options: Options, *faults: Fault, machine: type[Machine] = Machine) -> str:
    """The name of the checker that a run of these faults breaks; "" for none."""
    try:
        Simulation(Schedule("", options, faults), machine=machine).run()
    except Violation as violation:
        return violation.checker
    return ""


CRASHES = [Fault(at_s * 1_000, "blackout", (200,) * 4) for at_s in range(8, 38, 6)]


def test_blocks_that_are_never_brought_to_disk_are_found() -> None:
    """P16, T-S1: a machine that crashes has lost blocks that it told of."""
    assert violation_of(FAULTS, *CRASHES) == ""
    assert violation_of(FAULTS, *CRASHES, machine=mutants.NeverFlushesBlocks) == "durable"


AHEAD = [Fault(8_000, "step", (1, 8_000)), Fault(12_000, "step", (2, 9_000))]


def test_blocks_from_the_future_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """P16, T-W3: witnesses whose clocks jump ahead are believed by nodes whose clocks do not."""
    assert violation_of(FAULTS, *AHEAD, machine=mutants.FollowsAtOnce) == ""
    monkeypatch.setattr(NodeCore, "_refuse_future", mutants.take_from_the_future)
    assert violation_of(FAULTS, *AHEAD, machine=mutants.FollowsAtOnce) == "future"


SPLIT = [Fault(10_000, "partition", (0, 0, 1, 1))]


def test_irreversible_by_the_newest_confirmation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """P16, T-W4: two halves each call what they have made themselves irreversible."""
    old_rule = replace(FAULTS, old_rule=1)
    assert violation_of(old_rule, *SPLIT) == ""
    monkeypatch.setattr(irreversibility, "irreversible_num", mutants.newest_confirmation)
    assert violation_of(old_rule, *SPLIT) == "conflict"


def test_an_undo_that_leaves_a_trace_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-E2, I18: a node that has switched forks has another state than the others."""
    monkeypatch.setattr(Chain, "_pop_block", mutants.pop_block_badly)
    drawn = draw_options(8, nodes=3, minutes=2)
    options = replace(
        drawn,
        block_interval_s=2,
        partition_every_s=15,
        crash_every_s=0,
        transactions_per_minute=120,
        paranoid=0,
    )
    with pytest.raises((Violation, InvariantViolated)) as caught:
        Simulation(Schedule.draw(options)).run()
    if isinstance(caught.value, Violation):
        assert caught.value.checker in ("one state", "stopped")


def test_a_message_storm_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-R3: more events than nodes of this size can need stop the run."""
    monkeypatch.setattr(event_loop, "EVENTS_PER_SECOND_MAX", 10)
    with pytest.raises(MessageStorm):
        Simulation(Schedule.draw(CALM)).run()
