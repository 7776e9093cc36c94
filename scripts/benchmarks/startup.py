"""(f) From `pegboard up` on an empty directory to the first and the first irreversible block."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from .measure import print_value

BLOCK_INTERVALS_S = (1, 3)
LINES_MAX = 200


def bench_startup() -> None:
    """(f): seconds on the wall of real processes: four witnesses and an API."""
    for interval_s in BLOCK_INTERVALS_S:
        first, irreversible = _time_blocks(interval_s)
        note = f"4 witnesses, {interval_s} s a block"
        print_value("f", "up to the first block", f"{first:.1f} s", note)
        print_value("f", "up to the first irreversible block", f"{irreversible:.1f} s", note)


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
            *(str(Path(sys.executable).parent / "pegboard"), "up", "--json"),
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
