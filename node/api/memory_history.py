"""History in memory: the newest operations, fills and buckets, in bounded queues.

It follows the chain block by block, and takes back the newest block when the chain does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from node.api.backend import BlockTrace
from node.api.history import (
    BUCKET_SECONDS,
    Bucket,
    DaySummary,
    FillRecord,
    Market,
    OperationRecord,
    market_of,
)
from node.api.impacted import accounts_of_operation
from protocol.asset import Price
from protocol.constants import SECONDS_PER_DAY
from protocol.ids import AccountId
from protocol.operations.limit_order import FillOrder

ACCOUNT_RECORDS_MAX = 1_000
FILLS_MAX = 10_000
BUCKETS_MAX = 1_000
BLOCKS_MAX = 1_000
REVERTIBLE_BLOCKS = 1_000

Step = Callable[[], object]
"""Takes one change back."""


class MemoryHistory:
    """A `HistoryReader` without a file; it forgets what lies beyond its limits."""

    def __init__(self) -> None:
        self.by_account: dict[AccountId, deque[OperationRecord]] = {}
        self.by_block: dict[int, list[OperationRecord]] = {}
        self.counts: dict[AccountId, int] = {}
        self.fills: dict[Market, deque[FillRecord]] = {}
        self.sequences: dict[Market, int] = {}
        self.buckets: dict[tuple[Market, int], deque[Bucket]] = {}
        self.tickers: dict[Market, int] = {}
        self.next_operation = 0
        self.next_fill = 0
        self.next_bucket = 0
        self.journal: deque[list[Step]] = deque(maxlen=REVERTIBLE_BLOCKS)

    def apply_block(self, trace: BlockTrace) -> None:
        """Take in the operations of a block that became the head."""
        steps: list[Step] = []
        self.journal.append(steps)
        time = trace.envelope.header.timestamp
        records = self._open_block(trace.envelope.num, steps)
        for applied in trace.operations:
            record = OperationRecord(
                self.next_operation,
                applied.op,
                applied.result,
                trace.envelope.num,
                time,
                applied.trx_in_block,
                applied.op_in_trx,
                applied.virtual_op,
                applied.is_virtual,
            )
            self.next_operation += 1
            records.append(record)
            for account in accounts_of_operation(applied.op):
                self._add_operation(account, record, steps)
            if isinstance(applied.op, FillOrder):
                self._add_fill(applied.op, time, steps)

    def revert_block(self) -> None:
        """Take the newest block back; ids that it used stay used."""
        if self.journal:
            for step in reversed(self.journal.pop()):
                step()

    def operations_of(self, account: AccountId) -> Iterator[OperationRecord]:
        """Operations that concern an account, newest first."""
        return reversed(self.by_account.get(account, deque()))

    def operations_in(self, block_num: int) -> Iterator[OperationRecord]:
        """Operations of one of the newest blocks, in order."""
        return iter(self.by_block.get(block_num, ()))

    def operation_count(self, account: AccountId) -> int:
        """How many operations have concerned an account, forgotten ones included."""
        return self.counts.get(account, 0)

    def fills_of(self, market: Market) -> Iterator[FillRecord]:
        """Sides of trades, newest first."""
        return reversed(self.fills.get(market, deque()))

    def buckets_of(self, market: Market, seconds: int) -> Iterator[Bucket]:
        """Buckets of one width, oldest first."""
        return iter(self.buckets.get((market, seconds), deque()))

    def last_day(self, market: Market, now: int) -> DaySummary | None:
        """The last 24 hours; None when the market never traded."""
        latest: Price | None = None
        day_ago: Price | None = None
        base_volume = quote_volume = 0
        for fill in self.fills_of(market):
            if not fill.op.is_maker:
                continue
            price = _oriented(fill.op.fill_price, market)
            latest = price if latest is None else latest
            if fill.time <= now - SECONDS_PER_DAY:
                day_ago = price
                break
            base, quote = _volumes(fill.op, market)
            base_volume += base
            quote_volume += quote
        if latest is None:
            return None
        return DaySummary(self.tickers[market], latest, day_ago, base_volume, quote_volume)

    def _open_block(self, num: int, steps: list[Step]) -> list[OperationRecord]:
        records: list[OperationRecord] = []
        self.by_block[num] = records
        self.by_block.pop(num - BLOCKS_MAX, None)
        steps.append(lambda: self.by_block.pop(num))
        return records

    def _add_operation(
        self, account: AccountId, record: OperationRecord, steps: list[Step]
    ) -> None:
        records = self.by_account.setdefault(account, deque(maxlen=ACCOUNT_RECORDS_MAX))
        records.append(record)
        count = self.counts.get(account, 0)
        self.counts[account] = count + 1
        steps.append(records.pop)
        steps.append(lambda: self.counts.__setitem__(account, count))

    def _add_fill(self, op: FillOrder, time: int, steps: list[Step]) -> None:
        market = market_of(op.pays.asset_id, op.receives.asset_id)
        fills = self.fills.setdefault(market, deque(maxlen=FILLS_MAX))
        sequence = self.sequences.get(market, 0)
        self.sequences[market] = sequence + 1
        self.tickers.setdefault(market, len(self.tickers))
        fills.append(FillRecord(self.next_fill, market, sequence, time, op))
        self.next_fill += 1
        steps.append(fills.pop)
        steps.append(lambda: self.sequences.__setitem__(market, sequence))
        if op.is_maker:
            for seconds in BUCKET_SECONDS:
                self._add_to_bucket(op, market, seconds, time, steps)

    def _add_to_bucket(
        self, op: FillOrder, market: Market, seconds: int, time: int, steps: list[Step]
    ) -> None:
        buckets = self.buckets.setdefault((market, seconds), deque(maxlen=BUCKETS_MAX))
        price = _oriented(op.fill_price, market)
        base, quote = _volumes(op, market)
        open_time = time - time % seconds
        if not buckets or buckets[-1].open_time != open_time:
            buckets.append(
                Bucket(
                    self.next_bucket,
                    market,
                    seconds,
                    open_time,
                    opening=price,
                    close=price,
                    high=price,
                    low=price,
                    base_volume=base,
                    quote_volume=quote,
                )
            )
            self.next_bucket += 1
            steps.append(buckets.pop)
            return
        last = buckets[-1]
        buckets[-1] = replace(
            last,
            close=price,
            high=price if last.high.is_less(price) else last.high,
            low=price if price.is_less(last.low) else last.low,
            base_volume=last.base_volume + base,
            quote_volume=last.quote_volume + quote,
        )
        steps.append(lambda: buckets.__setitem__(-1, last))


def _oriented(price: Price, market: Market) -> Price:
    return price if price.base.asset_id == market[0] else price.inverse()


def _volumes(op: FillOrder, market: Market) -> tuple[int, int]:
    if op.pays.asset_id == market[0]:
        return op.pays.amount, op.receives.amount
    return op.receives.amount, op.pays.amount
