"""T-R1: how fast memory grows is told with its confidence, from samples that hang together."""

from __future__ import annotations

from random import Random

import pytest

from tests.campaigns.slope import BLOCKS, slope_of


def memory(
    rng: Random, growth: float, hours: float = 2.0, count: int = 600
) -> list[tuple[float, float]]:
    """MiB over hours: a line, and what wanders about it for minutes at a time."""
    found, off = [], 0.0
    for at in range(count):
        off = 0.9 * off + rng.gauss(0, 0.05)
        time = hours * at / count
        found.append((time, 70 + growth * time + off))
    return found


def test_a_line_has_its_slope() -> None:
    slope = slope_of([(time / 10, 5 + 3 * time / 10) for time in range(60)])
    assert slope.value == pytest.approx(3)
    assert slope.low == pytest.approx(slope.high)


def test_the_interval_holds_the_true_slope_about_as_often_as_it_says() -> None:
    """95 % of the time, and not much less where neighbours are alike; it is narrow as well."""
    rng = Random(7)
    found = [slope_of(memory(rng, 0.8)) for _ in range(300)]
    assert 0.88 < sum(one.low <= 0.8 <= one.high for one in found) / len(found) < 0.99
    assert max(one.high - one.low for one in found) < 1


def test_a_step_moves_it_no_more_than_the_step() -> None:
    """A cache that is filled at once in the middle is growth of less than itself an hour."""
    steps = [(at / 100, 70.0 + (at >= 50)) for at in range(100)]
    assert 0 < slope_of(steps).value < 2
    spiked = [(time, value + 50 * (at == 33)) for at, (time, value) in enumerate(steps)]
    assert slope_of(spiked) == slope_of(steps), "a single sample does not count"
    with pytest.raises(AssertionError):
        slope_of(steps[: BLOCKS - 1])
