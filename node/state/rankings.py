"""Objects of the state in the order of a figure, kept up to date by what was touched."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import islice
from typing import Generic, TypeVar

from sortedcontainers import SortedList

from node.state.objects.base import StateObject
from node.state.table import Table
from node.state.touched import Touched

K = TypeVar("K", bound=int)
T = TypeVar("T", bound=StateObject)

MOVES_A_STEP = 50
"""Objects that one step puts in their new places; some tenths of a millisecond."""

Place = tuple[int, int, int]
"""Group, figure with its sign turned, and what decides between equal figures."""


class Ranking(Generic[T]):
    """The objects of a table in groups, the greatest figure first.

    Reading is cheap once `catch_up` has been gone through, until the state moves on. Pending
    transactions count.
    """

    def __init__(self, table: Table[K, T], place_of: Callable[[T], Place | None]) -> None:
        """`place_of` gives None for an object that has no place."""
        self._rows = table.rows
        self._touched = Touched(table)
        self._place_of = place_of
        self._places: dict[int, Place] = {}
        self._waiting: list[int] = []
        groups: dict[int, list[Place]] = {}
        for item in table.in_order():
            place = place_of(item)
            if place is not None:
                self._places[item.id] = place
                groups.setdefault(place[0], []).append(place)
        self._groups = {group: SortedList(places) for group, places in groups.items()}

    def catch_up(self) -> Generator[None, None, None]:
        """Put what was touched in its place, step by step; at the end nothing is missing."""
        while True:
            self._waiting += self._touched.take()
            if not self._waiting:
                return
            for instance in self._waiting[-MOVES_A_STEP:]:
                self._move(instance)
            del self._waiting[-MOVES_A_STEP:]
            if self._waiting:
                yield

    def count(self, group: int) -> int:
        """How many objects of a group have a place."""
        return len(self._groups.get(group, ()))

    def ranked(self, group: int, start: int, limit: int) -> Iterator[tuple[int, int]]:
        """Figures and what decides between equal ones, from the n-th greatest on."""
        places = self._groups.get(group)
        if places is not None:
            for _, turned, second in islice(places.islice(start), limit):
                yield -turned, second

    def _move(self, instance: int) -> None:
        item = self._rows.get(instance)
        place = None if item is None else self._place_of(item)
        before = self._places.get(instance)
        if place == before:
            return
        if before is not None:
            places = self._groups[before[0]]
            places.remove(before)
            del self._places[instance]
            if not places:
                del self._groups[before[0]]
        if place is not None:
            self._groups.setdefault(place[0], SortedList()).add(place)
            self._places[instance] = place
