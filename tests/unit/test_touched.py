"""What is touched is named once more after each look, whatever session it is touched in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from node.state.objects.accounts import AccountStatistics
from node.state.touched import Touched
from protocol.ids import AccountStatisticsId
from tests.support.chain import TestChain

Look = Callable[[Touched[AccountStatisticsId, AccountStatistics]], object]


@pytest.mark.parametrize("look", [Touched.take, Touched.disregard])
def test_what_changes_again_after_a_look_in_the_same_session_is_named_again(look: Look) -> None:
    """R8.11: maintenance looks in the middle of a block, which may touch the same account later."""
    state = TestChain("alice").chain.state
    touched = Touched(state.statistics)
    figures = state.statistics_of(state.account_named("alice").id)
    state.log.begin()
    state.statistics.edit(figures).pending_fees = 1
    look(touched)
    assert touched.take() == []
    state.statistics.edit(figures).pending_fees = 2
    assert touched.take() == [figures.id]
    state.log.undo()
    assert figures.pending_fees == 0
    assert touched.take() == [figures.id], "what is taken back was touched"


def test_every_kind_of_touch_is_named() -> None:
    """Created, edited, rekeyed and removed objects, and those that are taken back."""
    state = TestChain("alice").chain.state
    touched, alice = Touched(state.balances), state.account_named("alice")
    held = state.balances_of_account.items(alice.id)[0]
    state.log.begin()
    state.balances.rekey(held, lambda item: None)
    assert touched.take() == [held.id]
    state.balances.remove(held)
    assert touched.take() == [held.id]
    state.log.undo()
    assert touched.take() == [held.id]
    assert state.balances.get(held.id) is held
