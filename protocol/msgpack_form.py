"""The MessagePack form: a declared class as a list of its fields in order.

It carries what the binary form cannot name compactly, above all snapshots of the state. Bytes stay
bytes, ids are instance numbers, a tagged union is [tag, value], an integer wider than 64 bits is
its little-endian bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import cache
from typing import TypeAlias, cast

import msgpack
from msgspec.structs import astuple

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
    Visitor,
    WireType,
    schema_of,
    wire_type,
)

Plain: TypeAlias = "bool | int | str | bytes | list[Plain] | None"
Flatten = Callable[[object], Plain]


def to_plain(value: object) -> Plain:
    """An instance of a declared class as nested lists of plain values."""
    return flatten_for(cast(Hashable, type(value)))(value)


def pack_document(data: Plain) -> bytes:
    """Nested lists of plain values as MessagePack."""
    return cast(bytes, msgpack.packb(data, use_bin_type=True))


def pack_items(items: Iterable[Plain]) -> bytes:
    """What `pack_document` makes of a list of these items, without the head of the list."""
    packer = msgpack.Packer(use_bin_type=True, autoreset=False)
    for item in items:
        packer.pack(item)
    return cast(bytes, packer.bytes())


def array_header(length: int) -> bytes:
    """The head of a list of so many items, in what `pack_document` makes."""
    return cast(bytes, msgpack.Packer().pack_array_header(length))


@cache
def flatten_for(annotation: Hashable) -> Flatten:
    """The function value -> plain of an annotation."""
    return flatten_of(wire_type(annotation))


@cache
def flatten_of(node: WireType) -> Flatten:
    """The function value -> plain of a wire type."""
    return _FLATTEN.visit(node)


class _Flatten(Visitor[Flatten]):
    def integer(self, node: IntegerType) -> Flatten:
        if node.bits > 64:
            return lambda value: cast(int, value).to_bytes(node.bits // 8, "little")
        return _as_it_is

    def scalar(self, node: ScalarType) -> Flatten:
        if node.kind == "object_id":
            return lambda value: list(astuple(cast(ObjectId, value)))
        if node.kind == "empty":
            return lambda value: []
        return _as_it_is

    def fixed_bytes(self, node: FixedBytesType) -> Flatten:
        return _as_it_is

    def instance(self, node: IdType) -> Flatten:
        return _as_it_is

    def optional(self, node: OptionalType) -> Flatten:
        inner = flatten_of(node.inner)
        return lambda value: None if value is None else inner(value)

    def sequence(self, node: SequenceType) -> Flatten:
        item = flatten_of(node.inner)
        return lambda value: [item(member) for member in cast("tuple[object, ...]", value)]

    def pair(self, node: PairType) -> Flatten:
        flatten_first, flatten_second = flatten_of(node.first), flatten_of(node.second)

        def flatten(value: object) -> Plain:
            first, second = cast("tuple[object, object]", value)
            return [flatten_first(first), flatten_second(second)]

        return flatten

    def struct(self, node: StructType | ExtensionType) -> Flatten:
        members = [(field.name, flatten_of(field.type)) for field in schema_of(node.cls).fields]
        return lambda value: [inner(getattr(value, name)) for name, inner in members]

    def extension(self, node: ExtensionType) -> Flatten:
        return self.struct(node)

    def variant(self, node: VariantType) -> Flatten:
        table = node.resolve()
        tags = {} if node.tagged else node.tags()

        def flatten(value: object) -> Plain:
            if isinstance(value, Tagged):
                tag, value = value
            else:
                tag = tags[type(value)]
            return [tag, flatten_for(table[tag])(value)]

        return flatten


_FLATTEN = _Flatten()


def _as_it_is(value: object) -> Plain:
    return cast(Plain, value)
