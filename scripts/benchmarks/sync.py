"""(g) A fresh node fetches blocks over TCP from another one; both are real processes."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, perf_counter, process_time, sleep
from typing import NamedTuple

from msgspec.structs import replace

from node.storage.block_store import BlockStore
from protocol.block import BlockEnvelope
from protocol.crypto.signatures import recover_keys
from protocol.genesis import chain_id, genesis_to_json
from protocol.genesis_form import Genesis

from .measure import children_of, cpu_seconds_of, print_ratio, print_value
from .workload import Recorder, record_transfers

BLOCKS = 10_000
TRANSFERS_A_BLOCK = 2
ACCOUNTS = 10_000
TRANSFERS = 80_000
"""In full blocks."""
ROUNDS = 3
RAW_SIGNATURES = 3_000
TIMEOUT_S = 600
RUN_NODE = "import sys, pathlib; from node.app import run_node; run_node(pathlib.Path(sys.argv[1]))"


class Node(NamedTuple):
    """A running node."""

    process: int
    api: int
    """Its port."""
    p2p: int
    """Its port."""


def bench_sync() -> None:
    """(g): 10,000 small blocks, from the start of the process to the last block; full blocks."""
    with _network(*_record()) as (directory, full):
        start = monotonic()
        with _node(directory, "fresh", [f"127.0.0.1:{full.p2p}"]) as fresh:
            _wait_for_head(fresh.api, BLOCKS)
            _print("sync of a fresh node over TCP", monotonic() - start)
    _bench_full_blocks()


def _bench_full_blocks() -> None:
    """All that a node does for a transfer of a synced block, as ratios to raw recovery."""
    recording = record_transfers(ACCOUNTS, TRANSFERS)
    blocks = recording.prepared + recording.measured
    sample = recording.questions(RAW_SIGNATURES)
    by_wall: list[float] = []
    by_cpu: list[float] = []
    with _network(recording.genesis, blocks) as (directory, full):
        for number in range(ROUNDS):
            start, cpu_start = perf_counter(), process_time()
            recover_keys(sample)
            raw_wall_s = (perf_counter() - start) / RAW_SIGNATURES
            raw_cpu_s = (process_time() - cpu_start) / RAW_SIGNATURES
            with _node(directory, f"fresh{number}", [f"127.0.0.1:{full.p2p}"]) as fresh:
                start, used = monotonic(), cpu_seconds_of(fresh.process)
                _wait_for_head(fresh.api, len(blocks))
                wall_s = (monotonic() - start) / TRANSFERS
                main_s = (cpu_seconds_of(fresh.process) - used) / TRANSFERS
                workers_s = sum(map(cpu_seconds_of, children_of(fresh.process))) / TRANSFERS
            by_wall.append(raw_wall_s / wall_s)
            by_cpu.append(2 * raw_cpu_s / (main_s + workers_s))
            what = f"{1e6 * main_s:.1f} us main process, {1e6 * workers_s:.1f} us workers"
            print_value("g", "a transfer of a synced full block, CPU", what)
    print_ratio("g", "synced transfers / raw recoveries, wall", by_wall, "target 1.2, idle machine")
    print_ratio("g", "the same, if two cores are full", by_cpu, "CPU time alone; target 1.2")


@contextmanager
def _network(genesis: Genesis, blocks: list[bytes]) -> Iterator[tuple[Path, Node]]:
    """A directory for nodes of a chain, and a node that has all its blocks."""
    with tempfile.TemporaryDirectory(prefix="pegboard-bench-") as name:
        directory = Path(name)
        section = replace(genesis.pegboard, chain_id=chain_id(genesis))
        named = replace(genesis, pegboard=section)
        (directory / "genesis.json").write_text(json.dumps(genesis_to_json(named)))
        _store(directory / "full" / "blocks.sqlite", genesis, blocks)
        start = monotonic()
        with _node(directory, "full", []) as full:
            _wait_for_head(full.api, len(blocks))
            if len(blocks) == BLOCKS:
                _print("restart: replay from the store", monotonic() - start)
            yield directory, full


def _print(what: str, seconds: float) -> None:
    rate = BLOCKS / seconds
    note = f"{TRANSFERS_A_BLOCK} transfers a block, start of the process included"
    print_value("g", f"{what}, {BLOCKS:,} blocks", f"{seconds:.1f} s, {rate:,.0f} blocks/s", note)


def _record() -> tuple[Genesis, list[bytes]]:
    recorder = Recorder(100)
    transfers = recorder.transfers(BLOCKS * TRANSFERS_A_BLOCK)
    for _ in range(BLOCKS):
        for _ in range(TRANSFERS_A_BLOCK):
            recorder.push(*next(transfers))
        recorder.make_block()
    return recorder.chain.genesis, recorder.blocks


def _store(path: Path, genesis: Genesis, blocks: list[bytes]) -> None:
    path.parent.mkdir()
    store = BlockStore(path, chain_id(genesis))
    envelopes = [BlockEnvelope.from_bytes(data) for data in blocks]
    entries = [(envelope.id, envelope.num, envelope.packed) for envelope in envelopes]
    ids = [envelope.id for envelope in envelopes]
    store.append(entries, ids[-1], ids)
    store.close()


@contextmanager
def _node(directory: Path, name: str, seeds: list[str]) -> Iterator[Node]:
    """A node process without witnesses; its ports, once it listens."""
    settings = directory / f"{name}.toml"
    settings.write_text(
        f'genesis = "genesis.json"\ndata_dir = "{name}"\nnode_name = "{name}"\n'
        f'[p2p]\nlisten = "127.0.0.1:0"\nseeds = {json.dumps(seeds)}\n'
        '[api]\nlisten = "127.0.0.1:0"\n'
    )
    with (directory / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN_NODE, str(settings)], stdout=log, stderr=log
        )
        try:
            found = _endpoints(
                process, directory / name / "endpoints.json", directory / f"{name}.log"
            )
            yield Node(process.pid, found["api"], found["p2p"])
        finally:
            process.terminate()
            process.wait()


def _endpoints(process: subprocess.Popen[bytes], path: Path, log: Path) -> dict[str, int]:
    deadline = monotonic() + TIMEOUT_S
    while not path.exists():
        if process.poll() is not None or monotonic() > deadline:
            raise RuntimeError(f"the node did not start:\n{log.read_text()[-2_000:]}")
        sleep(0.05)
    found: dict[str, int] = json.loads(path.read_text())
    return found


def _wait_for_head(port: int, num: int) -> None:
    deadline = monotonic() + TIMEOUT_S
    while _head_num(port) < num:
        if monotonic() > deadline:
            raise RuntimeError(f"the node stands at block {_head_num(port)}")
        sleep(0.1)


def _head_num(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    call = {"id": 1, "method": "call", "params": [0, "get_dynamic_global_properties", []]}
    connection.request("POST", "/", json.dumps(call), {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return int(answer["result"]["head_block_number"])
