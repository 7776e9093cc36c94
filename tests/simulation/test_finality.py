"""No two honest nodes call different blocks irreversible (T-W4); `bugs` has the planted ones."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.simulation.finality import Attack, run_seeds

PARTED = Attack(0, parts_sets=True, slots=30)
BATCH = 8
"""Seeds of each attack."""


@pytest.mark.parametrize(
    "attack",
    [
        Attack(0, moving_keys=False),
        Attack(0, moving_keys=False, liars=0),
        Attack(0, moving_keys=False, liars=0, losers=1),
        Attack(0, moving_keys=False, losers=1),
        Attack(0, moving_keys=False, clock_steps=True),
        Attack(0, moving_keys=False, witnesses=7, liars=2, clock_steps=True, slots=40),
    ],
    ids=str,
)
def test_fewer_liars_than_a_third_break_nothing(attack: Attack) -> None:
    """S3, T-W4, F1 to F7: nothing conflicts, and it goes on within three rounds of healing."""
    assert run_seeds(attack, range(BATCH)) == []


@pytest.mark.parametrize(
    ("attack", "seeds"),
    [
        (Attack(0), (1, 2)),
        (Attack(0, liars=0), (2,)),
        (PARTED, (1, 9)),
        (Attack(0, losers=1), (4,)),
    ],
    ids=str,
)
def test_sets_that_are_replaced_on_some_forks_break_nothing(
    attack: Attack, seeds: Sequence[int]
) -> None:
    """T-W6, T-W4, F8: all keys move, on both sides of partitions, at maintenance."""
    assert run_seeds(attack, seeds) == []
