"""Take profit orders: what a fill sells again, at which price and fee, and when orders part."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from node.chain.invariants import check_all
from node.chain.invariants_incremental import check_block
from node.market.order_book import expire_orders
from node.market.take_profit import link
from node.state.context import AppliedOperation, Context
from node.state.errors import (
    InvariantViolated,
    LimitExceeded,
    MarketBlacklisted,
    MarketNotWhitelisted,
    NoSuchObject,
    OrderExpired,
    OrderNotFound,
    OwnerMismatch,
    ReceivingAssetUnauthorized,
    TooSmall,
    TransactionRejected,
    WrongAssetType,
)
from node.state.objects.market import LimitOrder
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.errors import ValidationError
from protocol.fee_schedule import FlatFee
from protocol.fees import ZERO_FEE_SCHEDULE, with_parameters
from protocol.ids import AccountId, AssetId, LimitOrderId, ObjectId
from protocol.json_form import to_json
from protocol.operations.account import BLACK_LISTED, AccountWhitelist
from protocol.operations.asset import AssetFundFeePool
from protocol.operations.asset_options import CHARGE_MARKET_FEE, WHITE_LIST
from protocol.operations.base import Operation
from protocol.operations.limit_order import (
    CreateTakeProfitOrder,
    FillOrder,
    LimitOrderCancel,
    LimitOrderCreate,
    LimitOrderCreateExtensions,
    LimitOrderUpdate,
)
from protocol.operations.results import VoidResult
from protocol.schema import MAX_TIMESTAMP
from tests.support.market import make_market
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
from tests.support.world import ALICE, BOB, CAROL, GENESIS_TIME

TOKEN = AssetId(1)
EACH = 10_000
DAY = 86_400


def fresh_context() -> Context:
    """Alice, bob and carol have 10,000 CORE and TOKEN each."""
    state = make_state("alice", "bob", "carol", core=EACH)
    assert add_asset(state, "TOKEN", issuer=CAROL) == TOKEN
    for account in (ALICE, BOB, CAROL):
        issue(state, account, token(EACH))
    return make_context(state)


@pytest.fixture
def ctx() -> Context:
    return fresh_context()


def token(amount: int) -> AssetAmount:
    return AssetAmount(amount, TOKEN)


def action(**changes: Any) -> CreateTakeProfitOrder:
    """All of it again, 5 % dearer, within a day."""
    return replace(CreateTakeProfitOrder(CORE_ASSET, 500, 10_000, DAY, repeat=False), **changes)


def place(
    seller: AccountId, sold: AssetAmount, wanted: AssetAmount, *actions: CreateTakeProfitOrder
) -> LimitOrderCreate:
    extensions = LimitOrderCreateExtensions(actions or None)
    return LimitOrderCreate(NO_FEE, seller, sold, wanted, extensions=extensions)


def rest(ctx: Context, op: LimitOrderCreate) -> LimitOrder:
    """Place an order that rests."""
    return ctx.state.limit_orders.get(LimitOrderId(created(apply(ctx, op))))


def update(order: LimitOrder, **changes: Any) -> LimitOrderUpdate:
    op = LimitOrderUpdate(NO_FEE, order.seller, LimitOrderId(order.id))
    return replace(op, **changes)


def told(ctx: Context, op: Operation) -> list[AppliedOperation]:
    """Apply an operation; what it caused."""
    before = len(ctx.applied)
    apply(ctx, op)
    return ctx.applied[before:]


def linked(ctx: Context, order: LimitOrder) -> LimitOrder:
    """The order that one is linked with."""
    assert order.take_profit_order_id is not None
    return ctx.state.limit_orders.get(order.take_profit_order_id)


def set_fees(ctx: Context, *, create: int, change: int) -> None:
    schedule = replace(ZERO_FEE_SCHEDULE, scale=10_000)
    for number, fee in ((1, create), (77, change)):
        schedule = with_parameters(schedule, number, FlatFee(fee))
    properties = ctx.state.global_properties.edit(ctx.state.properties)
    properties.parameters = replace(properties.parameters, current_fees=schedule)


def set_options(ctx: Context, asset_id: AssetId, **changes: object) -> None:
    asset = ctx.state.assets.edit(ctx.state.assets.get(asset_id))
    asset.options = replace(asset.options, **changes)


def balances(ctx: Context, account: AccountId) -> tuple[int, int]:
    return ctx.state.balance_of(account, CORE_ASSET), ctx.state.balance_of(account, TOKEN)


def test_a_part_is_sold_again_and_linked(ctx: Context) -> None:
    """T2, T3, T4, T8: 100 CORE buy 50 TOKEN at 2; they are offered for ceil(50 * 2 * 1.05)."""
    order = rest(ctx, place(ALICE, core(300), token(150), action()))
    paid, received, record = told(ctx, place(BOB, token(50), core(100)))
    assert isinstance(paid.op, FillOrder)
    assert isinstance(received.op, FillOrder)
    assert record.is_virtual
    assert record.op == LimitOrderCreate(
        NO_FEE, ALICE, token(50), core(105), GENESIS_TIME + DAY, fill_or_kill=False
    )
    assert record.result == ObjectId(1, 7, 2)
    other = linked(ctx, order)
    assert (other.id, linked(ctx, other), other.on_fill) == (2, order, ())
    assert (order.for_sale, order.on_fill) == (200, (action(),))
    assert balances(ctx, ALICE) == (EACH - 300, EACH)
    assert to_json(order, "TEST")["on_fill"] == [  # type: ignore[index,call-overload]
        [0, {"fee_asset_id": "1.3.0", "spread_percent": 500, "size_percent": 10_000,
             "expiration_seconds": DAY, "repeat": False, "extensions": []}]
    ]  # fmt: skip
    check_all(ctx.state)


def test_more_fills_raise_the_younger_order(ctx: Context) -> None:
    """T4: by what they bring, at a price of all that is then for sale; the time begins anew."""
    order = rest(ctx, place(ALICE, core(300), token(150), action()))
    apply(ctx, place(BOB, token(33), core(66)))
    first = linked(ctx, order)
    assert first.sell_price == Price(token(33), core(70)), "ceil(69.3)"
    ctx.now += 60
    record = told(ctx, place(BOB, token(20), core(40)))[-1]
    assert record.op == LimitOrderUpdate(
        NO_FEE, ALICE, LimitOrderId(first.id), Price(token(53), core(112)), token(20),
        GENESIS_TIME + 60 + DAY,
    )  # fmt: skip
    assert record.result == VoidResult()
    assert linked(ctx, order) is first
    assert (first.for_sale, first.expiration) == (53, GENESIS_TIME + 60 + DAY)
    assert first.take_profit_order_id == order.id
    check_all(ctx.state)


def test_a_repeating_action_goes_to_and_fro(ctx: Context) -> None:
    """T4: what came out of an order raises it at its own price, when it is filled in turn."""
    order = rest(ctx, place(ALICE, core(300), token(150), action(repeat=True)))
    apply(ctx, place(BOB, token(50), core(100)))
    young = linked(ctx, order)
    assert young.on_fill == (action(repeat=True),)
    record = told(ctx, place(CAROL, core(42), token(20)))[-1]
    assert record.op == LimitOrderUpdate(
        NO_FEE, ALICE, LimitOrderId(order.id), None, core(42), GENESIS_TIME + DAY
    )
    assert (order.for_sale, order.sell_price) == (242, Price(core(300), token(150)))
    assert linked(ctx, young) is order
    check_all(ctx.state)


def test_a_whole_fill_leaves_the_new_order_alone(ctx: Context) -> None:
    """T4, T9: linked only as long as both rest, and when the first ends by a later fill."""
    apply(ctx, place(ALICE, core(100), token(50), action()))
    apply(ctx, place(BOB, token(50), core(100)))
    (young,) = ctx.state.limit_orders.in_order()
    assert (young.seller, young.for_sale, young.take_profit_order_id) == (ALICE, 50, None)
    order = rest(ctx, place(BOB, core(100), token(50), action()))
    apply(ctx, place(CAROL, token(30), core(60)))
    other = linked(ctx, order)
    apply(ctx, place(CAROL, token(20), core(40)))
    assert ctx.state.limit_orders.find(LimitOrderId(order.id)) is None
    assert (other.take_profit_order_id, other.for_sale) == (None, 50)
    check_all(ctx.state)


def test_takers_act_too(ctx: Context) -> None:
    """T3, T7: after each of their fills; the loop goes on to makers and stops before its own."""
    for price in (19, 20, 21):
        rest(ctx, place(BOB, token(10), core(price)))
    records = [one.op for one in told(ctx, place(ALICE, core(50), token(25), action()))]
    kinds = [type(op).__name__ for op in records]
    assert kinds == ["FillOrder", "LimitOrderCreate", "FillOrder",
                     "FillOrder", "LimitOrderUpdate", "FillOrder"]  # fmt: skip
    assert isinstance(records[1], LimitOrderCreate)
    assert (records[1].amount_to_sell, records[1].min_to_receive) == (token(10), core(21))
    assert isinstance(records[4], LimitOrderUpdate)
    assert records[4].new_price == Price(token(20), core(42)), "at the order's own price"
    orders = {order.id: order.for_sale for order in ctx.state.limit_orders.in_order()}
    assert orders == {2: 10, 3: 11, 4: 20}
    check_all(ctx.state)


@pytest.mark.parametrize(("size", "sold"), [(10_000, 33), (1, 1), (5_000, 17), (303, 1), (304, 2)])
def test_the_size_is_rounded_up(ctx: Context, size: int, sold: int) -> None:
    """T4: of 33 received."""
    order = rest(ctx, place(ALICE, core(300), token(150), action(size_percent=size)))
    apply(ctx, place(BOB, token(33), core(66)))
    assert linked(ctx, order).for_sale == sold


@pytest.mark.parametrize(("spread", "wanted"), [(1, 101), (500, 105), (10_000, 200), (65_535, 756)])
def test_the_price_is_rounded_up(ctx: Context, spread: int, wanted: int) -> None:
    """T1, T4: 50 at 2 with the least and the largest spread; ceil(100.01), ceil(755.35)."""
    order = rest(ctx, place(ALICE, core(300), token(150), action(spread_percent=spread)))
    apply(ctx, place(BOB, token(50), core(100)))
    assert linked(ctx, order).sell_price == Price(token(50), core(wanted))


def test_the_market_fee_is_not_sold(ctx: Context) -> None:
    """T4: N is what is left of it; where all of it is the fee there is nothing to sell."""
    set_options(ctx, TOKEN, flags=CHARGE_MARKET_FEE, market_fee_percent=1_000,
                max_market_fee=MAX_SUPPLY)  # fmt: skip
    order = rest(ctx, place(ALICE, core(300), token(150), action()))
    apply(ctx, place(BOB, token(50), core(100)))
    assert linked(ctx, order).for_sale == 45
    set_options(ctx, TOKEN, market_fee_percent=10_000)
    assert len(told(ctx, place(BOB, token(10), core(20)))) == 2


def test_the_time_is_saturated(ctx: Context) -> None:
    """T4: at the end of time."""
    order = rest(ctx, place(ALICE, core(300), token(150), action(expiration_seconds=2**32 - 1)))
    apply(ctx, place(BOB, token(50), core(100)))
    assert linked(ctx, order).expiration == MAX_TIMESTAMP


def test_an_action_has_lawful_numbers(ctx: Context) -> None:
    """T1: each by one beyond, where it is made and where it is changed."""
    order = rest(ctx, place(ALICE, core(300), token(150)))
    for changes in (
        {"spread_percent": 0},
        {"size_percent": 0},
        {"size_percent": 10_001},
        {"expiration_seconds": 0},
    ):
        bad = action(**changes)
        assert expect(ctx, ValidationError, place(ALICE, core(1), token(1), bad)).rule == "T1"
        assert expect(ctx, ValidationError, update(order, on_fill=(bad,))).rule == "T1"
    apply(ctx, place(ALICE, core(1), token(1), action(spread_percent=65_535, size_percent=1,
                                                      expiration_seconds=1)))  # fmt: skip


def test_an_order_has_one_action(ctx: Context) -> None:
    """T1: none is absent when it is placed, and removes it in an update."""
    order = rest(ctx, place(ALICE, core(300), token(150), action()))
    none = replace(place(ALICE, core(1), token(1)), extensions=LimitOrderCreateExtensions(()))
    error = expect(ctx, LimitExceeded, none)
    assert (error.rule, error.value, error.limit) == ("T1", 0, 1)
    two = place(ALICE, core(1), token(1), action(), action())
    assert expect(ctx, LimitExceeded, two).value == 2
    assert expect(ctx, LimitExceeded, update(order, on_fill=(action(), action()))).rule == "T1"
    unknown = action(fee_asset_id=AssetId(9))
    expect(ctx, NoSuchObject, place(ALICE, core(10**9), token(1), unknown))
    apply(ctx, update(order, on_fill=()))
    assert actions_of(order) == []
    apply(ctx, update(order, on_fill=(action(size_percent=1),)))
    assert actions_of(order) == [action(size_percent=1)]
    apply(ctx, update(order, delta_amount_to_sell=core(1)))
    assert actions_of(order) == [action(size_percent=1)], "absent: it stays"


def actions_of(order: LimitOrder) -> list[CreateTakeProfitOrder]:
    return [*order.on_fill]


def test_the_order_of_checks_of_an_update(ctx: Context) -> None:
    """T10: what is wrong in all ways is refused by the first, then by the next."""
    order = rest(ctx, place(ALICE, core(30), token(10)))
    op = LimitOrderUpdate(
        NO_FEE, BOB, LimitOrderId(9), Price(token(1), core(1)), token(5), GENESIS_TIME - 1,
        (action(fee_asset_id=AssetId(9)),),
    )  # fmt: skip
    set_options(ctx, CORE_ASSET, blacklist_markets=(TOKEN,))
    set_options(ctx, TOKEN, flags=WHITE_LIST, blacklist_authorities=(CAROL,))
    apply(ctx, AccountWhitelist(NO_FEE, CAROL, ALICE, BLACK_LISTED))
    expect(ctx, NoSuchObject, op)
    op = replace(op, on_fill=(action(),))
    expect(ctx, OrderNotFound, op)
    op = replace(op, order=LimitOrderId(order.id))
    expect(ctx, OwnerMismatch, op)
    op = replace(op, seller=ALICE)
    expect(ctx, WrongAssetType, op)
    op = replace(op, new_price=Price(core(31), token(1)))
    expect(ctx, WrongAssetType, replace(op, new_price=Price(core(30), token(1))))
    op = replace(op, delta_amount_to_sell=core(-30))
    expect(ctx, LimitExceeded, op)
    op = replace(op, new_price=Price(core(30), token(1)), delta_amount_to_sell=core(-1))
    expect(ctx, LimitExceeded, op)
    op = replace(op, new_price=Price(core(29), token(1)), delta_amount_to_sell=core(-2))
    expect(ctx, LimitExceeded, op)
    op = replace(op, new_price=Price(core(28), token(1)), delta_amount_to_sell=core(-2))
    expect(ctx, OrderExpired, op)
    dust = replace(op, new_price=None, delta_amount_to_sell=core(-28))
    expect(ctx, TooSmall, dust)
    op = replace(op, new_expiration=GENESIS_TIME)
    expect(ctx, MarketBlacklisted, op)
    set_options(ctx, CORE_ASSET, blacklist_markets=())
    expect(ctx, ReceivingAssetUnauthorized, op)
    apply(ctx, AccountWhitelist(NO_FEE, CAROL, ALICE, 0))
    apply(ctx, op)


def test_a_new_order_pays_its_fee_in_the_actions_asset(ctx: Context) -> None:
    """T5: ceil(41 CORE at 3 TOKEN for 2) = 62; deferred in the order, out of the asset's pool."""
    order = rest(ctx, place(ALICE, core(300), token(150), action(fee_asset_id=TOKEN)))
    set_fees(ctx, create=41, change=11)
    set_options(ctx, TOKEN, core_exchange_rate=Price(token(3), core(2)))
    apply(ctx, replace(AssetFundFeePool(NO_FEE, CAROL, TOKEN, 60)))
    fill = replace(place(BOB, token(50), core(100)), fee=core(41))
    record = told(ctx, fill)[-1]
    assert record.op.fee == token(62)
    young = linked(ctx, order)
    assert (young.deferred_fee, young.deferred_paid_fee) == (41, token(62))
    assert balances(ctx, ALICE)[1] == EACH - 62
    assert ctx.state.figures_of(TOKEN).fee_pool == 19
    record = told(ctx, replace(fill, amount_to_sell=token(10), min_to_receive=core(20)))[-1]
    assert isinstance(record.op, LimitOrderUpdate)
    assert record.op.fee == token(17)
    assert (young.deferred_fee, young.deferred_paid_fee) == (11, token(17))
    check_all(ctx.state)


