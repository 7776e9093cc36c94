"""BitShares' JSON form: readers and writers derived from `protocol.schema`.

Writers follow what BitShares' node answers: integers that JavaScript could mangle are strings, an
absent optional field is left out. Readers accept what its clients send: integers as numbers or
strings, `[]` or `{}` for an extension, sets in any order, unknown fields, absent optional fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import pairwise
from typing import TypeAlias, TypeVar, assert_never, cast

from protocol.binary_source import sort_key_of
from protocol.crypto.keys import address_text, key_text, parse_address, parse_key
from protocol.errors import DecodeError, KeyFormatError
from protocol.ids import ObjectId, format_vote_id, parse_object_id, parse_vote_id
from protocol.schema import (
    MAX_TIMESTAMP,
    Address,
    ExtensionType,
    Field,
    FixedBytesType,
    IdType,
    IntegerType,
    OptionalType,
    PairType,
    PublicKey,
    ScalarType,
    SequenceType,
    StructType,
    Tagged,
    VariantType,
    Visitor,
    WireType,
    defaults_of,
    schema_of,
    wire_type,
)

JsonValue: TypeAlias = "bool | int | str | list[JsonValue] | dict[str, JsonValue] | None"
T = TypeVar("T")

Encoder = Callable[[object, str], JsonValue]
Decoder = Callable[[JsonValue, str], object]

_INT64_STRING_FROM = 1 << 31
_UINT64_STRING_FROM = 1 << 32
TIMES_KEPT = 4_096
"""Answers repeat times; formatting one costs as much as the rest of an order."""

_BOOLEANS = ("true", "false")
_DECIMAL = re.compile(r"-?[0-9]{1,39}")
_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})")


def to_json(value: object, prefix: str) -> JsonValue:
    """The JSON form of an instance of a declared class; `prefix` begins its key strings."""
    return encoder_for(cast(Hashable, type(value)))(value, prefix)


def to_json_as(annotation: Hashable, value: object, prefix: str) -> JsonValue:
    """The JSON form of a value of any annotation of the vocabulary."""
    return encoder_for(annotation)(value, prefix)


def from_json(cls: type[T], data: JsonValue, prefix: str) -> T:
    """Read an instance of a declared class; `DecodeError` names the path of what is wrong."""
    return cast(T, from_json_as(cast(Hashable, cls), data, prefix))


def from_json_as(annotation: Hashable, data: JsonValue, prefix: str) -> object:
    """Read a value of any annotation of the vocabulary."""
    try:
        return _DECODERS.for_annotation(annotation)(data, prefix)
    except KeyFormatError as error:
        raise DecodeError(error.what, rule=error.rule, value=error.value) from error


@lru_cache(maxsize=TIMES_KEPT)
def format_time(seconds: int) -> str:
    """Seconds since 1970 as BitShares writes them: UTC, no zone, no fraction."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=TIMES_KEPT)
def parse_time(text: str) -> int:
    """Read "2026-11-21T20:12:37" (a trailing Z is allowed); raises `DecodeError`."""
    match = _TIME.fullmatch(text.removesuffix("Z"))
    if match is None:
        raise DecodeError("not a time of the form YYYY-MM-DDTHH:MM:SS", value=text)
    try:
        year, month, day, hour, minute, second = (int(part) for part in match.groups())
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise DecodeError(f"no such time: {error}", value=text) from error
    seconds = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    if not 0 <= seconds <= MAX_TIMESTAMP:
        raise DecodeError("time out of range", value=text, limit=format_time(MAX_TIMESTAMP))
    return seconds


@cache
def encoder_for(annotation: Hashable) -> Encoder:
    """The function (value, prefix) -> JSON of an annotation."""
    return encoder_of(wire_type(annotation))


@cache
def encoder_of(node: WireType) -> Encoder:
    """The function (value, prefix) -> JSON of a wire type."""
    return _ENCODERS.visit(node)


def read_integer(data: JsonValue, low: int, high: int) -> int:
    """An integer given as a JSON number or decimal string, within bounds."""
    if isinstance(data, str) and _DECIMAL.fullmatch(data):
        data = int(data)
    if not isinstance(data, int) or isinstance(data, bool):
        raise DecodeError("not an integer", value=data)
    if not low <= data <= high:
        raise DecodeError("integer out of range", value=data, limit=f"{low}..{high}")
    return data


