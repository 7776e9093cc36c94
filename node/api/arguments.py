"""The types that a method's parameters may have, and how each is read from JSON.

A method is a plain function: its first parameter is the `Call`, the others are its arguments, and
their annotations say how they are read. So the signature is the whole declaration, from which a
description of the API can be derived. Clients may leave optional ones out or send null (Y9.3).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from functools import cache, lru_cache
from types import FunctionType, SimpleNamespace
from typing import Annotated, cast, get_type_hints

from node.api.backend import ApiBackend
from node.api.errors import InvalidParams
from node.api.json_schema import Describe, array_of, described_as, id_schema, integer_schema, plain
from node.api.moments import Moment, parse_moment
from node.state.errors import NoSuchObject
from node.state.objects.accounts import Account
from node.state.objects.assets import Asset
from protocol.asset import Price
from protocol.block import SignedBlock
from protocol.drafts import draft_from_json_as
from protocol.errors import DecodeError, PegboardError
from protocol.ids import (
    ID_TYPES,
    AccountId,
    AssetId,
    LimitOrderId,
    ObjectId,
    OperationHistoryId,
    parse_id,
    parse_object_id,
)
from protocol.json_form import JsonValue, from_json_as, parse_time, read_boolean, read_integer
from protocol.operations.base import Operation, TaggedOperation
from protocol.p2p.messages import is_ip_address
from protocol.schema import PublicKey, Record, Timestamp, TransactionId
from protocol.transaction import SignedTransaction

LIST_MAX = 1_000
"""Most items of a list argument that has no limit of its own."""

IDS_KEPT = 8_192
"""Ids that clients asked for last, read already."""

_known_object_id = lru_cache(IDS_KEPT)(parse_object_id)

Reader = Callable[[ApiBackend, JsonValue], object]


class Argument(Record, gc=True):
    """How an argument is read, and how it is described: in a few words and as JSON Schema."""

    kind: str
    read: Reader
    describe: Describe
    maximum: int = 0
    """Most answers or items that it may ask for; 0 where it asks for no number of them (T-A2)."""


class Parameter(Record):
    """One parameter of a method."""

    name: str
    argument: Argument
    required: bool
    default: object


@cache
def parameters_of(method: Callable[..., object]) -> tuple[Parameter, ...]:
    """The parameters of a method after the call itself, as its signature declares them."""
    function = cast(FunctionType, method)
    annotations = {name: at for name, at in function.__annotations__.items() if name != "return"}
    hints = get_type_hints(
        SimpleNamespace(__annotations__=annotations), function.__globals__, include_extras=True
    )
    found = []
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        metadata = getattr(hints[parameter.name], "__metadata__", ())
        arguments = [item for item in metadata if isinstance(item, Argument)]
        assert len(arguments) == 1, (method, parameter)
        required = parameter.default is inspect.Parameter.empty
        default = None if required else parameter.default
        found.append(Parameter(parameter.name, arguments[0], required, default))
    return tuple(found)


def read_arguments(
    backend: ApiBackend, method: Callable[..., object], data: list[JsonValue]
) -> list[object]:
    """Read the arguments of a method, in order; raises `InvalidParams` that names the parameter,
    the value and what is expected.

    As in BitShares, arguments beyond the last parameter are passed over, and null stands for an
    optional one that is left out. An account or asset that does not exist is a refusal of its
    own, `NoSuchObject`.
    """
    parameters = parameters_of(method)
    values: list[object] = []
    for index, parameter in enumerate(parameters):
        given = data[index] if index < len(data) else None
        if given is None and not parameter.required:
            values.append(parameter.default)
            continue
        if index >= len(data):
            raise InvalidParams(
                f"argument {index + 1}, {parameter.name}, is missing",
                value=len(data),
                limit=sum(one.required for one in parameters),
            )
        try:
            values.append(parameter.argument.read(backend, given))
        except NoSuchObject:
            raise
        except PegboardError as error:
            raise InvalidParams(
                f"argument {index + 1}, {parameter.name}: {error.what}",
                rule=error.rule,
                value=given if error.value is None else error.value,
                limit=parameter.argument.kind if error.limit is None else error.limit,
            ) from error
    return values


def find_account(backend: ApiBackend, text: str) -> Account | None:
    """The account of a name or an id, or None."""
    if text.startswith("1.2."):
        return backend.state.accounts.find(parse_id(AccountId, text))
    return backend.state.account_by_name.find(text)


def find_asset(backend: ApiBackend, text: str) -> Asset | None:
    """The asset of a symbol or an id, or None."""
    if text.startswith("1.3."):
        return backend.state.assets.find(parse_id(AssetId, text))
    return backend.state.asset_by_symbol.find(text)


def _text(backend: ApiBackend, data: JsonValue) -> str:
    """Text; an integer is its digits, as in BitShares."""
    if isinstance(data, int) and not isinstance(data, bool):
        return str(data)
    if not isinstance(data, str):
        raise DecodeError("not a string", value=data)
    return data


def need_asset(backend: ApiBackend, text: str) -> Asset:
    """The asset of a symbol or an id; raises `NoSuchObject`."""
    asset = find_asset(backend, text)
    if asset is None:
        raise NoSuchObject("no such asset", rule="R0.1", value=text)
    return asset


def _account(backend: ApiBackend, data: JsonValue) -> Account:
    account = find_account(backend, _text(backend, data))
    if account is None:
        raise NoSuchObject("no such account", rule="R0.1", value=data)
    return account


def _asset(backend: ApiBackend, data: JsonValue) -> Asset:
    return need_asset(backend, _text(backend, data))


def _boolean(backend: ApiBackend, data: JsonValue) -> bool:
    return read_boolean(data)


def _integer(data: JsonValue, low: int, high: int) -> int:
    """An integer, a decimal string, or a boolean for 0 or 1, as in BitShares."""
    return read_integer(int(data) if isinstance(data, bool) else data, low, high)


def _callback(backend: ApiBackend, data: JsonValue) -> int:
    return _integer(data, 0, (1 << 63) - 1)


def _block_num(backend: ApiBackend, data: JsonValue) -> int:
    return _integer(data, 0, (1 << 32) - 1)


def _time(backend: ApiBackend, data: JsonValue) -> int:
    return parse_time(_text(backend, data))


def _moment(backend: ApiBackend, data: JsonValue) -> Moment:
    return parse_moment(_text(backend, data))


def _endpoint(backend: ApiBackend, data: JsonValue) -> tuple[str, int]:
    host, colon, port = _text(backend, data).rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not is_ip_address(host):
        raise DecodeError("not an address and a port, such as 127.0.0.1:1776", value=data)
    return host, read_integer(port, 1, (1 << 16) - 1)


def _json_object(backend: ApiBackend, data: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(data, dict):
        raise DecodeError("not an object", value=data)
    return data


def _object_id(backend: ApiBackend, data: JsonValue) -> ObjectId:
    return _known_object_id(_text(backend, data))


def _wire(annotation: Hashable) -> Reader:
    return lambda backend, data: from_json_as(annotation, data, backend.address_prefix)


def _id_of(space: int, type_: int) -> Reader:
    def read(backend: ApiBackend, data: JsonValue) -> int:
        found = _known_object_id(_text(backend, data))
        if (found.space, found.type) != (space, type_):
            raise DecodeError("id of another type", value=data, limit=f"{space}.{type_}.n")
        return found.instance

    return read


def integer(low: int, high: int) -> Argument:
    """An integer within bounds, as a number, a decimal string or a boolean."""
    return Argument(
        f"integer from {low} to {high}",
        lambda backend, data: _integer(data, low, high),
        plain(integer_schema(low, high)),
    )


def at_most(maximum: int) -> Argument:
    """How many answers are wanted, at most (T-A2)."""

    def read(backend: ApiBackend, data: JsonValue) -> int:
        wanted = _integer(data, 0, (1 << 32) - 1)
        if wanted > maximum:
            raise DecodeError(
                "more answers than one call gives", rule="T-A2", value=wanted, limit=maximum
            )
        return wanted

    return Argument(f"limit, at most {maximum}", read, plain(integer_schema(0, maximum)), maximum)


def list_of(inner: Argument, maximum: int = LIST_MAX) -> Argument:
    """A list of arguments of one kind, of bounded length (T-A2)."""

    def read(backend: ApiBackend, data: JsonValue) -> list[object]:
        if not isinstance(data, list):
            raise DecodeError("not a list", value=data)
        if len(data) > maximum:
            raise DecodeError("list too long", rule="T-A2", value=len(data), limit=maximum)
        return [inner.read(backend, item) for item in data]

    kind = f"list of {inner.kind}, at most {maximum}"
    return Argument(kind, read, array_of(inner.describe, maximum), maximum)


def _wired(kind: str, annotation: Hashable) -> Argument:
    """A value in the form that it has in transactions."""
    return Argument(kind, _wire(annotation), described_as(annotation))


def draft_of(kind: str, annotation: Hashable) -> Argument:
    """A value in that form, whose absent fields have BitShares' values or their declared ones."""

    def read(backend: ApiBackend, data: JsonValue) -> object:
        return draft_from_json_as(annotation, data, backend.address_prefix)

    return Argument(kind, read, described_as(annotation))


