"""The addresses that a key can own, against addresses that are public knowledge."""

from __future__ import annotations

import hashlib

import pytest

from protocol.crypto.addresses import addresses_of
from protocol.crypto.hashes import address_of, ripemd160
from protocol.crypto.keys import PrivateKey, decode_base58, public_key
from protocol.errors import KeyFormatError
from protocol.schema import PublicKey

ONE = public_key(PrivateKey((1).to_bytes(32, "big")))
"""The generator of the curve, whose Bitcoin addresses everybody knows."""
BITCOIN_WHOLE = "1EHNa6Q4Jz2uvNExL497mE43ikXhwF6kZm"
BITCOIN_COMPRESSED = "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"


def with_version(address: str, version: int) -> bytes:
    """The bytes of a Bitcoin address under another version byte, with their checksum."""
    body = bytes((version,)) + decode_base58(address)[1:-4]
    return body + hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]


def test_old_addresses_hash_the_bytes_of_the_known_ones() -> None:
    """R9.6: Bitcoin's version 0 and PTS' version 56, of the whole and of the compressed key."""
    whole, compressed = (decode_base58(text) for text in (BITCOIN_WHOLE, BITCOIN_COMPRESSED))
    own, *old = addresses_of(ONE)
    assert own == address_of(ONE)
    assert [bytes(address) for address in old] == [
        ripemd160(with_version(BITCOIN_WHOLE, 56)),
        ripemd160(with_version(BITCOIN_COMPRESSED, 56)),
        ripemd160(whole),
        ripemd160(compressed),
    ]


@pytest.mark.parametrize("key", [bytes(33), b"\x02" + b"\xff" * 32])
def test_bytes_that_are_no_key_own_nothing(key: bytes) -> None:
    """R9.6: a typed refusal, since a claim may name any 33 bytes."""
    with pytest.raises(KeyFormatError):
        addresses_of(PublicKey(key))
