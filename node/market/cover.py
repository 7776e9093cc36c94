"""How much of a called position's debt is covered: the target collateral ratio (R4.6, BSIP38)."""

from __future__ import annotations

from protocol.asset import Price
from protocol.constants import RATIO_DENOMINATOR

SCANNED_PAYMENTS = 8
"""Payments that are tried one by one before the search by halving begins."""


def max_cover(
    debt: int, collateral: int, target_ratio: int, reference: Price, pays_price: Price
) -> int:
    """The least debt to cover so that collateralization rises strictly above the target (R4.6).

    `reference` measures the target and `pays_price` is what the position pays; both debt per
    backing. The result d and its payment p = ceil(d at `pays_price`) are stable under rounding:
    d = floor(p at `pays_price`). It is the whole debt where no smaller amount will do.
    """
    wedge = _Wedge(debt, collateral, target_ratio, reference, pays_price)
    if wedge.slope <= 0:
        return debt
    payment = wedge.least_payment(collateral - 1)
    if payment is None:
        return debt
    covered = wedge.covered_by(payment)
    return min(debt, covered)


class _Wedge:
    """Where payment and debt reach the target: integers (p, d) between two lines.

    Above the lower line, debt_weight * d > payment_weight * p + shortfall, collateralization is
    over the target. On or under the upper one, d <= p at the price, the payment suffices. The
    lines meet once and part to the right, so the point that is leftmost is also lowest.
    """

    __slots__ = ("base", "debt_weight", "payment_weight", "quote", "shortfall", "slope")

    def __init__(
        self, debt: int, collateral: int, target_ratio: int, reference: Price, pays_price: Price
    ) -> None:
        self.base, self.quote = pays_price.base.amount, pays_price.quote.amount
        self.debt_weight = target_ratio * reference.quote.amount
        self.payment_weight = RATIO_DENOMINATOR * reference.base.amount
        self.shortfall = max(self.debt_weight * debt - self.payment_weight * collateral, 0)
        """0 only where a price shrunk by R1.5 calls a position that is just above its target."""
        self.slope = self.debt_weight * self.base - self.payment_weight * self.quote
        """How fast the lines part, times `debt_weight * quote`."""

    def covered_by(self, payment: int) -> int:
        """The most debt that a payment covers."""
        return payment * self.base // self.quote

    def is_enough(self, payment: int) -> bool:
        """Whether a payment lifts the position over the target."""
        threshold = self.payment_weight * payment + self.shortfall
        return self.debt_weight * self.covered_by(payment) > threshold

    def least_payment(self, limit: int) -> int | None:
        """The least payment up to `limit` that is enough, or None."""
        first = self.shortfall * self.quote // self.slope + 1
        for payment in range(first, min(first + SCANNED_PAYMENTS, limit + 1)):
            if self.is_enough(payment):
                return payment
        low = first + SCANNED_PAYMENTS
        sure = (self.shortfall + self.debt_weight) * self.quote // self.slope + 1
        high = min(sure, limit)
        if low > high or not self._count(low, high):
            return None
        start = low
        while low < high:
            middle = (low + high) // 2
            if self._count(start, middle):
                high = middle
            else:
                low = middle + 1
        return low

    def _count(self, start: int, end: int) -> int:
        """Number of integer points between the lines for payments from `start` to `end`."""
        number = end - start + 1
        upper = floor_sum(number, self.quote, self.base, self.base * start)
        lower = floor_sum(
            number,
            self.debt_weight,
            self.payment_weight,
            self.payment_weight * start + self.shortfall,
        )
        return upper - lower


def floor_sum(count: int, divisor: int, factor: int, offset: int) -> int:
    """The sum of floor((factor * i + offset) / divisor) for i from 0 to count - 1.

    Euclid's algorithm on factor and divisor; all arguments are non-negative, the divisor positive.
    """
    total = 0
    while True:
        total += (count - 1) * count // 2 * (factor // divisor) + count * (offset // divisor)
        factor, offset = factor % divisor, offset % divisor
        top = factor * count + offset
        if top < divisor:
            return total
        count, offset = top // divisor, top % divisor
        divisor, factor = factor, divisor
