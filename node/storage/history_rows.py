"""The rows of the history, one class a table; columns are integers and bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32


class BlockRow(NamedTuple):
    """One block, and how much history of each kind there is up to and with it."""

    num: int
    id: bytes
    time: int
    operations: int
    fills: int
    feeds: int
    margin_calls: int
    asset_events: int


class OperationRow(NamedTuple):
    """An operation; `data` and `result` are its tagged binary forms."""

    id: int
    block_num: int
    trx_in_block: int
    op_in_trx: int
    virtual_op: int
    is_virtual: int
    kind: int
    """BitShares' number of the operation."""
    data: bytes
    result: bytes
    checksum: int
    """CRC-32 over id, result and data (`operation_checksum`)."""


def operation_checksum(id_: int, data: bytes, result: bytes) -> int:
    """What tells that a stored operation is not what was written."""
    return crc32(data, crc32(result, id_ & 0xFFFF_FFFF))


AccountRow = tuple[int, int, int]
"""An account, the number of an operation in its history, from 1, and the operation's id."""
ACCOUNT_COLUMNS = ("account", "number", "operation")


class FillRow(NamedTuple):
    """One side of a trade; prices and volumes are of the market, the lower asset first."""

    base: int
    quote: int
    sequence: int
    id: int
    block_num: int
    time: int
    operation: int
    is_maker: int
    is_second: int
    price_base: int
    price_quote: int
    base_volume: int
    quote_volume: int


class MarketRow(NamedTuple):
    """A market that has traded; `number` by the order of the first trades."""

    base: int
    quote: int
    number: int
    fills: int


class BucketRow(NamedTuple):
    """The trades of a market in a span of time."""

    base: int
    quote: int
    seconds: int
    open_time: int
    id: int
    open_base: int
    open_quote: int
    close_base: int
    close_quote: int
    high_base: int
    high_quote: int
    low_base: int
    low_quote: int
    base_volume: int
    quote_volume: int


class FeedRow(NamedTuple):
    """A new median of a BitAsset's feeds; all amounts are 0 where there is none."""

    id: int
    asset: int
    block_num: int
    backing: int
    settlement_base: int
    settlement_quote: int
    exchange_base: int
    exchange_quote: int
    exchange_asset: int
    maintenance_ratio: int
    squeeze_ratio: int
    initial_ratio: int
    publication_time: int
    feed_count: int


class MarginCallRow(NamedTuple):
    """A margin call's fill, with what led to it; prices are BitAsset (base) per backing."""

    id: int
    operation: int
    block_num: int
    position: int
    account: int
    asset: int
    backing: int
    debt: int
    collateral: int
    settlement_base: int
    settlement_quote: int
    maintenance_ratio: int
    order_base: int
    order_quote: int
    bid: int
    bidder: int
    bid_base: int
    bid_quote: int
    covered: int
    paid: int
    fee: int


class AssetEventRow(NamedTuple):
    """A turn in the life of a BitAsset; the price and the fund of a global settlement."""

    id: int
    asset: int
    block_num: int
    kind: int
    backing: int
    price_base: int
    price_quote: int
    fund: int


@dataclass(slots=True)
class HistoryRows:
    """What blocks add; the blocks follow each other."""

    blocks: list[BlockRow] = field(default_factory=list)
    operations: list[OperationRow] = field(default_factory=list)
    accounts: list[AccountRow] = field(default_factory=list)
    fills: list[FillRow] = field(default_factory=list)
    buckets: list[BucketRow] = field(default_factory=list)
    """As they are after these blocks."""
    markets: dict[tuple[int, int], MarketRow] = field(default_factory=dict)
    """Those that traded, as they are after these blocks."""
    feeds: list[FeedRow] = field(default_factory=list)
    margin_calls: list[MarginCallRow] = field(default_factory=list)
    asset_events: list[AssetEventRow] = field(default_factory=list)
