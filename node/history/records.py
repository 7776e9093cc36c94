"""What happened: one declared record per kind. Tables, rows and answers are derived from these.

A record's fields use the vocabulary of `protocol.schema`. A record inside a record is a part of
it: its fields stand beside the others. What a kind records of an event of the chain is the event
itself (`node.state.events`), so that a new field is declared there, and nowhere else.
"""

from __future__ import annotations

from typing import Any

import msgspec

from node.history.kind import Kind
from node.state.events import MarginCallEvent, MedianFeedEvent
from protocol.asset import Price
from protocol.ids import (
    AccountHistoryId,
    AccountId,
    AssetId,
    LiquidityPoolId,
    ObjectId,
    OperationHistoryId,
)
from protocol.operations.base import TaggedOperation
from protocol.operations.limit_order import FillOrder
from protocol.operations.results import OperationResult
from protocol.schema import (
    BlockId,
    Int64,
    Record,
    Timestamp,
    UInt16,
    UInt32,
    UInt64,
    UInt128,
)

Market = tuple[AssetId, AssetId]
"""Two assets, the lower id first."""

BUCKET_SECONDS = (60, 300, 900, 1800, 3600, 14400, 86400)
"""Widths of the buckets that are kept."""

VOLUME_MAX = (1 << 63) - 1
"""Volumes stop here, as they do in BitShares; an int64 holds no more."""

NEWEST = (1 << 63) - 1
"""A bound that no id, number or sequence reaches."""


class BlockRecord(Record):
    """One block, and how many operations, entries and fills there are up to and with it."""

    num: UInt32
    id: BlockId
    time: Timestamp
    operations: Int64
    entries: Int64
    """Of accounts' histories."""
    fills: Int64


class OperationRecord(Record):
    """One operation of the chain, real or virtual (1.11.n)."""

    instance: OperationHistoryId
    op: TaggedOperation
    result: OperationResult
    block_num: UInt32
    block_time: Timestamp
    trx_in_block: UInt16
    op_in_trx: UInt16
    virtual_op: UInt16
    is_virtual: bool


class AccountOperation(Record):
    """An operation that concerns an account (2.9.n), by its number in the account's history."""

    account: AccountId
    number: Int64
    """From 1."""
    operation: OperationHistoryId
    instance: AccountHistoryId
    """By the order of all accounts' entries, from 0."""
    operation_type: UInt16
    """Id of the operation's class."""


class OperationRun(Record):
    """Operations of one block that follow each other; see `node.history.runs`."""

    instance: OperationHistoryId
    """Of the first."""
    block_num: UInt32
    block_time: Timestamp
    operations: bytes


class AccountRun(Record):
    """Entries in the history of an account that follow each other; see `node.history.runs`."""

    account: AccountId
    number: Int64
    """Of the first."""
    operation: OperationHistoryId
    """Of the first."""
    newest: AccountHistoryId
    """Of the last, by the order of all accounts' entries."""
    entries: bytes


class AccountRunType(Record):
    """That a run of an account's history holds operations of a type."""

    operation_type: UInt16
    account: AccountId
    number: Int64
    """Of the run's first entry."""


class AccountTotal(Record):
    """How many operations have concerned an account, and the newest of them."""

    account: AccountId
    operations: Int64
    newest: AccountHistoryId


class FillRecord(Record):
    """One side of a trade (5.0.n); `sequence` counts the sides of its market from 0."""

    instance: int
    market: Market
    sequence: int
    block_num: int
    time: int
    operation: OperationHistoryId
    """Instance of its operation (1.11.n)."""
    is_second: bool
    """Whether it is the other side of the trade that the fill right before it began."""
    op: FillOrder


class FillEntry(Record):
    """What is stored of a fill beside its operation, and what volumes are added up from."""

    market: Market
    sequence: Int64
    instance: Int64
    block_num: UInt32
    time: Timestamp
    operation: OperationHistoryId
    is_second: bool
    is_maker: bool
    base_volume: Int64
    quote_volume: Int64


class MarketTotal(Record):
    """A market that has traded; `number` by the order of the first trades."""

    market: Market
    number: Int64
    fills: Int64


class Bucket(msgspec.Struct, gc=False):
    """The trades of one market in one span of time; prices are `market[0] / market[1]`."""

    instance: Int64
    market: Market
    seconds: UInt32
    open_time: Timestamp
    opening: Price
    close: Price
    high: Price
    low: Price
    base_volume: Int64
    quote_volume: Int64


class DaySummary(Record):
    """The trades of a market in the last 24 hours; prices are `market[0] / market[1]`."""

    instance: int
    latest: Price
    day_ago: Price | None
    """Price of the last trade before the span; None when there was none."""
    base_volume: int
    quote_volume: int


class PoolOperation(Record):
    """An operation in the history of a liquidity pool (5.4.n, L13)."""

    pool: LiquidityPoolId
    sequence: Int64
    """From 1, its creation."""
    instance: Int64
    """By the order of all pools' entries, from 0."""
    operation: OperationHistoryId
    operation_type: UInt16
    """Id of the operation's class."""
    block_num: UInt32
    time: Timestamp
    figures: bytes
    """The packed `PoolFigures` up to and with it."""


