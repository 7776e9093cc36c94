"""BitShares' binary form: straight-line readers and writers, derived from `protocol.schema`.

A reader accepts exactly the bytes that a writer makes: integers of LEB128 are minimal, sets are
ascending, booleans are 0 or 1. So decoding and encoding again gives the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable
from functools import cache
from typing import TypeVar, cast

from protocol.binary_source import ReadSource, WriteSource
from protocol.errors import DecodeError, EncodeError
from protocol.ids import ObjectId
from protocol.leb128 import read_varint, write_varint
from protocol.schema import Tagged, VariantType, WireType, wire_type

T = TypeVar("T")

Writer = Callable[[bytearray, object], None]
Reader = Callable[[bytes, int, int], tuple[object, int]]


def pack(value: object) -> bytes:
    """The binary form of an instance of a declared class.

    Raises `EncodeError` when a value does not fit its field.
    """
    return pack_as(cast(Hashable, type(value)), value)


def pack_as(annotation: Hashable, value: object) -> bytes:
    """The binary form of a value of any annotation of the vocabulary."""
    return packer_for(annotation)(value)


@cache
def packer_for(annotation: Hashable) -> Callable[[object], bytes]:
    """What `pack_as` does for one annotation; to be kept where a long one is asked for often."""
    write = writer_for(annotation)

    def packed(value: object) -> bytes:
        out = bytearray()
        try:
            write(out, value)
        except (struct.error, OverflowError, ValueError) as error:
            raise EncodeError(f"value does not fit {annotation}: {error}", value=value) from error
        return bytes(out)

    return packed


def unpack(cls: type[T], data: bytes) -> T:
    """Read an instance of a declared class that fills `data` exactly; raises `DecodeError`."""
    value, end = unpack_from(cls, data, 0)
    if end != len(data):
        raise DecodeError(f"bytes after the end of {cls.__name__}", value=len(data), limit=end)
    return value


def unpack_from(cls: type[T], data: bytes, offset: int) -> tuple[T, int]:
    """Read an instance that starts at `offset`; the instance and the offset behind it."""
    try:
        value, end = reader_for(cast(Hashable, cls))(data, offset, 0)
    except MALFORMED as error:
        raise malformed(cls.__name__, data, error) from error
    return cast(T, value), end


MALFORMED = (struct.error, IndexError, UnicodeDecodeError)
"""What a reader raises, beside `DecodeError`, of bytes that it cannot read."""


def malformed(what: str, data: bytes, error: Exception) -> DecodeError:
    """The refusal of bytes of which a reader raised one of `MALFORMED`."""
    if isinstance(error, UnicodeDecodeError):
        return DecodeError(f"text in {what} is not UTF-8", value=error.start)
    return DecodeError(f"{what} ends early", value=len(data))


@cache
def writer_for(annotation: Hashable) -> Writer:
    """The writer of an annotation."""
    return writer_of(wire_type(annotation))


@cache
def reader_for(annotation: Hashable) -> Reader:
    """The reader of an annotation."""
    return reader_of(wire_type(annotation))


@cache
def writer_of(node: WireType) -> Writer:
    """The function that appends the binary form of a value to a buffer."""
    if isinstance(node, VariantType):
        return pack_variant_of(node)
    constants = {"pack_object_id": pack_object_id}
    return cast(Writer, WriteSource(writer_of, constants).derive(node).build())


@cache
def reader_of(node: WireType) -> Reader:
    """The function (data, offset, depth) -> (value, offset behind it)."""
    if isinstance(node, VariantType):
        return variant_reader_of(node).read
    return cast(Reader, read_source_of(node).build())


def read_source_of(node: WireType) -> ReadSource:
    """The source of the reader of all but a tagged union."""
    constants = {
        "MAX_DEPTH": MAX_DEPTH,
        "Tagged": Tagged,
        "unpack_object_id": unpack_object_id,
    }
    return ReadSource(variant_reader_of, constants).derive(node)


@cache
def variant_reader_of(node: VariantType) -> VariantReader:
    """The reader of a tagged union."""
    return VariantReader(node)


def pack_object_id(value: ObjectId) -> int:
    """An object id as the 64-bit integer of the wire."""
    return value.space << 56 | value.type << 48 | value.instance


def unpack_object_id(value: int) -> ObjectId:
    """The object id of a 64-bit integer of the wire."""
    return ObjectId(value >> 56, value >> 48 & 0xFF, value & 0xFFFF_FFFF_FFFF)


def pack_variant_of(node: VariantType) -> Writer:
    """Write the tag of the value, then the value."""
    table = node.resolve()
    tags = {} if node.tagged else node.tags()
    bodies: dict[int, Writer] = {}

    def write(out: bytearray, value: object) -> None:
        if node.tagged:
            assert isinstance(value, Tagged), value
            tag, value = value
        else:
            tag = tags.get(type(value), -1)
        body = bodies.get(tag)
        if body is None:
            if tag not in table:
                raise EncodeError("not a member of the tagged union", value=type(value).__name__)
            body = bodies[tag] = writer_for(table[tag])
        write_varint(out, tag)
        body(out, value)

    return write


class VariantReader:
    """Reads a tag, then a value of its class; refuses unknown tags and deep nesting."""

    __slots__ = ("_node", "_table", "bodies")

    bodies: list[Reader | None]
    """Readers of the classes that have been met, by the first byte of their tag where it has one
    byte only: derived source looks here first."""

    def __init__(self, node: VariantType) -> None:
        self._node = node
        self._table = node.resolve()
        self.bodies = [None] * 256

    def read(self, data: bytes, offset: int, depth: int) -> tuple[object, int]:
        """The value at an offset, and the offset behind it; raises `DecodeError`."""
        tag, offset = read_varint(data, offset)
        if tag not in self._table:
            raise self._node.refusal(tag)
        if depth > MAX_DEPTH:
            raise DecodeError("operations nested too deep", value=depth, limit=MAX_DEPTH)
        body = reader_for(self._table[tag])
        if tag < 128:
            self.bodies[tag] = body
        value, offset = body(data, offset, depth + 1)
        return (Tagged(tag, value) if self._node.tagged else value), offset


MAX_DEPTH = 32
"""Tagged unions inside tagged unions that a reader follows; a proposal in a proposal needs 5,
the deepest restrictions inside one some 15 (C3.8)."""
