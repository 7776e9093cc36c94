"""What a state that is read holds once: bytes of a large state, not rules."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.state.database import State
from protocol import msgpack_read
from protocol.constants import CORE_ASSET
from protocol.ids import AccountId
from protocol.msgpack_form import pack_document
from tests.support.market import make_market
from tests.support.state import make_state


def read_again(state: State) -> State:
    return State.read(pack_document(state.dump()))


def test_a_state_that_is_read_holds_equal_values_of_an_account_once() -> None:
    """T-R3: keys, authorities, names and the account's own number, across its three objects."""
    state = make_state(*(f"account{number}" for number in range(300)), core=10**9)
    found = read_again(state)
    assert found.state_hash() == state.state_hash()
    account = found.account_named("account299")
    figures, [held] = found.statistics_of(account.id), found.balances_of_account.items(account.id)
    assert account.id > 256, "smaller numbers are shared by Python"
    assert account.owner is account.active
    assert account.options.memo_key is account.active.key_auths[0][0]
    assert figures.name is account.name
    for number in (account.registrar, account.statistics, figures.id, figures.owner, held.owner):
        assert number is account.id
    other = found.account_named("account298")
    assert other.creation_time is account.creation_time
    assert other.owner is not account.owner


def test_values_of_two_types_are_not_taken_for_each_other() -> None:
    """I18: 1 equals True and 0 equals False, but they are written in other bytes."""
    market = make_market()
    market.set_options(feed_lifetime_sec=1, minimum_feeds=1)
    data = market.state.bitassets.edit(market.data)
    data.is_prediction_market, data.force_settled_volume = True, 1
    market.state.log.finish()
    found = read_again(market.state)
    data = found.bitassets.get(data.id)
    assert data.is_prediction_market is True
    assert type(data.force_settled_volume) is int
    assert found.state_hash() == market.state.state_hash()


def test_a_state_is_read_right_when_much_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """I18: what is known is limited, and numbers above a limit stay as they are."""
    state = make_state("alice", "bob", core=10**9)
    account = state.accounts.edit(state.accounts.get(AccountId(3)))
    account.options = replace(account.options, num_witness=1)
    monkeypatch.setattr(msgpack_read, "REMEMBERED", 2)
    monkeypatch.setattr(msgpack_read, "NUMBERS", 4)
    found = read_again(state)
    assert found.state_hash() == state.state_hash()
    alice = found.account_named("alice").id
    assert found.balance_of(alice, CORE_ASSET) == 10**9
