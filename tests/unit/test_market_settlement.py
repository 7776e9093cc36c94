"""Force settlement at the boundary, and redemption from the fund (R5)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.market.black_swan import settle_globally_at
from node.market.settlement import cancel_settlements, settle_from_fund
from node.state.errors import InsufficientBalance, TooSmall
from node.state.objects.assets import NULL_FEED, BitassetData
from protocol.asset import NULL_PRICE, AssetAmount, Price
from protocol.ids import CallOrderId
from protocol.operations.asset_options import CHARGE_MARKET_FEE
from protocol.operations.bitasset import AssetSettleCancel
from tests.support.market import CORE, Market, emitted, fills, make_market, trade
from tests.support.slow_market import check_supplies
from tests.support.world import GENESIS_TIME


def figures(market: Market) -> list[tuple[int, int]]:
    """Debt and collateral of the positions of the accounts, without the whale's."""
    positions = market.state.call_orders.in_order()
    return [(p.debt, p.collateral) for p in positions if p.borrower != market.whale]


def refunds(market: Market, now: int = GENESIS_TIME) -> list[int]:
    """What the settlement requests cancelled at a boundary give back."""
    ops = emitted(market.settle_boundary(now))
    check_supplies(market.state)
    return [op.amount.amount for op in ops if isinstance(op, AssetSettleCancel)]


def test_a_due_request_is_settled_with_the_least_collateralised_position() -> None:
    """R5.4, R5.5, R4.7: 400 USD for 4,000 CORE at the feed; position first, request as taker."""
    market = make_market()
    market.position(0, 1_000, 30_000)
    worst = market.position(1, 1_000, 20_000)
    request = market.request(market.whale, 400)
    whale, supply = market.balance(market.whale, CORE), market.supply()
    ctx = market.settle_boundary()
    of_position, of_request = fills(ctx)
    assert trade(of_position) == (4_000, 400, 0, True)
    assert trade(of_request) == (400, 4_000, 0, False)
    assert of_position.order_id.instance == worst.id
    assert (of_request.order_id.type, of_request.order_id.instance) == (4, request.id)
    assert of_request.fill_price == market.data.current_feed.settlement_price
    assert figures(market) == [(1_000, 30_000), (600, 16_000)]
    assert market.balance(market.whale, CORE) == whale + 4_000
    assert market.supply() == supply - 400
    assert market.data.force_settled_volume == 400
    assert len(market.state.force_settlements) == 0
    check_supplies(market.state)


def test_a_settlement_at_the_feed_calls_nobody() -> None:
    """R5.10: it raises the ratio of a position above the feed, so what was not called stays so."""
    market = make_market()
    market.position(0, 1_000, 17_600)
    market.bid(100, 990)
    market.request(market.whale, 400)
    market.settle_boundary()
    assert figures(market) == [(600, 13_600)]
    assert not fills(market.settle_boundary())


def test_a_request_waits_for_its_date() -> None:
    """R5.2, R5.4: due at settlement_date <= block time."""
    market = make_market()
    market.position(0, 1_000, 20_000)
    market.request(market.whale, 400, due=GENESIS_TIME + 60)
    assert not fills(market.settle_boundary(GENESIS_TIME + 59))
    assert len(fills(market.settle_boundary(GENESIS_TIME + 60))) == 2


def test_requests_are_settled_by_date_then_age() -> None:
    """R5.4: the third is due first; of one date the older one."""
    market = make_market()
    market.position(0, 1_000, 20_000)
    for due in (5, 5, 4, 9):
        market.request(market.whale, 100, due=GENESIS_TIME + due)
    ctx = market.settle_boundary(GENESIS_TIME + 8)
    settled = [op.order_id.instance for op in fills(ctx) if not op.is_maker]
    assert settled == [2, 0, 1]


def test_a_request_walks_through_positions() -> None:
    """R5.4, R5.6: 1,500 USD close one position and take half of the next."""
    market = make_market()
    market.position(0, 1_000, 18_000)
    market.position(1, 1_000, 20_000)
    before = market.balance(market.accounts[0], CORE)
    market.request(market.whale, 1_500)
    market.settle_boundary()
    assert figures(market) == [(500, 15_000)]
    assert market.balance(market.accounts[0], CORE) == before + 8_000
    check_supplies(market.state)


def test_the_offset_favours_the_position() -> None:
    """R5.4: 5 % off the feed, 9.5 CORE per USD."""
    market = make_market()
    market.set_options(force_settlement_offset_percent=500)
    market.position(0, 1_000, 20_000)
    market.request(market.whale, 400)
    assert trade(fills(market.settle_boundary())[1]) == (400, 3_800, 0, False)


