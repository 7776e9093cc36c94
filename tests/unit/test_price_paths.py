"""Prices that are drawn: their distributions, and one seed's path."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import islice, pairwise
from math import exp, log
from random import Random
from statistics import fmean, pstdev, pvariance

import pytest

from node.witness.feed_source import FeedSource
from node.witness.feed_text import FeedSourceError
from pegboard.paths import (
    EXACTLY,
    Normals,
    bootstrap_factors,
    geometric_factors,
    jump_factors,
    poisson,
)
from pegboard.series import named_file, read_source

DRAWN = 2_000


def d(text: str) -> Decimal:
    return Decimal(text)


def read(text: str, files: dict[str, str] | None = None, *, seed: int = 7) -> FeedSource:
    return read_source(
        text,
        symbol="USD",
        seed=seed,
        start_s=1_000,
        block_interval_s=3,
        read_text=(files or {}).__getitem__,
    )


def prices(source: FeedSource, count: int) -> list[Fraction]:
    return [Fraction(*source.prices.price_at(1_000 + 3 * step)) for step in range(count)]


def test_normal_numbers_are_normal() -> None:
    """Mean 0, deviation 1, and no more outside of two deviations than there should be."""
    normals = Normals(Random(1))
    with localcontext(EXACTLY):
        drawn = [float(normals.draw()) for _ in range(DRAWN)]
    assert abs(fmean(drawn)) < 4 / DRAWN**0.5
    assert abs(pvariance(drawn) - 1) < 4 * (2 / DRAWN) ** 0.5
    assert abs(sum(abs(one) > 1.96 for one in drawn) / DRAWN - 0.05) < 0.014
    assert abs(fmean(a * b for a, b in pairwise(drawn))) < 4 / DRAWN**0.5


def test_a_geometric_walk_has_its_drift_and_volatility() -> None:
    """The mean of the factors is 1 + drift, the deviation of their logarithms the volatility."""
    factors = [
        float(one) for one in islice(geometric_factors(Random(2), d("-0.05"), d("0.2")), DRAWN)
    ]
    assert abs(fmean(factors) - 0.95) < 4 * 0.95 * 0.2 / DRAWN**0.5
    assert abs(pstdev(map(log, factors)) - 0.2) < 4 * 0.2 / (2 * DRAWN) ** 0.5


def test_jumps_come_as_often_and_as_far_as_is_said() -> None:
    """Merton: mean and variance of the logarithm are those of the walk and of its jumps."""
    rate, spread, size = 0.3, 0.1, -0.2
    row = jump_factors(Random(3), d("0"), d("0.05"), d("0.3"), d("-0.2"), d("0.1"))
    logs = [log(one) for one in islice(row, DRAWN)]
    variance = 0.05**2 + rate * (log(1 + size) ** 2 + spread**2)
    assert abs(fmean(logs) - (rate * log(1 + size) - 0.05**2 / 2)) < 4 * (variance / DRAWN) ** 0.5
    assert abs(pvariance(logs) / variance - 1) < 0.15
    random = Random(4)
    with localcontext(EXACTLY):
        counts = [poisson(random, d("-0.3").exp()) for _ in range(DRAWN)]
    assert abs(fmean(counts) - rate) < 4 * (rate / DRAWN) ** 0.5
    assert abs(counts.count(0) / DRAWN - exp(-rate)) < 0.03


def test_a_bootstrap_keeps_blocks() -> None:
    """Each block is a stretch of the row as it was, and every stretch comes."""
    row = [Decimal(number) for number in range(10)]
    drawn = list(islice(bootstrap_factors(Random(5), row, 4), 4 * 300))
    blocks = [drawn[first : first + 4] for first in range(0, len(drawn), 4)]
    assert all(after - before == 1 for block in blocks for before, after in pairwise(block))
    assert {block[0] for block in blocks} == set(row[:7])


def test_a_bootstrap_goes_by_what_the_series_does() -> None:
    """Only factors of the rows between the bounds come, from the first of their prices on."""
    series = "time,price\n2021-01-01,9\n2021-01-02,8\n2021-01-03,4\n2021-01-04,6\n2021-01-05,60\n"
    text = "bootstrap:s.csv?from=2021-01-02&to=2021-01-04"
    drawn = prices(read(text, {"s.csv": series}), 40)
    assert drawn[0] == 8
    assert {round(after / before, 6) for before, after in pairwise(drawn)} == {
        Fraction("0.5"),
        Fraction("1.5"),
    }
    assert named_file(text) == "s.csv"
    assert named_file("jump:start=1") is None


@pytest.mark.parametrize(
    "text",
    [
        "geometric:start=0.12,drift=-1%,volatility=3%",
        "jump:start=0.12,volatility=2%,rate=0.5,size=-15%,spread=5%,every=2b",
        "walk:start=0.12,step=30bp",
    ],
)
def test_one_seed_has_one_path(text: str) -> None:
    """A path is a function of seed and time, also if it is asked backwards."""
    path = read(text)
    drawn = prices(path, 30)
    assert drawn == prices(read(text), 30)
    assert [Fraction(*path.prices.price_at(1_000 + 3 * step)) for step in (20, 3)] == [
        drawn[20],
        drawn[3],
    ]
    assert len(set(drawn)) > 10
    assert drawn[0] == Fraction("0.12")
    assert prices(read(text, seed=8), 30) != drawn


def test_the_path_of_a_seed_is_the_same_everywhere() -> None:
    """Decimals are rounded alike on every machine: this price was computed on another day."""
    assert prices(read("geometric:start=1,volatility=5%,seed=1"), 100)[-1] == Fraction(
        "0.919134626404"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("brownian:start=1", "brownian:start=1"),
        ("geometric:start=1,volatility=2%,step=3bp", "step=3bp"),
        ("geometric:start=1", "volatility"),
        ("geometric:start=1,volatility=200%", "200%"),
        ("geometric:start=1,volatility=2%,drift=-100%", "-100%"),
        ("geometric:start=1,volatility=x", "x"),
        ("geometric:start=1,volatility=2%,seed=x", "x"),
        (f"geometric:start=1,volatility=2%,seed={'9' * 5_000}", "9" * 5_000),
        ("geometric:start=1,volatility=2%,every=x", "x"),
        ("jump:start=1,volatility=2%,rate=11,size=-5%", "11"),
        ("jump:start=1,volatility=2%", "rate"),
        ("bootstrap:seed=.csv", ""),
        ("bootstrap:s.csv?block=3", "3"),
        ("bootstrap:s.csv?from=2022-01-01", "1640995200"),
        ("bootstrap:s.csv?to=2021-01-01", "1"),
    ],
)
def test_bad_sources_are_refused(text: str, value: str) -> None:
    """Each with the value that is wrong."""
    series = "time,price\n2021-01-01,9\n2021-01-02,8\n2021-01-03,7\n"
    with pytest.raises(FeedSourceError) as caught:
        read(text, {"s.csv": series})
    assert str(caught.value.value) == value
