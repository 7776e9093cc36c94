"""Messages: one form each, strict limits, and hostile bytes that only ever raise DecodeError."""

from __future__ import annotations

import tracemalloc
from typing import get_args

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol.constants import MAX_BLOCK_BYTES, MAX_TRANSACTION_BYTES
from protocol.errors import DecodeError, EncodeError
from protocol.finality import Vote
from protocol.p2p.message_codec import decode_message, encode_message
from protocol.p2p.messages import (
    MAX_ADDRESSES,
    MAX_BLOCK_IDS,
    MAX_FETCH_IDS,
    MAX_INVENTORY_IDS,
    MAX_SYNOPSIS_IDS,
    MESSAGES,
    Addresses,
    BlockIds,
    BlockMessage,
    Fetch,
    GetAddresses,
    GetBlockIds,
    Goodbye,
    GoodbyeCode,
    HelloAccepted,
    Inventory,
    ItemKind,
    KnownAddress,
    Message,
    NotAvailable,
    Ping,
    Pong,
    TransactionMessage,
)
from protocol.schema import BlockId, Signature
from tests.support.bombs import MESSAGE_BOMBS
from tests.support.fake_network import make_hello

ID = bytes(range(20))


def block_ids(first: int, count: int) -> tuple[BlockId, ...]:
    return tuple(BlockId((first + i).to_bytes(4, "big") + bytes(16)) for i in range(count))


EXAMPLES: tuple[Message, ...] = (
    make_hello(),
    HelloAccepted(),
    Goodbye(GoodbyeCode.TIMEOUT, "silent for too long"),
    Ping(2**64 - 1),
    Pong(0),
    Inventory(ItemKind.BLOCK, (ID,)),
    Fetch(ItemKind.TRANSACTION, (ID, bytes(20))),
    NotAvailable(ItemKind.BLOCK, (ID,)),
    TransactionMessage(b"\x00" * 300),
    BlockMessage(b"\x01"),
    GetBlockIds(()),
    BlockIds(7, block_ids(7, 3), 2**32 - 1),
    GetAddresses(),
    Addresses((KnownAddress("10.0.0.1", 1776, 5), KnownAddress("2001:db8::1", 1, 0))),
    Vote(BlockId(ID), BlockId(ID), Signature(bytes(65))),
)

LONGEST_HOST = "0000:0000:0000:0000:0000:ffff:192.168.100.100"
LARGEST: tuple[tuple[Message, str], ...] = (
    (
        make_hello(
            user_agent="x" * 200,
            protocol_version=2**16 - 1,
            head_num=2**32 - 1,
            head_time=2**32 - 1,
            lib_num=2**32 - 1,
            listen_port=2**16 - 1,
            time_ms=2**64 - 1,
        ),
        "user_agent",
    ),
    (Goodbye(GoodbyeCode.TIMEOUT, "x" * 200), "reason"),
    (Inventory(1, (ID,) * MAX_INVENTORY_IDS), "ids"),
    (Fetch(1, (ID,) * MAX_FETCH_IDS), "ids"),
    (NotAvailable(1, (ID,) * MAX_FETCH_IDS), "ids"),
    (TransactionMessage(bytes(MAX_TRANSACTION_BYTES)), "data"),
    (BlockMessage(bytes(MAX_BLOCK_BYTES)), "data"),
    (GetBlockIds((BlockId(ID),) * MAX_SYNOPSIS_IDS), "synopsis"),
    (BlockIds(2**32 - 2_000, block_ids(2**32 - 2_000, MAX_BLOCK_IDS), 2**32 - 1), "ids"),
    (Addresses((KnownAddress(LONGEST_HOST, 65_535, 2**32 - 1),) * MAX_ADDRESSES), "addresses"),
)
"""Each message at its largest, and its field of variable length."""


def pack(*values: object) -> bytes:
    packed: bytes = msgpack.packb(list(values), use_bin_type=True)
    return packed


def number_of(message: Message) -> int:
    return next(number for number, cls in MESSAGES.items() if cls is type(message))


def test_every_message_has_an_example() -> None:
    """T-P1: the table and the examples are complete; numbers and classes are unique."""
    assert [type(message) for message in EXAMPLES] == list(MESSAGES.values())
    assert set(MESSAGES.values()) == set(get_args(Message))
    assert list(MESSAGES) == list(range(1, len(MESSAGES) + 1))


@pytest.mark.parametrize(
    "message",
    [*EXAMPLES, *(message for message, _ in LARGEST)],
    ids=lambda item: type(item).__name__,
)
def test_messages_come_back(message: Message) -> None:
    """T-P2: every message survives the wire, also at its largest."""
    assert decode_message(encode_message(message)) == message


