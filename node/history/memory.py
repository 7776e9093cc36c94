"""History in memory: of the newest blocks, which may still be taken back, or of a whole test."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice, takewhile
from typing import cast

from node.history.account_storage import AccountStorage
from node.history.block import AccountEntry, BlockHistory, HistoryCounts, HistoryTrace
from node.history.figures import extend_buckets, sum_last_day
from node.history.kind import Kind
from node.history.numbering import number_block
from node.history.reader import E
from node.history.records import (
    NEWEST,
    AccountOperation,
    Bucket,
    DaySummary,
    FillRecord,
    Market,
    OperationRecord,
    PoolOperation,
)
from protocol.ids import AccountId, LiquidityPoolId

NUMBERED_AT_ONCE = 100
"""Blocks and operations between two chances for who waits for the lock."""
UNNUMBERED_MAX = 20_000
"""Operations that wait to be numbered; who asks for any of them waits until all are (T-R3)."""


class MemoryHistory:
    """A `HistoryReader` of blocks that follow each other; the oldest can be forgotten.

    Ids and numbers go on from `counts`, which tell what came before the first block. Blocks are
    numbered when somebody asks, or is about to write them: that may be another thread, one at a
    time beside the owner's.
    """

    def __init__(
        self,
        counts: HistoryCounts | None = None,
        storage: AccountStorage | None = None,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        """`lock` is one where another thread numbers blocks."""
        self._counts = counts or HistoryCounts()
        self._storage = storage
        self._blocks: deque[BlockHistory] = deque()
        self._unnumbered: deque[BlockHistory] = deque()
        """Those of them that are not numbered yet."""
        self._taken = self._numbered = self._forgotten = 0
        """Operations that were taken in, that were numbered, and that were dropped; who holds the
        lock changes the second, the owner's thread the others."""
        self._lock: AbstractContextManager[object] = lock or nullcontext()

    @property
    def blocks(self) -> deque[BlockHistory]:
        """All blocks, oldest first, numbered."""
        self.number()
        return self._blocks

    @property
    def counts(self) -> HistoryCounts:
        """How much there is, with all blocks."""
        self.number()
        return self._counts

    @property
    def storage(self) -> AccountStorage | None:
        """See `HistoryReader.storage`."""
        if self._storage is not None:
            self.number()
        return self._storage

    @property
    def head_num(self) -> int | None:
        """Number of the newest block, if there is any."""
        return self._blocks[-1].num if self._blocks else None

    def __len__(self) -> int:
        """How many blocks are here."""
        return len(self._blocks)

    @property
    def size(self) -> int:
        """How many blocks and operations are here."""
        return len(self._blocks) + self._taken - self._forgotten

    def __iter__(self) -> Iterator[BlockHistory]:
        """All blocks, oldest first; those that nobody asked about are not numbered."""
        return iter(self._blocks)

    def apply_block(self, trace: HistoryTrace) -> None:
        """Take in a block that became the head."""
        block = BlockHistory.of(trace)
        self._blocks.append(block)
        self._unnumbered.append(block)
        self._taken += len(block.operations)
        if self.unnumbered > UNNUMBERED_MAX:
            self.number()

    @property
    def unnumbered(self) -> int:
        """How many operations are not numbered yet."""
        return self._taken - self._numbered

    def number(self, last: int = NEWEST) -> None:
        """Number the blocks up to one; from any thread."""
        while self._unnumbered:
            with self._lock:
                size = 0
                while size < NUMBERED_AT_ONCE:
                    if not self._unnumbered or self._unnumbered[0].num > last:
                        return
                    block = self._unnumbered.popleft()
                    self._number(block)
                    size += 1 + len(block.operations)

    def _number(self, block: BlockHistory) -> None:
        number_block(block, self._counts)
        self._numbered += len(block.operations)
        if self._storage is not None and block.operations:
            self._storage.apply_block(block.num, (one.op for one in block.operations))

    def market_numbers(self, blocks: Sequence[BlockHistory]) -> dict[Market, int]:
        """The numbers of the markets that trade in numbered blocks; from any thread."""
        markets = {market for block in blocks for market in block.sequences}
        return {market: self._counts.by_market[market].number for market in markets}

    def revert_block(self) -> None:
        """Take the newest block back, and its ids with it."""
        block = self._blocks.pop()
        self._taken -= len(block.operations)
        with self._lock:
            if self._unnumbered:
                self._unnumbered.pop()
                return
            self._numbered -= len(block.operations)
            self._counts.take_back(block)
            if self._storage is not None:
                self._storage.revert_block(block.num)

    def forget(self, num: int) -> None:
        """Drop the numbered blocks up to a number, which somebody else keeps."""
        while self._blocks and self._blocks[0].num <= num:
            self._forgotten += len(self._blocks.popleft().operations)
        if self._storage is not None:
            with self._lock:
                self._storage.forget(num)

    def operation(self, instance: int) -> OperationRecord | None:
        """See `HistoryReader.operation`."""
        block = self._block_of(instance)
        return None if block is None else block.operation(instance)

    def operations_of(
        self, account: AccountId, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """See `HistoryReader.operations_of`."""
        entries = takewhile(lambda entry: entry[2] >= oldest, self._entries(account))
        instances = (entry[2] for entry in entries if entry[2] <= newest)
        return list(self._records(islice(instances, limit)))

    def numbered_operations_of(
        self, account: AccountId, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """See `HistoryReader.numbered_operations_of`."""
        entries = takewhile(lambda entry: entry[1] >= oldest, self._entries(account))
        instances = (entry[2] for entry in entries if entry[1] <= newest)
        return list(self._records(islice(instances, limit)))

    def operation_count(self, account: AccountId) -> int:
        """See `HistoryReader.operation_count`; includes blocks that are forgotten here."""
        return self.counts.by_account.get(account, 0)

    def typed_operations_of(
        self, account: AccountId, operation_type: int, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """See `HistoryReader.typed_operations_of`."""
        entries = takewhile(lambda entry: entry[2] >= oldest, self._entries(account))
        instances = (
            entry[2] for entry in entries if entry[2] <= newest and entry[3] == operation_type
        )
        return list(self._records(islice(instances, limit)))

    def operations_until(self, time: int) -> int:
        """See `HistoryReader.operations_until`; 0 also when all such are forgotten here."""
        found = (
            block.first_operation + len(block.operations)
            for block in reversed(self.blocks)
            if block.time <= time
        )
        return next(found, 0)

    def newest_entry(self, account: AccountId) -> int | None:
        """See `HistoryReader.newest_entry`; None also when it is forgotten here."""
        found = (
            block.totals[account].newest
            for block in reversed(self.blocks)
            if account in block.entries_of
        )
        return next(found, None)

    def entry(self, instance: int) -> AccountOperation | None:
        """See `HistoryReader.entry`."""
        for block in reversed(self.blocks):
            if block.first_entry <= instance < block.first_entry + len(block.entries):
                return block.account_operations[instance - block.first_entry]
        return None

    def entry_id(self, account: AccountId, number: int) -> int | None:
        """See `HistoryReader.entry_id`."""
        for block in reversed(self.blocks):
            entries = block.entries_of.get(account, ())
            if entries and entries[0][1] <= number <= entries[-1][1]:
                return block.first_entry + block.entries.index(entries[number - entries[0][1]])
        return None

    def entries_in(self, block_num: int) -> list[AccountOperation]:
        """See `HistoryReader.entries_in`."""
        block = self.block(block_num)
        return [] if block is None else block.account_operations

    def operations_in(self, block_num: int) -> list[OperationRecord]:
        """See `HistoryReader.operations_in`."""
        block = self.block(block_num)
        return [] if block is None else list(block.records())

    def fill(self, instance: int) -> FillRecord | None:
        """See `HistoryReader.fill`."""
        for block in reversed(self.blocks):
            if block.first_fill <= instance < block.next_fill:
                return block.fills[instance - block.first_fill]
        return None

    def markets(self) -> list[Market]:
        """See `HistoryReader.markets`; those whose trades are forgotten here, too."""
        markets = self.counts.by_market
        return sorted(markets, key=lambda market: markets[market].number)

    def fills_of(self, market: Market, *, newest: int, limit: int) -> list[FillRecord]:
        """See `HistoryReader.fills_of`."""
        fills = (fill for fill in self._fills(market) if fill.sequence <= newest)
        return list(islice(fills, limit))

    def fills_until(self, market: Market, time: int) -> int:
        """See `HistoryReader.fills_until`; 0 also when all such are forgotten here."""
        found = (fill.sequence + 1 for fill in self._fills(market) if fill.time <= time)
        return next(found, 0)

    def buckets_of(
        self, market: Market, seconds: int, *, start: int, end: int, limit: int
    ) -> list[Bucket]:
        """See `HistoryReader.buckets_of`."""
        fills = self.fills_above(market, 0)
        return extend_buckets([], fills, seconds, start=start, end=end, limit=limit)

    def last_day(self, market: Market, now: int) -> DaySummary | None:
        """See `HistoryReader.last_day`."""
        known = self.counts.by_market.get(market)
        if known is None:
            return None
        found = sum_last_day(self._fills(market), market, now)
        return None if found.latest is None else found.summary(known.number)

    def pool_operation(self, instance: int) -> PoolOperation | None:
        """See `HistoryReader.pool_operation`."""
        found = (
            entry
            for block in reversed(self.blocks)
            for entry in block.pool_operations
            if entry.instance == instance
        )
        return next(found, None)

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
        wanted = (
            entry
            for entry in takewhile(lambda entry: entry.sequence >= oldest, self._pool_entries(pool))
            if entry.sequence <= newest and operation_type in (None, entry.operation_type)
        )
        return list(islice(wanted, limit))

    def pool_operations_until(self, pool: LiquidityPoolId, time: int) -> int:
        """See `HistoryReader.pool_operations_until`; 0 also when all such are forgotten here."""
        found = (entry.sequence for entry in self._pool_entries(pool) if entry.time <= time)
        return next(found, 0)

    def events_of(
        self, kind: Kind[E], column: str, value: int, *, newest: int, limit: int
    ) -> list[E]:
        """See `HistoryReader.events_of`."""
        wanted = (
            record
            for block in reversed(self.blocks)
            for record in cast(list[E], reversed(block.records_of(kind)))
            if record.instance <= newest and kind.value_of(record, column) == value
        )
        return list(islice(wanted, limit))

    def events_from(
        self, kind: Kind[E], column: str, value: int, *, oldest: int, limit: int
    ) -> list[E]:
        """See `HistoryReader.events_from`."""
        wanted = (
            record
            for block in self.blocks
            for record in cast(list[E], block.records_of(kind))
            if record.instance >= oldest and kind.value_of(record, column) == value
        )
        return list(islice(wanted, limit))

    def block(self, num: int) -> BlockHistory | None:
        """The block of a number, if it is here."""
        blocks = self.blocks
        if not blocks or not 0 <= num - blocks[0].num < len(blocks):
            return None
        return blocks[num - blocks[0].num]

    def fills_above(self, market: Market, block_num: int) -> list[FillRecord]:
        """Sides of trades of the blocks above a number, oldest first."""
        return [
            fill
            for block in self.blocks
            if block.num > block_num and market in block.sequences
            for fill in block.fills_of[market]
        ]

    def _fills(self, market: Market) -> Iterator[FillRecord]:
        """Sides of the trades of a market, newest first."""
        for block in reversed(self.blocks):
            if market in block.sequences:
                yield from reversed(block.fills_of[market])

    def _pool_entries(self, pool: LiquidityPoolId) -> Iterator[PoolOperation]:
        """The entries of a liquidity pool, newest first."""
        for block in reversed(self.blocks):
            if pool in block.pools_before:
                yield from (one for one in reversed(block.pool_operations) if one.pool == pool)

    def _entries(self, account: AccountId) -> Iterator[AccountEntry]:
        """The entries of an account, newest first."""
        for block in reversed(self.blocks):
            yield from reversed(block.entries_of.get(account, ()))

    def _records(self, instances: Iterable[int]) -> Iterator[OperationRecord]:
        for instance in instances:
            block = self._block_of(instance)
            assert block is not None, instance
            yield block.operation(instance)

    def _block_of(self, instance: int) -> BlockHistory | None:
        blocks = self.blocks
        low, high = 0, len(blocks)
        while low < high:
            middle = (low + high) // 2
            if blocks[middle].first_operation <= instance:
                low = middle + 1
            else:
                high = middle
        if low == 0:
            return None
        block = blocks[low - 1]
        return block if instance - block.first_operation < len(block.operations) else None
