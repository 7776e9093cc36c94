"""Database API: any object by its id."""

from __future__ import annotations

from collections.abc import Callable

from node.api.arguments import Boolean, ObjectIds
from node.api.call import Answer, Call, Listing
from node.api.methods.storage import view_item
from node.api.pool_views import view_pool_operation, view_pool_statistics
from node.api.views import (
    view_account_operation,
    view_bucket,
    view_day,
    view_fill,
    view_operation_record,
)
from node.history.figures import bucket_width, first_fill
from protocol.ids import (
    ID_TYPES,
    AccountHistoryId,
    AccountStorageId,
    BucketId,
    FillId,
    LiquidityPoolId,
    MarketTickerId,
    ObjectId,
    OperationHistoryId,
    PoolHistoryId,
    PoolStatisticsId,
)
from protocol.json_form import JsonValue


def get_objects(call: Call, ids: ObjectIds, subscribe: Boolean = True) -> Answer:
    """Objects in the order asked for, null for those that do not exist; reading subscribes."""
    if subscribe:
        call.session.subscriptions.note_objects(ids)
    return Listing(lambda: (_find(call, found) for found in ids))


def _find(call: Call, found: ObjectId) -> JsonValue:
    kind = (found.space, found.type)
    recorded = _RECORDED.get(kind)
    if recorded is not None:
        return recorded(call, found.instance)
    table = call.state.table_of_type.get(kind)
    item = None if table is None else table.find(found.instance)
    return None if item is None else call.view(item)


def _operation(call: Call, instance: int) -> JsonValue:
    record = call.backend.history.operation(instance)
    return None if record is None else view_operation_record(call.backend, record)


def _account_operation(call: Call, instance: int) -> JsonValue:
    entry = call.backend.history.entry(instance)
    return None if entry is None else view_account_operation(call.backend, entry)


def _fill(call: Call, instance: int) -> JsonValue:
    fill = call.backend.history.fill(instance)
    return None if fill is None else view_fill(call.backend, fill)


def _bucket(call: Call, instance: int) -> JsonValue:
    fill = call.backend.history.fill(first_fill(instance))
    if fill is None:
        return None
    seconds = bucket_width(instance)
    opens = fill.time - fill.time % seconds
    buckets = call.backend.history.buckets_of(fill.market, seconds, start=opens, end=opens, limit=1)
    return next((view_bucket(one) for one in buckets if one.instance == instance), None)


def _market(call: Call, instance: int) -> JsonValue:
    markets = call.backend.history.markets()
    if instance >= len(markets):
        return None
    market = markets[instance]
    day = call.backend.history.last_day(market, call.state.dynamic.time)
    return None if day is None else view_day(day, market)


def _stored(call: Call, instance: int) -> JsonValue:
    storage = call.backend.history.storage
    item = None if storage is None else storage.item(instance)
    return None if item is None else view_item(item)


def _pool_operation(call: Call, instance: int) -> JsonValue:
    entry = call.backend.history.pool_operation(instance)
    return None if entry is None else view_pool_operation(call.backend, entry)


def _pool_statistics(call: Call, instance: int) -> JsonValue:
    pool = LiquidityPoolId(instance)
    exists = call.state.liquidity_pools.find(pool) is not None
    return view_pool_statistics(call.backend, pool) if exists else None


_RECORDED: dict[tuple[int, int], Callable[[Call, int], JsonValue]] = {
    ID_TYPES[OperationHistoryId]: _operation,
    ID_TYPES[AccountHistoryId]: _account_operation,
    ID_TYPES[FillId]: _fill,
    ID_TYPES[BucketId]: _bucket,
    ID_TYPES[MarketTickerId]: _market,
    ID_TYPES[PoolHistoryId]: _pool_operation,
    ID_TYPES[PoolStatisticsId]: _pool_statistics,
    ID_TYPES[AccountStorageId]: _stored,
}
"""What the history keeps, by space and type."""

METHODS = (get_objects,)
