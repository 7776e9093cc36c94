"""The figures of threats that need many tries, one line each.

scripts/threats --share 0.01 --seed 1

A line says what was tried and found, in brackets what is promised, and whether it was kept. All of
a row at the share 1 takes from minutes to days; the other campaigns have the rest of the catalogue.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Sequence

from tests.campaigns.threats_of_chains import CHAINS
from tests.campaigns.threats_of_networks import NETWORKS
from tests.campaigns.threats_of_nodes import NODES
from tests.campaigns.threats_row import Figure, Row

ROWS = (*NETWORKS, *NODES, *CHAINS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rows, print their figures; 1 if a promise is broken."""
    options = read_arguments(arguments)
    wanted = [row for row in ROWS if options.only is None or row.id in options.only]
    verdicts = [run(row, options.share, options.seed) for row in wanted]
    return int(not all(verdicts))


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/threats", description=__doc__)
    names = list(dict.fromkeys(row.id for row in ROWS))
    parser.add_argument("--only", action="append", choices=names, help="some of the rows")
    parser.add_argument("--seed", type=int, default=1, help="of all choices (default 1)")
    parser.add_argument("--share", type=float, default=1.0, help="of all tries (default 1)")
    return parser.parse_args(arguments)


def run(row: Row, share: float, seed: int) -> bool:
    """Try a row as often as its share says; whether what it promises was kept.

    Whatever is raised meanwhile breaks it, and is shown.
    """
    started = time.monotonic()
    try:
        figure = row.run(max(1, round(row.tries * share)), seed)
    except Exception as error:  # noqa: BLE001  # whatever a row raises is a finding
        traceback.print_exc(file=sys.stdout)
        figure = Figure(f"{error!r:.300}", is_kept=False)
    verdict = "kept" if figure.is_kept else "BROKEN"
    took_s = time.monotonic() - started
    print(
        f"{row.id}: {figure.text} ({row.limit}) {verdict}, seed {seed}, {took_s:.0f} s", flush=True
    )
    return figure.is_kept


if __name__ == "__main__":
    sys.exit(main())
