"""Messages to payloads and back: msgpack lists, strict and canonical (T-P1, T-P2, T-P3).

Only lists, non-negative integers, byte strings and printable texts exist. Whatever decodes is
encoded again and must give the same bytes, so that a message has exactly one form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgpack

from protocol.errors import DecodeError, EncodeError
from protocol.p2p.messages import MESSAGES, Message, MessageEntry
from protocol.schema import (
    FixedBytesType,
    IntegerType,
    ScalarType,
    SequenceType,
    StructType,
    WireType,
    schema_of,
)

_Reader = Callable[[object], object]
_Writer = Callable[[object], object]

_BIN_HEADERS = frozenset((0xC4, 0xC5, 0xC6))
_FIXED_LIST = 0x90


def encode_message(message: Message) -> bytes:
    """The payload of a message; raises `EncodeError` when it is larger than its kind may be."""
    codec = _BY_CLASS[type(message)]
    fields = [write(getattr(message, name)) for name, write in codec.writers]
    payload: bytes = msgpack.packb([codec.entry.number, *fields], use_bin_type=True)
    if len(payload) > codec.entry.max_bytes:
        raise EncodeError(
            f"{type(message).__name__} too large",
            rule="T-P2",
            value=len(payload),
            limit=codec.entry.max_bytes,
        )
    return payload


def decode_message(payload: bytes) -> Message:
    """The message of a payload.

    Raises `DecodeError` for an unknown number, a size or length out of its row's limits, a field
    of the wrong type, bytes left over, and any form but the canonical one.
    """
    codec = _codec_of(payload)
    entry = codec.entry
    longest = max(entry.items.stop, len(codec.readers) + 2)
    try:
        values: object = msgpack.unpackb(
            payload,
            raw=False,
            strict_map_key=True,
            max_array_len=longest,
            max_bin_len=max(entry.data.stop, 64),
            max_str_len=entry.text.stop,
            max_map_len=0,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException) as error:
        raise DecodeError(f"not a {entry.cls.__name__}: {error}", rule="T-P1") from error
    if not isinstance(values, list) or len(values) != len(codec.readers) + 1:
        raise DecodeError(f"wrong number of fields in {entry.cls.__name__}", rule="T-P1")
    message = codec.build(
        *(read(value) for read, value in zip(codec.readers, values[1:], strict=True))
    )
    if encode_message(message) != payload:
        raise DecodeError(f"{entry.cls.__name__} not in canonical form", rule="T-P3")
    if codec.validate is not None:
        codec.validate(message)
    return message


class _Codec(NamedTuple):
    entry: MessageEntry
    build: Callable[..., Message]
    readers: tuple[_Reader, ...]
    writers: tuple[tuple[str, _Writer], ...]
    validate: Callable[[Message], None] | None


def _codec_of(payload: bytes) -> _Codec:
    """The row of a payload by its first bytes, before anything is allocated."""
    number = payload[1] if len(payload) > 1 else 0
    codec = _BY_NUMBER.get(number)
    if codec is None:
        raise DecodeError("unknown message number", rule="T-P1", value=number)
    entry = codec.entry
    if payload[0] != _FIXED_LIST + len(codec.readers) + 1:
        raise DecodeError(f"not the list of a {entry.cls.__name__}", rule="T-P1", value=payload[0])
    if len(payload) > entry.max_bytes:
        raise DecodeError(
            f"{entry.cls.__name__} too large",
            rule="T-P2",
            value=len(payload),
            limit=entry.max_bytes,
        )
    if entry.is_bulk and (len(payload) < 3 or payload[2] not in _BIN_HEADERS):
        raise DecodeError(f"{entry.cls.__name__} must hold one byte string", rule="T-P2")
    return codec


def _reader(node: WireType, entry: MessageEntry) -> _Reader:
    if isinstance(node, IntegerType):
        return _integer_reader(node.bits)
    if isinstance(node, FixedBytesType):
        return _bytes_reader(range(node.length, node.length + 1))
    if isinstance(node, SequenceType):
        return _list_reader(_reader(node.inner, entry), entry.items)
    if isinstance(node, StructType):
        fields = schema_of(node.cls).fields
        return _struct_reader(node.cls, tuple(_reader(field.type, entry) for field in fields))
    assert isinstance(node, ScalarType), node
    if node.kind == "string":
        return _text_reader(entry.text)
    if node.kind == "bytes":
        return _bytes_reader(entry.data)
    assert node.kind == "time", node
    return _integer_reader(32)


def _integer_reader(bits: int) -> _Reader:
    end = 1 << bits

    def read(value: object) -> object:
        if type(value) is not int or not 0 <= value < end:
            raise DecodeError("not an integer in range", rule="T-P1", value=value, limit=end - 1)
        return value

    return read


def _bytes_reader(lengths: range) -> _Reader:
    def read(value: object) -> object:
        if not isinstance(value, bytes):
            raise DecodeError("not a byte string", rule="T-P1", value=type(value).__name__)
        if len(value) not in lengths:
            raise DecodeError(
                "length of a byte string", rule="T-P2", value=len(value), limit=lengths
            )
        return value

    return read


def _text_reader(lengths: range) -> _Reader:
    def read(value: object) -> object:
        if not isinstance(value, str) or not value.isprintable():
            raise DecodeError("not a printable text", rule="T-P1", value=type(value).__name__)
        if len(value.encode()) not in lengths:
            raise DecodeError("length of a text", rule="T-P2", value=len(value), limit=lengths)
        return value

    return read


def _list_reader(read_item: _Reader, lengths: range) -> _Reader:
    def read(value: object) -> object:
        if not isinstance(value, list) or len(value) not in lengths:
            raise DecodeError("not a list of the right length", rule="T-P2", limit=lengths)
        return tuple(read_item(item) for item in value)

    return read


def _struct_reader(build: Callable[..., object], readers: tuple[_Reader, ...]) -> _Reader:
    def read(value: object) -> object:
        if not isinstance(value, list) or len(value) != len(readers):
            raise DecodeError("wrong number of fields", rule="T-P1", limit=len(readers))
        return build(*(read_field(item) for read_field, item in zip(readers, value, strict=True)))

    return read


def _writer(node: WireType) -> _Writer:
    if isinstance(node, SequenceType):
        write_item = _writer(node.inner)

        def write_list(value: object) -> object:
            assert isinstance(value, tuple)
            return [write_item(item) for item in value]

        return write_list
    if isinstance(node, StructType):
        writers = [(field.name, _writer(field.type)) for field in schema_of(node.cls).fields]
        return lambda value: [write(getattr(value, name)) for name, write in writers]
    return lambda value: value


def _build_codec(entry: MessageEntry) -> _Codec:
    cls: type = entry.cls
    fields = schema_of(cls).fields
    return _Codec(
        entry,
        entry.cls,
        tuple(_reader(field.type, entry) for field in fields),
        tuple((field.name, _writer(field.type)) for field in fields),
        getattr(cls, "validate", None),
    )


_BY_NUMBER = {entry.number: _build_codec(entry) for entry in MESSAGES}
_BY_CLASS: dict[type, _Codec] = {codec.entry.cls: codec for codec in _BY_NUMBER.values()}
