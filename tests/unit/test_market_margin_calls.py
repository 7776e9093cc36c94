"""Margin calls by the bid and by the feed: who is called, at what price, for how much (R4)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.market import margin_calls
from node.market.fees import add_pending_fee
from node.state.context import Context
from node.state.events import MarketRunAbandonedEvent
from node.state.objects.assets import NULL_FEED
from node.state.objects.governance import TRIGGER_BID, TRIGGER_FEED
from node.state.objects.market import CallOrder
from protocol.asset import NO_FEE, NULL_PRICE, AssetAmount
from protocol.errors import PriceOverflow
from protocol.ids import LimitOrderId
from protocol.operations.asset_options import CHARGE_MARKET_FEE
from protocol.operations.limit_order import FillOrder, LimitOrderCancel
from tests.support.market import CORE, Market, fills, kinds_emitted, make_market, place, trade
from tests.support.slow_market import check_supplies, positions_by_ratio
from tests.support.state import add_bitasset

TRIGGERS = pytest.mark.parametrize("trigger", [TRIGGER_BID, TRIGGER_FEED])


def figures(position: CallOrder) -> tuple[int, int]:
    return position.debt, position.collateral


def called(market: Market) -> int:
    """How many positions a boundary fills; the supplies are checked."""
    count = len(fills(market.settle_boundary())) // 2
    check_supplies(market.state)
    return count


# At the feed of 1 USD per 10 CORE the SQP is 1 per 15. A position of CR 20 has its call price at
# 1.75 / 20 = 0.0875, which is 875 USD for 10,000 CORE.


@pytest.mark.parametrize(
    ("usd", "core", "is_called"),
    [
        (1_000, 15_000, False),
        (1_001, 15_000, True),
        (1_000, 12_000, True),
        (874, 10_000, True),
        (875, 10_000, False),
        (876, 10_000, False),
        (1_000, 16_000, False),
    ],
)
def test_the_bid_calls_strictly_between_squeeze_protection_and_call_price(
    usd: int, core: int, *, is_called: bool
) -> None:
    """R4.2: SQP < highest bid < call price; at either end nothing is called."""
    market = make_market(trigger=TRIGGER_BID)
    market.position(0, 1_000, 20_000)
    market.bid(usd, core)
    assert called(market) == is_called


def test_the_highest_bid_alone_decides() -> None:
    """R4.2: a bid above the call price shields the lower one inside the window."""
    market = make_market(trigger=TRIGGER_BID)
    market.position(0, 1_000, 20_000)
    market.bid(1_000, 12_000)
    assert called(market) == 1
    shielded = make_market(trigger=TRIGGER_BID)
    shielded.position(0, 1_000, 20_000)
    shielded.bid(1_000, 12_000)
    shielded.bid(1, 11)
    assert called(shielded) == 0


@pytest.mark.parametrize(
    ("collateral", "usd", "core", "is_called"),
    [
        (17_500, 1_000, 15_000, True),
        (17_501, 1_000, 15_000, False),
        (17_500, 1_000, 15_001, False),
        (17_500, 2_000, 15_001, True),
        (17_500, 9_000, 15_000, True),
    ],
)
def test_the_feed_calls_at_or_below_the_mcr_and_takes_any_bid_from_the_protected_price_on(
    collateral: int, usd: int, core: int, *, is_called: bool
) -> None:
    """R4.2: CR <= MC, and bid >= SQP, both inclusive; however high the bid."""
    market = make_market(trigger=TRIGGER_FEED)
    market.position(0, 1_000, collateral)
    market.bid(usd, core)
    assert called(market) == is_called


def test_a_feed_above_the_call_price_protects_only_under_the_feed_trigger() -> None:
    """R4.2: difference (1), SP > cp and the bid below cp."""
    for trigger, expected in ((TRIGGER_BID, 1), (TRIGGER_FEED, 0)):
        market = make_market(trigger=trigger)
        market.position(0, 1_000, 20_000)
        market.bid(1_000, 12_000)
        assert called(market) == expected


def test_a_bid_above_the_call_price_waits_only_under_the_bid_trigger() -> None:
    """R4.2: difference (2), SP <= cp and the bid at or above cp."""
    for trigger, expected in ((TRIGGER_BID, 0), (TRIGGER_FEED, 1)):
        market = make_market(trigger=trigger)
        market.position(0, 1_000, 17_000)
        market.bid(1_000, 9_000)
        assert called(market) == expected


@TRIGGERS
def test_a_call_that_takes_a_whole_bid(trigger: int) -> None:
    """R4.4, R4.5, R4.7: 400 USD at the bid's price of 12 CORE; the bought USD is destroyed."""
    market = make_market(trigger=trigger)
    position = market.position(0, 1_000, 17_000)
    bid = market.bid(400, 4_800)
    assert bid is not None
    whale, supply = market.balance(market.whale, CORE), market.supply()
    ctx = market.settle_boundary()
    assert figures(position) == (600, 12_200)
    of_position, of_order = fills(ctx)
    assert trade(of_position) == (4_800, 400, 0, False)
    assert trade(of_order) == (400, 4_800, 0, True)
    assert of_position.fill_price == of_order.fill_price == bid.sell_price
    assert of_position.account_id == market.accounts[0]
    assert (of_position.order_id.type, of_order.order_id.type) == (8, 7)
    assert market.balance(market.whale, CORE) == whale + 4_800
    assert market.supply() == supply - 400
    assert market.state.statistics_of(market.accounts[0]).total_core_in_orders == 12_200
    check_supplies(market.state)


