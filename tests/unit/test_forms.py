"""Every declared class in its three forms: binary, JSON and MessagePack."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Callable, Hashable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.state.database import State
from protocol import operations
from protocol.asset import AssetAmount, Price
from protocol.binary import pack, unpack
from protocol.block import SignedBlock
from protocol.chain_parameters import ChainParameters
from protocol.errors import DecodeError, EncodeError, ProtocolError
from protocol.ids import (
    ID_TYPES,
    AccountId,
    AssetId,
    account_text,
    id_text,
    object_id,
    parse_id,
    parse_object_id,
    parse_vote_id,
)
from protocol.json_form import format_time, from_json, from_json_as, parse_time, to_json, to_json_as
from protocol.leb128 import read_varint, write_varint
from protocol.msgpack_form import pack_document, to_plain
from protocol.msgpack_read import MsgpackReader
from protocol.operations.transfer import Transfer
from protocol.operations.witness import WitnessCreate
from protocol.schema import IdType, Int64, PublicKey, UInt64, schema_of
from protocol.transaction import SignedTransaction
from tests.support.chain import TestChain
from tests.support.declared import instances

OPERATION_CLASSES = [entry.cls for entry in operations.OPERATIONS.values()]
STATE_CLASSES = [table.cls for table in State().tables]
CLASSES = [*OPERATION_CLASSES, SignedTransaction, SignedBlock, ChainParameters]


def name_of(cls: type) -> str:
    return cls.__name__


def test_each_object_says_its_own_id_first() -> None:
    """A table's objects have ids of the table's own type; `Table` derives all else later."""
    for table in State().tables:
        first = schema_of(table.cls).fields[0]
        assert (first.name, first.type) == ("id", IdType(table.space, table.type)), table.cls


@pytest.mark.parametrize("cls", CLASSES, ids=name_of)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_each_form_gives_the_value_back(cls: type, data: st.DataObject) -> None:
    """R9.7: one declaration, three forms, and the binary one is canonical."""
    value = data.draw(instances(cls))
    packed = pack(value)
    decoded: object = unpack(cls, packed)
    assert pack(decoded) == packed
    from_text: object = from_json(cls, to_json(decoded, "TEST"), "TEST")
    assert from_text == decoded
    assert MsgpackReader().read(cls, pack_document(to_plain(decoded))) == decoded


@pytest.mark.parametrize("cls", STATE_CLASSES, ids=name_of)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_state_objects_survive_a_snapshot(cls: type, data: st.DataObject) -> None:
    """R9.1: a snapshot restores every field, judged by the binary form that is hashed."""
    value = data.draw(instances(cls))
    assert pack(MsgpackReader().read(cls, pack_document(to_plain(value)))) == pack(value)


@pytest.mark.parametrize("cls", CLASSES, ids=name_of)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_shortened_or_lengthened_bytes_are_refused(cls: type, data: st.DataObject) -> None:
    """T-P3: a reader accepts only what a writer makes, to the last byte."""
    packed = pack(data.draw(instances(cls)))
    cut = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(ProtocolError):
        unpack(cls, packed[:cut])
    with pytest.raises(ProtocolError):
        unpack(cls, packed + b"\0")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_come_back_the_same(noise: bytes) -> None:
    """T-P3: decode(x) succeeds only where encode(decode(x)) == x."""
    try:
        value = unpack(SignedTransaction, noise)
    except ProtocolError:
        return
    assert pack(value) == noise


@given(st.integers(0, 2**48 - 1))
def test_varint_round_trip(value: int) -> None:
    out = bytearray()
    write_varint(out, value)
    assert read_varint(bytes(out), 0) == (value, len(out))


@pytest.mark.parametrize("noise", [b"\x80\x00", b"\xff\x80\x00", b"\xff" * 8])
def test_a_varint_that_is_not_minimal_is_refused(noise: bytes) -> None:
    with pytest.raises(DecodeError):
        read_varint(noise, 0)


def transfer(amount: object) -> dict[str, object]:
    return {
        "fee": {"amount": 0, "asset_id": "1.3.0"},
        "from": "1.2.1",
        "to": "1.2.2",
        "amount": {"amount": amount, "asset_id": "1.3.0"},
        "extensions": {},
    }


@pytest.mark.parametrize("amount", [7, "7"])
def test_integers_come_as_numbers_or_strings(amount: object) -> None:
    """Clients of JavaScript send 64-bit integers as strings, those of Python as numbers."""
    value = from_json(Transfer, transfer(amount), "TEST")  # type: ignore[arg-type]
    assert value.amount.amount == 7


@pytest.mark.parametrize("amount", [True, 1.5, None, "x", "1e3", [], 2**63, "9223372036854775808"])
def test_other_amounts_are_refused_with_their_path(amount: object) -> None:
    with pytest.raises(DecodeError, match=r"\.amount\.amount: "):
        from_json(Transfer, transfer(amount), "TEST")  # type: ignore[arg-type]


def test_a_missing_field_is_named() -> None:
    document = transfer(1)
    del document["to"]
    with pytest.raises(DecodeError, match="Transfer lacks the field to"):
        from_json(Transfer, document, "TEST")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (Int64, 2**31 - 1, 2**31 - 1),
        (Int64, 2**31, "2147483648"),
        (Int64, -(2**31), -(2**31)),
        (Int64, -(2**31) - 1, "-2147483649"),
        (UInt64, 2**32 - 1, 2**32 - 1),
        (UInt64, 2**32, "4294967296"),
    ],
)
def test_wide_integers_are_written_as_strings(
    annotation: Hashable, value: int, expected: object
) -> None:
    """BitShares' node stringifies what JavaScript could not hold in its bit operations."""
    assert to_json_as(annotation, value, "TEST") == expected


