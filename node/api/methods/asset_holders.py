"""API `asset`: who holds an asset."""

from __future__ import annotations

from heapq import nsmallest
from typing import Annotated

from node.api.arguments import AssetArg, at_most, integer
from node.api.call import Answer, Call, Listing
from node.api.views import wide_integer
from protocol.ids import AssetId, account_text, asset_text
from protocol.json_form import JsonValue

HOLDERS_SKIPPED_MAX = 100_000
"""Holders before the first one of an answer; each of them has to be ranked (T-A2)."""

HolderLimit = Annotated[int, at_most(100)]
Skip = Annotated[int, integer(0, HOLDERS_SKIPPED_MAX)]


def get_asset_holders(call: Call, asset: AssetArg, start: Skip, limit: HolderLimit) -> Answer:
    """Who holds an asset, the largest balances first, from the n-th on; what is locked in orders,
    positions or vesting counts for nobody."""
    held = call.services.directory.holders_of(call.state, asset.id)
    ranked = nsmallest(start + limit, held, key=lambda item: (-item.balance, item.owner))
    return [
        {
            "name": call.state.accounts.get(item.owner).name,
            "account_id": account_text(item.owner),
            "amount": wide_integer(item.balance),
        }
        for item in ranked[start:]
    ]


def get_asset_holders_count(call: Call, asset: AssetArg) -> Answer:
    """How many accounts hold some of an asset."""
    return _count(call, asset.id)


def get_all_asset_holders(call: Call) -> Answer:
    """Every asset, by id, with how many accounts hold some of it."""
    return Listing(lambda: (_view_count(call, asset.id) for asset in call.state.assets.in_order()))


def _view_count(call: Call, asset: AssetId) -> JsonValue:
    return {"asset_id": asset_text(asset), "count": _count(call, asset)}


def _count(call: Call, asset: AssetId) -> int:
    return sum(1 for _ in call.services.directory.holders_of(call.state, asset))


METHODS = (get_asset_holders, get_asset_holders_count, get_all_asset_holders)
