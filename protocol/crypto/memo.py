"""Memos: text that only sender and receiver read, in the form of the BitShares wallets.

The shared secret is S = SHA512(x of the Diffie-Hellman point, 32 bytes); with the decimal nonce it
gives K = SHA512(nonce ‖ hex(S)): AES-256-CBC with key K[:32] and start vector K[32:48] encrypts
SHA256(text)[:4] ‖ text, padded as PKCS #7 says.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from protocol.crypto.hashes import sha256, sha512
from protocol.crypto.keys import NULL_KEY, PrivateKey, utf8
from protocol.errors import KeyFormatError
from protocol.schema import PublicKey

NONCE_MAX = (1 << 64) - 1

_CHECKSUM_LENGTH = 4
_BLOCK_BITS = 128
_CURVE = ec.SECP256K1()


def encrypt_memo(secret: PrivateKey, other: PublicKey, nonce: int | str, text: str) -> bytes:
    """The `message` of a memo; `other` is the memo key of the other side.

    `nonce` is a number below 2**64, or its decimal text as JSON carries it; one pair of keys must
    not use it twice. `KeyFormatError` for a key that is no point and for a nonce out of range.
    """
    data = utf8(text)
    padder = PKCS7(_BLOCK_BITS).padder()
    padded = padder.update(sha256(data)[:_CHECKSUM_LENGTH] + data) + padder.finalize()
    encryptor = _cipher(_shared_point(secret, other), _decimal(nonce)).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def decrypt_memo(secret: PrivateKey, other: PublicKey, nonce: int | str, message: bytes) -> str:
    """The text of a memo, for either side: `secret` is ours, `other` the other side's memo key.

    A memo whose `from` is the null key is plain text behind four bytes. `KeyFormatError` when the
    checksum shows that the memo is not for this key, or that it is damaged.
    """
    if other == NULL_KEY:
        if len(message) < _CHECKSUM_LENGTH:
            raise KeyFormatError("plain memo too short", value=len(message), limit=4)
        return _text(message[_CHECKSUM_LENGTH:])
    point = _shared_point(secret, other)
    # Old JavaScript wallets dropped leading zero bytes of x.
    for candidate in dict.fromkeys((point, point.lstrip(b"\0"))):
        data = _decrypt(candidate, _decimal(nonce), message)
        if data is not None:
            return _text(data)
    raise KeyFormatError("memo is damaged or not for this key")


def _decrypt(point: bytes, nonce: str, message: bytes) -> bytes | None:
    decryptor = _cipher(point, nonce).decryptor()
    unpadder = PKCS7(_BLOCK_BITS).unpadder()
    try:
        padded = decryptor.update(message) + decryptor.finalize()
        plain = unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        return None
    checksum, data = plain[:_CHECKSUM_LENGTH], plain[_CHECKSUM_LENGTH:]
    return data if checksum == sha256(data)[:_CHECKSUM_LENGTH] else None


def _shared_point(secret: PrivateKey, other: PublicKey) -> bytes:
    try:
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, other)
    except ValueError as error:
        raise KeyFormatError("memo key is no point of secp256k1", value=other.hex()) from error
    ours = ec.derive_private_key(int.from_bytes(secret.reveal(), "big"), _CURVE)
    return ours.exchange(ec.ECDH(), theirs)


def _cipher(point: bytes, nonce: str) -> Cipher[modes.CBC]:
    seed = sha512(nonce.encode() + sha512(point).hex().encode())
    return Cipher(algorithms.AES(seed[:32]), modes.CBC(seed[32:48]))


def _decimal(nonce: int | str) -> str:
    if isinstance(nonce, str):
        if not (nonce.isascii() and nonce.isdecimal() and len(nonce) <= 20):
            raise KeyFormatError("memo nonce is no decimal number", value=nonce, limit=NONCE_MAX)
        nonce = int(nonce)
    if not 0 <= nonce <= NONCE_MAX:
        raise KeyFormatError("memo nonce out of range", value=nonce, limit=NONCE_MAX)
    return str(nonce)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise KeyFormatError("memo is not UTF-8") from error
