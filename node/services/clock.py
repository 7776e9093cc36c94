"""Where the time comes from; the only module of the node that reads a clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The wall clock, which slots follow."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        ...


class SystemClock:
    """The clock of this machine, shifted by a constant for tests of clock skew."""

    __slots__ = ("offset_ms",)

    def __init__(self, offset_ms: int = 0) -> None:
        self.offset_ms = offset_ms

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000 + self.offset_ms
