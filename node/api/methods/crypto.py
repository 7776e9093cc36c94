"""API `crypto`: what wallets compute for blinded transfers, which this chain does not have.

A node would see the secrets of its clients in these calls; they are refused by name, with the
reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

from node.api.call import Call
from node.api.errors import AccessDenied

REFUSED: Final = {
    "blind": "a commitment to an amount",
    "blind_sum": "the sum of blinding factors",
    "verify_sum": "whether commitments add up",
    "verify_range": "whether a hidden amount is proven to lie within bounds",
    "range_proof_sign": "the proof that a hidden amount lies within bounds",
    "verify_range_proof_rewind": "what is hidden in a proof, for who has its nonce",
    "range_get_info": "the bounds that a proof is of",
}
"""Method -> what it would give."""


def _refusing(name: str, what: str) -> Callable[[Call], NoReturn]:
    def refuse(call: Call) -> NoReturn:
        raise AccessDenied(
            f"Access denied: crypto.{name} is for blinded transfers, which do not exist here",
            rule="T-A4",
        )

    refuse.__name__ = name
    refuse.__doc__ = f"Always refused: {what}."
    return refuse


METHODS = tuple(_refusing(name, what) for name, what in REFUSED.items())
