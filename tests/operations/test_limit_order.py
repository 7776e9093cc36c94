"""Limit orders: placing, changing and cancelling (R2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from node.chain.invariants import check_all
from node.market.order_book import expire_orders
from node.state.context import Context
from node.state.errors import (
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
    TooSmall,
    TransactionRejected,
    WrongAssetType,
)
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.errors import PriceOverflow, ValidationError
from protocol.fee_schedule import FlatFee
from protocol.fees import ZERO_FEE_SCHEDULE, with_parameters
from protocol.ids import AssetId, LimitOrderId, ObjectId
from protocol.operations.account import BLACK_LISTED, AccountWhitelist
from protocol.operations.asset import AssetFundFeePool
from protocol.operations.asset_options import WHITE_LIST
from protocol.operations.base import Operation
from protocol.operations.limit_order import (
    LimitOrderCancel,
    LimitOrderCreate,
    LimitOrderUpdate,
)
from protocol.operations.results import VoidResult
from tests.support.state import (
    add_asset,
    apply,
    core,
    created,
    expect,
    issue,
    make_context,
    make_state,
)
from tests.support.world import ALICE, BOB, GENESIS_TIME

TOKEN = AssetId(1)


@pytest.fixture
def ctx() -> Context:
    """Alice has 1000 CORE, bob 1000 CORE and 1000 TOKEN."""
    return fresh_context()


def fresh_context() -> Context:
    state = make_state("alice", "bob", core=1000)
    assert add_asset(state, "TOKEN", issuer=BOB) == TOKEN
    issue(state, BOB, token(1000))
    return make_context(state)


def token(amount: int) -> AssetAmount:
    return AssetAmount(amount, TOKEN)


def buy(amount: int, price: int = 1, **changes: object) -> LimitOrderCreate:
    """Alice offers CORE for TOKEN, at most `price` CORE each."""
    op = LimitOrderCreate(NO_FEE, ALICE, core(amount * price), token(amount))
    return replace(op, **changes)


def sell(amount: int, price: int = 1) -> LimitOrderCreate:
    """Bob offers TOKEN, for at least `price` CORE each."""
    return LimitOrderCreate(NO_FEE, BOB, token(amount), core(amount * price))


def core_in_orders(ctx: Context) -> int:
    return ctx.state.statistics_of(ALICE).total_core_in_orders


def set_options(ctx: Context, asset_id: AssetId, **changes: object) -> None:
    asset = ctx.state.assets.edit(ctx.state.assets.get(asset_id))
    asset.options = replace(asset.options, **changes)


def test_an_order_takes_the_amount_out_of_the_balance(ctx: Context) -> None:
    """R2.2: at once, and counted as CORE in orders."""
    result = apply(ctx, buy(100, 3))
    assert result == ObjectId(1, 7, 0)
    order = ctx.state.limit_orders.get(LimitOrderId(0))
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
    resting = ctx.state.limit_orders.get(LimitOrderId(1))
    assert resting.for_sale == 100
    assert core_in_orders(ctx) == 100


def test_the_whole_balance_can_be_offered(ctx: Context) -> None:
    """R2.1: insufficient_balance at one more."""
    error = expect(ctx, InsufficientBalance, buy(1001))
    assert (error.value, error.limit) == (1000, 1001)
    apply(ctx, buy(1000))


def test_an_order_must_not_have_expired(ctx: Context) -> None:
    """R2.1: the parent's time itself is allowed."""
    error = expect(ctx, OrderExpired, buy(1, expiration=GENESIS_TIME - 1))
    assert (error.value, error.limit) == (GENESIS_TIME - 1, GENESIS_TIME)
    apply(ctx, buy(1, expiration=GENESIS_TIME))


def test_market_lists_are_those_of_the_asset_that_is_sold(ctx: Context) -> None:
    """R2.1: market_not_whitelisted, market_blacklisted."""
    set_options(ctx, TOKEN, whitelist_markets=(AssetId(9),))
    expect(ctx, MarketNotWhitelisted, sell(1))
    apply(ctx, buy(1))
    set_options(ctx, TOKEN, whitelist_markets=(CORE_ASSET,))
    apply(ctx, sell(1, 5))
    set_options(ctx, TOKEN, whitelist_markets=(), blacklist_markets=(CORE_ASSET,))
    expect(ctx, MarketBlacklisted, sell(1))


def test_the_seller_may_hold_both_assets(ctx: Context) -> None:
    """R2.1, R2.20: each side has its own reason."""
    set_options(ctx, TOKEN, flags=WHITE_LIST, blacklist_authorities=(BOB,))
    apply(ctx, AccountWhitelist(NO_FEE, BOB, ALICE, BLACK_LISTED))
    expect(ctx, ReceivingAssetUnauthorized, buy(1))
    issue(ctx.state, ALICE, token(1))
    expect(ctx, SellingAssetUnauthorized, replace(sell(1), seller=ALICE))
    apply(ctx, sell(1))


