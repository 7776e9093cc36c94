"""API `asset`: who holds an asset."""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import AssetArg, at_most, integer
from node.api.call import Answer, Call, Steps, Stepwise
from node.api.views import wide_integer
from protocol.ids import AccountId, AssetId, account_text, asset_text

HOLDERS_SKIPPED_MAX = 100_000
"""Holders before the first one of an answer (T-A2)."""

HolderLimit = Annotated[int, at_most(100)]
Skip = Annotated[int, integer(0, HOLDERS_SKIPPED_MAX)]


def get_asset_holders(call: Call, asset: AssetArg, start: Skip, limit: HolderLimit) -> Answer:
    """Who holds an asset, the largest balances first, from the n-th on; what is locked in orders,
    positions or vesting counts for nobody."""
    return Stepwise(_view_holders(call, asset.id, start, limit))


def get_asset_holders_count(call: Call, asset: AssetArg) -> Answer:
    """How many accounts hold some of an asset."""
    return Stepwise(_view_count(call, asset.id))


def get_all_asset_holders(call: Call) -> Answer:
    """Every asset, by id, with how many accounts hold some of it."""
    return Stepwise(_view_counts(call))


def _view_holders(call: Call, asset: AssetId, start: int, limit: int) -> Steps:
    holders = call.services.directory.holders
    yield from holders.catch_up()
    return [
        {
            "name": call.state.accounts.get(AccountId(owner)).name,
            "account_id": account_text(AccountId(owner)),
            "amount": wide_integer(balance),
        }
        for balance, owner in holders.ranked(asset, start, limit)
    ]


def _view_count(call: Call, asset: AssetId) -> Steps:
    holders = call.services.directory.holders
    yield from holders.catch_up()
    return holders.count(asset)


def _view_counts(call: Call) -> Steps:
    holders = call.services.directory.holders
    yield from holders.catch_up()
    return [
        {"asset_id": asset_text(asset.id), "count": holders.count(asset.id)}
        for asset in call.state.assets.in_order()
    ]


METHODS = (get_asset_holders, get_asset_holders_count, get_all_asset_holders)