def test_a_position_that_is_covered_returns_its_collateral() -> None:
    """R4.7: 1,000 USD cost 12,000 CORE; the other 8,000 go back, the order keeps its rest."""
    market = make_market()
    position = market.position(0, 1_000, 20_000)
    bid = market.bid(1_500, 18_000)
    before = market.balance(market.accounts[0], CORE)
    market.settle_boundary()
    assert market.state.call_orders.find(position.id) is None
    assert market.balance(market.accounts[0], CORE) == before + 8_000
    assert market.state.statistics_of(market.accounts[0]).total_core_in_orders == 0
    assert bid is not None
    assert (bid.for_sale, bid.filled_amount) == (500, 1_000)
    check_supplies(market.state)


def test_the_rounding_of_a_smaller_bid_is_the_position_s() -> None:
    """R4.5: the last 10 USD of a bid of 30 per 370 bring 123 CORE, not 123 1/3."""
    market = make_market(trigger=TRIGGER_FEED)
    position = market.position(0, 1_000, 16_000)
    bid = market.bid(30, 370)
    place(market.context(), market.accounts[1], (247, CORE), (20, market.usd))
    assert bid is not None
    assert bid.for_sale == 10
    ctx = market.settle_boundary()
    assert trade(fills(ctx)[0]) == (123, 10, 0, False)
    assert figures(position) == (990, 15_877)
    check_supplies(market.state)


def test_the_rounding_of_a_smaller_position_is_the_bid_s_and_its_dust_is_refunded() -> None:
    """R4.5, R2.8: at 99 USD per 10 CORE, 95 USD cost 10 CORE; the other 4 are worth nothing."""
    market = make_market()
    market.feed(10, 1)
    position = market.position(0, 95, 15)
    market.bid(99, 10)
    whale = market.balance(market.whale, market.usd)
    ctx = market.settle_boundary()
    assert kinds_emitted(ctx) == [FillOrder, FillOrder, LimitOrderCancel]
    assert trade(fills(ctx)[0]) == (10, 95, 0, False)
    assert ctx.applied[2].result == AssetAmount(4, market.usd)
    assert market.balance(market.whale, market.usd) == whale + 4
    assert market.state.call_orders.find(position.id) is None
    check_supplies(market.state)


