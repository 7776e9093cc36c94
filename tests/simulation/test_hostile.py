"""Nodes that lie happen in the simulated network, and hurt nobody while they are few (S8)."""

from __future__ import annotations

from msgspec.structs import replace

from tests.simulation.faults import LIES
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
    """T-W2, T-W3, T-P1, T-P6, T-P8, T-N5: each kind of lie happens, and each fault is told."""
    options = replace(FOUR, hostile=1, lie_every_s=8, partition_every_s=20)
    counts = Simulation(Schedule.draw(options)).run().counts
    assert [kind for kind in LIES if not counts[f"fault {kind}"]] == []
    assert [deed for deed in DEEDS if not counts[f"hostile {deed}"]] == []
    told = ("equivocation", "block_rejected", "peer_penalised")
    assert [name for name in told if not counts[name]] == []
