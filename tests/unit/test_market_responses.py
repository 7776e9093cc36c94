"""Black swan responses and settlement matching beside a slow twin, and by hand (BK2, J5)."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from node.chain.invariants import check_debt_pools
from node.chain.invariants import check_supplies as check_all_supplies
from node.evaluators.bitasset import apply_asset_settle, evaluate_asset_settle
from node.market import margin_calls
from node.market.black_swan import settle_globally_at
from node.market.boundary import run_boundary
from node.market.margin_calls import run_asset
from node.market.matching import RequestPrices, match_request
from node.market.pricing import Pool
from node.market.settled_debt import find_settled_debt_order, size_at
from node.market.settlement import execute_due_settlements
from node.state.errors import (
    FeatureDisabled,
    InsufficientBalance,
    InsufficientFeeds,
    NotAuthorized,
    OwnerMismatch,
    TooSmall,
)
from node.state.events import IndividuallySettledEvent, MarginCallEvent, MarketRunAbandonedEvent
from node.state.objects.assets import NULL_FEED
from node.state.objects.governance import TRIGGER_BID, TRIGGER_FEED
from node.state.objects.market import CallOrder
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import MAX_SUPPLY, NULL_ACCOUNT
from protocol.errors import PriceOverflow
from protocol.ids import AssetId, LimitOrderId
from protocol.operations.asset_options import DISABLE_FORCE_SETTLE
from protocol.operations.bitasset import AssetSettle
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderUpdate
from tests.support.market import CORE, Market, fills, make_market, place, trade
from tests.support.slow_market import check_supplies, value
from tests.support.slow_run import (
    GLOBAL,
    NOTHING,
    TO_FUND,
    TO_ORDER,
    SlowBid,
    SlowPosition,
    SlowRun,
)
from tests.support.state import expect

WHALE_DEBT = 10**6


def market_of(
    response: int, *, trigger: int = TRIGGER_BID, match: bool = False, count: int = 3
) -> Market:
    """A market whose BitAsset has a response; the feed is 1 USD per 10 CORE."""
    market = make_market(count, core=10**9, trigger=trigger, whale_debt=WHALE_DEBT)
    market.state.chain.settle_match = match
    market.set_options(black_swan_response_method=response)
    return market


def random_market(chance: Random, trigger: int, response: int, *, match: bool) -> Market:
    """Positions, bids, requests and ratios by chance; nothing has run."""
    market = market_of(response, trigger=trigger, match=match, count=5)
    mcr, mssr = chance.choice([(1750, 1500), (1750, 1100), (1400, 1400), (1200, 1500)])
    market.feed(1, chance.choice([8, 10, 13]), mcr=mcr, mssr=mssr)
    if chance.random() < 0.5:
        market.set_options(margin_call_fee_ratio=chance.choice([20, 150, 900]))
    for who in range(chance.randint(1, 5)):
        debt = chance.choice([1, 7, 100, 333, 1_000])
        target = chance.choice([None, None, 1_800, 2_500])
        market.position(who, debt, debt * chance.randint(60, 330) // 10, tcr=target)
    for _ in range(chance.randint(0, 5)):
        usd = chance.choice([3, 50, 400, 1_000])
        market.bid(usd, usd * chance.randint(40, 230) // 10 or 1)
    for _ in range(chance.randint(0, 3)):
        market.request(market.whale, chance.choice([1, 5, 90, 700]))
    return market


def twin_of(market: Market) -> SlowRun:
    """The twin of a market as it stands."""
    state, data = market.state, market.data
    feed, options = data.median_feed, data.options.extensions
    order = find_settled_debt_order(state, market.usd)
    return SlowRun(
        by_feed=state.chain.margin_call_trigger == TRIGGER_FEED,
        match=state.chain.settle_match,
        response=options.black_swan_response_method or 0,
        feed=value(feed.settlement_price),
        mcr=feed.maintenance_collateral_ratio,
        mssr=feed.maximum_short_squeeze_ratio,
        mcfr=options.margin_call_fee_ratio or 0,
        positions=[
            SlowPosition(one.id, one.debt, one.collateral, one.target_collateral_ratio)
            for one in state.call_orders.in_order()
        ],
        bids=[
            SlowBid(one.id, one.for_sale, value(one.sell_price))
            for one in state.book.items((market.usd, CORE))
        ],
        requests=[[one.id, one.balance.amount] for one in state.settlements.items(market.usd)],
        pool_debt=data.individual_settlement_debt,
        pool_fund=data.individual_settlement_fund,
        order=None if order is None else (order.for_sale, value(order.sell_price)),
        fees=state.figures_of(market.usd).accumulated_collateral_fees,
    )


def check_twin(market: Market, twin: SlowRun) -> None:
    """What the engine and the twin leave is the same, and the invariants hold (J5)."""
    found = twin_of(market)
    if twin.global_fund is None:
        assert sorted(found.positions, key=lambda one: one.id) == sorted(
            twin.positions, key=lambda one: one.id
        )
    else:
        assert (market.data.settlement_fund, found.positions) == (twin.global_fund, [])
    assert sorted(found.bids, key=lambda one: one.id) == sorted(twin.bids, key=lambda one: one.id)
    assert found.requests == twin.requests
    pool = (twin.pool_debt, twin.pool_fund, twin.fees, twin.order)
    assert (found.pool_debt, found.pool_fund, found.fees, found.order) == pool
    check_debt_pools(market.state)
    check_all_supplies(market.state)


@settings(deadline=None, max_examples=150)
@given(
    st.integers(0, 10**9),
    st.sampled_from([TRIGGER_BID, TRIGGER_FEED]),
    st.sampled_from([GLOBAL, NOTHING, TO_FUND, TO_ORDER]),
    st.booleans(),
)
def test_the_engine_does_what_the_rule_book_says(
    seed: int, trigger: int, response: int, match: bool
) -> None:
    """BK2, BK3, BS3, BS4, BS4a, BS5, BS6, BS8, SM1, SM3, SM4: run after run, as feeds and bids
    change, engine and twin agree on all that is left."""
    chance = Random(seed)
    market = random_market(chance, trigger, response, match=match)
    for _ in range(3):
        twin = twin_of(market)
        twin.run()
        run_asset(market.context(), market.data)
        check_twin(market, twin)
        if market.data.is_globally_settled():
            return
        feed = market.data.median_feed
        market.feed(
            1,
            chance.choice([8, 10, 13, 17]),
            mcr=feed.maintenance_collateral_ratio,
            mssr=feed.maximum_short_squeeze_ratio,
        )
        market.state.bitassets.edit(market.data).is_reprice_due = response == TO_ORDER
        usd = chance.choice([3, 50, 400])
        market.bid(usd, usd * chance.randint(40, 230) // 10 or 1)


@pytest.mark.parametrize("response", [TO_FUND, TO_ORDER])
def test_a_position_that_cannot_pay_is_settled_alone(response: int) -> None:
    """BS5, BS2: debt 1,000 against 14,000, SQP at 15 CORE: it owes more. MCFR 0.15, so that of
    14,000 the pool gets ceil(14,000 * 1.35 / 1.5) = 12,600; the other position stays."""
    market = market_of(response)
    market.set_options(margin_call_fee_ratio=150)
    weak, other = market.position(0, 1_000, 14_000), market.position(1, 1_000, 16_000)
    supply = market.supply()
    ctx = market.settle_boundary()
    assert [trade(op) for op in fills(ctx)] == [(14_000, 1_000, 1_400, True)]
    events = [event for event in ctx.events if isinstance(event, IndividuallySettledEvent)]
    assert events == [
        IndividuallySettledEvent(market.usd, weak.id, market.accounts[0], 1_000, 12_600, 1_400)
    ]
    data, state = market.data, market.state
    assert (data.individual_settlement_debt, data.individual_settlement_fund) == (1_000, 12_600)
    assert state.call_orders.find(weak.id) is None
    assert state.call_orders.get(other.id).debt == 1_000
    assert market.supply() == supply
    check_debt_pools(state)


def test_the_fund_caps_the_feed() -> None:
    """BS3: a pool of 1,000 USD for 14,000 CORE; 1/14 * 1.5 = 3/28 USD per CORE exceeds 1/10."""
    market = market_of(TO_FUND)
    market.position(0, 1_000, 14_000)
    market.settle_boundary()
    assert value(market.data.current_feed.settlement_price) == Fraction(3, 28)
    assert value(market.data.median_feed.settlement_price) == Fraction(1, 10)


def test_without_settlement_the_worst_position_can_just_pay() -> None:
    """BS3, BS16: D / C is 1/14; the cap is 1/14 * 1.5, so SQP is 1/14, and nobody is closed
    but by bids above that: then the cap falls."""
    market = market_of(NOTHING)
    market.position(0, 1_000, 14_000)
    market.position(1, 1_000, 14_500)
    market.bid(1_000, 13_900)
    ctx = market.settle_boundary()
    assert [trade(op) for op in fills(ctx)][:1] == [(13_900, 1_000, 0, False)]
    assert value(market.data.current_feed.settlement_price) == Fraction(1_000, 14_500) * Fraction(
        3, 2
    )
    check_debt_pools(market.state)


def test_a_taker_buys_the_pool_from_its_order() -> None:
    """BS7: 1,000 USD for 14,000 CORE; 400 USD buy 5,600. Once the feed asks for 10 CORE, the order
    gives 10, and whoever buys all of it leaves the rest of the fund as a fee."""
    market = market_of(TO_ORDER)
    market.position(0, 1_000, 14_000)
    market.settle_boundary()
    ctx = market.context()
    assert place(ctx, market.whale, (400, market.usd), (5_000, CORE)) is None
    assert [trade(op) for op in fills(ctx)] == [
        (400, 5_600, 0, False),
        (5_600, 400, 0, True),
    ]
    order = find_settled_debt_order(market.state, market.usd)
    assert order is not None
    assert (order.for_sale, market.data.individual_settlement_fund) == (8_400, 8_400)
    market.feed(1, 5)
    market.state.bitassets.edit(market.data).is_reprice_due = True
    run_asset(market.context(), market.data)
    assert (order.for_sale, value(order.sell_price)) == (4_500, Fraction(15, 2))
    ctx = market.context()
    before = market.state.figures_of(market.usd).accumulated_collateral_fees
    rest = place(ctx, market.whale, (700, market.usd), (700, CORE))
    assert rest is not None
    assert rest.for_sale == 100
    assert [trade(op) for op in fills(ctx)] == [(600, 4_500, 0, False), (8_400, 600, 3_900, True)]
    fees = market.state.figures_of(market.usd).accumulated_collateral_fees
    assert fees - before == 3_900
    assert find_settled_debt_order(market.state, market.usd) is None
    check_debt_pools(market.state)


def settle(market: Market, amount: int) -> tuple[int, int, list[int], bool]:
    """Ask for settlement: paid, received, fees, whether a request was made."""
    ctx = market.context()
    op = AssetSettle(NO_FEE, market.whale, AssetAmount(amount, market.usd))
    result = apply_asset_settle(ctx, op, evaluate_asset_settle(ctx, op))
    assert result.paid
    assert result.received
    assert result.fees
    fees = [fee.amount for fee in result.fees]
    return result.paid[0].amount, result.received[0].amount, fees, bool(result.new_objects)


def test_settlement_takes_from_the_pool_first() -> None:
    """BS9, BS10: 300 of 1,000 USD get 4,200 of 14,000; then all of the rest, and a request for 100.
    With PAY_MCOP and a feed of 1/5, capped to 3/28, MCOP allows 14 CORE a unit: no cut."""
    market = market_of(TO_FUND)
    market.position(0, 1_000, 14_000)
    market.settle_boundary()
    assert settle(market, 300) == (300, 4_200, [0], False)
    market.state.chain.pay_mcop = True
    assert settle(market, 800) == (700, 9_800, [0], True)
    assert (market.data.individual_settlement_debt, market.data.has_pool()) == (0, False)
    check_debt_pools(market.state)


def test_a_fund_pays_no_more_than_mcop() -> None:
    """BS10: the pool holds 14 CORE a unit; once the feed is 1/5, MCOP is 2/15: 7.5 CORE."""
    market = market_of(TO_FUND)
    market.position(0, 1_000, 14_000)
    market.settle_boundary()
    market.state.chain.pay_mcop = True
    market.feed(1, 5)
    assert settle(market, 100) == (100, 750, [650, 0], False)


PRICES = RequestPrices(
    *(Price(AssetAmount(*base), AssetAmount(*quote)) for base, quote in (
        ((1, AssetId(1)), (15, CORE)),
        ((2, AssetId(1)), (27, CORE)),
        ((10, AssetId(1)), (144, CORE)),
        ((10, AssetId(1)), (130, CORE)),
    ))
)  # fmt: skip


@pytest.mark.parametrize(
    ("debt", "collateral", "requested", "cover", "expected"),
    [
        (100, 2_000, 100, 100, (100, 1_350, 1_500, False)),
        (100, 2_000, 300, 100, (100, 1_350, 1_500, False)),
        (100, 1_440, 300, 100, (100, 1_300, 1_440, False)),
        (100, 2_000, 50, 40, (40, 540, 600, False)),
        (100, 2_000, 3, 100, (3, 40, 45, False)),
        (100, 1_440, 30, 100, (30, 390, 432, False)),
    ],
)
def test_amounts_of_a_request(
    debt: int, collateral: int, requested: int, cover: int, expected: tuple[int, int, int, bool]
) -> None:
    """SM4: SQP at 15 CORE, MCOP at 13.5; a position of 14.4 pays that, the settler gets 13."""
    found = match_request(debt, collateral, requested, cover, PRICES)
    assert (
        found.debt_covered,
        found.settler_receives,
        found.position_pays,
        found.is_request_dust,
    ) == expected


@pytest.mark.parametrize("is_new", [False, True])
def test_a_called_position_without_a_bid_takes_a_request(is_new: bool) -> None:
    """SM3, SM5, SM6: 400 of 1,000 USD at MCOP 13.5 for 15; an old request is the maker."""
    market = market_of(GLOBAL, match=True)
    market.set_options(margin_call_fee_ratio=150)
    weak = market.position(0, 1_000, 16_000)
    request = market.request(market.whale, 400, due=2_000_000_000)
    before = market.balance(market.whale, CORE)
    ctx = market.context()
    if is_new:
        ctx.requests_made.add(request.id)
    run_boundary(ctx, all_assets=True)
    assert [trade(op) for op in fills(ctx)] == [
        (6_000, 400, 600, is_new),
        (400, 5_400, 0, not is_new),
    ]
    assert market.balance(market.whale, CORE) - before == 5_400
    assert (weak.debt, weak.collateral) == (600, 10_000)
    (event,) = [event for event in ctx.events if isinstance(event, MarginCallEvent)]
    assert (event.bid, event.request, event.bidder) == (None, request.id, market.whale)
    assert market.data.force_settled_volume == 0


@pytest.mark.parametrize(("asked", "is_swan"), [(1_000, False), (999, True)])
def test_a_waiting_request_holds_the_swan_back(asked: int, is_swan: bool) -> None:
    """SM1, BS4: 14 CORE for each USD is less than MSSP asks for, yet a request for all covers it;
    what one for less has left is a swan."""
    market = market_of(GLOBAL, match=True)
    weak = market.position(0, 1_000, 14_000)
    market.request(market.whale, asked, due=2_000_000_000)
    market.settle_boundary()
    assert market.state.call_orders.find(weak.id) is None
    assert market.data.is_globally_settled() is is_swan


def test_bids_come_before_requests() -> None:
    """SM3: the bid at 12 CORE covers 100, the request 500 at 15 CORE, though it is not due."""
    market = market_of(GLOBAL, match=True)
    weak = market.position(0, 1_000, 16_000)
    market.bid(100, 1_200)
    market.request(market.whale, 500, due=2_000_000_000)
    ctx = market.settle_boundary()
    assert [trade(op)[:2] for op in fills(ctx)] == [
        (1_200, 100), (100, 1_200), (7_500, 500), (500, 7_500),
    ]  # fmt: skip
    assert (weak.debt, weak.collateral) == (400, 7_300)


def test_what_settlements_do_is_looked_at_in_the_next_block() -> None:
    """BK1a: a due request that is gone marks its BitAsset until the next boundary."""
    market = market_of(GLOBAL)
    market.position(0, 1_000, 30_000)
    market.request(market.whale, 10)
    execute_due_settlements(market.context())
    assert market.data.were_requests_done
    ctx = market.context()
    run_boundary(ctx)
    assert not market.data.were_requests_done


def test_due_requests_are_paid_at_one_price_in_a_block() -> None:
    """BS16: the cap of the first request, 3/28, holds for the second, though the worst is gone."""
    market = market_of(NOTHING)
    worst: list[CallOrder] = [market.position(0, 100, 1_400), market.position(1, 100, 1_800)]
    market.set_options(maximum_force_settlement_volume=10_000)
    run_asset(market.context(), market.data)
    for _ in worst:
        market.request(market.whale, 100)
    ctx = market.context()
    execute_due_settlements(ctx)
    assert [trade(op)[:2] for op in fills(ctx)][::2] == [(934, 100), (934, 100)]
    check_debt_pools(market.state)


def test_the_recount_of_the_tests_knows_pools() -> None:
    """J5: the order's offer is part of the fund, not beside it."""
    market = market_of(TO_ORDER)
    market.position(0, 1_000, 14_000)
    market.settle_boundary()
    check_supplies(market.state)


