"""Black swan, global settlement, bids and revival (R6, R7)."""

from __future__ import annotations

from fractions import Fraction

import pytest

from node.market.black_swan import (
    cancel_bid,
    is_black_swan,
    process_bids,
    revive_by_feed,
    settle_globally_at,
)
from node.market.boundary import run_boundary
from node.market.pricing import call_terms
from node.state.context import Context
from node.state.events import GloballySettledEvent, RevivedEvent
from node.state.objects.governance import TRIGGER_BID, TRIGGER_FEED
from node.state.objects.market import CollateralBid
from protocol.asset import AssetAmount, Price
from protocol.constants import COMMITTEE_ACCOUNT
from protocol.ids import CallOrderId
from protocol.operations.bitasset import AssetSettleCancel, BidCollateral, ExecuteBid
from tests.support.market import (
    CORE,
    WHALE_DEBT,
    Market,
    emitted,
    fills,
    kinds_emitted,
    make_market,
    trade,
)
from tests.support.slow_market import check_supplies, value

TRIGGERS = pytest.mark.parametrize("trigger", [TRIGGER_BID, TRIGGER_FEED])


def price_of(market: Market, usd: int, core: int) -> Price:
    return Price(AssetAmount(usd, market.usd), AssetAmount(core, CORE))


@pytest.mark.parametrize(
    ("collateral", "bid_core", "is_swan"),
    [
        (15_000, None, False),
        (14_999, None, True),
        (14_000, 14_000, False),
        (14_000, 14_001, True),
        (14_000, 13_000, False),
        (14_000, 16_000, True),
    ],
)
def test_the_swan_test(collateral: int, bid_core: int | None, *, is_swan: bool) -> None:
    """R6.1: D/C above SQP and above the best bid, strictly; SQP is 1 per 15."""
    market = make_market()
    position = market.position(0, 1_000, collateral)
    bid = None if bid_core is None else price_of(market, 1_000, bid_core)
    assert is_black_swan(call_terms(market.data), position, bid) == is_swan


