"""A producing witness among slow peers and greedy clients: does it miss a slot, do others wait?

scripts/siege --peers 1000 --clients 100 --minutes 5
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from node.cli.client import NodeClient, as_int, as_object
from node.cli.exits import NodeUnreachable
from node.cli.network_files import Wanted, open_network, plan_nodes
from node.config import read_settings, split_address
from tests.campaigns.slow_peers import source_of
from tests.support.live_network import START_TIMEOUT_S, LiveNode, wait_for

GREEDY_KINDS = 5
"""Ways of being greedy that `scripts.benchmarks.greedy` has."""
PAUSE_S = 0.05
"""Of the honest client between two calls."""
SETTLE_S = 5.0
ANSWER_TIMEOUT_S = 60.0
MEGABYTE = 1 << 20


@dataclass
class Phase:
    """What was seen of the node while somebody did something to it, or nobody did."""

    slots: int
    missed: int
    waited_s: list[float]
    """Of an honest client, for each of its calls; the longest wait for those without an answer."""
    unanswered: int
    """Calls of the honest client without an answer in `node.cli.client`'s time."""
    cpu_s: float
    """Of the node's processes."""
    resident_bytes: int
    """At the end."""

    def line(self) -> str:
        """One line."""
        p99 = quantiles(self.waited_s, n=100)[98] * 1e3
        return (
            f"{self.slots} slots, {self.missed} missed; {len(self.waited_s)} honest calls: "
            f"p50 {median(self.waited_s) * 1e3:.1f} ms, p99 {p99:.1f} ms, "
            f"most {max(self.waited_s) * 1e3:.1f} ms, "
            f"{self.unanswered} without an answer; node: {self.cpu_s:.1f} s of the processor, "
            f"{self.resident_bytes / MEGABYTE:.0f} MiB"
        )


def main() -> int:
    """Watch the node alone, then under siege; 1 if it missed a slot or let somebody wait."""
    parser = argparse.ArgumentParser(prog="scripts/siege", description=__doc__)
    parser.add_argument("--peers", type=int, default=1_000, help="slow ones (default 1000)")
    parser.add_argument("--clients", type=int, default=100, help="greedy ones (default 100)")
    parser.add_argument("--minutes", type=float, default=2.0, help="of each phase (default 2)")
    parser.add_argument("--block-interval", type=int, default=3, metavar="SECONDS")
    options = parser.parse_args()
    with (
        TemporaryDirectory() as directory,
        running_witness(Path(directory) / "net", options.block_interval) as node,
    ):
        alone = watch(node, options.minutes * 60)
        print(f"alone: {alone.line()}", flush=True)
        with besieged(node, options.peers, options.clients):
            time.sleep(SETTLE_S)
            siege = watch(node, options.minutes * 60)
        print(f"{options.peers} slow peers, {options.clients} greedy clients: {siege.line()}")
    return int(siege.missed + siege.unanswered > 0)


@contextmanager
def running_witness(directory: Path, block_interval_s: int) -> Iterator[LiveNode]:
    """The one witness of a network, with an API."""
    wanted = Wanted(block_interval_s=block_interval_s, witness_count=1)
    network, _ = open_network(directory, wanted, now_s=int(time.time()))
    plan, _ = plan_nodes(network, "127.0.0.1:0", {})
    text = plan.settings.read_text()
    plan.settings.write_text(text + '\n[api]\nlisten = "127.0.0.1:0"\n')
    node = LiveNode(plan)
    try:
        node.start()
        wait_for(lambda: slot_and_head(node)[1] >= 2, "two blocks", START_TIMEOUT_S, [node])
        yield node
    finally:
        if node.process is not None:
            node.kill()


@contextmanager
def besieged(node: LiveNode, peers: int, clients: int) -> Iterator[None]:
    """Attackers in processes of their own; all of them have begun."""
    peer_port = split_address(read_settings(node.plan.settings).p2p.listen)[1]
    client = client_of(node)
    chain_id = str(client.call("database", "get_chain_id"))
    api_port = client.url.rpartition(":")[2]
    rows = [["tests.campaigns.slow_peers", str(peer_port), str(peers), chain_id]]
    rows += [
        ["scripts.benchmarks.greedy", str(number % GREEDY_KINDS), api_port, source_of(number)]
        for number in range(clients)
    ]
    with ExitStack() as stack:
        processes = [
            subprocess.Popen([sys.executable, "-m", *row], stdout=subprocess.PIPE) for row in rows
        ]
        for process in processes:
            stack.enter_context(process)
            stack.callback(process.kill)
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        yield


def watch(node: LiveNode, seconds: float) -> Phase:
    """Count slots and time an honest client's calls for a while."""
    client = client_of(node)
    assert node.process is not None
    pid = node.process.pid
    cpu_s = cpu_seconds(pid)
    slot, head = slot_and_head(node)
    waited, unanswered = ask_for(client, seconds)
    last_slot, last_head = slot_and_head(node)
    slots = last_slot - slot
    missed = slots - (last_head - head)
    return Phase(slots, missed, waited, unanswered, cpu_seconds(pid) - cpu_s, resident_bytes(pid))


def ask_for(client: NodeClient, seconds: float) -> tuple[list[float], int]:
    """Seconds that each call of an honest client took, and how many got no answer."""
    waited, unanswered = [], 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        try:
            client.call("database", "get_account_by_name", "alice")
        except NodeUnreachable:
            unanswered += 1
        waited.append(time.perf_counter() - start)
        time.sleep(PAUSE_S)
    return waited, unanswered


def slot_and_head(node: LiveNode) -> tuple[int, int]:
    """The slot of the head block, counted from the genesis on, and its number."""
    properties = as_object(
        wait_for(
            lambda: client_of(node).call("database", "get_dynamic_global_properties"),
            "an answer",
            ANSWER_TIMEOUT_S,
            [node],
        )
    )
    return as_int(properties["current_aslot"]), as_int(properties["head_block_number"])


def client_of(node: LiveNode) -> NodeClient:
    """The client of a node that runs."""
    assert node.client is not None
    return node.client


def cpu_seconds(pid: int) -> float:
    """Processor time of a process, all threads together."""
    return time.clock_gettime(~pid << 3 | 2)


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4_096


if __name__ == "__main__":
    sys.exit(main())