@pytest.mark.parametrize("response", [TO_FUND, TO_ORDER])
def test_the_issuer_settles_an_asset_with_a_pool(response: int) -> None:
    """BS12, R6.3: the pool joins the fund, its order and the response are gone; SM1: by default."""
    market = market_of(response)
    market.position(0, 1_000, 14_000)
    market.settle_boundary()
    price = Price(AssetAmount(1, market.usd), AssetAmount(20, CORE))
    settle_globally_at(market.context(), market.data, price)
    data = market.data
    assert data.settlement_fund == 14_000 + 20 * WHALE_DEBT
    assert (data.has_pool(), data.options.extensions.black_swan_response_method) == (False, None)
    assert find_settled_debt_order(market.state, market.usd) is None
    check_debt_pools(market.state)
    check_all_supplies(market.state)


def test_a_part_of_a_repriced_pool_leaves_a_fee() -> None:
    """BS7: of 1,000 USD for 14,000 CORE, offered at 7.5, 100 USD buy 750; the pool gives 1,400."""
    market = market_of(TO_ORDER)
    market.position(0, 1_000, 14_000)
    market.settle_boundary()
    market.feed(1, 5)
    market.state.bitassets.edit(market.data).is_reprice_due = True
    run_asset(market.context(), market.data)
    ctx = market.context()
    assert place(ctx, market.whale, (100, market.usd), (700, CORE)) is None
    assert [trade(op) for op in fills(ctx)] == [(100, 750, 0, False), (1_400, 100, 650, True)]
    assert market.data.individual_settlement_fund == 12_600
    check_debt_pools(market.state)


