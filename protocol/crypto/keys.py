"""Secret and public keys and their text forms: prefixed base58, WIF, passwords, brain keys."""

from __future__ import annotations

import hmac
import re
from functools import lru_cache
from typing import NoReturn

import coincurve

from protocol.crypto.curve import CURVE_ORDER, KEY_LENGTH, NO_KEY
from protocol.crypto.hashes import ripemd160, sha256, sha512
from protocol.errors import KeyFormatError
from protocol.schema import Address, PublicKey

NULL_KEY = PublicKey(NO_KEY)
"""BitShares' "no key": 33 zero bytes, no point of the curve."""

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGIT_OF = {character: digit for digit, character in enumerate(_ALPHABET)}
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_BASE58_LENGTH_MAX = 128

_CHECKSUM_LENGTH = 4
_KEY_TEXT = re.compile(r"([A-Z]{1,8})(?:[1-9A-HJ-NP-Za-km-z]{50}|1{33}4T1Anm)")
"""A compressed key in base58 takes 50 characters behind its prefix, the null key 39."""
TEXTS_KEPT = 16_384
"""Public keys whose texts are remembered: answers repeat them, and base 58 is slow."""
_WIF_VERSION = 0x80

_SPACES = re.compile("[\t\n\v\f\r ]+")
_TRIMMED = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)


class SecretBytes:
    """Bytes that must not leak: redacted when shown, equal in constant time, never pickled.

    CPython may leave copies of the bytes in memory; this guards against logs, errors and files.
    """

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # a hash would be an oracle for the value

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes themselves; keep them out of anything that outlives the call."""
        return self._value

    def __repr__(self) -> str:
        return f"{type(self).__name__}(redacted)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretBytes):
            return NotImplemented
        return hmac.compare_digest(self._value, other._value)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} must not be pickled or copied")


class PrivateKey(SecretBytes):
    """A secret of secp256k1: 32 bytes, a number in 1 … n-1; else `KeyFormatError`."""

    __slots__ = ()

    def __init__(self, value: bytes) -> None:
        if len(value) != 32:
            raise KeyFormatError("wrong length of a private key", value=len(value), limit=32)
        if not 0 < int.from_bytes(value, "big") < CURVE_ORDER:
            raise KeyFormatError("private key outside 1 … n-1 of secp256k1")
        super().__init__(value)


def public_key(secret: PrivateKey) -> PublicKey:
    """The compressed public key of a secret."""
    return PublicKey(coincurve.PublicKey.from_valid_secret(secret.reveal()).format())


def encode_base58(data: bytes) -> str:
    """Base58 in Bitcoin's alphabet; a leading zero byte is a leading "1"."""
    number = int.from_bytes(data, "big")
    pairs: list[str] = []
    while number:
        number, pair = divmod(number, 58 * 58)
        pairs.append(_PAIRS[pair])
    digits = "".join(reversed(pairs)).lstrip("1")
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits


def decode_base58(text: str) -> bytes:
    """Bytes of base58 text; `KeyFormatError` (without the text: it may be a secret)."""
    if len(text) > _BASE58_LENGTH_MAX:
        raise KeyFormatError("base58 text too long", value=len(text), limit=_BASE58_LENGTH_MAX)
    number = 0
    for position, character in enumerate(text):
        digit = _DIGIT_OF.get(character)
        if digit is None:
            raise KeyFormatError(f"no base58 digit at position {position}")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


@lru_cache(maxsize=TEXTS_KEPT)
def key_text(key: PublicKey, prefix: str) -> str:
    """A public key as people see it: prefix, base58(key ‖ RIPEMD160(key)[:4])."""
    return prefix + _with_checksum(key)


@lru_cache(maxsize=TEXTS_KEPT)
def parse_key(text: str, prefix: str) -> PublicKey:
    """Read `key_text`; `KeyFormatError` names a wrong prefix, digit, length or checksum.

    Like BitShares it does not ask for a point of the curve: the null key has a text too.
    """
    return PublicKey(_checked(text, prefix, KEY_LENGTH, "a public key"))


