"""Graphene-Metanode 1.0.8: a server that watches a market into an SQLite base, and its trader.

A1 to A3: it sends surplus arguments, "false" for a boolean, and operations of one field. All of it
runs, unmodified; but it makes no transfers, and to cancel everything in a market (the id "1.7.X")
is an order that it repeats until nothing is open, with eight seconds between: only ids are tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node.cli.client import NodeClient, as_list, as_object
from node.cli.network_files import Wanted
from node.presets import TEST_NETWORK_ID
from tests.clients.drive import DRIVERS, Driver
from tests.clients.tap import Tally, Tap
from tests.clients.wallet import balance_of, use_wallet
from tests.support.live_network import LiveNode

pytestmark = [pytest.mark.clients, pytest.mark.functional]

Json = Any

ME, OTHER, PEG, PAIR = "nathan", "alice", "SILVER", "TEST-SILVER"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    """A node of the test network, whose chain id the client knows, with a block each second."""
    wanted = Wanted(block_interval_s=1)
    found = LiveNode.development(tmp_path / "dev", "interval", wanted, {PEG: "fixed:0.1"})
    found.start()
    yield found
    assert found.stop() == 0, found.log_tail()


def test_its_server_watches_and_its_trader_trades(
    metanode_interpreter: Path, node: LiveNode, tally: Tally, tmp_path: Path
) -> None:
    """A1, A2, A3: what it signs is in the chain, and what it reads is what the chain holds."""
    client = node.client
    assert client is not None
    use_wallet(client.url, ME, "borrow", f"100 bit{PEG}", "--ratio", "3")
    use_wallet(client.url, OTHER, "sell", "50 TEST", "--for", f"20 bit{PEG}")
    host, _, port = client.url.removeprefix("http://").partition(":")
    tap = Tap("metanode", (host, int(port)), tally)
    command = [str(metanode_interpreter), str(DRIVERS / "metanode_driver.py")]
    url = f"ws://127.0.0.1:{tap.port}"
    found = Driver(command, url, ME, OTHER, PEG, folder=tmp_path).run("trade")
    tap.close()
    assert found["login"] is True
    check_orders(found)
    check_reads(found, client)
    check_base(found)


def check_orders(found: Json) -> None:
    """Each was confirmed in a block: a rest of 2.5 TEST stayed open, and is gone."""
    for name in ("sell", "buy"):
        [confirmed] = found[name]["params"][1]
        [[operation, body]] = confirmed["trx"]["operations"]
        assert (operation, body["seller"]) == (1, found["read"]["account"])
    [order] = found["opens"]
    assert (order["amount"], order["type"], float(order["price"])) == (2.5, "SELL", 1_000.0)
    assert found["ids"] == found["cancel"] == [order["order_number"]]
    assert found["tied"] == 2.5
    assert found["book"] == {"asks": [[0.4, 25.0], [1_000.0, 2.5]], "bids": []}
    assert found["left"] == []


def check_reads(found: Json, client: NodeClient) -> None:
    """What it asks the node for itself: 10 bitSILVER bought 25 TEST at the price of the ask."""
    read, objects = found["read"], found["base"]["objects"]
    [peg_id] = [key for key, row in objects.items() if row["name"] == PEG]
    assert read["chain"] == TEST_NETWORK_ID.hex()
    for symbol, asset_id, scale in (("TEST", "1.3.0", 10**5), (PEG, peg_id, 10**6)):
        assert read["assets"][symbol]["id"] == asset_id
        assert round(read["balances"][symbol]["total"] * scale) == balance_of(client, ME, asset_id)
        assert read["balances"][symbol]["tied"] == 0
        [asset] = as_list(client.call("database", "get_objects", [asset_id]))
        dynamic_id = as_object(asset)["dynamic_asset_data_id"]
        [dynamic] = as_list(client.call("database", "get_objects", [dynamic_id]))
        assert read["supply"][symbol] == int(str(as_object(dynamic)["current_supply"]))
    assert read["last"] == 0.4
    [trade] = read["history"]
    # Its type is the maker's.
    assert trade[1:4] == [0.4, 25.0, "sell"]
    [fill] = read["fills"]
    assert (fill["price"], fill["amount"], fill["type"]) == (0.4, 25.0, "BUY")
    made = read["operations"][PAIR]["creates"]
    assert [(item["price"], item["amount"], item["type"]) for item in made] == [
        (0.5, 20.0, "BUY"),
        (1_000.0, 2.5, "SELL"),
    ]
    assert [item["order_id"] for item in read["operations"]["cancels"]] == found["ids"]
    assert PEG in read["listed"]
    assert read["lifetime"] is True


def check_base(found: Json) -> None:
    """What its server wrote down is what the node told."""
    base, read = found["base"], found["read"]
    assert base["chain"] == {"name": "bitshares testnet", "id": TEST_NETWORK_ID.hex()}
    assert [row["status"] for row in base["nodes"]] == ["CONNECTED"]
    assert (base["account"]["name"], base["account"]["id"]) == (ME, read["account"])
    assert base["account"]["fees_account"] == read["fees"]
    assert base["pair"]["last"] == read["last"]
    assert base["pair"]["book"] == {"asks": [[0.4, 25.0]], "bids": []}
    assert base["pair"]["history"] == read["history"]
    assert base["pair"]["fills"] == read["fills"]
    assert {name: row["balance"] for name, row in base["assets"].items()} == read["balances"]
    assert 0 < base["timing"]["blocknum"] <= read["block"]
