"""The MessagePack form: a declared class as a list of its fields in order.

It carries what the binary form cannot name compactly, above all snapshots of the state. Bytes stay
bytes, ids are instance numbers, a tagged union is [tag, value], an integer wider than 64 bits is
its little-endian bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import cache
from typing import TypeAlias, TypeVar, assert_never, cast

import msgpack
from msgspec.structs import astuple

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
    Visitor,
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


def pack_items(items: Iterable[Plain]) -> bytes:
    """What `pack_document` makes of a list of these items, without the head of the list."""
    packer = msgpack.Packer(use_bin_type=True, autoreset=False)
    for item in items:
        packer.pack(item)
    return cast(bytes, packer.bytes())


def array_header(length: int) -> bytes:
    """The head of a list of so many items, in what `pack_document` makes."""
    return cast(bytes, msgpack.Packer().pack_array_header(length))


def unpack_document(data: bytes) -> Plain:
    """Read MessagePack made by `pack_document`; raises `DecodeError`."""
    if len(data) > MAX_DOCUMENT_BYTES:
        raise DecodeError("document too large", value=len(data), limit=MAX_DOCUMENT_BYTES)
    try:
        return cast(Plain, msgpack.unpackb(data, raw=False, use_list=True, max_map_len=0))
    except (ValueError, msgpack.UnpackException) as error:
        raise DecodeError(f"not MessagePack: {error}", value=len(data)) from error


class DocumentReader:
    """Reads MessagePack made by `pack_document` piece by piece, without the whole in memory.

    Raises `DecodeError`.
    """

    def __init__(self, data: bytes) -> None:
        self._size = len(data)
        self._unpacker = msgpack.Unpacker(
            raw=False, use_list=True, max_map_len=0, max_buffer_size=max(len(data), 1)
        )
        self._unpacker.feed(data)

    def array(self) -> int:
        """The length of a list that begins here; its items are read next."""
        return cast(int, self._read(self._unpacker.read_array_header))

    def item(self) -> Plain:
        """The next item, whole."""
        return cast(Plain, self._read(self._unpacker.unpack))

    def _read(self, read: Callable[[], object]) -> object:
        try:
            return read()
        except (ValueError, msgpack.UnpackException) as error:
            raise DecodeError(f"not MessagePack: {error}", value=self._size) from error


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
    return _FLATTEN.visit(node)


@cache
def restore_of(node: WireType) -> Restore:
    """The function plain -> value of a wire type."""
    return _RESTORE.visit(node)


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


class _Restore(Visitor[Restore]):
    def integer(self, node: IntegerType) -> Restore:
        if node.bits > 64:
            return lambda data: int.from_bytes(_expect(data, bytes), "little")
        return _expecting(int)

    def scalar(self, node: ScalarType) -> Restore:
        match node.kind:
            case "varint" | "time" | "vote_id":
                return _expecting(int)
            case "bool":
                return _expecting(bool)
            case "string":
                return _expecting(str)
            case "bytes":
                return _expecting(bytes)
            case "object_id":
                return lambda data: ObjectId(*(_expect(part, int) for part in _list_of(data, 3)))
            case "empty":
                return lambda data: tuple(_list_of(data, 0))
            case _:
                assert_never(node.kind)

    def fixed_bytes(self, node: FixedBytesType) -> Restore:
        return _expecting(bytes)

    def instance(self, node: IdType) -> Restore:
        return _expecting(int)

    def optional(self, node: OptionalType) -> Restore:
        inner = restore_of(node.inner)
        return lambda data: None if data is None else inner(data)

    def sequence(self, node: SequenceType) -> Restore:
        item = restore_of(node.inner)
        return lambda data: tuple(item(member) for member in _list_of(data))

    def pair(self, node: PairType) -> Restore:
        restore_first, restore_second = restore_of(node.first), restore_of(node.second)

        def restore(data: Plain) -> object:
            first, second = _list_of(data, 2)
            return restore_first(first), restore_second(second)

        return restore

    def struct(self, node: StructType | ExtensionType) -> Restore:
        members = [restore_of(field.type) for field in schema_of(node.cls).fields]
        cls = node.cls

        def restore(data: Plain) -> object:
            items = _list_of(data, len(members))
            return cls(*[inner(item) for inner, item in zip(members, items, strict=True)])

        return restore

    def extension(self, node: ExtensionType) -> Restore:
        return self.struct(node)

    def variant(self, node: VariantType) -> Restore:
        def restore(data: Plain) -> object:
            tag, body = _list_of(data, 2)
            table = node.resolve()
            if not isinstance(tag, int) or tag not in table:
                raise node.refusal(tag if isinstance(tag, int) else -1)
            value = restore_for(table[tag])(body)
            return Tagged(tag, value) if node.tagged else value

        return restore


_FLATTEN = _Flatten()
_RESTORE = _Restore()


def _as_it_is(value: object) -> Plain:
    return cast(Plain, value)


def _expect(data: Plain, cls: type[T]) -> T:
    if not isinstance(data, cls):
        raise DecodeError(f"not of type {cls.__name__}", value=data)
    return data


@cache
def _expecting(cls: type) -> Restore:
    def restore(data: Plain) -> object:
        if not isinstance(data, cls):
            raise DecodeError(f"not of type {cls.__name__}", value=data)
        return data

    return restore


def _list_of(data: Plain, length: int | None = None) -> list[Plain]:
    if not isinstance(data, list) or (length is not None and len(data) != length):
        raise DecodeError("not a list of this length", value=data, limit=length)
    return data
