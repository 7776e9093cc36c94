"""One simulated run as a line of figures: how it ended, and what happened in it."""

from __future__ import annotations

import gc
import os
import resource
import time
import traceback
from pathlib import Path

import msgspec

from tests.simulation.checkers import Violation
from tests.simulation.coverage import Watch
from tests.simulation.machine import Machine
from tests.simulation.schedule import Schedule
from tests.simulation.simulation import Simulation

REPO = Path(__file__).resolve().parent.parent.parent
PASSED = "passed"


class Run(msgspec.Struct, frozen=True):
    """What became of one schedule."""

    seed: int
    options: dict[str, int]
    verdict: str
    """`PASSED`, or in which way it failed: the checker, or the error and where it was raised."""
    detail: str
    """What the checker or the error says."""
    event_hash: str
    event_count: int
    simulated_s: int
    took_s: float
    slots: int
    """Slots from the genesis to the head at the end."""
    blocks: int
    """Blocks on the chain that won."""
    irreversible: int
    """Number of the last irreversible block."""
    agreed_after_s: int
    """Seconds from the healing until all were on one chain; 0 for a run that failed."""
    resident_kib: int
    """Memory of the process after the run."""
    figures: dict[str, int]
    """How often things happened."""
    memory_blocks: int = 0
    """What the interpreter holds when the run is over and gone, in blocks of its allocator."""

    @property
    def has_passed(self) -> bool:
        """Whether every promise was kept."""
        return self.verdict == PASSED

    def line(self) -> str:
        """One line."""
        if not self.has_passed:
            return f"FAILED {self.verdict}: {self.detail}"
        return (
            f"hash {self.event_hash}, {self.event_count} events, {self.simulated_s} s, "
            f"head {self.blocks}, irreversible {self.irreversible}, "
            f"agreed {self.agreed_after_s} s after the healing, "
            f"{self.simulated_s / self.took_s:.0f} x real time"
        )


def run_schedule(
    schedule: Schedule,
    *,
    machine: type[Machine] = Machine,
    is_traced: bool = False,
    shows_error: bool = False,
) -> Run:
    """Run a schedule to its end or its failure, of which the traceback may be shown."""
    simulation = Simulation(schedule, machine=machine, trace=print if is_traced else None)
    watch = Watch(simulation)
    began = time.perf_counter()
    agreed_after_s = 0
    try:
        agreed_after_s = simulation.run().agreed_after_s
        verdict, detail = PASSED, ""
    except Exception as error:  # noqa: BLE001
        if shows_error:
            traceback.print_exc()
        verdict, detail = way_of(error), f"{type(error).__name__}: {error}"
    watch.count_votes()
    loop = simulation.loop
    chains = [one.core.chain for one in simulation.machines if one.core is not None]
    best = max(chains, key=lambda chain: chain.head_num, default=None)
    interval_s = schedule.options.block_interval_s
    figures = dict(simulation.checkers.counts)
    for operation, refusals in simulation.checkers.refusals.items():
        figures.update({f"refused {operation} {name}": n for name, n in refusals.items()})
    return Run(
        seed=schedule.options.seed,
        options=schedule.options.to_json(),
        verdict=verdict,
        detail=detail,
        event_hash=loop.event_hash,
        event_count=loop.event_count,
        simulated_s=loop.elapsed_ms // 1_000,
        took_s=time.perf_counter() - began,
        slots=0 if best is None else (best.head_time - genesis_s(simulation)) // interval_s,
        blocks=0 if best is None else best.head_num,
        irreversible=0 if best is None else best.last_irreversible_num,
        agreed_after_s=agreed_after_s,
        resident_kib=resident_kib(),
        figures=figures,
    )


def genesis_s(simulation: Simulation) -> int:
    """When the chain of a simulation begins."""
    return simulation.machines[0].world.genesis.initial_timestamp


def resident_kib() -> int:
    """Memory of this process now; the most that it ever had where the system does not tell."""
    gc.collect()
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def way_of(error: Exception) -> str:
    """In which way a run failed: two failures are alike if this is equal."""
    if isinstance(error, Violation):
        return error.checker
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(REPO)]
    place = f"{Path(own[-1].filename).stem}.{own[-1].name}" if own else "elsewhere"
    return f"{type(error).__name__} in {place}"