def test_fill_or_kill_leaves_nothing_behind(ctx: Context) -> None:
    """R2.9: unfilled or partly filled, the operation fails; filled, it passes."""
    op = buy(100, fill_or_kill=True)
    expect(ctx, KillUnfilled, op)
    apply(ctx, sell(99))
    assert expect(ctx, KillUnfilled, op).value == 1
    apply(ctx, sell(1))
    apply(ctx, op)
    assert ctx.state.balance_of(ALICE, TOKEN) == 100
    assert len(ctx.state.limit_orders) == 0


def test_unknown_assets_and_senseless_amounts_are_refused(ctx: Context) -> None:
    """R2.1, R1.1: assets exist and differ, amounts are positive and below the largest supply."""
    expect(ctx, NoSuchObject, buy(1, min_to_receive=AssetAmount(1, AssetId(9))))
    expect(ctx, ValidationError, buy(1, min_to_receive=core(1)))
    expect(ctx, ValidationError, buy(1, min_to_receive=token(0)))
    error = expect(ctx, LimitExceeded, buy(1, min_to_receive=token(MAX_SUPPLY + 1)))
    assert error.limit == MAX_SUPPLY
    apply(ctx, buy(1, min_to_receive=token(MAX_SUPPLY)))


def test_cancelling_refunds_what_is_left(ctx: Context) -> None:
    """R2.11: the answer is the refund; the order is gone."""
    order = LimitOrderId(created(apply(ctx, buy(100))))
    apply(ctx, sell(30))
    assert apply(ctx, LimitOrderCancel(NO_FEE, ALICE, order)) == core(70)
    assert ctx.state.limit_orders.find(order) is None
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 970
    assert core_in_orders(ctx) == 0


def test_only_the_owner_cancels_and_only_once(ctx: Context) -> None:
    """R2.11: owner_mismatch, nonexist_order."""
    order = LimitOrderId(created(apply(ctx, buy(100))))
    error = expect(ctx, OwnerMismatch, LimitOrderCancel(NO_FEE, BOB, order))
    assert (error.value, error.limit) == ("1.2.7", "1.2.6")
    apply(ctx, LimitOrderCancel(NO_FEE, ALICE, order))
    expect(ctx, OrderNotFound, LimitOrderCancel(NO_FEE, ALICE, order))


def update(order: int, **changes: object) -> LimitOrderUpdate:
    """Alice changes an order."""
    return LimitOrderUpdate(NO_FEE, ALICE, LimitOrderId(order), **changes)  # type: ignore[arg-type]


def test_more_can_be_offered_in_an_order(ctx: Context) -> None:
    """R2.17: the difference moves between balance and order, at the order's price."""
    order = created(apply(ctx, buy(100, 3)))
    assert apply(ctx, update(order, delta_amount_to_sell=core(60))) == VoidResult()
    changed = ctx.state.limit_orders.get(LimitOrderId(order))
    assert (changed.for_sale, changed.sell_price) == (360, Price(core(300), token(100)))
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 640
    assert core_in_orders(ctx) == 360
    apply(ctx, update(order, delta_amount_to_sell=core(-359), new_price=Price(core(1), token(1))))
    assert (changed.for_sale, core_in_orders(ctx)) == (1, 1)
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 999


def test_a_new_price_changes_the_place_in_the_book(ctx: Context) -> None:
    """R2.17, R2.3: best price first, then the older order; undone with the rest."""
    first, second = (created(apply(ctx, buy(10, price))) for price in (3, 2))
    market = (CORE_ASSET, TOKEN)

    def book() -> list[int]:
        return [order.id for order in ctx.state.book.items(market)]

    assert book() == [first, second]
    ctx.state.log.begin()
    apply(ctx, update(second, new_price=Price(core(20), token(5))))
    assert book() == [second, first]
    apply(ctx, update(second, new_price=Price(core(6), token(2))))
    assert book() == [first, second]
    ctx.state.log.undo()
    assert book() == [first, second]
    assert ctx.state.limit_orders.get(LimitOrderId(second)).sell_price == Price(core(20), token(10))


def test_an_order_expires_when_its_update_says(ctx: Context) -> None:
    """R2.17, R2.10: also after the update was undone."""
    first, second = created(apply(ctx, buy(10))), created(apply(ctx, buy(10)))
    ctx.state.log.begin()
    apply(ctx, update(first, new_expiration=GENESIS_TIME + 9))
    ctx.state.log.undo()
    apply(ctx, update(second, new_expiration=GENESIS_TIME + 9))
    ctx.now = GENESIS_TIME + 9
    expire_orders(ctx)
    assert [order.id for order in ctx.state.limit_orders.in_order()] == [first]


