"""Where the time comes from; the only module of the node that reads a clock.

Slots follow the wall clock, which people and programs set and which may step; whatever waits or
measures follows a clock that only goes forward.
"""

from __future__ import annotations

import time
from typing import Protocol

cpu_s = time.thread_time
"""Time that this thread has computed, in seconds."""

monotonic_s = time.perf_counter
"""Time since some moment, finely, in seconds."""

sleep_s = time.sleep
"""Wait so many seconds; for programs without an event loop."""

_TIMER = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""On Linux it goes on while the machine sleeps, as the wall clock does."""


def wall_s() -> int:
    """Seconds since 1970, UTC, by this machine's clock."""
    return time.time_ns() // 1_000_000_000


class Clock(Protocol):
    """The two clocks of a machine."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970, UTC, as far as the machine knows."""
        ...

    def timer_ms(self) -> int:
        """Milliseconds since some moment; no step of the wall clock shows in it."""
        ...


class SystemClock:
    """The clocks of this machine, the wall clock shifted by a constant for tests of clock skew."""

    __slots__ = ("offset_ms",)

    def __init__(self, offset_ms: int = 0) -> None:
        self.offset_ms = offset_ms

    def wall_ms(self) -> int:
        """See `Clock.wall_ms`."""
        return time.time_ns() // 1_000_000 + self.offset_ms

    def timer_ms(self) -> int:
        """See `Clock.timer_ms`."""
        return time.clock_gettime_ns(_TIMER) // 1_000_000
