"""Compact recoverable ECDSA signatures on secp256k1, in BitShares' canonical form.

A signature is 65 bytes: 31 + recovery id, r, s. Canonical means that r and s are positive as
signed big-endian numbers of exactly 32 bytes; then each signature has one form only.
"""

from __future__ import annotations

from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

from protocol.crypto.hashes import sha256
from protocol.crypto.keys import PrivateKey
from protocol.crypto.recovery import HEADER, Recovery, is_canonical
from protocol.errors import KeyFormatError
from protocol.schema import Digest, PublicKey, Signature

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


def recover_key(digest: Digest, signature: Signature) -> PublicKey:
    """The one key that made the signature on the digest.

    `KeyFormatError` for a wrong length or header, a form that is not canonical (which includes
    high s), and numbers that no key can have signed with.
    """
    return PublicKey(Recovery().recover(digest, signature))
