"""How fast something grows, from samples that hang together, with its confidence."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, sqrt
from statistics import median
from typing import NamedTuple

BLOCKS = 12
"""Stretches of equal length that the samples are cut into: what hangs together for less than one
of them does no harm to the interval."""
GROWTH_MAX = 1.0
"""MiB an hour of a witness (RELIABILITY, T-R1)."""
JUDGED_HOURS = 24.0
"""A run of so many hours must show that no witness grows faster; a shorter one cannot."""
FILLED_MIB = 40.0
"""What may fill up after the warm-up of a shorter one, the answers that are kept among it."""
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


def judge_growth(slope: Slope, hours: float, watched_hours: float) -> tuple[str, bool]:
    """What a slope in MiB an hour says of a run of so many hours, all but the warm-up watched, and
    whether that is no failure."""
    if slope.high < GROWTH_MAX:
        verdict = "kept"
    elif hours >= JUDGED_HOURS or slope.low * watched_hours > FILLED_MIB:
        verdict = "BROKEN"
    else:
        verdict = "too short to tell"
    text = f"{slope.text('MiB/h')} in {watched_hours:.2f} h"
    return f"{text}; below {GROWTH_MAX:.0f} MiB/h: {verdict}", verdict != "BROKEN"
