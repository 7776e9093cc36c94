"""How fast something grows, from samples that hang together, with its confidence."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, sqrt
from statistics import median
from typing import NamedTuple

BLOCKS = 12
"""Stretches of equal length that the samples are cut into: what hangs together for less than one
of them does no harm to the interval."""
STUDENT_T = 2.228
"""97.5 % quantile of Student's distribution with `BLOCKS` - 2 degrees of freedom."""


class Slope(NamedTuple):
    """Growth in a unit of time, with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def text(self, unit: str) -> str:
        """All three."""
        return f"{self.value:+.2f} {unit} (95 %: {self.low:+.2f} to {self.high:+.2f})"


def slope_of(samples: Sequence[tuple[float, float]]) -> Slope:
    """The slope of samples (time, value), of which there must be `BLOCKS` at least, in order.

    It is that of the line of least squares through the medians of the stretches. Memory goes in
    steps, and a step moves a few of them only.
    """
    assert len(samples) >= BLOCKS, len(samples)
    cuts = [len(samples) * at // BLOCKS for at in range(BLOCKS + 1)]
    blocks = [samples[cuts[at] : cuts[at + 1]] for at in range(BLOCKS)]
    times = [median(time for time, _ in block) for block in blocks]
    values = [median(value for _, value in block) for block in blocks]
    time, value = fsum(times) / BLOCKS, fsum(values) / BLOCKS
    spread = fsum((one - time) ** 2 for one in times)
    pairs = list(zip(times, values, strict=True))
    found = fsum((x - time) * (y - value) for x, y in pairs) / spread
    left = fsum((y - value - found * (x - time)) ** 2 for x, y in pairs)
    half = STUDENT_T * sqrt(left / (BLOCKS - 2) / spread)
    return Slope(found, found - half, found + half)
