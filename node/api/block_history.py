"""What one block adds to the history, numbered: derived once, when the block becomes the head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from node.api.backend import BlockTrace
from node.api.history import (
    FEED_EXPIRED,
    GLOBALLY_SETTLED,
    MARGIN_CALLS_ABANDONED,
    REVIVED,
    AssetEventRecord,
    FeedRecord,
    FillRecord,
    MarginCallRecord,
    Market,
    OperationRecord,
    market_of,
)
from node.api.impacted import accounts_of_operation
from node.state.context import AppliedOperation
from node.state.events import (
    AssetEvent,
    ChainEvent,
    FeedExpiredEvent,
    GloballySettledEvent,
    MarginCallEvent,
    MarketRunAbandonedEvent,
    MedianFeedEvent,
    RevivedEvent,
)
from protocol.asset import NULL_PRICE
from protocol.ids import ID_TYPES, AccountId, AssetId, CallOrderId
from protocol.operations.limit_order import FillOrder
from protocol.schema import BlockId

AccountEntry = tuple[AccountId, int, int]
"""An account, the number of an operation in its history, and the operation's instance."""

_POSITION_TYPE = ID_TYPES[CallOrderId][1]


class HistoryTrace(BlockTrace, Protocol):
    """A block that was applied, with all that it told; the chain's `AppliedBlock`."""

    @property
    def events(self) -> list[ChainEvent]: ...


@dataclass(slots=True)
class MarketCounts:
    """One market that has traded."""

    number: int
    """How many other markets traded before it did."""
    fills: int


@dataclass(slots=True)
class HistoryCounts:
    """How much history there is up to a block: where the next ids and numbers begin."""

    operations: int = 0
    fills: int = 0
    feeds: int = 0
    margin_calls: int = 0
    asset_events: int = 0
    by_account: dict[AccountId, int] = field(default_factory=dict)
    by_market: dict[Market, MarketCounts] = field(default_factory=dict)

    def take_back(self, block: BlockHistory) -> None:
        """Go back to before a block, which is the newest."""
        self.operations -= len(block.operations)
        self.fills -= len(block.fills)
        self.feeds -= len(block.feeds)
        self.margin_calls -= len(block.margin_calls)
        self.asset_events -= len(block.asset_events)
        for account, number, _ in reversed(block.entries):
            if number > 1:
                self.by_account[account] = number - 1
            else:
                del self.by_account[account]
        for fill in reversed(block.fills):
            if fill.sequence:
                self.by_market[fill.market].fills = fill.sequence
            else:
                del self.by_market[fill.market]


@dataclass(slots=True)
class BlockHistory:
    """What one block adds to the history."""

    num: int
    id: BlockId
    time: int
    first_operation: int
    """Instance of the first operation; the others follow without gaps."""
    operations: list[AppliedOperation]
    entries: list[AccountEntry]
    """In the order of the operations, then of the accounts."""
    fills: list[FillRecord]
    feeds: list[FeedRecord]
    margin_calls: list[MarginCallRecord]
    asset_events: list[AssetEventRecord]
    next_fill: int = 0
    """First instance of the next block, as for the three kinds that follow."""
    next_feed: int = 0
    next_margin_call: int = 0
    next_asset_event: int = 0

    def operation(self, instance: int) -> OperationRecord:
        """One operation of this block by its instance."""
        applied = self.operations[instance - self.first_operation]
        return OperationRecord(
            instance,
            applied.op,
            applied.result,
            self.num,
            self.time,
            applied.trx_in_block,
            applied.op_in_trx,
            applied.virtual_op,
            applied.is_virtual,
        )

    def records(self) -> Iterator[OperationRecord]:
        """All operations in order."""
        for offset in range(len(self.operations)):
            yield self.operation(self.first_operation + offset)


