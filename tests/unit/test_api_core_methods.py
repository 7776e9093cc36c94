"""A4: methods of bitshares-core that were missing or answered a constant."""

from __future__ import annotations

import pytest

from node.api.methods.limits import LIMITED
from node.history.account_storage import AccountStorage
from node.history.memory import MemoryHistory
from protocol.asset import NO_FEE
from protocol.binary import pack
from protocol.ids import (
    OperationHistoryId,
    ProposalId,
    account_text,
    operation_text,
    parse_id,
)
from protocol.json_form import format_time, to_json
from protocol.operations.base import Operation
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.custom import Custom
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from protocol.schema import Record
from tests.support.api import ChainBackend, Client, Json
from tests.support.chain import TestChain

HISTORY = "history"
FOREVER = "2106-02-07T06:28:15"


@pytest.fixture
def backend() -> ChainBackend:
    """Alice owes bitUSD and has traded some of it for CORE with bob, then sent him some CORE."""
    chain = TestChain("alice", "bob")
    backend = ChainBackend(chain)
    alice, bob = chain.account("alice"), chain.account("bob")
    backend.produce(*chain.feed("USD", 1, 10))
    backend.produce(CallOrderUpdate(NO_FEE, alice, chain.amount(10**6), chain.amount(10**4, "USD")))
    backend.produce(LimitOrderCreate(NO_FEE, alice, chain.amount(50, "USD"), chain.amount(600)))
    backend.produce(LimitOrderCreate(NO_FEE, bob, chain.amount(600), chain.amount(50, "USD")))
    backend.produce(chain.transfer("alice", "bob", 5), chain.transfer("alice", "bob", 6))
    return backend


@pytest.fixture
def client(backend: ChainBackend) -> Client:
    return Client(backend)


def ids(records: Json) -> list[OperationHistoryId]:
    return [parse_id(OperationHistoryId, record["id"]) for record in records]


def time_of(backend: ChainBackend, num: int) -> str:
    return format_time(backend.blocks[num].header.timestamp)


def test_history_by_time(backend: ChainBackend, client: Client) -> None:
    """Y6: up to a time, inclusive; without one the newest; nobody has no history."""
    whole = client.call("get_account_history", "alice", api=HISTORY)
    by_time = client.call("get_account_history_by_time", "alice", api=HISTORY)
    assert by_time == whole
    for num in range(1, backend.test_chain.chain.head_num + 1):
        expected = [record for record in whole if record["block_num"] <= num]
        moment = time_of(backend, num)
        assert client.call("get_account_history_by_time", "alice", 100, moment, api=HISTORY) == (
            expected
        )
        assert (
            client.call("get_account_history_by_time", "alice", 1, moment, api=HISTORY)
            == (expected[:1])
        )
    assert client.call("get_account_history_by_time", "nobody", api=HISTORY) == []
    early = "1970-01-01T00:00:01"
    assert client.call("get_account_history_by_time", "alice", 100, early, api=HISTORY) == []


def test_history_of_one_type(backend: ChainBackend, client: Client) -> None:
    """Y6: ids up to start and above stop, newest first; 0 stands for no bound."""
    whole = client.call("get_account_history", "alice", api=HISTORY)
    for type_ in range(8):
        wanted = [record for record in whole if record["op"][0] == type_]
        found = client.call(
            "get_account_history_operations", "alice", type_, "1.11.0", "1.11.0", 100, api=HISTORY
        )
        assert found == wanted
    first, second = ids(client.call(
        "get_account_history_operations", "alice", 0, "1.11.0", "1.11.0", 100, api=HISTORY
    ))  # fmt: skip
    bounds: tuple[Json, ...] = (operation_text(first), operation_text(second), 100)
    found = client.call("get_account_history_operations", "alice", 0, *bounds, api=HISTORY)
    assert ids(found) == [first]
    bounds = (operation_text(second), "1.11.0", 100)
    found = client.call("get_account_history_operations", "alice", 0, *bounds, api=HISTORY)
    assert ids(found) == [second]
    nobody = ("nobody", 0, "1.11.0", "1.11.0", 100)
    assert client.call("get_account_history_operations", *nobody, api=HISTORY) == []


