"""Compact recoverable ECDSA signatures on secp256k1, in BitShares' canonical form.

A signature is 65 bytes: 31 + recovery id, r, s. Canonical means that r and s are positive as
signed big-endian numbers of exactly 32 bytes; then each signature has one form only.
"""

from __future__ import annotations

from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

from protocol.crypto.hashes import sha256
from protocol.crypto.keys import CURVE_ORDER, NULL_KEY, PrivateKey
from protocol.errors import KeyFormatError
from protocol.schema import Digest, PublicKey, Signature

SIGNATURE_LENGTH = 65
DIGEST_LENGTH = 32
QUESTION_LENGTH = DIGEST_LENGTH + SIGNATURE_LENGTH
"""A digest and a signature on it, one behind the other: who signed?"""
KEY_LENGTH = 33

HEADER = 31
"""The first byte for recovery id 0: 27, and 4 for a compressed key."""
_COMPRESSED = lib.SECP256K1_EC_COMPRESSED
_HALF_ORDER = (CURVE_ORDER // 2).to_bytes(32, "big")
_context = GLOBAL_CONTEXT.ctx
_SIGNATURE = ffi.typeof("secp256k1_ecdsa_recoverable_signature *")
_COMPACT = ffi.typeof("unsigned char[64]")
_RECOVERY_ID = ffi.typeof("int *")


@ffi.callback("secp256k1_nonce_function")
def _nonce_of_salted_digest(  # type: ignore[no-untyped-def]
    nonce, digest, secret, algorithm, salted_digest, attempt
):
    """RFC 6979's nonce of `salted_digest` for a signature on `digest`."""
    return lib.secp256k1_nonce_function_rfc6979(
        nonce, salted_digest, secret, algorithm, ffi.NULL, attempt
    )


def sign_digest(secret: PrivateKey, digest: Digest) -> Signature:
    """The canonical signature that bitsharesjs makes, byte for byte.

    Attempt number a draws RFC 6979's nonce from the digest, or for a > 0 from
    SHA256(digest ‖ a zero bytes), until the signature is canonical; about two attempts each.
    """
    if len(digest) != 32:
        raise KeyFormatError("wrong length of a digest to sign", value=len(digest), limit=32)
    found, compact, recovery_id = ffi.new(_SIGNATURE), ffi.new(_COMPACT), ffi.new(_RECOVERY_ID)
    nonce_function, data = ffi.NULL, ffi.NULL
    attempt = 0
    while True:
        done = lib.secp256k1_ecdsa_sign_recoverable(
            _context, found, digest, secret.reveal(), nonce_function, data
        )
        assert done == 1, "libsecp256k1 signs with any valid secret"
        lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(
            _context, compact, recovery_id, found
        )
        if compact[0] < 0x80:  # nearly all that are not canonical have a larger r
            signature = Signature(bytes((HEADER + recovery_id[0],)) + bytes(ffi.buffer(compact)))
            if is_canonical(signature):
                return signature
        attempt += 1
        nonce_function = _nonce_of_salted_digest
        data = ffi.from_buffer(sha256(digest + bytes(attempt)))


def is_canonical(signature: Signature) -> bool:
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


class _Recovery:
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

    def recover(self, digest: Digest, signature: Signature) -> PublicKey:
        """See `recover_key`."""
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
        return PublicKey(self._serialized[:])


def recover_key(digest: Digest, signature: Signature) -> PublicKey:
    """The one key that made the signature on the digest.

    `KeyFormatError` for a wrong length or header, a form that is not canonical (which includes
    high s), and numbers that no key can have signed with.
    """
    return _Recovery().recover(digest, signature)


def recover_keys(questions: bytes) -> bytes:
    """The keys behind many signatures, one behind the other, in the order of the questions.

    A question is `QUESTION_LENGTH` bytes. Where `recover_key` refuses stands `NULL_KEY`, which is
    nobody's.
    """
    assert len(questions) % QUESTION_LENGTH == 0, "whole questions"
    recovery = _Recovery()
    found: list[PublicKey] = []
    for at in range(0, len(questions), QUESTION_LENGTH):
        signed, end = at + DIGEST_LENGTH, at + QUESTION_LENGTH
        try:
            key = recovery.recover(Digest(questions[at:signed]), Signature(questions[signed:end]))
        except KeyFormatError:
            key = NULL_KEY
        found.append(key)
    return b"".join(found)


def _check_form(digest: Digest, signature: Signature) -> None:
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
