"""Database API: what this chain does not have: SameT funds, blinded balances.

Their operations are refused, so their lists are empty, and BitShares' clients that ask for them
see a chain on which nobody uses them. Arguments are read, and limits hold, as they do elsewhere.
"""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import AccountArg, AssetArg, Texts, at_most, instance_of
from node.api.call import Answer, Call
from protocol import ids

Limit = Annotated[int, at_most(101)]
AssetId = Annotated[int, instance_of("asset id", ids.AssetId)]
FundId = Annotated[int, instance_of("SameT fund id", ids.SametFundId)]


def list_samet_funds(call: Call, limit: Limit = 101, start_id: FundId = 0) -> Answer:
    """Always empty: there are no SameT funds."""
    return []


def get_samet_funds_by_owner(
    call: Call, account: AccountArg, limit: Limit = 101, start_id: FundId = 0
) -> Answer:
    """Always empty: there are no SameT funds."""
    return []


def get_samet_funds_by_asset(
    call: Call, asset: AssetArg, limit: Limit = 101, start_id: FundId = 0
) -> Answer:
    """Always empty: there are no SameT funds."""
    return []


def get_blinded_balances(call: Call, commitments: Texts) -> Answer:
    """Always empty: there are no blinded balances."""
    return []


METHODS = (
    list_samet_funds,
    get_samet_funds_by_owner,
    get_samet_funds_by_asset,
    get_blinded_balances,
)
