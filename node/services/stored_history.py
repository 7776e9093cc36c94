"""The history of a node: irreversible blocks on disk, the newer ones in memory.

Blocks that may still be taken back never reach the disk. A read looks at the store up to one
block, and at memory above it, so that nothing is missing or seen twice while a write goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from node.api.block_history import BlockHistory, HistoryCounts, HistoryTrace, MarketCounts
from node.api.history import (
    NEWEST,
    AssetEventRecord,
    Bucket,
    DaySummary,
    FeedRecord,
    FillRecord,
    MarginCallRecord,
    Market,
    OperationRecord,
)
from node.api.market_history import DaySums, extend_buckets, sum_last_day
from node.api.memory_history import MemoryHistory
from node.services import history_form as form
from node.storage.errors import StoreDamaged
from node.storage.history_rows import HistoryRows
from node.storage.history_store import HistoryStore
from node.storage.history_view import HistoryView
from protocol.asset import Price
from protocol.constants import SECONDS_PER_DAY
from protocol.ids import AccountId, AssetId, CallOrderId
from protocol.schema import BlockId

ROWS_A_WRITE = 20_000
"""A write ends after the block with which it reaches so many rows."""


class MainChain(Protocol):
    """What is needed of the block store."""

    def id_at(self, num: int) -> BlockId | None: ...


class InBlock(Protocol):
    """A record of one block."""

    @property
    def block_num(self) -> int: ...


R = TypeVar("R", bound=InBlock)


class StoredHistory:
    """A `HistoryReader`, and a keeper of what blocks add to it.

    The owner tells of blocks that become the head or are taken back, has `write` done off the
    main thread with what `writable` gives, and calls `written` then.
    """

    def __init__(self, store: HistoryStore, chain: MainChain) -> None:
        """Go on where the store ends; begin anew if that is damaged, or not on the main chain."""
        self.store = store
        self._stored_num = 0
        try:
            counts = self._counts(chain)
        except StoreDamaged:
            store.clear()
            counts = HistoryCounts()
        self.recent = MemoryHistory(counts)

    def _counts(self, chain: MainChain) -> HistoryCounts:
        with self.store.view() as view:
            head = view.head
            if head is None:
                return HistoryCounts()
            if chain.id_at(head.num) != head.id:
                raise StoreDamaged("a history of other blocks", value=head.num)
            counts = HistoryCounts(
                head.operations,
                head.fills,
                head.feeds,
                head.margin_calls,
                head.asset_events,
                {AccountId(account): total for account, total in view.account_totals()},
                {
                    (AssetId(row.base), AssetId(row.quote)): MarketCounts(row.number, row.fills)
                    for row in view.markets()
                },
            )
        self._stored_num = head.num
        return counts

    @property
    def stored_num(self) -> int:
        """Number of the newest block on disk, as far as the main thread knows."""
        return self._stored_num

    # Following the chain.

    def apply_block(self, trace: HistoryTrace) -> None:
        """Take in a block that became the head; one that is here already, when a node restarts,
        changes nothing."""
        blocks = self.recent.blocks
        newest = blocks[-1].num if blocks else self._stored_num
        if trace.envelope.num > newest:
            assert trace.envelope.num == newest + 1, "a history without gaps"
            self.recent.apply_block(trace)

    def revert_block(self) -> None:
        """Take the newest block back, which is not irreversible."""
        self.recent.revert_block()

    def writable(self, irreversible_num: int) -> list[BlockHistory]:
        """The oldest blocks that may be written, up to a number; as many as one write takes."""
        found: list[BlockHistory] = []
        rows = 0
        for block in self.recent.blocks:
            if block.num > irreversible_num or rows >= ROWS_A_WRITE:
                break
            found.append(block)
            rows += 1 + len(block.operations) + len(block.entries)
        return found

    def write(self, blocks: Sequence[BlockHistory]) -> None:
        """Put blocks on disk; for any thread, one at a time. Raises `StorageError`."""
        rows = HistoryRows()
        fills = [fill for block in blocks for fill in block.fills]
        by_market = self.recent.counts.by_market
        numbers = {fill.market: by_market[fill.market].number for fill in fills}
        for block in blocks:
            form.add_rows(rows, block, numbers)
        minutes = form.minutes_of(fills)
        before = self.store.buckets_before(form.bucket_keys(minutes))
        rows.buckets = form.bucket_rows(before, minutes)
        self.store.write(rows)

    def written(self, blocks: Sequence[BlockHistory]) -> None:
        """Forget blocks that are on disk now."""
        self._stored_num = blocks[-1].num
        self.recent.forget(self._stored_num)

    def write_all(self, irreversible_num: int) -> None:
        """Write all that may be written, at once: for a start, before anything else runs."""
        while blocks := self.writable(irreversible_num):
            self.write(blocks)
            self.written(blocks)

    def close(self) -> None:
        """Give up the file."""
        self.store.close()

    # Reading.

    def operation(self, instance: int) -> OperationRecord | None:
        """See `HistoryReader.operation`."""
        found = self.recent.operation(instance)
        if found is not None:
            return found
        with self.store.view() as view:
            rows = view.operations(instance, instance)
        return form.operation_of(rows[0]) if rows else None

    def operations_of(
        self, account: AccountId, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """See `HistoryReader.operations_of`."""
        recent = self.recent.operations_of(account, newest=newest, oldest=oldest, limit=limit)
        with self._joined(recent, limit) as (view, found):
            total = view.account_total(account)
            top = view.account_number(account, newest, total)
            bottom = view.account_number(account, oldest - 1, total) + 1
            rows = view.account_operations(account, top, bottom, limit - len(found))
            return found + [form.operation_of(row) for row in rows]

    def numbered_operations_of(
        self, account: AccountId, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """See `HistoryReader.numbered_operations_of`."""
        recent = self.recent.numbered_operations_of(
            account, newest=newest, oldest=oldest, limit=limit
        )
        with self._joined(recent, limit) as (view, found):
            rows = view.account_operations(account, newest, oldest, limit - len(found))
            return found + [form.operation_of(row) for row in rows]

    def operation_count(self, account: AccountId) -> int:
        """See `HistoryReader.operation_count`."""
        return self.recent.operation_count(account)

    def newest_operation(self, account: AccountId) -> int | None:
        """See `HistoryReader.newest_operation`."""
        newest = self.recent.newest_operation(account)
        total = self.operation_count(account)
        if newest is not None or not total:
            return newest
        with self.store.view() as view:
            return view.account_operation(account, total)

    def operations_in(self, block_num: int) -> list[OperationRecord]:
        """See `HistoryReader.operations_in`."""
        if self.recent.block(block_num) is not None:
            return self.recent.operations_in(block_num)
        with self.store.view() as view:
            block, before = view.block(block_num), view.block(block_num - 1)
            if block is None:
                return []
            first = 0 if before is None else before.operations
            return [form.operation_of(row) for row in view.operations(first, block.operations - 1)]

    def fills_of(self, market: Market, *, newest: int, limit: int) -> list[FillRecord]:
        """See `HistoryReader.fills_of`."""
        recent = self.recent.fills_of(market, newest=newest, limit=limit)
        with self._joined(recent, limit) as (view, found):
            rows = view.fills(*market, newest, limit - len(found))
            return found + [form.fill_of(row) for row in rows]

    def fills_until(self, market: Market, time: int) -> int:
        """See `HistoryReader.fills_until`."""
        found = self.recent.fills_until(market, time)
        if found:
            return found
        with self.store.view() as view:
            return view.fills_until(*market, time)

    def buckets_of(
        self, market: Market, seconds: int, *, start: int, end: int, limit: int
    ) -> list[Bucket]:
        """See `HistoryReader.buckets_of`."""
        with self.store.view() as view:
            rows = view.buckets(*market, seconds, start, end, limit)
            newer = self.recent.fills_above(market, view.head_num)
        buckets = [form.bucket_of(row) for row in rows]
        return extend_buckets(buckets, newer, seconds, start=start, end=end, limit=limit)

    def last_day(self, market: Market, now: int) -> DaySummary | None:
        """See `HistoryReader.last_day`."""
        known = self.recent.counts.by_market.get(market)
        if known is None:
            return None
        with self.store.view() as view:
            newer = self.recent.fills_above(market, view.head_num)
            sums = sum_last_day(reversed(newer), market, now)
            if sums.day_ago is None:
                _add_stored_day(sums, view, market, now - SECONDS_PER_DAY)
        return sums.summary(known.number)

    def feeds_of(self, asset: AssetId, *, newest: int, limit: int) -> list[FeedRecord]:
        """See `HistoryReader.feeds_of`."""
        recent = self.recent.feeds_of(asset, newest=newest, limit=limit)
        with self._joined(recent, limit) as (view, found):
            rows = view.feeds(asset, newest, limit - len(found))
            return found + [form.feed_of(row) for row in rows]

    def margin_calls_of(
        self,
        *,
        asset: AssetId | None = None,
        account: AccountId | None = None,
        position: CallOrderId | None = None,
        newest: int,
        limit: int,
    ) -> list[MarginCallRecord]:
        """See `HistoryReader.margin_calls_of`; by exactly one of the three."""
        given = [
            (column, value)
            for column, value in (("asset", asset), ("account", account), ("position", position))
            if value is not None
        ]
        ((column, value),) = given
        recent = self.recent.margin_calls_of(
            asset=asset, account=account, position=position, newest=newest, limit=limit
        )
        with self._joined(recent, limit) as (view, found):
            rows = view.margin_calls(column, value, newest, limit - len(found))
            return found + [form.margin_call_of(row) for row in rows]

    def margin_call_at(self, operation: int) -> MarginCallRecord | None:
        """See `HistoryReader.margin_call_at`."""
        found = self.recent.margin_call_at(operation)
        if found is not None:
            return found
        with self.store.view() as view:
            rows = view.margin_calls("operation", operation, NEWEST, 1)
        return form.margin_call_of(rows[0]) if rows else None

    def asset_events_of(self, asset: AssetId, *, newest: int, limit: int) -> list[AssetEventRecord]:
        """See `HistoryReader.asset_events_of`."""
        recent = self.recent.asset_events_of(asset, newest=newest, limit=limit)
        with self._joined(recent, limit) as (view, found):
            rows = view.asset_events(asset, newest, limit - len(found))
            return found + [form.asset_event_of(row) for row in rows]

    @contextmanager
    def _joined(self, recent: list[R], limit: int) -> Iterator[tuple[HistoryView, list[R]]]:
        """The store, and of the newest records those that it does not have."""
        with self.store.view() as view:
            yield view, [record for record in recent if record.block_num > view.head_num]


def _add_stored_day(sums: DaySums, view: HistoryView, market: Market, day_ago: int) -> None:
    """Add what the store knows of the last 24 hours; each trade has a maker's side."""
    count = view.fill_count(*market)
    if sums.latest is None:
        sums.latest = _maker_price(view, market, count)
    sums.add_volumes(*view.volumes(*market, day_ago))
    older = view.fills_until(*market, day_ago)
    if older:
        sums.day_ago = _maker_price(view, market, older)


def _maker_price(view: HistoryView, market: Market, below: int) -> Price | None:
    """The price of the newest trade below a sequence: its sides stand side by side."""
    rows = view.fills(*market, below - 1, 2)
    prices = (form.fill_price(found.row) for found in rows if found.row.is_maker)
    return next(prices, None)