def pool_of_thousand(response: int, **options: int) -> Market:
    """A pool of 1,000 USD for 14,000 CORE, less a margin call fee if there is one."""
    market = market_of(response)
    market.set_options(**options)
    market.position(0, 1_000, 14_000)
    market.settle_boundary()
    assert market.data.individual_settlement_debt == 1_000
    return market


@pytest.mark.parametrize(
    ("amount", "paid", "got", "left"),
    [
        (13, 13, 182, (987, 13_818)),
        (999, 999, 13_986, (1, 14)),
        (1_000, 1_000, 14_000, (0, 0)),
        (1_001, 1_000, 14_000, (0, 0)),
    ],
)
def test_what_a_pool_redeems(amount: int, paid: int, got: int, left: tuple[int, int]) -> None:
    """BS9: at 14 CORE a unit, up to all of it; a request is made for what is beyond."""
    market = pool_of_thousand(TO_FUND)
    assert settle(market, amount) == (paid, got, [0], amount > 1_000)
    data = market.data
    assert (data.individual_settlement_debt, data.individual_settlement_fund) == left
    assert len(market.state.force_settlements.rows) == (amount > 1_000)
    check_debt_pools(market.state)
    check_all_supplies(market.state)


def test_a_pool_of_less_than_a_unit_each_redeems_what_it_is_worth() -> None:
    """BS9: of 10,000 USD for 1,000 CORE, 9 are worth nothing; 19 are worth 1, which takes 10."""
    market = market_of(TO_FUND)
    market.feed(10, 1)
    market.position(0, 10_000, 1_000)
    market.settle_boundary()
    pool = market.data
    assert (pool.individual_settlement_debt, pool.individual_settlement_fund) == (10_000, 1_000)
    refused = expect(market.context(), TooSmall, of_whale(market, 9))
    assert (refused.rule, refused.value) == ("R5.3", 9)
    assert settle(market, 19) == (10, 1, [0], False)


