"""Messages to payloads and back: msgpack lists, strict and canonical (T-P1, T-P2, T-P3).

Only lists, non-negative integers, byte strings and printable texts exist. Whatever decodes is
encoded again and must give the same bytes, so that a message has exactly one form. Of each message
the largest payload follows from its declaration, and is judged before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import msgpack

from protocol.errors import DecodeError, EncodeError
from protocol.p2p.messages import MESSAGES, Message
from protocol.schema import (
    FixedBytesType,
    IntegerType,
    Length,
    Record,
    ScalarType,
    SequenceType,
    StructType,
    WireType,
    schema_of,
)

_BIN_HEADERS = frozenset((0xC4, 0xC5, 0xC6))
_FIXED_LIST = 0x90


def encode_message(message: Message) -> bytes:
    """The payload of a message; raises `EncodeError` when it is larger than its kind may be."""
    codec = _codec_for(_NUMBERS[type(message)])
    assert codec is not None
    fields: list[object] = [form.write(getattr(message, name)) for name, form in codec.fields]
    payload: bytes = msgpack.packb([codec.number, *fields], use_bin_type=True)
    limit = codec.bounds.size
    if len(payload) > limit:
        name = codec.cls.__name__
        raise EncodeError(f"{name} too large", rule="T-P2", value=len(payload), limit=limit)
    return payload


def decode_message(payload: bytes) -> Message:
    """The message of a payload.

    Raises `DecodeError` for an unknown number, a size or length beyond its declaration, a field
    of the wrong type, bytes left over, and any form but the canonical one.
    """
    codec = _codec_of(payload)
    name, bounds = codec.cls.__name__, codec.bounds
    try:
        values: object = msgpack.unpackb(
            payload,
            raw=False,
            strict_map_key=True,
            max_array_len=bounds.items,
            max_bin_len=bounds.data,
            max_str_len=bounds.text,
            max_map_len=0,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException) as error:
        raise DecodeError(f"not a {name}: {error}", rule="T-P1") from error
    if not isinstance(values, list) or len(values) != len(codec.fields) + 1:
        raise DecodeError(f"wrong number of fields in {name}", rule="T-P1")
    read = (form.read(value) for (_, form), value in zip(codec.fields, values[1:], strict=True))
    message = codec.build(*read)
    if encode_message(message) != payload:
        raise DecodeError(f"{name} not in canonical form", rule="T-P3")
    if codec.validate is not None:
        codec.validate(message)
    return message


class _Bounds(Record):
    """The most that a value can take."""

    size: int
    """Bytes of its payload."""
    items: int = 0
    """Items of any list in it."""
    data: int = 0
    """Bytes of any byte string in it."""
    text: int = 0
    """Bytes of any text in it."""


class _Form(Record, gc=True):
    """How the values of one type are read, written and bounded."""

    read: Callable[[object], object]
    write: Callable[[object], object]
    bounds: _Bounds


class _Codec(Record, gc=True):
    """How the messages of one class are read, written and bounded."""

    number: int
    cls: type[Message]
    build: Callable[..., Message]
    fields: tuple[tuple[str, _Form], ...]
    bounds: _Bounds
    is_bulk: bool
    """Whether it is a single byte string, which may be large."""
    validate: Callable[[Message], None] | None


def _codec_of(payload: bytes) -> _Codec:
    """The codec of a payload by its first bytes, before anything is allocated."""
    number = payload[1] if len(payload) > 1 else 0
    codec = _codec_for(number)
    if codec is None:
        raise DecodeError("unknown message number", rule="T-P1", value=number)
    name, limit = codec.cls.__name__, codec.bounds.size
    if payload[0] != _FIXED_LIST + len(codec.fields) + 1:
        raise DecodeError(f"not the list of a {name}", rule="T-P1", value=payload[0])
    if len(payload) > limit:
        raise DecodeError(f"{name} too large", rule="T-P2", value=len(payload), limit=limit)
    if codec.is_bulk and (len(payload) < 3 or payload[2] not in _BIN_HEADERS):
        raise DecodeError(f"{name} must hold one byte string", rule="T-P2")
    return codec


def _form(node: WireType) -> _Form:
    """The form of a type of the messages' vocabulary; `TypeError` for one outside it."""
    match node:
        case IntegerType(bits, False):
            return _integer_form(bits)
        case ScalarType("time"):
            return _integer_form(32)
        case FixedBytesType(length):
            return _bytes_form(Length(length, length))
        case ScalarType("bytes", Length() as length):
            return _bytes_form(length)
        case ScalarType("string", Length() as length):
            return _text_form(length)
        case SequenceType(inner, False, Length() as length):
            return _list_form(_form(inner), length)
        case StructType(cls):
            return _struct_form(cls)
    raise TypeError(f"no form in a message for {node!r}")


