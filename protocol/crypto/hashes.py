"""The digests of the chain: SHA256, SHA224, SHA512, RIPEMD160, SHA1 and HASH160."""

from __future__ import annotations

import hashlib

from protocol.schema import Address, Digest, Hash160, PublicKey, Ripemd160, Sha1

try:
    hashlib.new("ripemd160")
except ValueError as error:  # OpenSSL builds without its legacy provider
    raise ImportError("pegboard needs RIPEMD160 in this Python's OpenSSL") from error

_RIPEMD160 = hashlib.new("ripemd160")
_SHA256 = hashlib.sha256()
"""Hashes begin as copies: OpenSSL looks for the algorithm each time that it is named."""


def sha256(data: bytes) -> Digest:
    """SHA256, 32 bytes."""
    state = _SHA256.copy()
    state.update(data)
    return Digest(state.digest())


def sha224(data: bytes) -> bytes:
    """SHA224, 28 bytes."""
    return hashlib.sha224(data).digest()


def sha512(data: bytes) -> bytes:
    """SHA512, 64 bytes."""
    return hashlib.sha512(data).digest()


def ripemd160(data: bytes) -> Ripemd160:
    """RIPEMD160, 20 bytes."""
    state = _RIPEMD160.copy()
    state.update(data)
    return Ripemd160(state.digest())


def sha1(data: bytes) -> Sha1:
    """SHA1, 20 bytes; only hash time locks know it."""
    return Sha1(hashlib.sha1(data, usedforsecurity=False).digest())


def hash160(data: bytes) -> Hash160:
    """RIPEMD160(SHA256(data)), 20 bytes."""
    return Hash160(ripemd160(sha256(data)))


def address_of(key: PublicKey) -> Address:
    """RIPEMD160(SHA512(key)): the order of keys in sets, the owner of genesis balances."""
    return Address(ripemd160(hashlib.sha512(key).digest()))