def of_whale(market: Market, amount: int) -> AssetSettle:
    return AssetSettle(NO_FEE, market.whale, AssetAmount(amount, market.usd))


@pytest.mark.parametrize("has_feed", [True, False])
@pytest.mark.parametrize("is_disabled", [True, False])
def test_a_pool_pays_without_a_feed_and_though_settlement_is_disabled(
    *, has_feed: bool, is_disabled: bool
) -> None:
    """BS9: the pool always; a request for the rest only with a feed, where settlement is allowed.
    R5.1: once it is empty the ordinary refusals are back."""
    market = pool_of_thousand(TO_FUND)
    asset = market.state.assets.edit(market.state.assets.get(market.usd))
    flags = DISABLE_FORCE_SETTLE if is_disabled else 0
    asset.options = replace(asset.options, flags=flags)
    if not has_feed:
        data = market.state.bitassets.edit(market.data)
        data.median_feed = data.current_feed = NULL_FEED
    makes_request = has_feed and not is_disabled
    assert settle(market, 1_200) == (1_000, 14_000, [0], makes_request)
    if not makes_request:
        error = FeatureDisabled if is_disabled else InsufficientFeeds
        assert expect(market.context(), error, of_whale(market, 1)).rule == "R5.1"


def test_the_pool_of_an_order_is_not_redeemed() -> None:
    """BS9: only under response 2; under 3 a request waits, though nobody may take the order."""
    market = pool_of_thousand(TO_ORDER)
    op = of_whale(market, 100)
    ctx = market.context()
    result = apply_asset_settle(ctx, op, evaluate_asset_settle(ctx, op))
    assert result.new_objects
    assert (result.paid, market.data.individual_settlement_debt) == (None, 1_000)


