"""LEB128: unsigned integers of as many bytes as they need, seven bits in each."""

from __future__ import annotations

from protocol.errors import DecodeError, EncodeError


def write_varint(out: bytearray, value: int) -> None:
    """Append an unsigned LEB128 integer."""
    if value < 0:
        raise EncodeError("a LEB128 integer cannot be negative", value=value, limit=0)
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def read_varint(data: bytes, offset: int) -> tuple[int, int]:
    """Read an unsigned, minimal LEB128 integer of at most 48 bits."""
    value = shift = 0
    while True:
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 42:
            raise DecodeError("LEB128 integer too long", value=value, limit="48 bits")
    if byte == 0 and shift:
        raise DecodeError("LEB128 integer is not minimal", value=value)
    return value, offset
