"""Under which conditions drawn networks and attacks look for planted bugs."""

from __future__ import annotations

from tests.simulation.finality import Attack
from tests.simulation.options import DEALINGS

CALM_KEYS = Attack(0, moving_keys=False)
PARTED = Attack(0, parts_sets=True, slots=30)
SPLITS = (("partition_every_s", 10), ("crash_every_s", 0), ("paranoid", 0), ("fault_s", 120))
TRADE = (("transactions_per_minute", 120), ("paranoid", 0))
INVARIANT = ("InvariantViolated", "stopped", "one state")
LIARS = (("hostile", 1), ("lie_every_s", 5), ("paranoid", 0), ("fault_s", 90))
REFUSAL = ("refusal",)


def dealing(kind: str, matched: int = 0) -> tuple[tuple[str, int], ...]:
    """A network whose people deal in one of the kinds of `DEALINGS` beside their daily life."""
    return (*TRADE, *((name, int(name == kind)) for name in DEALINGS), ("matched", matched))
