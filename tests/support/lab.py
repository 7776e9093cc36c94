"""Scenarios and plans that the lab's tests play."""

from __future__ import annotations

from node.lab.plan import Plan, Vary, read_vary

CALL = """pegboard = 1
title = "One call, computed by hand"
[chain]
maker = false
[prices.bitUSD]
source = "fixed:0.1"
shocks = [[2, "-40%"]]
mcr = 1.75
msqr = 1.1
[accounts]
alice = { core = 100_000 }
carol = { core = 100_000 }
bob = { core = 100_000 }
[[steps]]
do = "borrow"
account = "alice"
amount = "1,000 bitUSD"
collateral = "20,000 TEST"
[[steps]]
do = "borrow"
account = "carol"
amount = "1,000 bitUSD"
collateral = "90,000 TEST"
[[steps]]
do = "transfer"
account = "carol"
to = "bob"
amount = "600 bitUSD"
[[steps]]
do = "block"
[[steps]]
do = "sell"
account = "bob"
amount = "400 bitUSD"
receive = "7,000 TEST"
[[steps]]
do = "sell"
account = "bob"
amount = "100 bitUSD"
receive = "2,000 TEST"
[[steps]]
do = "settle"
account = "bob"
amount = "100 bitUSD"
[[steps]]
do = "block"
count = 3
"""
"""At 0.1, 20,000 TEST for 1,000 bitUSD are a ratio of 2; at 0.06 of 1.2, below the MCR. The bid of
400 for 7,000, 0.0571… bitUSD for one TEST, stands above SQP = 0.06 / 1.1 =
0.0545…; that of 100 for 2,000 does not."""

WALK = """pegboard = 1
[chain]
block_interval_s = 3
[prices.bitUSD]
source = "jump:start=0.13,drift=-3%,volatility=4%,rate=0.3,size=-10%"
[[agents]]
rule = "borrower"
name = "bob"
core = 30_000
options = { amount = 1_000, target = 1.9 }
[[steps]]
do = "block"
count = 4
"""


def plan(
    scenario: str = WALK,
    *,
    vary: tuple[str, ...] = ("MCR=1.6,1.75",),
    paths: int = 3,
    seed: int = 5,
) -> Plan:
    """A plan without files."""
    varied: tuple[Vary, ...] = tuple(read_vary(one) for one in vary)
    return Plan(
        file="test.toml",
        scenario=scenario,
        files={},
        rules={},
        changes={},
        vary=varied,
        paths=paths,
        seed=seed,
    )
