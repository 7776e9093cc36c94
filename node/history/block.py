"""What one block adds to the history, numbered: derived once, when somebody needs to know.

That is the thread that writes, as a rule; the main thread only takes a block in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, Protocol

import msgspec

from node.history.figures import market_of
from node.history.records import (
    COUNTED_KINDS,
    STEPS,
    AccountOperation,
    AccountTotal,
    EventKind,
    EventRecord,
    FillRecord,
    Market,
    OperationRecord,
    PoolFigures,
    PoolOperation,
    StepRecord,
    subject_of,
)
from node.state.context import AppliedOperation
from node.state.events import ChainEvent
from protocol.block import BlockEnvelope, OperationResults
from protocol.ids import (
    ID_TYPES,
    AccountHistoryId,
    AccountId,
    CallOrderId,
    ForceSettlementId,
    LimitOrderId,
    LiquidityPoolId,
    ObjectId,
    OperationHistoryId,
    object_id,
)
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetSettle, AssetSettleCancel
from protocol.operations.limit_order import (
    FillOrder,
    LimitOrderCancel,
    LimitOrderCreate,
    LimitOrderUpdate,
)
from protocol.operations.results import ExtendableOperationResult, OperationResult
from protocol.schema import BlockId, Mutable
from protocol.transaction import TransactionEnvelope

AccountEntry = tuple[AccountId, int, int, int]
"""An account, the number of an operation in its history, the operation's instance, and the id of
its class."""

Events = dict[EventKind, list[EventRecord]]
"""Records by their kind; kinds without any may be missing."""

POSITION_TYPE = ID_TYPES[CallOrderId][1]
"""The type of an order that is a position, in fills."""
_STEPS: frozenset[type] = frozenset(
    {
        FillOrder,
        LimitOrderCreate,
        LimitOrderCancel,
        LimitOrderUpdate,
        AssetSettle,
        AssetSettleCancel,
    }
)
"""Operations that may be a step of an order or a request; see `_subject`."""


class HistoryTrace(Protocol):
    """A block that was applied, with all that it told; the chain's `AppliedBlock`."""

    @property
    def envelope(self) -> BlockEnvelope: ...

    @property
    def operations(self) -> list[AppliedOperation]: ...

    @property
    def events(self) -> list[ChainEvent]: ...


class MarketCounts(Mutable):
    """One market that has traded."""

    number: int
    """How many other markets traded before it did."""
    fills: int


class PoolCounts(NamedTuple):
    """One liquidity pool, up to a block."""

    operations: int
    figures: PoolFigures


class HistoryCounts(Mutable):
    """How much history there is up to a block: where the next ids and numbers begin."""

    operations: int = 0
    entries: int = 0
    fills: int = 0
    events: dict[EventKind, int] = msgspec.field(
        default_factory=lambda: dict.fromkeys(COUNTED_KINDS, 0)
    )
    by_account: dict[AccountId, int] = msgspec.field(default_factory=dict)
    by_market: dict[Market, MarketCounts] = msgspec.field(default_factory=dict)
    pool_operations: int = 0
    by_pool: dict[LiquidityPoolId, PoolCounts] = msgspec.field(default_factory=dict)

    def take_back(self, block: BlockHistory) -> None:
        """Go back to before a block, which is the newest."""
        self.operations = block.first_operation
        self.entries = block.first_entry
        self.fills = block.first_fill
        for kind, records in block.events.items():
            self.events[kind] -= len(records)
        for account, number, _, _ in reversed(block.entries):
            if number > 1:
                self.by_account[account] = number - 1
            else:
                del self.by_account[account]
        for market, sequence in block.sequences.items():
            if sequence:
                self.by_market[market].fills = sequence
            else:
                del self.by_market[market]
        self.pool_operations -= len(block.pool_operations)
        for pool, counts in block.pools_before.items():
            if counts is None:
                del self.by_pool[pool]
            else:
                self.by_pool[pool] = counts


