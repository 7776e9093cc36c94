"""Records of the history as rows of its store, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from node.api.block_history import BlockHistory
from node.api.history import (
    BUCKET_SECONDS,
    AssetEventRecord,
    Bucket,
    FeedRecord,
    FillRecord,
    MarginCallRecord,
    Market,
    OperationRecord,
    market_volumes,
)
from node.api.market_history import extend_bucket, join_bucket
from node.storage.errors import StoreDamaged
from node.storage.history_rows import (
    AssetEventRow,
    BlockRow,
    BucketRow,
    FeedRow,
    FillRow,
    HistoryRows,
    MarginCallRow,
    MarketRow,
    OperationRow,
    operation_checksum,
)
from node.storage.history_view import (
    FillAndOperation,
    TimedAssetEvent,
    TimedFeed,
    TimedMarginCall,
    TimedOperation,
)
from protocol.asset import NULL_PRICE, AssetAmount, Price
from protocol.binary import reader_for, writer_for
from protocol.ids import (
    AccountId,
    AssetId,
    CallOrderId,
    LimitOrderId,
    OperationHistoryId,
    operation_text,
)
from protocol.operations import ENTRY_OF, OperationResult
from protocol.operations.base import Operation, TaggedOperation
from protocol.operations.limit_order import FillOrder

BucketKey = tuple[int, int, int, int]
"""Base, quote, width in seconds, time at which it opens."""


def add_rows(rows: HistoryRows, block: BlockHistory, market_numbers: dict[Market, int]) -> None:
    """Add everything of a block but its buckets."""
    write_op, write_result = writer_for(TaggedOperation), writer_for(OperationResult)
    instance = block.first_operation
    for applied in block.operations:
        op_out, result_out = bytearray(), bytearray()
        write_op(op_out, applied.op)
        write_result(result_out, applied.result)
        data, result = bytes(op_out), bytes(result_out)
        rows.operations.append(
            OperationRow(
                instance,
                block.num,
                applied.trx_in_block,
                applied.op_in_trx,
                applied.virtual_op,
                applied.is_virtual,
                ENTRY_OF[type(applied.op)].id,
                data,
                result,
                operation_checksum(instance, data, result),
            )
        )
        instance += 1
    rows.accounts += block.entries
    for fill in block.fills:
        rows.fills.append(_fill_row(fill))
        number = market_numbers[fill.market]
        rows.markets[fill.market] = MarketRow(*fill.market, number, fill.sequence + 1)
    rows.feeds += [_feed_row(record) for record in block.feeds]
    rows.margin_calls += [_margin_call_row(record) for record in block.margin_calls]
    rows.asset_events += [_asset_event_row(record) for record in block.asset_events]
    rows.blocks.append(
        BlockRow(
            block.num,
            block.id,
            block.time,
            instance,
            block.next_fill,
            block.next_feed,
            block.next_margin_call,
            block.next_asset_event,
        )
    )


def minutes_of(fills: Sequence[FillRecord]) -> list[Bucket]:
    """The narrowest buckets of new fills alone; all others are made of these."""
    minutes: dict[tuple[Market, int], Bucket] = {}
    width = BUCKET_SECONDS[0]
    for fill in fills:
        if fill.op.is_maker:
            key = (fill.market, fill.time // width)
            minutes[key] = extend_bucket(minutes.get(key), fill, width)
    return list(minutes.values())


def bucket_keys(minutes: Sequence[Bucket]) -> list[BucketKey]:
    """The buckets of all widths that minutes belong to."""
    return list(
        dict.fromkeys(_key(minute, seconds) for minute in minutes for seconds in BUCKET_SECONDS)
    )


def bucket_rows(before: dict[BucketKey, BucketRow], minutes: Sequence[Bucket]) -> list[BucketRow]:
    """The buckets of all widths as they are after new minutes."""
    buckets: dict[BucketKey, Bucket] = {key: bucket_of(row) for key, row in before.items()}
    for minute in minutes:
        for seconds in BUCKET_SECONDS:
            key = _key(minute, seconds)
            buckets[key] = join_bucket(buckets.get(key), minute, seconds)
    return [_bucket_row(bucket) for bucket in buckets.values()]


def _key(minute: Bucket, seconds: int) -> BucketKey:
    return (*minute.market, seconds, minute.open_time - minute.open_time % seconds)


def operation_of(found: TimedOperation) -> OperationRecord:
    """The record of an operation's row; raises `StoreDamaged`."""
    row = found.row
    op = _operation(row)
    result, _ = reader_for(OperationResult)(row.result, 0, 0)
    return OperationRecord(
        row.id,
        op,
        cast(OperationResult, result),
        row.block_num,
        found.time,
        row.trx_in_block,
        row.op_in_trx,
        row.virtual_op,
        bool(row.is_virtual),
    )


def fill_of(found: FillAndOperation) -> FillRecord:
    """The record of one side of a trade; raises `StoreDamaged`."""
    row = found.row
    op = _operation(found.operation)
    if not isinstance(op, FillOrder):
        raise StoreDamaged("a stored fill is damaged", rule="T-S3", value=row.operation)
    return FillRecord(
        row.id,
        (AssetId(row.base), AssetId(row.quote)),
        row.sequence,
        row.block_num,
        row.time,
        row.operation,
        bool(row.is_second),
        op,
    )


def _operation(row: OperationRow) -> Operation:
    if operation_checksum(row.id, row.data, row.result) != row.checksum:
        raise StoreDamaged(
            "a stored operation is damaged",
            rule="T-S3",
            value=operation_text(OperationHistoryId(row.id)),
        )
    op, _ = reader_for(TaggedOperation)(row.data, 0, 0)
    return cast(Operation, op)


