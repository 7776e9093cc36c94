"""Prices that follow from a feed, exact comparisons, and the shrinking rule of prices (R1)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.market import pricing
from node.state.objects.assets import NULL_FEED, FeedValues
from node.state.objects.market import CallOrder
from protocol.asset import (
    NULL_PRICE,
    AssetAmount,
    Price,
    multiply_ceil,
    multiply_floor,
    scale_price,
)
from protocol.constants import MAX_SUPPLY
from protocol.errors import PriceOverflow, ValidationError
from protocol.ids import AccountId, AssetId, CallOrderId
from tests.support.market import make_market
from tests.support.slow_market import slow_scaled, value

CORE, USD = AssetId(0), AssetId(1)
amounts = st.one_of(st.integers(1, 1000), st.integers(1, MAX_SUPPLY))
ratios = st.tuples(st.integers(1, 32_000), st.integers(1, 32_000))


def price_of(debt: int, backing: int) -> Price:
    return Price(AssetAmount(debt, USD), AssetAmount(backing, CORE))


def feed_of(
    debt: int, backing: int, *, mcr: int = 1750, mssr: int = 1500, icr: int = 1750
) -> FeedValues:
    return FeedValues(price_of(debt, backing), mcr, mssr, NULL_FEED.core_exchange_rate, icr)


def position_of(debt: int, collateral: int) -> CallOrder:
    return CallOrder(CallOrderId(0), AccountId(0), collateral, debt, USD, CORE, None)


@given(amounts, amounts, ratios)
@example(MAX_SUPPLY, 1, (3, 2))
@example(1, MAX_SUPPLY, (2, 3))
@example(MAX_SUPPLY, MAX_SUPPLY - 1, (1751, 1000))
def test_a_price_times_a_ratio(debt: int, backing: int, ratio: tuple[int, int]) -> None:
    """R1.5: as on fractions, where the sides have to be shrunk too."""
    result = scale_price(price_of(debt, backing), *ratio)
    assert value(result) == slow_scaled(Fraction(debt, backing), Fraction(*ratio))
    assert max(result.base.amount, result.quote.amount) <= MAX_SUPPLY


def test_a_shrunk_price_never_moves_the_wrong_way() -> None:
    """R1.5: by hand; 1.5 times the largest price cannot grow, so it stays."""
    largest = price_of(MAX_SUPPLY, 1)
    assert scale_price(largest, 3, 2).same_as(largest)
    smallest = price_of(1, MAX_SUPPLY)
    assert scale_price(smallest, 2, 3).same_as(smallest)


@pytest.mark.parametrize("price", [price_of(0, 1), price_of(1, 0), price_of(-1, 1)])
def test_an_amount_of_a_valid_price_is_positive(price: Price) -> None:
    """R1.1: both of them."""
    with pytest.raises(ValidationError):
        price.validate("price")


def test_a_valid_price_has_two_assets_and_may_have_to_fit_the_supply() -> None:
    """R1.1: the null price, of no assets, stands for none."""
    price_of(MAX_SUPPLY, 1).validate("price", check_upper_bound=True)
    price_of(MAX_SUPPLY + 1, 1).validate("price")
    with pytest.raises(ValidationError):
        price_of(MAX_SUPPLY + 1, 1).validate("price", check_upper_bound=True)
    with pytest.raises(ValidationError):
        Price(AssetAmount(1, USD), AssetAmount(1, USD)).validate("price")
    assert NULL_PRICE.is_null()
    assert not price_of(1, 0).is_null()


def test_an_inverse_is_exact() -> None:
    """R1.2: nothing is reduced or rounded."""
    assert price_of(6, 4).inverse() == Price(AssetAmount(4, CORE), AssetAmount(6, USD))


def test_an_amount_times_a_price_works_in_both_directions() -> None:
    """R1.4: 7 USD at 2 per 3 are 10.5 CORE, 7 CORE are 4.67 USD; floored or raised."""
    price = price_of(2, 3)
    dollars, core = AssetAmount(7, USD), AssetAmount(7, CORE)
    assert multiply_floor(dollars, price) == AssetAmount(10, CORE)
    assert multiply_ceil(dollars, price) == AssetAmount(11, CORE)
    assert multiply_floor(core, price) == AssetAmount(4, USD)
    assert multiply_ceil(core, price) == AssetAmount(5, USD)
    with pytest.raises(PriceOverflow):
        multiply_floor(AssetAmount(MAX_SUPPLY, USD), price)


def test_the_squeeze_protection_price() -> None:
    """R1.7: 1 USD per 10 CORE and an MSSR of 1.5 make 1 USD per 15 CORE."""
    assert pricing.squeeze_protection_price(feed_of(1, 10)).same_as(price_of(1, 15))


@pytest.mark.parametrize(
    ("fee_ratio", "numerator"),
    [(None, 1500), (0, 1500), (200, 1300), (500, 1000), (600, 1000), (1499, 1000), (2000, 1000)],
)
def test_the_margin_call_numerator(fee_ratio: int | None, numerator: int) -> None:
    """R1.8: MSSR less MCFR, never below 1."""
    assert pricing.margin_call_numerator(1500, fee_ratio) == numerator


def test_the_margin_call_order_price_and_what_is_paid() -> None:
    """R1.8: with an MCFR of 0.2 orders get at most 13 CORE, and positions pay 15/13 of it."""
    market = make_market()
    market.set_options(margin_call_fee_ratio=200)
    terms = pricing.call_terms(market.data)
    assert terms.order_price.same_as(price_of(1, 13))
    assert terms.pays_price(price_of(1, 13)).same_as(price_of(1, 15))
    assert terms.pays_price(price_of(1, 26)).same_as(price_of(1, 30))


def test_without_a_fee_the_order_price_is_the_squeeze_protection_price() -> None:
    """R1.8: MCOP = MSSP and MCPR = 1."""
    terms = pricing.call_terms(make_market().data)
    assert terms.order_price.same_as(terms.squeeze_protection_price)
    assert terms.pays_price(price_of(3, 40)) == price_of(3, 40)


def test_maintenance_and_initial_collateralization() -> None:
    """R1.9: 17.5 CORE per USD at an MCR of 1.75; an ICR below the MCR does not count."""
    feed = feed_of(1, 10, icr=2000)
    assert value(pricing.maintenance_collateralization(feed)) == Fraction(35, 2)
    assert value(pricing.initial_collateralization(feed)) == 20
    low = replace(feed, initial_collateral_ratio=1200)
    assert value(pricing.initial_collateralization(low)) == Fraction(35, 2)


def test_terms_take_matching_prices_from_the_current_feed_and_ratios_from_the_median() -> None:
    """R1.20: current feed for MSSP and MCOP; median for MC and target ratios."""
    market = make_market()
    data = market.state.bitassets.edit(market.data)
    data.current_feed = replace(
        data.median_feed, settlement_price=Price(AssetAmount(1, market.usd), AssetAmount(8, CORE))
    )
    terms = pricing.call_terms(data)
    assert value(terms.squeeze_protection_price) == Fraction(1, 12)
    assert value(terms.order_price) == Fraction(1, 12)
    assert value(terms.maintenance_collateralization) == Fraction(35, 2)
    assert value(terms.settlement_price) == Fraction(1, 10)


def test_the_call_price() -> None:
    """R1.10: debt / collateral times the MCR, in lowest terms."""
    price = pricing.call_price(position_of(100, 1750), 1750)
    assert (price.base.amount, price.quote.amount) == (1, 10)
    assert (price.base.asset_id, price.quote.asset_id) == (USD, CORE)


def test_a_call_price_is_shrunk_to_the_largest_supply() -> None:
    """R1.10: both sides halved and raised by one, by hand for one halving."""
    debt, collateral = MAX_SUPPLY - 1, MAX_SUPPLY // 1000 * 3 + 1
    price = pricing.call_price(position_of(debt, collateral), 1001)
    base, quote = debt * 1001, collateral * 1000
    while max(base, quote) > MAX_SUPPLY:
        base, quote = base // 2 + 1, quote // 2 + 1
        ratio = Fraction(base, quote)
        base, quote = ratio.numerator, ratio.denominator
    assert (price.base.amount, price.quote.amount) == (base, quote)
    exact = Fraction(debt * 1001, collateral * 1000)
    assert abs(value(price) - exact) < exact / 10**9


@given(*(st.integers(1, 10**6) for _ in range(4)), st.integers(1001, 32_000))
def test_at_or_below_the_mcr_is_a_feed_at_or_below_the_call_price(
    debt: int, collateral: int, feed_debt: int, feed_backing: int, mcr: int
) -> None:
    """R1.11: CR <= MC if and only if SP <= call price."""
    feed = feed_of(feed_debt, feed_backing, mcr=mcr)
    limit = pricing.maintenance_collateralization(feed)
    is_below = pricing.compare_collateralization(collateral, debt, limit) <= 0
    call = pricing.call_price(position_of(debt, collateral), mcr)
    assert is_below == (value(feed.settlement_price) <= value(call))


@given(amounts, amounts, amounts, amounts)
def test_comparisons_are_exact(a: int, b: int, c: int, d: int) -> None:
    """R1.3: cross multiplication, whatever the size of the amounts."""
    assert pricing.is_above(price_of(a, b), price_of(c, d)) == (Fraction(a, b) > Fraction(c, d))
    assert pricing.owes_more_than(a, b, price_of(c, d)) == (Fraction(b, a) > Fraction(c, d))
    sign = pricing.compare_collateralization(a, b, price_of(c, d))
    assert (sign > 0) == (Fraction(a, b) > Fraction(c, d))
    assert (sign < 0) == (Fraction(a, b) < Fraction(c, d))


def test_a_product_beyond_the_largest_supply_is_refused() -> None:
    """R1.4: the largest supply itself fits, one more does not; up and down differ by one."""
    one, two, three = (AssetAmount(amount, AssetId(4 + amount)) for amount in (1, 2, 3))
    assert pricing.worth_floor(MAX_SUPPLY, three, three) == MAX_SUPPLY
    assert (pricing.worth_floor(7, one, two), pricing.worth_ceil(7, one, two)) == (3, 4)
    with pytest.raises(PriceOverflow) as caught:
        pricing.worth_ceil(MAX_SUPPLY, three, two)
    assert (caught.value.value, caught.value.limit) == (MAX_SUPPLY * 3 // 2, MAX_SUPPLY)
    assert caught.value.unit == "1.3.7"
    assert pricing.worth_floor(2 * MAX_SUPPLY + 1, one, two) == MAX_SUPPLY
    with pytest.raises(PriceOverflow):
        pricing.worth_ceil(2 * MAX_SUPPLY + 1, one, two)
