"""(r) Runs of the lab: what a core plays in an hour."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from statistics import median

from node.cli.laboratory import Asked, make_plan
from node.lab.plan import Run
from node.lab.runs import play_runs

from .measure import cpu_seconds, print_value

SCENARIOS = {"fall": "14 blocks, 4 people", "lira": "67 blocks, 22 people"}
ROUNDS = 5
SECONDS_PER_HOUR = 3_600


def bench_lab() -> None:
    """(r): CPU time of whole runs, the fresh market and what is measured included."""
    for name, note in SCENARIOS.items():
        file = Path(f"config/scenarios/{name}.toml")
        plan = make_plan(Asked(file, ("MSQR=1.1,1.2",), (), ROUNDS, 0, ()))
        play_runs(plan, [Run(0, 0)])
        batches = ([Run(0, path), Run(1, path)] for path in range(ROUNDS))
        rates = [
            SECONDS_PER_HOUR * len(batch) / cpu_seconds(partial(play_runs, plan, batch))
            for batch in batches
        ]
        value = f"best {max(rates):>10,.0f}   median {median(rates):>10,.0f}"
        print_value("r", f"lab runs a core and hour, {name}", value, note)
