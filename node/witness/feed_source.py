"""Where a witness takes its prices from: a recorded series, a fixed price, a random walk.

A source is a pure function of the time: no clock, no file, no float. Its prices are "pegged units
for one backing token" in whole units, as exact ratios; `publish_feed` scales them to the smallest
units of both assets. `node.witness.feed_text` reads sources from text.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple, Protocol

from protocol.asset import AssetAmount, Price, scale_price
from protocol.constants import (
    CORE_ASSET,
    DEFAULT_MAINTENANCE_COLLATERAL_RATIO,
    DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO,
)
from protocol.ids import AccountId, AssetId
from protocol.operations.bitasset import AssetPublishFeed
from protocol.operations.bitasset_options import PriceFeed
from protocol.schema import Record

WALK_SCALE = 10**12
"""A random walk moves on multiples of 1 / WALK_SCALE; rounding to nearest keeps it above 0."""

WALK_PRICE_MAX = 10**12
"""Pegged units for one backing token that a random walk does not exceed."""


class PriceRatio(NamedTuple):
    """A price: `base` pegged units for `quote` backing tokens, both whole units and positive."""

    base: int
    quote: int


class PriceSource(Protocol):
    """What a witness asks for a price."""

    def price_at(self, time_s: int) -> PriceRatio:
        """The price at a time, in seconds since 1970."""
        ...


class FixedPrice(Record):
    """The same price for ever."""

    price: PriceRatio

    def price_at(self, time_s: int) -> PriceRatio:
        """The fixed price."""
        return self.price


class CsvSeries(Record):
    """A recorded series: each row holds until the next, the first and last also beyond the ends.

    With `row_interval_s` the rows are played from `start_s` on, one an interval, whatever times
    they carry; without it each row holds from its own time on.
    """

    times_s: tuple[int, ...]
    prices: tuple[PriceRatio, ...]
    start_s: int = 0
    row_interval_s: int | None = None

    def price_at(self, time_s: int) -> PriceRatio:
        """The price of the row that holds at a time."""
        if self.row_interval_s is None:
            row = bisect_right(self.times_s, time_s) - 1
        else:
            row = (time_s - self.start_s) // self.row_interval_s
        return self.prices[min(max(row, 0), len(self.prices) - 1)]


class RandomWalk:
    """A price that every interval rises or falls by up to `step_bp` hundredths of a percent.

    The price is a function of the seed and the time alone: two witnesses with one seed agree, and
    a restart does not change it. Asking for ever later times costs one step each.
    """

    __slots__ = ("_price", "_step", "interval_s", "seed", "start", "start_s", "step_bp")

    def __init__(
        self, seed: int, start: PriceRatio, step_bp: int, start_s: int, interval_s: int
    ) -> None:
        self.seed = seed
        self.start = max(start.base * WALK_SCALE // start.quote, 1)
        self.step_bp = step_bp
        self.start_s = start_s
        self.interval_s = interval_s
        self._step = 0
        self._price = self.start

    def price_at(self, time_s: int) -> PriceRatio:
        """The price after all steps up to a time; the first one before the start."""
        wanted = max((time_s - self.start_s) // self.interval_s, 0)
        if wanted < self._step:
            self._step, self._price = 0, self.start
        while self._step < wanted:
            self._step += 1
            self._price = self._next_price()
        return PriceRatio(self._price, WALK_SCALE)

    def _next_price(self) -> int:
        drawn = scramble(self.seed, self._step) % (2 * self.step_bp + 1) - self.step_bp
        up, down = (10_000 + drawn, 10_000) if drawn >= 0 else (10_000, 10_000 - drawn)
        moved = (2 * self._price * up + down) // (2 * down)
        return min(moved, WALK_PRICE_MAX * WALK_SCALE)


def scramble(seed: int, counter: int) -> int:
    """The 64-bit number that SplitMix64 draws at a position of the sequence of a seed."""
    mask = (1 << 64) - 1
    state = (seed + counter * 0x9E3779B97F4A7C15) & mask
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return state ^ (state >> 31)


class FeedSource(Record):
    """Prices, and the two ratios that a witness publishes with them, in thousandths (R1.12)."""

    prices: PriceSource
    maintenance_collateral_ratio: int = DEFAULT_MAINTENANCE_COLLATERAL_RATIO
    maximum_short_squeeze_ratio: int = DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO


class PeggedAsset(Record):
    """What a feed must know of a BitAsset: two ids and the decimal places of both assets."""

    asset_id: AssetId
    precision: int
    backing_asset_id: AssetId
    backing_precision: int


def publish_feed(
    source: FeedSource,
    publisher: AccountId,
    asset: PeggedAsset,
    time_s: int,
    *,
    fee: AssetAmount,
    core_exchange_rate: Price | None = None,
) -> AssetPublishFeed:
    """The operation that publishes what a source says at a time (R1.12).

    The core exchange rate is the settlement price where CORE backs the asset; elsewhere the caller
    names it. A ratio whose terms exceed the largest supply is shrunk as by R1.5. Raises
    `ValidationError` when no such price is valid.
    """
    ratio = source.prices.price_at(time_s)
    unit = Price(AssetAmount(1, asset.asset_id), AssetAmount(1, asset.backing_asset_id))
    settlement_price = scale_price(
        unit, ratio.base * 10**asset.precision, ratio.quote * 10**asset.backing_precision
    )
    assert core_exchange_rate is not None or asset.backing_asset_id == CORE_ASSET
    operation = AssetPublishFeed(
        fee=fee,
        publisher=publisher,
        asset_id=asset.asset_id,
        feed=PriceFeed(
            settlement_price=settlement_price,
            maintenance_collateral_ratio=source.maintenance_collateral_ratio,
            maximum_short_squeeze_ratio=source.maximum_short_squeeze_ratio,
            core_exchange_rate=core_exchange_rate or settlement_price,
        ),
    )
    operation.validate()
    return operation
