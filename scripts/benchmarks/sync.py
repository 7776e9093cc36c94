"""(g) A fresh node fetches blocks over TCP from another one; both are real processes."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from time import monotonic, perf_counter, process_time, sleep
from typing import Any, NamedTuple

from msgspec.structs import replace

from node.services.signature_pool import worker_command
from node.storage.block_store import BlockStore
from protocol.block import BlockEnvelope
from protocol.crypto.recovery import QUESTION_LENGTH, recover_keys
from protocol.genesis import chain_id, genesis_to_json
from protocol.genesis_form import Genesis

from .cores import CoreRates, core_rates, print_cores
from .measure import children_of, cpu_seconds_of, print_ratio, print_value
from .workload import Recorder, record_transfers

SMALL_BLOCKS = {2: 10_000, 20: 2_000}
"""Transfers a block -> blocks."""
ACCOUNTS = 10_000
TRANSFERS = 80_000
"""In full blocks."""
ROUNDS = 3
RAW_SIGNATURES = 10_000
RAW_SLICES = 40
HISTORY_S = 4
"""After so long the history of a sync is written."""
TIMEOUT_S = 600
LOOK_S = 0.1
LOOK_AT_LAST_S = 0.01
NEARLY = 16
"""A sixteenth of the blocks is missing, or less."""
RUN_NODE = "import sys, pathlib; from node.app import run_node; run_node(pathlib.Path(sys.argv[1]))"


class Node(NamedTuple):
    """A running node."""

    process: int
    api: int
    """Its port."""
    p2p: int
    """Its port."""
    start_s: float = 0.0
    """How long it took until it had all blocks of its store."""


def bench_sync() -> None:
    """(g): small blocks, from the start of the process to the last block; full blocks."""
    for transfers, blocks in SMALL_BLOCKS.items():
        note = f"{blocks:,} blocks of {transfers} transfers, start of the process included"
        with network(*_record(transfers, blocks)) as (directory, full):
            _print("restart: replay from the store", blocks, full.start_s, note)
            start = monotonic()
            with run_node(directory, "fresh", [f"127.0.0.1:{full.p2p}"]) as fresh:
                wait_for_head(fresh.api, blocks)
                _print("sync of a fresh node over TCP", blocks, monotonic() - start, note)
    _bench_full_blocks()


class Synced(NamedTuple):
    """One sync of full blocks: seconds of a transfer."""

    wall: float
    """Until the last block is applied."""
    main: float
    """CPU time of the main process, until the history of all blocks is written."""
    workers: float
    """CPU time of its worker processes, their start included."""
    recoveries: float
    """The same without their start: what key recovery cost at the very time."""


class SyncRound(NamedTuple):
    """A sync, and what was measured before and after it."""

    synced: Synced
    raw: Sequence[tuple[float, float]]
    """Wall and CPU seconds of a recovery, slice by slice."""
    cores: CoreRates


def _bench_full_blocks() -> None:
    """All that a node does for a transfer of a synced block, as ratios to raw recovery.

    What a raw recovery costs changes from one tenth of a second to the next where others use the
    machine, and of the host. So it is taken in slices before and after each round, of which the
    median counts; the fastest, and the workers' own, of the very time of the sync, stand beside it.
    """
    recording = record_transfers(ACCOUNTS, TRANSFERS)
    blocks = recording.prepared + recording.measured
    sample = recording.questions(RAW_SIGNATURES)
    with network(recording.genesis, blocks) as (directory, full):
        sync = partial(sync_once, directory, full=full, head=len(blocks), transfers=TRANSFERS)
        _print_ratios([_round(partial(sync, f"fresh{at}"), sample) for at in range(ROUNDS)])


def _round(sync: Callable[[float], Synced], sample: bytes) -> SyncRound:
    """Sync once, and recover keys of a sample before and after it."""
    raw, cores = _raw_slices(sample), core_rates(sample)
    synced = sync(worker_start_s(sample[:QUESTION_LENGTH]))
    found = SyncRound(synced, raw + _raw_slices(sample), cores.joined(core_rates(sample)))
    what = f"{1e6 * synced.main:.1f} us main process, {1e6 * synced.workers:.1f} us workers"
    raw_s = statistics.median(cpu for _, cpu in found.raw)
    note = f"a raw recovery {1e6 * raw_s:.1f} us; {1e6 * synced.wall:.1f} us on the wall"
    print_value("g", "a transfer of a synced full block, CPU", what, note)
    return found


def _print_ratios(rounds: Sequence[SyncRound]) -> None:
    syncs = [one.synced for one in rounds]
    fastest = [min(wall for wall, _ in one.raw) for one in rounds]
    usual = [statistics.median(wall for wall, _ in one.raw) for one in rounds]
    typical = [statistics.median(cpu for _, cpu in one.raw) for one in rounds]
    by_wall = [raw_s / one.wall for raw_s, one in zip(usual, syncs, strict=True)]
    print_ratio("g", "synced transfers / raw recoveries, wall", by_wall, "target 1.2, idle machine")
    by_fastest = [raw_s / one.wall for raw_s, one in zip(fastest, syncs, strict=True)]
    note = "the fastest hundredth of a second of all; target 1.2"
    print_ratio("g", "the same, wall, by the fastest slice", by_fastest, note)
    note = "of the same time, start of the workers left out; target 1.2"
    by_recoveries = [one.recoveries / one.wall for one in syncs]
    print_ratio("g", "the same, wall, by the workers' recoveries", by_recoveries, note)
    pairs = zip(typical, syncs, strict=True)
    by_cpu = [2 * raw_s / (one.main + one.workers) for raw_s, one in pairs]
    print_ratio("g", "the same, if two cores are full", by_cpu, "CPU time alone; target 1.2")
    by_workers = [2 * one.workers / (one.main + one.workers) for one in syncs]
    print_ratio("g", "the same, CPU, by the workers' recoveries", by_workers, "of the same time")
    rates = [1 / one.wall for one in syncs]
    print_cores("g", "synced transfers", rates, [one.cores for one in rounds])


def _raw_slices(questions: bytes) -> list[tuple[float, float]]:
    """Wall and CPU seconds of a recovery, slice by slice."""
    found = []
    size = len(questions) // RAW_SLICES
    for at in range(0, len(questions), size):
        start, cpu_start = perf_counter(), process_time()
        recover_keys(questions[at : at + size])
        count = RAW_SIGNATURES // RAW_SLICES
        found.append(((perf_counter() - start) / count, (process_time() - cpu_start) / count))
    return found


def worker_start_s(question: bytes) -> float:
    """CPU time of a worker process that answers one question."""
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run(worker_command(), input=question, stdout=subprocess.DEVNULL, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def sync_once(
    directory: Path, name: str, start_s: float, full: Node, head: int, transfers: int
) -> Synced:
    """A node that is ready hears of a peer, and takes all blocks of it, with so many transfers.

    Each of its workers takes `start_s` of CPU time before it has done anything.
    """
    with run_node(directory, name) as fresh:
        used = cpu_seconds_of(fresh.process)
        start = monotonic()
        call(fresh.api, "network_node", "add_node", f"127.0.0.1:{full.p2p}")
        wait_for_head(fresh.api, head)
        wall_s = monotonic() - start
        sleep(HISTORY_S)
        main_s = cpu_seconds_of(fresh.process) - used
        workers = [cpu_seconds_of(worker) for worker in children_of(fresh.process)]
    recoveries_s = sum(workers) - len(workers) * start_s
    return Synced(*(s / transfers for s in (wall_s, main_s, sum(workers), recoveries_s)))


@contextmanager
def network(genesis: Genesis, blocks: list[bytes]) -> Iterator[tuple[Path, Node]]:
    """A directory for nodes of a chain, and a node that has all its blocks."""
    with tempfile.TemporaryDirectory(prefix="pegboard-bench-") as name:
        directory = Path(name)
        section = replace(genesis.pegboard, chain_id=chain_id(genesis))
        named = replace(genesis, pegboard=section)
        (directory / "genesis.json").write_text(json.dumps(genesis_to_json(named)))
        store_blocks(directory, "full", genesis, blocks)
        start = monotonic()
        with run_node(directory, "full") as full:
            wait_for_head(full.api, len(blocks))
            yield directory, full._replace(start_s=monotonic() - start)


def _print(what: str, blocks: int, seconds: float, note: str) -> None:
    print_value("g", what, f"{seconds:.1f} s, {blocks / seconds:,.0f} blocks/s", note)


def _record(transfers: int, blocks: int) -> tuple[Genesis, list[bytes]]:
    recorder = Recorder(100)
    operations = recorder.transfers(blocks * transfers)
    for _ in range(blocks):
        for signer, operation in islice(operations, transfers):
            recorder.push(signer, operation)
        recorder.make_block()
    return recorder.chain.genesis, recorder.blocks


def store_blocks(directory: Path, name: str, genesis: Genesis, blocks: list[bytes]) -> None:
    """Put blocks where a node of this name finds them when it starts."""
    path = directory / name / "blocks.sqlite"
    path.parent.mkdir()
    store = BlockStore(path, chain_id(genesis))
    envelopes = [BlockEnvelope.from_bytes(data) for data in blocks]
    entries = [(envelope.id, envelope.num, envelope.packed) for envelope in envelopes]
    ids = [envelope.id for envelope in envelopes]
    store.append(entries, ids[-1], ids)
    store.close()


@contextmanager
def run_node(
    directory: Path,
    name: str,
    seeds: Sequence[str] = (),
    *,
    listen: str = "127.0.0.1:0",
    more: Iterable[str] = (),
) -> Iterator[Node]:
    """A node process, without witnesses unless `more` settings name some; it listens already."""
    settings = directory / f"{name}.toml"
    settings.write_text(
        f'genesis = "genesis.json"\ndata_dir = "{name}"\nnode_name = "{name}"\n'
        f'[p2p]\nlisten = "{listen}"\nseeds = {json.dumps([*seeds])}\n'
        '[api]\nlisten = "127.0.0.1:0"\nallow_add_node = true\n' + "\n".join(more)
    )
    with (directory / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN_NODE, str(settings)], stdout=log, stderr=log
        )
        try:
            found = _endpoints(
                process, directory / name / "endpoints.json", directory / f"{name}.log"
            )
            yield Node(process.pid, found["api"], found.get("p2p", 0))
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


def wait_for_head(port: int, num: int) -> None:
    """Ask seldom, since each answer costs the node something, but often once it is nearly there."""
    deadline = monotonic() + TIMEOUT_S
    with closing(_connect(port)) as connection:
        while (head := _head_num(connection)) < num:
            if monotonic() > deadline:
                raise RuntimeError(f"the node stands at block {head}")
            sleep(LOOK_S if num - head > num // NEARLY else LOOK_AT_LAST_S)


def _head_num(connection: http.client.HTTPConnection) -> int:
    found = _ask(connection, 0, "get_dynamic_global_properties")
    return int(found["head_block_number"])


def call(port: int, api: str | int, method: str, *arguments: str | int) -> Any:
    """The result of one call, over a connection of its own."""
    with closing(_connect(port)) as connection:
        return _ask(connection, api, method, *arguments)


def _connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def _ask(
    connection: http.client.HTTPConnection, api: str | int, method: str, *arguments: str | int
) -> Any:
    body = {"id": 1, "method": "call", "params": [api, method, arguments]}
    connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    if "error" in answer:
        raise RuntimeError(f"{method} was refused: {answer['error']}")
    return answer["result"]
