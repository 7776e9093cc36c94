"""History in memory: of the newest blocks, which may still be taken back, or of a whole test."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from itertools import islice
from typing import TypeVar, cast

from node.history.block import BlockHistory, HistoryCounts, HistoryTrace, derive_block
from node.history.figures import extend_buckets, sum_last_day
from node.history.kind import Kind
from node.history.reader import E
from node.history.records import (
    Bucket,
    DaySummary,
    EventKind,
    EventRecord,
    FillRecord,
    Market,
    OperationRecord,
)
from protocol.ids import AccountId

K = TypeVar("K", bound=Hashable)


class MemoryHistory:
    """A `HistoryReader` of blocks that follow each other; the oldest can be forgotten.

    Ids and numbers go on from `counts`, which tell what came before the first block.
    """

    def __init__(self, counts: HistoryCounts | None = None) -> None:
        self.counts = counts or HistoryCounts()
        self.blocks: deque[BlockHistory] = deque()
        self._by_account: dict[AccountId, deque[int]] = {}
        self._fills: dict[Market, deque[FillRecord]] = {}
        self._events: dict[EventKind, deque[EventRecord]] = {}

    def apply_block(self, trace: HistoryTrace) -> None:
        """Take in a block that became the head."""
        block = derive_block(trace, self.counts)
        self.blocks.append(block)
        by_account = self._by_account
        for account, _, instance in block.entries:
            if account in by_account:
                by_account[account].append(instance)
            else:
                by_account[account] = deque((instance,))
        fills = self._fills
        for fill in block.fills:
            if fill.market in fills:
                fills[fill.market].append(fill)
            else:
                fills[fill.market] = deque((fill,))
        for kind, records in block.events.items():
            self._events.setdefault(kind, deque()).extend(records)

    def revert_block(self) -> None:
        """Take the newest block back, and its ids with it."""
        block = self.blocks.pop()
        self.counts.take_back(block)
        for account, _, _ in block.entries:
            _drop(self._by_account, account, newest=True)
        for fill in block.fills:
            _drop(self._fills, fill.market, newest=True)
        for kind, records in block.events.items():
            for _ in records:
                self._events[kind].pop()

    def forget(self, num: int) -> None:
        """Drop the blocks up to a number, which somebody else keeps."""
        while self.blocks and self.blocks[0].num <= num:
            block = self.blocks.popleft()
            for account, _, _ in block.entries:
                _drop(self._by_account, account, newest=False)
            for fill in block.fills:
                _drop(self._fills, fill.market, newest=False)
            for kind, records in block.events.items():
                for _ in records:
                    self._events[kind].popleft()

    def operation(self, instance: int) -> OperationRecord | None:
        """See `HistoryReader.operation`."""
        block = self._block_of(instance)
        return None if block is None else block.operation(instance)

    def operations_of(
        self, account: AccountId, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """See `HistoryReader.operations_of`."""
        instances = self._by_account.get(account, ())
        wanted = (item for item in reversed(instances) if oldest <= item <= newest)
        return list(self._records(islice(wanted, limit)))

    def numbered_operations_of(
        self, account: AccountId, *, newest: int, oldest: int, limit: int
    ) -> list[OperationRecord]:
        """See `HistoryReader.numbered_operations_of`."""
        instances = self._by_account.get(account, ())
        total = self.operation_count(account)
        wanted = (
            instance
            for place, instance in enumerate(reversed(instances))
            if oldest <= total - place <= newest
        )
        return list(self._records(islice(wanted, limit)))

    def operation_count(self, account: AccountId) -> int:
        """See `HistoryReader.operation_count`; includes blocks that are forgotten here."""
        return self.counts.by_account.get(account, 0)

    def newest_operation(self, account: AccountId) -> int | None:
        """See `HistoryReader.newest_operation`; None also when it is forgotten here."""
        instances = self._by_account.get(account)
        return instances[-1] if instances else None

    def operations_in(self, block_num: int) -> list[OperationRecord]:
        """See `HistoryReader.operations_in`."""
        block = self.block(block_num)
        return [] if block is None else list(block.records())

    def fills_of(self, market: Market, *, newest: int, limit: int) -> list[FillRecord]:
        """See `HistoryReader.fills_of`."""
        fills = reversed(self._fills.get(market, ()))
        return list(islice((fill for fill in fills if fill.sequence <= newest), limit))

    def fills_until(self, market: Market, time: int) -> int:
        """See `HistoryReader.fills_until`; 0 also when all such are forgotten here."""
        for fill in reversed(self._fills.get(market, ())):
            if fill.time <= time:
                return fill.sequence + 1
        return 0

    def buckets_of(
        self, market: Market, seconds: int, *, start: int, end: int, limit: int
    ) -> list[Bucket]:
        """See `HistoryReader.buckets_of`."""
        fills = self._fills.get(market, ())
        return extend_buckets([], fills, seconds, start=start, end=end, limit=limit)

    def last_day(self, market: Market, now: int) -> DaySummary | None:
        """See `HistoryReader.last_day`."""
        known = self.counts.by_market.get(market)
        if known is None:
            return None
        found = sum_last_day(reversed(self._fills.get(market, ())), market, now)
        return None if found.latest is None else found.summary(known.number)

    def events_of(
        self, kind: Kind[E], column: str, value: int, *, newest: int, limit: int
    ) -> list[E]:
        """See `HistoryReader.events_of`."""
        records = cast(Iterable[E], reversed(self._events.get(kind, ())))
        wanted = (
            record
            for record in records
            if record.instance <= newest and kind.value_of(record, column) == value
        )
        return list(islice(wanted, limit))

    def block(self, num: int) -> BlockHistory | None:
        """The block of a number, if it is here."""
        if not self.blocks or not 0 <= num - self.blocks[0].num < len(self.blocks):
            return None
        return self.blocks[num - self.blocks[0].num]

    def fills_above(self, market: Market, block_num: int) -> list[FillRecord]:
        """Sides of trades of the blocks above a number, oldest first."""
        return [fill for fill in self._fills.get(market, ()) if fill.block_num > block_num]

    def _records(self, instances: Iterable[int]) -> Iterator[OperationRecord]:
        for instance in instances:
            block = self._block_of(instance)
            assert block is not None, instance
            yield block.operation(instance)

    def _block_of(self, instance: int) -> BlockHistory | None:
        low, high = 0, len(self.blocks)
        while low < high:
            middle = (low + high) // 2
            if self.blocks[middle].first_operation <= instance:
                low = middle + 1
            else:
                high = middle
        if low == 0:
            return None
        block = self.blocks[low - 1]
        return block if instance - block.first_operation < len(block.operations) else None


def _drop(
    queues: dict[K, deque[FillRecord]] | dict[K, deque[int]], key: K, *, newest: bool
) -> None:
    queue = queues[key]
    if newest:
        queue.pop()
    else:
        queue.popleft()
    if not queue:
        del queues[key]
