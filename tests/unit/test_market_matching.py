"""Rounding when two sides meet: R2.5, R4.5, R5.5 and the table of section 11."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from node.market.matching import match_call, match_orders, match_settlement
from node.market.pricing import affordable_price
from node.state.objects.market import CallOrder
from protocol.asset import AssetAmount, Price
from protocol.constants import MAX_SUPPLY
from protocol.errors import PriceOverflow
from protocol.ids import AccountId, AssetId, CallOrderId, asset_text

CORE, USD = AssetId(0), AssetId(1)
small = st.integers(1, 200)
amounts = st.one_of(small, st.integers(1, 10**12))


def price_of(base: int, quote: int) -> Price:
    return Price(AssetAmount(base, USD), AssetAmount(quote, CORE))


def test_a_smaller_taker_is_rounded_down_and_gets_its_dust_back() -> None:
    """R2.5: at 3 for 10, a taker of 25 buys 7 and pays 24, not 25; the maker gains."""
    assert match_orders(25, 1000, price_of(3, 10)) == (24, 7, True)


def test_a_smaller_maker_is_rounded_down_and_gets_its_dust_back() -> None:
    """R2.5: at 10 for 3, a maker of 25 gets 7 and pays 24 of its 25; the taker gains."""
    assert match_orders(1000, 25, price_of(10, 3)) == (7, 24, False)


def test_orders_of_equal_worth_are_the_taker_s_match() -> None:
    """R2.5: taker <= maker's worth, inclusive."""
    assert match_orders(30, 9, price_of(3, 10)) == (30, 9, True)
    assert match_orders(31, 9, price_of(3, 10)) == (30, 9, False)


def test_a_taker_that_can_buy_nothing_does_not_trade() -> None:
    """R2.5: 3 at 3 for 10 are not one unit, 4 are."""
    assert match_orders(3, 1000, price_of(3, 10)) is None
    assert match_orders(4, 1000, price_of(3, 10)) == (4, 1, True)


def test_an_order_worth_more_than_the_largest_supply_does_not_match() -> None:
    """R1.4: overflow refuses the operation, and says of which asset it would be too much."""
    with pytest.raises(PriceOverflow) as caught:
        match_orders(1, MAX_SUPPLY, price_of(1, 2))
    assert (caught.value.value, caught.value.unit) == (2 * MAX_SUPPLY, asset_text(CORE))
    with pytest.raises(PriceOverflow) as caught:
        match_call(1, MAX_SUPPLY, MAX_SUPPLY, MAX_SUPPLY, price_of(1, 2), price_of(1, 2))
    assert caught.value.unit == asset_text(CORE)


@given(amounts, amounts, amounts, amounts)
def test_nobody_overpays(taker: int, maker: int, base: int, quote: int) -> None:
    """R2.5, section 11: the larger order gains; the smaller loses less than one unit of dust."""
    price = price_of(base, quote)
    exact = Fraction(base, quote)
    assume(0 < floor(maker / exact) <= MAX_SUPPLY)
    match = match_orders(taker, maker, price)
    if match is None:
        assert floor(taker * exact) == 0
        return
    pays, receives, is_taker_smaller = match
    assert 0 < pays <= taker
    assert 0 < receives <= maker
    if is_taker_smaller:
        assert receives <= pays * exact, "the maker never sells below its price"
        assert (pays - 1) * exact < receives, "and one unit less would not pay for it"
        assert floor((taker - pays) * exact) == 0
    else:
        assert receives >= pays * exact, "the taker gets at least the maker's price"
        assert (receives - 1) < pays * exact
        assert floor((maker - receives) / exact) == 0


def test_a_call_that_needs_more_than_the_order_has() -> None:
    """R4.5: at 1 USD for 11 CORE, 100 of 500 USD are covered; no fee without an MCFR."""
    match = match_call(500, 9000, 100, 500, price_of(1, 11), price_of(1, 11))
    assert match == (100, 1100, 1100)
    assert match is not None
    assert match.fee == 0


def test_the_smaller_order_keeps_its_dust() -> None:
    """R4.5: 10 USD at 3 for 2 buy 6 CORE, and 6 CORE are bought by 9 USD; rounding favours the
    position, which pays 13 for 9 USD at 2 for 3 rounded down."""
    match = match_call(500, 9000, 10, 500, price_of(3, 2), price_of(2, 3))
    assert match == (9, 6, 13)


def test_a_position_that_closes_rounds_in_favour_of_the_order() -> None:
    """R4.5: 10 USD at 3 for 4 are 14 CORE rounded up; with 3 for 5, 17 are paid, 3 of them fee."""
    match = match_call(10, 9000, 500, 10, price_of(3, 4), price_of(3, 5))
    assert match == (10, 14, 17)
    assert match is not None
    assert match.fee == 3


