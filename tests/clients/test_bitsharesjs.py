"""bitsharesjs with bitsharesjs-ws: its store of objects, its signers, its callbacks."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.presets import TEST_NETWORK_ID
from tests.clients.drive import Driver

pytestmark = [pytest.mark.clients, pytest.mark.functional]


def test_the_network_is_known(bitsharesjs_driver: Driver) -> None:
    """Trap 1: symbol and prefix follow from the chain id, without configuration."""
    network = bitsharesjs_driver.run("read")["network"]
    assert network["network_name"] == "Test"
    assert network["network"] == {
        "core_asset": "TEST",
        "address_prefix": "TEST",
        "chain_id": TEST_NETWORK_ID.hex(),
    }


def test_wallets_ask_who_has_to_sign(bitsharesjs_driver: Driver) -> None:
    """R9.5: keys that could sign, and of those at hand the ones that are needed."""
    found = bitsharesjs_driver.run("signers")
    assert found["key"] in found["potential"]["pubkeys"]
    assert found["potential"]["addys"] == []
    assert found["required"] == [found["key"]]


def test_watch_blocks_accounts_and_markets(bitsharesjs_driver: Driver) -> None:
    """CLIENTS 2: `ChainStore` follows an account by the notices of its objects."""
    driver = replace(bitsharesjs_driver, peg="SILVER")
    driver.run("publish_feed")
    driver.run("borrow")
    found = driver.run("watch")
    assert found["name"] == "dave"
    assert found["changes"] > 0
    before, after = found["balance"]
    assert after != before, "it pays, and a settlement that it asked for may fall due"
    assert found["blocks"]
    assert all(len(block_id) == 40 for block_id in found["blocks"])
    assert found["market"] > 0
    assert found["head"] > 0
