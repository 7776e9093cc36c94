"""bitsharesjs and btsdex, unmodified and without configuration: what both of them play."""

from __future__ import annotations

from typing import Any

import pytest

from node.presets import TEST_NETWORK_ID
from tests.clients.drive import Driver

pytestmark = [pytest.mark.clients, pytest.mark.functional]

Json = Any


@pytest.fixture(scope="module", params=["bitsharesjs", "btsdex"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """Each client in turn; its feed is published first."""
    found = request.getfixturevalue(f"{request.param}_driver")
    assert isinstance(found, Driver)
    return found


@pytest.fixture(scope="module")
def feed(driver: Driver) -> Json:
    """What the client reads after it published a price of 0.1."""
    return driver.run("publish_feed")


@pytest.fixture(scope="module")
def positions(driver: Driver, feed: Json) -> Json:
    """Debt and collateral after each change of a position."""
    return driver.run("positions")


@pytest.fixture(scope="module")
def orders(driver: Driver, positions: Json) -> Json:
    """What the client reads of a market in which it traded."""
    return driver.run("orders")


def test_connect_and_read(driver: Driver) -> None:
    """CLIENTS 2: login, numbered APIs, the known chain id; names, ids and keys are looked up."""
    found = driver.run("read")
    assert found["chain_id"] == found["properties"]["chain_id"] == TEST_NETWORK_ID.hex()
    assert found["global"] == 1
    assert found["head"] > 0
    assert found["account"] == [driver.me, driver.me]
    assert found["asset"][0] == driver.peg
    assert found["asset"][2] is True
    assert found["objects"][0]["id"] == "2.0.0"
    assert found["objects"][1] is None
    assert found["accounts"][0][0] == "alice"
    assert found["me"] in found["references"][0]
    assert found["witness"] == "1.6.1"


def test_publish_a_feed(feed: Json) -> None:
    """R1.13: the price of one witness is the median."""
    assert feed["feeds"] == 1
    assert feed["feed"]["settlement_price"]["quote"] == {"amount": 1_000_000, "asset_id": "1.3.0"}
    assert feed["feed"]["maintenance_collateral_ratio"] == 1_750
    assert feed["feed"]["maximum_short_squeeze_ratio"] == 1_100


def test_transfer_with_a_memo(driver: Driver) -> None:
    """CLIENTS 3: the receiver's key opens the memo, as it is read back from the block."""
    found = driver.run("transfer")
    assert found["received"] == 300_000
    assert found["text"] == "für nathan: 5 €"


def test_borrow_and_adjust(positions: Json) -> None:
    """R3.2: deltas of collateral and debt add up; the target ratio is kept."""
    unit = positions["unit"]
    assert positions["borrowed"] == [100 * unit, 3_000_00000]
    assert positions["target"] == [120 * unit, 6_000_00000]
    assert positions["less"] == [110 * unit, 6_000_00000]
    [call] = positions["calls"]
    assert call["target_collateral_ratio"] == 2_000
    assert 110 * unit in [item["debt"] for item in positions["margin"]]


def test_settle(positions: Json) -> None:
    """R5.4: a request waits in the queue of the BitAsset."""
    [settlement] = positions["settlements"]
    assert settlement["balance"]["amount"] == 5 * positions["unit"]


def test_place_fill_and_cancel_orders(orders: Json) -> None:
    """R2.7: the resting order's price holds; what is left stays, the cancelled one is gone."""
    assert orders["asks"] == [[12, 3], [30, 1]]
    left, gone = orders["left"]
    assert gone is None
    assert left == pytest.approx(orders["unit"] * (3 - 26 / 12), abs=2)
    assert orders["orders"] == 1
    assert orders["filled"] != orders["placed"]


def test_book_ticker_trades_and_history(orders: Json) -> None:
    """CLIENTS 2: numbers of a market are decimal strings."""
    assert orders["ticker"]["latest"] == "12"
    assert orders["ticker"]["lowest_ask"] == "12"
    assert float(orders["volume"]["base_volume"]) == pytest.approx(26, abs=0.001)
    assert float(orders["volume"]["quote_volume"]) == pytest.approx(26 / 12, abs=0.0001)
    [trade] = orders["trades"]
    assert trade["price"] == "12"
    assert orders["fills"] == 2
    assert orders["buckets"][0] == 60
    assert sum(candle["quote_volume"] for candle in orders["candles"]) == pytest.approx(
        orders["unit"] * 26 / 12, abs=1
    )
    assert orders["history"][:2] == [2, 4]


def test_close_a_position(driver: Driver, orders: Json) -> None:
    """R3.2: all debt paid, all collateral back, the position gone."""
    found = driver.run("close")
    assert found["debt"][0] > 0
    assert found["closed"] is None


def test_create_an_asset(driver: Driver) -> None:
    """Trap 13: the placeholder in the exchange rate becomes the new asset."""
    found = driver.run("own_asset")
    made, looked_up = found["id"]
    assert made == looked_up == found["rate"]
    assert found["description"] == "tést"
    assert found["balance"] == [{"amount": 50_000, "asset_id": made}]


def test_propose_and_approve(driver: Driver) -> None:
    """R9.8: the proposal is carried out when the last approval is there, and is gone."""
    found = driver.run("propose")
    assert found["listed"] == [found["proposal"]]
    assert found["left"] == [None]
    assert 0 < found["gained"] <= 400_00000


def test_upgrade_and_vote(driver: Driver) -> None:
    """R8.12: a new account, a lifetime membership, a vote for a witness."""
    found = driver.run("govern")
    assert found["is_member"] is True
    assert found["votes"][0] == found["votes"][1]
    assert found["looked_up"][0]["vote_id"] == found["votes"][0][0]


def test_refusals_are_rejections(driver: Driver) -> None:
    """CLIENTS 2: the promise is rejected with the reason, and the connection serves on."""
    found = driver.run("refuse")
    poor, unsigned, unknown = found["messages"]
    assert "insufficient_balance" in poor
    assert "missing required active authority" in unsigned
    assert "no_such_object" in unknown
    assert found["missing"] is None
