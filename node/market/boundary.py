"""The market engine at the end of every block, in the order of R8.3.

Nothing here aborts a block (T-E1). `ctx.now` is the time of the block, not of its parent (R8.2).
What the order means for traders is told by B1 to B8.
"""

from __future__ import annotations

from node.market.black_swan import revive_by_feed
from node.market.feeds import copy_core_exchange_rates, expire_feeds
from node.market.htlcs import refund_expired_htlcs
from node.market.margin_calls import run_asset
from node.market.order_book import expire_orders
from node.market.settlement import execute_due_settlements
from node.state.context import Context
from node.state.events import GloballySettledEvent
from node.state.objects.assets import BitassetData
from protocol.ids import AssetId


def run_boundary(ctx: Context, *, all_assets: bool = False) -> None:
    """Orders and feeds expire, BitAssets revive, margin calls run, settlements fall due, CER.

    Only BitAssets that the block touched are looked at, by ascending id. `all_assets` looks at
    every one, with the same result (R4.12). An undo session must be open.
    """
    expire_orders(ctx)
    refund_expired_htlcs(ctx)
    settled = _settled_last(ctx)
    expire_feeds(ctx)
    touched = _touched(ctx, all_assets=all_assets)
    for bitasset in touched:
        if bitasset.were_requests_done:
            ctx.state.bitassets.edit(bitasset).were_requests_done = False
        if bitasset.median_updated:
            ctx.state.bitassets.edit(bitasset).median_updated = False
            if bitasset.asset_id not in settled:
                revive_by_feed(ctx, bitasset)
    for bitasset in touched:
        run_asset(ctx, bitasset)
    execute_due_settlements(ctx)
    copy_core_exchange_rates(ctx)


def _settled_last(ctx: Context) -> frozenset[AssetId]:
    """BitAssets that the block has globally settled and given no other median since (R6.7)."""
    if not ctx.events:
        return frozenset()
    events = (event for event in ctx.events if isinstance(event, GloballySettledEvent))
    return frozenset(
        event.asset_id
        for event in events
        if (bitasset := ctx.state.bitasset_of(event.asset_id)) and not bitasset.median_updated
    )


def _touched(ctx: Context, *, all_assets: bool) -> list[BitassetData]:
    """BitAssets to be looked at, by ascending asset id (R4.14, BK1a)."""
    state = ctx.state
    if all_assets:
        return sorted(state.bitassets.in_order(), key=lambda bitasset: bitasset.asset_id)
    if not ctx.dirty_assets and state.bitassets_to_look_at.first(True) is None:
        return []
    again = {bitasset.asset_id for bitasset in state.bitassets_to_look_at.items(True)}
    found = map(state.bitasset_of, sorted(ctx.dirty_assets | again))
    return [bitasset for bitasset in found if bitasset is not None]
