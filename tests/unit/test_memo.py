"""Memos, against the ciphertext that both BitShares clients make."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto import memo
from protocol.crypto.hashes import sha256, sha512
from protocol.crypto.keys import NULL_KEY, PrivateKey, public_key
from protocol.errors import KeyFormatError
from protocol.schema import PublicKey

ALICE = PrivateKey(sha256(b"vector-key-1"))
BOB = PrivateKey(sha256(b"vector-key-2"))
NONCE = "1462976530069648"
TEXT = "hello BitShares \u20bf memo"
MESSAGE = bytes.fromhex("564caf29cf980239bfa5bac615abdb97ce46c8a5bb3a36ee7546bfb1b0be588f")


@pytest.mark.parametrize("nonce", [NONCE, int(NONCE)])
def test_encrypts_as_the_clients_do(nonce: int | str) -> None:
    assert memo.encrypt_memo(ALICE, public_key(BOB), nonce, TEXT) == MESSAGE


@pytest.mark.parametrize("nonce", [NONCE, int(NONCE)])
def test_both_sides_can_read(nonce: int | str) -> None:
    assert memo.decrypt_memo(BOB, public_key(ALICE), nonce, MESSAGE) == TEXT
    assert memo.decrypt_memo(ALICE, public_key(BOB), nonce, MESSAGE) == TEXT


@given(st.text(max_size=100), st.integers(0, memo.NONCE_MAX))
def test_round_trip(text: str, nonce: int) -> None:
    message = memo.encrypt_memo(ALICE, public_key(BOB), nonce, text)
    assert memo.decrypt_memo(BOB, public_key(ALICE), str(nonce), message) == text


def test_anything_else_than_the_right_key_nonce_and_bytes_is_refused() -> None:
    eve = PrivateKey(b"\7" * 32)
    attempts = [
        (eve, ALICE, NONCE, MESSAGE),
        (BOB, ALICE, "1", MESSAGE),
        (BOB, ALICE, NONCE, MESSAGE[:-1]),
        (BOB, ALICE, NONCE, b""),
        *((BOB, ALICE, NONCE, _flipped(MESSAGE, position)) for position in range(len(MESSAGE))),
    ]
    for secret, other, nonce, message in attempts:
        with pytest.raises(KeyFormatError, match="damaged or not for this key"):
            memo.decrypt_memo(secret, public_key(other), nonce, message)


def test_a_memo_from_nobody_is_plain() -> None:
    assert memo.decrypt_memo(BOB, NULL_KEY, 0, b"\0\0\0\0hello") == "hello"
    with pytest.raises(KeyFormatError, match="too short"):
        memo.decrypt_memo(BOB, NULL_KEY, 0, b"\0\0\0")
    with pytest.raises(KeyFormatError, match="not UTF-8"):
        memo.decrypt_memo(BOB, NULL_KEY, 0, b"\0\0\0\0\xff")


def test_memos_of_old_wallets_that_dropped_leading_zeros_can_be_read() -> None:
    number = 1
    while memo._shared_point(ALICE, public_key(_secret(number)))[0] != 0:
        number += 1
    other = _secret(number)
    point = memo._shared_point(ALICE, public_key(other)).lstrip(b"\0")
    seed = sha512(b"1" + sha512(point).hex().encode())
    padded = sha256(b"old")[:4] + b"old" + b"\x09" * 9
    encryptor = Cipher(algorithms.AES(seed[:32]), modes.CBC(seed[32:48])).encryptor()
    message = encryptor.update(padded) + encryptor.finalize()
    assert memo.decrypt_memo(ALICE, public_key(other), 1, message) == "old"
    assert memo.encrypt_memo(ALICE, public_key(other), 1, "old") != message


@pytest.mark.parametrize("nonce", [-1, 1 << 64, "-1", "0x1", "", " 1", "٣", "1" * 21])
def test_bad_nonce_is_refused(nonce: int | str) -> None:
    with pytest.raises(KeyFormatError, match="memo nonce"):
        memo.encrypt_memo(ALICE, public_key(BOB), nonce, TEXT)


def test_a_key_that_is_no_point_is_refused() -> None:
    with pytest.raises(KeyFormatError, match="no point"):
        memo.encrypt_memo(ALICE, PublicKey(b"\2" + b"\xff" * 32), 1, TEXT)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(KeyFormatError, match="no UTF-8 form"):
        memo.encrypt_memo(ALICE, public_key(BOB), 1, "\ud800")


def _secret(number: int) -> PrivateKey:
    return PrivateKey(number.to_bytes(32, "big"))


def _flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes((data[position] ^ 1,)) + data[position + 1 :]
