"""What the runs of a cell say together: shares and means with their 95 % confidence intervals.

The paths are drawn independently. A share of runs has Wilson's interval (Wilson 1927). A mean has
the normal one with its skewness removed (Hall 1992): what is measured is often nothing in most runs
and much in a few, where mean ± 1.96 s / √n reaches below zero and misses the true mean above it. A
share that is nothing in every run has Wilson's bound, for so often it may yet have been something.
The difference from the first cell is the mean of the differences path by path: both cells saw the
same prices, so that what the paths have in common falls out of its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import cbrt, fsum, sqrt
from typing import NamedTuple

from node.lab.measures import MEASURES, Measure
from node.lab.plan import Plan
from node.lab.runs import RunResult

Z = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""
SKEWNESS_MIN = 1e-9
"""Below it there is none to remove."""
SHARE_OF_RUNS = "swan"
"""The measure that is yes or no in each run."""


class Estimate(NamedTuple):
    """An estimate and the bounds of its interval; None where nothing was measured."""

    value: float | None
    low: float | None
    high: float | None


NOTHING = Estimate(None, None, None)


class Line(NamedTuple):
    """One measure of one BitAsset in one cell."""

    cell: int
    asset: str
    measure: str
    runs: int
    """In which it was measured."""
    mean: Estimate
    difference: Estimate
    """From the first cell, path by path; nothing for the first."""
    median: float | None
    low: float | None
    """5 % quantile of the runs."""
    high: float | None
    """95 % quantile."""


def wilson(successes: int, runs: int) -> Estimate:
    """A share and its Wilson interval."""
    if not runs:
        return NOTHING
    share, weight = successes / runs, Z * Z / runs
    center = (share + weight / 2) / (1 + weight)
    half = Z / (1 + weight) * sqrt(share * (1 - share) / runs + weight / (4 * runs))
    low = 0.0 if successes == 0 else center - half
    return Estimate(share, low, 1.0 if successes == runs else center + half)


def skewed(values: Sequence[float]) -> Estimate:
    """A mean and its interval after Hall; of a single value there is none.

    With skewness g, T = √n (mean - true mean) / s becomes nearly normal as
    T + g T² / (3 √n) + g² T³ / (27 n) + g / (6 √n), a cubic that `bound` inverts.
    """
    if not values:
        return NOTHING
    count = len(values)
    mean = fsum(values) / count
    if count == 1:
        return Estimate(mean, None, None)
    deviation = sqrt(fsum((value - mean) ** 2 for value in values) / (count - 1))
    if deviation == 0:
        return Estimate(mean, mean, mean)
    skewness = fsum(((value - mean) / deviation) ** 3 for value in values) / count
    root = sqrt(count)

    def bound(normal: float) -> float:
        moved = normal - skewness / (6 * root)
        if abs(skewness) > SKEWNESS_MIN:
            moved = 3 * root / skewness * (cbrt(1 + skewness / root * moved) - 1)
        return mean - moved * deviation / root

    return Estimate(mean, bound(Z), bound(-Z))


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """A quantile of ordered values, between the two that stand around it."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def summarize(plan: Plan, results: Sequence[RunResult]) -> list[Line]:
    """All measures of all cells, cell by cell."""
    by_cell: dict[int, list[RunResult]] = {cell: [] for cell in range(plan.cell_count)}
    for result in results:
        by_cell[result.cell].append(result)
    assets = sorted({name for result in results for name in result.assets})
    lines = []
    for asset in assets:
        base = _columns(by_cell[0], asset)
        for cell in by_cell:
            columns = base if cell == 0 else _columns(by_cell[cell], asset)
            for measure in MEASURES:
                first = {} if cell == 0 else base[measure.name]
                lines.append(_line(cell, asset, measure, columns[measure.name], first))
    return sorted(lines, key=lambda line: line.cell)


def _columns(results: Sequence[RunResult], asset: str) -> dict[str, dict[int, float]]:
    """By measure and path, what was measured."""
    found: dict[str, dict[int, float]] = {one.name: {} for one in MEASURES}
    for result in results:
        figures = result.assets.get(asset)
        for measure, figure in zip(MEASURES, figures or (), strict=False):
            if figure is not None:
                found[measure.name][result.path] = figure
    return found


def _line(
    cell: int,
    asset: str,
    measure: Measure,
    values: Mapping[int, float],
    first: Mapping[int, float],
) -> Line:
    ordered = sorted(values.values())
    happened = sum(1 for value in ordered if value)
    if measure.name == SHARE_OF_RUNS or (measure.is_share and not happened):
        mean = wilson(happened, len(ordered))
    else:
        mean = skewed(ordered)
    differences = sorted(values[path] - first[path] for path in values if path in first)
    quantiles = (quantile(ordered, share) for share in (0.5, 0.05, 0.95))
    return Line(cell, asset, measure.name, len(ordered), mean, skewed(differences), *quantiles)
