"""The memo of a transfer or an issue: a message that only its two ends can read."""

from __future__ import annotations

from protocol.schema import PublicKey, Record, UInt64


class Memo(Record):
    """An encrypted message; `protocol.crypto.memo` encrypts and decrypts it."""

    from_: PublicKey
    """Memo key of the sender; the null key says that the message is plain."""
    to: PublicKey
    """Memo key of the receiver."""
    nonce: UInt64
    """Makes the shared secret of the two keys different for each message."""
    message: bytes
    """Ciphertext: AES-256-CBC of a 4-byte checksum and the UTF-8 text."""
