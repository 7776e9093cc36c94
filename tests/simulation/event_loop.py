"""Simulated time: one heap of events, one running hash of everything that happened."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from hashlib import blake2b

START_MS = 1_767_225_600_000
"""True time at the start of every simulation: 2026-01-01."""

EVENTS_PER_SECOND_MAX = 20_000
"""More events within one simulated second are a message storm."""


class MessageStorm(AssertionError):
    """The nodes keep each other busy without end."""


class EventLoop:
    """Runs actions in the order of their times; equal times in the order of their planning.

    Each `record` is one line of the event log, which exists only as its hash unless traced.
    """

    def __init__(self, trace: Callable[[str], None] | None = None) -> None:
        self.now_ms = START_MS
        self.event_count = 0
        self._trace = trace
        self._hash = blake2b(digest_size=16)
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._planned = 0
        self._second = 0
        self._events_in_second = 0

    @property
    def elapsed_ms(self) -> int:
        """True time since the start."""
        return self.now_ms - START_MS

    @property
    def event_hash(self) -> str:
        """The hash of all events so far; equal runs have equal hashes at every moment."""
        return self._hash.copy().hexdigest()

    def record(self, name: str, *fields: object) -> None:
        """Add a line to the event log. Fields must print alike in every process."""
        line = " ".join((str(self.elapsed_ms), name, *map(str, fields)))
        self.event_count += 1
        self._hash.update(line.encode() + b"\n")
        if self._trace is not None:
            self._trace(line)

    def later(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Run an action after a while."""
        assert delay_ms >= 0, delay_ms
        self._planned += 1
        heapq.heappush(self._queue, (self.now_ms + delay_ms, self._planned, action))

    def run_until(self, elapsed_ms: int) -> None:
        """Run everything that is due until so long after the start; raises `MessageStorm`."""
        end_ms = START_MS + elapsed_ms
        while self._queue and self._queue[0][0] <= end_ms:
            self.now_ms, _, action = heapq.heappop(self._queue)
            self._count()
            action()
        self.now_ms = end_ms

    def _count(self) -> None:
        second = self.now_ms // 1_000
        if second != self._second:
            self._second, self._events_in_second = second, 0
        self._events_in_second += 1
        if self._events_in_second > EVENTS_PER_SECOND_MAX:
            raise MessageStorm(f"{self._events_in_second} events in second {self.elapsed_ms} ms")