def spend(ctx: Context, account: AccountId, left: int) -> None:
    """An account keeps so much CORE."""
    ctx.state.log.begin()
    held = ctx.state.balances_of_account.find(account, CORE_ASSET)
    other = ctx.state.balances_of_account.find(CAROL, CORE_ASSET)
    assert held is not None
    assert other is not None
    moved = held.balance - left
    ctx.state.balances.edit(held).balance -= moved
    ctx.state.balances.edit(other).balance += moved
    ctx.state.log.finish()


@pytest.mark.parametrize(("left", "is_made"), [(39, False), (40, True)])
def test_without_the_fee_the_fill_stands_alone(ctx: Context, left: int, is_made: bool) -> None:
    """T6: silently, and the order goes on."""
    order = rest(ctx, place(ALICE, core(300), token(150), action()))
    set_fees(ctx, create=40, change=10)
    spend(ctx, ALICE, left)
    records = told(ctx, replace(place(BOB, token(50), core(100)), fee=core(40)))
    assert len(records) == (3 if is_made else 2)
    assert (order.take_profit_order_id is not None) is is_made
    assert order.for_sale == 200
    assert balances(ctx, ALICE) == (left - 40 * is_made, EACH + 50 * (not is_made))
    check_all(ctx.state)


def test_proceeds_pay_no_fee_of_their_own_asset(ctx: Context) -> None:
    """T5, T6: s is taken before the fee, so that a size of 100 % leaves nothing for it."""
    for size, is_made in ((10_000, False), (8_000, True)):
        ctx = fresh_context()
        extra = action(fee_asset_id=CORE_ASSET, size_percent=size)
        order = rest(ctx, place(ALICE, token(50), core(100), extra))
        set_fees(ctx, create=10, change=0)
        spend(ctx, ALICE, 0)
        apply(ctx, replace(place(BOB, core(50), token(25)), fee=core(10)))
        assert (order.take_profit_order_id is not None) is is_made
        check_all(ctx.state)


