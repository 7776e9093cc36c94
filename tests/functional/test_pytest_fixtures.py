"""The fixtures of the pytest plugin that start real processes, as a bot's author uses them."""

from __future__ import annotations

from urllib.request import urlopen

import pytest

from pegboard.client import connect
from pegboard.processes import Served

pytestmark = pytest.mark.functional


def test_a_bot_talks_to_a_development_node(dev_node: Served) -> None:
    """A URL that serves, a market that trades at once, time that is the test's."""
    market = dev_node.market
    zoe = market.account("zoe", core=1_000)
    assert zoe.borrow("10 bitUSD", ratio=2).debt == 10
    with urlopen(dev_node.url) as page:
        assert b"pegboard" in page.read()
    bot = connect(dev_node.websocket_url)
    assert bot.find("zoe").balance("bitUSD") == 10
    before = market.time
    market.travel("1h")
    assert bot.time >= before + 3_600


def test_the_next_test_meets_nobody_of_the_last(dev_node: Served) -> None:
    """The node is as it was at the start: people, time and all."""
    market = dev_node.market
    assert market.ledger.find_account("zoe") is None
    assert market.positions("bitUSD") == []
    assert market.account("zoe", core=1_000).borrow("10 bitUSD", ratio=2).debt == 10


def test_a_bot_talks_to_a_network(network: Served) -> None:
    """Four witnesses and an API: a transaction is waited for, and so is a block."""
    market = network.market
    zoe = market.account("zoe", core=1_000)
    assert zoe.borrow("10 bitUSD", ratio=2).debt == 10
    num = market.ledger.head().num
    assert market.block() > num
    assert len(market.ledger.publishers(market.ledger.asset("USD").id)) == 4
