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
files and the recorded prices.
"""

from __future__ import annotations

from node.version import VERSION
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

__version__ = VERSION
