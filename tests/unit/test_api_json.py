"""JSON texts that the API refuses, each for its reason; the connection lives on."""

from __future__ import annotations

import json
from typing import cast

import pytest

from node.api.errors import ApiError, InvalidRequest, ParseError
from node.api.json_text import (
    DEPTH_MAX,
    REQUEST_BYTES_MAX,
    RESTRICTIONS_DEPTH_MAX,
    RESTRICTIONS_MARK,
    STRING_BYTES_MAX,
    joined,
    read_json,
    write_json,
)
from protocol.asset import NO_FEE
from protocol.authority import Authority
from protocol.ids import AccountId
from protocol.json_form import JsonValue, to_json
from protocol.operations.custom_authority import CustomAuthorityCreate
from protocol.operations.proposal import ProposalCreate, ProposedOperation
from protocol.operations.restriction import Restriction, RestrictionFunction
from protocol.schema import Tagged
from protocol.transaction import SignedTransaction
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


@pytest.mark.parametrize(("before", "limit"), [(b"", DEPTH_MAX), (RESTRICTIONS_MARK, 64)])
def test_restrictions_alone_nest_deeper(before: bytes, limit: int) -> None:
    """T-A1, C3.8: a level more is one too many, with restrictions and without."""
    start = b"[" + before + (b"," if before else b"")
    assert read(start + b"[" * (limit - 1) + b"]" * limit)
    with pytest.raises(ParseError) as refusal:
        read(start + b"[" * limit + b"]" * (limit + 1))
    assert refusal.value.limit == limit


def test_the_deepest_restrictions_are_read() -> None:
    """C3.8: four alternatives inside each other and an attr, in a proposal that is broadcast."""
    tree = Restriction(3, RestrictionFunction.ATTR, Tagged(39, (Restriction(0, 2, Tagged(2, 9)),)))
    for _ in range(4):
        other = Restriction(2, RestrictionFunction.EQ, Tagged(7, AccountId(7)))
        branches = (tree,), (other,)
        tree = Restriction(0, RestrictionFunction.LOGICAL_OR, Tagged(40, branches))
    assert tree.count() == 10
    auth = Authority(1, ((AccountId(7), 1),))
    create = CustomAuthorityCreate(NO_FEE, AccountId(6), True, 0, 9, 0, auth, (tree,))
    proposal = ProposalCreate(NO_FEE, AccountId(6), 9, (ProposedOperation(create),))
    signed = to_json(SignedTransaction(0, 0, 0, (proposal,), (), ()), "TEST")
    call: JsonValue = {"id": 1, "params": ["network_broadcast", "broadcast_transaction", [signed]]}
    data = write_json(call)
    assert read(data) == call
    assert DEPTH_MAX < depth_of(call) < RESTRICTIONS_DEPTH_MAX
    with pytest.raises(ParseError):
        read(data.replace(b"restriction_type", b"restriction_typo"))


def depth_of(value: JsonValue) -> int:
    """How many lists and objects stand inside each other."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


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
