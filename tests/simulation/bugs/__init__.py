"""Planted bugs of all layers: what each breaks, and who must find it.

`scripts/simulate --teeth` plants them one after the other and fails if one is missed. Where code
has moved, its edit says so (`NotPlanted`): plant the bug anew, where the promise is kept now.
"""

from __future__ import annotations

from tests.simulation.bug import Bug
from tests.simulation.bugs.agreement import CLOCKS, FINALITY, FORK_CHOICE, GUARD
from tests.simulation.bugs.dealings import LOCKS_AND_MANDATES, POOLS_AND_LOANS, RESPONSES
from tests.simulation.bugs.edges import API, PEERS, STORE, SYNC
from tests.simulation.bugs.rules import CODEC, EVALUATORS, MARKET, POOL, STATE

BUGS: tuple[Bug, ...] = (
    *CODEC,
    *EVALUATORS,
    *MARKET,
    *STATE,
    *POOL,
    *POOLS_AND_LOANS,
    *RESPONSES,
    *LOCKS_AND_MANDATES,
    *FORK_CHOICE,
    *FINALITY,
    *GUARD,
    *STORE,
    *SYNC,
    *PEERS,
    *API,
    *CLOCKS,
)
"""All of them, by layer."""
