"""Limit orders: placing and cancelling (R2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node.state.context import Context
from node.state.errors import (
    FeatureNotBuilt,
    InsufficientBalance,
    KillUnfilled,
    LimitExceeded,
    MarketBlacklisted,
    MarketNotWhitelisted,
    NoSuchObject,
    OrderExpired,
    OrderNotFound,
    OwnerMismatch,
    ReceivingAssetUnauthorized,
    SellingAssetUnauthorized,
)
from protocol.asset import AssetAmount, Price
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.errors import ValidationError
from protocol.ids import AccountId, AssetId, LimitOrderId, ObjectId
from protocol.operations.account import BLACK_LISTED, AccountWhitelist
from protocol.operations.asset_options import WHITE_LIST
from protocol.operations.limit_order import (
    CreateTakeProfitOrder,
    LimitOrderCancel,
    LimitOrderCreate,
    LimitOrderCreateExtensions,
    LimitOrderUpdate,
)
from tests.support.state import (
    FREE,
    GENESIS_TIME,
    add_asset,
    apply,
    core,
    created,
    issue,
    make_context,
    make_state,
    refuse,
)

ALICE, BOB = AccountId(6), AccountId(7)
TOKEN = AssetId(1)


@pytest.fixture
def ctx() -> Context:
    """Alice has 1000 CORE, bob 1000 CORE and 1000 TOKEN."""
    state = make_state("alice", "bob", core=1000)
    assert add_asset(state, "TOKEN", issuer=BOB) == TOKEN
    issue(state, BOB, token(1000))
    return make_context(state)


def token(amount: int) -> AssetAmount:
    return AssetAmount(amount, TOKEN)


def buy(amount: int, price: int = 1, **changes: object) -> LimitOrderCreate:
    """Alice offers CORE for TOKEN, at most `price` CORE each."""
    op = LimitOrderCreate(FREE, ALICE, core(amount * price), token(amount))
    return replace(op, **changes)  # type: ignore[arg-type]


def sell(amount: int, price: int = 1) -> LimitOrderCreate:
    """Bob offers TOKEN, for at least `price` CORE each."""
    return LimitOrderCreate(FREE, BOB, token(amount), core(amount * price))


def core_in_orders(ctx: Context) -> int:
    return ctx.state.statistics.get(ctx.state.accounts.get(ALICE).statistics).total_core_in_orders


def set_options(ctx: Context, asset_id: AssetId, **changes: object) -> None:
    asset = ctx.state.assets.edit(ctx.state.assets.get(asset_id))
    asset.options = replace(asset.options, **changes)  # type: ignore[arg-type]


def test_an_order_takes_the_amount_out_of_the_balance(ctx: Context) -> None:
    """R2.2: at once, and counted as CORE in orders."""
    result = apply(ctx, buy(100, 3))
    assert result == ObjectId(1, 7, 0)
    order = ctx.state.limit_orders.get(0)
    assert (order.seller, order.for_sale, order.filled_amount) == (ALICE, 300, 0)
    assert order.sell_price == Price(core(300), token(100))
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 700
    assert core_in_orders(ctx) == 300


def test_orders_match_at_once_at_the_older_one_s_price(ctx: Context) -> None:
    """R2.4, R2.5: bob asks 1, alice offers 2, she pays 1 and gets her change back."""
    apply(ctx, sell(100))
    apply(ctx, buy(100, 2))
    assert ctx.state.balance_of(ALICE, TOKEN) == 100
    assert ctx.state.balance_of(BOB, CORE_ASSET) == 1100
    resting = ctx.state.limit_orders.get(1)
    assert resting.for_sale == 100
    assert core_in_orders(ctx) == 100


def test_the_whole_balance_can_be_offered(ctx: Context) -> None:
    """R2.1: insufficient_balance at one more."""
    error = refuse(ctx, InsufficientBalance, buy(1001))
    assert (error.value, error.limit) == (1000, 1001)
    apply(ctx, buy(1000))


def test_an_order_must_not_have_expired(ctx: Context) -> None:
    """R2.1: the parent's time itself is allowed."""
    error = refuse(ctx, OrderExpired, buy(1, expiration=GENESIS_TIME - 1))
    assert (error.value, error.limit) == (GENESIS_TIME - 1, GENESIS_TIME)
    apply(ctx, buy(1, expiration=GENESIS_TIME))


