"""Does a network that runs for long grow? The slope of the memory of each witness, in MiB an hour.

scripts/soak --hours 24
scripts/soak --hours 24 --simulated

The processes of `up`, on their own ports: witnesses that make blocks, and one more node that leaves
and comes back. People trade and take back all that they did, so that the chain itself stays as
large; clients come, subscribe, ask, and leave with and without a word; peers that are slow or say
nothing come and go. What fills up once and then stays is the warm-up's, which is a quarter of the
time unless told otherwise: 4 MiB of items for who fetches them late, 20,000 ids that were judged,
the signers of 4,096 votes. At a low load that takes hours. A run of a day says whether the promise
is kept (T-R1); a shorter one fails only if it has surely grown by more than all that can fill up.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from node.config import read_settings, split_address
from tests.campaigns.siege import MEGABYTE, client_of, resident_bytes, slot_and_head
from tests.campaigns.simulated_day import live_through
from tests.campaigns.slope import BLOCKS, judge_growth, slope_of
from tests.campaigns.traffic import TRADERS, Traffic
from tests.support.live_network import START_TIMEOUT_S, LiveNetwork, LiveNode, wait_for

SAMPLE_S = 5.0
TOLD_S = 300.0
SLOW_PEERS = 8


class Memory:
    """Samples of what each process takes."""

    def __init__(self, nodes: list[LiveNode]) -> None:
        self.nodes = nodes
        self.samples: dict[str, list[tuple[float, float]]] = {node.plan.name: [] for node in nodes}
        """Hours since the beginning and MiB."""

    async def watch(self, hours: float) -> None:
        """Sample until the time is over, and tell now and then."""
        began = told = time.monotonic()
        while (since_s := time.monotonic() - began) < hours * 3_600:
            for node in self.nodes:
                assert node.process is not None
                assert node.is_running, f"{node.plan.name} has ended\n{node.log_tail()}"
                mib = resident_bytes(node.process.pid) / MEGABYTE
                self.samples[node.plan.name].append((since_s / 3_600, mib))
            if time.monotonic() - told > TOLD_S:
                told = time.monotonic()
                now = ", ".join(f"{name} {seen[-1][1]:.1f}" for name, seen in self.samples.items())
                print(f"{since_s / 60:.0f} min: MiB {now}", flush=True)
            await trio.sleep(SAMPLE_S)

    def judge(self, hours: float, warm_up: float) -> bool:
        """Print each slope; whether the promise is kept, or not surely broken in a shorter run."""
        is_kept = True
        for name, samples in self.samples.items():
            after = [one for one in samples if one[0] >= warm_up * hours]
            if len(after) < BLOCKS:
                print(f"{name}: too short for a slope")
                continue
            verdict, is_fine = judge_growth(slope_of(after), hours, hours * (1 - warm_up))
            is_kept &= is_fine
            print(
                f"{name}: {after[0][1]:.1f} MiB after the warm-up, {after[-1][1]:.1f} at the end:"
                f" {verdict}"
            )
        return is_kept


def main() -> int:
    """Let a network run; 1 if it grows, or misses slots."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="(default 24)")
    parser.add_argument("--witnesses", type=int, default=4, help="nodes that make blocks")
    parser.add_argument("--block-interval", type=int, default=3, metavar="SECONDS")
    parser.add_argument("--clients", type=int, default=4, help="of each kind at once")
    parser.add_argument("--pause", type=float, default=2.0, metavar="SECONDS", help="of each")
    parser.add_argument(
        "--warm-up", type=float, default=0.25, metavar="SHARE", help="of the time (default 0.25)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all choices (default 1)")
    parser.add_argument("--samples", type=Path, metavar="FILE", help="as CSV")
    parser.add_argument(
        "--simulated", action="store_true", help="cores alone, by a clock that waits for nobody"
    )
    options = parser.parse_args()
    if options.simulated:
        is_kept = live_through(options.hours, options.witnesses, options.warm_up)
        return int(not is_kept)
    with TemporaryDirectory() as directory:
        live = LiveNetwork.create(
            Path(directory) / "net", options.witnesses, options.block_interval
        )
        visitor = live.nodes.pop("api")
        nodes = list(live.nodes.values())
        try:
            start_all(nodes)
            traffic, memory = Traffic(nodes, options.seed), Memory(nodes)
            before = slot_and_head(nodes[0])
            with slow_peers(nodes[-1]):
                trio.run(run_all, traffic, memory, visitor, options)
            after = slot_and_head(nodes[0])
        finally:
            if visitor.process is not None and visitor.is_running:
                visitor.kill()
            live.stop_all()
    if options.samples is not None:
        write_samples(options.samples, memory)
    slots, blocks = (there - here for here, there in zip(before, after, strict=True))
    print(
        f"{slots} slots, {slots - blocks} missed; "
        + ", ".join(f"{name} {count}" for name, count in sorted(traffic.counts.items()))
    )
    return int(not memory.judge(options.hours, options.warm_up))


def start_all(nodes: list[LiveNode]) -> None:
    """Start the witnesses as `up` does, one beside the other."""
    for node in nodes:
        node.spawn()
    for node in nodes:
        node.wait_until_served()
    wait_for(lambda: slot_and_head(nodes[0])[1] >= 2, "two blocks", START_TIMEOUT_S, nodes)


async def run_all(
    traffic: Traffic, memory: Memory, visitor: LiveNode, options: argparse.Namespace
) -> None:
    """All traffic, until the memory has been watched for long enough."""
    async with trio.open_nursery() as nursery:
        for name in TRADERS:
            nursery.start_soon(traffic.trade, name, options.pause)
        for _ in range(options.clients):
            nursery.start_soon(traffic.subscribe)
            nursery.start_soon(traffic.ask, options.pause)
        nursery.start_soon(traffic.visit, visitor)
        await memory.watch(options.hours)
        nursery.cancel_scope.cancel()


@contextmanager
def slow_peers(node: LiveNode) -> Iterator[None]:
    """Peers that come again and again, and are of no use."""
    port = split_address(read_settings(node.plan.settings).p2p.listen)[1]
    chain_id = str(client_of(node).call("database", "get_chain_id"))
    words = [str(port), str(SLOW_PEERS), chain_id]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.campaigns.slow_peers", *words], stdout=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.kill()


def write_samples(path: Path, memory: Memory) -> None:
    """All samples, a line each."""
    lines = [
        f"{name},{hours:.5f},{mib:.3f}"
        for name, samples in memory.samples.items()
        for hours, mib in samples
    ]
    path.write_text("\n".join(["node,hours,mib", *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
