"""What the history tells of liquidity pools, in BitShares' JSON shapes (L12, L13)."""

from __future__ import annotations

from node.api.backend import ApiBackend
from node.api.views import Json, view_operation_record, wide_integer
from node.history.pools import NOTHING, PoolStatistics, statistics_of
from node.history.records import PoolFigures, PoolOperation
from protocol.ids import (
    LiquidityPoolId,
    PoolHistoryId,
    PoolStatisticsId,
    pool_history_text,
    pool_statistics_text,
    pool_text,
)
from protocol.json_form import encoder_of, format_time
from protocol.schema import schema_of

_BALANCES = ("balance_a", "balance_b")


def view_pool_statistics(backend: ApiBackend, pool: LiquidityPoolId) -> Json:
    """The figures of a pool, in all and in the last 24 hours before the head (5.6.n).

    Zeros for a pool whose history this node does not have.
    """
    now = backend.state.dynamic.time
    found = statistics_of(backend.history, pool, now) or PoolStatistics(NOTHING, NOTHING)
    answer: Json = {"id": pool_statistics_text(PoolStatisticsId(pool))}
    answer |= _figures("_24h", found.day, backend.address_prefix)
    for name in _BALANCES:
        delta: int = getattr(found.day, name)
        answer[f"_24h_{name.replace('balance', 'balance_delta')}"] = wide_integer(delta)
    return answer | _figures("total", found.total, backend.address_prefix)


def view_pool_operation(backend: ApiBackend, entry: PoolOperation) -> Json:
    """An entry in a pool's history (5.4.n)."""
    record = backend.history.operation(entry.operation)
    assert record is not None, entry
    return {
        "id": pool_history_text(PoolHistoryId(entry.instance)),
        "pool": pool_text(entry.pool),
        "sequence": entry.sequence,
        "time": format_time(entry.time),
        "op_type": entry.operation_type,
        "op": view_operation_record(backend, record),
    }


def _figures(span: str, figures: PoolFigures, prefix: str) -> Json:
    """How often and how much, as numbers and as strings (K9)."""
    return {
        f"{span}_{field.name}": encoder_of(field.type)(getattr(figures, field.name), prefix)
        for field in schema_of(PoolFigures).fields
        if field.name not in _BALANCES
    }
