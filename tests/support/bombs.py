"""Small inputs that would become large: messages of peers (T-P2) and texts of clients (T-A1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random

from node.api.json_text import (
    DEPTH_MAX,
    REQUEST_BYTES_MAX,
    RESTRICTIONS_DEPTH_MAX,
    STRING_BYTES_MAX,
    VALUES_MAX,
)
from protocol.p2p.framing import MAX_FRAME_BYTES

TextBomb = tuple[str, bytes]


def tree(depth: int) -> bytes:
    """Three lists of three lists of … nothing."""
    return b"\x93" + 3 * tree(depth - 1) if depth else b"\x90"


def filled(head: bytes, item: bytes) -> bytes:
    """The longest payload of a frame: a beginning and as many items as it has room for."""
    return head + item * ((MAX_FRAME_BYTES - len(head)) // len(item))


MESSAGE_BOMBS: dict[str, bytes] = {
    "a tree of lists": b"\x92\x0a" + tree(11),
    "lists for ids": b"\x93\x06\x01\xdc\x03\xe8" + 1_000 * (b"\xdc\x03\xe8" + 1_000 * b"\x90"),
    "nested lists": filled(b"\x92\x0a", b"\x91"),
    "a tree of pairs": b"\x92\x0a" + b"\x92" * 1_000_000 + b"\x00" * 1_000_001,
    "huge list header": b"\x93\x06\x01\xdd\xff\xff\xff\xff",
    "nested huge headers": b"\x93\x06\x01" + b"\xdd\x00\x1f\xff\xff" * 4_000,
    "a frame of huge headers": filled(b"\x93\x06\x01", b"\xdd\x00\x1f\xff\xff"),
    "empty maps": b"\x93\x06\x01\xdc\x03\xe8" + b"\x80" * 20_000,
    "a frame of empty maps": filled(b"\x93\x06\x01\xdd\x00\x1f\xff\x00", b"\x80"),
    "empty lists": b"\x92\x0b\xdc\x00\x40" + b"\x90" * 1_900,
    "huge bytes header": b"\x92\x0a\xc6\xff\xff\xff\xff",
    "huge text header": b"\x93\x03\x00\xdb\xff\xff\xff\xff",
    "huge map header": b"\x93\x06\x01\xdf\xff\xff\xff\xff",
    "huge extension header": b"\x92\x04\xc9\xff\xff\xff\xff\x01",
    "a megabyte of ping": b"\x92\x04" + b"\x00" * 1_000_000,
    "nested maps": filled(b"\x92\x04", b"\x81\x00"),
    "maps in lists in maps": filled(b"\x92\x04", b"\x81\x00\x91"),
    "a list for the number": filled(b"\x92\xdd\x00\x1f\xff\x00", b"\x00"),
    "a frame of nothing": filled(b"\xdd\x00\x1f\xff\xfb", b"\xc0"),
    "a frame of what is no type": filled(b"\x92\x04", b"\xc1"),
    "a frame of fractions": filled(b"\x93\x06\x01\xdd\x00\x03\x8e\x38", b"\xcb" + bytes(8)),
    "a frame of wide numbers": filled(b"\x93\x06\x01\xdd\x00\x03\x8e\x38", b"\xcf" + b"\xff" * 8),
    "a frame of extensions": filled(b"\x93\x06\x01\xdd\x00\x0a\xaa\x00", b"\xd4\x01\x00"),
    "a frame of moments": filled(b"\x93\x06\x01\xdd\x00\x05\x55\x00", b"\xd6\xff" + bytes(4)),
    "ten thousand ids too many": b"\x93\x06\x01\xdc\x27\x11" + (b"\xc4\x14" + bytes(20)) * 10_001,
    "ids as long as a frame": b"\x93\x06\x01\x91\xc6\x00\x1f\xf0\x00" + bytes(0x1F_F000),
    "a reason as long as a frame": b"\x93\x03\x00\xdb\x00\x1f\xf0\x00" + b"x" * 0x1F_F000,
    "a reason that is no text": b"\x93\x03\x00\xdb\x00\x1f\xf0\x00" + b"\xff" * 0x1F_F000,
    "addresses of lists": filled(b"\x92\x0e\xdd\x00\x05\x55\x00", b"\x93\x90\x90\x90"),
    "addresses as long as a frame": b"\x92\x0e\x91\x93\xdb\x00\x1f\xf0\x00" + b"1" * 0x1F_F000,
    "a greeting of lists": filled(b"\x9c\x01", b"\xdc\xff\xff"),
    "a vote of lists": filled(b"\x94\x0f", b"\x92\x90\x90"),
}
"""Payloads of frames that claim to hold much, or hold much of what no message has."""


def drawn_message_bombs(count: int, seed: int) -> Iterator[bytes]:
    """Payloads of up to a frame, made of headers that promise more than there is."""
    chance = Random(seed)
    heads = (b"\xdd\x00\x1f\xff\xff", b"\xdc\xff\xff", b"\x9f", b"\x91", b"\x8f", b"\xdf\x00\x00")
    bodies = (*heads, b"\xc6\x00\x1f\xff\xff", b"\x90", b"\x80", b"\xc0", b"\xcb" + bytes(8))
    for _ in range(count):
        start = bytes((0x90 + chance.randrange(1, 13), chance.randrange(1, 16)))
        parts = [chance.choice(bodies) * chance.choice((1, 10, 1_000, 100_000)) for _ in range(4)]
        yield (start + chance.choice(heads) + b"".join(parts))[:MAX_FRAME_BYTES]


def _call(params: str) -> str:
    return f'{{"id":1,"method":"get_objects","params":[{params}]}}'


def text_bombs() -> list[TextBomb]:
    """A hundred texts, each beyond a limit of a request, in the body or in an argument."""
    found: list[TextBomb] = []
    for depth in (DEPTH_MAX + 1, RESTRICTIONS_DEPTH_MAX + 1, 100, 1_000, 100_000, 500_000):
        found += [
            (f"{depth} lists", b"[" * depth),
            (f"{depth} closed lists", b"[" * depth + b"]" * depth),
            (f"{depth} objects", b'{"a":' * depth),
            (f"{depth} closed objects", b'{"a":' * depth + b"1" + b"}" * depth),
            (f"{depth} lists of objects", b'[{"a":' * depth),
            (f"{depth} deep arguments", _call("[" * depth + "]" * depth).encode()),
        ]
    for digits in (21, 40, 400, 5_000, 50_000):
        number = "9" * digits
        found += [
            (f"{digits} digits", _call(number).encode()),
            (f"{digits} digits below zero", _call(f"-{number}").encode()),
            (f"{digits} digits of a fraction", _call(f"0.{number}").encode()),
            (f"an exponent of {digits} digits", _call(f"1e{number}").encode()),
            (f"an id of {digits} digits", f'{{"id":{number},"method":"login"}}'.encode()),
        ]
    for size in (STRING_BYTES_MAX + 1, 200_000, 1_000_000):
        text = "x" * size
        found += [
            (f"a text of {size}", json.dumps([text]).encode()),
            (f"a key of {size}", json.dumps({text: 1}).encode()),
            (f"a method of {size}", json.dumps({"id": 1, "method": text}).encode()),
            (f"an argument of {size}", _call(json.dumps(text)).encode()),
        ]
    for size in (STRING_BYTES_MAX + 1, 170_000):
        found.append((f"{size} escapes", b'["' + b"\\u0041" * size + b'"]'))
    for count in (VALUES_MAX + 1, 300_000, 500_000):
        found += [
            (f"{count} numbers", b"[" + b"1," * count + b"1]"),
            (f"{count} empty lists", (b"[" + b"[]," * count + b"[]]")),
            (f"{count} keys", b"{" + b",".join(b'"%d":1' % n for n in range(count)) + b"}"),
        ]
    for word in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "0x10", "01", "+1", "1.", ".5"):
        found.append((f"the number {word}", _call(word).encode()))
    for again in (2, 1_000, 30_000):
        found.append((f"one key {again} times", b"{" + b",".join([b'"id":1'] * again) + b"}"))
    for length in (51, 1_000, 20_000):
        found += [
            (f"a batch of {length}", b"[" + b",".join([b'{"id":1}'] * length) + b"]"),
            (f"a batch of {length} lists", b"[" + b",".join([b"[]"] * length) + b"]"),
        ]
    found += [
        ("an empty batch", b"[]"),
        ("more than a request", b" " * (REQUEST_BYTES_MAX + 1)),
        ("half of a surrogate pair", b'{"id":1,"method":"\\ud800"}'),
        ("no UTF-8", b'["\xff"]'),
        ("overlong UTF-8", b'["\xc0\x80"]'),
        ("a NUL", b"[1\x00]"),
    ]
    return found
