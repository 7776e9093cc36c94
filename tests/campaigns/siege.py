"""A producing witness among slow peers and greedy clients: does it miss a slot, do others wait?

scripts/siege --peers 1000 --clients 100 --minutes 5
scripts/siege --memory 512

With `--memory` the kernel gives the node so many MiB and kills it beyond them; `--max-rss` is three
quarters of that, and peers and clients come, too, that say and ask for what takes most (T-R1).

The attackers stand for other machines, but they run on this one: in few processes, which leave the
processors to the node, and their share is told. What the node and the honest client waited for a
processor is the machine's doing, whoever else it works for.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import NamedTuple

from node.cli.client import NodeClient, as_int, as_object
from node.cli.exits import NodeUnreachable
from node.cli.network_files import Wanted, open_network, plan_nodes
from node.config import read_settings, split_address
from tests.campaigns.cgroup import limited_memory
from tests.campaigns.slow_peers import source_of
from tests.support.live_network import START_TIMEOUT_S, LiveNode, wait_for

GREEDY_KINDS = 5
"""Ways of being greedy that `scripts.benchmarks.greedy` has."""
GREEDY_PROCESSES = 3
"""That the greedy clients share."""
P99_MAX_S = 0.2
"""Of an honest client's calls, beside however many greedy ones."""
PAUSE_S = 0.05
"""Of the honest client between two calls."""
SETTLE_S = 5.0
ANSWER_TIMEOUT_S = 60.0
MEGABYTE = 1 << 20


class Share(NamedTuple):
    """What some processes had of the machine, in seconds of their first threads."""

    ran_s: float
    waited_s: float
    """They could have run, and others did."""

    def text(self, seconds: float) -> str:
        """Both as parts of one processor's time."""
        return f"{self.ran_s / seconds:.0%} (and waited for it {self.waited_s / seconds:.0%})"


@dataclass
class Phase:
    """What was seen of the node while somebody did something to it, or nobody did."""

    slots: int
    missed: int
    waited_s: list[float]
    """Of an honest client, for each of its calls; the longest wait for those without an answer."""
    unanswered: int
    """Calls of the honest client without an answer in `node.cli.client`'s time."""
    seconds: float
    node: Share
    attackers: Share
    honest: Share
    resident_bytes: int
    """Of the node, at the end."""

    @property
    def p99_s(self) -> float:
        """Of the honest client's calls."""
        return quantiles(self.waited_s, n=100)[98]

    @property
    def is_passed(self) -> bool:
        """Whether nobody but the attackers was harmed."""
        return self.missed == self.unanswered == 0 and self.p99_s < P99_MAX_S

    def line(self) -> str:
        """One line."""
        return (
            f"{self.slots} slots, {self.missed} missed; {len(self.waited_s)} honest calls: "
            f"p50 {median(self.waited_s) * 1e3:.1f} ms, p99 {self.p99_s * 1e3:.1f} ms, "
            f"most {max(self.waited_s) * 1e3:.1f} ms, {self.unanswered} without an answer; "
            f"of a processor: node {self.node.text(self.seconds)}, "
            f"attackers {self.attackers.text(self.seconds)}, "
            f"honest client {self.honest.text(self.seconds)}; "
            f"node {self.resident_bytes / MEGABYTE:.0f} MiB"
        )


def main() -> int:
    """Watch the node alone, then under siege; 1 if it missed a slot or let somebody wait."""
    parser = argparse.ArgumentParser(prog="scripts/siege", description=__doc__)
    parser.add_argument("--peers", type=int, default=1_000, help="slow ones (default 1000)")
    parser.add_argument("--clients", type=int, default=100, help="greedy ones (default 100)")
    parser.add_argument("--minutes", type=float, default=2.0, help="of each phase (default 2)")
    parser.add_argument("--block-interval", type=int, default=3, metavar="SECONDS")
    parser.add_argument(
        "--memory", type=int, metavar="MIB", help="for the node; loud ones come too"
    )
    options = parser.parse_args()
    if options.memory is not None:
        return besiege_with_little_memory(options)
    with (
        TemporaryDirectory() as directory,
        running_witness(Path(directory) / "net", wanted_of(options)) as node,
    ):
        alone = watch(node, options.minutes * 60)
        print(f"alone: {alone.line()}", flush=True)
        with besieged(node, options.peers, options.clients) as attackers:
            time.sleep(SETTLE_S)
            siege = watch(node, options.minutes * 60, attackers)
        print(f"{options.peers} slow peers, {options.clients} greedy clients: {siege.line()}")
    return int(not siege.is_passed)


def wanted_of(options: argparse.Namespace) -> Wanted:
    """The network that is besieged."""
    return Wanted(block_interval_s=options.block_interval, witness_count=1)


