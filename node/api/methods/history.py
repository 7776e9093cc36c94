"""API `history`: operations of accounts, fills and buckets of markets."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from node.api.arguments import (
    AccountArg,
    AssetArg,
    BlockNum,
    HistoryId,
    Text,
    Time,
    at_most,
    find_account,
    integer,
)
from node.api.call import Answer, Call
from node.api.errors import InvalidParams
from node.api.history import BUCKET_SECONDS, market_of
from node.api.views import view_bucket, view_fill, view_operation_record
from protocol.json_form import JsonValue

HistoryLimit = Annotated[int, at_most(100)]
BUCKETS_MAX = 200
"""Most buckets of one answer."""
Seconds = Annotated[int, integer(1, (1 << 32) - 1)]
Position = Annotated[int, integer(0, (1 << 63) - 1)]


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
    newest = start or (1 << 63)
    records = (
        record
        for record in call.backend.history.operations_of(found.id)
        if record.instance <= newest and (record.instance > stop or stop == 0)
    )
    return [view_operation_record(call.backend, record) for record in islice(records, limit)]


def get_relative_account_history(
    call: Call,
    account: AccountArg,
    stop: Position = 0,
    limit: HistoryLimit = 100,
    start: Position = 0,
) -> Answer:
    """Operations of an account by their number in its history, from 1, newest first."""
    total = call.backend.history.operation_count(account.id)
    newest = min(start or total, total)
    answer: list[JsonValue] = []
    for place, record in enumerate(call.backend.history.operations_of(account.id)):
        number = total - place
        if number < stop or len(answer) >= limit:
            break
        if number <= newest:
            answer.append(view_operation_record(call.backend, record))
    return answer


def get_block_operation_history(call: Call, block_num: BlockNum) -> Answer:
    """Operations of a block, virtual ones included, in order; empty when it is not kept."""
    records = call.backend.history.operations_in(block_num)
    return [view_operation_record(call.backend, record) for record in records]


def get_fill_order_history(call: Call, a: AssetArg, b: AssetArg, limit: HistoryLimit) -> Answer:
    """Sides of the trades of a market, newest first."""
    fills = call.backend.history.fills_of(market_of(a.id, b.id))
    return [view_fill(call.backend, fill) for fill in islice(fills, limit)]


def get_market_history_buckets(call: Call) -> Answer:
    """The widths of the buckets that are kept, in seconds."""
    return list(BUCKET_SECONDS)


def get_market_history(
    call: Call, a: AssetArg, b: AssetArg, bucket_seconds: Seconds, start: Time, end: Time
) -> Answer:
    """Buckets that open within two times, oldest first."""
    if bucket_seconds not in BUCKET_SECONDS:
        raise InvalidParams(
            "no buckets of this width", value=bucket_seconds, limit=str(BUCKET_SECONDS)
        )
    buckets = (
        bucket
        for bucket in call.backend.history.buckets_of(market_of(a.id, b.id), bucket_seconds)
        if start <= bucket.open_time <= end
    )
    return [view_bucket(bucket) for bucket in islice(buckets, BUCKETS_MAX)]


METHODS = (
    get_account_history,
    get_relative_account_history,
    get_block_operation_history,
    get_fill_order_history,
    get_market_history_buckets,
    get_market_history,
)
