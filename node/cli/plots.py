"""Numbers drawn as text: charts over time and bars, to scale, in plain characters.

All arithmetic is on integers, so that each point stands at the character nearest to it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from protocol.wording import PRICE_DIGITS, format_decimal, units_ratio

WIDTH = 80
HEIGHT = 13
FINE_DIGITS = 20
"""Decimals that a price is drawn with, so that prices far below 1 are drawn well, too."""

Point = tuple[int, int]
"""Where it stands from left to right, as a time; and a price of `fine_price`."""


class Series(NamedTuple):
    """Points of one kind; `is_step` ones hold until the next."""

    mark: str
    name: str
    points: Sequence[Point]
    is_step: bool = False


class Level(NamedTuple):
    """A price that stands all along, as a line."""

    mark: str
    name: str
    price: int


class Bar(NamedTuple):
    """A number with its name, and how people read it."""

    name: str
    value: int
    text: str


def fine_price(base_units: int, quote_units: int, precisions: tuple[int, int]) -> int:
    """A price with `FINE_DIGITS` decimals, rounded down, as whole units of a base for a quote."""
    return units_ratio(base_units, quote_units, precisions, FINE_DIGITS)


def price_label(price: int) -> str:
    """A price of `fine_price` as people read it."""
    return format_decimal(price // 10 ** (FINE_DIGITS - PRICE_DIGITS), PRICE_DIGITS)


def chart(
    series: Sequence[Series],
    levels: Sequence[Level],
    ends: tuple[str, str],
    width: int = WIDTH,
    height: int = HEIGHT,
) -> list[str]:
    """Prices from bottom to top, time from left to right; `ends` are the words below both ends.

    The legend names each mark; a mark of a series hides a line behind it.
    """
    points = [point for one in series for point in one.points]
    prices = [price for _, price in points] + [level.price for level in levels]
    if not prices:
        return ["nothing to draw"]
    low, high = min(prices), max(prices)
    height = height if low < high else 1
    labels = [price_label(low + (high - low) * row // max(height - 1, 1)) for row in range(height)]
    margin = max(map(len, labels))
    columns = width - margin - 2
    cells = [[" "] * columns for _ in range(height)]
    for level in levels:
        cells[_nearest(level.price, low, high, height)] = [level.mark] * columns
    first = min((x for x, _ in points), default=0)
    last = max((x for x, _ in points), default=0)
    for one in series:
        for column, price in _placed(one, first, last, columns):
            cells[_nearest(price, low, high, height)][column] = one.mark
    rows = []
    for row in reversed(range(height)):
        shown = labels[row] if row in (0, height // 2, height - 1) else ""
        rows.append(f"{shown:>{margin}} |{''.join(cells[row])}".rstrip())
    room = columns - len(ends[0])
    rows.append(f"{'':{margin}} +{'-' * columns}")
    rows.append(f"{'':{margin}}  {ends[0]}{ends[1]:>{room}}")
    rows += [f"  {one.mark} {one.name}" for one in series if one.points]
    rows += [f"  {level.mark} {level.name} {price_label(level.price)}" for level in levels]
    return rows


def bars(
    items: Sequence[Bar], level: Bar | None = None, mark: str = "#", width: int = WIDTH
) -> list[str]:
    """A bar for each number, from 0; a stroke marks the level in each row, and below."""
    if not items:
        return ["nothing to draw"]
    named = [*items, *([level] if level is not None else [])]
    margin, told = max(len(one.name) for one in named), max(len(one.text) for one in named)
    columns = max(width - margin - told - 3, 1)
    most = max([1, *(one.value for one in named)])
    place = None if level is None else min(level.value * columns // most, columns - 1)
    rows = []
    for item in items:
        length = item.value * columns // most
        cells = [*(mark * length), *(" " * (columns - length))]
        if place is not None:
            cells[place] = "|"
        rows.append(f"{item.name:<{margin}}  {''.join(cells)} {item.text:>{told}}")
    if level is not None and place is not None:
        line = " " * place + "|"
        rows.append(f"{level.name:<{margin}}  {line:<{columns}} {level.text:>{told}}")
    return rows


def _nearest(value: int, low: int, high: int, count: int) -> int:
    """The one of `count` places, from `low` to `high`, that is nearest to a value."""
    span = high - low
    return ((value - low) * (count - 1) * 2 + span) // (2 * span) if span else 0


def _placed(series: Series, first: int, last: int, columns: int) -> list[Point]:
    """Columns and prices of a series; of one that holds, in each column from its first point on."""
    points = sorted(series.points)
    found = [(_nearest(x, first, last, columns), price) for x, price in points]
    if not series.is_step or not points or first == last:
        return found
    moments = [x for x, _ in points]
    held = []
    for column in range(found[0][0], columns):
        moment = first + (last - first) * column // (columns - 1)
        held.append((column, points[max(bisect_right(moments, moment) - 1, 0)][1]))
    return held + found
