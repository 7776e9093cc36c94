"""Keystore files: one secret, encrypted with a password, as JSON.

The key that encrypts comes from the password by scrypt; ChaCha20-Poly1305 covers the secret and,
as associated data, everything else in the file, so that no field can be changed unnoticed.
Salt, nonce and uuid are arguments, because nothing in `protocol` draws random numbers.
"""

from __future__ import annotations

import json
import re
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from protocol.crypto.keys import PrivateKey, key_text, public_key, utf8
from protocol.errors import KeyFormatError
from protocol.schema import Record

VERSION = 1
SCRYPT_N_DEFAULT = 1 << 18
"""256 MiB and half a second of one core; 2**17 halves both for small hosts."""

SCRYPT_N_MIN = 1 << 14
SCRYPT_N_MAX = 1 << 20
SCRYPT_R = 8
SCRYPT_P_MAX = 4
"""A file with more would be a memory or time bomb for its reader."""

PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 1024
FILE_LENGTH_MAX = 4096

_SALT_LENGTH = 32
_NONCE_LENGTH = 12
_MESSAGE_LENGTH = 32 + 16
_UUID_PATTERN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class KeystoreHeader(Record):
    """What a keystore file tells without the password."""

    uuid: str
    """Its own id, as in RFC 9562."""
    chain: str
    """Id of the chain that the key is meant for, hexadecimal."""
    role: str
    """What the key is for: "witness", "active", "owner", "memo"."""
    pubkey: str
    """Text of the public key, with the chain's prefix."""


class _Envelope(Record):
    header: KeystoreHeader
    n: int
    r: int
    p: int
    salt: bytes
    nonce: bytes

    def to_json(self) -> dict[str, object]:
        """Everything of the file but the encrypted message."""
        return {
            "version": VERSION,
            "uuid": self.header.uuid,
            "chain": self.header.chain,
            "role": self.header.role,
            "pubkey": self.header.pubkey,
            "crypto": {
                "kdf": {
                    "function": "scrypt",
                    "n": self.n,
                    "r": self.r,
                    "p": self.p,
                    "salt": self.salt.hex(),
                },
                "cipher": {"function": "chacha20-poly1305", "nonce": self.nonce.hex()},
            },
        }

    def associated_data(self) -> bytes:
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":")).encode()


def new_header(
    secret: PrivateKey, *, uuid: str, chain: str, role: str, prefix: str
) -> KeystoreHeader:
    """The header of a new file for a secret."""
    return KeystoreHeader(uuid, chain, role, key_text(public_key(secret), prefix))


def encrypt_keystore(
    secret: PrivateKey,
    password: str,
    header: KeystoreHeader,
    *,
    salt: bytes,
    nonce: bytes,
    n: int = SCRYPT_N_DEFAULT,
) -> str:
    """Text of a keystore file; `salt` is 32 and `nonce` 12 random bytes, never used before.

    `KeyFormatError` for a password shorter than 8 characters or longer than 1 KiB, and for
    parameters that `decrypt_keystore` would refuse.
    """
    length = len(password)
    if length < PASSWORD_LENGTH_MIN:
        raise KeyFormatError(
            f"password too short, it needs at least {PASSWORD_LENGTH_MIN} characters",
            value=length,
            limit=PASSWORD_LENGTH_MIN,
        )
    envelope = _Envelope(header, n, SCRYPT_R, 1, salt, nonce)
    _check_envelope(envelope)
    message = ChaCha20Poly1305(_derive_key(password, envelope)).encrypt(
        nonce, secret.reveal(), envelope.associated_data()
    )
    document = envelope.to_json()
    crypto = document["crypto"]
    assert isinstance(crypto, dict)
    crypto["message"] = message.hex()
    return json.dumps(document, indent=2) + "\n"


def read_header(text: str) -> KeystoreHeader:
    """The part of a keystore file that needs no password; nothing proves it yet."""
    return _parse(text)[0].header


def decrypt_keystore(text: str, password: str) -> PrivateKey:
    """The secret of a keystore file.

    `KeyFormatError`: what is wrong with the file's form; or one constant message for a wrong
    password and for a changed file alike, so that neither can be told from the other.
    """
    envelope, message = _parse(text)
    try:
        secret = ChaCha20Poly1305(_derive_key(password, envelope)).decrypt(
            envelope.nonce, message, envelope.associated_data()
        )
    except InvalidTag:
        raise KeyFormatError("wrong password, or the keystore file was changed") from None
    return PrivateKey(secret)


