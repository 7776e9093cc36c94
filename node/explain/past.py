"""Explains margin calls that happened, from what the chain told of them (R4.7)."""

from __future__ import annotations

from node.explain.records import Outcome, PastCall
from node.explain.wording import Wording, statement
from node.market.pricing import price_of_call
from node.state.events import MarginCallEvent
from node.state.objects.governance import TRIGGER_FEED, TRIGGER_NAMES
from protocol.asset import Price
from protocol.ids import (
    ForceSettlementId,
    OperationHistoryId,
    object_id,
    order_text,
    position_text,
)


def past_call(
    event: MarginCallEvent,
    block_num: int,
    block_time: int,
    operation: OperationHistoryId,
    trigger: int,
    words: Wording,
) -> PastCall:
    """A fill of a called position in a block; `operation` is the position's record of it."""
    text = past_call_text(event, block_num, trigger, words)
    return PastCall(
        position=event.position,
        block_num=block_num,
        block_time=block_time,
        operation=operation,
        trigger=TRIGGER_NAMES[trigger],
        settlement_price=event.settlement_price,
        margin_call_order_price=event.margin_call_order_price,
        call_price=call_price_of(event),
        bid=event.bid,
        request=event.request,
        bid_price=event.bid_price,
        outcome=Outcome(
            debt_covered=event.debt_covered,
            collateral_paid=event.collateral_paid,
            fee=event.margin_call_fee,
            debt_left=event.debt_after,
            collateral_left=event.collateral_after,
        ),
        statement=statement("R4.2" if event.request is None else "SM3", text),
    )


def past_call_text(event: MarginCallEvent, block_num: int, trigger: int, words: Wording) -> str:
    """Why and how a position was called, in one paragraph."""
    unit = words.unit(event.settlement_price)

    def price(value: Price) -> str:
        return f"{words.price(value)} {unit}"

    calls_at = price(call_price_of(event))
    if event.request is not None:
        reason = (
            f"the settlement price was not above its call price {calls_at}, no bid would do, and a"
            " settlement request waited"
        )
    elif trigger == TRIGGER_FEED:
        reason = f"the settlement price was not above its call price {calls_at}"
    else:
        reason = (
            f"the highest bid, {price(event.bid_price)}, was below its call price {calls_at} and"
            f" above {price(event.margin_call_order_price)}, the worst price that a margin call"
            " takes"
        )
    left = words.amount(event.collateral_after)
    end = (
        f"It closed, and {left} returned to its owner."
        if event.debt_after.amount == 0
        else f"It was left with {words.amount(event.debt_after)} against {left}."
    )
    if event.request is not None:
        other = f"Request {object_id(ForceSettlementId, event.request)}"
    else:
        assert event.bid is not None, event
        other = f"Order {order_text(event.bid)}"
    return (
        f"In block {block_num} the settlement price was {price(event.settlement_price)} and"
        f" position {position_text(event.position)} owed {words.amount(event.debt_before)} against"
        f" {words.amount(event.collateral_before)}. It was called because {reason}. {other}"
        f" covered {words.amount(event.debt_covered)} for"
        f" {words.amount(event.collateral_paid)}, a fee of {words.amount(event.margin_call_fee)}"
        f" included. {end}"
    )


def call_price_of(event: MarginCallEvent) -> Price:
    """The call price that a position had when it was called (R1.10)."""
    return price_of_call(
        event.debt_before, event.collateral_before, event.maintenance_collateral_ratio
    )
