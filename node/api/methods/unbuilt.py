"""Database API: what this chain does not have: blinded balances.

Their operations are refused, so their list is empty, and BitShares' clients that ask for them see a
chain on which nobody uses them.
"""

from __future__ import annotations

from node.api.arguments import Texts
from node.api.call import Answer, Call


def get_blinded_balances(call: Call, commitments: Texts) -> Answer:
    """Always empty: there are no blinded balances."""
    return []


METHODS = (get_blinded_balances,)
