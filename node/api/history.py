"""What happened, as the API needs it: operations of accounts, trades, feeds and margin calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from protocol.asset import AssetAmount, Price
from protocol.ids import AccountId, AssetId, CallOrderId, LimitOrderId
from protocol.operations.base import Operation
from protocol.operations.limit_order import FillOrder
from protocol.operations.results import OperationResult

Market = tuple[AssetId, AssetId]
"""Two assets, the lower id first."""

BUCKET_SECONDS = (60, 300, 900, 1800, 3600, 14400, 86400)
"""Widths of the buckets that are kept."""

VOLUME_MAX = (1 << 63) - 1
"""Volumes stop here, as they do in BitShares; an int64 holds no more."""

NEWEST = (1 << 63) - 1
"""A bound that no id, number or sequence reaches."""


@dataclass(slots=True)
class OperationRecord:
    """One operation of the chain, real or virtual (1.11.n)."""

    instance: int
    op: Operation
    result: OperationResult
    block_num: int
    block_time: int
    trx_in_block: int
    op_in_trx: int
    virtual_op: int
    is_virtual: bool


@dataclass(slots=True)
class FillRecord:
    """One side of a trade (5.0.n); `sequence` counts the sides of its market from 0."""

    instance: int
    market: Market
    sequence: int
    block_num: int
    time: int
    operation: int
    """Instance of its operation (1.11.n)."""
    is_second: bool
    """Whether it is the other side of the trade that the fill right before it began."""
    op: FillOrder


@dataclass(slots=True)
class Bucket:
    """The trades of one market in one span of time; prices are `market[0] / market[1]`."""

    instance: int
    market: Market
    seconds: int
    open_time: int
    opening: Price
    close: Price
    high: Price
    low: Price
    base_volume: int
    quote_volume: int


@dataclass(frozen=True, slots=True)
class DaySummary:
    """The trades of a market in the last 24 hours; prices are `market[0] / market[1]`."""

    instance: int
    latest: Price
    day_ago: Price | None
    """Price of the last trade before the span; None when there was none."""
    base_volume: int
    quote_volume: int


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """The median of a BitAsset's feeds, from the block in which it changed (R1.16)."""

    instance: int
    asset: AssetId
    block_num: int
    block_time: int
    settlement_price: Price
    """BitAsset per backing; null where feeds are too few."""
    core_exchange_rate: Price
    maintenance_collateral_ratio: int
    maximum_short_squeeze_ratio: int
    initial_collateral_ratio: int
    publication_time: int
    """Time of the oldest feed in the median, in seconds."""
    feed_count: int


@dataclass(frozen=True, slots=True)
class MarginCallRecord:
    """A called position traded with a bid (R4.7): why, at which price, and what it left."""

    instance: int
    operation: int
    """Instance of the position's fill (1.11.n)."""
    block_num: int
    block_time: int
    position: CallOrderId
    account: AccountId
    debt: AssetAmount
    """Before the fill."""
    collateral: AssetAmount
    """Before the fill."""
    settlement_price: Price
    """The median that was in force, BitAsset per backing."""
    maintenance_collateral_ratio: int
    order_price: Price
    """MCOP, the worst bid that could be taken (R1.8)."""
    bid: LimitOrderId
    bidder: AccountId
    bid_price: Price
    covered: int
    """Debt that the fill covered."""
    paid: int
    """Collateral that the position gave up, fee included."""
    fee: int

    @property
    def debt_left(self) -> int:
        """Debt after the fill; at 0 the position closed and got its other collateral back."""
        return self.debt.amount - self.covered

    @property
    def collateral_left(self) -> int:
        """Collateral that the fill left to the position, or to its owner."""
        return self.collateral.amount - self.paid


GLOBALLY_SETTLED, REVIVED, FEED_EXPIRED, MARGIN_CALLS_ABANDONED = range(4)


@dataclass(frozen=True, slots=True)
class AssetEventRecord:
    """A turn in the life of a BitAsset that no operation records."""

    instance: int
    asset: AssetId
    block_num: int
    block_time: int
    kind: int
    """`GLOBALLY_SETTLED`, `REVIVED` (R6), `FEED_EXPIRED` (R1.17), `MARGIN_CALLS_ABANDONED`."""
    settlement_price: Price
    """Of a global settlement; else the null price."""
    settlement_fund: int
    """Of a global settlement; else 0."""


class HistoryReader(Protocol):
    """All lists are bounded by `limit`, newest first unless their method says otherwise."""

    def operation(self, instance: int) -> OperationRecord | None:
        """An operation by its id (1.11.n)."""

    def operations_of(
        self, account: AccountId, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """Operations that concern an account, with ids from `newest` down to `oldest`."""

    def numbered_operations_of(
        self, account: AccountId, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """Operations of an account by their number in its history, which begins with 1."""

    def operation_count(self, account: AccountId) -> int:
        """How many operations have concerned an account."""

    def newest_operation(self, account: AccountId) -> int | None:
        """Id of the newest operation that concerns an account."""

    def operations_in(self, block_num: int) -> list[OperationRecord]:
        """All operations of a block, virtual ones included, in order."""

    def fills_of(self, market: Market, *, newest: int, limit: int) -> list[FillRecord]:
        """Sides of trades with sequences from `newest` down."""

    def fills_until(self, market: Market, time: int) -> int:
        """How many sides of trades a market had up to a time, inclusive."""

    def buckets_of(
        self, market: Market, seconds: int, *, start: int, end: int, limit: int
    ) -> list[Bucket]:
        """Buckets of one width that open within two times, oldest first."""

    def last_day(self, market: Market, now: int) -> DaySummary | None:
        """The last 24 hours; None when the market never traded."""

    def feeds_of(self, asset: AssetId, *, newest: int, limit: int) -> list[FeedRecord]:
        """Changes of a BitAsset's median, by instance from `newest` down."""

    def margin_calls_of(
        self,
        *,
        asset: AssetId | None = None,
        account: AccountId | None = None,
        position: CallOrderId | None = None,
        newest: int,
        limit: int,
    ) -> list[MarginCallRecord]:
        """Margin calls of a BitAsset, an account or a position, by instance from `newest` down."""

    def margin_call_at(self, operation: int) -> MarginCallRecord | None:
        """The margin call whose position's fill has this id (1.11.n)."""

    def asset_events_of(self, asset: AssetId, *, newest: int, limit: int) -> list[AssetEventRecord]:
        """Global settlements and other turns of a BitAsset, by instance from `newest` down."""


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


def bucket_instance(fill: int, seconds: int) -> int:
    """The id of a bucket (5.1.n): that of its first fill, spread over the widths.

    So it depends on nothing but the main chain, whatever was taken back in between.
    """
    return fill * len(BUCKET_SECONDS) + BUCKET_SECONDS.index(seconds)


def first_fill(bucket: int) -> int:
    """The instance of a bucket's first fill, from its id."""
    return bucket // len(BUCKET_SECONDS)
