"""Orders and settlement requests that are gone: what became of them, from the history."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from node.api.call import Call
from node.api.happened import effect_of
from node.explain.effects import Turns
from node.explain.records import OrderExplanation, Statement
from node.explain.wording import Wording, statement
from node.history.records import OperationRecord
from node.state.errors import NoSuchObject
from protocol.asset import AssetAmount
from protocol.ids import AccountId, ForceSettlementId, LimitOrderId, ObjectId, object_id
from protocol.json_form import format_time
from protocol.operations.bitasset import AssetSettle, AssetSettleCancel
from protocol.operations.limit_order import (
    FillOrder,
    LimitOrderCancel,
    LimitOrderCreate,
    LimitOrderUpdate,
)
from protocol.operations.results import ExtendableOperationResult
from protocol.schema import MAX_TIMESTAMP
from protocol.wording import count_of

OPERATIONS_SEARCHED = 20_000
OPERATIONS_A_STEP = 10
EFFECTS_TOLD = 20
"""Of one order, the newest."""
NO_TURNS = Turns(frozenset(), frozenset())


class _Begin(NamedTuple):
    """By what an order or a request came into being."""

    record: OperationRecord
    owner: AccountId
    amount: AssetAmount


def explain_closed(
    call: Call, found: ObjectId, words: Wording
) -> Generator[None, None, OrderExplanation]:
    """What became of an order or a request that is gone; raises `NoSuchObject`."""
    history = call.backend.history
    newest = history.operations_until(MAX_TIMESTAMP) - 1
    told: list[OperationRecord] = []
    hits = 0
    for number in range(newest, max(newest - OPERATIONS_SEARCHED, -1), -1):
        if number % OPERATIONS_A_STEP == 0:
            yield
        record = history.operation(number)
        if record is None:
            continue
        begin = _begin(record, found)
        if begin is None and not _concerns(record, found):
            continue
        if begin is not None:
            left_out = hits - len(told)
            return OrderExplanation(
                id=found,
                owner=begin.owner,
                amount=begin.amount,
                before=0,
                amount_before=AssetAmount(0, begin.amount.asset_id),
                statements=tuple(
                    _statement(call, one, words, left_out if one is record else 0)
                    for one in (record, *reversed(told))
                ),
            )
        hits += 1
        if len(told) < EFFECTS_TOLD:
            told.append(record)
    raise NoSuchObject(
        "it waits for nothing, and the newest operations do not tell of it",
        rule="R0.1",
        value=str(found),
        limit=count_of(OPERATIONS_SEARCHED, "operation"),
    )


def _begin(record: OperationRecord, found: ObjectId) -> _Begin | None:
    op, result = record.op, record.result
    if isinstance(op, LimitOrderCreate) and result == found:
        return _Begin(record, op.seller, op.amount_to_sell)
    made = result.new_objects if isinstance(result, ExtendableOperationResult) else None
    if isinstance(op, AssetSettle) and made is not None and found in made:
        return _Begin(record, op.account, op.amount)
    return None


def _concerns(record: OperationRecord, found: ObjectId) -> bool:
    match record.op:
        case FillOrder() as fill:
            return fill.order_id == found
        case LimitOrderCancel() | LimitOrderUpdate() as change:
            return object_id(LimitOrderId, change.order) == found
        case AssetSettleCancel() as cancel:
            return object_id(ForceSettlementId, cancel.settlement) == found
        case _:
            return False


def _statement(call: Call, record: OperationRecord, words: Wording, left_out: int) -> Statement:
    """One step of its life; `left_out` are those after it that are not told."""
    records = call.backend.history.operations_in(record.block_num)
    beside = [one.op for one in records if one.trx_in_block == record.trx_in_block]
    effect = effect_of(call, record, beside, NO_TURNS, words)
    at = f"block {record.block_num:,}, {format_time(record.block_time)}"
    by = ", by the chain" if record.is_virtual else ""
    more = f"; {count_of(left_out, 'step')} after it are left out" if left_out else ""
    return statement(effect.rule, f"{effect.text} ({at}{by}){more}")
