"""Amounts and prices as decimal text, the way BitShares' market answers write them.

An amount has all digits of its asset, or none; volumes, prices and percentages end with their last
digit that is not zero.
"""

from __future__ import annotations

from node.state.objects.assets import Asset
from protocol.asset import Price
from protocol.errors import DecodeError

PRICE_DIGITS = 19
"""A price is worked out to so many decimal places, rounded down."""
UNBOUNDED = (1 << 63) - 1
"""Stands for the price of something that costs nothing."""


def decimal_text(value: int, places: int) -> str:
    """`value / 10**places` without padding: "12", "0.5", "0"."""
    if places <= 0:
        return str(value * 10**-places)
    sign, digits = ("-", -value) if value < 0 else ("", value)
    whole, fraction = divmod(digits, 10**places)
    tail = f"{fraction:0{places}d}".rstrip("0")
    return f"{sign}{whole}.{tail}" if tail else f"{sign}{whole}"


def amount_text(amount: int, asset: Asset) -> str:
    """Smallest units as whole units: all digits of the asset's precision, or none: "31.68000"."""
    text = decimal_text(amount, asset.precision)
    whole, point, fraction = text.partition(".")
    return f"{whole}.{fraction:0<{asset.precision}}" if point else text


def volume_text(volume: int, asset: Asset) -> str:
    """A sum of amounts as whole units, without padding: "31.68"."""
    return decimal_text(volume, asset.precision)


def price_text(price: Price, base: Asset, quote: Asset) -> str:
    """Whole units of `base` for one of `quote`; the price may stand either way round."""
    if price.base.asset_id != base.id:
        price = price.inverse()
    if (price.base.asset_id, price.quote.asset_id) != (base.id, quote.id):
        raise DecodeError("price of another market", value=str(price))
    if price.base.amount == 0:
        return "0"
    numerator, denominator = price.base.amount, price.quote.amount
    if denominator == 0:
        numerator, denominator = UNBOUNDED, 1
    scaled = numerator * 10**PRICE_DIGITS // denominator
    return decimal_text(scaled, PRICE_DIGITS + base.precision - quote.precision)


def change_text(old: Price, new: Price) -> str:
    """By how many per cent a price changed, with two decimal places, rounded towards zero."""
    before = old.base.amount * new.quote.amount
    after = new.base.amount * old.quote.amount
    if before == 0:
        return "0"
    change = abs(after - before) * 10_000 // before
    return decimal_text(change if after >= before else -change, 2)