def instance_of(kind: str, id_type: object) -> Argument:
    """The id of an object of one type; methods are given its instance."""
    space, type_ = ID_TYPES[id_type]
    return Argument(kind, _id_of(space, type_), plain(id_schema(space, type_)))


STRING = plain({"type": "string"})

TEXT = Argument("text", _text, STRING)
ACCOUNT = Argument("account name or id", _account, STRING)
ASSET = Argument("asset symbol or id", _asset, STRING)
OBJECT_ID = Argument("object id", _object_id, described_as(ObjectId))
KEY = _wired("public key", PublicKey)
KEY_OR_NULL = _wired("public key or null", PublicKey | None)

BOOLEAN = Argument("boolean", _boolean, plain({"type": "boolean"}))
CALLBACK = Argument("callback", _callback, plain(integer_schema(0, (1 << 63) - 1)))
BLOCK_NUM = Argument("block number", _block_num, plain(integer_schema(0, (1 << 32) - 1)))
TIME = Argument("time, UTC", _time, described_as(Timestamp))
ORDER_ID = instance_of("limit order id", LimitOrderId)
PRICE = _wired("price", Price)
MOMENT = Argument(
    "time, UTC, or seconds, minutes, hours, days on: +90s, +15m, +1h, +2d", _moment, STRING
)
ENDPOINT = Argument("address and port", _endpoint, STRING)
JSON_OBJECT = Argument("object", _json_object, plain({"type": "object"}))
OPERATION = draft_of("operation", TaggedOperation)

