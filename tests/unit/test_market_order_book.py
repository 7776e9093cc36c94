"""The book of limit orders: priority, matching, culling, cancelling, expiry (R2)."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.market.order_book import cancel_order, expire_orders
from node.state.context import Context
from node.state.database import State
from node.state.objects.market import LimitOrder
from protocol.asset import AssetAmount
from protocol.constants import MAX_SUPPLY
from protocol.errors import PriceOverflow
from protocol.ids import AssetId, LimitOrderId
from protocol.operations.limit_order import FillOrder, LimitOrderCancel
from tests.support.market import CORE, emitted, fills, kinds_emitted, place, trade
from tests.support.slow_market import SlowBook, SlowOrder, check_supplies
from tests.support.state import add_asset, issue, make_context, make_state
from tests.support.world import ALICE, BOB, GENESIS_TIME

GOLD = AssetId(1)
STOCK = 10**9


@pytest.fixture
def state() -> State:
    return make_book()


@pytest.fixture
def ctx(state: State) -> Context:
    return make_context(state)


def make_book() -> State:
    """Alice holds CORE, Bob holds GOLD too."""
    state = make_state("alice", "bob", core=STOCK)
    assert add_asset(state, "GOLD") == GOLD
    issue(state, BOB, AssetAmount(STOCK, GOLD))
    state.log.begin()
    return state


def buy(ctx: Context, core: int, gold: int) -> LimitOrder | None:
    """Alice sells CORE for GOLD."""
    return place(ctx, ALICE, (core, CORE), (gold, GOLD))


def sell(ctx: Context, gold: int, core: int) -> LimitOrder | None:
    """Bob sells GOLD for CORE."""
    return place(ctx, BOB, (gold, GOLD), (core, CORE))


def test_an_order_that_meets_nothing_rests(state: State, ctx: Context) -> None:
    """R2.2: it keeps its price unreduced, and CORE is counted as in orders."""
    order = buy(ctx, 100, 50)
    assert order is not None
    assert (order.sell_price.base.amount, order.sell_price.quote.amount) == (100, 50)
    assert order.for_sale == 100
    assert state.balance_of(ALICE, CORE) == STOCK - 100
    assert state.statistics_of(ALICE).total_core_in_orders == 100
    assert sell(ctx, 49, 100) is not None, "asks more than is bid"
    assert not fills(ctx)
    check_supplies(state)


def test_the_maker_sets_the_price(state: State, ctx: Context) -> None:
    """R2.5, R2.7: Bob would take 150 CORE for 100 GOLD and gets 200."""
    maker = buy(ctx, 200, 100)
    assert maker is not None
    assert sell(ctx, 100, 150) is None
    taker_fill, maker_fill = fills(ctx)
    assert trade(taker_fill) == (100, 200, 0, False)
    assert trade(maker_fill) == (200, 100, 0, True)
    assert taker_fill.fill_price == maker_fill.fill_price == maker.sell_price
    assert maker_fill.order_id.instance == maker.id
    assert (taker_fill.account_id, maker_fill.account_id) == (BOB, ALICE)
    assert state.balance_of(BOB, CORE) == STOCK + 200
    assert state.balance_of(ALICE, GOLD) == 100
    assert state.statistics_of(ALICE).total_core_in_orders == 0
    assert len(state.limit_orders) == 0
    check_supplies(state)


def test_an_equal_price_matches(ctx: Context) -> None:
    """R2.4: inclusive; 2 CORE per GOLD on both sides, written differently."""
    assert buy(ctx, 200, 100) is not None
    assert sell(ctx, 50, 101) is not None, "2.02 is more than 2"
    assert sell(ctx, 3, 6) is None


def test_better_prices_first_and_older_orders_first_at_one_price(ctx: Context) -> None:
    """R2.3, R2.4: price, then age, whatever the form of the price."""
    worse, older, best, younger = (
        buy(ctx, 190, 100),
        buy(ctx, 200, 100),
        buy(ctx, 210, 100),
        buy(ctx, 400, 200),
    )
    assert sell(ctx, 350, 350) is None
    makers = [fill.order_id.instance for fill in fills(ctx) if fill.is_maker]
    assert worse is not None
    assert makers == [o.id for o in (best, older, younger) if o is not None]
    assert worse.for_sale == 190


def test_the_next_maker_is_tried_only_after_a_full_fill(ctx: Context) -> None:
    """R2.6: a taker that is used up stops; its rest, if any, goes on resting."""
    first, second = buy(ctx, 200, 100), buy(ctx, 180, 100)
    assert first is not None
    assert second is not None
    assert sell(ctx, 60, 60) is None
    assert (first.for_sale, first.filled_amount) == (80, 120)
    assert second.for_sale == 180
    rest = sell(ctx, 100, 195)
    assert rest is not None
    assert rest.for_sale == 60, "40 took the rest of the first, 1.8 for the next is too little"


def test_dust_of_a_smaller_taker_is_refunded(state: State, ctx: Context) -> None:
    """R2.5, R2.8: at 10 CORE for 3 GOLD, 25 CORE buy 7 GOLD for 24, and 1 comes back."""
    assert sell(ctx, 3000, 10_000) is not None
    assert buy(ctx, 25, 7) is None
    assert trade(fills(ctx)[0]) == (24, 7, 0, False)
    assert state.balance_of(ALICE, CORE) == STOCK - 24
    cancel = emitted(ctx)[1]
    assert isinstance(cancel, LimitOrderCancel)
    assert ctx.applied[1].result == AssetAmount(1, CORE)
    check_supplies(state)


def test_dust_of_a_smaller_maker_is_refunded(state: State, ctx: Context) -> None:
    """R2.5, R2.8: 7 of 10 GOLD at 10 for 7 are left; 4 CORE buy 6, 1 is culled."""
    assert sell(ctx, 10, 7) is not None
    for _ in range(3):
        assert buy(ctx, 1, 1) is None
    assert sell(ctx, 100, 100) is not None
    ctx.applied.clear()
    assert buy(ctx, 10, 5) is None
    kinds = kinds_emitted(ctx)
    assert kinds == [FillOrder, FillOrder, LimitOrderCancel, FillOrder, FillOrder]
    assert trade(fills(ctx)[1]) == (6, 4, 0, True)
    assert ctx.applied[2].result == AssetAmount(1, GOLD)
    assert trade(fills(ctx)[2]) == (6, 6, 0, False)
    assert state.balance_of(BOB, GOLD) == STOCK - 110 + 1
    check_supplies(state)


def test_a_rest_too_small_for_the_next_maker_is_culled(state: State, ctx: Context) -> None:
    """R2.5, R2.8: after 1 GOLD for 7 CORE, the other 3 buy nothing at 9, and come back."""
    assert sell(ctx, 1, 7) is not None
    other = sell(ctx, 1, 9)
    assert buy(ctx, 10, 1) is None
    assert len(fills(ctx)) == 2
    assert ctx.applied[-1].result == AssetAmount(3, CORE)
    assert state.balance_of(ALICE, CORE) == STOCK - 7
    assert list(state.limit_orders.in_order()) == [other]
    check_supplies(state)


def test_a_rest_worth_nothing_at_its_own_price_does_not_rest(state: State, ctx: Context) -> None:
    """R2.8: at the end of matching, 5 CORE of an order of 100 for 10 are worth half a GOLD."""
    assert sell(ctx, 10, 95) is not None
    assert buy(ctx, 100, 10) is None
    assert state.balance_of(ALICE, CORE) == STOCK - 95
    assert state.balance_of(ALICE, GOLD) == 10
    check_supplies(state)


def test_an_order_worth_more_than_the_largest_supply_is_refused(ctx: Context) -> None:
    """R1.4: overflow."""
    assert sell(ctx, 1, MAX_SUPPLY) is not None
    with pytest.raises(PriceOverflow):
        sell(ctx, 1, MAX_SUPPLY + 1)


def test_a_cancelled_order_is_refunded_without_a_record(state: State, ctx: Context) -> None:
    """R2.11: the rest of it, which is also the result of the operation."""
    order = buy(ctx, 200, 100)
    assert order is not None
    sell(ctx, 10, 20)
    ctx.applied.clear()
    assert cancel_order(ctx, order, virtual=False) == AssetAmount(180, CORE)
    assert emitted(ctx) == []
    assert state.balance_of(ALICE, CORE) == STOCK - 20
    assert state.statistics_of(ALICE).total_core_in_orders == 0
    assert len(state.limit_orders) == 0
    check_supplies(state)


def test_orders_expire_by_date_then_age(state: State) -> None:
    """R2.10: expiration <= block time, inclusive."""
    before = make_context(state)
    for seconds in (20, 10, 10, 21):
        place(before, ALICE, (7, CORE), (7, GOLD), expiration=GENESIS_TIME + seconds)
    ctx = make_context(state, GENESIS_TIME + 20)
    expire_orders(ctx)
    cancelled = [op.order for op in emitted(ctx) if isinstance(op, LimitOrderCancel)]
    assert cancelled == [1, 2, 0]
    assert [order.id for order in state.limit_orders.in_order()] == [3]
    assert state.balance_of(ALICE, CORE) == STOCK - 7
    check_supplies(state)


def test_every_change_of_a_book_marks_the_asset_that_is_sold(state: State, ctx: Context) -> None:
    """R4.12: created, filled, cancelled."""
    order = sell(ctx, 10, 20)
    assert order is not None
    assert GOLD in ctx.dirty_assets
    taking = make_context(state)
    buy(taking, 4, 2)
    assert GOLD in taking.dirty_assets, "the best offer of GOLD changed"
    cancelling = make_context(state)
    cancel_order(cancelling, order, virtual=False)
    assert GOLD in cancelling.dirty_assets


orders = st.tuples(st.integers(0, 1), st.integers(1, 60), st.integers(1, 60))


@given(st.lists(orders, max_size=40))
def test_the_book_equals_sorted_lists(history: list[tuple[int, int, int]]) -> None:
    """R2.3-R2.8, I7: trades, refunds and what rests are those of the slow twin."""
    state = make_book()
    ctx = make_context(state)
    slow = SlowBook()
    sides = ((ALICE, CORE), (BOB, GOLD))
    for number, (side, amount, wanted) in enumerate(history):
        seller, asset = sides[side]
        place(ctx, seller, (amount, asset), (wanted, sides[1 - side][1]))
        slow.place(SlowOrder(number, side, amount, Fraction(wanted, amount)))
    assert _trades(fills(ctx)) == slow.trades
    rests = {order.id: order.for_sale for order in state.limit_orders.in_order()}
    assert rests == {order.number: order.for_sale for order in slow.orders}
    refunds: dict[int, int] = defaultdict(int)
    for entry in ctx.applied:
        if isinstance(entry.op, LimitOrderCancel):
            assert isinstance(entry.result, AssetAmount)
            refunds[entry.op.order] += entry.result.amount
    assert refunds == {order: amount for order, amount in slow.refunds.items() if amount}
    best_buy, best_sell = state.book.first((CORE, GOLD)), state.book.first((GOLD, CORE))
    if best_buy and best_sell:
        bid = Fraction(best_buy.sell_price.base.amount, best_buy.sell_price.quote.amount)
        ask = Fraction(best_sell.sell_price.quote.amount, best_sell.sell_price.base.amount)
        assert bid < ask, "the book is crossed"
    check_supplies(state)


def _trades(records: list[FillOrder]) -> list[tuple[int, int, int, int]]:
    pairs = zip(records[::2], records[1::2], strict=True)
    for taker, maker in pairs:
        assert (taker.pays, taker.receives) == (maker.receives, maker.pays), "I12"
        assert not taker.is_maker
        assert maker.is_maker
    return [
        (t.order_id.instance, m.order_id.instance, t.pays.amount, t.receives.amount)
        for t, m in zip(records[::2], records[1::2], strict=True)
    ]


def test_matching_can_be_undone(state: State) -> None:
    """R9.1: an operation that fails after matching leaves nothing (R2.9 relies on it)."""
    buy(make_context(state), 200, 100)
    before = state.state_hash()
    state.log.begin()
    sell(make_context(state), 150, 150)
    state.log.undo()
    assert state.state_hash() == before
    order = state.limit_orders.get(LimitOrderId(0))
    assert replace(order.sell_price) == order.sell_price
    assert state.book.first((CORE, GOLD)) is order
