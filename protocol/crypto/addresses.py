"""The addresses that a key can own: BitShares' own, and those of older wallets.

A genesis may name owners by address, for people who never made an account.
"""

from __future__ import annotations

import hashlib

from coincurve import PublicKey as Point

from protocol.crypto.hashes import address_of, ripemd160, sha256
from protocol.errors import KeyFormatError
from protocol.schema import Address, PublicKey

OLD_VERSIONS = (56, 0)
"""Version bytes of the old address formats: PTS and Bitcoin."""

CHECKSUM_LENGTH = 4


def addresses_of(key: PublicKey) -> tuple[Address, ...]:
    """Every address that a key owns, its own one first.

    An old address hashes the compressed or the uncompressed key, a version byte and a checksum;
    BitShares stores RIPEMD160 of those 25 bytes. Raises `KeyFormatError` for bytes that are no
    point of the curve.
    """
    try:
        whole = Point(key).format(compressed=False)
    except ValueError as error:
        raise KeyFormatError("not a public key", value=key.hex()) from error
    old = tuple(_old_address(form, version) for version in OLD_VERSIONS for form in (whole, key))
    return (address_of(key), *old)


def _old_address(form: bytes, version: int) -> Address:
    body = bytes((version,)) + ripemd160(sha256(form))
    checksum = hashlib.sha256(sha256(body)).digest()[:CHECKSUM_LENGTH]
    return Address(ripemd160(body + checksum))
