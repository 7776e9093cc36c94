"""The envelope of calls and answers, as the published clients of BitShares need it."""

from __future__ import annotations

import json
import re

import pytest

from node.api.arguments import parameters_of
from node.api.methods.tables import APIS
from node.state.errors import InvariantViolated
from tests.support.api import ChainBackend, Client, Json, transaction_json
from tests.support.chain import TestChain


@pytest.fixture
def backend() -> ChainBackend:
    return ChainBackend(TestChain("alice", "bob"))


@pytest.fixture
def client(backend: ChainBackend) -> Client:
    return Client(backend)


def test_the_handshake_of_the_javascript_clients(client: Client) -> None:
    """Trap 2: login is true, the database is 0, others get numbers in the order of asking."""
    assert client.call("login", "", "", api=1) is True
    assert client.call("database", api=1) == 0
    assert client.call("network_broadcast", api=1) == 2
    assert client.call("orders", api=1) == 3
    assert client.call("history", api=1) == 4
    assert client.call("network_broadcast", api=1) == 2
    assert client.call("get_market_history_buckets", api=4) == [
        60, 300, 900, 1800, 3600, 14400, 86400
    ]  # fmt: skip


def test_apis_by_name_need_no_handshake(client: Client) -> None:
    """Trap 2: the Python client says "history" and "network_broadcast"."""
    assert client.call("get_market_history_buckets", api="history")
    assert client.call("get_chain_id", api="database") == client.call("get_chain_id", api=0)


def test_a_plain_method_goes_to_the_database(client: Client) -> None:
    """Trap 2: a request whose method is not `call` is for API 0."""
    answer = client.request({"id": 1, "method": "get_chain_id", "params": []})
    assert answer["result"] == client.call("get_chain_id")
    assert client.request({"id": 2, "method": "get_account_count"})["result"] > 0


def test_id_0_is_an_id(client: Client) -> None:
    """Trap 3: btsdex numbers its requests from 0."""
    answer = client.request({"id": 0, "method": "call", "params": [1, "login", ["", ""]]})
    assert answer == {"id": 0, "result": True}


def test_an_id_may_be_text(client: Client) -> None:
    """JSON-RPC 2.0: an id is a number or a string."""
    assert client.request({"id": "x", "method": "get_chain_id"})["id"] == "x"


def test_the_id_null_is_answered(client: Client) -> None:
    """A8: JSON-RPC 2.0 knows it as an id, if a bad one; only who sends none wants no answer."""
    body = {"jsonrpc": "2.0", "id": None, "method": "call", "params": [0, "get_account_count", []]}
    answer = client.request(body)
    assert answer == {"jsonrpc": "2.0", "id": None, "result": client.call("get_account_count")}
    assert client.request(body | {"method": "nothing"})["error"]["code"] == -32601


def test_a_request_without_id_gets_no_answer(client: Client) -> None:
    """JSON-RPC 2.0: it is a notification; it is carried out all the same."""
    body = json.dumps({"method": "call", "params": [0, "set_block_applied_callback", [3]]})
    assert client.session.receive(body) == []
    assert client.session.subscriptions.block_callback == 3


def test_success_has_no_error_key(client: Client) -> None:
    """Trap 4: the Python client takes the mere key for a failure; void is null."""
    answer = client.answer("cancel_all_subscriptions")
    assert answer == {"id": 0, "result": None}


def test_jsonrpc_is_echoed_only_if_sent(client: Client) -> None:
    """Trap 4: bitsharesjs-ws leaves it out."""
    body = {"id": 7, "method": "call", "params": [0, "get_chain_id", []]}
    assert "jsonrpc" not in client.request(body)
    assert client.request(body | {"jsonrpc": "2.0"})["jsonrpc"] == "2.0"


def test_an_error_has_the_shape_that_clients_read(client: Client) -> None:
    """Clients read `message` and `data.stack[0].format`; our typed fields are beside them."""
    error = client.refuse("get_account_balances", "nobody", [])
    assert error["code"] == 10
    assert error["message"].startswith("Execution error: Assert Exception: no_such_object")
    assert "nobody" in error["message"]
    data = error["data"]
    assert data["code"] == 10
    assert (data["name"], data["value"], data["limit"]) == ("no_such_object", "nobody", None)
    entry = data["stack"][0]
    assert set(entry) == {"context", "format", "data"}
    assert entry["context"]["method"] == "get_account_balances"


def test_a_missing_signature_has_the_code_of_bitshares(
    backend: ChainBackend, client: Client
) -> None:
    """R9.5: 4010001, and the words that clients look for."""
    chain = backend.test_chain
    envelope = chain.transaction(chain.transfer("alice", "bob", 5), signers=["bob"])
    error = client.refuse(
        "broadcast_transaction", transaction_json(envelope), api="network_broadcast"
    )
    assert error["code"] == 4010001
    assert error["message"].startswith(
        "Execution error: missing required active authority: missing_active_auth"
    )
    assert error["data"]["rule"] == "R9.5"


