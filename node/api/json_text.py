"""JSON text under limits: what is read is small, exact and unambiguous (T-A1).

Beyond the grammar, a request may hold no floating point number, no integer outside 64 bits, no
duplicate key and no deep nesting, because other parsers read such texts differently or not at all.
Clients send the nonce of a memo as a bare unsigned 64 bit integer, so that is the upper bound.
A whole number that is written as `1000.0` is an integer: the Python client asks for 1e3 accounts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator
from typing import TypeAlias, cast

import msgspec

from node.api.errors import InvalidValue, ParseError
from protocol.json_form import JsonValue

Text: TypeAlias = list[bytes]
"""A text in UTF-8 that is to be sent, in pieces: joining those of a long one takes its time."""

REQUEST_BYTES_MAX = 1 << 20
DEPTH_MAX = 32
RESTRICTIONS_DEPTH_MAX = 64
"""Of a text with restrictions of a custom authority, which nest inside each other (C3.8)."""
RESTRICTIONS_MARK = b'"restriction_type"'
"""The key that every restriction has."""
STRING_BYTES_MAX = 64 * 1024
VALUES_A_STEP = 100
PLAIN_BYTES_MAX = 4096
"""A longer text is checked in steps."""
VALUES_MAX = 100_000
"""Commas and opening brackets of one text, counted before it is read."""
INTEGER_MIN, INTEGER_MAX = -(1 << 63), (1 << 64) - 1

_WHOLE_NUMBER = re.compile(r"(-?[0-9]{1,20})\.0+")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_UNUSUAL_NUMBER = re.compile(rb"[0-9][.eE]|[0-9]{19}")


def read_json(data: bytes) -> Generator[None, None, JsonValue]:
    """The value of a JSON text in UTF-8; raises `ParseError` or `InvalidValue`.

    It gives way to others at every yield.
    """
    if len(data) > REQUEST_BYTES_MAX:
        raise ParseError("text too long", rule="T-A1", value=len(data), limit=REQUEST_BYTES_MAX)
    count = data.count(b",") + data.count(b"[") + data.count(b"{")
    if count > VALUES_MAX:
        raise ParseError("too many values", rule="T-A1", value=count, limit=VALUES_MAX)
    try:
        value: JsonValue = _DECODER.decode(data)
    except RecursionError:
        raise ParseError("nested too deep", rule="T-A1", limit=_depth_max(data)) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise ParseError("not JSON", rule="T-A1", value=_reason(error)) from error
    yield
    if _is_plain(data, value):
        return value
    yield
    try:
        strings = yield from _check_values(value, _depth_max(data))
    except InvalidValue as error:
        error.identity = _identity(value)
        raise
    if data.replace(rb"\\", b"").replace(rb"\"", b"").count(b'"') != 2 * strings:
        raise ParseError("a key stands twice in one object", rule="T-A1")
    return value


def write_json(value: JsonValue) -> bytes:
    """Compact JSON text in UTF-8; integers keep every digit."""
    return msgspec.json.encode(value)


def joined(text: Text) -> bytes:
    """A text in one piece, for one that is known to be short."""
    return b"".join(text)


def written(text: bytes) -> JsonValue:
    """The value that is written as a text already; only to be written out."""
    # The encoder copies a `Raw` as it is, so it stands for the value that it is text of.
    return cast(JsonValue, msgspec.Raw(text))


def _is_plain(data: bytes, value: JsonValue) -> bool:
    """Whether a text is so small and plain that no limit can be broken, as most requests are."""
    if not isinstance(value, dict) or len(data) > PLAIN_BYTES_MAX or data.count(b"[") >= DEPTH_MAX:
        return False
    if b"\\" in data or not data.isascii():
        return False
    bare = _STRING.sub(b"", data)
    return (
        bare.count(b":") == len(value)
        and bare.count(b"{") == 1
        and _UNUSUAL_NUMBER.search(bare) is None
    )


def _read_whole_number(text: str) -> int | float:
    found = _WHOLE_NUMBER.fullmatch(text)
    if found:
        return int(found.group(1))
    number = float(text)
    if math.isinf(number):
        raise ValueError("number out of range")
    return number


_DECODER = msgspec.json.Decoder(float_hook=_read_whole_number)


def _depth_max(data: bytes) -> int:
    return RESTRICTIONS_DEPTH_MAX if RESTRICTIONS_MARK in data else DEPTH_MAX


def _check_values(value: JsonValue, depth_max: int) -> Generator[None, None, int]:
    """Number of strings, keys too; raises for a value that breaks a limit.

    A key that stands twice in a text is lost in its value, and so is at least one string.
    """
    strings = depth = checked = 0
    level = [value]
    while level:
        below: list[JsonValue] = []
        for item in level:
            checked += 1
            if checked % VALUES_A_STEP == 0:
                yield
            if isinstance(item, dict):
                strings += len(item)
                below.extend(item.values())
                for key in item:
                    _check_scalar(key)
            elif isinstance(item, list):
                below.extend(item)
            else:
                strings += isinstance(item, str)
                _check_scalar(item)
                continue
            if depth == depth_max:
                raise ParseError("nested too deep", rule="T-A1", limit=depth_max)
        level = below
        depth += 1
    return strings


def _identity(value: JsonValue) -> JsonValue:
    """The fields of a request that an answer repeats, if they are within the limits themselves."""
    if not isinstance(value, dict):
        return None
    fields: dict[str, JsonValue] = {}
    fields.update((name, value[name]) for name in ("id", "jsonrpc") if name in value)
    try:
        for _ in _check_values(fields, DEPTH_MAX):
            """A handful of values."""
    except (ParseError, InvalidValue):
        return None
    return fields


def _check_scalar(value: bool | int | str | None) -> None:
    if isinstance(value, str):
        if len(value) > STRING_BYTES_MAX or (
            not value.isascii() and len(value.encode()) > STRING_BYTES_MAX
        ):
            raise InvalidValue(
                "string too long", rule="T-A1", value=len(value), limit=STRING_BYTES_MAX
            )
    elif isinstance(value, int):
        if not INTEGER_MIN <= value <= INTEGER_MAX:
            raise InvalidValue(
                "integer out of range",
                rule="T-A1",
                value=value.bit_length(),
                limit=f"{INTEGER_MIN}..{INTEGER_MAX}",
            )
    elif value is not None:
        raise InvalidValue("number with a fraction or exponent", rule="T-A1")


def _reason(error: Exception) -> str:
    text = "not UTF-8" if isinstance(error, UnicodeError) else str(error)
    return text.removeprefix("JSON is malformed: ")[:100]
