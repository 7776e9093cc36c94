"""Plays the same chains compiled and interpreted, and compares their states block by block."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from itertools import zip_longest
from pathlib import Path

from .finder import SWITCH
from .modules import REPO
from .trace import TRACE

CHAINS = (
    "tests/unit/test_chain_machine.py",
    "tests/unit/test_chain_machine_all.py",
    "tests/unit/test_chain_forks.py",
    "tests/unit/test_credit_machine.py",
    "tests/unit/test_fork_replay.py",
    "tests/unit/test_conformance.py",
    "tests/operations",
)
"""Machines of chains, every operation, and 247 transactions of bitshares-core."""
NOT_FAST = "not slow and not functional and not clients"


def check() -> int:
    """Compare the states, then run the fast tests compiled; the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        traces = {mode: Path(folder, mode) for mode in ("interpreted", "compiled")}
        for mode, trace in traces.items():
            print(f"playing the chains {mode}", flush=True)
            switch = {SWITCH: "0"} if mode == "interpreted" else {}
            arguments = ["-p", "scripts.compiled.trace", *CHAINS]
            if _pytest(arguments, {TRACE: str(trace), **switch}):
                return 1
        lines = [trace.read_text().splitlines() for trace in traces.values()]
    blocks = sum(not line.startswith("#") for line in lines[0])
    difference = first_difference(*lines)
    if difference is not None:
        print(f"the states differ: {difference}")
        return 1
    print(f"{blocks:,} blocks of {len(lines[0]) - blocks:,} tests left the same states both ways")
    return _pytest(["-n", "2", "-m", NOT_FAST], {})


def first_difference(first: list[str], second: list[str]) -> str | None:
    """Where two traces part: the test, and what each says; None where they are the same."""
    test = ""
    for line, other in zip_longest(first, second, fillvalue="nothing"):
        if line != other:
            return f"{test}: {line} interpreted, {other} compiled"
        if line.startswith("#"):
            test = line[2:]
    return None


def _pytest(arguments: list[str], environment: dict[str, str]) -> int:
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    return subprocess.run(
        command, cwd=REPO, env={**os.environ, **environment}, check=False
    ).returncode
