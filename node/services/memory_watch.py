"""Keeps a process below its memory limit: caches go first, then clients, never the chain (T-R1).

What clients and peers can make a node keep is bounded, see `node/services/THREATS.md`; a limit of
the operator's may be lower than that, or the chain larger than expected.
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio

from node.api.api import Api
from node.services.connection_table import ConnectionTable
from node.services.event_log import log

PRESSURE = 0.8
"""The part of the limit at which something is given up."""
RELIEF = 0.05
"""So much of the limit must be left below that point before it is told that there is enough."""
COPIES = 3
"""An answer takes up to so many times its own bytes while it is made and sent."""
LOOK_EVERY_S = 0.1
CACHES_EVERY_S = 2.0
"""Dropping caches holds everybody up for some milliseconds."""
MEBIBYTE: Final = 1 << 20
STATM: Final = Path("/proc/self/statm")


class MemoryWatch:
    """Looks at what the process takes; `run` has to run meanwhile."""

    def __init__(
        self,
        limit_mib: int,
        api: Api,
        connections: ConnectionTable,
        read_bytes: Callable[[], int],
    ) -> None:
        self.limit_bytes = limit_mib * MEBIBYTE
        self.api = api
        self.connections = connections
        self.read_bytes = read_bytes
        self.is_short = False
        self._room = api.room.limit
        self._dropped_at = -CACHES_EVERY_S

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await trio.sleep(LOOK_EVERY_S)
            self.look(trio.current_time())

    def look(self, now_s: float) -> None:
        """Give something up if too much is taken; `now_s` is any time that does not step.

        At first what is kept to be quick; if that is not enough, long answers are refused, and with
        each look the connection ends for which most is kept. Below that point clients have room for
        what is left, and no more.
        """
        left = self._left()
        if left <= 0 and now_s - self._dropped_at >= CACHES_EVERY_S:
            self._dropped_at = now_s
            self.api.drop_caches()
            gc.collect()
            give_back()
            left = self._left()
        if left <= 0:
            self.api.room.limit = 0
            self.connections.end_largest()
            self._note(is_short=True)
            return
        room = self.api.room
        room.limit = min(self._room, room.taken + left // COPIES)
        if left >= RELIEF * self.limit_bytes:
            self._note(is_short=False)

    def _left(self) -> int:
        """How far the process is from the point at which something must go."""
        return int(PRESSURE * self.limit_bytes) - self.read_bytes()

    def _note(self, *, is_short: bool) -> None:
        if is_short != self.is_short:
            self.is_short = is_short
            event = "memory_short" if is_short else "memory_enough"
            log.warning(event, limit_mib=self.limit_bytes // MEBIBYTE)


def can_watch() -> bool:
    """Whether this machine tells what a process takes."""
    return STATM.exists()


def resident_bytes() -> int:
    """The memory that this process takes."""
    return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Have the C library return what it holds free to the system, if it knows how."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