def test_a_changed_order_is_matched_anew(ctx: Context) -> None:
    """R2.17, R2.5: it is the taker, at the resting order's price."""
    apply(ctx, sell(100, 4))
    order = created(apply(ctx, buy(100, 3)))
    apply(ctx, update(order, new_price=Price(core(300), token(60))))
    assert ctx.state.limit_orders.find(LimitOrderId(order)) is None
    assert ctx.state.balance_of(ALICE, TOKEN) == 75
    assert ctx.state.balance_of(BOB, CORE_ASSET) == 1300
    assert ctx.state.limit_orders.get(LimitOrderId(0)).for_sale == 25
    check_all(ctx.state)


def test_only_the_owner_changes_an_order(ctx: Context) -> None:
    """R2.17: as with a cancel."""
    order = created(apply(ctx, buy(100)))
    later = update(order, new_expiration=GENESIS_TIME + 1)
    error = expect(ctx, OwnerMismatch, replace(later, seller=BOB))
    assert (error.value, error.limit) == ("1.2.7", "1.2.6")
    expect(ctx, OrderNotFound, update(order + 1, new_expiration=GENESIS_TIME + 1))
    apply(ctx, later)
    error_of_time = expect(ctx, OrderExpired, update(order, new_expiration=GENESIS_TIME - 1))
    assert (error_of_time.value, error_of_time.limit) == (GENESIS_TIME - 1, GENESIS_TIME)


def test_a_new_price_stays_within_its_market_and_its_amounts(ctx: Context) -> None:
    """R2.17: same assets; base at most max(for_sale, old base) + delta; quote can exist."""
    order = created(apply(ctx, buy(100, 3)))
    apply(ctx, sell(90, 3))
    assert ctx.state.limit_orders.get(LimitOrderId(order)).for_sale == 30
    expect(ctx, WrongAssetType, update(order, new_price=Price(token(1), core(1))))
    wide = Price(core(301), token(200))
    error = expect(ctx, LimitExceeded, update(order, new_price=wide))
    assert (error.value, error.limit) == (301, 300)
    huge = Price(core(1), token(MAX_SUPPLY + 1))
    assert expect(ctx, LimitExceeded, update(order, new_price=huge)).limit == MAX_SUPPLY
    apply(ctx, update(order, new_price=wide, delta_amount_to_sell=core(1)))
    assert ctx.state.limit_orders.get(LimitOrderId(order)).sell_price == wide


def test_a_change_leaves_an_order_that_is_worth_something(ctx: Context) -> None:
    """R2.17: not all is taken, the rest is no dust, and its worth can exist (R1.4)."""
    order = created(apply(ctx, buy(10, 3)))
    less = update(order, delta_amount_to_sell=core(-30))
    error = expect(ctx, LimitExceeded, less)
    assert (error.value, error.limit) == (30, 29)
    assert expect(ctx, TooSmall, replace(less, delta_amount_to_sell=core(-28))).value == 2
    expect(ctx, WrongAssetType, replace(less, delta_amount_to_sell=token(1)))
    more = replace(less, delta_amount_to_sell=core(971))
    shortage = expect(ctx, InsufficientBalance, more)
    assert (shortage.value, shortage.limit) == (970, 971)
    apply(ctx, replace(less, delta_amount_to_sell=core(-27)))
    dear = replace(less, delta_amount_to_sell=None, new_price=Price(core(3), token(MAX_SUPPLY)))
    apply(ctx, dear)
    expect(ctx, PriceOverflow, replace(less, delta_amount_to_sell=core(1)))


def test_who_may_not_trade_here_any_more_may_not_change_an_order(ctx: Context) -> None:
    """R2.17, R2.1, R2.20: the same lists as for a new order."""
    order = created(apply(ctx, buy(100)))
    change = update(order, delta_amount_to_sell=core(1))
    set_options(ctx, CORE_ASSET, blacklist_markets=(TOKEN,))
    expect(ctx, MarketBlacklisted, change)
    set_options(ctx, CORE_ASSET, blacklist_markets=())
    set_options(ctx, TOKEN, flags=WHITE_LIST, blacklist_authorities=(BOB,))
    apply(ctx, AccountWhitelist(NO_FEE, BOB, ALICE, BLACK_LISTED))
    expect(ctx, ReceivingAssetUnauthorized, change)


