"""The MessagePack form: a declared class as a list of its fields in order.

It carries what the binary form cannot name compactly, above all snapshots of the state. Bytes stay
bytes, ids are instance numbers, a tagged union is [tag, value], an integer wider than 64 bits is
its little-endian bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache
from typing import TypeAlias, TypeVar, cast

import msgpack

from protocol.errors import DecodeError
from protocol.ids import ObjectId
from protocol.schema import (
    ExtensionType,
    FixedBytesType,
    IdType,
    IntegerType,
    OptionalType,
    PairType,
    ScalarType,
    SequenceType,
    StructType,
    Tagged,
    VariantType,
    WireType,
    schema_of,
    wire_type,
)

Plain: TypeAlias = "bool | int | str | bytes | list[Plain] | None"
T = TypeVar("T")
Flatten = Callable[[object], Plain]
Restore = Callable[[Plain], object]

MAX_DOCUMENT_BYTES = 1 << 31
"""Largest document that `unpack_document` reads."""


def to_plain(value: object) -> Plain:
    """An instance of a declared class as nested lists of plain values."""
    return flatten_for(cast(Hashable, type(value)))(value)


def from_plain(cls: type[T], data: Plain) -> T:
    """Restore an instance of a declared class; raises `DecodeError`."""
    return cast(T, restore_for(cast(Hashable, cls))(data))


def pack_document(data: Plain) -> bytes:
    """Nested lists of plain values as MessagePack."""
    return cast(bytes, msgpack.packb(data, use_bin_type=True))


def unpack_document(data: bytes) -> Plain:
    """Read MessagePack made by `pack_document`; raises `DecodeError`."""
    if len(data) > MAX_DOCUMENT_BYTES:
        raise DecodeError("document too large", value=len(data), limit=MAX_DOCUMENT_BYTES)
    try:
        return cast(Plain, msgpack.unpackb(data, raw=False, use_list=True, max_map_len=0))
    except (ValueError, msgpack.UnpackException) as error:
        raise DecodeError(f"not MessagePack: {error}", value=len(data)) from error


@cache
def flatten_for(annotation: Hashable) -> Flatten:
    """The function value -> plain of an annotation."""
    return flatten_of(wire_type(annotation))


@cache
def restore_for(annotation: Hashable) -> Restore:
    """The function plain -> value of an annotation."""
    return restore_of(wire_type(annotation))


@cache
def flatten_of(node: WireType) -> Flatten:
    """The function value -> plain of a wire type."""
    if isinstance(node, IntegerType) and node.bits > 64:
        return lambda value: cast(int, value).to_bytes(node.bits // 8, "little")
    if isinstance(node, OptionalType):
        inner = flatten_of(node.inner)
        return lambda value: None if value is None else inner(value)
    if isinstance(node, SequenceType):
        item = flatten_of(node.inner)
        return lambda value: [item(member) for member in cast("tuple[object, ...]", value)]
    if isinstance(node, PairType):
        first, second = flatten_of(node.first), flatten_of(node.second)
        return lambda value: _flatten_pair(first, second, cast("tuple[object, object]", value))
    if isinstance(node, StructType | ExtensionType):
        return _flatten_struct(node.cls)
    if isinstance(node, VariantType):
        return _flatten_variant(node)
    if isinstance(node, ScalarType) and node.kind in ("object_id", "empty"):
        return lambda value: list(cast("tuple[int, ...]", value))
    return lambda value: cast(Plain, value)


@cache
def restore_of(node: WireType) -> Restore:
    """The function plain -> value of a wire type."""
    if isinstance(node, IntegerType) and node.bits > 64:
        return lambda data: int.from_bytes(_expect(data, bytes), "little")
    if isinstance(node, OptionalType):
        inner = restore_of(node.inner)
        return lambda data: None if data is None else inner(data)
    if isinstance(node, SequenceType):
        item = restore_of(node.inner)
        return lambda data: tuple(item(member) for member in _list_of(data))
    if isinstance(node, PairType):
        first, second = restore_of(node.first), restore_of(node.second)
        return lambda data: _restore_pair(first, second, _list_of(data, 2))
    if isinstance(node, StructType | ExtensionType):
        return _restore_struct(node.cls)
    if isinstance(node, VariantType):
        return _restore_variant(node)
    return _restore_leaf(node)


def _flatten_pair(first: Flatten, second: Flatten, value: tuple[object, object]) -> Plain:
    return [first(value[0]), second(value[1])]


def _restore_pair(first: Restore, second: Restore, data: list[Plain]) -> tuple[object, object]:
    return first(data[0]), second(data[1])


def _flatten_struct(cls: type) -> Flatten:
    members = [(field.name, flatten_of(field.type)) for field in schema_of(cls).fields]
    return lambda value: [inner(getattr(value, name)) for name, inner in members]


def _restore_struct(cls: type) -> Restore:
    members = [restore_of(field.type) for field in schema_of(cls).fields]

    def restore(data: Plain) -> object:
        items = _list_of(data, len(members))
        return cls(*(inner(item) for inner, item in zip(members, items, strict=True)))

    return restore


def _flatten_variant(node: VariantType) -> Flatten:
    table = node.resolve()
    tags = {} if node.tagged else node.tags()

    def flatten(value: object) -> Plain:
        if isinstance(value, Tagged):
            tag, value = value
        else:
            tag = tags[type(value)]
        return [tag, flatten_for(table[tag])(value)]

    return flatten


def _restore_variant(node: VariantType) -> Restore:
    def restore(data: Plain) -> object:
        tag, body = _list_of(data, 2)
        table = node.resolve()
        if not isinstance(tag, int) or tag not in table:
            raise node.refusal(tag if isinstance(tag, int) else -1)
        value = restore_for(table[tag])(body)
        return Tagged(tag, value) if node.tagged else value

    return restore


def _restore_leaf(node: IntegerType | FixedBytesType | IdType | ScalarType) -> Restore:
    if isinstance(node, FixedBytesType):
        return lambda data: _expect(data, bytes)
    if isinstance(node, ScalarType):
        if node.kind == "object_id":
            return lambda data: ObjectId(*(_expect(part, int) for part in _list_of(data, 3)))
        if node.kind == "empty":
            return lambda data: tuple(_list_of(data, 0))
        leaf = {"bool": bool, "string": str, "bytes": bytes}.get(node.kind, int)
        return lambda data: _expect(data, leaf)
    return lambda data: _expect(data, int)


def _expect(data: Plain, cls: type[T]) -> T:
    if not isinstance(data, cls):
        raise DecodeError(f"not of type {cls.__name__}", value=data)
    return data


def _list_of(data: Plain, length: int | None = None) -> list[Plain]:
    if not isinstance(data, list) or (length is not None and len(data) != length):
        raise DecodeError("not a list of this length", value=data, limit=length)
    return data
