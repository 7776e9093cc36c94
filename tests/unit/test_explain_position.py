"""`why` a position: what it predicts is what then happens, on random markets (R4.2, R5.5, R6.1)."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from node.explain.order import explain_order
from node.explain.position import explain_position
from node.explain.records import (
    ASSET_SETTLED,
    CALLED,
    NOT_CALLED,
    SETTLED,
    SETTLED_ALONE,
    Outcome,
    PositionExplanation,
)
from node.explain.thresholds import grid_around
from node.explain.wording import Wording
from node.market.current_feed import refresh_current_feed
from node.market.margin_calls import run_asset
from node.market.order_book import cancel_order
from node.market.pricing import call_price
from node.market.settlement import cancel_settlement, execute_due_settlements
from node.state.balances import adjust_core_in_orders
from node.state.context import Context
from node.state.objects.assets import NULL_FEED
from node.state.objects.governance import TRIGGER_BID, TRIGGER_FEED
from node.state.objects.market import CallOrder
from protocol.asset import AssetAmount, Price
from tests.support.market import CORE, Market, fills, make_market
from tests.support.random_market import WHALE_DEBT, random_market
from tests.support.slow_market import value

triggers = st.sampled_from([TRIGGER_BID, TRIGGER_FEED])
responses = st.sampled_from([0, 1, 2, 3])


def explain(market: Market, position: CallOrder) -> PositionExplanation:
    """The explanation of a position, worked out to its end."""
    state = market.state
    steps = explain_position(
        state,
        Wording(state, "bit"),
        state.accounts.get(position.borrower),
        state.assets.get(market.usd),
        market.data,
    )
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found = stop.value
            assert isinstance(found, PositionExplanation)
            return found


class Happened:
    """What a boundary did to a position, by its records."""

    def __init__(self, ctx: Context, position: CallOrder, before: tuple[int, int]) -> None:
        own = [
            op for op in fills(ctx) if (op.order_id.type, op.order_id.instance) == (8, position.id)
        ]
        self.calls = [op for op in own if not op.is_maker]
        before_it = fills(ctx)[: fills(ctx).index(own[0])] if own else fills(ctx)
        self.calls_before = sum(op.order_id.type == 8 and not op.is_maker for op in before_it)
        self.settled = [op for op in own if op.is_maker]
        self.covered = sum(op.receives.amount for op in own)
        self.paid = sum(op.pays.amount for op in own)
        self.fee = sum(op.fee.amount for op in own)
        self.left = before[0] - self.covered, before[1] - self.paid

    def matches(self, outcome: Outcome) -> bool:
        """Whether that is what was predicted."""
        return (self.covered, self.paid, self.fee, *self.left) == (
            outcome.debt_covered.amount,
            outcome.collateral_paid.amount,
            outcome.fee.amount,
            outcome.debt_left.amount,
            outcome.collateral_left.amount,
        )


def run_at(market: Market, position: CallOrder, price: Price | None = None) -> Happened:
    """Margin calls as the chain plays them, at a feed, and taken back."""
    state, before = market.state, (position.debt, position.collateral)
    state.log.begin()
    if price is not None:
        feed = market.data.median_feed
        market.feed(
            price.base.amount,
            price.quote.amount,
            mcr=feed.maintenance_collateral_ratio,
            mssr=feed.maximum_short_squeeze_ratio,
        )
    ctx = market.context()
    run_asset(ctx, market.data)
    happened = Happened(ctx, position, before)
    state.log.undo()
    return happened


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**9), triggers, responses, st.booleans())
@example(35, TRIGGER_BID, 0, False)
@example(40, TRIGGER_BID, 0, False)
@example(7, TRIGGER_BID, 0, False)
@example(7, TRIGGER_FEED, 0, False)
@example(232, TRIGGER_BID, 0, False)
@example(649, TRIGGER_FEED, 2, False)
def test_what_is_predicted_happens(seed: int, trigger: int, response: int, match: bool) -> None:
    """R4.2, R4.3, R6.1, R6.2, BS3-BS5, SM3, SM4: called or not, what is paid and kept, and the feed
    that calls, under all responses, with and without settlement matching.

    The examples have calls by several bids, by bids among others, at a price less a fee, and with
    targets that are reached at the worst price in two steps; in the last, a call comes after a
    position that is settled alone.
    """
    market, positions = random_market(seed, trigger, response, match=match)
    for position in positions:
        found = explain(market, position)
        now = run_at(market, position)
        assert (found.status == CALLED) == bool(now.calls)
        settled = SETTLED_ALONE if response in (2, 3) else SETTLED
        assert (found.status == settled) == (bool(now.settled) and not now.calls)
        if found.status != NOT_CALLED:
            assert found.if_called is not None
            assert now.matches(found.if_called)
        else:
            others = [one for one in positions if one is not position]
            has_targets = any(one.target_collateral_ratio is not None for one in others)
            check_next_feed(market, position, found, Random(seed), has_targets=has_targets)
            check_if_called(market, position, found)


def check_next_feed(
    market: Market,
    position: CallOrder,
    found: PositionExplanation,
    chance: Random,
    *,
    has_targets: bool,
) -> None:
    """At the predicted feed what is predicted happens; at none above it anything does.

    Where others have targets, the answer may be no more than a feed that calls, while the next
    higher one does not.
    """
    terms_price = grid_around(
        call_price(position, market.data.median_feed.maintenance_collateral_ratio)
    )
    threshold = found.next_feed
    lowest = 0
    if threshold is not None:
        then = run_at(market, position, threshold.price)
        assert then.matches(threshold.outcome)
        assert (threshold.happens == "called") == bool(then.calls)
        assert threshold.calls_before == then.calls_before
        assert then.covered > 0
        lowest = threshold.price.base.amount
        if not threshold.is_exact:
            assert run_at(market, position, terms_price.price(lowest + 1)).covered == 0
            return
    elif has_targets or market.state.chain.settle_match:
        return
    above = [lowest + 1, chance.randint(lowest + 1, max(3 * lowest, 10**13))]
    above += [lowest + 1 + chance.randrange(10 ** chance.randint(1, 12)) for _ in range(4)]
    for base in above:
        taken = run_at(market, position, terms_price.price(base))
        assert taken.covered == 0, (found, base)


def check_if_called(market: Market, position: CallOrder, found: PositionExplanation) -> None:
    """What a call would cost happens once nobody else is called, and no bid is in the way.

    At the worst price it does by a bid as near to it as may be. A target ratio is measured at the
    bid where that calls the position, so that there the debt is another one by a unit.
    """
    if found.if_called is None:
        assert found.if_called_by == ""
        return
    assert found.prices is not None
    state, trigger, prices = market.state, found.trigger, found.prices
    calls_at, least = value(prices.call_price), value(prices.margin_call_order_price)
    is_at_mcr = calls_at >= value(prices.settlement_price)
    state.log.begin()
    for other in list(state.call_orders.in_order()):
        if other.id != position.id:
            more = 999 * other.collateral
            adjust_core_in_orders(state, other.borrower, CORE, more)
            state.call_orders.edit(other).collateral += more
    for request in list(state.force_settlements.in_order()):
        cancel_settlement(market.context(), request)
    waiting = 0
    for order in list(state.limit_orders.in_order()):
        price = value(order.sell_price)
        calls = price >= least and is_at_mcr if trigger == "feed" else least < price < calls_at
        waiting += calls
        if not calls:
            cancel_order(market.context(), order, virtual=False)
    if found.if_called_by == "bids":
        assert waiting
        assert run_at(market, position).matches(found.if_called)
    else:
        assert (found.if_called_by, waiting) == ("worst_price", 0)
        is_possible = is_at_mcr if trigger == "feed" else calls_at > least * Fraction(1001, 1000)
        if is_possible:
            core = WHALE_DEBT * 5
            assert market.bid(int(least * core) + 1, core)
            then = run_at(market, position)
            if position.target_collateral_ratio is None or trigger == "feed":
                assert then.matches(found.if_called)
            else:
                check_nearly(then, found.if_called, least)
    state.log.undo()


def check_nearly(then: Happened, outcome: Outcome, price: Fraction) -> None:
    """A unit of debt more or less, and what that costs."""
    debt = then.covered - outcome.debt_covered.amount
    assert abs(debt) <= 1
    paid = then.paid - outcome.collateral_paid.amount
    assert abs(paid - debt / price) <= 1 + then.paid // 1_000
    assert then.covered > 0


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**9), triggers, responses)
def test_settlements_take_what_is_predicted(seed: int, trigger: int, response: int) -> None:
    """R5.4, R5.5, BS3, BS16: by the requests that wait, and by one that reaches all of its debt, at
    the feed of each response."""
    market, positions = random_market(seed, trigger, response)
    state = market.state
    refresh_current_feed(market.context(), market.data)
    for position in positions:
        found = explain(market, position).settlement
        assert found is not None
        before = position.debt, position.collateral
        state.log.begin()
        ctx = market.context()
        execute_due_settlements(ctx)
        assert Happened(ctx, position, before).matches(found.by_requests)
        state.log.undo()

        state.log.begin()
        for request in list(state.force_settlements.in_order()):
            cancel_settlement(market.context(), request)
        market.set_options(maximum_force_settlement_volume=10_000)
        for amount in (found.debt_ahead.amount, position.debt):
            if amount:
                market.request(market.whale, amount)
        ctx = market.context()
        execute_due_settlements(ctx)
        happened = Happened(ctx, position, before)
        if happened.covered == position.debt:
            assert happened.matches(found.whole)
        state.log.undo()


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10**9), triggers)
def test_the_bid_that_is_asked_for_calls(seed: int, trigger: int) -> None:
    """R4.2: a bid between the two limits calls the position, one outside of them does not; without
    bids there may be a black swan (R6.1)."""
    market, positions = random_market(seed, trigger)
    state, position = market.state, min(positions, key=lambda one: one.collateral / one.debt)
    found = explain(market, position)
    wanted = found.next_bid
    assert wanted is not None
    if found.status == SETTLED or (trigger == TRIGGER_FEED and not wanted.is_possible):
        return
    for order in list(state.limit_orders.in_order()):
        cancel_order(market.context(), order, virtual=False)
    assert bool(run_at(market, position).settled) == wanted.is_swan_without_bids
    if wanted.is_swan_without_bids:
        return
    least, most = value(wanted.above), None if wanted.below is None else value(wanted.below)
    tried = [least, least * Fraction(101, 100), least * Fraction(99, 100), least * 2]
    if most is not None:
        tried += [most, (least + most) / 2, most * Fraction(99, 100)]
    for price in tried:
        state.log.begin()
        scale = 500_000 // max(price.numerator, price.denominator) or 1
        bid = market.bid(price.numerator * scale, price.denominator * scale)
        is_inside = price > least if most is not None else price >= least
        is_inside &= most is None or price < most
        assert bid is not None
        assert bool(run_at(market, position).calls) == is_inside, (price, wanted)
        state.log.undo()


def test_a_called_position_pays_the_bid() -> None:
    """R4.2, R4.5: by hand. Called at 12 CORE per USD; 1,000 USD of debt, 600 are bid."""
    market = make_market()
    position = market.position(0, 1_000, 17_000)
    market.bid(600, 7_200)
    found = explain(market, position)
    assert (found.status, found.if_called_by, found.rank) == (CALLED, "next_block", 1)
    assert found.if_called is not None
    assert found.if_called.collateral_paid == AssetAmount(7_200, CORE)
    assert found.if_called.debt_left == AssetAmount(400, market.usd)
    assert "Called at the end of the next block" in found.statements[1].text


@pytest.mark.parametrize(
    ("trigger", "feed"), [(TRIGGER_BID, Fraction(9, 100)), (TRIGGER_FEED, Fraction(35, 400))]
)
def test_the_feed_that_calls_by_hand(trigger: int, feed: Fraction) -> None:
    """R4.2: a bid of 0.06 is above SQP below a feed of 0.09; the call price is 0.0875."""
    market = make_market(trigger=trigger)
    position = market.position(0, 1_000, 20_000)
    market.bid(600, 10_000)
    threshold = explain(market, position).next_feed
    assert threshold is not None
    assert threshold.happens == "called"
    step = Fraction(1, threshold.price.quote.amount)
    if trigger == TRIGGER_BID:
        assert value(threshold.price) < feed <= value(threshold.price) + step
    else:
        assert value(threshold.price) <= feed < value(threshold.price) + step


def test_a_higher_bid_protects() -> None:
    """R4.2: by the bid, no feed calls while the highest bid is not below the call price."""
    market = make_market()
    position = market.position(0, 1_000, 20_000)
    market.bid(9, 100)
    found = explain(market, position)
    assert found.next_feed is None
    assert found.next_bid is not None
    assert found.next_bid.bids_in_the_way == 1


def test_where_nothing_is_called() -> None:
    """R4.1, R6.4, R7.2: without a feed, in a prediction market, after a global settlement."""
    market = make_market()
    position = market.position(0, 1_000, 14_000)
    rules = {}
    for what in ("no_feed", "prediction_market"):
        market.state.log.begin()
        data = market.state.bitassets.edit(market.data)
        if what == "no_feed":
            data.median_feed = data.current_feed = NULL_FEED
        else:
            data.is_prediction_market = True
        found = explain(market, position)
        assert (found.status, found.rank, found.position_count) == (what, 1, 2)
        assert (found.debt, found.collateral) == (
            AssetAmount(1_000, market.usd),
            AssetAmount(14_000, CORE),
        )
        told = (found.prices, found.next_feed, found.next_bid, found.if_called, found.settlement)
        assert told == (None,) * 5
        rules[what] = [one.rule for one in found.statements]
        assert not run_at(market, position).covered
        market.state.log.undo()
    run_asset(market.context(), market.data)
    found = explain(market, position)
    assert (found.status, found.position, found.position_count) == (ASSET_SETTLED, None, 0)
    rules[ASSET_SETTLED] = [one.rule for one in found.statements]
    assert rules == {
        "no_feed": ["R4.1", "R3.8"],
        "prediction_market": ["R7.2", "R3.8"],
        ASSET_SETTLED: ["R6.4"],
    }


def test_steps_are_short_and_about_one_moment() -> None:
    """R4.3: many positions are looked at step by step, and what changes meanwhile is not seen."""
    market = make_market(200, core=10**8)
    positions = [market.position(who, 100, 1_900 + who) for who in range(200)]
    market.bid(100_000, 1_600_000)
    last = positions[-1]
    state = market.state
    steps = explain_position(
        state,
        Wording(state, "bit"),
        state.accounts.get(last.borrower),
        state.assets.get(market.usd),
        market.data,
    )
    count, found = 0, None
    while found is None:
        try:
            next(steps)
        except StopIteration as stop:
            found = stop.value
        else:
            count += 1
            if count == 1:
                state.log.undo()
                state.log.begin()
    assert count >= 10
    assert found.next_feed is not None
    assert found.next_feed.calls_before == 199


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10**9), triggers)
def test_what_is_counted_is_there(seed: int, trigger: int) -> None:
    """R1.7, R1.9, R1.10, R4.3, R5.4: rank, ratio, prices, what is ahead, in the way and waiting, by
    a recount on fractions."""
    market, positions = random_market(seed, trigger)
    state, feed = market.state, market.data.median_feed
    fair, mcr = value(feed.settlement_price), Fraction(feed.maintenance_collateral_ratio, 1_000)
    bids = [(value(one.sell_price), one.for_sale) for one in state.limit_orders.in_order()]
    requests = [one.balance.amount for one in state.force_settlements.in_order()]
    everybody = list(state.call_orders.in_order())
    ranked = sorted(everybody, key=lambda one: (Fraction(one.collateral, one.debt), one.id))
    for position in positions:
        rank = ranked.index(position)
        found = explain(market, position)
        calls_at = Fraction(position.debt, position.collateral) * mcr
        ahead = sum(one.debt for one in ranked[:rank])
        assert (found.rank, found.position_count) == (rank + 1, len(everybody))
        ratio = Fraction(position.collateral, position.debt) * fair
        assert found.collateral_ratio == ratio * 1_000 // 1

        prices = found.prices
        assert prices is not None
        squeeze = fair * 1_000 / feed.maximum_short_squeeze_ratio
        told = prices.settlement_price, prices.squeeze_protection_price, prices.call_price
        assert tuple(map(value, told)) == (fair, squeeze, calls_at)
        highest = None if prices.highest_bid is None else value(prices.highest_bid)
        assert highest == max((price for price, _ in bids), default=None)

        wanted, settled = found.next_bid, found.settlement
        assert wanted is not None
        assert settled is not None
        least, is_by_feed = value(wanted.above), trigger == TRIGGER_FEED
        blocking = [usd for price, usd in bids if price >= calls_at and not is_by_feed]
        waiting = [
            usd
            for price, usd in bids
            if (price >= least and ratio <= mcr if is_by_feed else least < price < calls_at)
        ]
        assert (wanted.bids_in_the_way, wanted.amount_in_the_way.amount) == (
            len(blocking),
            sum(blocking),
        )
        assert wanted.amount_waiting.amount == sum(waiting)
        assert wanted.debt_ahead.amount == settled.debt_ahead.amount == ahead
        assert (settled.requests, settled.requested.amount) == (len(requests), sum(requests))
        share = market.data.options.maximum_force_settlement_volume
        supply = state.figures_of(market.usd).current_supply
        assert settled.volume_left.amount == supply * share // 10_000


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10**9), triggers)
def test_who_stands_before_an_order(seed: int, trigger: int) -> None:
    """R2.3: as many orders, of as much, are before one as ask for less, or as much and earlier."""
    market, _ = random_market(seed, trigger)
    state = market.state
    for order in list(state.limit_orders.in_order()):
        told = explain_order(state, Wording(state, "bit"), order)
        better = [
            one
            for one in state.limit_orders.in_order()
            if (-value(one.sell_price), one.id) < (-value(order.sell_price), order.id)
        ]
        assert (told.before, told.amount_before.amount) == (
            len(better),
            sum(one.for_sale for one in better),
        )