def _derive_key(password: str, envelope: _Envelope) -> bytes:
    normalized = utf8(
        "".join(
            character
            for character in unicodedata.normalize("NFKD", password)
            if unicodedata.category(character) != "Cc"
        )
    )
    if len(normalized) > PASSWORD_LENGTH_MAX:
        raise KeyFormatError(
            "password too long, in bytes", value=len(normalized), limit=PASSWORD_LENGTH_MAX
        )
    kdf = Scrypt(salt=envelope.salt, length=32, n=envelope.n, r=envelope.r, p=envelope.p)
    return kdf.derive(normalized)


def _parse(text: str) -> tuple[_Envelope, bytes]:
    if len(text) > FILE_LENGTH_MAX:
        raise KeyFormatError("keystore file too long", value=len(text), limit=FILE_LENGTH_MAX)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise KeyFormatError("keystore file is not JSON") from error
    version = _number(document, "version")
    if version != VERSION:
        raise KeyFormatError("unknown version of keystore file", value=version, limit=VERSION)
    crypto = _member(document, "crypto")
    kdf, cipher = _member(crypto, "kdf"), _member(crypto, "cipher")
    for part, function in ((kdf, "scrypt"), (cipher, "chacha20-poly1305")):
        if _string(part, "function") != function:
            raise KeyFormatError(
                "unknown function in keystore file", value=_string(part, "function"), limit=function
            )
    header = KeystoreHeader(
        *(_string(document, name) for name in ("uuid", "chain", "role", "pubkey"))
    )
    envelope = _Envelope(
        header,
        _number(kdf, "n"),
        _number(kdf, "r"),
        _number(kdf, "p"),
        _hexadecimal(kdf, "salt"),
        _hexadecimal(cipher, "nonce"),
    )
    _check_envelope(envelope)
    message = _hexadecimal(crypto, "message")
    _check_length("message", message, _MESSAGE_LENGTH)
    return envelope, message


def _check_envelope(envelope: _Envelope) -> None:
    n = envelope.n
    if not SCRYPT_N_MIN <= n <= SCRYPT_N_MAX or n & (n - 1):
        raise KeyFormatError(
            "scrypt n out of bounds or no power of two",
            value=n,
            limit=f"{SCRYPT_N_MIN} … {SCRYPT_N_MAX}",
        )
    if envelope.r != SCRYPT_R:
        raise KeyFormatError("scrypt r out of bounds", value=envelope.r, limit=SCRYPT_R)
    if not 1 <= envelope.p <= SCRYPT_P_MAX:
        raise KeyFormatError("scrypt p out of bounds", value=envelope.p, limit=SCRYPT_P_MAX)
    _check_length("salt", envelope.salt, _SALT_LENGTH)
    _check_length("nonce", envelope.nonce, _NONCE_LENGTH)
    if _UUID_PATTERN.fullmatch(envelope.header.uuid) is None:
        raise KeyFormatError("keystore file without a uuid", value=envelope.header.uuid)


def _check_length(what: str, data: bytes, length: int) -> None:
    if len(data) != length:
        raise KeyFormatError(
            f"wrong length of the {what} in a keystore file", value=len(data), limit=length
        )


def _member(document: object, name: str) -> object:
    if not isinstance(document, dict) or name not in document:
        raise KeyFormatError(f"keystore file without {name}")
    return document[name]


def _number(document: object, name: str) -> int:
    value = _member(document, name)
    if type(value) is not int:
        raise KeyFormatError(f"{name} in a keystore file is not a whole number")
    return value


def _string(document: object, name: str) -> str:
    value = _member(document, name)
    if not isinstance(value, str):
        raise KeyFormatError(f"{name} in a keystore file is not text")
    return value


def _hexadecimal(document: object, name: str) -> bytes:
    try:
        return bytes.fromhex(_string(document, name))
    except ValueError as error:
        raise KeyFormatError(f"{name} in a keystore file is not hexadecimal") from error
