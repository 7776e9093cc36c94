"""`rpc.discover`: the API described by the declarations that serve it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from node.api.arguments import parameters_of
from node.api.methods.tables import APIS, DATABASE, api_document
from protocol.operations import OPERATIONS
from tests.support.api import ChainBackend, Client, Json, transaction_json
from tests.support.chain import TestChain


@pytest.fixture
def client() -> Client:
    return Client(ChainBackend(TestChain("alice", "bob")))


@pytest.fixture
def document(client: Client) -> Json:
    return client.request({"id": 1, "jsonrpc": "2.0", "method": "rpc.discover"})["result"]


def methods_of(document: Json) -> dict[str, Json]:
    return {method["name"]: method for method in document["methods"]}


def schemas_in(value: Json) -> Iterator[Json]:
    """Every JSON object of a document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from schemas_in(item)


def accepts(document: Json, schema: Json, value: Json) -> bool:
    """Whether a value fits a schema; knows the few words that the document uses."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        return accepts(document, document["components"]["schemas"][name], value)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            fits = sum(accepts(document, inner, value) for inner in schema[word])
            return fits == 1 if word == "oneOf" else fits >= 1
    if "const" in schema:
        return bool(value == schema["const"])
    names = schema.get("type", [])
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    kinds = [names] if isinstance(names, str) else names
    if kinds and not any(
        value is None if kind == "null" else isinstance(value, types[kind]) for kind in kinds
    ):
        return False
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return (
            len(value) <= schema.get("maxProperties", len(value))
            and set(schema.get("required", ())) <= set(value)
            and all(accepts(document, known[key], value[key]) for key in value if key in known)
        )
    if isinstance(value, list):
        places = schema.get("prefixItems") or [schema.get("items", {})] * len(value)
        return schema.get("minItems", 0) <= len(value) <= schema.get(
            "maxItems", len(value)
        ) and all(accepts(document, *pair) for pair in zip(places, value, strict=False))
    if isinstance(value, str) and "pattern" in schema:
        return re.search(schema["pattern"], value) is not None
    if isinstance(value, int) and not isinstance(value, bool):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def test_every_method_of_every_api_is_described(document: Json) -> None:
    """None is left out and none is made up; each parameter has name, schema and requirement."""
    found = methods_of(document)
    assert len(found) == len(document["methods"])
    declared = {
        name if api == DATABASE else f"{api}.{name}": method
        for api, table in APIS.items()
        for name, method in table.items()
    }
    assert found.keys() == declared.keys()
    for name, method in declared.items():
        described = found[name]["params"]
        parameters = parameters_of(method)
        assert [one["name"] for one in described] == [one.name for one in parameters]
        assert [one["required"] for one in described] == [one.required for one in parameters]
        assert all(one["schema"] for one in described), name


def test_the_structure_is_that_of_openrpc(document: Json) -> None:
    """OpenRPC 1.3: the required fields, positional parameters, no optional before a required."""
    assert re.fullmatch(r"1\.[0-9]+\.[0-9]+", document["openrpc"])
    assert document["info"]["title"]
    assert document["info"]["version"] == "0.1.0"
    assert document.keys() <= {"openrpc", "info", "servers", "methods", "components"}
    for method in document["methods"]:
        assert {"name", "params", "result", "summary"} <= method.keys()
        assert method["summary"], method["name"]
        assert method["paramStructure"] == "by-position"
        assert {"name", "schema"} <= method["result"].keys()
        required = [one["required"] for one in method["params"]]
        assert required == sorted(required, reverse=True), method["name"]
        names = [one["name"] for one in method["params"]]
        assert len(names) == len(set(names))


def test_every_reference_leads_somewhere(document: Json) -> None:
    """The form of every operation is in the document, under the name of its class."""
    schemas = document["components"]["schemas"]
    references = {item["$ref"] for item in schemas_in(document) if "$ref" in item}
    assert references == {f"#/components/schemas/{name}" for name in schemas}
    assert {row.cls.__name__ for row in OPERATIONS.values()} <= schemas.keys()


def test_a_real_transaction_fits_its_schema(client: Client, document: Json) -> None:
    """The schema says yes to what clients send, and no to what is no transaction."""
    chain = TestChain("alice", "bob")
    body = transaction_json(chain.transaction(chain.transfer("alice", "bob", 5)))
    (parameter,) = methods_of(document)["network_broadcast.broadcast_transaction"]["params"]
    assert accepts(document, parameter["schema"], body)
    assert not accepts(document, parameter["schema"], body | {"operations": [[0, {}]]})
    assert not accepts(document, parameter["schema"], body | {"expiration": "tomorrow"})
    del body["expiration"]
    assert not accepts(document, parameter["schema"], body)


def test_limits_are_part_of_the_schema(document: Json) -> None:
    """T-A2: a client reads the most that it may ask for."""
    limit = methods_of(document)["lookup_accounts"]["params"][1]["schema"]
    assert accepts(document, limit, 1_000)
    assert not accepts(document, limit, 1_001)
    keys = methods_of(document)["get_key_references"]["params"][0]["schema"]
    assert keys["maxItems"] == 100


def test_described_names_can_be_called(client: Client) -> None:
    """A bare name is a database method; `api.method` reaches any API, in both dialects."""
    by_name = client.request({"id": 1, "method": "history.get_account_history", "params": ["x"]})
    assert by_name == {"id": 1, "result": []}
    assert client.call("rpc.discover") == client.call("discover", api="rpc")
    assert client.refuse("nothing.discover")["code"] == -32601
    assert client.refuse("rpc.nothing")["code"] == -32601


def test_the_document_is_made_in_steps_and_once() -> None:
    """T-A2: reading all declarations takes long; the text of them is kept."""
    steps = api_document("a version of its own")
    assert sum(1 for _ in steps) == sum(len(table) for table in APIS.values())
    assert list(api_document("a version of its own")) == []
