"""How much more two cores recover at once than one alone: twice as much where they share nothing.

What a machine calls two cores may be two threads of one. Then a core gives less while the other one
is busy, as it is during all of a sync.
"""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Sequence
from time import perf_counter
from typing import IO, NamedTuple

from node.services.signature_pool import worker_command
from node.services.signature_worker import CHUNK
from protocol.crypto.curve import KEY_LENGTH
from protocol.crypto.recovery import QUESTION_LENGTH

from .measure import print_ratio

TURNS = 8


class CoreRates(NamedTuple):
    """Recoveries a second, slice by slice."""

    alone: Sequence[float]
    """Of one process while the other one is idle."""
    both: Sequence[float]
    """Of two processes together."""

    @property
    def gain(self) -> float:
        """What both recover at once over what one does alone; medians."""
        return statistics.median(self.both) / statistics.median(self.alone)

    @property
    def best_gain(self) -> float:
        """The same of the fastest slices."""
        return max(self.both) / max(self.alone)

    @property
    def half_of_both(self) -> float:
        """What one recovers at best while the other one is busy."""
        return max(self.both) / 2

    def joined(self, others: CoreRates) -> CoreRates:
        """These slices and others."""
        return CoreRates([*self.alone, *others.alone], [*self.both, *others.both])


def core_rates(questions: bytes, turns: int = TURNS) -> CoreRates:
    """One worker process alone and two at once, by turns, each of them with the same slice."""
    asked = questions[: CHUNK * QUESTION_LENGTH]
    workers = [
        subprocess.Popen(worker_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        _rate(workers, asked)
        turn = [(_rate(workers[:1], asked), _rate(workers, asked)) for _ in range(turns)]
        return CoreRates([alone for alone, _ in turn], [both for _, both in turn])
    finally:
        for worker in workers:
            worker.communicate()


def _rate(workers: Sequence[subprocess.Popen[bytes]], asked: bytes) -> float:
    """Recoveries a second of all of them, until the last one has answered."""
    count = len(asked) // QUESTION_LENGTH
    start = perf_counter()
    for worker in workers:
        _pipe(worker.stdin).write(asked)
        _pipe(worker.stdin).flush()
    for worker in workers:
        answer = _pipe(worker.stdout).read(count * KEY_LENGTH)
        assert len(answer) == count * KEY_LENGTH, "a worker has died"
    return len(workers) * count / (perf_counter() - start)


def _pipe(found: IO[bytes] | None) -> IO[bytes]:
    assert found is not None
    return found


def print_cores(
    section: str, what: str, rates: Sequence[float], rounds: Sequence[CoreRates]
) -> None:
    """What the cores are worth, and things a second by what one gives while the other is busy."""
    best = " ".join(f"{one.best_gain:.2f}" for one in rounds)
    note = f"best slices {best}; 2 where cores share nothing"
    gains = [one.gain for one in rounds]
    print_ratio(section, "what both cores recover at once / one alone", gains, note)
    ratios = [rate / one.half_of_both for rate, one in zip(rates, rounds, strict=True)]
    note = "wall; of one core while the other one is busy"
    print_ratio(section, f"{what} / half of what both recover", ratios, note)
