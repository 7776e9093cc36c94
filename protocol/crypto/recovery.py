"""Who signed: the keys behind signatures in their one accepted form.

It deals in bytes and loads next to nothing: each worker process that recovers keys loads it.
"""

from __future__ import annotations

from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

from protocol.crypto.curve import CURVE_ORDER, KEY_LENGTH, NO_KEY
from protocol.errors import KeyFormatError

SIGNATURE_LENGTH = 65
DIGEST_LENGTH = 32
QUESTION_LENGTH = DIGEST_LENGTH + SIGNATURE_LENGTH
"""A digest and a signature on it, one behind the other: who signed?"""

HEADER = 31
"""The first byte for recovery id 0: 27, and 4 for a compressed key."""
_COMPRESSED = lib.SECP256K1_EC_COMPRESSED
_HALF_ORDER = (CURVE_ORDER // 2).to_bytes(32, "big")
_context = GLOBAL_CONTEXT.ctx


def is_canonical(signature: bytes) -> bool:
    """Whether r and s have the one accepted form: 32 significant bytes, positive, low s (T-C3)."""
    r, r_next = signature[1], signature[2]
    s, s_next = signature[33], signature[34]
    return (
        r < 0x80
        and s < 0x80
        and (r != 0 or r_next >= 0x80)
        and (s != 0 or s_next >= 0x80)
        and signature[33:] <= _HALF_ORDER
    )


class Recovery:
    """The buffers of one caller of libsecp256k1, reused between its signatures.

    Never shared between threads: the library runs without the interpreter lock.
    """

    __slots__ = ("_key", "_length", "_output", "_serialized", "_signature")

    def __init__(self) -> None:
        self._signature = ffi.new("secp256k1_ecdsa_recoverable_signature *")
        self._key = ffi.new("secp256k1_pubkey *")
        self._output = ffi.new("unsigned char[]", KEY_LENGTH)
        self._serialized = ffi.buffer(self._output)
        self._length = ffi.new("size_t *", KEY_LENGTH)

    def recover(self, digest: bytes, signature: bytes) -> bytes:
        """See `protocol.crypto.signatures.recover_key`."""
        _check_form(digest, signature)
        parsed = lib.secp256k1_ecdsa_recoverable_signature_parse_compact(
            _context, self._signature, signature[1:], signature[0] - HEADER
        )
        if not parsed or not lib.secp256k1_ecdsa_recover(
            _context, self._key, self._signature, digest
        ):
            raise KeyFormatError("signature belongs to no key")
        lib.secp256k1_ec_pubkey_serialize(
            _context, self._output, self._length, self._key, _COMPRESSED
        )
        return bytes(self._serialized)


def recover_keys(questions: bytes) -> bytes:
    """The keys behind many signatures, one behind the other, in the order of the questions.

    A question is `QUESTION_LENGTH` bytes. Where `Recovery` refuses stands `NO_KEY`, which is
    nobody's.
    """
    assert len(questions) % QUESTION_LENGTH == 0, "whole questions"
    recovery = Recovery()
    found: list[bytes] = []
    for at in range(0, len(questions), QUESTION_LENGTH):
        signed, end = at + DIGEST_LENGTH, at + QUESTION_LENGTH
        try:
            key = recovery.recover(questions[at:signed], questions[signed:end])
        except KeyFormatError:
            key = NO_KEY
        found.append(key)
    return b"".join(found)


def _check_form(digest: bytes, signature: bytes) -> None:
    if len(signature) != SIGNATURE_LENGTH:
        raise KeyFormatError(
            "wrong length of a signature", value=len(signature), limit=SIGNATURE_LENGTH
        )
    if len(digest) != DIGEST_LENGTH:
        raise KeyFormatError("wrong length of a signed digest", value=len(digest), limit=32)
    if not HEADER <= signature[0] < HEADER + 4:
        raise KeyFormatError("wrong header of a signature", value=signature[0], limit="31 … 34")
    if not is_canonical(signature):
        raise KeyFormatError("signature is not canonical", value=signature.hex())
