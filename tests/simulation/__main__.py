"""Runs simulated networks by seed: `python -m tests.simulation --seed 7`."""

from __future__ import annotations

import sys
import time

from tests.simulation.options import draw_options
from tests.simulation.simulation import Simulation

seed = int(sys.argv[1])
nodes = int(sys.argv[2]) if len(sys.argv) > 2 else None
o = draw_options(seed, nodes=nodes)
print(o)
t = time.time()
s = Simulation(o, trace=print if "-t" in sys.argv else None)
try:
    print(s.run())
finally:
    print(
        time.time() - t,
        s.loop.elapsed_ms,
        s.loop.event_count,
        s.checkers.counts,
        dict(s.checkers.refusals),
    )
