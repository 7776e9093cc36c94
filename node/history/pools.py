"""What was done with liquidity pools, and how much in all: derived from operations and answers.

Each entry in a pool's history carries the figures of the pool up to and with it. So those of a span
of time are a difference of two entries, however many lie between them, and the last 24 hours take
no upkeep (L12).
"""

from __future__ import annotations

from msgspec.structs import replace

from node.history.reader import HistoryReader
from node.history.records import NEWEST, PoolFigures
from protocol.binary import unpack
from protocol.constants import SECONDS_PER_DAY
from protocol.ids import ID_TYPES, LiquidityPoolId
from protocol.operations.base import Operation
from protocol.operations.liquidity_pool import (
    LiquidityPoolCreate,
    LiquidityPoolDelete,
    LiquidityPoolDeposit,
    LiquidityPoolExchange,
    LiquidityPoolUpdate,
    LiquidityPoolWithdraw,
)
from protocol.operations.results import (
    GenericExchangeOperationResult,
    GenericOperationResult,
    OperationResult,
)
from protocol.schema import Record, schema_of

NOTHING = PoolFigures(*(0 for _ in schema_of(PoolFigures).fields))
"""The figures of a new pool."""
POOL_OPERATIONS: frozenset[type] = frozenset(
    {
        LiquidityPoolCreate,
        LiquidityPoolDelete,
        LiquidityPoolDeposit,
        LiquidityPoolExchange,
        LiquidityPoolUpdate,
        LiquidityPoolWithdraw,
    }
)


class PoolStatistics(Record):
    """The figures of a pool: in all, and in the last 24 hours."""

    total: PoolFigures
    day: PoolFigures


def pool_of(op: Operation, result: OperationResult) -> LiquidityPoolId:
    """The pool that one of `POOL_OPERATIONS` is about."""
    if isinstance(op, LiquidityPoolCreate):
        assert isinstance(result, GenericOperationResult), result
        (made,) = result.new_objects
        assert (made.space, made.type) == ID_TYPES[LiquidityPoolId], made
        return LiquidityPoolId(made.instance)
    assert isinstance(
        op,
        LiquidityPoolDelete
        | LiquidityPoolDeposit
        | LiquidityPoolExchange
        | LiquidityPoolUpdate
        | LiquidityPoolWithdraw,
    ), op
    return op.pool


def figures_after(before: PoolFigures, op: Operation, result: OperationResult) -> PoolFigures:
    """The figures of a pool with one operation more (L12)."""
    if not isinstance(result, GenericExchangeOperationResult):
        return before
    paid, received, fees = (
        [item.amount for item in side] for side in (result.paid, result.received, result.fees)
    )
    if isinstance(op, LiquidityPoolDeposit):
        return _with(
            before,
            deposit_count=1,
            deposit_amount_a=paid[0],
            deposit_amount_b=paid[1],
            deposit_share_amount=received[0],
            balance_a=paid[0],
            balance_b=paid[1],
        )
    if isinstance(op, LiquidityPoolWithdraw):
        return _with(
            before,
            withdrawal_count=1,
            withdrawal_amount_a=received[0],
            withdrawal_amount_b=received[1],
            withdrawal_share_amount=paid[0],
            withdrawal_fee_a=fees[0],
            withdrawal_fee_b=fees[1],
            balance_a=-received[0],
            balance_b=-received[1],
        )
    assert isinstance(op, LiquidityPoolExchange), op
    maker_fee, taker_fee, pool_fee = fees
    came, went = paid[0] - maker_fee, received[0] + taker_fee
    is_a2b = op.amount_to_sell.asset_id < op.min_to_receive.asset_id
    sold, bought = ("a", "b") if is_a2b else ("b", "a")
    way = f"exchange_{sold}2{bought}"
    changes = {
        f"{way}_count": 1,
        f"{way}_amount_{sold}": came,
        f"{way}_amount_{bought}": went,
        f"exchange_fee_{bought}": pool_fee,
        f"balance_{sold}": came,
        f"balance_{bought}": -went,
    }
    return _with(before, **changes)


def _with(before: PoolFigures, **more: int) -> PoolFigures:
    """The figures with so much more of some."""
    return replace(before, **{name: getattr(before, name) + by for name, by in more.items()})


def statistics_of(history: HistoryReader, pool: LiquidityPoolId, now: int) -> PoolStatistics | None:
    """The figures of a pool; None for one of which the history knows nothing (L12)."""
    total = _figures_up_to(history, pool, NEWEST)
    if total is None:
        return None
    before_day = history.pool_operations_until(pool, now - SECONDS_PER_DAY - 1)
    earlier = _figures_up_to(history, pool, before_day) if before_day else None
    return PoolStatistics(total, _difference(total, earlier or NOTHING))


def _figures_up_to(
    history: HistoryReader, pool: LiquidityPoolId, sequence: int
) -> PoolFigures | None:
    found = history.pool_operations_of(pool, None, newest=sequence, oldest=1, limit=1)
    return unpack(PoolFigures, found[0].figures) if found else None


def _difference(later: PoolFigures, earlier: PoolFigures) -> PoolFigures:
    names = [field.name for field in schema_of(PoolFigures).fields]
    return PoolFigures(*(getattr(later, name) - getattr(earlier, name) for name in names))