def derive_block(trace: HistoryTrace, counts: HistoryCounts) -> BlockHistory:
    """The history of a block on top of what is counted; the counts then include it."""
    envelope = trace.envelope
    first = instance = counts.operations
    block = BlockHistory(
        num=envelope.num,
        id=envelope.id,
        time=envelope.header.timestamp,
        first_operation=first,
        operations=trace.operations,
        entries=[],
        fills=[],
        feeds=[],
        margin_calls=[],
        asset_events=[],
    )
    entries, totals = block.entries, counts.by_account
    called: list[int] = []
    for applied in trace.operations:
        op = applied.op
        accounts: tuple[AccountId, ...]
        if type(op) is FillOrder:
            accounts = (op.account_id,)
            block.fills.append(_fill_record(block, op, instance, counts))
            if op.order_id.type == _POSITION_TYPE and not op.is_maker:
                called.append(instance)
        else:
            accounts = accounts_of_operation(op)
        for account in accounts:
            totals[account] = number = totals.get(account, 0) + 1
            entries.append((account, number, instance))
        instance += 1
    counts.operations = instance
    _add_events(block, trace.events, called, counts)
    block.next_fill = counts.fills
    block.next_feed = counts.feeds
    block.next_margin_call = counts.margin_calls
    block.next_asset_event = counts.asset_events
    return block


def _fill_record(
    block: BlockHistory, op: FillOrder, operation: int, counts: HistoryCounts
) -> FillRecord:
    market = market_of(op.pays.asset_id, op.receives.asset_id)
    known = counts.by_market.get(market)
    if known is None:
        known = counts.by_market[market] = MarketCounts(len(counts.by_market), 0)
    before = block.fills[-1] if block.fills else None
    is_second = before is not None and before.market == market and _completes(before, op)
    instance, sequence = counts.fills, known.fills
    counts.fills, known.fills = instance + 1, sequence + 1
    return FillRecord(instance, market, sequence, block.num, block.time, operation, is_second, op)


def _completes(first: FillRecord, op: FillOrder) -> bool:
    """Whether a fill is the other side of the one before; each side stands in one trade.

    A global settlement records one side alone; that a margin call pays a fee makes the collateral
    of both sides differ, so that one equal amount must do.
    """
    other = first.op
    return (
        not first.is_second
        and other.is_maker != op.is_maker
        and (other.fill_price is op.fill_price or other.fill_price == op.fill_price)
        and (other.pays == op.receives or other.receives == op.pays)
    )


def _add_events(
    block: BlockHistory, events: list[ChainEvent], called: list[int], counts: HistoryCounts
) -> None:
    fills = iter(called)
    for event in events:
        match event:
            case MedianFeedEvent():
                block.feeds.append(_feed_record(block, event, counts.feeds))
                counts.feeds += 1
            case MarginCallEvent():
                record = _margin_call_record(block, event, next(fills), counts.margin_calls)
                block.margin_calls.append(record)
                counts.margin_calls += 1
            case _:
                turn = _asset_event_record(block, event, counts.asset_events)
                block.asset_events.append(turn)
                counts.asset_events += 1


def _asset_event_record(block: BlockHistory, event: AssetEvent, instance: int) -> AssetEventRecord:
    price, fund = NULL_PRICE, 0
    match event:
        case GloballySettledEvent():
            kind, price, fund = GLOBALLY_SETTLED, event.settlement_price, event.settlement_fund
        case RevivedEvent():
            kind = REVIVED
        case FeedExpiredEvent():
            kind = FEED_EXPIRED
        case MarketRunAbandonedEvent():
            kind = MARGIN_CALLS_ABANDONED
        case _:
            assert_never(event)
    return AssetEventRecord(instance, event.asset_id, block.num, block.time, kind, price, fund)


def _feed_record(block: BlockHistory, event: MedianFeedEvent, instance: int) -> FeedRecord:
    values = event.values
    return FeedRecord(
        instance,
        AssetId(event.asset_id),
        block.num,
        block.time,
        values.settlement_price,
        values.core_exchange_rate,
        values.maintenance_collateral_ratio,
        values.maximum_short_squeeze_ratio,
        values.initial_collateral_ratio,
        event.publication_time,
        event.feed_count,
    )


def _margin_call_record(
    block: BlockHistory, event: MarginCallEvent, operation: int, instance: int
) -> MarginCallRecord:
    return MarginCallRecord(
        instance,
        operation,
        block.num,
        block.time,
        event.position,
        event.borrower,
        event.debt,
        event.collateral,
        event.settlement_price,
        event.maintenance_ratio,
        event.order_price,
        event.bid,
        event.bidder,
        event.bid_price,
        event.covered,
        event.paid,
        event.fee,
    )
