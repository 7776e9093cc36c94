"""JSON texts that the API refuses, each for its reason; the connection lives on."""

from __future__ import annotations

import json
from typing import cast

import pytest

from node.api.errors import ApiError, InvalidRequest, ParseError
from node.api.json_text import (
    DEPTH_MAX,
    REQUEST_BYTES_MAX,
    STRING_BYTES_MAX,
    joined,
    read_json,
    write_json,
)
from protocol.json_form import JsonValue
from tests.support.api import ChainBackend, Client
from tests.support.bombs import text_bombs
from tests.support.chain import TestChain


def read(data: bytes) -> JsonValue:
    """The value of a text, read at a stretch."""
    steps = read_json(data)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast(JsonValue, end.value)


NESTED = b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1)

BAD_TEXTS: list[tuple[str, bytes, type[ApiError]]] = [
    ("empty", b"", ParseError),
    ("not JSON", b"hello", ParseError),
    ("cut off", b'{"id":1', ParseError),
    ("two values", b"{} {}", ParseError),
    ("trailing comma", b"[1,]", ParseError),
    ("NaN", b"[NaN]", ParseError),
    ("infinity", b"[Infinity]", ParseError),
    ("endless number", b"[1e999]", ParseError),
    ("not UTF-8", b'["\xff"]', ParseError),
    ("half of a surrogate pair", b'["\\ud800"]', ParseError),
    ("duplicate key", b'{"id":1,"id":2}', ParseError),
    ("duplicate key, deep", b'{"a":[{"b":1,"b":1}]}', ParseError),
    ("duplicate key, escaped", b'{"a":1,"\\u0061":2}', ParseError),
    ("deep", NESTED, ParseError),
    ("very deep", b"[" * 200_000, ParseError),
    ("very deep objects", b'{"a":' * 100_000, ParseError),
    ("too long", b" " * (REQUEST_BYTES_MAX + 1), ParseError),
    ("too many values", b"[" + b"1," * 200_000 + b"1]", ParseError),
    ("fraction", b"[1.5]", InvalidRequest),
    ("exponent", b"[1e3]", InvalidRequest),
    ("above 64 bits", b"[18446744073709551616]", InvalidRequest),
    ("below 64 bits", b"[-9223372036854775809]", InvalidRequest),
    ("long string", json.dumps(["x" * (STRING_BYTES_MAX + 1)]).encode(), InvalidRequest),
    ("long string, in bytes", f'["{"é" * STRING_BYTES_MAX}"]'.encode(), InvalidRequest),
    ("long key", json.dumps({"x" * (STRING_BYTES_MAX + 1): 1}).encode(), InvalidRequest),
]


@pytest.mark.parametrize(
    ("data", "error"), [row[1:] for row in BAD_TEXTS], ids=[row[0] for row in BAD_TEXTS]
)
def test_a_bad_text_is_refused_with_its_code(data: bytes, error: type[ApiError]) -> None:
    """T-A1: a typed error, no exception of a library, and the session serves the next call."""
    with pytest.raises(error):
        read(data)
    client = Client(ChainBackend(TestChain()))
    (text,) = client.session.receive(data)
    answer = json.loads(joined(text))
    assert answer["id"] is None
    assert answer["error"]["code"] == error.code
    assert client.call("get_chain_id")


def test_a_hundred_bombs_on_one_session() -> None:
    """T-A1: each gets a code of JSON-RPC's own, and the next call of the session its answer."""
    client = Client(ChainBackend(TestChain()))
    bombs = text_bombs()
    assert len(bombs) >= 100
    for name, data in bombs:
        (text,) = client.session.receive(data)
        answer = json.loads(joined(text))
        assert answer["error"]["code"] in (-32700, -32600, -32602), name
        assert client.call("get_chain_id"), name


def test_limits_are_inclusive() -> None:
    """T-A1: what is exactly at a limit passes."""
    assert read(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX)
    assert read(b"[18446744073709551615]") == [2**64 - 1]
    assert read(b"[-9223372036854775808]") == [-(2**63)]
    assert read(json.dumps(["x" * STRING_BYTES_MAX]).encode())
    padded = b"[1]" + b" " * (REQUEST_BYTES_MAX - 3)
    assert read(padded) == [1]


def test_text_that_looks_like_keys_is_none() -> None:
    """T-A1: colons and quotes inside strings do not count as keys."""
    value = {"a": 'x":"y', "b": {"c:": "\\", "d": ':"'}}
    assert read(json.dumps(value).encode()) == value


def test_unicode_escapes_are_decoded() -> None:
    """Trap 16: an escaped letter is the letter, as in every client but BitShares' own node."""
    assert read(rb'["\u00e9\ud83d\ude00"]') == ["é😀"]


def test_a_whole_number_may_have_a_point() -> None:
    """CLIENTS: the Python client lists accounts with the limit 1e3, which it writes `1000.0`."""
    assert read(b"[1000.0, -2.00, 18446744073709551615.0]") == [1000, -2, (1 << 64) - 1]
    with pytest.raises(InvalidRequest):
        read(b"[18446744073709551616.0]")
    client = Client(ChainBackend(TestChain("alice")))
    (text,) = client.session.receive('{"id":1,"method":"lookup_accounts","params":["a",5.0]}')
    assert [name for name, _ in json.loads(joined(text))["result"] if name == "alice"] == ["alice"]


def test_wide_integers_keep_every_digit() -> None:
    """Trap 8: the nonce of a memo is a bare unsigned 64 bit integer."""
    assert write_json([2**64 - 1, -(2**63)]) == b"[18446744073709551615,-9223372036854775808]"


def test_surrogates_from_the_socket_are_refused() -> None:
    """T-A1: a text that has no UTF-8 form is answered, not raised."""
    client = Client(ChainBackend(TestChain()))
    (text,) = client.session.receive('["\ud800"]')
    assert json.loads(joined(text))["error"]["code"] == -32700