@TRIGGERS
def test_a_swan_settles_the_whole_asset(trigger: int) -> None:
    """R6.2: at 1 per 14, the worst position's price. The called pay 14 a USD, of which a third is
    fee; the others 14 / 1.5 = 9 1/3, rounded up; the debt stays in circulation."""
    market = make_market(trigger=trigger)
    at_limit, worst, healthy = (
        market.position(i, 1_000, c) for i, c in enumerate((17_500, 14_000, 17_501))
    )
    balances = [market.balance(account, CORE) for account in market.accounts]
    supply = market.supply()
    ctx = market.settle_boundary()
    records = [(op.order_id.instance, *trade(op)) for op in fills(ctx)]
    whale_pays = -(-WHALE_DEBT * 28 // 3)
    assert records == [
        (worst.id, 14_000, 1_000, 14_000 - 9_334, True),
        (at_limit.id, 14_000, 1_000, 14_000 - 9_334, True),
        (healthy.id, 9_334, 1_000, 0, True),
        (0, whale_pays, WHALE_DEBT, 0, True),
    ]
    assert {value(op.fill_price) for op in fills(ctx)} == {Fraction(3, 28)}
    left = [market.balance(account, CORE) for account in market.accounts]
    assert [b - a for a, b in zip(balances, left, strict=True)] == [3_500, 0, 8_167]
    fund = 3 * 9_334 + whale_pays
    data = market.data
    assert data.settlement_fund == fund
    assert data.settlement_price == price_of(market, supply, fund)
    assert market.supply() == supply
    assert market.state.figures_of(market.usd).accumulated_collateral_fees == 2 * 4_666
    assert ctx.events == [GloballySettledEvent(market.usd, data.settlement_price, fund)]
    assert market.state.positions.first(market.usd) is None
    check_supplies(market.state)


@TRIGGERS
def test_a_swan_above_the_maintenance_ratio_costs_no_premium(trigger: int) -> None:
    """R6.2: with an MCR of 1.2 and an MSQR of 1.5, a position at 1.4 is not called, and yet no
    price that it may be forced to pay covers it. All pay 14 a USD; nobody gets a fee."""
    market = make_market(trigger=trigger)
    market.feed(1, 10, mcr=1_200)
    worst, healthy = (market.position(i, 1_000, c) for i, c in enumerate((14_000, 20_000)))
    balances = [market.balance(account, CORE) for account in market.accounts]
    supply = market.supply()
    ctx = market.settle_boundary()
    records = [(op.order_id.instance, *trade(op)) for op in fills(ctx)]
    assert records == [
        (worst.id, 14_000, 1_000, 0, True),
        (healthy.id, 14_000, 1_000, 0, True),
        (0, 14 * WHALE_DEBT, WHALE_DEBT, 0, True),
    ]
    left = [market.balance(account, CORE) for account in market.accounts]
    assert [b - a for a, b in zip(balances, left, strict=True)][:2] == [0, 6_000]
    assert market.data.settlement_price == price_of(market, supply, 14 * supply)
    assert market.state.figures_of(market.usd).accumulated_collateral_fees == 0
    check_supplies(market.state)


def test_no_position_pays_more_than_it_has() -> None:
    """R6.2: caps at C: a position between the worst and 1.5 times its price below the MCR."""
    market = make_market()
    market.feed(1, 10, mcr=1100, mssr=1100)
    market.position(0, 1_000, 10_500)
    ctx = market.settle_boundary()
    assert trade(fills(ctx)[0]) == (10_500, 1_000, 10_500 - 9_546, True)
    check_supplies(market.state)


def test_a_good_bid_saves_a_position_that_the_squeeze_price_cannot() -> None:
    """R6.1, R4.8: at exactly D/C the bid closes the position, and there is no swan."""
    market = make_market(trigger=TRIGGER_FEED)
    market.position(0, 1_000, 14_000)
    market.bid(1_000, 14_000)
    ctx = market.settle_boundary()
    assert not market.data.is_globally_settled()
    assert trade(fills(ctx)[0]) == (14_000, 1_000, 0, False)
    check_supplies(market.state)


def test_the_swan_comes_when_the_saving_bid_is_used_up() -> None:
    """R4.8: the test is made again after each fill."""
    market = make_market(trigger=TRIGGER_FEED)
    market.position(0, 1_000, 14_000)
    market.bid(500, 7_000)
    ctx = market.settle_boundary()
    assert trade(fills(ctx)[0]) == (7_000, 500, 0, False)
    assert trade(fills(ctx)[2])[:2] == (7_000, 500)
    assert market.data.is_globally_settled()
    assert value(market.data.settlement_price) < Fraction(1, 9)
    check_supplies(market.state)


def test_after_the_swan_orders_stay_and_requests_are_cancelled() -> None:
    """R6.4, R5.4, B5: the book is left alone; requests not yet due are refunded too."""
    market = make_market()
    market.position(0, 1_000, 14_000)
    order = market.bid(100, 2_000)
    assert order is not None
    market.request(market.whale, 500, due=2**31)
    ctx = market.settle_boundary()
    assert order.for_sale == 100
    assert kinds_emitted(ctx)[-1] is AssetSettleCancel
    assert len(market.state.force_settlements) == 0
    check_supplies(market.state)


def settled(market: Market, usd: int = 1, core: int = 9) -> None:
    """Have the issuer settle globally."""
    settle_globally_at(market.context(), market.data, price_of(market, usd, core))


def test_the_issuer_settles_at_a_price() -> None:
    """R6.3: every position pays its debt at the price, rounded up, without a fee."""
    market = make_market()
    market.position(0, 1_000, 20_000)
    ctx = market.context()
    settle_globally_at(ctx, market.data, price_of(market, 3, 40))
    whale_pays = -(-WHALE_DEBT * 40 // 3)
    assert [trade(op) for op in fills(ctx)] == [
        (13_334, 1_000, 0, True),
        (whale_pays, WHALE_DEBT, 0, True),
    ]
    assert market.data.settlement_fund == 13_334 + whale_pays
    assert market.supply() == WHALE_DEBT + 1_000
    check_supplies(market.state)


def test_a_position_whose_debt_rounds_up_to_more_than_it_has_pays_all() -> None:
    """R6.3: 1,000 USD are 13,333 1/3 CORE; the check rounds down, the payment up."""
    market = make_market()
    market.position(0, 1_000, 13_333)
    ctx = market.context()
    settle_globally_at(ctx, market.data, price_of(market, 3, 40))
    assert trade(fills(ctx)[0]) == (13_333, 1_000, 0, True)
    check_supplies(market.state)


def test_a_prediction_market_may_end_at_nothing() -> None:
    """R7.2: outcome 0: the fund is empty, and every position gets all its collateral back."""
    market = make_market()
    market.state.bitassets.edit(market.data).is_prediction_market = True
    before = market.balance(market.whale, CORE)
    settled(market, 1, 0)
    assert market.data.settlement_fund == 0
    assert market.data.is_globally_settled()
    assert market.balance(market.whale, CORE) == before + 100 * WHALE_DEBT


def test_a_recovered_feed_gives_all_debt_to_the_issuer() -> None:
    """R6.7: 9 CORE per USD exceed 1.75 * 5; positions, bids and records."""
    market = make_market()
    settled(market)
    collect_bid(market, 0, 100, 1_000)
    supply, fund = market.supply(), market.data.settlement_fund
    market.publish(1, 5)
    ctx = market.settle_boundary()
    position = market.state.positions_of_account.find(COMMITTEE_ACCOUNT, market.usd)
    assert position is not None
    assert (position.debt, position.collateral) == (supply, fund)
    kinds = kinds_emitted(ctx)
    assert kinds == [ExecuteBid, BidCollateral]
    assert not market.data.is_globally_settled()
    assert ctx.events == [RevivedEvent(market.usd, by_bids=False)]
    assert market.state.statistics_of(COMMITTEE_ACCOUNT).total_core_in_orders == fund
    check_supplies(market.state)


@pytest.mark.parametrize(("icr", "revives"), [(1_800, False), (1_799, True), (1_000, True)])
def test_the_fund_must_exceed_the_initial_collateralization(icr: int, *, revives: bool) -> None:
    """R6.7: 9 CORE per USD against an ICR of 1.8 at 1 per 5: strictly above."""
    market = make_market()
    settled(market)
    market.publish(1, 5, icr=icr)
    market.settle_boundary()
    assert market.data.is_globally_settled() != revives
    check_supplies(market.state)


def test_only_a_changed_median_revives() -> None:
    """R6.7: an issuer's settlement at a high price stands until the next change of the feed."""
    market = make_market()
    settled(market, 1, 50)
    market.settle_boundary()
    market.publish(1, 10)
    market.settle_boundary()
    assert market.data.is_globally_settled(), "the same feed again is no change"
    market.publish(10, 101)
    market.settle_boundary()
    assert not market.data.is_globally_settled()


def test_an_asset_without_supply_revives_without_a_position() -> None:
    """R6.7, R6.6: nothing is owed."""
    for by_bids in (False, True):
        market = make_market()
        market.state.call_orders.remove(market.state.call_orders.get(CallOrderId(0)))
        data = market.state.bitassets.edit(market.data)
        data.settlement_price = price_of(market, 1, 9)
        market.state.asset_dynamic_data.edit(market.state.figures_of(market.usd)).current_supply = 0
        ctx = market.context()
        (process_bids if by_bids else revive_by_feed)(ctx, data)
        assert not data.is_globally_settled()
        assert len(market.state.call_orders) == 0
        assert ctx.events == [RevivedEvent(market.usd, by_bids)]


def collect_bid(market: Market, who: int, usd: int, core: int) -> CollateralBid:
    """A collateral bid, paid for from the balance."""
    account = market.accounts[who]
    found = market.state.balances_of_account.find(account, CORE)
    assert found is not None
    market.state.balances.edit(found).balance -= core
    table = market.state.collateral_bids
    return table.create(
        CollateralBid(
            id=table.next_id,
            bidder=account,
            additional_collateral=AssetAmount(core, CORE),
            debt_covered=AssetAmount(usd, market.usd),
        )
    )


def bidding_market() -> Market:
    """A supply of 1,000 USD and a fund of 9,000 CORE; a bid needs 8.5 CORE more per USD."""
    market = make_market(whale_debt=1_000)
    settled(market)
    return market


def after_bids(market: Market) -> Context:
    ctx = market.context()
    process_bids(ctx, market.data)
    check_supplies(market.state)
    return ctx


def test_bids_that_cover_the_debt_revive_the_asset() -> None:
    """R6.6: best first; the last takes what is left of debt and fund; the rest is cancelled."""
    market = bidding_market()
    first = collect_bid(market, 0, 700, 7_000)
    second = collect_bid(market, 1, 600, 5_700)
    third = collect_bid(market, 2, 600, 5_650)
    balance = market.balance(market.accounts[2], CORE)
    ctx = after_bids(market)
    positions = {p.borrower: (p.debt, p.collateral) for p in market.state.call_orders.in_order()}
    assert positions == {
        first.bidder: (700, 7_000 + 6_300),
        second.bidder: (300, 5_700 + 2_700),
    }
    assert kinds_emitted(ctx) == [ExecuteBid, ExecuteBid, BidCollateral]
    returned = emitted(ctx)[2]
    assert isinstance(returned, BidCollateral)
    assert (returned.bidder, returned.debt_covered.amount) == (third.bidder, 0)
    assert market.balance(third.bidder, CORE) == balance + 5_650
    assert not market.data.is_globally_settled()
    assert market.data.settlement_fund == 0
    assert len(market.state.collateral_bids) == 0
    assert market.state.statistics_of(first.bidder).total_core_in_orders == 13_300


def test_positions_made_of_bids_are_called_in_the_same_block() -> None:
    """R4.12, R8.3: a revival touches the asset; CR 17.6 meets an order at 1 per 12."""
    market = bidding_market()
    market.bid(100, 1_200)
    collect_bid(market, 0, 1_000, 8_600)
    ctx = after_bids(market)
    run_boundary(ctx)
    assert len(fills(ctx)) == 2
    check_supplies(market.state)


def test_rounding_of_the_fund_goes_to_the_last_bidder() -> None:
    """R6.6: shares of 333 1/3 CORE are rounded down, the last takes the whole remaining fund."""
    market = make_market(whale_debt=3_000)
    settled(market, 9, 1)
    for who in range(3):
        collect_bid(market, who, 1_000, 30_000 - who)
    after_bids(market)
    assert [p.collateral for p in market.state.call_orders.in_order()] == [
        30_000 + 111,
        29_999 + 111,
        29_998 + 112,
    ]


@pytest.mark.parametrize(("core", "revives"), [(8_500, False), (8_501, True)])
def test_a_bid_must_exceed_the_initial_ratio(core: int, *, revives: bool) -> None:
    """R6.6: d * ICR / k below the feed, strictly; 17.5 CORE per USD are not enough."""
    market = bidding_market()
    collect_bid(market, 0, 1_000, core)
    after_bids(market)
    assert market.data.is_globally_settled() != revives


def test_bids_that_leave_debt_uncovered_do_nothing() -> None:
    """R6.6: all or nothing; a bid below the ratio ends the walk."""
    market = bidding_market()
    collect_bid(market, 0, 999, 90_000)
    collect_bid(market, 1, 1_000, 8_000)
    before = market.state.state_hash()
    after_bids(market)
    assert market.state.state_hash() == before


def test_bids_wait_for_a_feed_and_for_a_settlement() -> None:
    """R6.6, R7.2: a live asset, one without a feed, a prediction market."""
    market = make_market()
    before = market.state.state_hash()
    after_bids(market)
    assert market.state.state_hash() == before
    settled(market)
    collect_bid(market, 0, WHALE_DEBT, 10**9)
    market.state.bitassets.edit(market.data).is_prediction_market = True
    before = market.state.state_hash()
    after_bids(market)
    assert market.state.state_hash() == before


def test_an_owner_s_cancelled_bid_has_no_record() -> None:
    """R6.5, R6.8: the operation itself is the record."""
    market = bidding_market()
    bid = collect_bid(market, 0, 1_000, 8_000)
    ctx = market.context()
    cancel_bid(ctx, bid, virtual=False)
    assert emitted(ctx) == []
    assert market.balance(bid.bidder, CORE) == 10**9
    check_supplies(market.state)