def test_operations_of_a_block_by_time(backend: ChainBackend, client: Client) -> None:
    """Y6: the newest block with any up to a time; its operations, the last one first."""
    backend.produce()
    head = backend.test_chain.chain.head_num
    newest = client.call("get_block_operation_history", head - 1, api=HISTORY)[::-1]
    assert len(newest) == 2
    assert client.call("get_block_operations_by_time", api=HISTORY) == newest
    for num in (head, head - 1):
        moment = time_of(backend, num)
        assert client.call("get_block_operations_by_time", moment, api=HISTORY) == newest
    before = client.call("get_block_operation_history", head - 2, api=HISTORY)[::-1]
    moment = time_of(backend, head - 2)
    assert client.call("get_block_operations_by_time", moment, api=HISTORY) == before
    early = "1970-01-01T00:00:01"
    assert client.call("get_block_operations_by_time", early, api=HISTORY) == []


def test_top_markets(backend: ChainBackend, client: Client) -> None:
    """Y6: tickers as `get_ticker` has them, most of their base's volume first."""
    (market,) = client.call("get_top_markets", 100)
    assert market == client.call("get_ticker", "TEST", "USD")
    assert (market["base"], market["quote"], market["mto_id"]) == ("TEST", "USD", "5.2.0")
    assert client.call("get_top_markets", 0) == []
    assert client.refuse("get_top_markets", 101)["code"] == -32602


def test_collateral_of_assets(backend: ChainBackend, client: Client) -> None:
    """Y5: what lies in positions, in all four methods; pending ones count."""

    def sums() -> list[tuple[Json, Json]]:
        found = [
            client.call("get_assets", ["TEST", "USD"]),
            client.call("lookup_asset_symbols", ["TEST", "USD"]),
            [client.call("list_assets", symbol, 1)[0] for symbol in ("TEST", "USD")],
        ]
        assert found[0] == found[1] == found[2]
        return [
            (asset["total_in_collateral"], asset.get("total_backing_collateral"))
            for asset in found[0]
        ]

    assert sums() == [(10**6, None), (0, 10**6)]
    issued = client.call("get_assets_by_issuer", "witness-account")
    assert all("total_in_collateral" in asset for asset in issued)
    chain = backend.test_chain
    chain.push(
        CallOrderUpdate(NO_FEE, chain.account("bob"), chain.amount(500), chain.amount(20, "USD"))
    )
    assert sums() == [(10**6 + 500, None), (0, 10**6 + 500)]
    chain.push(
        CallOrderUpdate(NO_FEE, chain.account("bob"), chain.amount(-500), chain.amount(-20, "USD"))
    )
    assert sums() == [(10**6, None), (0, 10**6)]


def test_limits_of_a_node(client: Client) -> None:
    """Y6, login.get_config: each limit is the one that the method keeps."""
    config = client.call("get_config", api=1)
    assert config["api_limit_get_account_history"] == 100
    assert config["api_limit_get_market_history"] == 200
    assert config["api_limit_lookup_accounts"] == 1_000
    assert config["has_market_history_plugin"] is True
    assert len(config) == len(LIMITED) + 6 == 40
    most = config["api_limit_get_order_book"]
    assert client.call("get_order_book", "TEST", "USD", most)
    assert client.refuse("get_order_book", "TEST", "USD", most + 1)["code"] == -32602


def test_after_logout_nothing_can_be_opened(client: Client) -> None:
    """Y6: a connection begins logged in; numbers that are open stay good."""
    assert client.call("get_available_api_sets", api=1)
    number = client.call("history", api=1)
    assert client.call("logout", api=1) is False
    assert client.call("get_available_api_sets", api=1) == []
    for error in (
        client.refuse("orders", api=1),
        client.refuse("get_config", api=1),
        client.refuse("get_tracked_groups", api="orders"),
    ):
        assert "Access denied" in error["message"]
    assert client.call("get_market_history_buckets", api=number)
    assert client.call("get_chain_id")
    assert client.call("login", "", "", api=1) is True
    assert client.call("orders", api=1)


