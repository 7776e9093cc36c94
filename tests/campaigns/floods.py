"""Floods of what hostile peers can send, as many as you like, from one seed.

scripts/flood --frames 1000000 --blocks 100000 --queued 5000 --seed 1

Frames, changed in every way, come in at the peer layer (T-P1); bad blocks come from five peers to
a producing witness (T-P6); and a node is told to end while a peer has thousands of blocks for it
(P15). Each prints its figures.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.campaigns.siege import MEGABYTE, resident_bytes
from tests.fuzz.campaign import run_blind
from tests.support.block_flood import BlockFlood
from tests.support.queued_blocks import stop_amid

EACH_SLOT = 100
"""Bad blocks between two of the witnesses'."""
FRAMES_GROWTH_MAX, BLOCKS_GROWTH_MAX = 20 * MEGABYTE, 16 * MEGABYTE
"""Of memory, after the first hundredth (RELIABILITY)."""
ENDS_WITHIN_S = 5.0


def main() -> int:
    """Run all that is not set to 0; 1 if one of them fails."""
    parser = argparse.ArgumentParser(prog="scripts/flood", description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000, help="(default 1000000)")
    parser.add_argument("--blocks", type=int, default=100_000, help="bad ones (default 100000)")
    parser.add_argument("--queued", type=int, default=5_000, help="good ones (default 5000)")
    parser.add_argument("--seed", type=int, default=1, help="of all choices (default 1)")
    options = parser.parse_args()
    passed = [
        flood_with_frames(options.frames, options.seed) if options.frames else True,
        flood_with_blocks(options.blocks, options.seed) if options.blocks else True,
        end_amid_blocks(options.queued) if options.queued else True,
    ]
    return int(not all(passed))


def flood_with_frames(count: int, seed: int) -> bool:
    """T-P1: whatever comes, the peer layer goes on, and keeps nothing of it."""
    run_blind("peers", seed, 0, max(1, count // 100), keep=False)
    before = memory()
    figures = run_blind("peers", seed + 1, 0, count, keep=False)
    growth = memory() - before
    print(f"T-P1: {figures.line()}; memory {growth / MEGABYTE:+.1f} MiB", flush=True)
    for data, reason in figures.findings:
        print(f"FOUND {data!r}: {reason}")
    return not figures.findings and growth < FRAMES_GROWTH_MAX


def flood_with_blocks(count: int, seed: int) -> bool:
    """T-P6: every slot has its block, and nothing of a bad one is kept or stored."""
    flood = BlockFlood(seed)
    flood.run(max(1, count // 100), EACH_SLOT)
    before, started = memory(), time.process_time()
    figures = flood.run(count, EACH_SLOT)
    growth, took_s = memory() - before, time.process_time() - started
    refused = ", ".join(f"{name} {number:,}" for name, number in figures.refused.most_common())
    print(
        f"T-P6: {figures.delivered:,} bad blocks of {figures.connections:,} connections: "
        f"{figures.made:,} of {figures.slots:,} slots signed, "
        f"{took_s / figures.delivered * 1e3:.2f} ms each, memory {growth / MEGABYTE:+.1f} MiB; "
        f"refused: {refused}",
        flush=True,
    )
    return figures.made == figures.slots and growth < BLOCKS_GROWTH_MAX


def end_amid_blocks(count: int) -> bool:
    """P15: it ends soon, and has all that it has told of."""
    with TemporaryDirectory() as directory:
        stopped = stop_amid(Path(directory) / "net", count)
    print(stopped.line(), flush=True)
    return stopped.stored_num >= stopped.told_num and stopped.took_s < ENDS_WITHIN_S


def memory() -> int:
    """Bytes of this process that are in RAM."""
    gc.collect()
    return resident_bytes(os.getpid())


if __name__ == "__main__":
    sys.exit(main())
