"""pegboard for programs: markets and chains in the own process, without a network, disk or clock.

    import pegboard

    with pegboard.market(seed=7) as m:
        alice = m.account("alice", core=10_000)
        alice.borrow("100 bitUSD", ratio=1.9)
        m.feed("USD", fall=0.3)
        m.block()
        alice.position("bitUSD").closed

`open_chain` has a chain itself, on which everything that the package `protocol` declares can be
pushed. In the checkout this package is the folder `node/pegboard`; `config` in it holds the genesis
files and the recorded prices. A name is loaded when it is first used: a program that only may need
a market starts as quickly as without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pegboard.account import Account
    from pegboard.agents import Agent, rule
    from pegboard.amounts import Number
    from pegboard.development_chain import FREE, DevelopmentChain, open_chain
    from pegboard.fresh import market
    from pegboard.player import Played, play
    from pegboard.scenario import Scenario, ScenarioError, load_scenario, read_scenario
    from pegboard.views import Order, Position, Settlement, Shocked
    from pegboard.vocabulary import Market
    from protocol.errors import PegboardError

__all__ = [
    "FREE",
    "Account",
    "Agent",
    "DevelopmentChain",
    "Market",
    "Number",
    "Order",
    "PegboardError",
    "Played",
    "Position",
    "Scenario",
    "ScenarioError",
    "Settlement",
    "Shocked",
    "__version__",
    "load_scenario",
    "market",
    "open_chain",
    "play",
    "read_scenario",
    "rule",
]

__version__: str

_PLACES = {
    "Account": "pegboard.account",
    "Agent": "pegboard.agents",
    "DevelopmentChain": "pegboard.development_chain",
    "FREE": "pegboard.development_chain",
    "Market": "pegboard.vocabulary",
    "Number": "pegboard.amounts",
    "Order": "pegboard.views",
    "PegboardError": "protocol.errors",
    "Played": "pegboard.player",
    "Position": "pegboard.views",
    "Scenario": "pegboard.scenario",
    "ScenarioError": "pegboard.scenario",
    "Settlement": "pegboard.views",
    "Shocked": "pegboard.views",
    "load_scenario": "pegboard.scenario",
    "market": "pegboard.fresh",
    "open_chain": "pegboard.development_chain",
    "play": "pegboard.player",
    "read_scenario": "pegboard.scenario",
    "rule": "pegboard.agents",
}
"""By name the module that it stands in."""


def __getattr__(name: str) -> object:
    """Load what a program asks this package for (PEP 562)."""
    if name == "__version__":
        found: object = import_module("node.version").VERSION
    elif name in _PLACES:
        found = getattr(import_module(_PLACES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
