"""The grammar of account names and asset symbols."""

from __future__ import annotations

import re

from protocol.constants import ACCOUNT_NAME_LENGTH, ASSET_SYMBOL_LENGTH

_LABEL = r"[a-z](?:[a-z0-9-]*[a-z0-9])?"
_ACCOUNT_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_CHEAP_CHARACTER = re.compile(r"[0-9./-]")
_VOWEL = re.compile(r"[aeiouy]")
_SYMBOL = re.compile(r"(?!BIT)[A-Z][A-Z0-9]*(?:\.[A-Z0-9]+)?")


def is_valid_account_name(name: str) -> bool:
    """Labels joined by dots; each begins with a letter, ends with a letter or digit (RFC 1035).

    Lower case only, at most 63 characters in all.
    """
    return len(name) in ACCOUNT_NAME_LENGTH and _ACCOUNT_NAME.fullmatch(name) is not None


def is_cheap_account_name(name: str) -> bool:
    """Whether a name costs the basic fee: it has a digit, dot, dash or slash, or no vowel."""
    return _CHEAP_CHARACTER.search(name) is not None or _VOWEL.search(name) is None


def is_valid_symbol(symbol: str) -> bool:
    """Whether an asset may have this symbol (R2.19)."""
    return len(symbol) in ASSET_SYMBOL_LENGTH and _SYMBOL.fullmatch(symbol) is not None