def test_crypto_is_refused_by_name_with_the_reason(client: Client) -> None:
    """X1.5: an answer would need the client's secrets."""
    for name in ("blind", "blind_sum", "verify_sum", "range_proof_sign", "range_get_info"):
        message = client.refuse(name, [1, 2], api="crypto")["message"]
        assert f"crypto.{name} is for blinded transfers" in message


def test_a_block_is_taken_on_development_chains_only(backend: ChainBackend, client: Client) -> None:
    """Y6, D11: a well-formed next block becomes the head; a wrong one is refused by reason."""
    chain = backend.test_chain
    chain.push(chain.transfer("alice", "bob", 7))
    envelope = chain.build()
    body = to_json(envelope.block, "TEST")
    backend.is_development = False
    assert "no development chain" in client.refuse(
        "broadcast_block", body, api="network_broadcast"
    )["message"]  # fmt: skip
    backend.is_development = True
    wrong = dict(body) | {"witness_signature": "20" + "01" * 64}  # type: ignore[arg-type]
    assert client.refuse("broadcast_block", wrong, api="network_broadcast")
    assert client.call("broadcast_block", body, api="network_broadcast") is None
    assert client.call("get_dynamic_global_properties")["head_block_id"] == envelope.id.hex()
    assert client.call("get_block", envelope.num) == body


class StorageData(Record):
    """The data of a custom operation as cli_wallet's `account_store_map` packs it."""

    tag: bytes
    remove: bool
    catalog: str
    key_values: tuple[tuple[str, str | None], ...]


def stores(
    backend: ChainBackend,
    name: str,
    catalog: str,
    values: dict[str, str | None],
    *,
    remove: bool = False,
) -> Operation:
    chain = backend.test_chain
    packed = pack(StorageData(b"", remove, catalog, tuple(sorted(values.items()))))
    return Custom(chain.amount(1), chain.account(name), (), 0, packed)


def storage(client: Client, *arguments: Json) -> Json:
    return client.call("get_storage_info", *arguments, api="custom_operations")


def test_what_accounts_store(backend: ChainBackend, client: Client) -> None:
    """Y3.1, Y3.2, Y3.3: kept by account, catalog and key; changed in place; forgotten; by id."""
    backend.produce(stores(backend, "alice", "settings", {"language": '"en"', "lines": "[1, 2.5]"}))
    backend.produce(stores(backend, "bob", "settings", {"language": '"ru"'}))
    assert client.call("custom_operations", api=1)
    whole = storage(client)
    assert [(item["id"], item["key"], item["value"]) for item in whole] == [
        ("7.0.0", "language", "en"),
        ("7.0.1", "lines", [1, 2.5]),
        ("7.0.2", "language", "ru"),
    ]
    assert storage(client, "alice") == whole[:2]
    assert storage(client, "alice", "settings", "lines") == whole[1:2]
    assert storage(client, None, "settings", "language") == [whole[0], whole[2]]
    assert storage(client, None, None, None, 1, "7.0.1") == whole[1:2]
    assert client.call("get_objects", ["7.0.2", "7.0.3"]) == [whole[2], None]
    backend.produce(stores(backend, "alice", "settings", {"language": None, "lines": "{bad"}))
    changed = storage(client, "alice")
    assert [item.get("value") for item in changed] == [None, [1, 2.5]]
    backend.produce(
        stores(backend, "alice", "settings", {"language": None, "other": None}, remove=True)
    )
    assert storage(client, "alice") == whole[1:2]
    for arguments in ((None, None, "language"), ("nobody",), ("alice", None, None, 102)):
        assert client.refuse("get_storage_info", *arguments, api="custom_operations")


