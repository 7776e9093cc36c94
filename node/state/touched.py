"""Which objects changed since somebody last looked, so that nobody walks a table to find out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from node.state.objects.base import StateObject
from node.state.table import Table

K = TypeVar("K", bound=int)
T = TypeVar("T", bound=StateObject)


class Touched(Generic[K, T]):
    """Numbers of the objects of a table that were touched since they were last taken.

    What is taken back is touched as well, so more may be named than differs in the end.
    """

    def __init__(self, table: Table[K, T]) -> None:
        self._log = table.log
        self._instances: set[int] = set()
        table.touched_sets.append(self._instances)

    def note(self, instances: Iterable[int]) -> None:
        """Name objects that were changed behind the undo log's back."""
        self._instances.update(instances)

    def disregard(self) -> None:
        """Take what was touched as known; for whoever touched it after it took all the rest."""
        self._instances.clear()
        self._log.save_again()

    def take(self) -> list[int]:
        """The numbers of the touched objects, ascending; those since are named next."""
        if not self._instances:
            return []
        found = sorted(self._instances)
        self._instances.clear()
        self._log.save_again()
        return found
