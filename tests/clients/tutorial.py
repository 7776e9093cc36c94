"""From `./scripts/up` to a loan: 100 bitUSD against TEST, with python-bitshares, as it is.

Start a network in one terminal:

    ./scripts/up

and run this in another:

    python3 -m venv bots && bots/bin/pip install bitshares==0.7.1
    bots/bin/python tests/clients/tutorial.py
"""

from __future__ import annotations

import hashlib
import sys

from bitshares import BitShares
from bitshares.account import Account
from bitshares.amount import Amount
from bitshares.asset import Asset
from bitshares.dex import Dex
from bitshares.instance import set_shared_bitshares_instance
from bitshares.market import Market
from bitsharesbase.account import PrivateKey

# The keys of a development network are public: everybody can compute them.
PASSWORD = "pegboard-development-chain-only"


def development_key(account: str) -> str:
    """The active key of alice, bob, carol, dave or erin."""
    return str(PrivateKey(hashlib.sha256(f"{account}active{PASSWORD}".encode()).hexdigest()))


def main(url: str) -> None:
    """Borrow, sell a part of it, look at the position and the order book."""
    # The client knows the test network by its chain id, so there is nothing to configure.
    # `blocking` makes every call wait until its transaction is in a block.
    chain = BitShares(node=url, keys=[development_key("alice")], blocking=True)
    set_shared_bitshares_instance(chain)
    print("connected to", chain.rpc.get_chain_properties()["chain_id"][:8])

    # Loaded in full first: the client's cache keeps what it saw first.
    alice, usd = Account("alice", full=True), Asset("USD", full=True)
    price = usd.feed["settlement_price"]
    print("the witnesses say", price)

    # 100 USD of debt; the collateral is 2.5 times its worth, and stays locked.
    dex = Dex()
    dex.borrow(Amount(100, "USD"), collateral_ratio=2.5, account="alice")
    alice.refresh()
    position = dex.list_debt_positions(alice)["USD"]
    print("borrowed", position["debt"], "against", position["collateral"])

    # Somebody wants these dollars: ask for 10 % more than the feed's price in TEST.
    market = Market("USD:TEST")
    ask = 1.1 / float(price.as_base("USD"))
    order = market.sell(ask, 25, expiration=3600, account="alice", returnOrderId=True)
    print("order", order["orderid"], "asks", market.orderbook()["asks"][0])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8090")
