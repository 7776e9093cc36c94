"""Amounts and prices as exact integer ratios; every division says floor, ceil or exact (R1)."""

from __future__ import annotations

from math import gcd

from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.errors import PriceOverflow, ValidationError
from protocol.ids import AssetId, asset_text
from protocol.schema import Int64, Record


def ceil_div(numerator: int, denominator: int) -> int:
    """Quotient of two non-negative integers, rounded up."""
    assert denominator > 0 <= numerator
    return -(-numerator // denominator)


class AssetAmount(Record):
    """An amount of one asset in its smallest units (10**-precision)."""

    amount: Int64
    asset_id: AssetId

    def __str__(self) -> str:
        return f"{self.amount} {asset_text(self.asset_id)}"


class Price(Record):
    """The rational base / quote; kept as given, never reduced (R1.1).

    The null price (both amounts 0, both assets 0) stands for "no feed" and "not settled".
    """

    base: AssetAmount
    quote: AssetAmount

    def is_null(self) -> bool:
        """Whether this is the null price (R1.1)."""
        return self.base.asset_id == 0 and self.quote.asset_id == 0

    def inverse(self) -> Price:
        """The same price seen from the other side; exact (R1.2)."""
        return Price(self.quote, self.base)

    def same_as(self, other: Price) -> bool:
        """Equality as rationals of the same asset pair (R1.3)."""
        return (
            self.base.asset_id == other.base.asset_id
            and self.quote.asset_id == other.quote.asset_id
            and self.base.amount * other.quote.amount == self.quote.amount * other.base.amount
        )

    def is_less(self, other: Price) -> bool:
        """Order by base asset, quote asset, then value (R1.3)."""
        if self.base.asset_id != other.base.asset_id:
            return self.base.asset_id < other.base.asset_id
        if self.quote.asset_id != other.quote.asset_id:
            return self.quote.asset_id < other.quote.asset_id
        return self.base.amount * other.quote.amount < self.quote.amount * other.base.amount

    def validate(self, field: str, *, check_upper_bound: bool = False) -> None:
        """Raise `ValidationError` unless both amounts are positive and the assets differ (R1.1)."""
        if self.base.amount <= 0 or self.quote.amount <= 0:
            raise ValidationError(
                f"{field}: both amounts of a price must be positive", rule="R1.1", value=self
            )
        if self.base.asset_id == self.quote.asset_id:
            raise ValidationError(f"{field}: a price needs two assets", rule="R1.1", value=self)
        largest = max(self.base.amount, self.quote.amount)
        if check_upper_bound and largest > MAX_SUPPLY:
            raise ValidationError(
                f"{field}: amount above the largest supply",
                rule="R1.1",
                value=largest,
                limit=MAX_SUPPLY,
                unit=asset_text(max(self.base, self.quote, key=lambda side: side.amount).asset_id),
            )

    def __str__(self) -> str:
        return f"{self.base} / {self.quote}"


NO_FEE = AssetAmount(0, CORE_ASSET)
"""Of what is free, and of virtual operations."""

NULL_PRICE = Price(NO_FEE, NO_FEE)
"""No feed, not globally settled (R1.1)."""


def multiply_floor(amount: AssetAmount, price: Price) -> AssetAmount:
    """The worth of an amount at a price, rounded down; works in both directions (R1.4).

    Raises `PriceOverflow` above `MAX_SUPPLY`.
    """
    numerator, denominator, asset_id = _ratio(amount, price)
    return _bounded(amount.amount * numerator // denominator, asset_id)


def multiply_ceil(amount: AssetAmount, price: Price) -> AssetAmount:
    """The worth of an amount at a price, rounded up; works in both directions (R1.4)."""
    numerator, denominator, asset_id = _ratio(amount, price)
    return _bounded(-(-amount.amount * numerator // denominator), asset_id)


def _ratio(amount: AssetAmount, price: Price) -> tuple[int, int, AssetId]:
    base, quote = price.base, price.quote
    if amount.asset_id == base.asset_id:
        assert base.amount > 0, price
        return quote.amount, base.amount, quote.asset_id
    assert amount.asset_id == quote.asset_id, (amount, price)
    assert quote.amount > 0, price
    return base.amount, quote.amount, base.asset_id


def _bounded(value: int, asset_id: AssetId) -> AssetAmount:
    if value > MAX_SUPPLY:
        raise overflow(value, asset_id)
    return AssetAmount(value, asset_id)


def overflow(value: int, asset_id: AssetId) -> PriceOverflow:
    """The refusal of a product that is so large."""
    return PriceOverflow(
        "product of an amount and a price",
        rule="R1.4",
        value=value,
        limit=MAX_SUPPLY,
        unit=asset_text(asset_id),
    )


def scale_price(price: Price, numerator: int, denominator: int) -> Price:
    """The price times a positive ratio, shrunk to `MAX_SUPPLY` in the same direction (R1.5)."""
    assert numerator > 0 < denominator
    if numerator == denominator:
        return price
    exact_base = price.base.amount * numerator
    exact_quote = price.quote.amount * denominator
    base, quote = _shrink(exact_base, exact_quote)
    result = Price(AssetAmount(base, price.base.asset_id), AssetAmount(quote, price.quote.asset_id))
    grew = price.is_less(result)
    fell = result.is_less(price)
    if (numerator > denominator and fell) or (numerator < denominator and grew):
        return price
    return result


def _shrink(exact_base: int, exact_quote: int) -> tuple[int, int]:
    """The exact ratio in lowest terms, or the closest that R1.5 finds within `MAX_SUPPLY`."""
    divisor = gcd(exact_base, exact_quote)
    base, quote = exact_base // divisor, exact_quote // divisor
    shrunk = False
    while base > MAX_SUPPLY or quote > MAX_SUPPLY:
        if base == 1:
            quote = MAX_SUPPLY
            break
        if quote == 1:
            base = MAX_SUPPLY
            break
        base, quote = base >> 1, quote >> 1
        divisor = gcd(base, quote)
        base, quote = base // divisor, quote // divisor
        shrunk = True
    if not shrunk:
        return base, quote
    if exact_base > exact_quote:
        integer = (min(exact_base // exact_quote, MAX_SUPPLY), 1)
    else:
        integer = (1, min(exact_quote // exact_base, MAX_SUPPLY))
    if MAX_SUPPLY in integer:
        return integer
    distance = abs(base * exact_quote - exact_base * quote) * integer[1]
    integer_distance = abs(integer[0] * exact_quote - exact_base * integer[1]) * quote
    return integer if integer_distance < distance else (base, quote)
