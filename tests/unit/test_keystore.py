"""Keystore files: only the right password opens them, and only unchanged ones."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from protocol.crypto import keystore
from protocol.crypto.keys import PrivateKey, key_text, public_key, wif
from protocol.errors import KeyFormatError

SECRET = PrivateKey(bytes(range(1, 33)))
PASSWORD = "pässword ½"
HEADER = keystore.new_header(
    SECRET,
    uuid="6f1c2f0e-0f58-4a1c-9c1e-9a3d2b6a7c11",
    chain="39f5e2ede1f8bc1a3a54a7914414e3779e33193f1f5693510e73cb7a87617447",
    role="witness",
    prefix="TEST",
)
TEXT = keystore.encrypt_keystore(
    SECRET, PASSWORD, HEADER, salt=bytes(range(32)), nonce=bytes(range(12)), n=1 << 14
)


def test_the_right_password_opens() -> None:
    assert keystore.decrypt_keystore(TEXT, PASSWORD) == SECRET


def test_the_header_is_readable_without_the_password() -> None:
    header = keystore.read_header(TEXT)
    assert header == HEADER
    assert header.pubkey == key_text(public_key(SECRET), "TEST")


def test_the_file_does_not_hold_the_secret() -> None:
    assert SECRET.reveal().hex() not in TEXT
    assert wif(SECRET) not in TEXT
    assert PASSWORD not in TEXT


@pytest.mark.parametrize("same", ["pa\u0308ssword 1\u20442", "p\u00e4ss\x00word \u00bd\x7f"])
def test_passwords_are_normalized(same: str) -> None:
    """NFKD, and control characters do not count."""
    assert keystore.decrypt_keystore(TEXT, same) == SECRET


@pytest.mark.parametrize("password", ["", "Pässword ½", "pässword ½ "])
def test_a_wrong_password_is_refused(password: str) -> None:
    """T-X1: in the words for a changed file, so nobody learns which it was."""
    with pytest.raises(KeyFormatError) as refusal:
        keystore.decrypt_keystore(TEXT, password)
    assert refusal.value.what == "wrong password, or the keystore file was changed"


CHANGES: dict[str, Callable[[dict[str, object]], None]] = {
    "uuid": lambda document: document.update(uuid="0" + HEADER.uuid[1:]),
    "chain": lambda document: document.update(chain="00" * 32),
    "role": lambda document: document.update(role="owner"),
    "pubkey": lambda document: document.update(pubkey="TEST1"),
    "n": lambda document: _part(document, "kdf").update(n=1 << 15),
    "p": lambda document: _part(document, "kdf").update(p=2),
    "salt": lambda document: _part(document, "kdf").update(salt="00" * 32),
    "nonce": lambda document: _part(document, "cipher").update(nonce="00" * 12),
    "message": lambda document: _crypto(document).update(message="00" * 48),
}


@pytest.mark.parametrize("field", CHANGES)
def test_no_field_can_be_changed_unnoticed(field: str) -> None:
    """T-X1: the seal covers the header and the parameters, too."""
    with pytest.raises(KeyFormatError, match="wrong password, or the keystore file was changed"):
        keystore.decrypt_keystore(_changed(CHANGES[field]), PASSWORD)


REFUSED: dict[str, tuple[Callable[[dict[str, object]], object], str]] = {
    "version": (lambda document: document.update(version=2), "unknown version"),
    "version type": (lambda document: document.update(version=True), "not a whole number"),
    "memory bomb": (lambda document: _part(document, "kdf").update(n=1 << 21), "scrypt n"),
    "weak": (lambda document: _part(document, "kdf").update(n=1 << 13), "scrypt n"),
    "no power": (lambda document: _part(document, "kdf").update(n=(1 << 14) + 1), "scrypt n"),
    "r": (lambda document: _part(document, "kdf").update(r=16), "scrypt r"),
    "no p": (lambda document: _part(document, "kdf").update(p=0), "scrypt p"),
    "time bomb": (lambda document: _part(document, "kdf").update(p=5), "scrypt p"),
    "float": (lambda document: _part(document, "kdf").update(n=16384.0), "not a whole number"),
    "kdf": (lambda document: _part(document, "kdf").update(function="md5"), "unknown function"),
    "cipher": (lambda document: _part(document, "cipher").update(function="x"), "unknown function"),
    "salt": (lambda document: _part(document, "kdf").update(salt="00"), "length of the salt"),
    "nonce": (lambda document: _part(document, "cipher").update(nonce="00"), "length of the nonce"),
    "message": (lambda document: _crypto(document).update(message=""), "length of the message"),
    "no hex": (lambda document: _crypto(document).update(message="zz"), "not hexadecimal"),
    "no text": (lambda document: document.update(role=7), "role in a keystore file is not text"),
    "uuid": (lambda document: document.update(uuid="../../key"), "without a uuid"),
    "missing": (lambda document: document.pop("crypto"), "without crypto"),
    "no object": (lambda document: document.update(crypto=[]), "without kdf"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_malformed_file_is_refused_before_the_password_counts(case: str) -> None:
    change, message = REFUSED[case]
    with pytest.raises(KeyFormatError, match=message):
        keystore.read_header(_changed(change))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 4000, "not JSON"),
        ("7", "without version"),
        (" " * 5000, "too long"),
    ],
)
def test_a_file_of_something_else_is_refused(text: str, message: str) -> None:
    with pytest.raises(KeyFormatError, match=message):
        keystore.read_header(text)


@pytest.mark.parametrize(
    ("password", "message"),
    [("seven 7", "too short"), ("x" * 1025, "too long"), ("surrogate \udc80", "no UTF-8 form")],
)
def test_bad_new_password_is_refused(password: str, message: str) -> None:
    with pytest.raises(KeyFormatError, match=message) as refusal:
        keystore.encrypt_keystore(SECRET, password, HEADER, salt=bytes(32), nonce=bytes(12))
    assert password not in str(refusal.value)


def _changed(change: Callable[[dict[str, object]], object]) -> str:
    document: dict[str, object] = json.loads(TEXT)
    change(document)
    return json.dumps(document)


def _crypto(document: dict[str, object]) -> dict[str, object]:
    crypto = document["crypto"]
    assert isinstance(crypto, dict)
    return crypto


def _part(document: dict[str, object], name: str) -> dict[str, object]:
    part = _crypto(document)[name]
    assert isinstance(part, dict)
    return part
