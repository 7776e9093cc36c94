"""What the operations on assets and BitAssets check in common."""

from __future__ import annotations

from node.state.database import State
from node.state.errors import (
    GloballySettled,
    LimitExceeded,
    NotMarketIssued,
    WrongAccount,
    WrongAssetType,
)
from node.state.objects.assets import Asset, BitassetData
from protocol.constants import COMMITTEE_ACCOUNT, CORE_ASSET
from protocol.errors import SECONDS
from protocol.ids import AccountId, AssetId, account_text, asset_text
from protocol.operations.asset_options import AssetOptions
from protocol.operations.bitasset_options import BitassetOptions


def check_issuer(asset: Asset, account: AccountId) -> None:
    """Raise `WrongAccount` unless the account is the issuer."""
    if asset.issuer != account:
        raise WrongAccount(
            f"not the issuer of {asset.symbol}",
            rule="R9.6",
            value=account_text(account),
            limit=account_text(asset.issuer),
        )


def bitasset_data_of(state: State, asset: Asset) -> BitassetData:
    """The BitAsset data; raises `NotMarketIssued` for an asset of another kind."""
    if asset.bitasset_data_id is None:
        raise NotMarketIssued(f"{asset.symbol} is no BitAsset", rule="R3.2", value=asset.symbol)
    return state.bitassets.get(asset.bitasset_data_id)


def backing_of(state: State, asset: Asset) -> AssetId | None:
    """The backing asset of a BitAsset; None for an asset of another kind."""
    if asset.bitasset_data_id is None:
        return None
    return state.bitassets.get(asset.bitasset_data_id).options.short_backing_asset


def assets_backed_by(state: State, asset_id: AssetId) -> list[Asset]:
    """The BitAssets whose collateral is this asset, in order of their data."""
    return [
        state.assets.get(data.asset_id)
        for data in state.bitassets.in_order()
        if data.options.short_backing_asset == asset_id
    ]


def check_list_authorities(state: State, options: AssetOptions) -> None:
    """The accounts whose lists an asset follows exist and are not too many (R2.20)."""
    limit = state.parameters.maximum_asset_whitelist_authorities
    for field, authorities in (
        ("whitelist_authorities", options.whitelist_authorities),
        ("blacklist_authorities", options.blacklist_authorities),
    ):
        if len(authorities) > limit:
            raise LimitExceeded(
                f"{field} is too long", rule="R2.20", value=len(authorities), limit=limit
            )
        for account in authorities:
            state.accounts.get(account)


def check_bitasset_options(state: State, options: BitassetOptions) -> None:
    """Feed lifetime and settlement delay exceed a block."""
    interval = state.parameters.block_interval
    for field, seconds in (
        ("feed_lifetime_sec", options.feed_lifetime_sec),
        ("force_settlement_delay_sec", options.force_settlement_delay_sec),
    ):
        if seconds <= interval:
            raise LimitExceeded(
                f"{field} must exceed the block interval",
                rule="R1.12",
                value=seconds,
                limit=interval + 1,
                unit=SECONDS,
            )


def check_backing(state: State, issuer: AccountId, backing: Asset) -> None:
    """A backing asset is CORE, user-issued, or a BitAsset backed by one of these (R1.18).

    What the committee issues rests on CORE, directly or through one BitAsset.
    """
    base = backing_of(state, backing)
    if base is not None and state.assets.get(base).is_market_issued():
        raise WrongAssetType(
            "backed by a BitAsset that is backed by a BitAsset",
            rule="R1.18",
            value=backing.symbol,
        )
    check_committee_backing(state, issuer, backing)


def check_committee_backing(state: State, issuer: AccountId, backing: Asset) -> None:
    """What the committee issues must rest on CORE in the end (R1.18)."""
    base = backing_of(state, backing)
    root = backing.id if base is None else base
    if issuer == COMMITTEE_ACCOUNT and root != CORE_ASSET:
        raise WrongAssetType(
            "a BitAsset of the committee rests on CORE",
            rule="R1.18",
            value=asset_text(root),
            limit=asset_text(CORE_ASSET),
        )


def check_new_response(state: State, asset: Asset, data: BitassetData) -> None:
    """A black swan response changes only while nothing is settled by the old one (BS11)."""
    if data.is_globally_settled():
        raise GloballySettled(
            f"{asset.symbol} is globally settled", rule="BS11", value=asset.symbol
        )
    if data.has_pool():
        raise LimitExceeded(
            "the response is fixed while there is individually settled debt",
            rule="BS11",
            value=data.individual_settlement_debt,
            limit=0,
            unit=asset_text(asset.id),
        )


def check_new_backing(state: State, asset: Asset, data: BitassetData, new_backing: AssetId) -> None:
    """A backing asset changes only while nothing rests on the old one (R1.18)."""
    figures = state.figures_of(asset.id)
    if data.is_globally_settled():
        raise GloballySettled(
            f"{asset.symbol} is globally settled", rule="R1.18", value=asset.symbol
        )
    for name, amount, unit in (
        ("supply", figures.current_supply, asset_text(asset.id)),
        (
            "unclaimed collateral fees",
            figures.accumulated_collateral_fees,
            asset_text(data.options.short_backing_asset),
        ),
    ):
        if amount:
            raise LimitExceeded(
                f"the backing asset is fixed while there are {name}",
                rule="R1.18",
                value=amount,
                limit=0,
                unit=unit,
            )
    backing = state.assets.get(new_backing)
    if backing.id == asset.id:
        raise WrongAssetType("an asset cannot back itself", rule="R1.18", value=asset.symbol)
    if data.is_prediction_market and backing.precision != asset.precision:
        raise WrongAssetType(
            "a prediction market has the precision of its backing asset",
            rule="R7.1",
            value=backing.precision,
            limit=asset.precision,
        )
    check_backing(state, asset.issuer, backing)
    if backing.id != CORE_ASSET:
        _check_backed_assets(state, asset, backing)


def _check_backed_assets(state: State, asset: Asset, new_backing: Asset) -> None:
    """What an asset backs must not come to rest on a third BitAsset or leave CORE (R1.18)."""
    for backed in assets_backed_by(state, asset.id):
        if backed.issuer == COMMITTEE_ACCOUNT or new_backing.is_market_issued():
            raise WrongAssetType(
                f"{backed.symbol}, backed by {asset.symbol}, would rest on the wrong asset",
                rule="R1.18",
                value=new_backing.symbol,
            )