def besiege_with_little_memory(options: argparse.Namespace) -> int:
    """All loads at once on a node whose memory the kernel limits; 1 if it was killed or missed a
    slot. What others waited is told and not judged: clients are what is given up (T-R1)."""
    with limited_memory(options.memory * MEGABYTE) as group, TemporaryDirectory() as directory:
        if group is None:
            print("SKIPPED: no control group of memory can be made here")
            return 0
        enter = f"import os; open({str(group.entrance)!r}, 'w').write(str(os.getpid()))"
        program = ("-c", f"{enter}\nfrom node.start import main; main()")
        max_rss_mib = options.memory * 3 // 4
        with running_witness(
            Path(directory) / "net", wanted_of(options), program=program, max_rss_mib=max_rss_mib
        ) as node:
            loud = options.peers // 10
            with besieged(node, options.peers, options.clients, loud) as attackers:
                time.sleep(SETTLE_S)
                siege = watch(node, options.minutes * 60, attackers)
            log = node.plan.log.read_text(errors="replace")
            short = log.count('"memory_short"') // 2
            print(
                f"{options.memory} MiB, --max-rss {max_rss_mib}: {options.peers} slow and"
                f" {loud} loud peers, {options.clients} greedy and {loud} loud clients:"
                f" {siege.line()}; at most"
                f" {group.peak_bytes / MEGABYTE:.0f} MiB, {group.kills} killed,"
                f" short of memory {short} times"
            )
        is_alive = node.process is not None and node.process.returncode == -signal.SIGKILL
        return int(group.kills > 0 or siege.missed > 0 or not is_alive)


@contextmanager
def running_witness(
    directory: Path,
    wanted: Wanted,
    feeds: Mapping[str, str] | None = None,
    answer_timeout_s: int = 10,
    program: tuple[str, ...] = ("-m", "node"),
    max_rss_mib: int = 0,
) -> Iterator[LiveNode]:
    """The one witness of a network, with an API."""
    network, _ = open_network(directory, wanted, now_s=int(time.time()))
    plan, _ = plan_nodes(network, "127.0.0.1:0", feeds or {})
    text = plan.settings.read_text(encoding="utf-8")
    plan.settings.write_text(f"max_rss_mib = {max_rss_mib}\n{text}", encoding="utf-8")
    node = LiveNode(plan, answer_timeout_s=answer_timeout_s, program=program)
    try:
        node.start()
        wait_for(lambda: slot_and_head(node)[1] >= 2, "two blocks", START_TIMEOUT_S, [node])
        yield node
    finally:
        if node.process is not None:
            node.kill()


@contextmanager
def besieged(node: LiveNode, peers: int, clients: int, loud: int = 0) -> Iterator[list[int]]:
    """The ids of the processes of attackers; all of them have begun."""
    peer_port = split_address(read_settings(node.plan.settings).p2p.listen)[1]
    client = client_of(node)
    chain_id = str(client.call("database", "get_chain_id"))
    api_port = client.url.rpartition(":")[2]
    rows = [["tests.campaigns.slow_peers", str(peer_port), str(peers), chain_id]]
    for number in range(GREEDY_PROCESSES):
        mine = range(number, clients, GREEDY_PROCESSES)
        words = [f"{one % GREEDY_KINDS}:{source_of(one)}" for one in mine]
        rows.append(["scripts.benchmarks.greedy", api_port, *words])
    if loud:
        rows.append(["tests.campaigns.loud", str(peer_port), api_port, chain_id, str(loud)])
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
        yield [process.pid for process in processes]


def watch(node: LiveNode, seconds: float, attackers: Iterable[int] = ()) -> Phase:
    """Count slots and time an honest client's calls for a while."""
    client = client_of(node)
    assert node.process is not None
    observed = ((node.process.pid,), tuple(attackers), (os.getpid(),))
    slot, head = slot_and_head(node)
    began_s, before = time.monotonic(), [share_of(pids) for pids in observed]
    waited, unanswered = ask_for(client, seconds)
    took_s, after = time.monotonic() - began_s, [share_of(pids) for pids in observed]
    last_slot, last_head = slot_and_head(node)
    slots = last_slot - slot
    node_share, attackers_share, honest_share = (
        Share(there.ran_s - here.ran_s, there.waited_s - here.waited_s)
        for here, there in zip(before, after, strict=True)
    )
    missed = slots - (last_head - head)
    memory = resident_bytes(node.process.pid)
    return Phase(
        slots,
        missed,
        waited,
        unanswered,
        took_s,
        node_share,
        attackers_share,
        honest_share,
        memory,
    )


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


def share_of(pids: Iterable[int]) -> Share:
    """What processes have had since they began, by the kernel's books (`/proc/PID/schedstat`)."""
    rows = [Path(f"/proc/{pid}/schedstat").read_text().split() for pid in pids]
    return Share(*(sum(int(row[column]) for row in rows) / 1e9 for column in (0, 1)))


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4_096


if __name__ == "__main__":
    sys.exit(main())
