"""kill -9 at random moments, again and again: is all there that anybody was told?

scripts/kills --count 200 --seed 1
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from node.config import ProductionMode
from tests.support.killed_node import MODES, MOMENTS, Client, live_and_die, make_node


def main() -> int:
    """Kill nodes of each mode in turn; what is lost is an `AssertionError` with what it was."""
    parser = argparse.ArgumentParser(prog="scripts/kills", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="of kills (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default 1)")
    options = parser.parse_args()
    share = -(-options.count // len(MODES))
    kills = 0
    for mode in MODES:
        count = min(share, options.count - kills)
        with TemporaryDirectory() as directory:
            print(
                f"{mode:9} {kill_often(Path(directory) / 'net', mode, count, options.seed)}",
                flush=True,
            )
        kills += count
    print(f"{kills} kills, nothing lost (seed {options.seed})")
    return 0


def kill_often(directory: Path, mode: ProductionMode, count: int, seed: int) -> str:
    """Let one node live and die so many times; its figures."""
    node = make_node(directory, mode)
    client = Client(mode, f"{seed}/{mode}")
    started = time.monotonic()
    try:
        for _ in range(count):
            live_and_die(node, client, client.rng.choice(MOMENTS))
        node.start()
        assert node.client is not None
        client.check(node.client)
    finally:
        if node.is_running:
            node.kill()
    return (
        f"{count} kills in {time.monotonic() - started:.0f} s; {len(client.confirmed)} confirmed "
        f"transfers and {len(client.heads)} heads that were told are all there"
    )


if __name__ == "__main__":
    sys.exit(main())