def test_what_is_stored_is_undone_with_its_block(backend: ChainBackend, client: Client) -> None:
    """Y3.1: values, removals and ids, as if the block had never been."""
    backend.produce(stores(backend, "alice", "settings", {"a": "1", "b": "2"}))
    before = storage(client)
    backend.produce(
        stores(backend, "alice", "settings", {"a": "9", "c": "3"}),
        stores(backend, "alice", "settings", {"b": None}, remove=True),
        stores(backend, "bob", "x", {"d": "4"}),
    )
    assert storage(client) != before
    backend.history.revert_block()
    assert storage(client) == before
    backend.history.apply_block(backend.test_chain.block(stores(backend, "bob", "x", {"d": "4"})))
    assert [item["id"] for item in storage(client)] == ["7.0.0", "7.0.1", "7.0.2"]


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\x00", b"\x00\x00\x00\x00", b"\x00\x00\x01x", b"\x00\x00\x01\xff\x00"]
)
def test_other_data_is_passed_over(backend: ChainBackend, client: Client, data: bytes) -> None:
    """Y3.2: undecodable, without a catalog, or too long: nothing of it is kept."""
    chain = backend.test_chain
    backend.produce(Custom(chain.amount(1), chain.account("alice"), (), 0, data))
    backend.produce(stores(backend, "alice", "c" * 201, {"a": "1"}))
    backend.produce(stores(backend, "alice", "c", {"k" * 201: "1"}))
    assert storage(client) == []


def test_the_longest_names_are_kept_and_proposals_store_too(
    backend: ChainBackend, client: Client
) -> None:
    """Y3.1, Y3.2: 200 bytes, in a letter or in many; what a proposal executes is the payer's."""
    chain = backend.test_chain
    longest = "\u00e9" * 100
    op = stores(backend, "alice", longest, {"k" * 200: "1", longest: "2"})
    alice, end = chain.account("alice"), chain.chain.head_time + 600
    backend.produce(ProposalCreate(NO_FEE, chain.account("bob"), end, (ProposedOperation(op),)))
    assert storage(client) == []
    number = ProposalId(0)
    backend.produce(ProposalUpdate(NO_FEE, alice, number, active_approvals_to_add=(alice,)))
    found = [(item["account"], len(item["key"]), item["value"]) for item in storage(client)]
    assert found == [(account_text(alice), 200, 1), (account_text(alice), 100, 2)]


def test_nothing_is_kept_of_blocks_before_the_first(backend: ChainBackend, client: Client) -> None:
    """Y3.1: `custom_operations_start_block`; its own block is kept."""
    first = backend.test_chain.chain.head_num + 2
    backend.history = MemoryHistory(storage=AccountStorage(first))
    for key in ("before", "first"):
        backend.produce(stores(backend, "alice", "c", {key: "1"}))
    assert [item["key"] for item in storage(client)] == ["first"]


LIMITS = {
    50: "get_order_book get_full_accounts",
    100: "get_account_history get_account_history_operations get_account_history_by_operations"
    " get_relative_account_history get_trade_history get_trade_history_by_sequence get_top_markets"
    " get_asset_holders get_key_references get_collateral_bids list_htlcs get_htlc_by",
    101: "get_assets get_limit_orders_by_account get_account_limit_orders"
    " get_grouped_limit_orders get_withdraw_permissions_by_giver"
    " get_withdraw_permissions_by_recipient get_tickets get_liquidity_pools"
    " get_liquidity_pool_history get_samet_funds get_credit_offers get_storage_info",
    200: "get_market_history get_top_voters",
    300: "get_limit_orders get_call_orders get_settle_orders",
    500: "get_full_accounts_lists",
    1_000: "lookup_accounts lookup_witness_accounts lookup_committee_member_accounts"
    " lookup_vote_ids get_full_accounts_subscribe",
}


def test_limits_are_those_of_bitshares(client: Client) -> None:
    """Y6: as bitshares-core has them by default; a session has more subscriptions here (T-A3)."""
    config = client.call("get_config", api=1)
    expected = {f"api_limit_{name}": n for n, names in LIMITS.items() for name in names.split()}
    assert {name: config[name] for name in config if name.startswith("api_limit")} == expected


def test_peers_are_named_by_permission_only(backend: ChainBackend, client: Client) -> None:
    """P15: on a chain that is no development chain no local program chooses a node's peers."""
    backend.may_add_peers = False
    refusal = client.refuse("add_node", "10.0.0.1:1776", api="network_node")
    assert "allow_add_node" in refusal["message"]
    assert backend.added_peers == []
    backend.may_add_peers = True
    assert client.call("add_node", "10.0.0.1:1776", api="network_node") is None
    assert backend.added_peers == ["10.0.0.1:1776"]