def test_the_volume_of_an_interval_is_limited() -> None:
    """R5.4, I11: 20 % of 11,000 USD are 2,200; the rest waits for the next maintenance."""
    market = make_market(whale_debt=10_000)
    market.position(0, 1_000, 20_000)
    market.request(market.whale, 3_000)
    ctx = market.settle_boundary()
    assert [op.pays.amount for op in fills(ctx) if not op.is_maker] == [1_000, 1_200]
    assert market.data.force_settled_volume == 2_200
    assert not emitted(market.settle_boundary()), "(8,800 + 2,200) * 20 % is 2,200 again"
    market.state.bitassets.edit(market.data).force_settled_volume = 0
    ctx = market.settle_boundary()
    assert [op.pays.amount for op in fills(ctx) if not op.is_maker] == [800]
    check_supplies(market.state)


@pytest.mark.parametrize(("percent", "expected"), [(0, 0), (10_000, 3_000)])
def test_volumes_of_nothing_and_of_everything(percent: int, expected: int) -> None:
    """R5.4: 0 % settles nothing, 100 % all."""
    market = make_market(whale_debt=10_000)
    market.set_options(maximum_force_settlement_volume=percent)
    market.request(market.whale, 3_000)
    market.settle_boundary()
    assert market.data.force_settled_volume == expected


def test_the_volume_is_computed_with_the_supply_before_the_first_request() -> None:
    """R5.4: once per asset and block; two requests share it."""
    market = make_market(whale_debt=10_000)
    market.set_options(maximum_force_settlement_volume=5_000)
    market.request(market.whale, 4_000)
    market.request(market.whale, 4_000)
    market.settle_boundary()
    assert market.data.force_settled_volume == 5_000


def test_a_request_cut_to_nothing_by_the_volume_holds_up_the_asset() -> None:
    """R5.4, R5.5: at 3 USD per CORE an allowance of 2 USD buys nothing; a later one waits too."""
    market = make_market(whale_debt=10_000)
    market.feed(3, 1)
    market.set_options(maximum_force_settlement_volume=2)
    first, second = market.request(market.whale, 100), market.request(market.whale, 1)
    assert refunds(market) == []
    assert [request.id for request in market.state.force_settlements.in_order()] == [
        first.id,
        second.id,
    ]


def test_a_request_that_buys_nothing_is_cancelled() -> None:
    """R5.5: 2 USD at 3 USD per CORE."""
    market = make_market()
    market.feed(3, 1)
    market.request(market.whale, 2)
    assert refunds(market) == [2]


def test_what_buys_nothing_of_a_request_is_refunded() -> None:
    """R5.5: of 10 USD at 3 per 2 CORE, 9 are settled and 1 comes back."""
    market = make_market()
    market.feed(3, 2)
    market.request(market.whale, 10)
    assert refunds(market) == [1]
    assert market.data.force_settled_volume == 9


def test_a_refunded_rest_buys_nothing_of_the_next_position() -> None:
    """R5.5: culled at once; a position of 1 USD that is now the worst stays open."""
    market = make_market()
    market.feed(3, 2, mssr=1100)
    market.position(0, 50, 50)
    market.position(1, 1, 1)
    market.request(market.whale, 10)
    assert refunds(market) == [1]
    assert figures(market) == [(41, 44), (1, 1)]


def test_requests_are_cancelled_without_a_price() -> None:
    """R5.4: no feed; or an offset of 100 %; due ones only."""
    market = make_market()
    market.request(market.whale, 10)
    market.request(market.whale, 11, due=GENESIS_TIME + 1)
    market.set_options(force_settlement_offset_percent=10_000)
    assert refunds(market) == [10]
    market.set_options(force_settlement_offset_percent=0)
    data = market.state.bitassets.edit(market.data)
    data.current_feed = data.median_feed = NULL_FEED
    assert refunds(market, GENESIS_TIME + 1) == [11]


def test_a_request_without_a_position_is_cancelled() -> None:
    """R5.4: a defence; with a supply there are positions."""
    market = make_market()
    market.request(market.whale, 10)
    market.state.call_orders.remove(market.state.call_orders.get(CallOrderId(0)))
    ops = emitted(market.settle_boundary())
    assert [type(op) for op in ops] == [AssetSettleCancel]


def test_all_requests_can_be_cancelled_at_once() -> None:
    """R5.9: when the issuer disables force settlement."""
    market = make_market()
    for amount in (10, 20):
        market.request(market.whale, amount, due=2**31)
    ctx = market.context()
    cancel_settlements(ctx, market.usd)
    assert [op.amount.amount for op in emitted(ctx) if isinstance(op, AssetSettleCancel)] == [
        10,
        20,
    ]
    check_supplies(market.state)