def test_an_update_names_something(ctx: Context) -> None:
    """R2.17, T1: an empty list of actions is something."""
    order = created(apply(ctx, buy(100)))
    expect(ctx, ValidationError, update(order))
    expect(ctx, ValidationError, update(order, delta_amount_to_sell=core(0)))
    apply(ctx, update(order, on_fill=()))


@pytest.mark.parametrize(("cancel", "charged"), [(8, 2), (19, 4), (400, 40)])
def test_an_update_settles_the_old_fee_and_defers_its_own(
    ctx: Context, cancel: int, charged: int
) -> None:
    """R2.17: floor(cancel * update / create) of the old fee, at most all of it, is charged."""
    set_fees(ctx, create=40, cancel=cancel, update=10)
    order = created(apply(ctx, buy(100, fee=core(40))))
    apply(ctx, replace(update(order, new_expiration=GENESIS_TIME + 1), fee=core(10)))
    assert ctx.state.limit_orders.get(LimitOrderId(order)).deferred_fee == 10
    statistics = ctx.state.statistics_of(ALICE)
    assert statistics.pending_fees + statistics.pending_vested_fees == charged
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 1000 - 100 - charged - 10
    check_all(ctx.state)


def test_fees_of_an_update_in_another_asset(ctx: Context) -> None:
    """R2.17, R2.13: ceil(paid * charged / deferred) stays, the pool has the rest back."""
    set_fees(ctx, create=40, cancel=8, update=10)
    set_options(ctx, TOKEN, core_exchange_rate=Price(token(3), core(2)))
    issue(ctx.state, ALICE, token(100))
    apply(ctx, AssetFundFeePool(NO_FEE, BOB, TOKEN, 60))
    order = created(apply(ctx, buy(100, fee=token(61))))
    assert ctx.state.limit_orders.get(LimitOrderId(order)).deferred_fee == 40
    apply(ctx, replace(update(order, new_expiration=GENESIS_TIME + 1), fee=token(15)))
    changed = ctx.state.limit_orders.get(LimitOrderId(order))
    assert (changed.deferred_fee, changed.deferred_paid_fee) == (10, token(15))
    figures = ctx.state.figures_of(TOKEN)
    assert (figures.fee_pool, figures.accumulated_fees) == (60 - 10 - 2, 4)
    assert ctx.state.balance_of(ALICE, TOKEN) == 100 - 15 - 4
    check_all(ctx.state)


def set_fees(ctx: Context, *, create: int, cancel: int, update: int) -> None:
    """What the three operations cost, in CORE."""
    schedule = replace(ZERO_FEE_SCHEDULE, scale=10_000)
    for number, fee in ((1, create), (2, cancel), (77, update)):
        schedule = with_parameters(schedule, number, FlatFee(fee))
    properties = ctx.state.global_properties.edit(ctx.state.properties)
    properties.parameters = replace(properties.parameters, current_fees=schedule)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("buy", "sell", "update", "cancel")),
        st.integers(0, 9),
        st.integers(1, 9),
        st.integers(1, 9),
        st.integers(-9, 9),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_random_orders_updates_and_cancels_keep_the_books(
    steps: list[tuple[str, int, int, int, int]],
) -> None:
    """R2.17, I1, I2, I5-I7, I16: after every step; and undoing all gives the state back."""
    ctx = fresh_context()
    set_fees(ctx, create=7, cancel=5, update=3)
    before = ctx.state.state_hash()
    ctx.state.log.begin()
    for kind, pick, amount, price, delta in steps:
        for op in random_operation(ctx, kind, pick, amount, price, delta):
            with suppress(TransactionRejected, ValidationError):
                apply(ctx, op)
        check_all(ctx.state)
    ctx.state.log.undo()
    assert ctx.state.state_hash() == before
    check_all(ctx.state)


def random_operation(
    ctx: Context, kind: str, pick: int, amount: int, price: int, delta: int
) -> Iterator[Operation]:
    """An operation on both sides' orders, of small numbers, so that much of it crosses."""
    orders = list(ctx.state.limit_orders.in_order())
    if kind == "buy":
        yield buy(amount, price, fee=core(7))
    elif kind == "sell":
        yield replace(sell(amount, price), fee=core(7))
    elif orders:
        order = orders[pick % len(orders)]
        if kind == "cancel":
            yield LimitOrderCancel(core(5), order.seller, order.id)
            return
        quote = AssetAmount(price, order.receives)
        yield LimitOrderUpdate(
            core(3),
            order.seller,
            order.id,
            new_price=Price(AssetAmount(amount, order.sells), quote) if pick % 3 else None,
            delta_amount_to_sell=AssetAmount(delta, order.sells) if delta else None,
            new_expiration=GENESIS_TIME + pick,
        )
