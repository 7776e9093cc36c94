"""Database API: assets."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from node.api.arguments import AccountArg, Boolean, Text, Texts, at_most, find_asset
from node.api.call import Answer, Call, Listing
from node.api.views import view_object, wide_integer
from node.state.objects.assets import Asset
from protocol.ids import AssetId, asset_text, object_id
from protocol.json_form import JsonValue

AssetLimit = Annotated[int, at_most(101)]


def get_assets(call: Call, assets: Texts, subscribe: Boolean = True) -> Answer:
    """Assets by symbol or id; null for those that do not exist."""
    return _assets(call, assets, subscribe=subscribe)


def lookup_asset_symbols(call: Call, symbols_or_ids: Texts) -> Answer:
    """Assets by symbol or id; null for those that do not exist."""
    return _assets(call, symbols_or_ids, subscribe=True)


def list_assets(call: Call, lower_bound_symbol: Text, limit: AssetLimit) -> Answer:
    """Assets in the order of symbols, from a symbol on."""
    directory = call.services.directory
    directory.collateral.catch_up()
    return Listing(
        lambda: (
            _extended(call, asset)
            for asset in islice(directory.symbols_from(call.state, lower_bound_symbol), limit)
        )
    )


def get_asset_count(call: Call) -> Answer:
    """How many assets there are."""
    return len(call.state.assets)


def get_asset_id_from_string(call: Call, symbol_or_id: Text) -> Answer:
    """The id of an asset, or null."""
    asset = find_asset(call.backend, symbol_or_id)
    return None if asset is None else asset_text(asset.id)


def get_assets_by_issuer(
    call: Call, issuer: AccountArg, start: Text = "1.3.0", limit: AssetLimit = 101
) -> Answer:
    """The assets that an account issued, by id, from an id on."""
    call.services.directory.collateral.catch_up()
    first = find_asset(call.backend, start)
    lowest = 0 if first is None else first.id
    found = (
        asset
        for asset in call.services.directory.assets_issued_by(call.state, issuer.id)
        if asset.id >= lowest
    )
    return [_extended(call, asset) for asset in islice(found, limit)]


def _assets(call: Call, names: list[str], *, subscribe: bool) -> Answer:
    call.services.directory.collateral.catch_up()
    return Listing(lambda: (_asset(call, name, subscribe=subscribe) for name in names))


def _asset(call: Call, name: str, *, subscribe: bool) -> JsonValue:
    asset = find_asset(call.backend, name)
    if asset is None:
        return None
    if subscribe:
        call.session.subscriptions.note_objects((object_id(AssetId, asset.id),))
    return _extended(call, asset)


def _extended(call: Call, asset: Asset) -> JsonValue:
    """An asset, how much of it is collateral of positions, and what is collateral for it."""

    def work() -> JsonValue:
        sums = call.services.directory.collateral
        answer = view_object(call.backend, asset)
        answer["total_in_collateral"] = wide_integer(sums.held(asset.id))
        if asset.bitasset_data_id is not None:
            answer["total_backing_collateral"] = wide_integer(sums.backing(asset.id))
        return answer

    return call.keep((_extended, asset.id), work)


METHODS = (
    get_assets,
    lookup_asset_symbols,
    list_assets,
    get_asset_count,
    get_asset_id_from_string,
    get_assets_by_issuer,
)
