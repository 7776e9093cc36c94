"""What is no document of the form is refused, and says what it should have been (T-S5)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.state.database import NUMBERED, State
from node.state.objects.accounts import Account
from protocol import msgpack_read
from protocol.asset import NO_FEE, AssetAmount
from protocol.errors import DecodeError, ProtocolError
from protocol.ids import AccountId, AssetId
from protocol.msgpack_form import Plain, pack_document, to_plain
from protocol.msgpack_read import MsgpackReader, read_list
from protocol.operations.transfer import Transfer
from protocol.transaction import SignedTransaction
from tests.support.state import make_state

AMOUNT = AssetAmount(5, AssetId(0))
TRANSFER = Transfer(NO_FEE, AccountId(1), AccountId(2), AMOUNT)


def transaction_with(operations: list[Plain]) -> bytes:
    """A transaction without signatures."""
    return pack_document([0, 0, 0, operations, [], []])


@pytest.mark.parametrize(
    "plain",
    [
        None,
        5,
        [],
        [5],
        [5, 0, 0],
        [5, "0"],
        [True, 0],
        [5, [0]],
    ],
)
def test_another_document_is_refused(plain: Plain) -> None:
    """Of the wrong length or type; a truth value is no number."""
    with pytest.raises(DecodeError, match="no AssetAmount: "):
        MsgpackReader().read(AssetAmount, pack_document(plain))


def test_deep_in_a_document_too() -> None:
    """An operation that has no such tag, and one whose amount is none."""
    good = to_plain(TRANSFER)
    assert isinstance(good, list)
    read = MsgpackReader().read(SignedTransaction, transaction_with([[0, good]]))
    assert read.operations == (TRANSFER,)
    for bad in ([[999, good]], [[0, [*good[:3], [True, 0], *good[4:]]]], [[0]], [0], 0):
        with pytest.raises(ProtocolError):
            MsgpackReader().read(SignedTransaction, transaction_with(bad))  # type: ignore[arg-type]


def test_a_text_is_of_characters() -> None:
    """What is no UTF-8 is refused as all else is."""
    plain: list[Plain] = [*[0] * 8, b"name", *[0] * 13]
    data = pack_document(plain).replace(b"\xc4\x04name", b"\xa4nam\xff")
    with pytest.raises(DecodeError, match="no Account: 'utf-8'"):
        MsgpackReader().read(Account, data)


def test_a_number_that_no_id_has_is_read_as_it_is() -> None:
    """It is no other account's, however small or large."""
    reader = MsgpackReader(NUMBERED)
    for number in (-1, 1 << 40, 7):
        read = reader.read(Transfer, pack_document(to_plain(replace(TRANSFER, to=number))))
        assert read.to == number


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x91", pack_document([1]) + b"\0"])
def test_what_is_cut_or_goes_on_is_refused(data: bytes) -> None:
    """T-S5: to the last byte."""
    with pytest.raises(DecodeError):
        read_list(data, int)
    with pytest.raises(DecodeError):
        State.read(data)


def test_a_document_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-R3: the refusal tells both sizes."""
    monkeypatch.setattr(msgpack_read, "MAX_DOCUMENT_BYTES", 3)
    with pytest.raises(DecodeError, match="too large, value 4, limit 3"):
        read_list(pack_document([1, 2, 3]), int)


def test_a_table_that_no_state_has_is_refused() -> None:
    """A snapshot of a version that knows more."""
    with pytest.raises(DecodeError, match=r"no such table, value 9\.9"):
        State.read(pack_document([[9, 9, 0, []]]))


def test_equal_parts_are_one_object() -> None:
    """Wherever they stand, and for this reader alone."""
    reader = MsgpackReader()
    plain = to_plain(TRANSFER)
    assert isinstance(plain, list)
    other = pack_document([plain[0], 7, 8, *plain[3:]])
    first, second = (reader.read(Transfer, data) for data in (pack_document(plain), other))
    assert first.amount is second.amount
    assert first.amount is not MsgpackReader().read(Transfer, other).amount
    assert first.fee is not first.amount


def test_a_state_is_read_as_it_was_written() -> None:
    """I18: every table of a small chain, whatever was read before by the same reader."""
    state = make_state("alice", "bob", core=10**9)
    assert State.read(pack_document(state.dump())).dump() == state.dump()