def test_an_amount_too_wide_for_its_field_is_refused() -> None:
    with pytest.raises(EncodeError):
        pack(AssetAmount(2**63, AssetId(0)))
    with pytest.raises(EncodeError):
        pack(AssetAmount(1, AssetId(-1)))


def test_a_set_that_is_not_ascending_is_refused() -> None:
    """CLIENTS: sets are sorted; JSON may bring any order, bytes may not."""
    proposal = operations.ENTRY_OF[operations.OPERATIONS[13].cls].cls
    fee = {"amount": 0, "asset_id": "1.3.0"}
    document = {
        "fee": fee,
        "issuer": "1.2.1",
        "asset_to_update": "1.3.1",
        "new_feed_producers": ["1.2.9", "1.2.3", "1.2.9"],
        "extensions": [],
    }
    value = from_json(proposal, document, "TEST")  # type: ignore[arg-type]
    packed = pack(value)
    assert packed.endswith(bytes((2, 3, 9, 0)))
    with pytest.raises(DecodeError, match="not ascending"):
        unpack(proposal, packed[:-4] + bytes((2, 9, 3, 0)))


@pytest.mark.parametrize("text", ["1.2", "1.2.x", "01.2.3", "1.2.-3", "1.256.3", "1.2.3.4", ""])
def test_malformed_object_ids_are_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_object_id(text)


def test_an_id_of_another_type_is_refused() -> None:
    with pytest.raises(DecodeError, match="not an object id of this type"):
        from_json_as(AccountId, "1.3.0", "TEST")


def test_an_id_is_written_and_read_by_its_type() -> None:
    assert account_text(AccountId(17)) == "1.2.17"
    assert parse_id(AccountId, "1.2.17") == 17
    with pytest.raises(DecodeError, match="not an object id of this type") as caught:
        parse_id(AccountId, "1.3.17")
    assert (caught.value.value, caught.value.limit) == ("1.3.17", "1.2.n")


@pytest.mark.parametrize("id_type", ID_TYPES)
def test_both_forms_of_an_id_agree(id_type: Callable[[int], int]) -> None:
    """The text that is written at once, and that of an id whose type is known at run time only."""
    assert id_text(id_type)(7) == str(object_id(id_type, 7))


@pytest.mark.parametrize("text", ["1", "a:1", "1:", "256:1", "0:16777216", "１:2", "1:٣"])
def test_malformed_vote_ids_are_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_vote_id(text)


@given(st.integers(0, 2**32 - 1))
def test_times_round_trip(seconds: int) -> None:
    assert parse_time(format_time(seconds)) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21",
        "2026-13-01T00:00:00",
        "2026-02-30T00:00:00",
        "1969-12-31T23:59:59",
        "2106-02-07T06:28:16",
        "2026-11-21T24:00:00",
        "2026-11-21T20:12:37+01:00",
    ],
)
def test_malformed_times_are_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_time(text)


def test_keys_carry_the_prefix_of_their_network() -> None:
    key = PublicKey(bytes.fromhex("02" + "11" * 32))
    text = to_json(_with_key(key), "GPH")
    assert isinstance(text, dict)
    assert str(text["block_signing_key"]).startswith("GPH")
    with pytest.raises(DecodeError):
        from_json(operations.OPERATIONS[20].cls, text, "TEST")


def _with_key(key: PublicKey) -> object:
    return WitnessCreate(AssetAmount(0, AssetId(0)), AccountId(6), "", key)


def test_prices_of_the_wire_keep_their_terms() -> None:
    """R1.1: a price is not reduced."""
    price = Price(AssetAmount(2, AssetId(1)), AssetAmount(4, AssetId(0)))
    assert unpack(Price, pack(price)) == price


def test_a_traceback_through_a_codec_shows_its_line() -> None:
    """Derived source is known to `linecache`, each codec under a name of its own."""
    try:
        pack(AssetAmount(2**70, AssetId(0)))
    except EncodeError:
        text = traceback.format_exc()
    assert "<derived codec" in text
    assert "out += pack" in text


def test_another_chain_derives_no_code() -> None:
    """Every kind of object has one reader of its fields, however many chains a process has."""
    TestChain()
    derived = len(linecache.cache)
    TestChain()
    assert len(linecache.cache) == derived
