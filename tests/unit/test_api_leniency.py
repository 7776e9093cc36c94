"""How argument lists are read, over every method and every parameter of the API (A1, A2, A3).

What BitShares' node converts is converted; what could hide a mistake is refused by name.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache

import pytest

from node.api.arguments import Parameter, parameters_of
from node.api.methods.tables import APIS
from protocol.operations import OPERATIONS
from tests.support.api import ChainBackend, Client, Json
from tests.support.arguments import (
    EVERY_METHOD,
    EVERY_PARAMETER,
    TRANSACTION,
    kinds_of,
    sample_arguments,
)
from tests.support.chain import TestChain
from tests.vectors.test_operations import VECTORS

INVALID_PARAMS = -32602
READING = ("database", "history", "block", "asset", "orders", "crypto")
"""APIs whose methods change at most their own session."""
DRAFTS = (
    "get_required_signatures",
    "get_potential_signatures",
    "get_potential_address_signatures",
    "get_transaction_hex",
    "get_transaction_hex_without_sig",
    "verify_authority",
)
"""Methods that read a transaction before all of it is there; beside `get_required_fees`."""


def a_client() -> Client:
    return Client(ChainBackend(TestChain("alice", "bob"), instant=True))


@cache
def a_read_chain() -> ChainBackend:
    """What only methods that change nothing are asked of."""
    return ChainBackend(TestChain("alice", "bob"), instant=True)


@pytest.fixture(scope="module")
def client() -> Client:
    """Of a chain that no test of this module changes on purpose."""
    return a_client()


def outcome(api: str, name: str, arguments: list[Json]) -> Json:
    """What a call on a chain as new gives, which follows from its arguments alone."""
    return json.loads(outcome_text(api, name, json.dumps(arguments)))


@cache
def outcome_text(api: str, name: str, arguments: str) -> str:
    asked = Client(a_read_chain()) if api in READING else a_client()
    answer = asked.answer(name, *json.loads(arguments), api=api)
    return json.dumps(answer.get("result", answer.get("error")))


def a_parameter(api: str, name: str, place: int) -> Parameter:
    return parameters_of(APIS[api][name])[place]


def with_argument(api: str, name: str, place: int, value: Json) -> list[Json]:
    """The well-formed arguments of a method, one of them replaced."""
    arguments = sample_arguments(api, name)
    arguments[place] = value
    return arguments


@pytest.mark.parametrize(("api", "name"), EVERY_METHOD)
def test_the_samples_are_well_formed(api: str, name: str) -> None:
    """Else the tests below would find nothing."""
    found = outcome(api, name, sample_arguments(api, name))
    assert not isinstance(found, dict) or found.get("code") != INVALID_PARAMS, found


@pytest.mark.parametrize(("api", "name"), EVERY_METHOD)
def test_surplus_arguments_are_passed_over(api: str, name: str) -> None:
    """A1: bitshares-explorer-api, Graphene-Metanode and bitshares-signing send them."""
    arguments = sample_arguments(api, name)
    assert outcome(api, name, [*arguments, 0, "x", {}]) == outcome(api, name, arguments)


@pytest.mark.parametrize(("api", "name", "place"), EVERY_PARAMETER)
def test_scalars_are_converted(api: str, name: str, place: int) -> None:
    """A2: booleans from integers and text, integers from text and booleans, text from integers."""
    kind = a_parameter(api, name, place).argument.kind
    equals: list[tuple[Json, Json]] = []
    if kind == "boolean":
        equals = [("true", True), (1, True), (7, True), ("false", False), (0, False)]
    elif is_integer(kind):
        equals = [("1", 1), (True, 1)]
    elif kind == "text" and name != "debug_generate_blocks":
        equals = [(1234, "1234")]
    for given, meant in equals:
        found = outcome(api, name, with_argument(api, name, place, given))
        assert found == outcome(api, name, with_argument(api, name, place, meant)), given


@pytest.mark.parametrize(("api", "name", "place"), EVERY_PARAMETER)
def test_null_stands_for_an_optional_argument_that_is_left_out(
    api: str, name: str, place: int
) -> None:
    """A2: cli_wallet sends null for what it leaves out; for what is required it is refused,
    but where null is a value."""
    arguments = sample_arguments(api, name)
    parameter = a_parameter(api, name, place)
    found = outcome(api, name, with_argument(api, name, place, None))
    if parameter.argument.kind.endswith(" or null"):
        assert found.get("code") != INVALID_PARAMS
    elif parameter.required:
        assert found["code"] == INVALID_PARAMS
        assert parameter.name in found["message"]
    else:
        nulls = [None] * (len(arguments) - place)
        omitted = outcome(api, name, arguments[:place])
        assert outcome(api, name, arguments[:place] + nulls) == omitted


@pytest.mark.parametrize(("api", "name", "place"), EVERY_PARAMETER)
def test_a_wrong_type_or_range_is_refused_by_name(api: str, name: str, place: int) -> None:
    """A2: with the parameter, the value that came and what is expected."""
    parameter = a_parameter(api, name, place)
    for wrong in wrong_values(parameter):
        found = outcome(api, name, with_argument(api, name, place, wrong))
        assert found["code"] == INVALID_PARAMS, wrong
        assert f", {parameter.name}: " in found["message"], wrong
        assert found["data"]["value"] is not None, wrong
        assert found["data"]["limit"] is not None, wrong


def is_integer(kind: str) -> bool:
    """Whether an argument of a kind is read as a number."""
    return kind.startswith(("integer", "limit,", "block number", "callback"))


def wrong_values(parameter: Parameter) -> Iterator[Json]:
    """Values that nobody can have meant."""
    kind = parameter.argument.kind
    if kinds_of(kind)[1]:
        yield from (5, "x", {"a": 1}, [[[]]])
        if not is_integer(kinds_of(kind)[0]):
            yield [True]
        return
    yield [[]]
    if kind not in ("object", "transaction", "signed transaction", "signed block", "price"):
        yield {"a": 1}
    if is_integer(kind):
        yield from ("x", "", "1.5", "0x10", 1 << 63, str(1 << 64))
        yield from () if "from -" in kind else (-1, "-1")
    elif kind == "boolean":
        yield from ("", "x", "True", "1", "yes")
    else:
        yield True
    if kind.endswith(" id") and kind not in ("account name or id", "asset symbol or id"):
        yield from ("", "x", "9.9.9.9", "1.2", 12)
    if kind.startswith("time"):
        yield from ("", "x", "2026-13-01T00:00:00", 5)
    if kind in ("transaction", "signed transaction"):
        yield from (5, "x", {**TRANSACTION, "expiration": "x"}, {**TRANSACTION, "operations": 1})


@pytest.mark.parametrize("operation", [[id_, {}] for id_ in OPERATIONS], ids=lambda op: str(op[0]))
def test_an_operation_without_any_field_has_the_defaults_of_bitshares(
    client: Client, operation: Json
) -> None:
    """A3: a fee is asked for before there is an operation; `["1", {"from": ...}]` is enough."""
    assert client.call("get_required_fees", [operation], "1.3.0")
    as_text = [str(operation[0]), {"no such field": 1}]
    assert client.call("get_required_fees", [as_text], "1.3.0") == client.call(
        "get_required_fees", [operation], "1.3.0"
    )
    for name in ("get_transaction_hex", "get_transaction_hex_without_sig"):
        assert client.call(name, {"operations": [operation]}).startswith("00" * 10 + "01")


def test_absent_fields_hold_what_bitshares_has() -> None:
    """A3: market.hpp, asset_ops.hpp, account.hpp: what is neither zero nor empty."""
    client = a_client()
    order = client.call("get_transaction_hex_without_sig", {"operations": [[1, {}]]})
    amount = "00" * 9
    fields = amount + "00" + amount + amount + "ffffffff" + "00" + "00"
    assert order == "00" * 10 + "01" + "01" + fields + "00"
    options = client.call("get_transaction_hex", {"operations": [[10, {"common_options": {}}]]})
    supply = (10**15).to_bytes(8, "little").hex()
    assert f"{supply}0000{supply}4f000000" in options
    account = client.call("get_transaction_hex", {"operations": [[5, {"options": {}}]]})
    assert "00" * 33 + "05" + "0000" + "0000" in account


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_every_field_may_be_absent_where_only_the_form_is_read(
    client: Client, vector: Json
) -> None:
    """A3: at any depth; a broadcast still tells what is missing."""
    for operation in without_one_key(vector["operation"]):
        assert client.call("get_required_fees", [operation], "1.3.0")
        body = TRANSACTION | {"operations": [operation]}
        for name in DRAFTS:
            answer = client.answer(name, body, [])
            code = answer.get("error", {"code": 0})["code"]
            assert code != INVALID_PARAMS, answer


def without_one_key(value: Json) -> Iterator[Json]:
    """A JSON value as often as there are keys in it, each time without another of them."""
    for path in paths_of(value):
        shorter = copy.deepcopy(value)
        inner = shorter
        for step in path[:-1]:
            inner = inner[step]
        del inner[path[-1]]
        yield shorter


def paths_of(value: Json) -> Iterator[list[str | int]]:
    items: Json = value.items() if isinstance(value, dict) else []
    for key, inner in enumerate(value) if isinstance(value, list) else items:
        if isinstance(key, str):
            yield [key]
        for path in paths_of(inner):
            yield [key, *path]


@pytest.mark.parametrize("field", ["ref_block_num", "ref_block_prefix", "expiration", "operations"])
def test_a_broadcast_tells_what_is_missing(client: Client, field: str) -> None:
    """A3: signed and sent, a transaction that lacks a field is a mistake."""
    body = {key: value for key, value in TRANSACTION.items() if key != field}
    for api, name, arguments in (
        ("network_broadcast", "broadcast_transaction", [body]),
        ("network_broadcast", "broadcast_transaction_with_callback", [1, body]),
        ("network_broadcast", "broadcast_transaction_synchronous", [body]),
        ("database", "validate_transaction", [body]),
    ):
        error = client.refuse(name, *arguments, api=api)
        assert error["code"] == INVALID_PARAMS
        assert f"lacks the field {field}" in error["message"]
