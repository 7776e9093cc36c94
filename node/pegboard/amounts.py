"""Numbers and amounts as people write them, read exactly: `0.3`, `"30%"`, `"1,000.5 bitUSD"`.

A float stands for the shortest decimal that it prints as. Nothing is rounded in silence: what an
asset has no places for is refused.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from fractions import Fraction
from typing import TypeAlias

from protocol.constants import HUNDRED_PERCENT, MAX_SUPPLY, RATIO_DENOMINATOR
from protocol.errors import ValidationError

Number: TypeAlias = int | float | str | Decimal
"""A number; as text also with thousands apart, or as a percentage."""

AMOUNT = re.compile(r"(-?[0-9][0-9.,]*)(?:\s+(\S+)|([A-Za-z]\S*))")
"""A number and a symbol, with or without a space: "100 bitUSD", "1,000bitusd", "0.5 1.3.0"."""
_DECIMAL = re.compile(r"([-+]?)([0-9]{1,16}|[0-9]{1,3}(?:,[0-9]{3}){1,5})(?:\.([0-9]{1,30}))?(%?)")
_PLACES = Context(prec=28)


class BadAmount(ValidationError):
    """A number or an amount that cannot be read, or has more places than its asset."""

    name = "bad_amount"


def exact(number: Number) -> Fraction:
    """The number that is meant; raises `BadAmount`."""
    text = f"{number:f}" if isinstance(number, Decimal) else str(number).strip()
    if isinstance(number, float):
        text = f"{Decimal(repr(number)):f}"
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise BadAmount("not a number, such as 1,234.5 or 30%", value=number)
    sign, whole, places, percent = match.groups()
    found = Fraction(f"{whole.replace(',', '')}.{places or 0}")
    return (-found if sign == "-" else found) / (100 if percent else 1)


def to_units(number: Number, precision: int) -> int:
    """Smallest units of an amount; raises `BadAmount` rather than round it."""
    units = exact(number) * int(10**precision)
    if units.denominator != 1:
        raise BadAmount("more decimals than the asset has", value=number, limit=precision)
    if abs(units.numerator) > MAX_SUPPLY:
        raise BadAmount("more than the largest supply", value=number, limit=MAX_SUPPLY)
    return units.numerator


def to_decimal(units: int, precision: int) -> Decimal:
    """Whole units of smallest ones, exactly, with all places of the asset."""
    return Decimal(units).scaleb(-precision, _PLACES)


def to_thousandths(ratio: Number) -> int:
    """A collateral ratio as the chain counts it; raises `BadAmount` rather than round it."""
    found = exact(ratio) * RATIO_DENOMINATOR
    if found.denominator != 1 or found < 0:
        raise BadAmount("a ratio has three decimal places", value=ratio, rule="R1.12")
    return found.numerator


def to_hundredths(share: Number) -> int:
    """A share in hundredths of a percent; raises `BadAmount` rather than round it."""
    found = exact(share) * HUNDRED_PERCENT
    if found.denominator != 1 or found < 0:
        raise BadAmount("a share has two decimals of a percent", value=share)
    return found.numerator


def quotient(base: int | Fraction, quote: int | Fraction = 1) -> Decimal:
    """A price as a decimal of 28 digits."""
    ratio = base if quote == 1 else Fraction(base) / quote
    return _PLACES.divide(Decimal(ratio.numerator), Decimal(ratio.denominator))


def split_amount(text: str) -> tuple[str, str]:
    """Number and symbol of "100 bitUSD"; raises `BadAmount`."""
    match = AMOUNT.fullmatch(text.strip())
    if match is None:
        raise BadAmount('an amount is a number and a symbol, as in "100 USD"', value=text)
    return match[1], match[2] or match[3]
