"""Numbers what a block adds to the history, on top of all that came before it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import assert_never

from node.history.block import (
    POSITION_TYPE,
    BlockHistory,
    HistoryCounts,
    MarketCounts,
    PoolCounts,
)
from node.history.figures import market_of
from node.history.impacted import accounts_of_operation
from node.history.pools import NOTHING, POOL_OPERATIONS, figures_after, pool_of
from node.history.records import (
    ASSET_EVENTS,
    BIDS,
    FEEDS,
    MARGIN_CALLS,
    AssetEventRecord,
    BidRecord,
    EventKind,
    EventRecord,
    FeedRecord,
    MarginCallRecord,
    PoolOperation,
)
from node.state.events import (
    ChainEvent,
    FeedExpiredEvent,
    GloballySettledEvent,
    IndividuallySettledEvent,
    MarginCallEvent,
    MarketRunAbandonedEvent,
    MedianFeedEvent,
    RevivedEvent,
)
from protocol.asset import NULL_PRICE, Price
from protocol.binary import pack
from protocol.ids import (
    AccountId,
    AssetId,
    ForceSettlementId,
    LimitOrderId,
    OperationHistoryId,
    object_id,
)
from protocol.operations import ENTRY_OF
from protocol.operations.bitasset import BidCollateral
from protocol.operations.limit_order import FillOrder

_ID_OF: dict[type, int] = {cls: entry.id for cls, entry in ENTRY_OF.items()}
_NUMBERED: frozenset[type] = POOL_OPERATIONS | {BidCollateral}
"""Operations that are numbered once more among their like."""


def number_block(block: BlockHistory, counts: HistoryCounts) -> None:
    """Work out what a block adds on top of what is counted; the counts then include it."""
    block.first_operation = instance = counts.operations
    block.first_entry, block.first_fill = counts.entries, counts.fills
    if not (block.operations or block.told):
        block.next_fill = counts.fills
        return
    entries, totals, fills = block.entries, counts.by_account, 0
    special: dict[type, list[int]] = {}
    for applied in block.operations:
        op = applied.op
        cls = type(op)
        accounts: tuple[AccountId, ...]
        if cls is FillOrder:
            assert isinstance(op, FillOrder)
            accounts = (op.account_id,)
            fills += 1
            _count_fill(block, op, counts)
        else:
            accounts = accounts_of_operation(op, applied.result)
            if cls in _NUMBERED:
                special.setdefault(cls, []).append(instance)
        operation_type = _ID_OF[cls]
        for account in accounts:
            totals[account] = number = totals.get(account, 0) + 1
            entries.append((account, number, instance, operation_type))
        instance += 1
    block.next_fill = counts.fills + fills
    counts.operations, counts.fills = instance, block.next_fill
    counts.entries += len(entries)
    bids = special.pop(BidCollateral, [])
    _add_pool_operations(block, sorted(chain.from_iterable(special.values())), counts)
    _add_bids(block, bids, counts)
    if block.told:
        _add_events(block, counts)


def _count_fill(block: BlockHistory, op: FillOrder, counts: HistoryCounts) -> None:
    markets, market = counts.by_market, market_of(op.pays.asset_id, op.receives.asset_id)
    if market not in block.sequences:
        if market not in markets:
            markets[market] = MarketCounts(len(markets), 0)
        block.sequences[market] = markets[market].fills
    markets[market].fills += 1


def _add_pool_operations(block: BlockHistory, operations: list[int], counts: HistoryCounts) -> None:
    for operation in operations:
        applied = block.operations[operation - block.first_operation]
        pool = pool_of(applied.op, applied.result)
        before = counts.by_pool.get(pool)
        block.pools_before.setdefault(pool, before)
        number, figures = before or PoolCounts(0, NOTHING)
        after = PoolCounts(number + 1, figures_after(figures, applied.op, applied.result))
        counts.by_pool[pool] = after
        block.pool_operations.append(
            PoolOperation(
                pool,
                after.operations,
                counts.pool_operations,
                OperationHistoryId(operation),
                _ID_OF[type(applied.op)],
                block.num,
                block.time,
                pack(after.figures),
            )
        )
        counts.pool_operations += 1


def _add_events(block: BlockHistory, counts: HistoryCounts) -> None:
    fills = _fills_of_called(block)
    for event in block.told:
        kind = _kind_of(event)
        instance = counts.events[kind]
        record = _record_of(block, event, instance, fills)
        counts.events[kind] = instance + 1
        block.events.setdefault(kind, []).append(record)


_CalledFills = Iterator[tuple[FillOrder, int, FillOrder]]


def _fills_of_called(block: BlockHistory) -> _CalledFills:
    """Fills of positions, their operations and the fills after them, in their order."""
    last: tuple[FillOrder, int] | None = None
    for operation, applied in enumerate(block.operations, block.first_operation):
        op = applied.op
        if type(op) is not FillOrder:
            continue
        if last is not None:
            yield (*last, op)
        last = (op, operation) if op.order_id.type == POSITION_TYPE else None


def _fill_of(event: MarginCallEvent, fills: _CalledFills) -> int:
    """The operation of the position's side of a margin call; events are in the order of fills."""
    cls, instance = (
        (ForceSettlementId, event.request) if event.bid is None else (LimitOrderId, event.bid)
    )
    assert instance is not None, event
    other = object_id(cls, instance)
    return next(
        operation
        for op, operation, after in fills
        if op.order_id.instance == event.position and after.order_id == other
    )


def _add_bids(block: BlockHistory, operations: list[int], counts: HistoryCounts) -> None:
    """Number the bids that were made; an operation without debt takes one back (R6.5)."""
    for operation in operations:
        op = block.operations[operation - block.first_operation].op
        assert isinstance(op, BidCollateral), op
        if op.debt_covered.amount:
            instance = counts.events[BIDS]
            record = BidRecord(instance, op.bidder, OperationHistoryId(operation), block.num)
            block.events.setdefault(BIDS, []).append(record)
            counts.events[BIDS] = instance + 1


def _kind_of(event: ChainEvent) -> EventKind:
    if isinstance(event, MedianFeedEvent):
        return FEEDS
    return MARGIN_CALLS if isinstance(event, MarginCallEvent) else ASSET_EVENTS


def _record_of(
    block: BlockHistory,
    event: ChainEvent,
    instance: int,
    fills: _CalledFills,
) -> EventRecord:
    match event:
        case MedianFeedEvent():
            return FeedRecord(instance, block.num, block.time, event)
        case MarginCallEvent():
            fill = OperationHistoryId(_fill_of(event, fills))
            return MarginCallRecord(instance, fill, block.num, block.time, event)
        case GloballySettledEvent(asset, price, fund):
            return _turn(block, instance, asset, "global_settlement", price, fund)
        case IndividuallySettledEvent(asset, fund=fund):
            return _turn(block, instance, asset, "individual_settlement", fund=fund)
        case RevivedEvent(asset, by_bids):
            return _turn(block, instance, asset, "revival", by_bids=by_bids)
        case FeedExpiredEvent(asset):
            return _turn(block, instance, asset, "feed_expired")
        case MarketRunAbandonedEvent(asset):
            return _turn(block, instance, asset, "margin_calls_abandoned")
        case _:
            assert_never(event)


def _turn(
    block: BlockHistory,
    instance: int,
    asset: AssetId,
    event: str,
    price: Price = NULL_PRICE,
    fund: int = 0,
    *,
    by_bids: bool = False,
) -> AssetEventRecord:
    return AssetEventRecord(instance, asset, block.num, block.time, event, price, fund, by_bids)