def test_fees_of_a_settlement() -> None:
    """R5.5, BSIP87: of 10,000 CORE the taker fee of 2 % first, then 1 % of the rest."""
    market = make_market()
    market.set_options(force_settle_fee_percent=100)
    core = market.state.assets.edit(market.state.assets.get(CORE))
    extensions = replace(core.options.extensions, taker_fee_percent=200)
    core.options = replace(
        core.options, flags=CHARGE_MARKET_FEE, market_fee_percent=500, extensions=extensions
    )
    market.position(0, 2_000, 40_000)
    market.request(market.whale, 1_000)
    whale = market.balance(market.whale, CORE)
    ctx = market.settle_boundary()
    assert trade(fills(ctx)[0]) == (10_000, 1_000, 0, True)
    assert trade(fills(ctx)[1]) == (1_000, 10_000, 200 + 98, False)
    assert market.balance(market.whale, CORE) == whale + 9_702
    assert market.state.figures_of(CORE).accumulated_fees == 200
    assert market.state.figures_of(market.usd).accumulated_collateral_fees == 98
    check_supplies(market.state)


def test_a_position_that_cannot_pay_the_feed_pays_its_own_ratio() -> None:
    """R5.5, I10: CR 9 at a feed of 10, kept from a swan and a call by a bid at 5."""
    market = make_market()
    market.position(0, 1_000, 9_000)
    market.bid(1_000, 5_000)
    market.request(market.whale, 400)
    ctx = market.settle_boundary()
    assert trade(fills(ctx)[0]) == (3_600, 400, 0, True)
    assert figures(market) == [(600, 5_400)]
    market.request(market.whale, 600)
    market.settle_boundary()
    assert figures(market) == []
    check_supplies(market.state)


def settled(market: Market, usd: int, core: int) -> BitassetData:
    price = Price(AssetAmount(usd, market.usd), AssetAmount(core, CORE))
    settle_globally_at(market.context(), market.data, price)
    return market.data


def test_a_redemption_takes_only_what_it_pays_for() -> None:
    """R5.3: at 3 USD per 2 CORE, 10 USD bring 6 CORE and 9 USD are taken."""
    market = make_market(whale_debt=3_000)
    data = settled(market, 3, 2)
    before = market.balance(market.whale, CORE)
    result = settle_from_fund(market.context(), data, market.whale, 10)
    assert (result.paid.amount, result.received.amount, result.fee.amount) == (9, 6, 0)
    assert market.balance(market.whale, market.usd) == 2_991
    assert market.balance(market.whale, CORE) == before + 6
    assert (market.supply(), market.data.settlement_fund) == (2_991, 1_994)
    check_supplies(market.state)


def test_the_last_holder_takes_the_whole_fund() -> None:
    """R5.3: the fund keeps the rounding of the others, and it goes with the last unit."""
    market = make_market(whale_debt=1_000)
    data = settled(market, 3, 2)
    assert data.settlement_fund == 667
    settle_from_fund(market.context(), data, market.whale, 998)
    left = market.supply(), data.settlement_fund
    result = settle_from_fund(market.context(), data, market.whale, left[0])
    assert (result.paid.amount, result.received.amount) == left
    assert (market.supply(), data.settlement_fund) == (0, 0)
    check_supplies(market.state)


def test_a_redemption_of_nothing_is_refused() -> None:
    """R5.3: too_small below one unit of backing; insufficient balance."""
    market = make_market(whale_debt=3_000)
    data = settled(market, 3, 2)
    with pytest.raises(TooSmall):
        settle_from_fund(market.context(), data, market.whale, 1)
    with pytest.raises(InsufficientBalance):
        settle_from_fund(market.context(), data, market.accounts[0], 10)


def test_a_prediction_market_may_pay_nothing() -> None:
    """R7.3: outcome 0: the units are destroyed."""
    market = make_market(whale_debt=3_000)
    market.state.bitassets.edit(market.data).is_prediction_market = True
    data = settled(market, 1, 0)
    result = settle_from_fund(market.context(), data, market.whale, 10)
    assert (result.paid.amount, result.received.amount) == (10, 0)
    assert market.supply() == 2_990


def test_a_redemption_pays_the_market_fee_of_the_backing() -> None:
    """R5.3, R2.14: as taker."""
    market = make_market(whale_debt=3_000)
    data = settled(market, 1, 10)
    core = market.state.assets.edit(market.state.assets.get(CORE))
    core.options = replace(core.options, flags=CHARGE_MARKET_FEE, market_fee_percent=100)
    result = settle_from_fund(market.context(), data, market.whale, 100)
    assert (result.received.amount, result.fee.amount) == (990, 10)
    assert data.settlement_price != NULL_PRICE
    check_supplies(market.state)
