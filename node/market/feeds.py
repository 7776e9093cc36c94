"""The median of a BitAsset's price feeds, and what follows from time alone (R1.15-R1.21)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key

from msgspec.structs import replace

from node.market.current_feed import current_feed_of
from node.state.context import Context
from node.state.events import FeedExpiredEvent, MedianFeedEvent
from node.state.objects.assets import NULL_FEED, Asset, BitassetData, Feeds, FeedValues
from protocol.asset import Price
from protocol.operations.asset_options import COMMITTEE_FED_ASSET, WITNESS_FED_ASSET
from protocol.operations.bitasset_options import BitassetOptions


def update_median(ctx: Context, asset: Asset, bitasset: BitassetData) -> None:
    """Recompute the median of the feeds that are live now, and store it (R1.16, R1.20).

    To be called when feeds, producers or options change, and when a feed expires (R1.18). A
    change marks the BitAsset for the boundary (R1.22). `asset` is the BitAsset's asset.
    """
    live = live_feeds(bitasset, ctx.now)
    is_null = len(live) < bitasset.options.minimum_feeds
    values = [values for _, (_, values) in live]
    median = NULL_FEED if is_null else median_of(values, bitasset.options)
    old = bitasset.median_feed
    bitasset = ctx.state.bitassets.edit(bitasset)
    if is_null:
        bitasset.feed_cer_updated = False
        bitasset.current_feed_publication_time = ctx.now
    else:
        if not median.core_exchange_rate.same_as(old.core_exchange_rate):
            bitasset.feed_cer_updated = True
        bitasset.current_feed_publication_time = min(published for _, (published, _) in live)
    bitasset.median_feed = median
    bitasset.current_feed = current_feed_of(ctx.state, bitasset)
    if bitasset.has_pool() and not bitasset.has_pool_as_fund():
        bitasset.is_reprice_due = True
        ctx.mark_dirty(asset.id)
    is_same = _asks_the_same(median, old)
    if not is_same or not median.core_exchange_rate.same_as(old.core_exchange_rate):
        published = bitasset.current_feed_publication_time
        ctx.events.append(MedianFeedEvent(asset.id, median, published, len(live)))
    if not is_same:
        bitasset.median_updated = True
        ctx.mark_dirty(asset.id)


def live_feeds(bitasset: BitassetData, now: int) -> Feeds:
    """The feeds younger than the lifetime, by publisher (R1.15)."""
    lifetime = bitasset.options.feed_lifetime_sec
    return tuple(
        (publisher, (published, values))
        for publisher, (published, values) in bitasset.feeds
        if published != 0 and now - published < lifetime
    )


def median_of(feeds: list[FeedValues], options: BitassetOptions) -> FeedValues:
    """The upper median of each field for itself; an issuer's ratios rule (R1.16, T-W5, BSIP75)."""
    chosen = options.extensions
    return FeedValues(
        settlement_price=_median_price([feed.settlement_price for feed in feeds]),
        core_exchange_rate=_median_price([feed.core_exchange_rate for feed in feeds]),
        maintenance_collateral_ratio=_median_ratio(
            chosen.maintenance_collateral_ratio,
            feeds,
            lambda feed: feed.maintenance_collateral_ratio,
        ),
        maximum_short_squeeze_ratio=_median_ratio(
            chosen.maximum_short_squeeze_ratio, feeds, lambda feed: feed.maximum_short_squeeze_ratio
        ),
        initial_collateral_ratio=_median_ratio(
            chosen.initial_collateral_ratio, feeds, lambda feed: feed.initial_collateral_ratio
        ),
    )


def _median_price(prices: list[Price]) -> Price:
    return sorted(prices, key=cmp_to_key(_compare))[len(prices) // 2]


def _compare(a: Price, b: Price) -> int:
    return b.is_less(a) - a.is_less(b)


def _median_ratio(
    chosen: int | None, feeds: list[FeedValues], ratio_of: Callable[[FeedValues], int]
) -> int:
    if chosen is not None:
        return chosen
    return sorted(ratio_of(feed) for feed in feeds)[len(feeds) // 2]


def _asks_the_same(feed: FeedValues, other: FeedValues) -> bool:
    """Whether two medians are equal but for the CER, which only prices fees."""
    return (
        feed.settlement_price.same_as(other.settlement_price)
        and feed.maintenance_collateral_ratio == other.maintenance_collateral_ratio
        and feed.maximum_short_squeeze_ratio == other.maximum_short_squeeze_ratio
        and feed.initial_collateral_ratio == other.initial_collateral_ratio
    )


def expire_feeds(ctx: Context) -> None:
    """Recompute the medians whose oldest feed has run out, by ascending id (R1.17)."""
    due = ctx.state.bitassets_by_feed_end.up_to(True, ctx.now)
    for bitasset in sorted(due, key=lambda bitasset: bitasset.id):
        update_median(ctx, ctx.state.assets.get(bitasset.asset_id), bitasset)
        ctx.events.append(FeedExpiredEvent(bitasset.asset_id))


def copy_core_exchange_rates(ctx: Context) -> None:
    """Copy median exchange rates that changed into the assets' options (R1.21)."""
    state = ctx.state
    for bitasset in list(state.bitassets_by_rate_due.items(True)):
        rate = bitasset.current_feed.core_exchange_rate
        asset = state.assets.get(bitasset.asset_id)
        if not asset.options.core_exchange_rate.same_as(rate):
            state.assets.edit(asset).options = replace(asset.options, core_exchange_rate=rate)
        bitasset = state.bitassets.edit(bitasset)
        bitasset.feed_cer_updated = bitasset.asset_cer_updated = False


def drop_old_feeds(ctx: Context, bitasset: BitassetData) -> None:
    """At maintenance: erase outdated feeds of an asset fed by witnesses or committee (R1.19)."""
    asset = ctx.state.assets.get(bitasset.asset_id)
    if not asset.has_flag(WITNESS_FED_ASSET | COMMITTEE_FED_ASSET):
        return
    oldest = ctx.now - bitasset.options.feed_lifetime_sec
    kept = tuple(entry for entry in bitasset.feeds if entry[1][0] >= oldest)
    if len(kept) < len(bitasset.feeds):
        ctx.state.bitassets.edit(bitasset).feeds = kept
