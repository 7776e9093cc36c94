"""Rankings are what sorting everything would give, whatever was pending, applied or popped."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest

from node.api.directory import ALL_STAKES, Directory
from node.state import rankings
from node.state.database import State
from node.state.objects.base import StateObject
from node.state.rankings import Ranking
from protocol.errors import PegboardError
from tests.support.chain import TestChain

NAMES = tuple(f"trader{number}" for number in range(6))


def sorted_holders(state: State, asset: int) -> list[tuple[int, int]]:
    """The slow twin."""
    held = (item for item in state.balances.in_order() if item.asset_type == asset and item.balance)
    ranked = sorted((-item.balance, item.owner) for item in held)
    return [(-balance, owner) for balance, owner in ranked]


def sorted_stakes(state: State) -> list[tuple[int, int]]:
    """The slow twin."""
    voting = (item for item in state.statistics.in_order() if item.voting_stake)
    ranked = sorted((-item.voting_stake, item.owner) for item in voting)
    return [(-stake, owner) for stake, owner in ranked]


def ranked(directory: Directory) -> list[object]:
    """What the rankings say: for two assets all holders, some and how many; then all stakes."""
    for ranking in (directory.holders, directory.stakes):
        for _ in ranking.catch_up():
            pass
    holders = directory.holders
    found: list[object] = []
    for asset in (0, 1):
        found += [list(holders.ranked(asset, 0, 99)), list(holders.ranked(asset, 2, 3))]
        found.append(holders.count(asset))
    return [*found, list(directory.stakes.ranked(ALL_STAKES, 0, 99))]


def freshly_sorted(state: State) -> list[object]:
    """What they should say."""
    found: list[object] = []
    for asset in (0, 1):
        expected = sorted_holders(state, asset)
        found += [expected, expected[2:5], len(expected)]
    return [*found, sorted_stakes(state)]


@pytest.mark.parametrize("seed", range(6))
def test_rankings_are_those_of_a_fresh_sort(seed: int) -> None:
    """R9.2: pending transactions count, refused ones do not, and blocks of a fork come and go."""
    random = Random(seed)
    chain = TestChain(*NAMES, core=1_000, witnesses=7)
    other = chain.twin()
    chain.block()
    other.follow(chain)
    directory = Directory(chain.state)
    for _ in range(60):
        sender, receiver = random.sample(NAMES, 2)
        action = random.random()
        if action < 0.6:
            with suppress(PegboardError):
                chain.push(chain.transfer(sender, receiver, random.choice((1, 250, 1_000))))
        elif action < 0.8:
            chain.block()
        else:
            other.block(slot=2)
            if other.chain.head_num > chain.chain.head_num:
                for num in range(chain.chain.last_irreversible_num + 1, other.chain.head_num + 1):
                    chain.receive(other.main[num])
            else:
                other.follow(chain)
        if random.random() < 0.5:
            assert ranked(directory) == freshly_sorted(chain.state)
    assert ranked(directory) == freshly_sorted(chain.state)


def test_a_step_moves_few_and_none_is_lost_when_nobody_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step of the main loop is bounded, and what one asker left the next one takes up."""
    monkeypatch.setattr(rankings, "MOVES_A_STEP", 2)
    moved: list[int] = []
    real = Ranking._move

    def counted(self: Ranking[StateObject], instance: int) -> None:
        moved.append(instance)
        real(self, instance)

    monkeypatch.setattr(Ranking, "_move", counted)
    chain = TestChain(*NAMES, core=1_000)
    directory = Directory(chain.state)
    for number in range(5):
        chain.push(chain.transfer(NAMES[number], NAMES[number + 1], 10 + number))
    steps = directory.holders.catch_up()
    next(steps)
    assert len(moved) == 2
    steps.close()
    chain.push(chain.transfer(NAMES[0], NAMES[5], 7))
    for _ in directory.holders.catch_up():
        assert len(moved) <= 2 + 2 * 4
    assert list(directory.holders.ranked(0, 0, 99)) == sorted_holders(chain.state, 0)
    moved.clear()
    for _ in directory.holders.catch_up():
        pytest.fail("nothing moved since")
    assert not moved
