"""`Noise_XX_25519_ChaChaPoly_SHA256`: the handshake and the ciphers that follow from it (T-P12).

    -> e
    <- e, ee, s, es
    -> s, se

After the second message the one who dialled knows the other's static key, after the third each
knows the other's, and both have one cipher a direction, whose keys depend on ephemeral keys that
are forgotten. Names are those of the Noise specification, revision 34 (noiseprotocol.org). Chance
comes from outside: who makes a `Handshake` draws its ephemeral key.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol.crypto.keys import SecretBytes
from protocol.errors import KeyFormatError, ProtocolError
from protocol.schema import Record

PROTOCOL_NAME = b"Noise_XX_25519_ChaChaPoly_SHA256"
"""As long as a hash, so it is the first value of the transcript as it stands."""

KEY_BYTES = 32
TAG_BYTES = 16
MAX_NONCE = 2**64 - 1
"""Reserved for the computation of the next key; no message uses it."""

REKEY_AFTER = 2**16
"""Messages in one direction after which its key is replaced; at most 1 GiB in our records."""

Token = Literal["e", "s", "ee", "es", "se"]

PATTERN: tuple[tuple[Token, ...], ...] = (("e",), ("e", "ee", "s", "es"), ("s", "se"))
"""What each message carries (one letter) and which secrets it mixes in (two: the initiator's key,
then the responder's)."""


class NotAuthentic(ProtocolError):
    """Bytes that the other end of the conversation did not send so, here and now (T-P12)."""

    name = "not_authentic"


class NodeKey(SecretBytes):
    """A secret of X25519, 32 bytes; else `KeyFormatError`. `public` may be told to everybody."""

    __slots__ = ("_secret", "public")

    def __init__(self, value: bytes) -> None:
        if len(value) != KEY_BYTES:
            raise KeyFormatError("wrong length of a node key", value=len(value), limit=KEY_BYTES)
        super().__init__(value)
        self._secret = X25519PrivateKey.from_private_bytes(value)
        self.public = self._secret.public_key().public_bytes_raw()

    def exchange(self, public: bytes) -> bytes:
        """The shared secret with a public key; `NotAuthentic` for one that would make it zero."""
        try:
            return self._secret.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError as error:
            raise NotAuthentic("a public key of small order", rule="T-P12") from error


def parse_node_key(text: str) -> bytes:
    """A node key, secret or public, of 64 hexadecimal digits; `KeyFormatError` without the text."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        raise KeyFormatError("node key is not hexadecimal") from None
    if len(key) != KEY_BYTES:
        raise KeyFormatError("wrong length of a node key", value=len(key), limit=KEY_BYTES)
    return key


class CipherState:
    """One direction: messages must be opened in the order in which they were sealed."""

    __slots__ = ("_aead", "nonce")

    def __init__(self, key: bytes) -> None:
        self._aead = ChaCha20Poly1305(key)
        self.nonce = 0
        """Number of the next message."""

    def encrypt(self, plain: bytes | memoryview, associated: bytes | None = None) -> bytes:
        """The ciphertext, `TAG_BYTES` longer than the text."""
        sealed = self._aead.encrypt(self._nonce_bytes(), plain, associated)
        self._advance()
        return sealed

    def decrypt(self, sealed: bytes | memoryview, associated: bytes | None = None) -> bytes:
        """The text; `NotAuthentic` for a message that was altered, repeated or left out."""
        try:
            plain = self._aead.decrypt(self._nonce_bytes(), sealed, associated)
        except InvalidTag as error:
            raise NotAuthentic("altered, repeated or out of order", rule="T-P12") from error
        self._advance()
        return plain

    def rekey(self) -> None:
        """Go over to the next key, from which this one does not follow."""
        nonce = bytes(4) + MAX_NONCE.to_bytes(8, "little")
        self._aead = ChaCha20Poly1305(self._aead.encrypt(nonce, bytes(KEY_BYTES), None)[:KEY_BYTES])

    def _nonce_bytes(self) -> bytes:
        if self.nonce >= MAX_NONCE:
            raise NotAuthentic(
                "no nonce is left for one more message",
                rule="T-P12",
                value=self.nonce,
                limit=MAX_NONCE,
            )
        return bytes(4) + self.nonce.to_bytes(8, "little")

    def _advance(self) -> None:
        self.nonce += 1
        if self.nonce % REKEY_AFTER == 0:
            self.rekey()


class Session(Record):
    """What a handshake leaves."""

    sending: CipherState
    receiving: CipherState


class Handshake:
    """One side of a handshake; an error ends it, and nothing may be called after it."""

    def __init__(
        self, static: NodeKey, ephemeral: NodeKey, prologue: bytes, *, initiator: bool
    ) -> None:
        self.remote_static: bytes | None = None
        """The other's static key, once a whole message has shown that it has the secret of it
        (to the initiator) or that it wrote this transcript (to the responder)."""
        self._own = {"e": ephemeral, "s": static}
        self._remote: dict[str, bytes] = {}
        self._is_initiator = initiator
        self._pending = list(PATTERN)
        self._chaining_key = PROTOCOL_NAME
        self._transcript = PROTOCOL_NAME
        """Hash of all that was said so far."""
        self._cipher: CipherState | None = None
        self._mix_hash(prologue)

    @property
    def is_done(self) -> bool:
        """Whether all messages are written and read."""
        return not self._pending

    def write(self, payload: bytes = b"") -> bytes:
        """The next message, which is this side's."""
        parts = []
        for token in self._pending.pop(0):
            match token:
                case "e":
                    public = self._own["e"].public
                    self._mix_hash(public)
                    parts.append(public)
                case "s":
                    parts.append(self._seal(self._own["s"].public))
                case _:
                    self._mix_shared(token)
        parts.append(self._seal(payload))
        return b"".join(parts)

    def read(self, message: bytes) -> bytes:
        """The payload of the other's message; `NotAuthentic` for any but the one it sent."""
        rest = message
        for token in self._pending.pop(0):
            match token:
                case "e":
                    public, rest = _cut(rest, KEY_BYTES)
                    self._mix_hash(public)
                    self._remote["e"] = public
                case "s":
                    sealed, rest = _cut(rest, KEY_BYTES + TAG_BYTES)
                    self._remote["s"] = self._open(sealed)
                case _:
                    self._mix_shared(token)
        payload = self._open(rest)
        self.remote_static = self._remote.get("s")
        return payload

    def split(self) -> Session:
        """The ciphers of both directions; only after the last message."""
        assert self.is_done
        first, second = map(CipherState, _derive(self._chaining_key, b""))
        return Session(first, second) if self._is_initiator else Session(second, first)

    def _mix_hash(self, data: bytes) -> None:
        self._transcript = sha256(self._transcript + data).digest()

    def _mix_shared(self, token: str) -> None:
        own, remote = (0, 1) if self._is_initiator else (1, 0)
        shared = self._own[token[own]].exchange(self._remote[token[remote]])
        self._chaining_key, key = _derive(self._chaining_key, shared)
        self._cipher = CipherState(key)

    def _seal(self, plain: bytes) -> bytes:
        sealed = self._cipher.encrypt(plain, self._transcript) if self._cipher else plain
        self._mix_hash(sealed)
        return sealed

    def _open(self, sealed: bytes) -> bytes:
        plain = self._cipher.decrypt(sealed, self._transcript) if self._cipher else sealed
        self._mix_hash(sealed)
        return plain


def _cut(data: bytes, size: int) -> tuple[bytes, bytes]:
    if len(data) < size:
        raise NotAuthentic("handshake message too short", rule="T-P12", value=len(data), limit=size)
    return data[:size], data[size:]


def _derive(chaining_key: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """HKDF of RFC 5869 with HMAC-SHA256 and two outputs, as Noise uses it."""
    temporary = hmac.digest(chaining_key, secret, "sha256")
    first = hmac.digest(temporary, b"\1", "sha256")
    return first, hmac.digest(temporary, first + b"\2", "sha256")
