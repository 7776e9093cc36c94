"""What all worlds of the tests agree on: when they begin, who lives there, and with which keys."""

from __future__ import annotations

from functools import cache

from protocol.crypto.hashes import sha256
from protocol.crypto.keys import PrivateKey, public_key
from protocol.ids import AccountId
from protocol.schema import PublicKey

GENESIS_TIME = 1_600_000_000
"""A multiple of every block interval used in tests."""

BLOCK_INTERVAL_S = 5

ALICE, BOB, CAROL, DAVE = (AccountId(number) for number in range(6, 10))
"""The first accounts of a state made without a chain, when they are named in this order."""


@cache
def secret_of(name: str) -> PrivateKey:
    """The private key of a name: of an account, or of a witness that signs blocks."""
    return PrivateKey(sha256(name.encode()))


@cache
def key_of(name: str) -> PublicKey:
    """The public key of a name."""
    return public_key(secret_of(name))


OPERATION_COUNT = 78
"""BitShares' operations have the numbers below."""