def test_whoever_redeems_holds_it_and_may_hold_both() -> None:
    """BS9, R5.1, R2.20: balance, then the lists of the BitAsset and of the backing."""
    market = pool_of_thousand(TO_FUND)
    other = market.accounts[1]
    ask = AssetSettle(NO_FEE, other, AssetAmount(5, market.usd))
    assert expect(market.context(), InsufficientBalance, ask).rule == "R5.1"
    state = market.state
    for asset_id in (CORE, market.usd):
        asset = state.assets.edit(state.assets.get(asset_id))
        asset.options = replace(asset.options, whitelist_authorities=(other,))
        refused = expect(market.context(), NotAuthorized, of_whale(market, 5))
        assert (refused.rule, refused.limit) == ("R2.20", asset.symbol)


def test_a_globally_settled_fund_pays_no_more_than_mcop() -> None:
    """BS10: a globally settled fund of 20 CORE a unit, at a feed of 15 and an MCOP of 22.5, pays
    20; at a feed of 10 MCOP is 15: of 2,000 for 100 units 500 are collateral fees."""
    market = market_of(GLOBAL)
    price = Price(AssetAmount(1, market.usd), AssetAmount(20, CORE))
    settle_globally_at(market.context(), market.data, price)
    market.state.chain.pay_mcop = True
    market.feed(1, 15)
    assert settle(market, 100) == (100, 2_000, [0], False)
    market.feed(1, 10)
    before = market.state.figures_of(market.usd).accumulated_collateral_fees
    assert settle(market, 100) == (100, 1_500, [500, 0], False)
    after = market.state.figures_of(market.usd).accumulated_collateral_fees
    assert (after - before, market.data.settlement_fund) == (500, 20 * (WHALE_DEBT - 200))
    market.state.chain.pay_mcop = False
    assert settle(market, 100) == (100, 2_000, [0], False)
    check_all_supplies(market.state)


