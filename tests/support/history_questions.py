"""Everything that a history can be asked, of two of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from node.history.pools import statistics_of
from node.history.reader import HistoryReader
from node.history.records import (
    ASSET_EVENTS,
    BIDS,
    BUCKET_SECONDS,
    FEEDS,
    MARGIN_CALLS,
    NEWEST,
    STEPS,
    subject_of,
)
from protocol.ids import LimitOrderId, object_id
from protocol.operations import ENTRY_OF
from protocol.operations.limit_order import FillOrder
from protocol.operations.liquidity_pool import LiquidityPoolExchange
from protocol.operations.transfer import Transfer
from tests.support.history import ACCOUNTS, BITASSETS, MARKETS, POOLS, POSITIONS
from tests.support.world import GENESIS_TIME

TRANSFER, FILL = ENTRY_OF[Transfer].id, ENTRY_OF[FillOrder].id


def compare(stored: HistoryReader, twin: HistoryReader, random: Random) -> None:
    """Ask both everything, with random bounds."""
    bounds = Bounds(
        newest=random.choice((NEWEST, random.randrange(300))),
        oldest=random.choice((0, random.randrange(100))),
        limit=random.choice((0, 1, 3, 10, 1_000)),
        now=GENESIS_TIME + random.choice((0, 100, 1_000, 86_400, 87_000)) + random.randrange(60),
        num=random.randrange(250),
    )
    for answer, expected in zip(answers(stored, bounds), answers(twin, bounds), strict=True):
        assert answer == expected, bounds


class Bounds(NamedTuple):
    """What is asked for."""

    newest: int
    oldest: int
    limit: int
    now: int
    num: int


def answers(history: HistoryReader, bounds: Bounds) -> Iterator[object]:
    """Every method's answer."""
    newest, oldest, limit, now, num = bounds
    yield history.operation(num), history.operations_in(num)
    yield history.entry(num), history.fill(num), history.markets()
    yield history.operations_until(now), history.operations_until(GENESIS_TIME + num)
    yield history.events_of(MARGIN_CALLS, "operation", num, newest=NEWEST, limit=limit)
    for account in ACCOUNTS:
        yield history.operation_count(account), history.newest_entry(account)
        yield history.operations_of(account, newest=newest, oldest=oldest, limit=limit)
        yield history.numbered_operations_of(account, newest=newest, oldest=oldest, limit=limit)
        yield history.entry_id(account, num)
        for type_ in (TRANSFER, FILL):
            yield history.typed_operations_of(
                account, type_, newest=newest, oldest=oldest, limit=limit
            )
        yield history.events_of(MARGIN_CALLS, "account", account, newest=newest, limit=limit)
        yield history.events_of(BIDS, "account", account, newest=newest, limit=limit)
    for market in MARKETS:
        yield history.fills_of(market, newest=newest, limit=limit)
        yield history.fills_until(market, now), history.last_day(market, now)
        for seconds in BUCKET_SECONDS:
            yield history.buckets_of(market, seconds, start=GENESIS_TIME, end=now, limit=limit)
    for asset in BITASSETS:
        yield history.events_of(FEEDS, "asset_id", asset, newest=newest, limit=limit)
        column = "debt_before_asset_id"
        yield history.events_of(MARGIN_CALLS, column, asset, newest=newest, limit=limit)
        yield history.events_of(ASSET_EVENTS, "asset_id", asset, newest=newest, limit=limit)
        yield history.events_from(FEEDS, "asset_id", asset, oldest=oldest, limit=limit)
        yield history.events_from(MARGIN_CALLS, column, asset, oldest=oldest, limit=limit)
    yield history.pool_operation(num)
    for pool in POOLS:
        yield history.pool_operations_until(pool, now), statistics_of(history, pool, now)
        for kind in (None, ENTRY_OF[LiquidityPoolExchange].id):
            yield history.pool_operations_of(pool, kind, newest=newest, oldest=oldest, limit=limit)
    yield history.events_from(BIDS, "instance", num, oldest=num, limit=limit)
    for number in range(0, 99, 11):
        subject = subject_of(object_id(LimitOrderId, number))
        yield history.events_of(STEPS, "subject", subject, newest=newest, limit=limit)
        yield history.events_from(STEPS, "subject", subject, oldest=oldest, limit=limit)
    for position in POSITIONS:
        yield history.events_of(MARGIN_CALLS, "position", position, newest=newest, limit=limit)
