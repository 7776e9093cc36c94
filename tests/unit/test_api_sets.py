"""The smaller APIs: who holds an asset, this node's peers, a development chain's time."""

from __future__ import annotations

import pytest

from node.api.methods.asset_holders import HOLDERS_SKIPPED_MAX
from node.api.methods.debug import BLOCKS_MAX
from node.api.methods.development import TRAVEL_MAX_S
from node.api.methods.tables import APIS
from node.api.moments import parse_moment
from node.history.memory import MemoryHistory
from protocol.asset import NO_FEE
from protocol.errors import DecodeError
from protocol.ids import account_text, asset_text
from protocol.json_form import format_time, parse_time
from protocol.operations.call_order import CallOrderUpdate
from tests.support.api import KNOWN_PEERS_MAX, ChainBackend, Client, Json
from tests.support.busy import arguments_of
from tests.support.chain import TestChain


@pytest.fixture
def backend() -> ChainBackend:
    """Alice has borrowed 10,000 USD units and given 4,000 of them to bob."""
    chain = TestChain("alice", "bob", "carol")
    backend = ChainBackend(chain)
    backend.produce(*chain.feed("USD", 1, 10))
    debt = chain.amount(10**4, "USD")
    alice = chain.account("alice")
    backend.produce(CallOrderUpdate(NO_FEE, alice, chain.amount(10**6), debt))
    backend.produce(chain.transfer("alice", "bob", 4_000, "USD"))
    return backend


@pytest.fixture
def client(backend: ChainBackend) -> Client:
    return Client(backend)


def test_each_api_is_opened_once_and_by_its_name(client: Client) -> None:
    """CLIENTS: numbers in the order of asking, beginning with 2; names need no opening."""
    names = ("network_node", "asset", "orders", "asset", "debug", "pegboard_dev")
    assert [client.call(name, api=1) for name in names] == [2, 3, 4, 3, 5, 6]
    assert client.call("get_asset_holders_count", "USD", api=3) == 2
    assert client.call("get_asset_holders_count", "USD", api="asset") == 2


def test_login_in_all_its_forms(client: Client) -> None:
    """Without arguments it is the number of the login API; half a password is none."""
    assert client.call("login", "", "", api=1) is True
    assert client.call("login", api=1) == 1
    assert client.refuse("login", "user", api=1)["code"] == -32602
    assert client.call("logout", api=1) is False
    assert client.call("get_info", api=1) == "pegboard 0.1.0"


def test_api_sets_that_may_be_used(backend: ChainBackend, client: Client) -> None:
    """Every name that is told can be opened."""
    names = client.call("get_available_api_sets", api=1)
    assert "database_api" in names
    assert "crypto_api" not in names
    for name in names:
        assert client.call(name.removesuffix("_api"), api=1) is not None
    backend.is_development = False
    remaining = client.call("get_available_api_sets", api=1)
    assert set(names) - set(remaining) == {"debug_api", "pegboard_dev"}


@pytest.mark.parametrize("name", ["crypto", "custom_operations"])
def test_api_sets_that_are_not_given(backend: ChainBackend, client: Client, name: str) -> None:
    """T-A4: code 10 in BitShares' words, whether the API is opened or called by its name."""
    backend.history = MemoryHistory()
    for error in (client.refuse(name, api=1), client.refuse("blind", api=name)):
        assert error["code"] == 10
        assert error["message"].startswith("Execution error: Assert Exception: is_allowed: ")


def test_development_apis_need_a_development_chain(backend: ChainBackend, client: Client) -> None:
    """T-A4: nobody else's chain can be moved, by neither number nor name."""
    backend.is_development = False
    head = backend.test_chain.chain.head_num
    for name in ("debug", "pegboard_dev"):
        assert "Access denied" in client.refuse(name, api=1)["message"]
    every = [(api, name) for api in ("debug", "pegboard_dev") for name in APIS[api]]
    assert len(every) > 20
    for api, name in every:
        error = client.refuse(name, *arguments_of(backend, api, name), api=api)
        assert error["data"]["name"] == "is_allowed", name
    assert backend.test_chain.chain.head_num == head


