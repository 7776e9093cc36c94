"""(w) Full validation with more cores than are here, by simulation of its pipeline.

The costs of the stages are measured here, on two cores; the simulation puts the same node on
others. Processes that have something to do share the cores evenly, as the system has it.
"""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field
from functools import partial

import trio

from node.p2p.limits import PeerLimits
from node.services.signature_pool import AHEAD, WORKERS_MAX
from node.services.signature_worker import CHUNK
from protocol.block import BlockEnvelope

from .blocks import TRANSFERS, recorded_transfers, validate_rounds
from .measure import cpu_seconds, print_time, print_value
from .workload import TRANSACTIONS_A_BLOCK

BLOCKS = 400
CORES = (1, 2, 4, 8)
DONE_S = 1e-12
"""Rounding errors of a block's work are far below it."""


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds of one transfer."""

    read: float
    """Main process: decoding and hashing, before its key is asked for."""
    recover: float
    """Worker process."""
    apply: float
    """Main process: all the rest, once its key is known."""


@dataclass(slots=True)
class Process:
    """Something that runs on one core at a time."""

    left_s: float = 0.0
    """Of what it is at."""
    busy_s: float = 0.0
    queue: deque[int] = field(default_factory=deque)
    """Numbers of the blocks of the chunks that it was given."""


class Pipeline:
    """A node that syncs full blocks with so many cores, as `SignaturePool` and the core do."""

    def __init__(self, costs: Costs, cores: int) -> None:
        self.costs = costs
        self.cores = cores
        self.main = Process()
        self.workers = [Process() for _ in range(min(cores, WORKERS_MAX))]
        self.waiting: deque[int] = deque()
        """Chunks that no worker was given yet, by the number of their block."""
        self.missing = [TRANSACTIONS_A_BLOCK // CHUNK] * BLOCKS
        """Chunks of each block whose keys are not known."""
        self.read = self.applied = 0
        """Blocks that were read, and applied, up to now."""
        self.is_reading = False

    def run(self) -> float:
        """Seconds until all blocks are applied."""
        now_s = 0.0
        while self.applied < BLOCKS:
            self._begin()
            active = [one for one in (self.main, *self.workers) if one.left_s > 0]
            speed = min(1.0, self.cores / len(active))
            step_s = min(one.left_s for one in active)
            now_s += step_s / speed
            for one in active:
                one.left_s -= step_s
                one.busy_s += step_s
                if one.left_s < DONE_S:
                    one.left_s = 0.0
                    self._end(one)
        return now_s

    def _begin(self) -> None:
        """Give work to all who have none."""
        ahead = PeerLimits().sync_unjudged
        if not self.main.left_s:
            if self.applied < self.read and not self.missing[self.applied]:
                self.main.left_s = self.costs.apply * TRANSACTIONS_A_BLOCK
                self.is_reading = False
            elif self.read < min(BLOCKS, self.applied + ahead):
                self.main.left_s = self.costs.read * TRANSACTIONS_A_BLOCK
                self.is_reading = True
        while self.waiting:
            worker = min(self.workers, key=lambda one: len(one.queue))
            if len(worker.queue) * CHUNK >= AHEAD:
                break
            worker.queue.append(self.waiting.popleft())
        for worker in self.workers:
            if worker.queue and not worker.left_s:
                worker.left_s = self.costs.recover * CHUNK

    def _end(self, one: Process) -> None:
        if one is not self.main:
            self.missing[one.queue.popleft()] -= 1
        elif self.is_reading:
            self.waiting.extend([self.read] * self.missing[self.read])
            self.read += 1
        else:
            self.applied += 1


def bench_pipeline() -> None:
    """(w): what full validation does with more cores, and what then bounds it; simulated."""
    costs = _measure()
    print_time("w", "reading, main process, CPU a transfer", [costs.read])
    print_time("w", "recovering, a worker, CPU a transfer", [costs.recover])
    print_time("w", "applying, main process, CPU a transfer", [costs.apply])
    for cores in CORES:
        pipeline = Pipeline(costs, cores)
        took_s = pipeline.run()
        ratio = BLOCKS * TRANSACTIONS_A_BLOCK * costs.recover / took_s
        main = 100 * pipeline.main.busy_s / took_s
        workers = 100 * sum(one.busy_s for one in pipeline.workers) / took_s / cores
        busy = f"main process {main:.0f} % of one core, workers {workers:.0f} % of all"
        print_value("w", f"transfers / raw recoveries, {cores} cores", f"{ratio:.2f}", busy)


def _measure() -> Costs:
    recording = recorded_transfers()
    rounds = trio.run(validate_rounds, recording)
    read = min(cpu_seconds(partial(_read_all, recording.measured)) for _ in rounds) / TRANSFERS
    recover = statistics.median(one.workers_s for one in rounds)
    main = statistics.median(one.main_s for one in rounds)
    return Costs(read, recover, main - read)


def _read_all(blocks: list[bytes]) -> None:
    for data in blocks:
        BlockEnvelope.from_bytes(data).merkle_root()