class PoolFigures(Record):
    """What was done with a pool so far: how often, and how much in all (L12)."""

    deposit_count: UInt64
    deposit_amount_a: UInt128
    deposit_amount_b: UInt128
    deposit_share_amount: UInt128
    withdrawal_count: UInt64
    withdrawal_amount_a: UInt128
    withdrawal_amount_b: UInt128
    withdrawal_share_amount: UInt128
    withdrawal_fee_a: UInt128
    withdrawal_fee_b: UInt128
    exchange_a2b_count: UInt64
    exchange_a2b_amount_a: UInt128
    exchange_a2b_amount_b: UInt128
    exchange_b2a_count: UInt64
    exchange_b2a_amount_a: UInt128
    exchange_b2a_amount_b: UInt128
    exchange_fee_a: UInt128
    exchange_fee_b: UInt128
    balance_a: Int64
    """What is in the pool; of a span of time, by how much that has changed."""
    balance_b: Int64


class FeedRecord(Record):
    """The median of a BitAsset's feeds, from the block in which it changed (R1.16)."""

    instance: UInt32
    block_num: UInt32
    block_time: Timestamp
    event: MedianFeedEvent


class MarginCallRecord(Record):
    """A called position traded with a bid (R4.7): why, at which price, and what it left."""

    instance: UInt32
    operation: OperationHistoryId
    """Instance of the position's fill (1.11.n)."""
    block_num: UInt32
    block_time: Timestamp
    event: MarginCallEvent


class AssetEventRecord(Record):
    """A turn in the life of a BitAsset that no operation records."""

    instance: UInt32
    asset_id: AssetId
    block_num: UInt32
    block_time: Timestamp
    event: str
    """"global_settlement", "revival" (R6), "individual_settlement" (BS5), "feed_expired" (R1.17),
    "margin_calls_abandoned"."""
    settlement_price: Price
    """Of a global settlement; else the null price."""
    settlement_fund: Int64
    """Of a settlement; else 0."""
    by_bids: bool
    """Of a revival: by collateral bids (R6.6), not by the feed (R6.7); else False."""


class StepRecord(Record):
    """An operation that began, changed or ended an order (1.7.n) or settlement request (1.4.n)."""

    instance: Int64
    """Of the operation (1.11.n)."""
    subject: Int64
    """Of the order or the request, as `subject_of` has it."""
    block_num: UInt32


class BidRecord(Record):
    """A collateral bid (2.17.n) was made; the chain numbers them as they are numbered here."""

    instance: UInt32
    account: AccountId
    operation: OperationHistoryId
    block_num: UInt32


def subject_of(found: ObjectId) -> int:
    """An object's type and instance in one number."""
    return found.type << 48 | found.instance


BLOCKS = Kind("block", BlockRecord, ("num",))
OPERATIONS = Kind("operation", OperationRun, ("instance",))
ACCOUNT_OPERATIONS = Kind("account_operation", AccountRun, ("account", "number"))
ACCOUNT_TYPES = Kind(
    "account_operation_type", AccountRunType, ("operation_type", "account", "number")
)
ACCOUNT_TOTALS = Kind("account_total", AccountTotal, ("account",))
FILLS = Kind("fill", FillEntry, ("market_first", "market_second", "sequence"))
MARKETS = Kind("market", MarketTotal, ("market_first", "market_second"))
BUCKETS = Kind("bucket", Bucket, ("market_first", "market_second", "seconds", "open_time"))
POOL_OPERATIONS = Kind(
    "pool_operation",
    PoolOperation,
    ("pool", "sequence"),
    (("operation_type", "pool", "sequence"), ("instance",)),
)
FEEDS = Kind("feed", FeedRecord, ("instance",), (("asset_id", "instance"),))
MARGIN_CALLS = Kind(
    "margin_call",
    MarginCallRecord,
    ("instance",),
    (
        ("debt_before_asset_id", "instance"),
        ("account", "instance"),
        ("position", "instance"),
        ("operation",),
    ),
)
ASSET_EVENTS = Kind("asset_event", AssetEventRecord, ("instance",), (("asset_id", "instance"),))

STEPS = Kind("step", StepRecord, ("instance",), (("subject", "instance"),))
BIDS = Kind("collateral_bid", BidRecord, ("instance",), (("account", "instance"),))

EventRecord = FeedRecord | MarginCallRecord | AssetEventRecord | StepRecord | BidRecord
EventKind = Kind[Any]
"""One of `EVENT_KINDS`, of whichever record."""
COUNTED_KINDS: tuple[EventKind, ...] = (FEEDS, MARGIN_CALLS, ASSET_EVENTS, BIDS)
"""Those that are numbered from 0 each."""
EVENT_KINDS: tuple[EventKind, ...] = (*COUNTED_KINDS, STEPS)
"""Kinds that are read by one of their columns."""
KINDS: tuple[Kind[Any], ...] = (
    BLOCKS,
    OPERATIONS,
    ACCOUNT_OPERATIONS,
    ACCOUNT_TYPES,
    ACCOUNT_TOTALS,
    FILLS,
    MARKETS,
    BUCKETS,
    POOL_OPERATIONS,
    *EVENT_KINDS,
)
"""All tables."""
