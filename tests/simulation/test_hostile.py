"""What is worse than bad luck happens in the simulated network, and breaks nothing (S8)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.simulation.checkers import Violation
from tests.simulation.faults import LIES, Fault
from tests.simulation.schedule import Schedule
from tests.simulation.simulation import Simulation
from tests.simulation.test_networks import CALM

FOUR = replace(CALM, nodes=4, witnesses=4, fault_s=60, paranoid=0)
"""Four calm witnesses."""

DEEDS = (
    "twins",
    "votes",
    "withheld blocks",
    "withheld votes",
    "late blocks",
    "missing bodies",
    "false heads",
    "false blocks",
    "false answers",
    "false bodies",
    "bad blocks",
    "future blocks",
    "stale votes",
    "junk frames",
    "feeds",
)
"""What a liar did, as it counts itself."""


def test_a_liar_does_all_that_it_may_and_the_others_come_through() -> None:
    """T-W2, T-W3, T-P1, T-P6, T-P8, T-N5: each kind of lie happens, and each fault is told; honest
    witnesses have blocks in two thirds of their slots or more."""
    options = replace(FOUR, hostile=1, fault_s=45, lie_every_s=7)
    simulation = Simulation(Schedule.draw(options))
    counts = simulation.run().counts
    assert [kind for kind in LIES if not counts[f"fault {kind}"]] == []
    assert [deed for deed in DEEDS if not counts[f"hostile {deed}"]] == []
    told = ("equivocation", "block_rejected", "peer_penalised")
    assert [name for name in told if not counts[name]] == []
    honest = simulation.machines[0]
    assert honest.core is not None
    *witnesses, _ = honest.core.chain.state.witnesses.in_order()
    missed = sum(witness.total_missed for witness in witnesses)
    slots = honest.core.chain.state.dynamic.current_aslot * len(witnesses) // 4
    assert (len(witnesses), slots > 20) == (3, True)
    assert missed * 3 <= slots


def scheme(liars: int, fault_s: int) -> Simulation:
    """Four witnesses, of whom some lie, and an attacker that knows all of them."""
    options = replace(FOUR, seed=2, hostile=liars, fault_s=fault_s, required_participation=0)
    faults = (Fault(8_000, "scheme", (1_000 * fault_s,)),)
    return Simulation(Schedule("", options, faults))


def test_an_attacker_with_a_third_of_liars_breaks_finality() -> None:
    """F2, T-W4: else what follows would only show that the attacker is harmless."""
    with pytest.raises(Violation) as caught:
        scheme(2, 60).run()
    assert caught.value.checker == "conflict"


def test_an_attacker_with_fewer_liars_breaks_nothing() -> None:
    """F2, F5, T-W4: it holds back what is missing, cuts off who knows and has liars sign twice."""
    counts = scheme(1, 60).run().counts
    deeds = (
        "votes held back",
        "certificates held back",
        "who knows cut off",
        "leader cut off",
        "double signs",
        "split",
    )
    assert [deed for deed in deeds if not counts[f"scheme {deed}"]] == []


def test_prices_fall_and_witnesses_change_while_the_network_is_in_parts() -> None:
    """F8, S3: margin calls, global settlement and elections on both sides of a line."""
    options = replace(
        FOUR,
        seed=50,
        nodes=3,
        witnesses=3,
        series=1,
        spares=2,
        transactions_per_minute=90,
        drift_ppm=2_000,
        required_participation=0,
    )
    faults = (Fault(18_000, "partition", (0, 0, 1)),)
    counts = Simulation(Schedule("", options, faults)).run().counts
    wanted = ("MarginCallEvent", "GloballySettledEvent", "another voting set")
    assert [name for name in wanted if not counts[f"while parted {name}"]] == []


def test_disks_fill_up_and_fail_and_keep_what_they_like() -> None:
    """T-S2, T-S3, T-S4: nodes end with their disks, and start again from what is left."""
    options = replace(FOUR, flush_ms=1_500, torn=1, crash_every_s=5, disk_every_s=5, flip_every_s=3)
    in_a_write = (Fault(1_000 * at + 300, "crash", (at % 4, 200, 0)) for at in range(20, 50))
    faults = (*Schedule.draw(options).faults, *in_a_write)
    counts = Simulation(Schedule("", options, faults)).run().counts
    wanted = ("disk stops", "writes kept", "fault torn", "blocks damaged", "started anew")
    assert [name for name in wanted if not counts[name]] == []


def test_clocks_of_another_speed_drift_apart() -> None:
    """T-K1: a minute of ten thousand in a million is more than half a second."""
    options = replace(FOUR, drift_ppm=10_000)
    simulation = Simulation(Schedule.draw(options))
    simulation.loop.run_until(60_000)
    shown = [machine.wall_ms for machine in simulation.machines]
    assert max(shown) - min(shown) > 200
