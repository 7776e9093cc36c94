"""Keys and their text forms, against values that BitShares' clients publish."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto import keys
from protocol.crypto.curve import CURVE_ORDER
from protocol.crypto.hashes import address_of
from protocol.crypto.keys import PrivateKey, SecretBytes
from protocol.errors import KeyFormatError
from protocol.schema import Address

WIF = "5KQwrPbwdL6PhXujxW37FSSQZ1JiwsST4cqQzDeyXtP79zkvFD3"
KEY = "BTS6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5GDW5CV"
BRAIN_KEY = (
    "COLORER BICORN KASBEKE FAERIE LOCHIA GOMUTI SOVKHOZ Y GERMAL AUNTIE PERFUMY TIME FEATURE "
    "GANGAN CELEMIN MATZO"
)

secrets = st.integers(1, CURVE_ORDER - 1).map(lambda number: PrivateKey(number.to_bytes(32, "big")))


def test_wif_gives_the_public_key_of_the_clients() -> None:
    secret = keys.parse_wif(WIF)
    assert keys.wif(secret) == WIF
    assert keys.key_text(keys.public_key(secret), "BTS") == KEY


def test_null_key_has_a_text() -> None:
    text = "BTS1111111111111111111111111111111114T1Anm"
    assert keys.key_text(keys.NULL_KEY, "BTS") == text
    assert keys.parse_key(text, "BTS") == keys.NULL_KEY


def test_brain_keys_of_the_python_client() -> None:
    assert keys.wif(keys.brain_key(BRAIN_KEY, 1)) == (
        "5Hsbn6kXio4bb7eW5bX7kTp2sdkmbzP8kGWoau46Cf7en7T1RRE"
    )


def test_brain_key_ignores_extra_white_space_but_not_case() -> None:
    spread = " \u00a0" + BRAIN_KEY.replace(" ", "\t\n ") + "\r\n"
    assert keys.normalize_brain_key(spread) == BRAIN_KEY
    assert keys.brain_key(spread) == keys.brain_key(BRAIN_KEY)
    assert keys.brain_key(BRAIN_KEY.lower()) != keys.brain_key(BRAIN_KEY)


@pytest.mark.parametrize("words", ["", " \t\n"])
def test_empty_brain_key_is_refused(words: str) -> None:
    with pytest.raises(KeyFormatError, match="empty brain key"):
        keys.brain_key(words)


def test_negative_sequence_is_refused() -> None:
    with pytest.raises(KeyFormatError, match="negative sequence"):
        keys.brain_key(BRAIN_KEY, -1)


def test_password_key_is_the_hash_of_name_role_and_password() -> None:
    found = keys.password_key("alice", "active", "correct horse")
    assert found.reveal().hex() == (
        "dba4f04e5069b9be76ceb9ff253039da572407af91ca548f32ce2a0c4ad19ef3"
    )
    assert found == keys.password_key("alice", "active", "correct \n horse ")
    assert found != keys.password_key("alice", "owner", "correct horse")


@pytest.mark.parametrize(("name", "password"), [("", "password"), ("alice", "")])
def test_password_key_needs_name_and_password(name: str, password: str) -> None:
    with pytest.raises(KeyFormatError, match="needs a name and a password"):
        keys.password_key(name, "active", password)


@given(st.binary(max_size=60))
def test_base58_round_trip(data: bytes) -> None:
    assert keys.decode_base58(keys.encode_base58(data)) == data


@given(secrets)
def test_texts_round_trip(secret: PrivateKey) -> None:
    key = keys.public_key(secret)
    assert keys.parse_wif(keys.wif(secret)) == secret
    assert keys.parse_key(keys.key_text(key, "TEST"), "TEST") == key
    address = address_of(key)
    assert keys.parse_address(keys.address_text(address, "TEST"), "TEST") == address


def test_each_wrong_digit_of_a_wif_is_noticed() -> None:
    for position in range(len(WIF)):
        wrong = WIF[:position] + ("2" if WIF[position] != "2" else "3") + WIF[position + 1 :]
        with pytest.raises(KeyFormatError) as refusal:
            keys.parse_wif(wrong)
        assert wrong not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "wrong length of a WIF"),
        (WIF[:-1], "wrong length|wrong checksum"),
        ("0" + WIF[1:], "no base58 digit at position 0"),
        ("1" * 200, "too long"),
        ("KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn", "compression flag"),
        (
            keys.encode_base58(bytes.fromhex("ef" + "01" * 32 + "4afdc462")),
            "wrong version",
        ),
    ],
)
def test_bad_wif_is_refused_without_showing_it(text: str, message: str) -> None:
    with pytest.raises(KeyFormatError, match=message) as refusal:
        keys.parse_wif(text)
    assert len(text) < 10 or text not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TEST" + KEY[3:], "without its prefix"),
        ("bts" + KEY[3:], "without its prefix"),
        (KEY[:-1] + "W", "wrong checksum"),
        (KEY + "11", "wrong length"),
        ("BTS", "wrong length"),
        ("BTSl", "no base58 digit"),
    ],
)
def test_bad_public_key_is_refused(text: str, message: str) -> None:
    with pytest.raises(KeyFormatError, match=message):
        keys.parse_key(text, "BTS")


def test_an_address_is_no_public_key() -> None:
    text = keys.address_text(Address(bytes(20)), "BTS")
    with pytest.raises(KeyFormatError, match="wrong length of a public key"):
        keys.parse_key(text, "BTS")
    with pytest.raises(KeyFormatError, match="wrong length of an address"):
        keys.parse_address(KEY, "BTS")


@pytest.mark.parametrize("number", [0, CURVE_ORDER, 2**256 - 1], ids=["zero", "order", "largest"])
def test_secret_outside_the_curve_order_is_refused(number: int) -> None:
    with pytest.raises(KeyFormatError, match="outside"):
        PrivateKey(number.to_bytes(32, "big"))


def test_secret_of_wrong_length_is_refused() -> None:
    with pytest.raises(KeyFormatError, match="wrong length"):
        PrivateKey(bytes(31) + b"\1\1")


def test_a_secret_does_not_show_itself() -> None:
    """T-X1: neither printed, formatted nor pickled."""
    secret = PrivateKey(b"\x11" * 32)
    for shown in (repr(secret), str(secret), f"{secret}", f"{[secret]!r}"):
        assert "11" not in shown
        assert "redacted" in shown
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="must not be pickled"):
            leak(secret)
    with pytest.raises(TypeError, match="unhashable"):
        hash(secret)


def test_secrets_compare_by_value() -> None:
    assert SecretBytes(b"a") == SecretBytes(b"a")
    assert SecretBytes(b"a") != SecretBytes(b"b")
    assert SecretBytes(b"a") != b"a"


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(KeyFormatError, match="no UTF-8 form"):
        keys.password_key("alice", "active", "\ud800 password")
