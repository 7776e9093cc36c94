"""What happened, as the API needs it: operations of accounts, fills of markets, and buckets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from protocol.asset import Price
from protocol.ids import AccountId, AssetId
from protocol.operations.base import Operation
from protocol.operations.limit_order import FillOrder
from protocol.operations.results import OperationResult

Market = tuple[AssetId, AssetId]
"""Two assets, the lower id first."""

BUCKET_SECONDS = (60, 300, 900, 1800, 3600, 14400, 86400)
"""Widths of the buckets that are kept."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class FillRecord:
    """One side of a trade (5.0.n); `sequence` counts the sides of its market from 0."""

    instance: int
    market: Market
    sequence: int
    time: int
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
    """Price of the last trade before the span; None when there was none, or it is forgotten."""
    base_volume: int
    quote_volume: int


class HistoryReader(Protocol):
    """Meaning only: what is kept, and for how long, is the implementation's affair."""

    def operations_of(self, account: AccountId) -> Iterator[OperationRecord]:
        """Operations that concern an account, newest first."""

    def operations_in(self, block_num: int) -> Iterator[OperationRecord]:
        """Operations of a block, virtual ones included, in order; none when it is not kept."""

    def operation_count(self, account: AccountId) -> int:
        """How many operations have concerned an account since the history began."""

    def fills_of(self, market: Market) -> Iterator[FillRecord]:
        """Sides of trades, newest first."""

    def buckets_of(self, market: Market, seconds: int) -> Iterator[Bucket]:
        """Buckets of one width, oldest first."""

    def last_day(self, market: Market, now: int) -> DaySummary | None:
        """The last 24 hours; None when the market never traded."""


def market_of(first: AssetId, second: AssetId) -> Market:
    """The market of two assets, whichever is named first."""
    return (first, second) if first < second else (second, first)