BAD_REQUESTS: list[tuple[Json, int]] = [
    (1, -32600),
    ("call", -32600),
    (None, -32600),
    ([], -32600),
    ({}, -32600),
    ({"id": 1}, -32600),
    ({"id": 1, "method": 5}, -32600),
    ({"id": 1, "method": ""}, -32600),
    ({"id": 1, "method": "x" * 101}, -32600),
    ({"id": 1, "method": "call"}, -32600),
    ({"id": 1, "method": "call", "params": {}}, -32600),
    ({"id": 1, "method": "call", "params": [0]}, -32600),
    ({"id": 1, "method": "call", "params": [0, 1, []]}, -32600),
    ({"id": 1, "method": "call", "params": [True, "get_chain_id", []]}, -32600),
    ({"id": 1, "method": "call", "params": [None, "get_chain_id", []]}, -32600),
    ({"id": 1, "method": "call", "params": [0, "get_chain_id", {}]}, -32600),
    ({"id": 1, "method": "call", "params": [0, "get_chain_id", [], 1]}, -32600),
    ({"id": 1, "method": "call", "params": [99, "get_chain_id", []]}, -32601),
    ({"id": 1, "method": "call", "params": ["wallet", "get_chain_id", []]}, -32601),
    ({"id": 1, "method": "call", "params": [0, "no_such_method", []]}, -32601),
    ({"id": 1, "method": "call", "params": [0, "__class__", []]}, -32601),
    ({"id": 1, "method": "call", "params": [0, "get_block", []]}, -32602),
    ({"id": 1, "method": "call", "params": [0, "get_block", ["x"]]}, -32602),
    ({"id": 1, "method": "call", "params": [0, "get_block", [-1]]}, -32602),
    ({"id": 1, "method": "call", "params": [0, "get_block", [{}]]}, -32602),
    ({"id": 1, "method": "call", "params": [0, "get_objects", ["2.1.0"]]}, -32602),
    ({"id": 1, "method": "call", "params": [0, "get_objects", [["2.1"]]]}, -32602),
    ({"id": 1, "method": "call", "params": [0, "get_objects", [["2.1.0"] * 1001]]}, -32602),
    ({"id": 1, "method": "call", "params": [0, "get_limit_orders", ["TEST", "USD", 301]]}, -32602),
]


@pytest.mark.parametrize(("body", "code"), BAD_REQUESTS)
def test_a_bad_request_is_answered_with_its_code(client: Client, body: Json, code: int) -> None:
    """T-A1: malformed calls get JSON-RPC's own codes, with the id when there is one."""
    answer = client.request(body)
    assert answer["error"]["code"] == code
    assert answer["id"] == (1 if isinstance(body, dict) and "id" in body else None)
    assert client.call("get_chain_id")


@pytest.mark.parametrize(
    ("sent", "echoed"), [(7, 7), ("seven", "seven"), (1 << 64, None), ("x" * 70_000, None)]
)
def test_a_value_out_of_range_is_answered_to_its_call(
    client: Client, sent: int | str, echoed: int | str | None
) -> None:
    """Trap 4: a client that waits for its id is told; an id that breaks a limit is not echoed."""
    error = client.request({"id": sent, "method": "get_objects", "params": [[1 << 64]]})
    assert error["id"] == echoed
    assert error["error"]["code"] == -32600


def test_a_batch_is_answered_in_order(client: Client) -> None:
    """JSON-RPC 2.0: one list of answers; a bad member spoils no other."""
    answers = client.request(
        [
            {"id": 5, "method": "get_account_count"},
            7,
            {"method": "get_account_count"},
            {"id": 6, "method": "get_chain_id"},
        ]
    )
    assert [answer["id"] for answer in answers] == [5, None, 6]
    assert answers[1]["error"]["code"] == -32600


def test_a_batch_is_bounded(client: Client) -> None:
    """T-A1: at most 50 calls in one text."""
    call = {"id": 1, "method": "get_chain_id"}
    assert len(client.request([call] * 50)) == 50
    assert client.request([call] * 51)["error"]["code"] == -32600
    assert client.request([])["error"]["code"] == -32600


def test_a_bug_is_reported_and_tells_nothing(
    backend: ChainBackend, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-A7: an unexpected exception shows neither its text nor its place."""

    def broken(call: object) -> None:
        raise RuntimeError("/secret/path")

    monkeypatch.setitem(APIS["database"], "get_chain_id", broken)
    answer = client.answer("get_chain_id")
    assert answer["error"]["code"] == -32603
    assert "secret" not in json.dumps(answer)
    assert [str(bug) for bug in backend.bugs] == ["/secret/path"]


def test_a_violated_invariant_is_not_swallowed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Section 10: the node must stop, so the exception passes through."""

    def violated(call: object) -> None:
        raise InvariantViolated("supply", rule="I1")

    monkeypatch.setitem(APIS["database"], "get_chain_id", violated)
    with pytest.raises(InvariantViolated):
        client.answer("get_chain_id")


def test_no_answer_leaks_addresses_or_paths(client: Client) -> None:
    """T-A7: over all refusals of this module, no path and no memory address."""
    texts = [json.dumps(client.request(body)) for body, _ in BAD_REQUESTS]
    texts.append(json.dumps(client.refuse("get_required_fees", [[0, {"fee": 5}]], "TEST")))
    assert not [text for text in texts if re.search(r"0x[0-9a-f]{6}|/work|/usr|\.py\b", text)]


def test_every_method_declares_readable_parameters() -> None:
    """The signature is the whole declaration: every parameter of every method is typed."""
    for methods in APIS.values():
        for name, method in methods.items():
            assert method.__doc__, name
            for parameter in parameters_of(method):
                assert parameter.argument.kind, (name, parameter)
