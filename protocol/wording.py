"""Numbers as people write them: decimals, prices, counts."""

from __future__ import annotations

PRICE_DIGITS = 8
"""Decimals of a price."""


def format_decimal(units: int, precision: int) -> str:
    """Smallest units as a decimal number with all its places, thousands apart."""
    sign, units = ("-", -units) if units < 0 else ("", units)
    whole, fraction = divmod(units, 10**precision)
    decimals = f".{fraction:0{precision}d}" if precision else ""
    return f"{sign}{whole:,}{decimals}"


def units_ratio(
    base_units: int, quote_units: int, precisions: tuple[int, int], digits: int = PRICE_DIGITS
) -> int:
    """Whole units of a base for one of a quote, as a number with so many decimals, rounded down.

    Both amounts are above 0; `precisions` are those of base and quote.
    """
    numerator = base_units * int(10 ** (precisions[1] + digits))
    return numerator // (quote_units * int(10 ** precisions[0]))


def format_units_ratio(base_units: int, quote_units: int, precisions: tuple[int, int]) -> str:
    """The same with 8 decimals, as people read it; - if there is no price."""
    if base_units <= 0 or quote_units <= 0:
        return "-"
    return format_decimal(units_ratio(base_units, quote_units, precisions), PRICE_DIGITS)


def plural(word: str) -> str:
    """The plural of a regular noun: "witness" and "delegate" become "witnesses", "delegates"."""
    return f"{word}es" if word.endswith("s") else f"{word}s"


def count_of(number: int, word: str) -> str:
    """A number, thousands apart, and its word: "1 trade", "2,000 trades"."""
    return f"{number:,} {word if number == 1 else plural(word)}"
