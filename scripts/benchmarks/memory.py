"""(e) Bytes of an account, an order and a position."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

from node.state.database import State
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET
from protocol.ids import AssetId
from protocol.msgpack_form import pack_document
from protocol.operations.limit_order import LimitOrderCreate
from tests.support.state import (
    add_bitasset,
    add_position,
    apply,
    make_context,
    make_state,
    set_feed,
)

from .measure import print_value

COUNT = 5_000


def bench_memory() -> None:
    """(e): what a restored snapshot holds, with and without 5,000 of each."""
    none = _allocated(_state(0, _nothing))
    accounts = _allocated(_state(COUNT, _nothing))
    orders = _allocated(_state(COUNT, _place_order))
    positions = _allocated(_state(COUNT, _open_position))
    for what, before, after in (
        ("account, with statistics and a balance of CORE", none, accounts),
        ("limit order", accounts, orders),
        ("position, with a balance of its BitAsset", accounts, positions),
    ):
        print_value("e", what, f"{(after - before) / COUNT:,.0f} bytes")


def _allocated(state: State) -> int:
    """Bytes of a state as a node loads it: nothing is shared that is not shared there."""
    snapshot = pack_document(state.dump())
    gc.collect()
    tracemalloc.start()
    kept = State.read(snapshot)
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept.accounts.rows
    return size


def _state(accounts: int, change: Callable[[State, AssetId, int], object]) -> State:
    """Accounts with CORE, one BitAsset with a feed, and one change for each account."""
    state = make_state(*(f"account{number}" for number in range(accounts)), core=10**9)
    state.log.begin()
    usd = add_bitasset(state, "USD")
    set_feed(state, usd, 1, 10)
    for number in range(accounts):
        change(state, usd, number)
    state.log.finish()
    return state


def _nothing(state: State, usd: AssetId, number: int) -> None:
    """Leave the account as it is."""


def _place_order(state: State, usd: AssetId, number: int) -> None:
    seller = state.account_named(f"account{number}").id
    sold, wanted = AssetAmount(10_000 + number, CORE_ASSET), AssetAmount(1_000, usd)
    apply(make_context(state), LimitOrderCreate(NO_FEE, seller, sold, wanted))


def _open_position(state: State, usd: AssetId, number: int) -> None:
    add_position(state, state.account_named(f"account{number}").id, usd, 1_000 + number, 10**6)
