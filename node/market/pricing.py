"""Prices that follow from a feed, and exact comparisons of them (R1.7-R1.11, BS3).

Prices are debt per backing unless a docstring says otherwise; a position's collateralization is
backing per debt. Every comparison is a cross multiplication of integers.
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

from node.state.objects.assets import BitassetData, FeedValues
from node.state.objects.market import CallOrder
from protocol.asset import (
    AssetAmount,
    Price,
    ceil_div,
    multiply_ceil,
    overflow,
    scale_price,
)
from protocol.constants import HUNDRED_PERCENT, MAX_SUPPLY, RATIO_DENOMINATOR
from protocol.operations.bitasset_options import BitassetOptionsExtensions, BlackSwanResponse
from protocol.schema import Record


def squeeze_protection_price(feed: FeedValues) -> Price:
    """SQP, the MSSP: the worst price that a margin call pays in all (R1.7)."""
    return scale_price(feed.settlement_price, RATIO_DENOMINATOR, feed.maximum_short_squeeze_ratio)


def margin_call_numerator(squeeze_ratio: int, fee_ratio: int | None) -> int:
    """MSSR less the margin call fee ratio, at least 1,000 (R1.8, BSIP74)."""
    return max(squeeze_ratio - (fee_ratio or 0), RATIO_DENOMINATOR)


def margin_call_order_price(feed: FeedValues, fee_ratio: int | None) -> Price:
    """MCOP: the worst price of a bid that a margin call takes (R1.8)."""
    numerator = margin_call_numerator(feed.maximum_short_squeeze_ratio, fee_ratio)
    return scale_price(feed.settlement_price, RATIO_DENOMINATOR, numerator)


def maintenance_collateralization(feed: FeedValues) -> Price:
    """MC: a position at or below it is at or below the MCR; backing per debt (R1.9)."""
    return scale_price(
        feed.settlement_price.inverse(), feed.maintenance_collateral_ratio, RATIO_DENOMINATOR
    )


def initial_collateralization(feed: FeedValues) -> Price:
    """IC: what a new position must exceed, never below MC; backing per debt (R1.9, BSIP77)."""
    ratio = max(feed.initial_collateral_ratio, feed.maintenance_collateral_ratio)
    return scale_price(feed.settlement_price.inverse(), ratio, RATIO_DENOMINATOR)


def call_price(position: CallOrder, maintenance_ratio: int) -> Price:
    """The settlement price at which the position reaches the MCR (R1.10); never stored."""
    return price_of_call(
        AssetAmount(position.debt, position.debt_asset),
        AssetAmount(position.collateral, position.collateral_asset),
        maintenance_ratio,
    )


def price_of_call(owed: AssetAmount, held: AssetAmount, maintenance_ratio: int) -> Price:
    """The call price of any debt and collateral (R1.10).

    Reduced to lowest terms, and to `MAX_SUPPLY` on both sides, for display.
    """
    debt = owed.amount * maintenance_ratio
    collateral = held.amount * RATIO_DENOMINATOR
    divisor = gcd(debt, collateral)
    debt, collateral = debt // divisor, collateral // divisor
    while debt > MAX_SUPPLY or collateral > MAX_SUPPLY:
        debt, collateral = (debt >> 1) + 1, (collateral >> 1) + 1
        divisor = gcd(debt, collateral)
        debt, collateral = debt // divisor, collateral // divisor
    return Price(AssetAmount(debt, owed.asset_id), AssetAmount(collateral, held.asset_id))


def compare_collateralization(collateral: int, debt: int, limit: Price) -> int:
    """Negative, 0 or positive as collateral / debt is below, at or above a limit.

    The limit is backing per debt, as MC and IC are.
    """
    return collateral * limit.quote.amount - limit.base.amount * debt


def collateral_ratio(collateral: int, debt: int, settlement_price: Price) -> int:
    """The collateral ratio of a position, debt above 0, at a price: thousandths, rounded down."""
    worth = collateral * settlement_price.base.amount
    return worth * RATIO_DENOMINATOR // (debt * settlement_price.quote.amount)


def collateral_at(debt: AssetAmount, ratio: int, settlement_price: Price) -> int:
    """The least collateral that gives a debt a ratio of thousandths or more at a price."""
    worth = multiply_ceil(debt, settlement_price).amount
    return ceil_div(worth * ratio, RATIO_DENOMINATOR)


def is_above(price: Price, other: Price) -> bool:
    """Whether a price of a pair exceeds another price of the same pair."""
    return price.base.amount * other.quote.amount > other.base.amount * price.quote.amount


def owes_more_than(collateral: int, debt: int, price: Price) -> bool:
    """Whether debt / collateral exceeds a price: at that price, the debt cannot be paid (R6.1)."""
    return debt * price.quote.amount > price.base.amount * collateral


def forced_settlement_price(settlement_price: Price, offset_percent: int) -> Price:
    """SP / (1 - offset): what a forced settlement pays, in favour of the position (R5.4).

    The offset is below 100 %.
    """
    return scale_price(settlement_price, HUNDRED_PERCENT, HUNDRED_PERCENT - offset_percent)


def affordable_price(position: CallOrder, price: Price) -> Price:
    """A settlement's price, or debt / collateral of a position that cannot pay as much (R5.5).

    At its own debt / collateral a position that closes gives up all it has, and one that stays
    open is as well collateralised as before (I10).
    """
    if not owes_more_than(position.collateral, position.debt, price):
        return price
    return debt_per_collateral(position)


def debt_per_collateral(position: CallOrder) -> Price:
    """The price at which a position can just pay all its debt."""
    return Price(
        AssetAmount(position.debt, position.debt_asset),
        AssetAmount(position.collateral, position.collateral_asset),
    )


class Pool(NamedTuple):
    """Debt whose positions were settled individually, and the backing that is held for it (BS2)."""

    debt: int
    fund: int

    def price(self, bitasset: BitassetData) -> Price:
        """Debt / fund; the pool is not empty."""
        backing = bitasset.options.short_backing_asset
        return Price(AssetAmount(self.debt, bitasset.asset_id), AssetAmount(self.fund, backing))


def pool_of(bitasset: BitassetData) -> Pool:
    """The pool of a BitAsset; both amounts 0 where there is none."""
    return Pool(bitasset.individual_settlement_debt, bitasset.individual_settlement_fund)


def current_settlement_price(
    median: FeedValues, options: BitassetOptionsExtensions, pool: Pool, worst: CallOrder | None
) -> Price:
    """The settlement price of the current feed: the median's, or a higher cap (BS3, R1.20).

    Without a response that settles, the least collateralised position can just pay the SQP;
    with a pool as fund, MCOP is what the pool's units are worth. `worst` is the least
    collateralised position. A null median stays null.
    """
    price = median.settlement_price
    if price.is_null():
        return price
    response, squeeze_ratio = options.response(), median.maximum_short_squeeze_ratio
    if response is BlackSwanResponse.NO_SETTLEMENT and worst is not None:
        cap = scale_price(debt_per_collateral(worst), squeeze_ratio, RATIO_DENOMINATOR)
    elif response is BlackSwanResponse.INDIVIDUAL_SETTLEMENT_TO_FUND and pool.debt:
        numerator = margin_call_numerator(squeeze_ratio, options.margin_call_fee_ratio)
        base, quote = price.base.asset_id, price.quote.asset_id
        worth = Price(AssetAmount(pool.debt, base), AssetAmount(pool.fund, quote))
        cap = scale_price(worth, numerator, RATIO_DENOMINATOR)
    else:
        return price
    return cap if is_above(cap, price) else price


class CallTerms(Record):
    """What one BitAsset's margin calls depend on beside positions and bids.

    They are fixed for a run, but where the current feed is capped (BS3).
    """

    response: BlackSwanResponse
    settlement_price: Price
    """The median: MC and target ratios are measured by it (R1.20)."""
    median_protection_price: Price
    """SQP of the median feed."""
    maintenance_ratio: int
    maintenance_collateralization: Price
    squeeze_ratio: int
    squeeze_protection_price: Price
    order_price_numerator: int
    order_price: Price
    """MCOP."""

    def pays_price(self, order_price: Price) -> Price:
        """What a position pays when called at a bid's price: MCPR times the price (R1.8)."""
        return scale_price(order_price, self.order_price_numerator, self.squeeze_ratio)

    def receives_price(self, pays_price: Price) -> Price:
        """What is left of what a position pays once the margin call fee is off: price / MCPR."""
        return scale_price(pays_price, self.squeeze_ratio, self.order_price_numerator)