def test_lists_and_pools_keep_an_action_back(ctx: Context) -> None:
    """T6: the fee pool, and the lists of the market; each side's by itself."""
    order = rest(ctx, place(ALICE, core(300), token(150), action(fee_asset_id=TOKEN)))
    set_fees(ctx, create=1, change=1)
    fill = replace(place(BOB, token(10), core(20)), fee=core(1))
    assert len(told(ctx, fill)) == 2, "an empty fee pool"
    apply(ctx, update(order, fee=core(1), on_fill=(action(),)))
    assert len(told(ctx, fill)) == 3
    set_fees(ctx, create=0, change=0)
    other = rest(ctx, place(BOB, token(100), core(205), action()))
    buy = place(ALICE, core(21), token(10))
    set_options(ctx, CORE_ASSET, blacklist_markets=(AssetId(9),), whitelist_markets=(AssetId(9),))
    assert other.take_profit_order_id is None
    with pytest.raises(MarketNotWhitelisted):
        apply(ctx, buy)
    set_options(ctx, CORE_ASSET, blacklist_markets=(), whitelist_markets=())
    set_options(ctx, TOKEN, blacklist_markets=(CORE_ASSET,))
    taker = replace(buy, extensions=LimitOrderCreateExtensions((action(),)))
    assert len(told(ctx, taker)) == 3, "the maker sells CORE again, the taker no TOKEN"


