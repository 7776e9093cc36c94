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


def format_units_ratio(base_units: int, quote_units: int, precisions: tuple[int, int]) -> str:
    """Whole units of a base for one of a quote, 8 decimals, rounded down; - if there is no price.

    `precisions` are those of base and quote.
    """
    if base_units <= 0 or quote_units <= 0:
        return "-"
    numerator = base_units * 10 ** (precisions[1] + PRICE_DIGITS)
    return format_decimal(numerator // (quote_units * 10 ** precisions[0]), PRICE_DIGITS)


def plural(word: str) -> str:
    """The plural of a regular noun: "witness" and "delegate" become "witnesses", "delegates"."""
    return f"{word}es" if word.endswith("s") else f"{word}s"


def count_of(number: int, word: str) -> str:
    """A number, thousands apart, and its word: "1 trade", "2,000 trades"."""
    return f"{number:,} {word if number == 1 else plural(word)}"