def test_a_payout_beyond_any_amount_is_not_cut() -> None:
    """BS10, R1.4: what units are worth at MCOP may exceed the largest supply; nothing is cut."""
    market = pool_of_thousand(TO_FUND)
    market.state.chain.pay_mcop = True
    market.feed(1, MAX_SUPPLY)
    assert settle(market, 100) == (100, 1_400, [0], False)


@pytest.mark.parametrize(
    ("feed", "offered", "price"),
    [
        ((1, 5), 7_500, Fraction(15, 2)),
        ((1, 9), 13_500, Fraction(27, 2)),
        ((3, 28), 14_000, Fraction(14)),
        ((1, 10), 14_000, Fraction(14)),
        ((1, 30), 14_000, Fraction(14)),
        ((3, 31), 14_000, Fraction(14)),
    ],
)
def test_a_published_feed_prices_the_order(
    feed: tuple[int, int], offered: int, price: Fraction
) -> None:
    """BS6: at MCOP, 1.5 times the feed, once in the block; never more than all of the fund."""
    market = pool_of_thousand(TO_ORDER)
    order = find_settled_debt_order(market.state, market.usd)
    assert order is not None
    number, at_first = order.id, order.sell_price
    ctx = market.publish(*feed)
    assert (order.sell_price, market.data.is_reprice_due) == (at_first, True)
    run_boundary(ctx)
    assert (order.for_sale, value(order.sell_price), order.id) == (offered, price, number)
    assert not market.data.is_reprice_due
    check_debt_pools(market.state)