def test_holders_are_ranked_by_balance(backend: ChainBackend, client: Client) -> None:
    """Largest first, zero balances left out, a slice of the ranking."""
    chain = backend.test_chain
    first = client.call("get_asset_holders", "USD", 0, 100, api="asset")
    assert [(item["name"], item["amount"]) for item in first] == [("alice", 6_000), ("bob", 4_000)]
    assert first[0]["account_id"] == account_text(chain.account("alice"))
    assert client.call("get_asset_holders", "1.3.1", 1, 1, api="asset") == first[1:]
    assert client.call("get_asset_holders", "USD", 2, 1, api="asset") == []
    backend.produce(chain.transfer("alice", "carol", 6_000, "USD"))
    names = [item["name"] for item in client.call("get_asset_holders", "USD", 0, 9, api="asset")]
    assert names == ["carol", "bob"]


def test_holders_of_pending_transfers_count(backend: ChainBackend, client: Client) -> None:
    """Trap 15: a balance that only a pending transaction made is seen."""
    chain = backend.test_chain
    chain.push(chain.transfer("bob", "carol", 1, "USD"))
    assert client.call("get_asset_holders_count", "USD", api="asset") == 3


def test_equal_balances_are_ranked_by_account(backend: ChainBackend, client: Client) -> None:
    """The order is a function of the state alone."""
    chain = backend.test_chain
    backend.produce(chain.transfer("alice", "carol", 4_000, "USD"))
    found = client.call("get_asset_holders", "USD", 0, 9, api="asset")
    assert [item["name"] for item in found] == ["bob", "carol", "alice"]


def test_every_asset_has_its_count(backend: ChainBackend, client: Client) -> None:
    """Also those that nobody holds."""
    counts = client.call("get_all_asset_holders", api="asset")
    assert [item["asset_id"] for item in counts] == [
        asset_text(asset.id) for asset in backend.state.assets.in_order()
    ]
    assert counts[1] == {"asset_id": "1.3.1", "count": 2}


def test_limits_of_holders(client: Client) -> None:
    """T-A2: 100 holders an answer, and no rank that takes for ever to find."""
    for arguments in (("USD", 0, 101), ("USD", HOLDERS_SKIPPED_MAX + 1, 1), ("USD", -1, 1)):
        assert client.refuse("get_asset_holders", *arguments, api="asset")["code"] == -32602
    assert client.refuse("get_asset_holders", "NOPE", 0, 1, api="asset")["code"] == 10


def test_peers_are_told(client: Client) -> None:
    """BitShares' keys, as far as this node knows their values."""
    (peer,) = client.call("get_connected_peers", api="network_node")
    assert peer["host"] == "127.0.0.1:1776"
    assert peer["info"]["node_id"] == "00" * 32
    assert peer["info"]["inbound"] is False
    assert (peer["info"]["bytesrecv"], peer["info"]["bytessent"]) == (100, 200)
    info = client.call("get_info", api="network_node")
    assert (info["listening_on"], info["connection_count"]) == (":1776", 1)
    assert client.call("get_advanced_node_parameters", api="network_node") == {
        "desired_number_of_connections": 8
    }
    assert client.refuse("set_advanced_node_parameters", api="network_node")["code"] == 10


def test_a_peer_is_added(backend: ChainBackend, client: Client) -> None:
    """T-P9: an address is remembered while there is room, and told as not tried."""
    assert client.call("add_node", "10.0.0.1:1776", api="network_node") is None
    assert client.call("add_node", "[::1]:1776", api="network_node") is None
    assert len(backend.added_peers) == KNOWN_PEERS_MAX
    assert client.refuse("add_node", "10.0.0.3:1776", api="network_node")["code"] == 10
    seen, added, _ = client.call("get_potential_peers", api="network_node")
    assert seen["last_connection_disposition"] == "last_connection_succeeded"
    assert added["endpoint"] == "10.0.0.1:1776"
    assert added["last_connection_disposition"] == "never_attempted_to_connect"