Text = Annotated[str, TEXT]
Boolean = Annotated[bool, BOOLEAN]
AccountArg = Annotated[Account, ACCOUNT]
AssetArg = Annotated[Asset, ASSET]
Callback = Annotated[int, CALLBACK]
BlockNum = Annotated[int, BLOCK_NUM]
TransactionIdArg = Annotated[TransactionId, _wired("transaction id", TransactionId)]
Time = Annotated[int, TIME]
MomentArg = Annotated[Moment, MOMENT]
EndpointArg = Annotated[tuple[str, int], ENDPOINT]
JsonObjectArg = Annotated[dict[str, object], JSON_OBJECT]
Texts = Annotated[list[str], list_of(TEXT)]
ObjectIds = Annotated[list[ObjectId], list_of(OBJECT_ID)]
AssetArgs = Annotated[list[Asset], list_of(ASSET, 200)]
Keys = Annotated[list[PublicKey], list_of(KEY, 100)]
Block = Annotated[SignedBlock, _wired("signed block", SignedBlock)]
Transaction = Annotated[SignedTransaction, _wired("signed transaction", SignedTransaction)]
"""For what acts, or says what acting would do: a field that is missing is told."""
DraftTransaction = Annotated[SignedTransaction, draft_of("transaction", SignedTransaction)]
"""For what is asked before all is filled in and signed."""
Operations = Annotated[list[Operation], list_of(OPERATION, 200)]
HistoryId = Annotated[int, instance_of("operation history id", OperationHistoryId)]
OrderId = Annotated[int, ORDER_ID]
