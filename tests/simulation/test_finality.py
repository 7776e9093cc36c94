"""No two honest nodes call different blocks irreversible; and each planted bug is found (T-W4)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from node.chain import finality, vote_pool
from node.chain.fork_database import ForkItem
from node.state.objects.finality import Finality, VotingSet
from protocol.genesis import FINALITY_BITSHARES
from tests.simulation.finality import Attack, run_seeds

PARTED = Attack(0, parts_sets=True, slots=30)
BATCH = 8
"""Seeds of each attack."""
SEEDS_TO_FIND = 64
"""Of which one at least must find what was planted."""


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
    """T-W4, F1 to F7: nothing conflicts, and it goes on within three rounds after the healing."""
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
    """T-W4, F8: all keys move, on both sides of partitions, at maintenance."""
    assert run_seeds(attack, seeds) == []


def found_by(attack: Attack, checker: str = "conflict") -> bool:
    """Whether a batch of seeds, from the attack's own on, finds what was planted."""
    seeds = range(attack.seed, attack.seed + SEEDS_TO_FIND)
    return any(run_seeds(attack, [seed]) == [(seed, checker)] for seed in seeds)


def test_the_rule_of_bitshares_is_found() -> None:
    """R8.8, F10: honest witnesses alone break it."""
    assert found_by(Attack(0, liars=0, moving_keys=False, finality=FINALITY_BITSHARES))


def test_a_third_of_liars_is_found() -> None:
    """F2: the promise ends there, and the attacker is able to show it."""
    assert found_by(Attack(0, liars=2, moving_keys=False))


def test_a_record_of_votes_that_is_not_kept_is_found() -> None:
    """F5: a restarted node that knows of no vote votes again."""
    assert found_by(Attack(40, moving_keys=False, has_records=False, losers=4, slots=120))


def test_a_quorum_of_half_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """F2: two halves share nobody."""
    monkeypatch.setattr(finality, "quorum_of", lambda count: max(1, count // 2))
    assert found_by(Attack(0, moving_keys=False))


def test_fork_choice_by_length_alone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """F6: those who know more justified blocks cannot vote for a longer chain that has fewer."""
    monkeypatch.setattr(ForkItem, "rank", property(lambda item: (0, item.num)))
    assert found_by(Attack(0, moving_keys=False), "liveness")


def newest_alone(found: Finality, target_num: int) -> Sequence[VotingSet]:
    """`needed_sets` that asks the newest set alone."""
    return found.sets[-1:]


def test_a_new_set_without_the_old_one_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """F8: two forks with sets of their own each make a block irreversible."""
    monkeypatch.setattr(finality, "needed_sets", newest_alone)
    monkeypatch.setattr(vote_pool, "needed_sets", newest_alone)
    assert found_by(Attack(0))


def oldest_alone(found: Finality, target_num: int) -> Sequence[VotingSet]:
    """`needed_sets` that asks the old set alone until there is evidence."""
    return found.sets[:1]


def test_an_old_set_without_the_new_one_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """F8: a fork with the evidence asks the new set, one that has split off before it the old."""
    monkeypatch.setattr(finality, "needed_sets", oldest_alone)
    monkeypatch.setattr(vote_pool, "needed_sets", oldest_alone)
    assert found_by(PARTED)
