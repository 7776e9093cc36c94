"""What one row of `scripts/threats` is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

ATTEMPTS = 3
"""At what takes too long, on a machine that has other work and a collector of garbage."""


class Figure(NamedTuple):
    """What a row came to."""

    text: str
    is_kept: bool


class Row(NamedTuple):
    """A promise that many tries show."""

    id: str
    """Of the threat."""
    tries: int
    """At the share 1 (RELIABILITY)."""
    limit: str
    """What is promised."""
    run: Callable[[int, int], Figure]
    """From the number of tries and the seed; what it raises breaks the promise."""


def least_ms(work: Callable[[], object], limit_ms: float) -> float:
    """How many milliseconds of the processor something takes; tried again if it is too long."""
    least = float("inf")
    for _ in range(ATTEMPTS):
        started = time.thread_time()
        work()
        least = min(least, (time.thread_time() - started) * 1e3)
        if least < limit_ms:
            break
    return least
