"""The least debt that lifts a called position to its target, against trying every amount."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from node.market.cover import SCANNED_PAYMENTS, floor_sum, max_cover
from protocol.asset import AssetAmount, Price
from protocol.ids import AssetId
from tests.support.slow_market import slow_max_cover

CORE, USD = AssetId(0), AssetId(1)


def price_of(debt: int, backing: int) -> Price:
    return Price(AssetAmount(debt, USD), AssetAmount(backing, CORE))


def test_the_least_cover_by_hand() -> None:
    """R4.6, BSIP38: 1,000 USD against 15,000 CORE at 1:10, called at 1:11, to a ratio of 2.

    Covering d leaves (15000 - 11 d) / (1000 - d), which exceeds 20 from d = 556 on:
    15000 - 6116 = 8884 > 20 * 444 = 8880, while 15000 - 6105 = 8895 < 20 * 445 = 8900.
    """
    assert max_cover(1000, 15_000, 2000, price_of(1, 10), price_of(1, 11)) == 556


def test_the_target_must_be_exceeded_strictly() -> None:
    """R4.6, R3.7: at 1:10 with CR 15, covering 500 reaches 2.0 exactly; 501 is the least."""
    assert max_cover(1000, 15_000, 2000, price_of(1, 10), price_of(1, 10)) == 501


def test_all_is_covered_where_covering_cannot_raise_the_ratio_to_the_target() -> None:
    """R4.6: a price at which T * x <= SP, inclusive, and one just better."""
    assert max_cover(1000, 15_000, 2000, price_of(1, 10), price_of(1, 20)) == 1000
    assert max_cover(1000, 15_000, 2000, price_of(1, 10), price_of(1, 21)) == 1000
    assert max_cover(1000, 19_999, 2000, price_of(1, 10), price_of(10, 199)) < 1000


def test_all_is_covered_where_the_least_payment_exceeds_the_collateral() -> None:
    """R4.6: p must stay below C."""
    assert max_cover(1000, 9_000, 2000, price_of(1, 10), price_of(1, 9)) == 1000


@given(
    st.integers(1, 400),
    st.integers(1, 3000),
    st.integers(1001, 4000),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
@example(400, 400, 1001, (1, 1), (59, 60))
@example(300, 2999, 1010, (1, 10), (5, 49))
def test_cover_equals_trying_every_amount(
    debt: int, collateral: int, target: int, reference: tuple[int, int], pays: tuple[int, int]
) -> None:
    """R4.6: the least stable amount that is enough, or the whole debt."""
    goal = Fraction(target, 1000)
    assume(Fraction(collateral, debt) <= goal / Fraction(*reference))
    expected = slow_max_cover(debt, collateral, goal, Fraction(*reference), Fraction(*pays))
    assert max_cover(debt, collateral, target, price_of(*reference), price_of(*pays)) == expected


@given(
    st.integers(1, 10**15),
    st.integers(1, 10**15),
    st.integers(1001, 65_535),
    st.tuples(st.integers(1, 10**15), st.integers(1, 10**15)),
    st.integers(900, 1100),
)
def test_a_large_cover_is_stable_and_enough(
    debt: int, collateral: int, target: int, reference: tuple[int, int], premium: int
) -> None:
    """R4.6: d = floor(ceil(d at x) at x), and the target is exceeded, at any size."""
    goal = Fraction(target, 1000) / Fraction(*reference)
    assume(Fraction(collateral, debt) <= goal)
    pays = price_of(reference[0] * 1000, reference[1] * premium)
    covered = max_cover(debt, collateral, target, price_of(*reference), pays)
    assert 0 < covered <= debt
    if covered < debt:
        rate = Fraction(pays.base.amount, pays.quote.amount)
        payment = ceil(covered / rate)
        assert floor(payment * rate) == covered
        assert Fraction(collateral - payment, debt - covered) > goal


@given(st.integers(1, 10**5), st.integers(10**6, 10**9), st.integers(2, 10**6), st.integers(1, 99))
def test_a_search_across_a_narrow_wedge_finds_the_first_payment(
    shortfall: int, collateral: int, fraction: int, seed: int
) -> None:
    """R4.6: lines that part slowly hold many payments that are not enough; none is missed."""
    quote = fraction * 100 + seed
    pays = price_of(quote + 1, quote)
    debt = collateral + shortfall
    covered = max_cover(debt, collateral, 1001, price_of(1001, 1000), pays)
    rate = Fraction(quote + 1, quote)
    if covered == debt:
        return
    payment = ceil(covered / rate)
    assert Fraction(collateral - payment, debt - covered) > 1
    for earlier in range(max(payment - 3 * SCANNED_PAYMENTS, 1), payment):
        amount = floor(earlier * rate)
        assert Fraction(collateral - earlier, debt - amount) <= 1, "an earlier payment is enough"


@given(st.integers(1, 60), st.integers(1, 50), st.integers(0, 200), st.integers(0, 200))
def test_the_sum_of_floors(count: int, divisor: int, factor: int, offset: int) -> None:
    """R4.6: what the search counts with, against the plain sum."""
    expected = sum((factor * i + offset) // divisor for i in range(count))
    assert floor_sum(count, divisor, factor, offset) == expected


@pytest.mark.parametrize("debt", [1, 2])
def test_the_smallest_positions(debt: int) -> None:
    """R4.6: a debt of one unit can only be covered whole."""
    assert max_cover(debt, 15 * debt, 2000, price_of(1, 10), price_of(1, 10)) == debt
