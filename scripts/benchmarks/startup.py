"""(f) How long it takes until something is there: a module, a command, a node, a network."""

from __future__ import annotations

import json
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, perf_counter

from .measure import print_ratio, print_time, print_value

BLOCK_INTERVALS_S = (1, 3)
LINES_MAX = 200
ROUNDS = 7
PEGBOARD = str(Path(sys.executable).parent / "pegboard")
YARDSTICK = (sys.executable, "-c", "import trio")
"""What each start is measured against, beside it."""
STARTS = {
    "python -c pass": (sys.executable, "-c", "pass"),
    "import pegboard": (sys.executable, "-c", "import pegboard"),
    "import pegboard; pegboard.market()": (
        *(sys.executable, "-c"),
        "import pegboard; pegboard.market()",
    ),
    "pegboard --help": (PEGBOARD, "--help"),
    "pegboard show asset --help": (PEGBOARD, "show", "asset", "--help"),
    "pegboard wallet transfer --help": (PEGBOARD, "wallet", "transfer", "--help"),
}


def bench_startup() -> None:
    """(f): CPU time of commands, by turns with that of `import trio`; seconds on the wall of a
    development node up to its ready line, and of a network of four witnesses and an API."""
    rounds = [
        (_child_seconds(YARDSTICK), {name: _child_seconds(one) for name, one in STARTS.items()})
        for _ in range(ROUNDS)
    ]
    for name in STARTS:
        print_time("f", name, [took[name] for _, took in rounds])
        ratios = [took[name] / yardstick for yardstick, took in rounds]
        print_ratio("f", f"{name} / import trio", ratios, "CPU, by turns")
    starts: list[tuple[float, float, float]] = []
    for _ in range(ROUNDS):
        yardstick, before = _child_seconds(YARDSTICK), _children_seconds()
        wall = _node_until_ready()
        starts.append((wall, _children_seconds() - before, yardstick))
    note = "on the wall, in an empty directory; limit 0.5 s"
    print_time("f", "node --dev, start to ready", [wall for wall, _, _ in starts], note)
    ratios = [cpu / yardstick for _, cpu, yardstick in starts]
    print_ratio("f", "node --dev, start to ready / import trio", ratios, "CPU, by turns")
    for interval_s in BLOCK_INTERVALS_S:
        first, irreversible = _time_blocks(interval_s)
        note = f"4 witnesses, {interval_s} s a block"
        print_value("f", "up to the first block", f"{first:.1f} s", note)
        print_value("f", "up to the first irreversible block", f"{irreversible:.1f} s", note)


def _child_seconds(command: tuple[str, ...]) -> float:
    """CPU time of a process from its start to its end."""
    before = _children_seconds()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return _children_seconds() - before


def _children_seconds() -> float:
    """CPU time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _node_until_ready() -> float:
    """Seconds from the start of a development node until it says that it is ready; it ends then."""
    with tempfile.TemporaryDirectory(prefix="pegboard-bench-") as directory:
        command = (PEGBOARD, "node", "--dev", "--mode", "manual", "--data-dir", f"{directory}/dev")
        api = f"127.0.0.1:{free_port()}"
        start = perf_counter()
        process = subprocess.Popen(
            (*command, "--api", api), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        assert any(b'"ev": "ready"' in line for line in process.stderr), "it becomes ready"
        took = perf_counter() - start
        process.kill()
        process.communicate()
    return took


def _time_blocks(interval_s: int) -> tuple[float, float]:
    first: float | None = None
    start = monotonic()
    with _network(interval_s) as lines:
        for _ in range(LINES_MAX):
            event = json.loads(next(lines))
            if event.get("event") != "block":
                continue
            if first is None:
                first = monotonic() - start
            if event["last_irreversible"] > 0:
                return first, monotonic() - start
    raise RuntimeError(f"no irreversible block within {LINES_MAX} lines")


@contextmanager
def _network(interval_s: int) -> Iterator[Iterator[bytes]]:
    """A fresh network's lines, one JSON document each."""
    with tempfile.TemporaryDirectory(prefix="pegboard-bench-") as directory:
        command = [
            *(PEGBOARD, "up", "--json"),
            *("--data-dir", f"{directory}/network", "--api", f"127.0.0.1:{free_port()}"),
            *("--block-interval", str(interval_s)),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            yield iter(process.stdout)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