def key_prefix(text: str) -> str | None:
    """The prefix of a chain's keys, as one of them has it; None for what looks like no key."""
    match = _KEY_TEXT.fullmatch(text)
    return None if match is None else match.group(1)


def address_text(address: Address, prefix: str) -> str:
    """An address as people see it: prefix, base58(address ‖ RIPEMD160(address)[:4])."""
    return prefix + _with_checksum(address)


def parse_address(text: str, prefix: str) -> Address:
    """Read `address_text`; `KeyFormatError` names a wrong prefix, digit, length or checksum."""
    return Address(_checked(text, prefix, 20, "an address"))


def wif(secret: PrivateKey) -> str:
    """Wallet import format: base58(0x80 ‖ secret ‖ SHA256(SHA256(…))[:4]). This is the secret."""
    payload = bytes((_WIF_VERSION,)) + secret.reveal()
    return encode_base58(payload + sha256(sha256(payload))[:_CHECKSUM_LENGTH])


def parse_wif(text: str) -> PrivateKey:
    """Read `wif`; `KeyFormatError` says what is wrong and never holds the text."""
    raw = decode_base58(text)
    if len(raw) == 38 and raw[33] == 1:
        raise KeyFormatError("WIF of a coin with a compression flag; BitShares' has none")
    if len(raw) != 37:
        raise KeyFormatError("wrong length of a WIF, in bytes", value=len(raw), limit=37)
    payload, checksum = raw[:-_CHECKSUM_LENGTH], raw[-_CHECKSUM_LENGTH:]
    if not hmac.compare_digest(sha256(sha256(payload))[:_CHECKSUM_LENGTH], checksum):
        raise KeyFormatError("wrong checksum of a WIF")
    if payload[0] != _WIF_VERSION:
        raise KeyFormatError("wrong version of a WIF", value=payload[0], limit=_WIF_VERSION)
    return PrivateKey(payload[1:])


def password_key(name: str, role: str, password: str) -> PrivateKey:
    """The key of a password account: SHA256(name ‖ role ‖ password), white space normalized.

    `role` is "owner", "active" or "memo". White space is treated as the web wallets treat it
    (`normalize_brain_key`), so that one password opens the account in both.
    """
    if not name or not password:
        raise KeyFormatError("a password account needs a name and a password")
    return PrivateKey(sha256(utf8(normalize_brain_key(name + role + password))))


def normalize_brain_key(words: str) -> str:
    """Words without outer white space and with single blanks between; case stays as it is."""
    trimmed = words.strip(_TRIMMED)
    if not trimmed:
        raise KeyFormatError("empty brain key")
    return _SPACES.sub(" ", trimmed)


def brain_key(words: str, sequence: int = 0) -> PrivateKey:
    """Key number `sequence` of a brain key: SHA256(SHA512(words ‖ " " ‖ sequence))."""
    if sequence < 0:
        raise KeyFormatError("negative sequence of a brain key", value=sequence, limit=0)
    return PrivateKey(sha256(sha512(utf8(f"{normalize_brain_key(words)} {sequence}"))))


def utf8(text: str) -> bytes:
    """UTF-8 of a text that may be secret; `KeyFormatError` for half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise KeyFormatError("text has no UTF-8 form") from None


def _with_checksum(data: bytes) -> str:
    return encode_base58(data + ripemd160(data)[:_CHECKSUM_LENGTH])


def _checked(text: str, prefix: str, length: int, what: str) -> bytes:
    if not text.startswith(prefix):
        raise KeyFormatError(f"text of {what} without its prefix", value=text[:8], limit=prefix)
    raw = decode_base58(text[len(prefix) :])
    if len(raw) != length + _CHECKSUM_LENGTH:
        raise KeyFormatError(
            f"wrong length of {what}, in bytes", value=len(raw), limit=length + _CHECKSUM_LENGTH
        )
    data, checksum = raw[:length], raw[length:]
    if ripemd160(data)[:_CHECKSUM_LENGTH] != checksum:
        raise KeyFormatError(f"wrong checksum of {what}")
    return data
