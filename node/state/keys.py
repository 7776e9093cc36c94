"""Sort keys of the ordered indexes, as exact integers."""

from __future__ import annotations

from protocol.asset import Price

RATIO_KEY_BITS = 101
"""Two different ratios of amounts below 2**50 differ by more than 2**-100."""


def ratio_key(numerator: int, denominator: int) -> int:
    """An integer that orders ratios of amounts exactly; equal ratios have equal keys."""
    return (numerator << RATIO_KEY_BITS) // denominator


def offer_key(sell_price: Price) -> int:
    """Ascending key of the book: the most sold per unit wanted comes first (R2.3)."""
    return -ratio_key(sell_price.base.amount, sell_price.quote.amount)