class _Encoders(Visitor[Encoder]):
    def integer(self, node: IntegerType) -> Encoder:
        if node.bits < 32 or (node.bits == 32 and not node.signed):
            return lambda value, prefix: cast(int, value)
        if node.bits > 64:
            return lambda value, prefix: str(value)
        limit = _INT64_STRING_FROM if node.signed else _UINT64_STRING_FROM
        low = -limit if node.signed else 0

        def encode(value: object, prefix: str) -> JsonValue:
            assert isinstance(value, int)
            return value if low <= value < limit else str(value)

        return encode

    def scalar(self, node: ScalarType) -> Encoder:
        match node.kind:
            case "varint" | "string":
                return lambda value, prefix: cast("int | str", value)
            case "bool":
                return lambda value, prefix: bool(value)
            case "time":
                return lambda value, prefix: format_time(cast(int, value))
            case "bytes":
                return lambda value, prefix: cast(bytes, value).hex()
            case "object_id":
                return lambda value, prefix: str(cast(ObjectId, value))
            case "vote_id":
                return lambda value, prefix: format_vote_id(cast(int, value))
            case "empty":
                return lambda value, prefix: []
            case _:
                assert_never(node.kind)

    def fixed_bytes(self, node: FixedBytesType) -> Encoder:
        match node.form:
            case "hex":
                return lambda value, prefix: cast(bytes, value).hex()
            case "key":
                return lambda value, prefix: key_text(cast(PublicKey, value), prefix)
            case "address":
                return lambda value, prefix: address_text(cast(Address, value), prefix)
            case _:
                assert_never(node.form)

    def instance(self, node: IdType) -> Encoder:
        head = f"{node.space}.{node.type}."
        return lambda value, prefix: f"{head}{value}"

    def optional(self, node: OptionalType) -> Encoder:
        inner = encoder_of(node.inner)
        return lambda value, prefix: None if value is None else inner(value, prefix)

    def sequence(self, node: SequenceType) -> Encoder:
        inner = encoder_of(node.inner)
        key = sort_key_of(node.inner) if node.sorted else None

        def encode(value: object, prefix: str) -> JsonValue:
            items = cast("tuple[object, ...]", value)
            if key is not None and len(items) > 1:
                items = tuple(sorted(items, key=key))
            return [inner(item, prefix) for item in items]

        return encode

    def pair(self, node: PairType) -> Encoder:
        encode_first, encode_second = encoder_of(node.first), encoder_of(node.second)

        def encode(value: object, prefix: str) -> JsonValue:
            first, second = cast("tuple[object, object]", value)
            return [encode_first(first, prefix), encode_second(second, prefix)]

        return encode

    def struct(self, node: StructType | ExtensionType) -> Encoder:
        members = [
            (item.name, item.json_name, encoder_of(item.type), isinstance(item.type, OptionalType))
            for item in schema_of(node.cls).fields
        ]

        def encode(value: object, prefix: str) -> JsonValue:
            result: dict[str, JsonValue] = {}
            for name, json_name, inner, optional in members:
                member = getattr(value, name)
                if member is not None or not optional:
                    result[json_name] = inner(member, prefix)
            return result

        return encode

    def extension(self, node: ExtensionType) -> Encoder:
        return self.struct(node)

    def variant(self, node: VariantType) -> Encoder:
        table = node.resolve()
        tags = {} if node.tagged else node.tags()

        def encode(value: object, prefix: str) -> JsonValue:
            if node.tagged:
                assert isinstance(value, Tagged), value
                tag, value = value
            else:
                tag = tags[type(value)]
            return [tag, encoder_for(table[tag])(value, prefix)]

        return encode