def call_terms(bitasset: BitassetData) -> CallTerms:
    """The terms of a BitAsset that has a feed."""
    return call_terms_at(bitasset.median_feed, bitasset.current_feed, bitasset.options.extensions)


def call_terms_at(
    median: FeedValues, feed: FeedValues, options: BitassetOptionsExtensions
) -> CallTerms:
    """The terms at a median and a current feed, neither of them null, and some options."""
    squeeze_ratio, fee_ratio = feed.maximum_short_squeeze_ratio, options.margin_call_fee_ratio
    return CallTerms(
        response=options.response(),
        settlement_price=median.settlement_price,
        median_protection_price=squeeze_protection_price(median),
        maintenance_ratio=median.maintenance_collateral_ratio,
        maintenance_collateralization=maintenance_collateralization(median),
        squeeze_ratio=squeeze_ratio,
        squeeze_protection_price=squeeze_protection_price(feed),
        order_price_numerator=margin_call_numerator(squeeze_ratio, fee_ratio),
        order_price=margin_call_order_price(feed, fee_ratio),
    )


def worth_floor(amount: int, numerator: AssetAmount, denominator: AssetAmount) -> int:
    """The worth, in the numerator's asset, of an amount of the denominator's, rounded down (R1.4).

    Raises `PriceOverflow`.
    """
    worth = amount * numerator.amount // denominator.amount
    if worth > MAX_SUPPLY:
        raise overflow(worth, numerator.asset_id)
    return worth


def worth_ceil(amount: int, numerator: AssetAmount, denominator: AssetAmount) -> int:
    """The same, rounded up; raises `PriceOverflow` (R1.4)."""
    worth = -(-amount * numerator.amount // denominator.amount)
    if worth > MAX_SUPPLY:
        raise overflow(worth, numerator.asset_id)
    return worth
