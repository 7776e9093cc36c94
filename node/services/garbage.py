"""When the garbage collector runs: between ticks, never in the middle of applying a block.

A full collection over a large state takes long enough to miss a slot. What the node starts with is
frozen; what a run leaves behind is collected young, after a tick, when enough of it has piled up.
"""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 50_000
"""New container objects after which a collection is due."""
FULL_EVERY = 200
"""Young collections between two full ones, after which the survivors are frozen."""


class GarbageSchedule:
    """Takes the collector's own schedule over for this process."""

    def __init__(self) -> None:
        """Freeze all that is there: the code and the state."""
        gc.disable()
        gc.collect()
        gc.freeze()
        self._collections = 0

    def collect_if_due(self) -> None:
        """Collect what has piled up; to be called when nothing waits."""
        if gc.get_count()[0] < YOUNG_OBJECTS:
            return
        self._collections += 1
        if self._collections % FULL_EVERY:
            gc.collect(1)
        else:
            gc.collect()
            gc.freeze()