def test_golden_bytes() -> None:
    """T-P3: the form of a message is fixed; a change of it is a new protocol version."""
    assert encode_message(Ping(1)).hex() == "920401"
    assert encode_message(HelloAccepted()).hex() == "9102"
    assert encode_message(Goodbye(13, "late")).hex() == "93030da46c617465"
    assert encode_message(Inventory(1, (ID,))).hex() == "93060191c414" + ID.hex()
    assert encode_message(BlockMessage(b"\x01\x02")).hex() == "920ac4020102"
    assert encode_message(make_hello(node_id=b"n" * 32)).hex() == (
        "9c0101c420" + "63" * 32 + "c420" + "6e" * 32 + "00c414" + "00" * 20 + "0000"
        "c414" + "00" * 20 + "ad746573742f737472616e67657200cf0000018bcfe56800"
    )


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("nothing", b""),
        ("a number", b"\x01"),
        ("an empty list", pack()),
        ("number zero", pack(0)),
        ("unknown number", pack(len(MESSAGES) + 1)),
        ("a number as text", pack("4", 1)),
        ("a missing field", pack(4)),
        ("a field too many", pack(4, 1, 2)),
        ("bytes left over", pack(4, 1) + b"\x00"),
        ("cut short", pack(6, 1, [ID])[:-1]),
        ("a negative nonce", pack(4, -1)),
        ("a boolean nonce", pack(4, True)),
        ("a float nonce", pack(4, 1.0)),
        ("no nonce", pack(4, None)),
        ("a map", pack(4, {})),
        ("an extension", pack(4, msgpack.ExtType(1, b"x"))),
        ("a timestamp", pack(4, msgpack.Timestamp(1))),
        ("a wide number", bytes.fromhex("9204cd0001")),
        ("a wide list", bytes.fromhex("dc0002 0401")),
        ("a wide message number", bytes.fromhex("92cc0401")),
        ("a long bin header", bytes.fromhex("920ac50001 01")),
        ("text for bytes", pack(10, "block")),
        ("an empty block", pack(10, b"")),
        ("bytes for text", pack(3, 0, b"late")),
        ("unknown goodbye", pack(3, 255, "")),
        ("control characters", pack(3, 0, "two\nlines")),
        ("broken text", bytes.fromhex("930300a1ff")),
        ("a long reason", pack(3, 0, "x" * 201)),
        ("unknown kind", pack(6, 2, [ID])),
        ("an empty inventory", pack(6, 1, [])),
        ("a short id", pack(6, 1, [ID[:-1]])),
        ("too many ids", pack(7, 1, [ID] * (MAX_FETCH_IDS + 1))),
        ("an id out of place", pack(12, 5, list(block_ids(6, 1)), 0)),
        ("a name for a host", pack(14, [["example.org", 1776, 0]])),
        ("a zone in a host", pack(14, [["fe80::1%eth0", 1776, 0]])),
        ("port zero", pack(14, [["10.0.0.1", 0, 0]])),
        ("a short address", pack(14, [["10.0.0.1", 1]])),
        ("a port too large", pack(14, [["10.0.0.1", 65_536, 0]])),
    ],
)
def test_malformed_payloads_are_refused(name: str, payload: bytes) -> None:
    """T-P1, T-P3: each has its typed refusal with the id of the threat."""
    with pytest.raises(DecodeError) as caught:
        decode_message(payload)
    assert caught.value.rule.startswith("T-P"), name


@pytest.mark.parametrize(
    "field",
    ["protocol_version", "head_num", "head_time", "lib_num", "listen_port", "time_ms"],
)
def test_integers_have_widths(field: str) -> None:
    """T-P1: a greeting with a number beyond its width is refused."""
    message = make_hello(**{field: 2**64 - 1 if field != "time_ms" else 1})
    if field == "time_ms":
        assert decode_message(encode_message(message)) == message
        return
    with pytest.raises(DecodeError):
        decode_message(encode_message(message))


@pytest.mark.parametrize(("message", "field"), LARGEST, ids=lambda item: type(item).__name__)
def test_the_size_of_a_message_follows_from_its_declaration(message: Message, field: str) -> None:
    """T-P2: one item or byte more than declared makes a message that is neither sent nor read.

    Small numbers leave a text some bytes below what the widest ones would.
    """
    value = getattr(message, field)
    longer = replace(message, **{field: value + (value[:1] if field != "reason" else "x" * 2)})
    with pytest.raises(EncodeError) as caught:
        encode_message(longer)
    assert caught.value.rule == "T-P2"
    limit = caught.value.limit
    assert isinstance(limit, int)
    assert len(encode_message(message)) <= limit


@pytest.mark.parametrize("name", MESSAGE_BOMBS)
def test_bombs_cost_little_memory(name: str) -> None:
    """T-P2: what a payload claims to hold is never allocated."""
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            decode_message(MESSAGE_BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


@settings(max_examples=1_500, deadline=None)
@given(payload=st.binary(max_size=80))
@example(payload=b"\x91\x0d")
def test_random_bytes_never_do_harm(payload: bytes) -> None:
    """T-P1, T-P3: they decode to a message of exactly these bytes or raise DecodeError."""
    try:
        message = decode_message(payload)
    except DecodeError:
        return
    assert encode_message(message) == payload


@settings(max_examples=1_500, deadline=None)
@given(data=st.data())
def test_mutated_messages_never_do_harm(data: st.DataObject) -> None:
    """T-P1, T-P3: the same, beginning with real messages."""
    payload = bytearray(encode_message(data.draw(st.sampled_from(EXAMPLES))))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(payload)))
        match data.draw(st.integers(0, 2)):
            case 0 if position < len(payload):
                payload[position] = data.draw(st.integers(0, 255))
            case 1:
                payload[position:position] = data.draw(st.binary(min_size=1, max_size=6))
            case _:
                del payload[position : position + 3]
    try:
        message = decode_message(bytes(payload))
    except DecodeError:
        return
    assert encode_message(message) == payload


_JUNK = st.recursive(
    st.one_of(
        st.integers(-(2**63), 2**64 - 1),
        st.binary(max_size=40),
        st.text(max_size=9),
        st.none(),
        st.booleans(),
        st.floats(),
    ),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@settings(max_examples=250, deadline=None)
@given(number=st.integers(0, 20), fields=st.lists(_JUNK, max_size=12))
def test_any_well_formed_msgpack_is_judged(number: int, fields: list[object]) -> None:
    """T-P1: a list of anything is a message or a DecodeError."""
    payload = pack(number, *fields)
    try:
        message = decode_message(payload)
    except DecodeError:
        return
    assert number_of(message) == number
    assert encode_message(message) == payload