@pytest.mark.parametrize(
    "endpoint", ["10.0.0.1", "seed.example:1776", "10.0.0.1:0", "10.0.0.1:65536", ":1776", 1776]
)
def test_a_peer_has_a_number_as_address(
    backend: ChainBackend, client: Client, endpoint: str | int
) -> None:
    """Names are not resolved for whoever asks."""
    assert client.refuse("add_node", endpoint, api="network_node")["code"] == -32602
    assert backend.added_peers == []


def test_what_debug_refuses_says_why(client: Client) -> None:
    """T-A7: no files, and no state that blocks do not explain."""
    refused: list[tuple[str, list[Json], str]] = [
        ("debug_push_blocks", ["/etc/passwd", 1], "reads no files"),
        ("debug_stream_json_objects", ["/tmp/x"], "writes no files"),
    ]
    for method, arguments, words in refused:
        error = client.refuse(method, *arguments, api="debug")
        assert (error["code"], words in error["message"]) == (10, True)
    assert client.call("debug_stream_json_objects_flush", api="debug") is None
    update = {"_action": "update", "id": "1.2.0"}
    assert "by blocks alone" in client.refuse("debug_update_object", update, api="debug")["message"]
    assert client.refuse("debug_update_object", [], api="debug")["code"] == -32602


def test_blocks_without_a_key(backend: ChainBackend, client: Client) -> None:
    """The node signs with its own keys; the answer is the new head."""
    num = backend.test_chain.chain.head_num
    head = client.call("generate_blocks", 3, api="pegboard_dev")
    assert head["head_block_number"] == num + 3
    assert head["head_block_id"] == backend.test_chain.chain.head_id.hex()
    for count in (0, BLOCKS_MAX + 1, "many"):
        assert client.refuse("generate_blocks", count, api="pegboard_dev")["code"] == -32602


def test_travel_makes_one_block(backend: ChainBackend, client: Client) -> None:
    """R8.4: the first slot at or after the time; the slots before it stay empty."""
    chain = backend.test_chain.chain
    num, time = chain.head_num, chain.head_time
    head = client.call("travel_to", "+1h", api="pegboard_dev")
    assert head["head_block_number"] == num + 1
    interval = chain.state.parameters.block_interval
    assert time + 3_600 <= parse_time(head["head_block_time"]) < time + 3_600 + interval
    wanted = chain.slot_time(10)
    head = client.call("travel_to", format_time(wanted), api="pegboard_dev")
    assert head["head_block_time"] == format_time(wanted), "a slot's own time is that slot"


def test_travel_leads_forward_and_not_too_far(backend: ChainBackend, client: Client) -> None:
    """A typing error in a year does not end the chain."""
    now = backend.test_chain.chain.head_time
    wrong = (format_time(now), format_time(now - 1), "+0s", f"+{TRAVEL_MAX_S + 1}s", "soon", "+1y")
    for text in wrong:
        assert client.refuse("travel_to", text, api="pegboard_dev")["code"] == -32602
    assert backend.test_chain.chain.head_time == now


@pytest.mark.parametrize(
    ("text", "seconds"), [("+90s", 90), ("+15m", 900), ("+1h", 3_600), ("+2d", 172_800)]
)
def test_distances(text: str, seconds: int) -> None:
    """A unit is always named."""
    assert parse_moment(text).after(1_000) == 1_000 + seconds
    assert parse_moment("1970-01-01T00:00:07").after(1_000) == 7


@pytest.mark.parametrize("text", ["+", "+5", "+-5s", "+5 s", "+٣s", "+1234567890s", "5s"])
def test_distances_are_not_guessed(text: str) -> None:
    """Neither missing units nor foreign digits."""
    with pytest.raises(DecodeError):
        parse_moment(text)
