"""Prices on one line, drawn to scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WIDTH = 72
"""Characters of the line."""


class Mark(NamedTuple):
    """A price with its name, and as people read it."""

    label: str
    base: int
    quote: int
    text: str


def draw(marks: Sequence[Mark], width: int = WIDTH) -> list[str]:
    """The line, and under it the marks, each hanging from its place, the lowest price first.

    The lowest price stands at the left end, the highest at the right one, and all others to scale,
    each at the nearest character.
    """
    ordered = sorted(marks, key=_scaled)
    low, span = _scaled(ordered[0]), _scaled(ordered[-1]) - _scaled(ordered[0])
    places = [
        ((_scaled(mark) - low) * (width - 1) * 2 + span) // max(2 * span, 1) for mark in ordered
    ]
    line = "".join("+" if at in places else "-" for at in range(width))
    rows = [line]
    for index in reversed(range(len(ordered))):
        stems = "".join("|" if at in places[:index] else " " for at in range(places[index]))
        told = f"{ordered[index].label} {ordered[index].text}"
        rows.append(_hang(stems, told, places[index], width))
    return rows


def _hang(stems: str, told: str, place: int, width: int) -> str:
    """A mark's row: the stems of those to its left, and its words on the side that has room."""
    words = f"| {told}"
    if place + len(words) <= width:
        return f"{stems}{words}"
    before = f"{told} |"
    start = place + 1 - len(before)
    return f"{stems[:start]}{before}"


def _scaled(mark: Mark) -> int:
    """A price as an integer that is fine enough to draw."""
    return (mark.base << 80) // mark.quote