def test_a_link_that_cannot_be_raised_stays(ctx: Context) -> None:
    """T6: the raise alone is undone."""
    order = rest(ctx, place(ALICE, core(300), token(150), action()))
    apply(ctx, place(BOB, token(10), core(20)))
    young = linked(ctx, order)
    set_fees(ctx, create=0, change=5)
    spend(ctx, ALICE, 4)
    assert len(told(ctx, place(BOB, token(10), core(20)))) == 2
    assert (linked(ctx, order), linked(ctx, young), young.for_sale) == (young, order, 10)


KEEPS: list[tuple[dict[str, Any], bool]] = [
    ({"delta_amount_to_sell": core(1)}, True),
    ({"new_expiration": GENESIS_TIME + 5}, True),
    ({"new_price": Price(core(2), token(1))}, True),
    ({"new_price": Price(core(200), token(101))}, False),
    ({"on_fill": ()}, False),
    ({"on_fill": (action(),)}, True),
    ({"on_fill": (action(size_percent=1, expiration_seconds=9, fee_asset_id=TOKEN),)}, True),
    ({"on_fill": (action(spread_percent=501),)}, False),
    ({"on_fill": (action(repeat=True),)}, False),
    ({"on_fill": (action(repeat=True),), "new_price": Price(core(1), token(1))}, False),
]


