"""btsdex: its own calls for orders and markets, and its events."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.presets import TEST_NETWORK_ID
from tests.clients.drive import Driver

pytestmark = [pytest.mark.clients, pytest.mark.functional]


def test_the_network_is_known(btsdex_driver: Driver) -> None:
    """Trap 1: symbol and prefix follow from the chain id, without configuration."""
    chain = btsdex_driver.run("read")["chain"]
    assert chain["coreAsset"] == chain["addressPrefix"] == "TEST"
    assert chain["chainId"] == TEST_NETWORK_ID.hex()


def test_its_own_orders(btsdex_driver: Driver) -> None:
    """Trap 10: `sell` reads the order that the confirmation names; fees go by position."""
    driver = replace(btsdex_driver, peg="SILVER")
    driver.run("publish_feed")
    driver.run("borrow")
    found = driver.run("trade")
    assert found["order"] in found["open"]
    assert found["order"] not in found["left"]
    assert found["ticker"]["base"] == "TEST"
    assert found["ticker"]["quote"] == "SILVER"
    assert set(found["book"]) == {"base", "quote", "bids", "asks"}
    assert found["fee"] == 20


def test_watch_blocks_and_accounts(btsdex_driver: Driver) -> None:
    """CLIENTS 2: a changed balance makes it read the account's newest operations."""
    btsdex_driver.run("transfer")
    found = btsdex_driver.run("watch")
    assert len(found["blocks"]) > 1
    assert found["blocks"] == sorted(found["blocks"])
    assert [kind for _, kind in found["operations"]] == [0]
