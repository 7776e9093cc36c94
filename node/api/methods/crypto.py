"""API `crypto`: what wallets compute for blinded transfers, which this chain does not have.

A node would see the secrets of its clients in these calls; they are refused by name, with the
reason.
"""

from __future__ import annotations

from typing import NoReturn

from node.api.call import Call
from node.api.errors import AccessDenied


def blind(call: Call) -> NoReturn:
    """Always refused: a commitment to an amount."""
    _refuse("blind")


def blind_sum(call: Call) -> NoReturn:
    """Always refused: the sum of blinding factors."""
    _refuse("blind_sum")


def verify_sum(call: Call) -> NoReturn:
    """Always refused: whether commitments add up."""
    _refuse("verify_sum")


def verify_range(call: Call) -> NoReturn:
    """Always refused: whether a hidden amount is proven to lie within bounds."""
    _refuse("verify_range")


def range_proof_sign(call: Call) -> NoReturn:
    """Always refused: the proof that a hidden amount lies within bounds."""
    _refuse("range_proof_sign")


def verify_range_proof_rewind(call: Call) -> NoReturn:
    """Always refused: what is hidden in a proof, for who has its nonce."""
    _refuse("verify_range_proof_rewind")


def range_get_info(call: Call) -> NoReturn:
    """Always refused: the bounds that a proof is of."""
    _refuse("range_get_info")


def _refuse(method: str) -> NoReturn:
    raise AccessDenied(
        f"Access denied: crypto.{method} serves blinded transfers, which this chain does not have",
        rule="T-A4",
    )


METHODS = (
    blind,
    blind_sum,
    verify_sum,
    verify_range,
    range_proof_sign,
    verify_range_proof_rewind,
    range_get_info,
)