def test_the_margin_call_fee_stays_with_the_asset() -> None:
    """R1.8, R4.4, BSIP74: at an MCFR of 0.2, bids from 1 per 13 on; 130 USD at 1 per 12 bring
    1,560 CORE to the order, cost 1,800, and leave 240 to the issuer."""
    market = make_market()
    market.set_options(margin_call_fee_ratio=200)
    position = market.position(0, 1_000, 20_000)
    market.bid(130, 1_560)
    ctx = market.settle_boundary()
    assert trade(fills(ctx)[0]) == (1_800, 130, 240, False)
    assert trade(fills(ctx)[1]) == (130, 1_560, 0, True)
    assert figures(position) == (870, 18_200)
    assert market.state.figures_of(market.usd).accumulated_collateral_fees == 240
    check_supplies(market.state)


@pytest.mark.parametrize(("core", "is_called"), [(1_299, True), (1_300, False), (1_400, False)])
def test_with_a_fee_the_window_begins_at_the_order_price(core: int, *, is_called: bool) -> None:
    """R4.2: MCOP takes the place of SQP, so that price and fee never exceed SQP."""
    market = make_market(trigger=TRIGGER_BID)
    market.set_options(margin_call_fee_ratio=200)
    market.position(0, 1_000, 20_000)
    market.bid(100, core)
    assert called(market) == is_called


def test_the_least_collateralised_is_called_first_and_the_older_one_at_one_ratio() -> None:
    """R4.1, R4.3: by ratio, then id; each until the next one is worse off."""
    market = make_market()
    ratios = (19_000, 18_000, 18_000)
    first, second, third = (market.position(i, 1_000, c) for i, c in enumerate(ratios))
    market.bid(1_700, 20_400)
    ctx = market.settle_boundary()
    called_ids = [fill.order_id.instance for fill in fills(ctx) if not fill.is_maker]
    assert called_ids == [second.id, third.id]
    assert figures(third) == (300, 18_000 - 8_400)
    assert figures(first) == (1_000, 19_000)
    check_supplies(market.state)


def test_a_partly_filled_position_takes_its_new_place() -> None:
    """R4.3, R4.10, I16: each small bid goes to whoever is worst off after the last fill."""
    market = make_market(trigger=TRIGGER_FEED)
    first, second = market.position(0, 1_000, 16_000), market.position(1, 1_000, 16_100)
    for _ in range(4):
        market.bid(100, 1_200)
    ctx = market.settle_boundary()
    called_ids = [fill.order_id.instance for fill in fills(ctx) if not fill.is_maker]
    # 16.0 -> 14,800/900 = 16.44; 16.1 -> 14,900/900 = 16.56; 16.44 -> 13,600/800 = 17.0; 16.56.
    assert called_ids == [first.id, second.id, first.id, second.id]
    ordered = [position.id for position in market.state.positions.items(market.usd)]
    assert ordered == positions_by_ratio(market.state, market.usd)


def test_calls_go_from_the_best_bid_to_the_worst_acceptable_one() -> None:
    """R4.4, R4.8: at market rates, and never beyond the squeeze protection price."""
    market = make_market(trigger=TRIGGER_FEED)
    position = market.position(0, 1_000, 16_000)
    for core in (1_600, 1_100, 1_500, 1_300):
        market.bid(100, core)
    ctx = market.settle_boundary()
    assert [fill.pays.amount for fill in fills(ctx) if not fill.is_maker] == [1_100, 1_300, 1_500]
    assert figures(position) == (700, 12_100)


def test_a_target_ratio_limits_what_is_covered() -> None:
    """R4.6, R3.7, BSIP38: to 2.0 at the feed, 556 USD by hand in the tests of the cover."""
    market = make_market()
    position = market.position(0, 1_000, 15_500, tcr=2_000)
    # (15500 - 11 d) / (1000 - d) > 20 from d = 501 on: 9,989 > 20 * 499 = 9,980.
    market.bid(1_000, 11_000)
    market.settle_boundary()
    assert figures(position) == (499, 9_989)
    assert position.target_collateral_ratio == 2_000


