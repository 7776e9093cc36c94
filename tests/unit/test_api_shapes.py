"""Answers have the keys and JSON types of BitShares' own, method by method.

`tests/vectors/api_answers.json` holds one real answer of bitshares-core for each method.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.asset import NO_FEE
from protocol.ids import LimitOrderId
from protocol.operations.bitasset import AssetSettle
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from tests.support.api import ChainBackend, Client, Json, transaction_json
from tests.support.chain import TestChain

REAL = json.loads((Path(__file__).parent.parent / "vectors" / "api_answers.json").read_text())

OPTIONAL = {
    "total_in_collateral": "from a plugin of bitshares-core",
    "total_backing_collateral": "from a plugin of bitshares-core",
    "cashback_balance": "only of accounts that earned fees",
    "cashback_vb": "only of accounts that earned fees",
    "custom_authority_options": "absent in the chain of the vectors",
    "updatable_htlc_options": "absent in the chain of the tests",
    "vesting_policy": "only of balances that vest",
    "pay_vb": "only of witnesses that earned pay",
    "target_collateral_ratio": "only of positions that have one",
}
"""Keys that one side may have and the other not."""

NUMBER = re.compile(r"-?[0-9]{1,39}(\.[0-9]+)?")


def differences(real: Json, ours: Json, path: str = "") -> Iterator[str]:
    """Places where two answers differ in keys or types; wide integers may be strings."""
    if kind_of(real) != kind_of(ours):
        yield f"{path}: {kind_of(real)} in BitShares, {kind_of(ours)} here"
    elif isinstance(real, dict):
        for key in sorted(real.keys() ^ ours.keys()):
            if key not in OPTIONAL:
                yield f"{path}.{key}: only {'in BitShares' if key in real else 'here'}"
        for key in sorted(real.keys() & ours.keys()):
            yield from differences(real[key], ours[key], f"{path}.{key}")
    elif isinstance(real, list) and real and ours:
        if is_tuple(real):
            yield from tuple_differences(real, ours, path)
        else:
            for index, item in enumerate(ours):
                yield from differences(real[0], item, f"{path}[{index}]")


def tuple_differences(real: Json, ours: Json, path: str) -> Iterator[str]:
    """The same for [tag, value] pairs; values of different tags are not comparable."""
    if len(real) != len(ours):
        yield f"{path}: {len(real)} members in BitShares, {len(ours)} here"
    elif not isinstance(real[0], int) or real[0] == ours[0]:
        for index, (theirs, mine) in enumerate(zip(real, ours, strict=True)):
            yield from differences(theirs, mine, f"{path}[{index}]")


def is_tuple(items: Json) -> bool:
    """Whether a list is a pair of unlike things, such as [id, operation]."""
    return len(items) == 2 and type(items[0]) is not type(items[1])


def kind_of(value: Json) -> str:
    """The JSON type, numbers and their decimal strings counting as one."""
    if isinstance(value, bool) or value is None:
        return str(type(value).__name__)
    if isinstance(value, int) or (isinstance(value, str) and NUMBER.fullmatch(value)):
        return "number"
    return type(value).__name__


@pytest.fixture(scope="module")
def backend() -> ChainBackend:
    """A chain with a feed, positions, orders, trades, settlements and proposals of work."""
    chain = TestChain("alice", "bob", "carol")
    backend = ChainBackend(chain)
    alice, bob = chain.account("alice"), chain.account("bob")
    backend.produce(*chain.feed("USD", 1, 10))
    backend.produce(
        CallOrderUpdate(NO_FEE, alice, chain.amount(10**6), chain.amount(10**4, "USD")),
        CallOrderUpdate(NO_FEE, bob, chain.amount(10**6), chain.amount(10**4, "USD")),
    )
    backend.produce(LimitOrderCreate(NO_FEE, alice, chain.amount(5000, "USD"), chain.amount(60000)))
    backend.produce(
        LimitOrderCreate(NO_FEE, bob, chain.amount(30000), chain.amount(2500, "USD")),
        LimitOrderCreate(NO_FEE, bob, chain.amount(3000), chain.amount(2500, "USD")),
        AssetSettle(NO_FEE, bob, chain.amount(200, "USD")),
        chain.transfer("alice", "carol", 5),
    )
    assert chain.state.limit_orders.find(LimitOrderId(0)) is not None
    return backend


def an_unsigned(backend: ChainBackend) -> Json:
    chain = backend.test_chain
    operation = chain.transfer("alice", "bob", 5)
    return transaction_json(chain.transaction(operation, signers=[])) | {"ref_block_num": 0}


def key_of_alice(backend: ChainBackend) -> str:
    account = Client(backend).call("get_account_by_name", "alice")
    return str(account["active"]["key_auths"][0][0])


ARGUMENTS: dict[str, list[Json]] = {
    "get_24_volume": ["TEST", "USD"],
    "get_account_balances": ["alice", []],
    "get_account_by_name": ["alice"],
    "get_block": [4],
    "get_block_header": [4],
    "get_call_orders": ["USD", 10],
    "get_full_accounts": [["alice"], True],
    "get_limit_orders": ["TEST", "USD", 10],
    "get_objects:1.2": [["1.2.9"]],
    "get_objects:1.3": [["1.3.1"]],
    "get_objects:1.6": [["1.6.1"]],
    "get_objects:1.7": [["1.7.0"]],
    "get_objects:1.8": [["1.8.0"]],
    "get_objects:2.0": [["2.0.0"]],
    "get_objects:2.1": [["2.1.0"]],
    "get_objects:2.12": [["2.12.0"]],
    "get_objects:2.3": [["2.3.0"]],
    "get_objects:2.4": [["2.4.0"]],
    "get_objects:2.5": [["2.5.0", "2.5.1"]],
    "get_objects:2.8": [["2.8.0"]],
    "get_order_book": ["TEST", "USD", 10],
    "get_settle_orders": ["USD", 10],
    "get_ticker": ["USD", "TEST"],
    "get_trade_history": ["TEST", "USD", "2030-01-01T00:00:00", "2000-01-01T00:00:00", 10],
    "get_trade_history_by_sequence": ["TEST", "USD", 0, "2000-01-01T00:00:00", 10],
    "list_assets": ["USD", 1],
    "login": ["", ""],
    "lookup_account_names": [["alice"]],
    "lookup_asset_symbols": [["USD"]],
    "set_block_applied_callback": [2],
    "set_pending_transaction_callback": [0],
    "set_subscribe_callback": [1, False],
    "subscribe_to_market": [4, "TEST", "USD"],
    "get_account_history": ["alice", "1.11.0", 100, "1.11.0"],
    "get_fill_order_history": ["TEST", "USD", 10],
    "get_market_history": ["TEST", "USD", 60, "2000-01-01T00:00:00", "2030-01-01T00:00:00"],
}
APIS: dict[str, int | str] = {
    "login": 1, "database": 1, "history": 1, "network_broadcast": 1, "orders": 1,
    "get_account_history": "history", "get_fill_order_history": "history",
    "get_market_history": "history", "get_market_history_buckets": "history",
}  # fmt: skip
ELSEWHERE = {
    "broadcast_transaction": "below",
    "broadcast_transaction_synchronous": "below",
    "broadcast_transaction_with_callback": "below",
    "get_balance_objects": "below",
}


@pytest.mark.parametrize("name", sorted(REAL["answers"].keys() - ELSEWHERE.keys()))
def test_an_answer_has_the_shape_of_bitshares(backend: ChainBackend, name: str) -> None:
    """CLIENTS: the same keys and types, whatever the values."""
    computed: dict[str, list[Json]] = {
        "get_key_references": [[key_of_alice(backend)]],
        "get_potential_signatures": [an_unsigned(backend)],
        "get_potential_address_signatures": [an_unsigned(backend)],
        "get_required_signatures": [an_unsigned(backend), [key_of_alice(backend)]],
        "get_required_fees": [an_unsigned(backend)["operations"], "1.3.0"],
    }
    arguments = computed.get(name, ARGUMENTS.get(name, []))
    method = name.partition(":")[0]
    ours = Client(backend).call(method, *arguments, api=APIS.get(name, 0))
    real = REAL["answers"][name]["result"]
    assert bool(ours) == bool(real) or name.endswith("by_sequence") or real == 0
    assert list(differences(real, ours)) == []


def test_broadcasts_answer_as_bitshares_does() -> None:
    """CLIENTS: null at once, or the confirmation itself, in the same keys."""
    backend = ChainBackend(TestChain("alice", "bob"), instant=True)
    client = Client(backend)
    chain = backend.test_chain

    def send(method: str, *before: Json) -> Json:
        body = transaction_json(chain.transaction(chain.transfer("alice", "bob", 5)))
        return client.call(method, *before, body, api="network_broadcast")

    assert send("broadcast_transaction") is None
    assert send("broadcast_transaction_with_callback", 27) is None
    confirmed = send("broadcast_transaction_synchronous")
    real = REAL["answers"]["broadcast_transaction_synchronous"]["result"]
    assert list(differences(real, confirmed)) == []


def test_notices_have_the_shape_of_bitshares() -> None:
    """CLIENTS: [callback, [argument]], each kind with its own argument."""
    backend = ChainBackend(TestChain("alice", "bob"))
    client = Client(backend)
    chain = backend.test_chain
    backend.produce(*chain.feed("USD", 1, 10))
    alice, bob = chain.account("alice"), chain.account("bob")
    debt = CallOrderUpdate(NO_FEE, alice, chain.amount(10**6), chain.amount(10**4, "USD"))
    backend.produce(debt)
    client.call("set_subscribe_callback", 17, False)
    client.call("get_objects", ["2.1.0"])
    client.call("set_block_applied_callback", 212)
    client.call("set_pending_transaction_callback", 0)
    client.call("subscribe_to_market", 179, "TEST", "USD")
    sells = LimitOrderCreate(NO_FEE, alice, chain.amount(50, "USD"), chain.amount(500))
    buys = LimitOrderCreate(NO_FEE, bob, chain.amount(500), chain.amount(50, "USD"))
    for operation in (sells, buys):
        body = transaction_json(chain.transaction(operation))
        client.call("broadcast_transaction_with_callback", 27, body, api="network_broadcast")
    backend.produce()
    found: dict[int, Json] = {}
    for callback, argument in client.notices():
        found.setdefault(callback, [callback, argument])
    names = {
        17: "set_subscribe_callback",
        27: "broadcast_transaction_with_callback",
        212: "set_block_applied_callback",
        0: "set_pending_transaction_callback",
        179: "subscribe_to_market",
    }
    assert set(found) == set(names)
    for callback, name in names.items():
        real = REAL["notices"][name]["params"]
        if name == "set_subscribe_callback":
            head = [item for item in real[1][0] if item["id"] == "2.1.0"]
            real = [17, [head]]
        assert list(differences(real[1], found[callback][1])) == [], name


def test_an_error_has_the_shape_of_bitshares(backend: ChainBackend) -> None:
    """CLIENTS: `code`, `message` and `data` with a stack; what is more is ours."""
    ours = Client(backend).answer("get_account_balances", "nobody", [])
    real = REAL["errors"][0]
    assert ours.keys() | {"jsonrpc"} == real.keys() | {"jsonrpc"}
    assert ours["error"].keys() == real["error"].keys()
    assert ours["error"]["data"].keys() >= real["error"]["data"].keys()
    theirs, mine = (answer["error"]["data"]["stack"][0] for answer in (real, ours))
    assert mine.keys() == theirs.keys()
    assert mine["context"].keys() == theirs["context"].keys()


def test_the_comparison_finds_differences() -> None:
    """The comparison itself can fail."""
    assert list(differences({"a": 1}, {"a": "1"})) == []
    assert list(differences({"a": 1}, {"a": "x"})) == [".a: number in BitShares, str here"]
    assert list(differences({"a": 1}, {})) == [".a: only in BitShares"]
    assert list(differences([{"a": 1}], [{"a": 1}, {"b": 1}]))
    assert list(differences([4, {"a": 1}], [4, {}])) == ["[1].a: only in BitShares"]
    assert list(differences([4, {"a": 1}], [5, {}])) == []
