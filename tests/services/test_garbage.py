"""The garbage collector's schedule: nothing by itself, young objects when due."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from node.services.garbage import YOUNG_OBJECTS, GarbageSchedule


@pytest.fixture
def schedule() -> Iterator[GarbageSchedule]:
    """A schedule whose effect on the process ends with the test."""
    yield GarbageSchedule()
    gc.unfreeze()
    gc.enable()


class Ring:
    """Garbage that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


def test_rings_are_freed_when_a_collection_is_due_and_not_before(
    schedule: GarbageSchedule,
) -> None:
    """T-R3: no collection falls into the middle of a block; none is left out for ever."""
    gone = weakref.ref(Ring())
    schedule.collect_if_due()
    assert gone() is not None
    piled_up: list[list[int]] = [[] for _ in range(YOUNG_OBJECTS + 1_000)]
    assert gone() is not None
    schedule.collect_if_due()
    assert gone() is None
    assert len(piled_up) > YOUNG_OBJECTS