def test_a_target_below_the_mcr_acts_as_the_mcr() -> None:
    """R3.7: (15500 - 11 d) / (1000 - d) > 17.5 from d = 308 on: 12,112 > 17.5 * 692 = 12,110."""
    market = make_market(trigger=TRIGGER_FEED)
    position = market.position(0, 1_000, 15_500, tcr=0)
    market.bid(1_000, 11_000)
    market.settle_boundary()
    assert figures(position) == (692, 12_112)


def test_a_position_that_only_the_bid_calls_measures_its_target_at_the_bid() -> None:
    """R4.6: CR 20 is over the MCR of the feed; at 1 per 12 the target of 1.75 is 21.

    (20000 - 12 d) / (1000 - d) > 21 from d = 112 on: 18,656 > 21 * 888 = 18,648.
    """
    market = make_market(trigger=TRIGGER_BID)
    position = market.position(0, 1_000, 20_000, tcr=1_750)
    market.bid(1_000, 12_000)
    assert called(market) == 1
    assert figures(position) == (888, 18_656)


@TRIGGERS
def test_what_is_never_called(trigger: int) -> None:
    """R4.1, R7.2: a prediction market, a settled asset, an asset without a feed."""
    market = make_market(trigger=trigger)
    market.position(0, 1_000, 16_000)
    market.bid(1_000, 12_000)
    data = market.state.bitassets.edit(market.data)
    feed = data.current_feed
    data.is_prediction_market = True
    assert len(fills(run(market))) == 0
    data.is_prediction_market = False
    data.settlement_price = feed.settlement_price
    assert len(fills(run(market))) == 0
    data.settlement_price = NULL_PRICE
    data.current_feed = NULL_FEED
    assert len(fills(run(market))) == 0
    data.current_feed = feed
    assert len(fills(run(market))) == 2


def run(market: Market) -> Context:
    ctx = market.context()
    margin_calls.run_asset(ctx, market.data)
    return ctx


def test_only_the_book_against_the_backing_counts() -> None:
    """R4.14: a bid for another asset calls nobody."""
    market = make_market()
    market.position(0, 1_000, 20_000)
    eur = add_bitasset(market.state, "EUR")
    place(market.context(), market.whale, (1_000, market.usd), (12_000, eur))
    assert called(market) == 0


@pytest.mark.usefixtures("interpreted")
def test_an_overflow_abandons_the_run_and_takes_the_fill_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R4.13: the block goes on; state, records and their numbers are as before the fill."""
    market = make_market()
    market.position(0, 1_000, 20_000)
    market.bid(100, 1_200)
    ctx = market.context()
    ctx.emit(LimitOrderCancel(NO_FEE, market.whale, LimitOrderId(0)))
    before = market.state.state_hash()

    def overflow(*_: object, **__: object) -> bool:
        add_pending_fee(market.state, market.whale, 5)
        raise PriceOverflow("product of an amount and a price")

    monkeypatch.setattr(margin_calls, "fill_limit_order", overflow)
    margin_calls.run_asset(ctx, market.data)
    assert market.state.state_hash() == before
    assert (len(ctx.applied), ctx.virtual_op) == (1, 1)
    (event,) = ctx.events
    assert isinstance(event, MarketRunAbandonedEvent)
    assert event.asset_id == market.usd
    monkeypatch.undo()
    assert called(market) == 1


def test_market_fees_are_taken_from_what_the_bid_receives() -> None:
    """R2.14, R4.7: the bid is maker and pays the backing asset's fee; the position pays none."""
    market = make_market()
    core = market.state.assets.edit(market.state.assets.get(CORE))
    core.options = replace(core.options, flags=CHARGE_MARKET_FEE, market_fee_percent=100)
    market.position(0, 1_000, 20_000)
    market.bid(100, 1_200)
    whale = market.balance(market.whale, CORE)
    ctx = market.settle_boundary()
    assert trade(fills(ctx)[0]) == (1_200, 100, 0, False)
    assert trade(fills(ctx)[1]) == (100, 1_200, 12, True)
    assert market.balance(market.whale, CORE) == whale + 1_188
    assert market.state.figures_of(CORE).accumulated_fees == 12
    check_supplies(market.state)
