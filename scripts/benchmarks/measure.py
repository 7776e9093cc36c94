"""Repeated timings, and the lines that the benchmarks print."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from time import clock_gettime, perf_counter, process_time

from node.compiled import how_it_runs


def cpu_seconds(run: Callable[[], object]) -> float:
    """CPU time of this process that a call takes: what it costs one core."""
    start = process_time()
    run()
    return process_time() - start


def cpu_seconds_of(process: int) -> float:
    """CPU time that all threads of another process have used; quick to read."""
    return clock_gettime(~process << 3 | 2)  # what clock_getcpuclockid(3) makes


def children_of(process: int) -> list[int]:
    """The processes that another one has started, of Linux alone."""
    lists = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for listed in lists for child in listed.read_text().split()]


def wall_seconds(run: Callable[[], object]) -> float:
    """Time on the wall that a call takes, other processes and waiting included."""
    start = perf_counter()
    run()
    return perf_counter() - start


def print_machine() -> None:
    """The first line of every run: figures mean nothing without it."""
    cpus = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    load = Path("/proc/loadavg").read_text().split()[0]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"machine: {len(cpus)} x {cpus[0]}, {platform.system()}, {python}, load {load}")
    print(f"inner modules: {how_it_runs()}")


def print_rate(section: str, what: str, rates: Sequence[float], note: str = "") -> None:
    """One figure in things a second: best and median of all rounds."""
    best, median = max(rates), statistics.median(rates)
    _print(section, what, f"best {best:>10,.0f} /s   median {median:>10,.0f} /s", note)


def print_time(section: str, what: str, seconds: Sequence[float], note: str = "") -> None:
    """One figure in microseconds: best and median of all rounds."""
    best, median = min(seconds) * 1e6, statistics.median(seconds) * 1e6
    _print(section, what, f"best {best:>10,.1f} us   median {median:>10,.1f} us", note)


def print_ratio(section: str, what: str, ratios: Sequence[float], target: str) -> None:
    """One ratio, round by round against what was measured beside it: median and all rounds."""
    rounds = " ".join(f"{ratio:.2f}" for ratio in ratios)
    _print(section, what, f"median {statistics.median(ratios):.2f} ({rounds})", target)


def print_value(section: str, what: str, value: str, note: str = "") -> None:
    """One figure that was taken once."""
    _print(section, what, value, note)


def _print(section: str, what: str, value: str, note: str) -> None:
    print(f"({section}) {what:<46} {value}" + (f"   [{note}]" if note else ""), flush=True)
