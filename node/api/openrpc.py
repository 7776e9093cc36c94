"""The API described by itself: an OpenRPC document made of the declarations that serve it.

The document is what `rpc.discover` answers. A method of the database API is called by its bare
name, any other as `api.method`; the `call` dialect takes the two apart. Results have no schema
yet: they are described in words.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

from node.api.answers import answer_of
from node.api.arguments import Parameter, parameters_of
from node.api.json_schema import Definitions, JsonSchema, summary_of
from protocol.json_form import JsonValue

OPENRPC_VERSION = "1.3.2"
TITLE = "pegboard"

Methods = Mapping[str, Callable[..., object]]


def describe_apis(
    apis: Mapping[str, Methods], version: str, plain_api: str
) -> Generator[None, None, JsonSchema]:
    """The document of all methods, one a step; those of `plain_api` need no prefix."""
    definitions = Definitions()
    methods: list[JsonValue] = []
    for api, table in apis.items():
        for name, method in table.items():
            full_name = name if api == plain_api else f"{api}.{name}"
            methods.append(_describe_method(full_name, api, method, definitions))
            yield
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": TITLE,
            "version": version,
            "description": "A BitShares-like node. Arguments are positional; the same methods"
            " answer to the `call` dialect: call [api, method, [arguments]].",
        },
        "methods": methods,
        "components": {"schemas": dict(sorted(definitions.schemas.items()))},
    }


def _describe_method(
    name: str, api: str, method: Callable[..., object], definitions: Definitions
) -> JsonSchema:
    summary = summary_of(method)
    parameters = parameters_of(method)
    record = answer_of(method)
    answer = {} if record is None else definitions.of(record)
    return {
        "name": name,
        "summary": summary,
        "description": " ".join((method.__doc__ or "").split()),
        "tags": [{"name": api}],
        "paramStructure": "by-position",
        "params": [_describe_parameter(parameter, definitions) for parameter in parameters],
        "result": {"name": "result", "description": summary, "schema": answer},
    }


def _describe_parameter(parameter: Parameter, definitions: Definitions) -> JsonSchema:
    schema = parameter.argument.describe(definitions)
    if isinstance(parameter.default, bool | int | str):
        schema["default"] = parameter.default
    return {
        "name": parameter.name,
        "description": parameter.argument.kind,
        "required": parameter.required,
        "schema": schema,
    }