class Decoders(Visitor[Decoder]):
    """Readers of JSON; `absent` gives the value of a field that is not there, or refuses."""

    def __init__(self, absent: Callable[[type, Field], object]) -> None:
        self.absent = absent
        self.of = cache(self.visit)
        """The function (JSON, prefix) -> value of a wire type."""
        self.for_annotation = cache(lambda annotation: self.of(wire_type(annotation)))

    def integer(self, node: IntegerType) -> Decoder:
        low, high = node.minimum, node.maximum
        return lambda data, prefix: read_integer(data, low, high)

    def scalar(self, node: ScalarType) -> Decoder:
        match node.kind:
            case "varint":
                return lambda data, prefix: read_integer(data, 0, (1 << 32) - 1)
            case "bool":
                return lambda data, prefix: read_boolean(data)
            case "time":
                return lambda data, prefix: parse_time(_text(data))
            case "string":
                return lambda data, prefix: _string(data)
            case "bytes":
                return lambda data, prefix: _hexadecimal(data)
            case "object_id":
                return lambda data, prefix: parse_object_id(_text(data))
            case "vote_id":
                return lambda data, prefix: parse_vote_id(_text(data))
            case "empty":
                return lambda data, prefix: _empty(data)
            case _:
                assert_never(node.kind)

    def fixed_bytes(self, node: FixedBytesType) -> Decoder:
        if node.form != "hex":
            parse = parse_key if node.form == "key" else parse_address
            return lambda data, prefix: parse(_text(data), prefix)

        def decode(data: JsonValue, prefix: str) -> object:
            value = _hexadecimal(data)
            if len(value) != node.length:
                raise DecodeError("wrong number of bytes", value=len(value), limit=node.length)
            return value

        return decode

    def instance(self, node: IdType) -> Decoder:
        head = f"{node.space}.{node.type}."

        def decode(data: JsonValue, prefix: str) -> object:
            text = _text(data)
            if not text.startswith(head):
                raise DecodeError("not an object id of this type", value=text, limit=f"{head}n")
            return parse_object_id(text).instance

        return decode

    def optional(self, node: OptionalType) -> Decoder:
        inner = self.of(node.inner)
        return lambda data, prefix: None if data is None else inner(data, prefix)

    def sequence(self, node: SequenceType) -> Decoder:
        inner = self.of(node.inner)
        key = sort_key_of(node.inner) if node.sorted else None

        def decode(data: JsonValue, prefix: str) -> object:
            if not isinstance(data, list):
                raise DecodeError("not a list", value=data)
            items = []
            for index, item in enumerate(data):
                try:
                    items.append(inner(item, prefix))
                except (DecodeError, KeyFormatError) as error:
                    raise _within(f"[{index}]", error) from error
            if key is None or len(items) < 2:
                return tuple(items)
            items.sort(key=key)
            pairs = pairwise(items)
            return (items[0], *(item for before, item in pairs if key(before) != key(item)))

        return decode

    def pair(self, node: PairType) -> Decoder:
        first, second = self.of(node.first), self.of(node.second)

        def decode(data: JsonValue, prefix: str) -> object:
            if not isinstance(data, list) or len(data) != 2:
                raise DecodeError("not a list of two", value=data)
            return first(data[0], prefix), second(data[1], prefix)

        return decode

    def struct(self, node: StructType | ExtensionType) -> Decoder:
        cls = node.cls
        members = [(field, self.of(field.type)) for field in schema_of(cls).fields]

        def decode(data: JsonValue, prefix: str) -> object:
            if not isinstance(data, dict):
                raise DecodeError(f"{cls.__name__} is not an object", value=data)
            values = {}
            for field, inner in members:
                if field.json_name in data:
                    try:
                        values[field.name] = inner(data[field.json_name], prefix)
                    except (DecodeError, KeyFormatError) as error:
                        raise _within(f".{field.json_name}", error) from error
                else:
                    values[field.name] = self.absent(cls, field)
            return cls(**values)

        return decode

    def extension(self, node: ExtensionType) -> Decoder:
        decode = self.struct(node)
        return lambda data, prefix: decode({} if data == [] or data is None else data, prefix)

    def variant(self, node: VariantType) -> Decoder:
        def decode(data: JsonValue, prefix: str) -> object:
            if not isinstance(data, list) or len(data) != 2:
                raise DecodeError("not a list of a tag and a value", value=data)
            table = node.resolve()
            tag = read_integer(data[0], 0, (1 << 32) - 1)
            if tag not in table:
                raise node.refusal(tag)
            value = self.for_annotation(table[tag])(data[1], prefix)
            return Tagged(tag, value) if node.tagged else value

        return decode


def _absent(cls: type, field: Field) -> object:
    if isinstance(field.type, OptionalType):
        return None
    if (default := defaults_of(cls).get(field.name)) is not None:
        return default()
    if isinstance(field.type, ScalarType) and field.type.kind == "empty":
        return ()
    if isinstance(field.type, ExtensionType):
        return field.type.cls()
    raise DecodeError(f"{cls.__name__} lacks the field {field.json_name}")


def _within(step: str, error: DecodeError | KeyFormatError) -> DecodeError:
    """The same refusal, with the path of its place in the document before it."""
    joint = "" if error.what.startswith((".", "[")) else ": "
    what = f"{step}{joint}{error.what}"
    return DecodeError(what, rule=error.rule, value=error.value, limit=error.limit)


def read_boolean(data: JsonValue) -> bool:
    """True or false, also as an integer or as text, as BitShares' node reads it."""
    if isinstance(data, int):
        return data != 0
    if data not in _BOOLEANS:
        raise DecodeError("not true or false", value=data, limit="true, false, 1, 0")
    return data == "true"


def _text(data: JsonValue) -> str:
    if not isinstance(data, str):
        raise DecodeError("not a string", value=data)
    return data


def _hexadecimal(data: JsonValue) -> bytes:
    text = _text(data)
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise DecodeError("not hexadecimal", value=text) from error


def _empty(data: JsonValue) -> tuple[()]:
    if data not in ([], {}, None):
        raise DecodeError("extensions must be empty", value=data)
    return ()


def _string(data: JsonValue) -> str:
    text = _text(data)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DecodeError("text is not valid Unicode", value=error.start) from error
    return text


_ENCODERS = _Encoders()
_DECODERS = Decoders(_absent)