@pytest.mark.parametrize(("changes", "keeps"), KEEPS)
def test_which_updates_part_orders(ctx: Context, changes: dict[str, Any], keeps: bool) -> None:
    """T9: price, spread, repeat, and whether there is an action at all; on both sides."""
    order = rest(ctx, place(ALICE, core(300), token(150), action()))
    apply(ctx, place(BOB, token(50), core(100)))
    young = linked(ctx, order)
    apply(ctx, update(order, **changes))
    for one, other in ((order, young), (young, order)):
        assert one.take_profit_order_id == (other.id if keeps else None)
    check_all(ctx.state)


@pytest.mark.parametrize("adds", [True, False])
def test_an_action_of_the_younger_order(ctx: Context, adds: bool) -> None:
    """T9: adding one to an order without parts it; an empty list where there was none does not."""
    order = rest(ctx, place(ALICE, core(300), token(150), action()))
    apply(ctx, place(BOB, token(50), core(100)))
    apply(ctx, update(linked(ctx, order), on_fill=(action(),) if adds else ()))
    assert (order.take_profit_order_id is None) is adds


def test_the_end_of_either_parts_them(ctx: Context) -> None:
    """T3, T9: cancelled or expired, by hand or by the chain; neither is a fill."""
    for which in ("order", "young"):
        for expires in (False, True):
            ctx = fresh_context()
            order = rest(ctx, place(ALICE, core(300), token(150), action()))
            apply(ctx, update(order, new_expiration=GENESIS_TIME + 2 * DAY))
            apply(ctx, place(BOB, token(50), core(100)))
            young = linked(ctx, order)
            ends, stays = (order, young) if which == "order" else (young, order)
            if expires:
                apply(ctx, update(ends, new_expiration=GENESIS_TIME + 5))
                ctx.now = GENESIS_TIME + 5
                ctx.state.log.begin()
                expire_orders(ctx)
                ctx.state.log.finish()
            else:
                apply(ctx, LimitOrderCancel(NO_FEE, ALICE, LimitOrderId(ends.id)))
            assert stays.take_profit_order_id is None
            assert len(ctx.state.limit_orders) == 1
            check_all(ctx.state)


