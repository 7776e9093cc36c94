"""What this node costs on the machine at hand: scripts/bench [SECTION ...]."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from node.compiled import SWITCH

from .anvil import bench_anvil
from .api import bench_api
from .blocks import bench_full_validation, bench_known_signatures, bench_orders
from .broadcasts import bench_broadcasts
from .cascade import bench_cascade
from .credit import bench_credit
from .encryption import bench_encryption
from .fairness import KINDS as FAIRNESS
from .fairness import bench_greedy
from .finality import bench_finality
from .fork import bench_fork, bench_whole_fork
from .history import bench_history
from .htlc import bench_htlc
from .lab import bench_lab
from .large_nodes import bench_large_nodes
from .market import bench_market
from .measure import print_machine
from .memory import bench_memory
from .pending import bench_pending
from .pipeline import bench_pipeline
from .pools import bench_pools
from .sizes import bench_sizes
from .stages import bench_stages
from .startup import bench_startup
from .stretches import bench_stretches
from .sync import bench_sync
from .time_travel import bench_blocks_on_demand, bench_far_back, bench_time_travel
from .whatif import bench_whatif

SECTIONS = {
    "a": bench_full_validation,
    "b": bench_known_signatures,
    "c": bench_orders,
    "d": bench_cascade,
    "e": bench_memory,
    "f": bench_startup,
    "g": bench_sync,
    "h": bench_history,
    "i": bench_api,
    "j": bench_greedy,
    "k": bench_stretches,
    "l": bench_broadcasts,
    "m": bench_encryption,
    "n": bench_finality,
    "o": bench_market,
    "p": bench_time_travel,
    "q": bench_whatif,
    "r": bench_lab,
    "s": bench_htlc,
    "t": bench_fork,
    "u": bench_pools,
    "v": bench_credit,
    "w": bench_pipeline,
    "x": bench_pending,
    "y": bench_stages,
    "z": bench_sizes,
}
PARTS = {f"j:{name}": bench for name, bench in FAIRNESS.items()} | {
    "p:anvil": bench_anvil,
    "p:blocks": bench_blocks_on_demand,
    "p:far": bench_far_back,
    "t:2m": bench_whole_fork,
    "z:nodes": bench_large_nodes,
}
"""Parts of sections, for runs by turns."""


def main() -> None:
    """Run the chosen sections, or all, in order."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    known = ", ".join(
        f"{name} {run.__name__.removeprefix('bench_')}" for name, run in SECTIONS.items()
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=known)
    parser.add_argument(
        "--turns",
        type=int,
        default=0,
        metavar="N",
        help="each section N times interpreted and N times compiled, by turns",
    )
    options = parser.parse_args()
    chosen = options.sections or list(SECTIONS)
    runs = SECTIONS | PARTS
    unknown = [name for name in chosen if name not in runs]
    if unknown:
        parser.error(f"no section {unknown[0]}; there are {known}, {', '.join(PARTS)}")
    if options.turns:
        _run_by_turns(chosen, options.turns)
        return
    print_machine()
    for name in chosen:
        runs[name]()


def _run_by_turns(sections: Sequence[str], turns: int) -> None:
    """Each in processes of its own, interpreted and, if there is anything compiled, compiled."""
    for name in sections:
        for switch in ("0", "1") * turns:
            command = [sys.executable, "-m", "scripts.benchmarks", name]
            subprocess.run(command, env={**os.environ, SWITCH: switch}, check=True)


if __name__ == "__main__":
    main()