def test_what_does_not_price_the_order_anew() -> None:
    """BS6: neither the issuer's margin call fee alone, nor a block without a feed."""
    market = pool_of_thousand(TO_ORDER)
    order = find_settled_debt_order(market.state, market.usd)
    assert order is not None
    run_boundary(market.publish(1, 5))
    before = order.for_sale, order.sell_price
    market.set_options(margin_call_fee_ratio=400)
    market.settle_boundary()
    assert (order.for_sale, order.sell_price) == before
    run_boundary(market.publish(1, 5))
    assert (order.for_sale, value(order.sell_price)) == (5_500, Fraction(11, 2))


def test_nobody_touches_the_order_of_a_pool() -> None:
    """BS2: nobody owns it: neither the null account nor another cancels or changes it."""
    market = pool_of_thousand(TO_ORDER)
    order = find_settled_debt_order(market.state, market.usd)
    assert order is not None
    number, before = LimitOrderId(order.id), (order.for_sale, order.sell_price)
    for account, rule in ((NULL_ACCOUNT, "BS2"), (market.whale, "R2.11")):
        cancel = LimitOrderCancel(NO_FEE, account, number)
        change = LimitOrderUpdate(NO_FEE, account, number, new_expiration=2_000_000_000)
        assert expect(market.context(), OwnerMismatch, cancel).rule == rule
        assert expect(market.context(), OwnerMismatch, change).rule == rule
    assert (order.for_sale, order.sell_price) == before


@pytest.mark.usefixtures("interpreted")
def test_the_pool_meets_bids_though_the_calls_were_abandoned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """BS8, R4.13: an overflow ends the margin calls of the block, and leaves no book crossed."""
    market = pool_of_thousand(TO_ORDER)
    run_boundary(market.publish(1, 5))
    assert market.bid(100, 1_000) is not None

    def overflow(*_: object, **__: object) -> None:
        raise PriceOverflow("product of an amount and a price")

    monkeypatch.setattr(margin_calls, "_call_all", overflow)
    ctx = market.publish(1, 9)
    run_boundary(ctx)
    assert [type(event) for event in ctx.events if "Median" not in type(event).__name__] == [
        MarketRunAbandonedEvent
    ]
    assert [trade(op) for op in fills(ctx)] == [(1_400, 100, 400, False), (100, 1_000, 0, True)]
    check_debt_pools(market.state)


def test_a_debt_worth_more_than_any_amount_is_offered_for_all_of_the_fund() -> None:
    """BS6, R1.4: what the debt is worth at a price may exceed the largest supply."""
    price = Price(AssetAmount(MAX_SUPPLY, CORE), AssetAmount(1, AssetId(1)))
    assert size_at(Pool(2, MAX_SUPPLY), price) is None
    assert size_at(Pool(1, MAX_SUPPLY), price) == MAX_SUPPLY
    assert size_at(Pool(1, MAX_SUPPLY - 1), price) is None
