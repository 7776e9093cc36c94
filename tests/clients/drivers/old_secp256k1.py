"""Gives secp256k1 0.14.0 back what 0.13.2 had, for the clients that ask for that one.

0.13.2 has no wheels for a Python of today. 0.14.0 has, and signs with the same library, but its
objects have lost `ctx` and `flags`.
"""

from __future__ import annotations

from typing import Any

import secp256k1  # type: ignore[import-not-found]


class PublicKey(secp256k1.PublicKey):  # type: ignore[misc]
    """As in 0.13.2, where what it may be used for was said when it was made."""

    def __init__(self, pubkey: Any = None, raw: bool = False, flags: int = 0) -> None:
        super().__init__(pubkey, raw)


def give_back() -> None:
    """Call it before a client is imported."""
    secp256k1.PrivateKey.ctx = secp256k1.secp256k1_ctx
    secp256k1.PublicKey = PublicKey
