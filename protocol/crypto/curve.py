"""secp256k1, the curve of all keys."""

from __future__ import annotations

CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Its order n; a secret is a number in 1 … n-1."""

KEY_LENGTH = 33
"""Bytes of a compressed public key."""

NO_KEY = bytes(KEY_LENGTH)
"""What stands where there is no key: no point of the curve."""