def fill_price(row: FillRow) -> Price:
    """The price of a fill, as `market[0] / market[1]`."""
    return _price(row.price_base, row.base, row.price_quote, row.quote)


def bucket_of(row: BucketRow) -> Bucket:
    """The record of a bucket."""
    return Bucket(
        row.id,
        (AssetId(row.base), AssetId(row.quote)),
        row.seconds,
        row.open_time,
        _price(row.open_base, row.base, row.open_quote, row.quote),
        _price(row.close_base, row.base, row.close_quote, row.quote),
        _price(row.high_base, row.base, row.high_quote, row.quote),
        _price(row.low_base, row.base, row.low_quote, row.quote),
        row.base_volume,
        row.quote_volume,
    )


def feed_of(found: TimedFeed) -> FeedRecord:
    """The record of a median."""
    row = found.row
    settlement = exchange = NULL_PRICE
    if row.settlement_base:
        settlement = _price(row.settlement_base, row.asset, row.settlement_quote, row.backing)
        exchange = _price(row.exchange_base, row.asset, row.exchange_quote, row.exchange_asset)
    return FeedRecord(
        row.id,
        AssetId(row.asset),
        row.block_num,
        found.time,
        settlement,
        exchange,
        row.maintenance_ratio,
        row.squeeze_ratio,
        row.initial_ratio,
        row.publication_time,
        row.feed_count,
    )


def margin_call_of(found: TimedMarginCall) -> MarginCallRecord:
    """The record of a margin call."""
    row = found.row
    return MarginCallRecord(
        row.id,
        row.operation,
        row.block_num,
        found.time,
        CallOrderId(row.position),
        AccountId(row.account),
        AssetAmount(row.debt, AssetId(row.asset)),
        AssetAmount(row.collateral, AssetId(row.backing)),
        _price(row.settlement_base, row.asset, row.settlement_quote, row.backing),
        row.maintenance_ratio,
        _price(row.order_base, row.asset, row.order_quote, row.backing),
        LimitOrderId(row.bid),
        AccountId(row.bidder),
        _price(row.bid_base, row.asset, row.bid_quote, row.backing),
        row.covered,
        row.paid,
        row.fee,
    )


def asset_event_of(found: TimedAssetEvent) -> AssetEventRecord:
    """The record of a turn of a BitAsset."""
    row = found.row
    price = NULL_PRICE
    if row.price_base:
        price = _price(row.price_base, row.asset, row.price_quote, row.backing)
    return AssetEventRecord(
        row.id, AssetId(row.asset), row.block_num, found.time, row.kind, price, row.fund
    )


def _price(base: int, base_asset: int, quote: int, quote_asset: int) -> Price:
    return Price(AssetAmount(base, AssetId(base_asset)), AssetAmount(quote, AssetId(quote_asset)))


def _fill_row(fill: FillRecord) -> FillRow:
    base, quote = fill.op.fill_price.base, fill.op.fill_price.quote
    if base.asset_id != fill.market[0]:
        base, quote = quote, base
    return FillRow(
        *fill.market,
        fill.sequence,
        fill.instance,
        fill.block_num,
        fill.time,
        fill.operation,
        fill.op.is_maker,
        fill.is_second,
        base.amount,
        quote.amount,
        *market_volumes(fill.op, fill.market),
    )


def _bucket_row(bucket: Bucket) -> BucketRow:
    return BucketRow(
        *bucket.market,
        bucket.seconds,
        bucket.open_time,
        bucket.instance,
        bucket.opening.base.amount,
        bucket.opening.quote.amount,
        bucket.close.base.amount,
        bucket.close.quote.amount,
        bucket.high.base.amount,
        bucket.high.quote.amount,
        bucket.low.base.amount,
        bucket.low.quote.amount,
        bucket.base_volume,
        bucket.quote_volume,
    )


def _feed_row(record: FeedRecord) -> FeedRow:
    settlement, exchange = record.settlement_price, record.core_exchange_rate
    return FeedRow(
        record.instance,
        record.asset,
        record.block_num,
        settlement.quote.asset_id,
        settlement.base.amount,
        settlement.quote.amount,
        exchange.base.amount,
        exchange.quote.amount,
        exchange.quote.asset_id,
        record.maintenance_collateral_ratio,
        record.maximum_short_squeeze_ratio,
        record.initial_collateral_ratio,
        record.publication_time,
        record.feed_count,
    )


def _margin_call_row(record: MarginCallRecord) -> MarginCallRow:
    return MarginCallRow(
        record.instance,
        record.operation,
        record.block_num,
        record.position,
        record.account,
        record.debt.asset_id,
        record.collateral.asset_id,
        record.debt.amount,
        record.collateral.amount,
        record.settlement_price.base.amount,
        record.settlement_price.quote.amount,
        record.maintenance_collateral_ratio,
        record.order_price.base.amount,
        record.order_price.quote.amount,
        record.bid,
        record.bidder,
        record.bid_price.base.amount,
        record.bid_price.quote.amount,
        record.covered,
        record.paid,
        record.fee,
    )


def _asset_event_row(record: AssetEventRecord) -> AssetEventRow:
    price = record.settlement_price
    return AssetEventRow(
        record.instance,
        record.asset,
        record.block_num,
        record.kind,
        price.quote.asset_id,
        price.base.amount,
        price.quote.amount,
        record.settlement_fund,
    )
