"""(p) The same on anvil, from its npm package: two development nodes over their JSON-RPC."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import perf_counter, sleep
from typing import NamedTuple

from node.cli.network_files import free_ports

from .measure import print_ratio, print_time, print_value, wall_seconds

PACKAGE = "@foundry-rs/anvil@1.7.1"
HOME = Path(__file__).resolve().parents[2] / ".venv" / "clients" / "anvil"
INSTALL_TIMEOUT_S = 180
START_TIMEOUT_S = 60
ROUNDS = 11
STARTS = 3
BLOCKS = 10
MANY_BLOCKS = 200

Call = Callable[[str, Sequence[object]], object]


class Times(NamedTuple):
    """Seconds of one round."""

    start: float
    snapshot: float
    revert: float
    block: float

    @classmethod
    def of_start(cls, seconds: float) -> Times:
        """Of a start alone."""
        return cls(seconds, 0.0, 0.0, 0.0)


WHAT = {
    "start": "fresh chain, to its first answer",
    "snapshot": "snapshot",
    "revert": f"revert of {BLOCKS} blocks",
    "block": "a block on demand",
}


class Rival(NamedTuple):
    """A development node: how it starts, and what its calls are named."""

    name: str
    command: Callable[[int, Path], Sequence[str | Path]]
    head: tuple[str, Sequence[object]]
    snapshot: Callable[[Call], object]
    revert: Callable[[Call, object], object]
    forget: Callable[[Call, object], object]
    """Lets go of a snapshot that has been reverted to; not measured."""
    blocks: Callable[[Call, int], object]


def _pegboard_dev(call: Call, method: str, *arguments: object) -> object:
    return call("call", ["pegboard_dev", method, list(arguments)])


def _snapshot(call: Call) -> object:
    place = _pegboard_dev(call, "snapshot")
    assert isinstance(place, dict), place
    return place["snapshot"]


def _node_command(port: int, folder: Path) -> Sequence[str | Path]:
    options = ("--dev", "--mode", "manual", "--feed", "none", "--data-dir", folder / "data")
    return (sys.executable, "-P", "-m", "node", "node", *options, "--api", f"127.0.0.1:{port}")


PEGBOARD = Rival(
    "pegboard",
    _node_command,
    ("call", [0, "get_dynamic_global_properties", []]),
    _snapshot,
    lambda call, place: _pegboard_dev(call, "revert", place),
    lambda call, place: _pegboard_dev(call, "drop_snapshot", place),
    lambda call, count: _pegboard_dev(call, "generate_blocks", count),
)


def bench_anvil() -> None:
    """Start, snapshot, revert and blocks on demand of both, by turns; empty blocks, one machine."""
    binary = _find_anvil()
    if binary is None:
        return
    anvil = Rival(
        "anvil",
        lambda port, _: (binary, "--port", str(port), "--no-mining", "--silent"),
        ("eth_blockNumber", []),
        lambda call: call("evm_snapshot", []),
        lambda call, place: call("evm_revert", [place]),
        lambda call, place: None,
        lambda call, count: call("anvil_mine", [hex(count)]),
    )
    sides = (PEGBOARD, anvil)
    with running(PEGBOARD) as ours, running(anvil) as theirs:
        rounds = [
            [_round(rival, call) for rival, call in zip(sides, (ours, theirs), strict=True)]
            for _ in range(ROUNDS)
        ]
    starts = [[Times.of_start(_start_seconds(rival)) for rival in sides] for _ in range(STARTS)]
    for field, what in WHAT.items():
        measured = starts if field == "start" else rounds
        own, other = ([getattr(pair[side], field) for pair in measured] for side in (0, 1))
        print_time("p", f"pegboard: {what}", own)
        print_time("p", f"anvil: {what}", other)
        ratios = [one / another for one, another in zip(own, other, strict=True)]
        print_ratio("p", f"pegboard / anvil: {what}", ratios, "by turns")


def _round(rival: Rival, call: Call) -> Times:
    places: list[object] = []
    snapshot = wall_seconds(lambda: places.append(rival.snapshot(call)))
    rival.blocks(call, BLOCKS)
    revert = wall_seconds(partial(rival.revert, call, places[0]))
    rival.forget(call, places[0])
    many = wall_seconds(partial(rival.blocks, call, MANY_BLOCKS))
    return Times(0.0, snapshot, revert, many / MANY_BLOCKS)


def _start_seconds(rival: Rival) -> float:
    start = perf_counter()
    with running(rival):
        return perf_counter() - start


@contextmanager
def running(rival: Rival) -> Iterator[Call]:
    """A process of its own in a folder of its own, once it answers."""
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            rival.command(port, Path(folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        connection = HTTPConnection("127.0.0.1", port, timeout=START_TIMEOUT_S)
        call = partial(_call, connection)
        try:
            deadline = perf_counter() + START_TIMEOUT_S
            while not _answers(call, rival):
                assert process.poll() is None, f"{rival.name} has ended"
                assert perf_counter() < deadline, f"{rival.name} does not answer"
                sleep(0.005)
            yield call
        finally:
            connection.close()
            process.terminate()
            process.wait()


def _answers(call: Call, rival: Rival) -> bool:
    try:
        call(*rival.head)
    except (OSError, HTTPException):
        return False
    return True


def _call(connection: HTTPConnection, method: str, params: Sequence[object]) -> object:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    try:
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        answer: Mapping[str, object] = json.loads(connection.getresponse().read())
    except (OSError, HTTPException):
        connection.close()
        raise
    assert "result" in answer, answer
    return answer["result"]


def _find_anvil() -> Path | None:
    """The program, installed at the first time; without it, says loudly why not."""
    binary = HOME / "node_modules" / ".bin" / "anvil"
    if not binary.exists():
        if shutil.which("npm") is None:
            print_value("p", "anvil", "SKIPPED", "npm is not installed")
            return None
        HOME.mkdir(parents=True, exist_ok=True)
        install = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save")
        try:
            subprocess.run(
                (*install, PACKAGE),
                cwd=HOME,
                env=os.environ | {"npm_config_prefix": str(HOME)},
                capture_output=True,
                check=True,
                timeout=INSTALL_TIMEOUT_S,
            )
        except (OSError, subprocess.SubprocessError) as error:
            print_value("p", "anvil", "SKIPPED", f"npm cannot install {PACKAGE}: {error}")
            return None
    try:
        subprocess.run((binary, "--version"), capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        print_value("p", "anvil", "SKIPPED", f"it does not run here: {error}")
        return None
    return binary
