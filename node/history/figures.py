"""Figures of a market that are added up fill by fill: buckets, and the last 24 hours."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from node.history.records import (
    BUCKET_SECONDS,
    VOLUME_MAX,
    Bucket,
    DaySummary,
    FillEntry,
    FillRecord,
    Market,
)
from protocol.asset import Price
from protocol.constants import SECONDS_PER_DAY
from protocol.ids import AssetId
from protocol.operations.limit_order import FillOrder
from protocol.schema import Mutable

BucketKey = tuple[Market, int, int]
"""Market, width in seconds, time at which it opens."""


def market_of(first: AssetId, second: AssetId) -> Market:
    """The market of two assets, whichever is named first."""
    return (first, second) if first < second else (second, first)


def market_price(price: Price, market: Market) -> Price:
    """A price seen as `market[0] / market[1]`."""
    return price if price.base.asset_id == market[0] else price.inverse()


def market_volumes(op: FillOrder, market: Market) -> tuple[int, int]:
    """What changed hands of `market[0]` and of `market[1]`."""
    if op.pays.asset_id == market[0]:
        return op.pays.amount, op.receives.amount
    return op.receives.amount, op.pays.amount


def fill_entry(fill: FillRecord) -> FillEntry:
    """What is stored of a fill beside its operation."""
    return FillEntry(
        fill.market,
        fill.sequence,
        fill.instance,
        fill.block_num,
        fill.time,
        fill.operation,
        fill.is_second,
        fill.op.is_maker,
        *market_volumes(fill.op, fill.market),
    )


def bucket_instance(fill: int, seconds: int) -> int:
    """The id of a bucket (5.1.n): that of its first fill, spread over the widths.

    So it depends on nothing but the main chain, whatever was taken back in between.
    """
    return fill * len(BUCKET_SECONDS) + BUCKET_SECONDS.index(seconds)


def first_fill(bucket: int) -> int:
    """The instance of a bucket's first fill, from its id."""
    return bucket // len(BUCKET_SECONDS)


def bucket_width(bucket: int) -> int:
    """The width of a bucket in seconds, from its id."""
    return BUCKET_SECONDS[bucket % len(BUCKET_SECONDS)]


def extend_bucket(bucket: Bucket | None, fill: FillRecord, seconds: int) -> Bucket:
    """A bucket with one more maker's fill, which lies within it; a new one for None.

    The bucket that is given is changed.
    """
    price = market_price(fill.op.fill_price, fill.market)
    base, quote = market_volumes(fill.op, fill.market)
    if bucket is None:
        return Bucket(
            bucket_instance(fill.instance, seconds),
            fill.market,
            seconds,
            fill.time - fill.time % seconds,
            opening=price,
            close=price,
            high=price,
            low=price,
            base_volume=base,
            quote_volume=quote,
        )
    bucket.close = price
    if bucket.high.is_less(price):
        bucket.high = price
    elif price.is_less(bucket.low):
        bucket.low = price
    bucket.base_volume = min(bucket.base_volume + base, VOLUME_MAX)
    bucket.quote_volume = min(bucket.quote_volume + quote, VOLUME_MAX)
    return bucket


def join_bucket(bucket: Bucket | None, newer: Bucket, seconds: int) -> Bucket:
    """A bucket with a newer, narrower one that lies within it; a new one for None."""
    if bucket is None:
        return replace(
            newer,
            instance=bucket_instance(first_fill(newer.instance), seconds),
            seconds=seconds,
            open_time=newer.open_time - newer.open_time % seconds,
        )
    bucket.close = newer.close
    if bucket.high.is_less(newer.high):
        bucket.high = newer.high
    if newer.low.is_less(bucket.low):
        bucket.low = newer.low
    bucket.base_volume = min(bucket.base_volume + newer.base_volume, VOLUME_MAX)
    bucket.quote_volume = min(bucket.quote_volume + newer.quote_volume, VOLUME_MAX)
    return bucket


def extend_buckets(
    buckets: list[Bucket],
    fills: Iterable[FillRecord],
    seconds: int,
    *,
    start: int,
    end: int,
    limit: int,
) -> list[Bucket]:
    """At most `limit` buckets that open within two times, ascending, with newer fills in them."""
    for fill in fills:
        open_time = fill.time - fill.time % seconds
        if not fill.op.is_maker or not start <= open_time <= end:
            continue
        if buckets and buckets[-1].open_time == open_time:
            buckets[-1] = extend_bucket(buckets[-1], fill, seconds)
        elif len(buckets) < limit:
            buckets.append(extend_bucket(None, fill, seconds))
        else:
            break
    return buckets


class DaySums(Mutable):
    """What is known of the last 24 hours so far."""

    latest: Price | None = None
    day_ago: Price | None = None
    base_volume: int = 0
    quote_volume: int = 0

    def add_volumes(self, base: int, quote: int) -> None:
        """Count a trade, or many."""
        self.base_volume += base
        self.quote_volume += quote

    def summary(self, number: int) -> DaySummary:
        """The finished figures of a market, which has traded."""
        assert self.latest is not None, number
        return DaySummary(
            number,
            self.latest,
            self.day_ago,
            min(self.base_volume, VOLUME_MAX),
            min(self.quote_volume, VOLUME_MAX),
        )


def sum_last_day(fills: Iterable[FillRecord], market: Market, now: int) -> DaySums:
    """Add up fills, newest first, down to the first that is older than 24 hours."""
    sums = DaySums()
    for fill in fills:
        if not fill.op.is_maker:
            continue
        price = market_price(fill.op.fill_price, market)
        sums.latest = price if sums.latest is None else sums.latest
        if fill.time <= now - SECONDS_PER_DAY:
            sums.day_ago = price
            break
        sums.add_volumes(*market_volumes(fill.op, market))
    return sums


def minutes_of(fills: Iterable[FillRecord]) -> list[Bucket]:
    """The narrowest buckets of new fills alone; all others are made of these."""
    minutes: dict[tuple[Market, int], Bucket] = {}
    width = BUCKET_SECONDS[0]
    for fill in fills:
        if fill.op.is_maker:
            key = (fill.market, fill.time // width)
            minutes[key] = extend_bucket(minutes.get(key), fill, width)
    return list(minutes.values())


def bucket_keys(minutes: Iterable[Bucket]) -> list[BucketKey]:
    """The buckets of all widths that minutes belong to."""
    return list(
        dict.fromkeys(_key(minute, seconds) for minute in minutes for seconds in BUCKET_SECONDS)
    )


def join_minutes(buckets: dict[BucketKey, Bucket], minutes: Iterable[Bucket]) -> list[Bucket]:
    """The buckets of all widths as they are after new minutes, given those before."""
    for minute in minutes:
        for seconds in BUCKET_SECONDS:
            key = _key(minute, seconds)
            buckets[key] = join_bucket(buckets.get(key), minute, seconds)
    return list(buckets.values())


def _key(minute: Bucket, seconds: int) -> BucketKey:
    return minute.market, seconds, minute.open_time - minute.open_time % seconds