def test_a_match_that_would_leave_the_position_worse_off_is_refused() -> None:
    """R4.5, R4.9: paying 11 a unit out of 10 a unit; exactly 10 a unit is allowed."""
    assert match_call(500, 5000, 100, 500, price_of(1, 11), price_of(1, 11)) is None
    assert match_call(500, 5000, 100, 500, price_of(1, 10), price_of(1, 10)) == (100, 1000, 1000)


def test_a_match_that_takes_all_collateral_is_refused_unless_it_closes() -> None:
    """R4.5: a smaller order may not take it all, a closing one may, but no more."""
    assert match_call(500, 1000, 100, 500, price_of(1, 10), price_of(1, 10)) is None
    assert match_call(100, 1000, 100, 100, price_of(1, 10), price_of(1, 10)) == (100, 1000, 1000)
    assert match_call(100, 999, 100, 100, price_of(1, 10), price_of(1, 10)) is None


@given(amounts, amounts, amounts, small, small, st.integers(1000, 1500))
def test_a_call_never_pays_more_than_its_price_nor_lowers_its_ratio(
    debt: int, collateral: int, for_sale: int, base: int, quote: int, fee: int
) -> None:
    """I9, I10, I12: within one unit of rounding, and only when the position closes."""
    price = price_of(base, quote)
    pays_price = price_of(base * 1000, quote * fee)
    assume(floor(for_sale / Fraction(base, quote)) > 0)
    match = match_call(debt, collateral, for_sale, debt, price, pays_price)
    if match is None:
        assert Fraction(debt, collateral) > Fraction(base * 1000, quote * fee), "R4.9"
        return
    covered, receives, pays = match
    assert 0 < covered <= min(debt, for_sale)
    assert 0 < receives <= pays <= collateral
    rate = Fraction(quote * fee, base * 1000)
    if covered < debt:
        assert pays <= covered * rate
        assert Fraction(collateral - pays, debt - covered) >= Fraction(collateral, debt)
    else:
        assert pays == ceil(covered * rate)


def test_settling_a_whole_position_rounds_in_favour_of_the_settler() -> None:
    """R5.5: 10 USD of 3 per 40 CORE are 134 CORE, rounded up."""
    assert match_settlement(100, 100, 10, 1000, price_of(3, 40)) == (10, 134, False)
    assert match_settlement(10, 10, 10, 1000, price_of(3, 40)) == (10, 134, False)


def test_a_position_that_closes_pays_at_least_one_unit() -> None:
    """R5.5: 1 USD of 3 per CORE is worth less than a unit, the position pays one all the same."""
    assert match_settlement(100, 100, 1, 1000, price_of(3, 1)) == (1, 1, False)


def test_a_partial_settlement_takes_the_least_debt_that_buys_the_payout() -> None:
    """R5.5, R5.6: 10 USD of 3 per 2 CORE pay 6; 9 USD buy that, and 1 is refunded."""
    assert match_settlement(10, 100, 50, 1000, price_of(3, 2)) == (9, 6, True)
    assert match_settlement(9, 100, 50, 1000, price_of(3, 2)) == (9, 6, False)
    assert match_settlement(20, 10, 50, 1000, price_of(3, 2)) == (9, 6, False)


def test_a_request_too_small_to_buy_anything_is_dust_unless_the_volume_makes_it_small() -> None:
    """R5.5: nothing is settled; a whole request is cancelled, one cut by the volume waits."""
    assert match_settlement(2, 100, 50, 1000, price_of(3, 1)) == (0, 0, True)
    assert match_settlement(20, 2, 50, 1000, price_of(3, 1)) == (0, 0, False)


@given(amounts, amounts, amounts, amounts, small, small)
def test_a_settlement_never_lowers_the_ratio_of_a_position_that_stays(
    requested: int, allowance: int, debt: int, collateral: int, base: int, quote: int
) -> None:
    """I10, R5.5: a position that owes more than the price pays its own debt / collateral."""
    position = CallOrder(CallOrderId(0), AccountId(0), collateral, debt, USD, CORE, None)
    price = affordable_price(position, price_of(base, quote))
    settled, pays, _ = match_settlement(requested, allowance, debt, collateral, price)
    assert 0 <= settled <= min(requested, allowance, debt)
    assert 0 <= pays <= collateral
    assert (settled == 0) == (pays == 0)
    if settled < debt:
        assert pays * Fraction(base, quote) <= settled
        assert Fraction(collateral - pays, debt - settled) >= Fraction(collateral, debt)
