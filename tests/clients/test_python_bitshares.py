"""python-bitshares, unmodified and without configuration, against a network of three witnesses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from node.presets import TEST_NETWORK_ID, development_key
from protocol.crypto.keys import wif
from tests.clients.drive import Driver

pytestmark = [pytest.mark.clients, pytest.mark.functional]

Json = Any


@pytest.fixture(scope="module")
def feed(python_driver: Driver) -> Json:
    """What the client reads after it published a price of 0.1."""
    return python_driver.run("publish_feed")


@pytest.fixture(scope="module")
def positions(python_driver: Driver, feed: Json) -> Json:
    """Debt and collateral after each change of a position."""
    return python_driver.run("positions")


@pytest.fixture(scope="module")
def orders(python_driver: Driver, positions: Json) -> Json:
    """What the client reads of a market in which it traded."""
    return python_driver.run("orders")


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_connect_and_read(
    python_driver: Driver, open_tap: Callable[[str], int], scheme: str
) -> None:
    """CLIENTS 1: the test network is known by its id; accounts, assets and blocks by name or id."""
    over_http = f"http://127.0.0.1:{open_tap('python-bitshares (HTTP)')}"
    driver = python_driver if scheme == "ws" else replace(python_driver, url=over_http)
    found = driver.run("read")
    assert found["network"] == {
        "chain_id": TEST_NETWORK_ID.hex(),
        "core_symbol": "TEST",
        "prefix": "TEST",
    }
    assert found["info"]["head_block_number"] > found["info"]["last_irreversible_block_num"] > 0
    assert found["parameters"]["block_interval"] == 1
    assert found["properties"]["chain_id"] == TEST_NETWORK_ID.hex()
    assert 0 < found["participation"] <= 100
    assert found["block_1"] == "0" * 40
    assert [name.startswith("1.6.") for name in found["blocks"]] == [True] * 3
    assert found["account"][0] == "alice"
    assert found["account"][2] is True
    assert found["asset"] == ["EUR", 4, True]
    assert (found["backing"], found["core"]) == ("1.3.0", "TEST")
    assert found["accounts"] == sorted(found["accounts"])
    assert found["fees"][0] == "account_create"


def test_publish_a_feed(feed: Json) -> None:
    """R1.13: the price of one witness is the median."""
    assert feed == {"feed": 0.1, "feeds": 1}


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_transfer_with_a_memo(
    python_driver: Driver, open_tap: Callable[[str], int], scheme: str
) -> None:
    """CLIENTS 3: the receiver's key opens the memo that the sender's closed."""
    over_http = f"http://127.0.0.1:{open_tap('python-bitshares (HTTP)')}"
    driver = python_driver if scheme == "ws" else replace(python_driver, url=over_http)
    found = driver.run("transfer")
    assert found["received"] == 350_000
    assert found["text"] == "für bob: 5 €"
    assert found["results"] == [[0, {}]]
    assert found["block"] > 0
    before, after = found["unblocked"]
    assert after - before == 300_000


def test_borrow_and_adjust(positions: Json) -> None:
    """R3.2: 100 at 0.1 and the ratio 3 take 3,000; each later ratio follows from the debt."""
    assert positions["borrowed"] == [100_0000, 3_000_00000]
    assert positions["more"] == [120_0000, 4_800_00000]
    assert positions["safer"] == [120_0000, 6_000_00000]
    assert positions["target"] == 2_000
    assert positions["less"] == [110_0000, 5_500_00000]
    assert positions["listed"] == ["EUR"]
    assert positions["calls"] == 1


def test_settle(positions: Json) -> None:
    """R5.4: a request waits in the queue of the BitAsset."""
    assert positions["settlements"] == [5.0]


def test_close_a_position(python_driver: Driver, positions: Json) -> None:
    """R3.2: all debt paid, all collateral back, the position gone."""
    found = python_driver.run("close")
    assert found == {"opened": [10_0000, 300_00000], "closed": None}


def test_place_fill_and_cancel_orders(orders: Json) -> None:
    """R2.7: the resting order's price holds; the result of each operation is an order's id."""
    first, second, filler = orders["placed"]
    assert len({first, second, filler}) == 3
    assert [first, second] == orders["mine"][:2]
    assert len(orders["mine"]) == 3
    assert orders["left"] == [first, second]
    assert orders["asks"] == [[12.0, 3.0], [20.0, 1.0], [30.0, 1.0]]


def test_one_transaction_of_two_orders(orders: Json) -> None:
    """CLIENTS 4: bots place several orders in one transaction."""
    assert [kind for kind, _ in orders["bundled"]] == [1, 1]
    assert orders["open"] == 2


def test_book_ticker_trades_and_history(orders: Json) -> None:
    """CLIENTS 2: what a market shows after 26 TEST met an order at 12."""
    assert orders["ticker"]["latest"] == 12
    assert orders["ticker"]["lowestAsk"] == 12
    assert orders["ticker"]["highestBid"] == 6
    [[price, quote]] = orders["trades"]
    assert price == 12
    assert quote == pytest.approx(2.1666)
    assert orders["volume"]["EUR"] == pytest.approx(2.1666)
    assert orders["volume"]["TEST"] == pytest.approx(25.9992)
    assert orders["fills"] == 1
    assert orders["limit_orders"] == 4
    assert orders["history"][:5] == [2, 4, 1, 1, 1]


def test_create_assets(python_driver: Driver) -> None:
    """Trap 13: the placeholder in the exchange rate becomes the new asset."""
    found = python_driver.run("own_asset")
    assert found["balance"] == 43_000
    assert int(found["supply"]) == 43_000
    assert int(found["pool"]) >= 10_00000
    assert found["charges"] is True
    assert found["fee"] == 100
    assert found["rate"] == found["id"]
    assert found["description"] == "tést"
    assert found["is_bitasset"] is True


def test_propose_and_approve(python_driver: Driver) -> None:
    """R9.8: the proposal is carried out when the last approval is there, and is gone."""
    found = python_driver.run("propose")
    assert found["listed"] == [found["id"]]
    assert found["left"] == [None]
    assert 0 < found["gained"] <= 4_00000


def test_upgrade_vote_and_lists(python_driver: Driver) -> None:
    """R8.12: votes by id for witnesses and committee; a proxy; a whitelist; an authority."""
    found = python_driver.run("govern")
    assert found["is_member"] is True
    assert found["proxy"] == found["other"]
    assert [sorted(votes) for votes in found["votes"]] == [["0:5", "1:0"], ["0:5"]]
    assert found["authorities"] == [[found["other"], 1]]
    assert found["whitelisted"] == [found["other"]]


def test_administer_an_asset(python_driver: Driver) -> None:
    """From its testnet suite: halt, release, flags, lists, seize; R9.5: the owner hands it on."""
    owner_key = wif(development_key(python_driver.me, "owner"))
    found = python_driver.run("administer", more_keys=[owner_key])
    flags = [flags for flags, _ in found["steps"]]
    assert flags[0] & 0x0A == 0x0A
    assert flags[2] & 0x05 == 0x05
    assert [markets for _, markets in found["steps"][1:6]] == [1, 1, 1, 1, 0]
    assert found["balances"] == [2_0000, 3_0100]
    assert found["issuer"] is True


def test_read_objects(python_driver: Driver, orders: Json) -> None:
    """From its testnet suite: orders by id and as objects, fills, feeds, messages, workers."""
    found = python_driver.run("read_objects")
    assert found["order"] == [0.04, 0.04]
    assert found["fill"] == [12]
    assert found["feed"] == 0.1
    assert found["verified"] is True
    assert found["workers"] == 1
    assert found["keys"] is True
    assert "alice" in found["names"]


def test_a_bot_places_and_cancels_bundles(python_driver: Driver) -> None:
    """From DEXBot's suite, which no registry has: tokens for a new account, orders in bundles."""
    found = python_driver.run("bot")
    assert found["placed"] == found["opened"]
    assert found["book"] == [2, 3]
    assert found["cancelled"] == 2
    assert found["left"] == found["placed"][2:]
    assert found["raw"] == 3


def test_watch_blocks_accounts_and_markets(python_driver: Driver, orders: Json) -> None:
    """CLIENTS 2: `Notify` hears of each by push; `Blockchain.blocks` by asking."""
    found = python_driver.run("watch")
    seen = found["seen"]
    assert all(len(block_id) == 40 for block_id in seen["block"])
    assert seen["block"]
    assert any("AccountUpdate" in item for item in seen["account"])
    assert any("TEST" in item and "EUR" in item for item in seen["market"])
    polled, start = found["polled"]
    assert polled == [start, start + 1]


def test_refusals_are_exceptions(python_driver: Driver) -> None:
    """CLIENTS 2: the client finds the reason in the answer, and goes on."""
    found = python_driver.run("refuse")
    poor, missing, unknown = found["messages"]
    assert "insufficient_balance" in poor
    assert missing.startswith("AccountDoesNotExists")
    assert "no_such_object" in unknown
    assert found["head"] > 0