def test_dust_ends_an_order_and_its_link(ctx: Context) -> None:
    """T3, T9: a rest that buys nothing goes, and the new order stays alone."""
    apply(ctx, place(ALICE, core(101), token(50), action()))
    apply(ctx, place(BOB, token(50), core(100)))
    (young,) = ctx.state.limit_orders.in_order()
    assert (young.seller, young.take_profit_order_id) == (ALICE, None)


def test_margin_calls_fill_bids_with_actions() -> None:
    """T11, T3: the position's record, the bid's, then the action's, at the block's time."""
    market = make_market(1)
    market.position(0, 1_000, 19_000)
    bid = market.bid(500, 7_000)
    assert bid is not None
    market.state.limit_orders.edit(bid).on_fill = (action(repeat=True),)
    market.feed(1, 12)
    ctx = market.settle_boundary(GENESIS_TIME + 7)
    called, filled, record = (one.op for one in ctx.applied)
    assert isinstance(called, FillOrder)
    assert isinstance(filled, FillOrder)
    assert (called.order_id.type, filled.order_id.type) == (8, 7)
    assert isinstance(record, LimitOrderCreate)
    assert (record.amount_to_sell, record.expiration) == (
        AssetAmount(7_000, CORE_ASSET),
        GENESIS_TIME + 7 + DAY,
    )
    assert record.min_to_receive == AssetAmount(525, market.usd)
    check_all(market.state)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("buy", "buy", "sell", "sell", "update", "cancel")),
        st.integers(0, 9), st.integers(1, 40), st.integers(2, 9), st.integers(-9, 9),
        st.sampled_from((None, None, 1, 500, 20_000)), st.booleans(), st.integers(1, 10_000),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_random_orders_with_actions(steps: list[Any]) -> None:
    """T3-T9, J7, I7: each record behind a fill is what fractions say; all invariants hold, by the
    recount and by the changes alone; and undoing all gives the state back."""
    ctx = fresh_context()
    set_fees(ctx, create=3, change=2)
    before = ctx.state.state_hash()
    ctx.state.log.begin()
    for kind, pick, amount, price, delta, spread, repeat, size in steps:
        on_fill = None if spread is None else (action(
            spread_percent=spread, repeat=repeat, size_percent=size
        ),)  # fmt: skip
        for op in random_operation(ctx, kind, pick, amount, price, delta, on_fill):
            first = len(ctx.applied)
            orders = {int(one.id): one.sell_price for one in ctx.state.limit_orders.in_order()}
            with suppress(TransactionRejected, ValidationError):
                apply(ctx, op)
                check_records(ctx, ctx.applied[first:], orders, op)
        check_all(ctx.state)
    ctx.state.log.undo()
    assert ctx.state.state_hash() == before


