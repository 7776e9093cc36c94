"""API `history`: operations of accounts, fills and buckets of markets."""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import (
    TIME,
    AssetArg,
    BlockNum,
    HistoryId,
    Text,
    Time,
    at_most,
    find_account,
    integer,
    list_of,
)
from node.api.call import Answer, Call
from node.api.views import view_bucket, view_fill, view_operation_record
from node.history.figures import market_of
from node.history.records import BUCKET_SECONDS, NEWEST, OperationRecord
from protocol.json_form import JsonValue
from protocol.operations import ENTRY_OF

HistoryLimit = Annotated[int, at_most(100)]
BUCKETS_MAX = 200
"""Most buckets of one answer."""
Seconds = Annotated[int, integer(1, (1 << 32) - 1)]
Position = Annotated[int, integer(0, (1 << 63) - 1)]
Skip = Annotated[int, integer(0, (1 << 32) - 1)]
OperationType = Annotated[int, integer(0, (1 << 16) - 1)]
OptionalTime = Annotated[int | None, TIME]
TransactionPlace = Annotated[int | None, integer(0, (1 << 16) - 1)]
OperationTypes = Annotated[list[int], list_of(integer(0, (1 << 16) - 1), 100)]


def get_account_history(
    call: Call,
    account: Text,
    stop: HistoryId = 0,
    limit: HistoryLimit = 100,
    start: HistoryId = 0,
) -> Answer:
    """Operations of an account with ids above `stop` and up to `start`, newest first.

    Start 0 is the newest, stop 0 includes the very first; an unknown account has no history.
    """
    found = find_account(call.backend, account)
    if found is None:
        return []
    oldest = stop + 1 if stop else 0
    return _views(
        call,
        call.backend.history.operations_of(
            found.id, newest=start or NEWEST, oldest=oldest, limit=limit
        ),
    )


def get_relative_account_history(
    call: Call,
    account: Text,
    stop: Position = 0,
    limit: HistoryLimit = 100,
    start: Position = 0,
) -> Answer:
    """Operations of an account by their number in its history, from 1, newest first.

    An unknown account has no history.
    """
    return _views(call, _numbered(call, account, stop, limit, start))


def get_account_history_by_time(
    call: Call, account: Text, limit: HistoryLimit = 100, start: OptionalTime = None
) -> Answer:
    """Operations of an account in blocks up to a time, inclusive, newest first."""
    found = find_account(call.backend, account)
    if found is None:
        return []
    history = call.backend.history
    newest = NEWEST if start is None else history.operations_until(start) - 1
    return _views(call, history.operations_of(found.id, newest=newest, oldest=0, limit=limit))


def get_account_history_operations(
    call: Call,
    account: Text,
    operation_type: OperationType,
    start: HistoryId,
    stop: HistoryId,
    limit: HistoryLimit,
) -> Answer:
    """Operations of one type of an account, with ids up to `start` and above `stop`, newest first.

    Start 0 is the newest, stop 0 includes the very first; an unknown account has no history.
    """
    found = find_account(call.backend, account)
    if found is None:
        return []
    records = call.backend.history.typed_operations_of(
        found.id,
        operation_type,
        newest=start or NEWEST,
        oldest=stop + 1 if stop else 0,
        limit=limit,
    )
    return _views(call, records)


def get_account_history_by_operations(
    call: Call,
    account: Text,
    operation_types: OperationTypes,
    start: Skip,
    limit: HistoryLimit,
) -> Answer:
    """Of the `limit` operations of an account from number `start` on, those of some types.

    No types stand for all; `total_count` is how many were looked at.
    """
    records = _numbered(call, account, start, limit, start + limit - 1) if limit else []
    wanted = [
        record
        for record in records
        if not operation_types or ENTRY_OF[type(record.op)].id in operation_types
    ]
    return {"total_count": len(records), "operation_history_objs": _views(call, wanted)}


def get_block_operation_history(
    call: Call, block_num: BlockNum, trx_in_block: TransactionPlace = None
) -> Answer:
    """Operations of a block, or of one of its transactions, virtual ones included, in order."""
    records = call.backend.history.operations_in(block_num)
    if trx_in_block is not None:
        records = [record for record in records if record.trx_in_block == trx_in_block]
    return _views(call, records)


def get_block_operations_by_time(call: Call, start: OptionalTime = None) -> Answer:
    """Operations of the newest block up to a time, inclusive, that has any; the last one first."""
    history = call.backend.history
    count = history.operations_until(NEWEST if start is None else start)
    newest = history.operation(count - 1) if count else None
    if newest is None:
        return []
    return _views(call, history.operations_in(newest.block_num)[::-1])


def get_fill_order_history(call: Call, a: AssetArg, b: AssetArg, limit: HistoryLimit) -> Answer:
    """Sides of the trades of a market, newest first."""
    market = market_of(a.id, b.id)
    fills = call.backend.history.fills_of(market, newest=NEWEST, limit=limit)
    return [view_fill(call.backend, fill) for fill in fills]


def get_market_history_buckets(call: Call) -> Answer:
    """The widths of the buckets that are kept, in seconds."""
    return list(BUCKET_SECONDS)


def get_market_history(
    call: Call, a: AssetArg, b: AssetArg, bucket_seconds: Seconds, start: Time, end: Time
) -> Answer:
    """Buckets that open within two times, oldest first; none of a width that is not kept."""
    if bucket_seconds not in BUCKET_SECONDS:
        return []
    buckets = call.backend.history.buckets_of(
        market_of(a.id, b.id), bucket_seconds, start=start, end=end, limit=BUCKETS_MAX
    )
    return [view_bucket(bucket) for bucket in buckets]


def _numbered(
    call: Call, name_or_id: str, stop: int, limit: int, start: int
) -> list[OperationRecord]:
    history, account = call.backend.history, find_account(call.backend, name_or_id)
    if account is None:
        return []
    total = history.operation_count(account.id)
    newest = min(start or total, total)
    return history.numbered_operations_of(account.id, newest=newest, oldest=stop, limit=limit)


def _views(call: Call, records: list[OperationRecord]) -> list[JsonValue]:
    return [view_operation_record(call.backend, record) for record in records]


METHODS = (
    get_account_history,
    get_account_history_by_time,
    get_account_history_operations,
    get_relative_account_history,
    get_account_history_by_operations,
    get_block_operation_history,
    get_block_operations_by_time,
    get_fill_order_history,
    get_market_history_buckets,
    get_market_history,
)
