"""The history of a node: irreversible blocks in a database, the newer ones in memory.

Blocks that may still be taken back never reach the database. A read looks at the store up to one
block, and at memory above it, so that nothing is missing or seen twice while a write goes on.

Nodes that share a history write the same rows, for ids and numbers follow from the chain alone:
whoever comes first writes a block, and the others find it there. A node that is behind the others
answers from what they have written.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Protocol, TypeVar

from node.history.account_storage import AccountStorage
from node.history.block import BlockHistory, HistoryCounts, HistoryTrace, MarketCounts, PoolCounts
from node.history.database.store import HistoryStore
from node.history.database.view import HistoryView
from node.history.figures import DaySums, extend_buckets, market_price, sum_last_day
from node.history.kind import Kind
from node.history.memory import MemoryHistory
from node.history.reader import E
from node.history.records import (
    COUNTED_KINDS,
    AccountOperation,
    AccountTotal,
    Bucket,
    DaySummary,
    FillRecord,
    Market,
    OperationRecord,
    PoolFigures,
    PoolOperation,
)
from node.storage.errors import StorageError, StoreDamaged, WrongChain
from protocol.asset import Price
from protocol.binary import unpack
from protocol.constants import SECONDS_PER_DAY
from protocol.ids import AccountId, LiquidityPoolId
from protocol.operations import ENTRY_OF
from protocol.operations.custom import Custom
from protocol.schema import BlockId

SIZE_OF_A_WRITE = 40_000
"""A write ends after the block with which it reaches so many operations and blocks."""


class MainChain(Protocol):
    """What is needed of the block store."""

    def id_at(self, num: int) -> BlockId | None: ...

    def irreversible_num(self) -> int: ...


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

    def __init__(
        self,
        store: HistoryStore,
        chain: MainChain,
        *,
        custom_operations: bool = True,
        custom_operations_start_block: int = 1,
        begins_after: int = 0,
    ) -> None:
        """Go on where the store ends, or where it leaves the main chain; begin anew if that is
        damaged, or nowhere on it.

        The first block of the chain is the one after `begins_after`: 0 but for a forked chain.

        With `custom_operations`, what accounts store from a block on is derived (Y3.1). A shared
        store is neither cut nor begun anew: `StoreDamaged` or `WrongChain`.
        """
        self.store = store
        self._has_storage = custom_operations
        self._storage_begins = custom_operations_start_block
        self._begins_after = self._stored_num = begins_after
        self._totals: dict[AccountId, AccountTotal] = {}
        """Of each account the newest stored entry. Notices of blocks tell it: they must not wait
        for a server."""
        self._written: dict[AccountId, AccountTotal] = {}
        """The same of the blocks of the newest write."""
        try:
            self._cut_to(chain)
            self.recent = self._begin()
        except StorageError as error:
            if store.is_shared or not isinstance(error, StoreDamaged):
                store.close()
                raise
            store.clear(error)
            self.recent = self._begin()

    def _cut_to(self, chain: MainChain) -> None:
        """Let nothing in the store be of other blocks than the main chain's."""
        with self.store.view() as view:
            if view.head is None:
                return
            if self.store.is_shared:
                self._check_shared(view, chain)
                return

            def is_gone(num: int) -> bool:
                known = view.block(num)
                return known is None or chain.id_at(num) != known.id

            first, head_num = self._begins_after + 1, view.head_num
            common = first - 1 + bisect_left(range(first, head_num + 1), True, key=is_gone)
        if common < first:
            raise StoreDamaged("a history of other blocks", value=head_num)
        self.store.cut(common)

    def _begin(self) -> MemoryHistory:
        """What is to be known beside the store, which holds the main chain's blocks alone."""
        storage = AccountStorage(self._storage_begins) if self._has_storage else None
        return MemoryHistory(self._counts(storage), storage, Lock())

    def _counts(self, storage: AccountStorage | None) -> HistoryCounts:
        self._stored_num, self._totals = self._begins_after, {}
        with self.store.view() as view:
            head = view.head
            if head is None:
                return HistoryCounts()
            totals = view.account_totals()
            if storage is not None:
                custom = view.operations_of_type(ENTRY_OF[Custom].id)
                kept = (one.op for one in custom if one.block_num >= storage.first_block)
                storage.apply_block(head.num, kept)
                storage.forget(head.num)
            counts = HistoryCounts(
                head.operations,
                head.entries,
                head.fills,
                {kind: view.event_count(kind) for kind in COUNTED_KINDS},
                {total.account: total.operations for total in totals},
                {row.market: MarketCounts(row.number, row.fills) for row in view.markets()},
                view.pool_operation_count(),
                {row.pool: _pool_counts(row) for row in view.newest_pool_operations()},
            )
        self._totals = {total.account: total for total in totals}
        self._stored_num = head.num
        return counts

    def _check_shared(self, view: HistoryView, chain: MainChain) -> None:
        """Others may have written more than this node has; what it has must be the same."""
        num = min(view.head_num, chain.irreversible_num())
        known = view.block(num)
        if known is not None and chain.id_at(num) != known.id:
            raise WrongChain(
                f"the history in {self.store.database.name} holds another block than this node",
                value=num,
            )

    @property
    def storage(self) -> AccountStorage | None:
        """See `HistoryReader.storage`."""
        return self.recent.storage

    @property
    def stored_num(self) -> int:
        """Number of the newest block in the store, as far as the main thread knows."""
        return self._stored_num

    # Following the chain.

    def apply_block(self, trace: HistoryTrace) -> None:
        """Take in a block that became the head; one that is here already, when a node restarts,
        changes nothing."""
        newest = self.recent.head_num or self._stored_num
        if trace.envelope.num > newest:
            assert trace.envelope.num == newest + 1, "a history without gaps"
            self.recent.apply_block(trace)

    def revert_block(self, num: int) -> None:
        """Take the newest block of this node back, unless others have written one of its number."""
        if self.recent.head_num == num:
            self.recent.revert_block()
        else:
            assert self.store.is_shared, "what is in the store is irreversible"

    def go_back(self, num: int) -> None:
        """Keep nothing above a block, in the store neither: for a start, before anything else.

        What is shared stays: it is of nodes that did not go back, and knows only what they do.
        """
        if self.store.is_shared:
            return
        if num > self._begins_after:
            self.store.cut(num)
        else:
            self.store.clear(StoreDamaged("a history of other blocks", value=self._stored_num))
        self.recent = self._begin()

    def writable(self, irreversible_num: int) -> list[BlockHistory]:
        """The oldest blocks that may be written, up to a number; as many as one write takes."""
        found: list[BlockHistory] = []
        size = 0
        for block in self.recent:
            if block.num > irreversible_num or size >= SIZE_OF_A_WRITE:
                break
            found.append(block)
            size += _size_of(block)
        return found

    @property
    def may_fill_a_write(self) -> bool:
        """Whether what is not stored may be as much as one write takes; quick to ask."""
        return self.recent.size >= SIZE_OF_A_WRITE

    @staticmethod
    def is_full(blocks: Sequence[BlockHistory]) -> bool:
        """Whether one write takes no more than these."""
        return sum(map(_size_of, blocks)) >= SIZE_OF_A_WRITE

    def write(self, blocks: Sequence[BlockHistory]) -> None:
        """Put blocks in the store; for any thread, one at a time. Raises `StorageError`."""
        self.recent.number(max(block.num for block in blocks))
        self._written = self.store.write(blocks, self.recent.market_numbers(blocks))

    def written(self, blocks: Sequence[BlockHistory]) -> None:
        """Forget blocks that are in the store now."""
        self._totals.update(self._written)
        self._stored_num = blocks[-1].num
        self.recent.forget(self._stored_num)

    def write_all(self, irreversible_num: int) -> None:
        """Write all that may be written, at once: for a start, before anything else runs."""
        while blocks := self.writable(irreversible_num):
            self.write(blocks)
            self.written(blocks)

    def close(self) -> None:
        """Give up the store."""
        self.store.close()

    # Reading.

    def operation(self, instance: int) -> OperationRecord | None:
        """See `HistoryReader.operation`."""
        found = self.recent.operation(instance)
        if found is not None:
            return found
        with self.store.view() as view:
            rows = view.operations(instance, instance)
        return rows[0] if rows else None

    def operations_of(
        self, account: AccountId, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """See `HistoryReader.operations_of`."""
        recent = self.recent.operations_of(account, newest=newest, oldest=oldest, limit=limit)
        with self._joined(recent, limit) as (view, found):
            top, bottom = self._numbers(view, account, newest, oldest)
            rows = view.account_operations(account, top, bottom, limit - len(found))
            return found + rows

    def numbered_operations_of(
        self, account: AccountId, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """See `HistoryReader.numbered_operations_of`."""
        recent = self.recent.numbered_operations_of(
            account, newest=newest, oldest=oldest, limit=limit
        )
        with self._joined(recent, limit) as (view, found):
            rows = view.account_operations(account, newest, oldest, limit - len(found))
            return found + rows

    def operation_count(self, account: AccountId) -> int:
        """See `HistoryReader.operation_count`."""
        return self.recent.operation_count(account)

    def typed_operations_of(
        self, account: AccountId, operation_type: int, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """See `HistoryReader.typed_operations_of`."""
        recent = self.recent.typed_operations_of(
            account, operation_type, newest=newest, oldest=oldest, limit=limit
        )
        with self._joined(recent, limit) as (view, found):
            top, bottom = self._numbers(view, account, newest, oldest)
            rows = view.typed_operations(account, operation_type, top, bottom, limit - len(found))
            return found + rows

    def operations_until(self, time: int) -> int:
        """See `HistoryReader.operations_until`."""
        found = self.recent.operations_until(time)
        if found:
            return found
        with self.store.view() as view:
            return view.operations_until(time)

    def newest_entry(self, account: AccountId) -> int | None:
        """See `HistoryReader.newest_entry`."""
        newest = self.recent.newest_entry(account)
        stored = self._totals.get(account)
        return stored.newest if newest is None and stored is not None else newest

    def entry(self, instance: int) -> AccountOperation | None:
        """See `HistoryReader.entry`."""
        found = self.recent.entry(instance)
        if found is not None:
            return found
        with self.store.view() as view:
            return view.entry(instance)

    def entry_id(self, account: AccountId, number: int) -> int | None:
        """See `HistoryReader.entry_id`."""
        found = self.recent.entry_id(account, number)
        if found is not None:
            return found
        total = self._totals.get(account)
        if total is not None and total.operations == number:
            return total.newest
        with self.store.view() as view:
            entry = view.numbered_entry(account, number)
        return None if entry is None else entry.instance

    def entries_in(self, block_num: int) -> list[AccountOperation]:
        """See `HistoryReader.entries_in`."""
        return self.recent.entries_in(block_num)

    def operations_in(self, block_num: int) -> list[OperationRecord]:
        """See `HistoryReader.operations_in`."""
        if self.recent.block(block_num) is not None:
            return self.recent.operations_in(block_num)
        with self.store.view() as view:
            block, before = view.block(block_num), view.block(block_num - 1)
            if block is None:
                return []
            first = 0 if before is None else before.operations
            return view.operations(first, block.operations - 1)

    def fill(self, instance: int) -> FillRecord | None:
        """See `HistoryReader.fill`."""
        found = self.recent.fill(instance)
        if found is not None:
            return found
        with self.store.view() as view:
            return view.fill(instance)

    def markets(self) -> list[Market]:
        """See `HistoryReader.markets`."""
        return self.recent.markets()

    def fills_of(self, market: Market, *, newest: int, limit: int) -> list[FillRecord]:
        """See `HistoryReader.fills_of`."""
        recent = self.recent.fills_of(market, newest=newest, limit=limit)
        with self._joined(recent, limit) as (view, found):
            rows = view.fills(market, newest, limit - len(found))
            return found + rows

    def fills_until(self, market: Market, time: int) -> int:
        """See `HistoryReader.fills_until`."""
        found = self.recent.fills_until(market, time)
        if found:
            return found
        with self.store.view() as view:
            return view.fills_until(market, time)

    def buckets_of(
        self, market: Market, seconds: int, *, start: int, end: int, limit: int
    ) -> list[Bucket]:
        """See `HistoryReader.buckets_of`."""
        with self.store.view() as view:
            buckets = view.buckets(market, seconds, start, end, limit)
            newer = self.recent.fills_above(market, view.head_num)
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

    def pool_operation(self, instance: int) -> PoolOperation | None:
        """See `HistoryReader.pool_operation`."""
        found = self.recent.pool_operation(instance)
        if found is not None:
            return found
        with self.store.view() as view:
            return view.pool_operation(instance)

    def pool_operations_of(
        self,
        pool: LiquidityPoolId,
        operation_type: int | None,
        *,
        newest: int,
        oldest: int,
        limit: int,
    ) -> list[PoolOperation]:
        """See `HistoryReader.pool_operations_of`."""
        recent = self.recent.pool_operations_of(
            pool, operation_type, newest=newest, oldest=oldest, limit=limit
        )
        with self._joined(recent, limit) as (view, found):
            left = limit - len(found)
            return found + view.pool_operations(pool, operation_type, newest, oldest, left)

    def pool_operations_until(self, pool: LiquidityPoolId, time: int) -> int:
        """See `HistoryReader.pool_operations_until`."""
        found = self.recent.pool_operations_until(pool, time)
        if found:
            return found
        with self.store.view() as view:
            return view.pool_operations_until(pool, time)

    def events_of(
        self, kind: Kind[E], column: str, value: int, *, newest: int, limit: int
    ) -> list[E]:
        """See `HistoryReader.events_of`."""
        recent = self.recent.events_of(kind, column, value, newest=newest, limit=limit)
        with self._joined(recent, limit) as (view, found):
            return found + view.events(kind, column, value, newest, limit - len(found))

    def events_from(
        self, kind: Kind[E], column: str, value: int, *, oldest: int, limit: int
    ) -> list[E]:
        """See `HistoryReader.events_from`."""
        with self.store.view() as view:
            found = view.events_from(kind, column, value, oldest, limit)
        oldest = found[-1].instance + 1 if found else oldest
        left = limit - len(found)
        return found + self.recent.events_from(kind, column, value, oldest=oldest, limit=left)

    @staticmethod
    def _numbers(
        view: HistoryView, account: AccountId, newest: int, oldest: int
    ) -> tuple[int, int]:
        """The numbers in an account's stored history of operations within two ids."""
        total = view.account_total(account)
        top = view.account_number(account, newest, total)
        return top, view.account_number(account, oldest - 1, total) + 1

    @contextmanager
    def _joined(self, recent: list[R], limit: int) -> Iterator[tuple[HistoryView, list[R]]]:
        """The store, and of the newest records those that it does not have."""
        with self.store.view() as view:
            yield view, [record for record in recent if record.block_num > view.head_num]


def _size_of(block: BlockHistory) -> int:
    return 1 + len(block.operations)


def _pool_counts(newest: PoolOperation) -> PoolCounts:
    return PoolCounts(newest.sequence, unpack(PoolFigures, newest.figures))


def _add_stored_day(sums: DaySums, view: HistoryView, market: Market, day_ago: int) -> None:
    """Add what the store knows of the last 24 hours; each trade has a maker's side."""
    if sums.latest is None:
        sums.latest = _maker_price(view, market, view.fill_count(market))
    sums.add_volumes(*view.volumes(market, day_ago))
    older = view.fills_until(market, day_ago)
    if older:
        sums.day_ago = _maker_price(view, market, older)


def _maker_price(view: HistoryView, market: Market, below: int) -> Price | None:
    """The price of the newest trade below a sequence: its sides stand side by side."""
    fills = view.fills(market, below - 1, 2)
    prices = (market_price(fill.op.fill_price, market) for fill in fills if fill.op.is_maker)
    return next(prices, None)