def check_records(
    ctx: Context, records: list[AppliedOperation], prices: dict[int, Price], op: Operation
) -> None:
    """Each new order asks for no less than the spread above the fill's order, nor a unit more."""
    for fill, record in pairwise(records):
        made = record.op
        if not isinstance(made, LimitOrderCreate) or not isinstance(fill.op, FillOrder):
            continue
        price = prices.get(fill.op.order_id.instance)
        if isinstance(op, LimitOrderUpdate) and op.order == fill.op.order_id.instance:
            price = op.new_price or price
        if price is None:
            assert isinstance(op, LimitOrderCreate)
            price = op.sell_price()
        received = fill.op.receives.amount - fill.op.fee.amount
        assert 0 < made.amount_to_sell.amount <= received
        exact = Fraction(price.base.amount, price.quote.amount) * made.amount_to_sell.amount
        ratio = Fraction(made.min_to_receive.amount) / exact
        assert ratio > 1, "never at the price of the order"
        spreads = [Fraction(10_000 + spread, 10_000) for spread in (1, 500, 20_000)]
        assert any(ceil(exact * one) == made.min_to_receive.amount for one in spreads)


def random_operation(
    ctx: Context, kind: str, pick: int, amount: int, price: int, delta: int, on_fill: Any
) -> list[Operation]:
    """An operation of small numbers, so that much of it crosses."""
    seller = (ALICE, BOB, CAROL)[pick % 3]
    extensions = LimitOrderCreateExtensions(on_fill)
    orders = list(ctx.state.limit_orders.in_order())
    if kind == "buy":
        return [LimitOrderCreate(core(3), seller, core(amount * price), token(amount * 5),
                                 extensions=extensions)]  # fmt: skip
    if kind == "sell":
        return [LimitOrderCreate(core(3), seller, token(amount * 5), core(amount * price),
                                 extensions=extensions)]  # fmt: skip
    if not orders:
        return []
    order = orders[pick % len(orders)]
    if kind == "cancel":
        return [LimitOrderCancel(NO_FEE, order.seller, LimitOrderId(order.id))]
    changed = AssetAmount(delta, order.sells) if delta else None
    new_price = Price(AssetAmount(amount, order.sells), AssetAmount(price, order.receives))
    return [update(order, fee=core(2), delta_amount_to_sell=changed, on_fill=on_fill,
                   new_price=new_price if pick % 2 else None)]  # fmt: skip