def test_market_lists_are_those_of_the_asset_that_is_sold(ctx: Context) -> None:
    """R2.1: market_not_whitelisted, market_blacklisted."""
    set_options(ctx, TOKEN, whitelist_markets=(AssetId(9),))
    refuse(ctx, MarketNotWhitelisted, sell(1))
    apply(ctx, buy(1))
    set_options(ctx, TOKEN, whitelist_markets=(CORE_ASSET,))
    apply(ctx, sell(1, 5))
    set_options(ctx, TOKEN, whitelist_markets=(), blacklist_markets=(CORE_ASSET,))
    refuse(ctx, MarketBlacklisted, sell(1))


def test_the_seller_may_hold_both_assets(ctx: Context) -> None:
    """R2.1, R2.20: each side has its own reason."""
    set_options(ctx, TOKEN, flags=WHITE_LIST, blacklist_authorities=(BOB,))
    apply(ctx, AccountWhitelist(FREE, BOB, ALICE, BLACK_LISTED))
    refuse(ctx, ReceivingAssetUnauthorized, buy(1))
    issue(ctx.state, ALICE, token(1))
    refuse(ctx, SellingAssetUnauthorized, replace(sell(1), seller=ALICE))
    apply(ctx, sell(1))


def test_fill_or_kill_leaves_nothing_behind(ctx: Context) -> None:
    """R2.9: unfilled or partly filled, the operation fails; filled, it passes."""
    op = buy(100, fill_or_kill=True)
    refuse(ctx, KillUnfilled, op)
    apply(ctx, sell(99))
    assert refuse(ctx, KillUnfilled, op).value == 1
    apply(ctx, sell(1))
    apply(ctx, op)
    assert ctx.state.balance_of(ALICE, TOKEN) == 100
    assert len(ctx.state.limit_orders) == 0


def test_unknown_assets_and_senseless_amounts_are_refused(ctx: Context) -> None:
    """R2.1, R1.1: assets exist and differ, amounts are positive and below the largest supply."""
    refuse(ctx, NoSuchObject, buy(1, min_to_receive=AssetAmount(1, AssetId(9))))
    refuse(ctx, ValidationError, buy(1, min_to_receive=core(1)))
    refuse(ctx, ValidationError, buy(1, min_to_receive=token(0)))
    error = refuse(ctx, LimitExceeded, buy(1, min_to_receive=token(MAX_SUPPLY + 1)))
    assert error.limit == MAX_SUPPLY
    apply(ctx, buy(1, min_to_receive=token(MAX_SUPPLY)))


def test_actions_on_a_fill_are_refused_by_name(ctx: Context) -> None:
    """R2.18: declared, not built."""
    action = CreateTakeProfitOrder(CORE_ASSET, 100, 10_000, 3600, repeat=False)
    extensions = LimitOrderCreateExtensions(on_fill=(action,))
    assert refuse(ctx, FeatureNotBuilt, buy(1, extensions=extensions)).value == "on_fill"


def test_cancelling_refunds_what_is_left(ctx: Context) -> None:
    """R2.11: the answer is the refund; the order is gone."""
    order = LimitOrderId(created(apply(ctx, buy(100))))
    apply(ctx, sell(30))
    assert apply(ctx, LimitOrderCancel(FREE, ALICE, order)) == core(70)
    assert ctx.state.limit_orders.find(order) is None
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 970
    assert core_in_orders(ctx) == 0


def test_only_the_owner_cancels_and_only_once(ctx: Context) -> None:
    """R2.11: owner_mismatch, nonexist_order."""
    order = LimitOrderId(created(apply(ctx, buy(100))))
    error = refuse(ctx, OwnerMismatch, LimitOrderCancel(FREE, BOB, order))
    assert (error.value, error.limit) == ("1.2.7", "1.2.6")
    apply(ctx, LimitOrderCancel(FREE, ALICE, order))
    refuse(ctx, OrderNotFound, LimitOrderCancel(FREE, ALICE, order))


def test_orders_are_not_changed(ctx: Context) -> None:
    """R2.17: declared, not built."""
    op = LimitOrderUpdate(FREE, ALICE, LimitOrderId(0), new_expiration=GENESIS_TIME + 1)
    refuse(ctx, FeatureNotBuilt, op)
