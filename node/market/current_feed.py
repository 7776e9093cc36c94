"""Keeping the current feed what the median, the positions and the pool make of it (BS3)."""

from __future__ import annotations

from msgspec.structs import replace

from node.market.pricing import current_settlement_price, pool_of
from node.state.context import Context
from node.state.database import State
from node.state.objects.assets import BitassetData, FeedValues
from protocol.operations.bitasset_options import BlackSwanResponse
from protocol.schema import are_equal


def current_feed_of(state: State, bitasset: BitassetData) -> FeedValues:
    """What the current feed of a BitAsset has to be: all of the median but a capped price."""
    median = bitasset.median_feed
    if bitasset.options.extensions.response() not in CAPPED:
        return median
    worst = state.positions.first(bitasset.asset_id)
    options = bitasset.options.extensions
    price = current_settlement_price(median, options, pool_of(bitasset), worst)
    return median if price is median.settlement_price else replace(median, settlement_price=price)


CAPPED = (BlackSwanResponse.NO_SETTLEMENT, BlackSwanResponse.INDIVIDUAL_SETTLEMENT_TO_FUND)
"""Responses under which the current settlement price may exceed the median's."""


def refresh_current_feed(ctx: Context, bitasset: BitassetData) -> None:
    """Compute the current feed anew, once what it follows from has changed (BS3)."""
    feed = current_feed_of(ctx.state, bitasset)
    if not are_equal(feed, bitasset.current_feed):
        ctx.state.bitassets.edit(bitasset).current_feed = feed