class BlockHistory(Mutable, dict=True, gc=True):
    """What one block adds to the history, once `node.history.numbering` has numbered it.

    What not even that tells is worked out when somebody asks.
    """

    num: int
    id: BlockId
    time: int
    operations: list[AppliedOperation]
    told: list[ChainEvent]
    """What the chain told of it beside the operations, in order."""
    transactions: list[tuple[TransactionEnvelope, OperationResults]]
    first_operation: int = 0
    """Instance of the first operation; the others follow without gaps."""
    first_entry: int = 0
    """Instance of the first entry (2.9.n); the others follow without gaps."""
    entries: list[AccountEntry] = msgspec.field(default_factory=list)
    """In the order of the operations, then of the accounts."""
    events: Events = msgspec.field(default_factory=dict)
    """Of `COUNTED_KINDS`."""
    first_fill: int = 0
    """Instance of the first fill; the others follow without gaps."""
    next_fill: int = 0
    """Instance of the first fill of the next block."""
    sequences: dict[Market, int] = msgspec.field(default_factory=dict)
    """The markets that traded, each with the sequence of its first fill here."""
    pool_operations: list[PoolOperation] = msgspec.field(default_factory=list)
    """Entries in the histories of liquidity pools, in order."""
    pools_before: dict[LiquidityPoolId, PoolCounts | None] = msgspec.field(default_factory=dict)
    """The pools of these, as they were before the block."""

    @classmethod
    def of(cls, trace: HistoryTrace) -> BlockHistory:
        """A block that was applied, not numbered yet."""
        envelope = trace.envelope
        return cls(
            envelope.num,
            envelope.id,
            envelope.header.timestamp,
            trace.operations,
            trace.events,
            envelope.transactions,
        )

    @cached_property
    def fills(self) -> list[FillRecord]:
        """Both sides of all trades, in order."""
        return list(self._fills())

    @cached_property
    def steps(self) -> list[StepRecord]:
        """By which operations orders and settlement requests began, changed or ended, in order."""
        steps = (
            (instance, _subject(applied.op, applied.result))
            for instance, applied in enumerate(self.operations, self.first_operation)
            if type(applied.op) in _STEPS
        )
        return [
            StepRecord(instance, subject_of(subject), self.num)
            for instance, subject in steps
            if subject is not None
        ]

    def records_of(self, kind: EventKind) -> Sequence[EventRecord]:
        """Its records of one of `EVENT_KINDS`, in order."""
        return self.steps if kind is STEPS else self.events.get(kind, ())

    @cached_property
    def fills_of(self) -> dict[Market, list[FillRecord]]:
        """The fills of each market that traded, in order."""
        found: dict[Market, list[FillRecord]] = {market: [] for market in self.sequences}
        for fill in self.fills:
            found[fill.market].append(fill)
        return found

    @cached_property
    def entries_of(self) -> dict[AccountId, list[AccountEntry]]:
        """The entries of each account that is concerned, in order."""
        found: dict[AccountId, list[AccountEntry]] = {}
        for entry in self.entries:
            found.setdefault(entry[0], []).append(entry)
        return found

    @cached_property
    def totals(self) -> dict[AccountId, AccountTotal]:
        """Of each account that is concerned, what there is of it up to this block."""
        return {
            account: AccountTotal(account, number, AccountHistoryId(instance))
            for instance, (account, number, _, _) in enumerate(self.entries, self.first_entry)
        }

    @cached_property
    def account_operations(self) -> list[AccountOperation]:
        """The records of the entries, in order."""
        return [
            AccountOperation(
                account,
                number,
                OperationHistoryId(operation),
                AccountHistoryId(instance),
                operation_type,
            )
            for instance, (account, number, operation, operation_type) in enumerate(
                self.entries, self.first_entry
            )
        ]

    def _fills(self) -> Iterator[FillRecord]:
        sequences, instance = dict(self.sequences), self.first_fill
        before: FillRecord | None = None
        for operation, applied in enumerate(self.operations, self.first_operation):
            op = applied.op
            if type(op) is not FillOrder:
                continue
            market = market_of(op.pays.asset_id, op.receives.asset_id)
            is_second = before is not None and before.market == market and _completes(before, op)
            before = FillRecord(
                instance,
                market,
                sequences[market],
                self.num,
                self.time,
                OperationHistoryId(operation),
                is_second,
                op,
            )
            yield before
            instance += 1
            sequences[market] += 1

    def operation(self, instance: int) -> OperationRecord:
        """One operation of this block by its instance."""
        applied = self.operations[instance - self.first_operation]
        return OperationRecord(
            OperationHistoryId(instance),
            applied.op,
            applied.result,
            self.num,
            self.time,
            applied.trx_in_block,
            applied.op_in_trx,
            applied.virtual_op,
            applied.is_virtual,
        )

    def records(self) -> Iterator[OperationRecord]:
        """All operations in order."""
        for offset in range(len(self.operations)):
            yield self.operation(self.first_operation + offset)


def _completes(first: FillRecord, op: FillOrder) -> bool:
    """Whether a fill is the other side of the one before; each side stands in one trade.

    A global settlement records one side alone; that a margin call pays a fee makes the collateral
    of both sides differ, so that one equal amount must do.
    """
    other = first.op
    return (
        not first.is_second
        and other.is_maker != op.is_maker
        and (other.fill_price is op.fill_price or other.fill_price == op.fill_price)
        and (other.pays == op.receives or other.receives == op.pays)
    )


def _subject(op: Operation, result: OperationResult) -> ObjectId | None:
    """The order or settlement request that an operation is a step of, if any."""
    match op:
        case FillOrder():
            return None if op.order_id.type == POSITION_TYPE else op.order_id
        case LimitOrderCreate():
            return result if isinstance(result, ObjectId) else None
        case LimitOrderCancel() | LimitOrderUpdate():
            return object_id(LimitOrderId, op.order)
        case AssetSettle() if isinstance(result, ExtendableOperationResult):
            made = tuple(result.new_objects or ())
            assert len(made) <= 1, made
            return made[0] if made else None
        case AssetSettleCancel():
            return object_id(ForceSettlementId, op.settlement)
        case _:
            return None
