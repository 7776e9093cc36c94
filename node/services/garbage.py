"""When the garbage collector runs: between other tasks, never in the middle of applying a block.

A full collection over a large state takes long enough to miss a slot. What the node starts with is
frozen; what a run leaves behind is collected young, when enough of it has piled up (T-R3).
"""

from __future__ import annotations

import gc

import trio

YOUNG_OBJECTS = 5_000
"""New container objects after which a collection is due."""
LOOK_EVERY_S = 0.1
FULL_EVERY = 2_000
"""Young collections between two full ones, after which the survivors are frozen."""


class GarbageSchedule:
    """Takes the collector's own schedule over for this process."""

    def __init__(self) -> None:
        """Freeze all that is there: the code and the state."""
        gc.disable()
        gc.freeze()
        self._collections = 0

    async def run(self) -> None:
        """Look now and then, for ever; every other task waits for its next event meanwhile."""
        while True:
            await trio.sleep(LOOK_EVERY_S)
            self.collect_if_due()

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