def _integer_form(bits: int) -> _Form:
    end = 1 << bits

    def read(value: object) -> object:
        if type(value) is not int or not 0 <= value < end:
            raise DecodeError("not an integer in range", rule="T-P1", value=value, limit=end - 1)
        return value

    return _Form(read, _as_it_is, _Bounds(1 + bits // 8))


def _bytes_form(length: Length) -> _Form:
    def read(value: object) -> object:
        if not isinstance(value, bytes):
            raise DecodeError("not a byte string", rule="T-P1", value=type(value).__name__)
        _check_length("a byte string", len(value), length)
        return value

    most = length.largest
    return _Form(read, _as_it_is, _Bounds(_header_size(most, fixed=0) + most, data=most))


def _text_form(length: Length) -> _Form:
    def read(value: object) -> object:
        if not isinstance(value, str) or not value.isprintable():
            raise DecodeError("not a printable text", rule="T-P1", value=type(value).__name__)
        _check_length("a text", len(value.encode()), length)
        return value

    most = length.largest
    return _Form(read, _as_it_is, _Bounds(_header_size(most, fixed=32) + most, text=most))


def _list_form(item: _Form, length: Length) -> _Form:
    def read(value: object) -> object:
        if not isinstance(value, list):
            raise DecodeError("not a list", rule="T-P1", value=type(value).__name__)
        _check_length("a list", len(value), length)
        return tuple(item.read(entry) for entry in value)

    def write(value: object) -> object:
        assert isinstance(value, tuple)
        return [item.write(entry) for entry in value]

    return _Form(read, write, _list_bounds([item.bounds] * length.largest))


def _struct_form(cls: type) -> _Form:
    fields = _fields(cls)

    def read(value: object) -> object:
        if not isinstance(value, list) or len(value) != len(fields):
            raise DecodeError("wrong number of fields", rule="T-P1", limit=len(fields))
        return cls(*(form.read(entry) for (_, form), entry in zip(fields, value, strict=True)))

    def write(value: object) -> object:
        return [form.write(getattr(value, name)) for name, form in fields]

    return _Form(read, write, _list_bounds([form.bounds for _, form in fields]))


def _fields(cls: type) -> tuple[tuple[str, _Form], ...]:
    return tuple((field.name, _form(field.type)) for field in schema_of(cls).fields)


def _as_it_is(value: object) -> object:
    return value


def _check_length(what: str, found: int, length: Length) -> None:
    if not length.smallest <= found <= length.largest:
        limit = f"{length.smallest}..{length.largest}"
        raise DecodeError(f"length of {what}", rule="T-P2", value=found, limit=limit)


def _header_size(length: int, *, fixed: int) -> int:
    """Bytes before the contents; below `fixed` the length stands in the first byte."""
    if length < fixed:
        return 1
    return 2 if length < 1 << 8 else 3 if length < 1 << 16 else 5


def _list_bounds(items: Sequence[_Bounds]) -> _Bounds:
    header = 1 if len(items) < 16 else 3 if len(items) < 1 << 16 else 5
    return _Bounds(
        header + sum(item.size for item in items),
        max(len(items), *(item.items for item in items)),
        max(item.data for item in items),
        max(item.text for item in items),
    )


@cache
def _codec_for(number: int) -> _Codec | None:
    """The codec of the messages of a number, which is one byte; None where there are none.

    Made for the first of them: a node without peers needs none.
    """
    cls = MESSAGES.get(number)
    if cls is None:
        return None
    declared: type = cls
    fields = _fields(declared)
    return _Codec(
        number,
        cls,
        cls,
        fields,
        _list_bounds([_Bounds(1), *(form.bounds for _, form in fields)]),
        _is_bulk(declared),
        getattr(cls, "validate", None),
    )


def _is_bulk(cls: type) -> bool:
    match [field.type for field in schema_of(cls).fields]:
        case [ScalarType("bytes")]:
            return True
    return False


_NUMBERS: dict[type, int] = {cls: number for number, cls in MESSAGES.items()}