Break = Callable[[Context, LimitOrder, LimitOrder], None]


def forget(ctx: Context, order: LimitOrder, _young: LimitOrder) -> None:
    ctx.state.limit_orders.edit(order).take_profit_order_id = None


def forget_the_other(ctx: Context, _order: LimitOrder, young: LimitOrder) -> None:
    ctx.state.limit_orders.edit(young).take_profit_order_id = None


def link_a_third(ctx: Context, order: LimitOrder, _young: LimitOrder) -> None:
    third = rest(ctx, place(ALICE, core(30), token(15)))
    ctx.state.limit_orders.edit(third).take_profit_order_id = LimitOrderId(order.id)


def link_a_stranger(ctx: Context, _order: LimitOrder, _young: LimitOrder) -> None:
    link(ctx.state, rest(ctx, place(BOB, core(3), token(3))),
         rest(ctx, place(CAROL, token(3), core(30))))  # fmt: skip


def link_one_direction(ctx: Context, _order: LimitOrder, _young: LimitOrder) -> None:
    link(ctx.state, rest(ctx, place(BOB, core(3), token(3))),
         rest(ctx, place(BOB, core(3), token(3))))  # fmt: skip


@pytest.mark.parametrize(
    "break_it", [forget, forget_the_other, link_a_third, link_a_stranger, link_one_direction]
)
def test_both_checks_see_a_broken_link(ctx: Context, break_it: Break) -> None:
    """J7: the recount, and the check of what a block changed."""
    order = rest(ctx, place(ALICE, core(300), token(150), action()))
    apply(ctx, place(BOB, token(50), core(100)))
    ctx.state.log.begin()
    break_it(ctx, order, linked(ctx, order))
    with pytest.raises(InvariantViolated, match="J7"):
        check_all(ctx.state)
    head = ctx.state.dynamic_properties.edit(ctx.state.dynamic)
    head.head_block_number = 1
    with pytest.raises(InvariantViolated, match="J7"):
        check_block(ctx.state, ctx.state.log.finish())
