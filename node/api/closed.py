"""Orders, settlement requests and collateral bids that are gone: what became of them."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from node.api.call import Call
from node.api.happened import effect_of, turns_of
from node.explain.effects import Turns
from node.explain.records import OrderExplanation, Statement
from node.explain.wording import Wording, statement
from node.history.records import BIDS, NEWEST, STEPS, OperationRecord, subject_of
from node.state.errors import NoSuchObject
from protocol.asset import AssetAmount
from protocol.ids import AccountId, AssetId, CollateralBidId, ObjectId
from protocol.json_form import format_time
from protocol.operations import ENTRY_OF
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetSettle, BidCollateral, ExecuteBid
from protocol.operations.limit_order import LimitOrderCreate

EFFECTS_TOLD = 20
"""Of one order, the newest."""
BIDS_A_STEP = 100
NO_TURNS = Turns(frozenset(), frozenset())
BID_TYPES = (ENTRY_OF[BidCollateral].id, ENTRY_OF[ExecuteBid].id)


def explain_closed(
    call: Call, found: ObjectId, words: Wording
) -> Generator[None, None, OrderExplanation]:
    """What became of an order, a request or a bid that is gone; raises `NoSuchObject`."""
    turns, left_out = NO_TURNS, False
    if found.is_of(CollateralBidId):
        records, turns = yield from _life_of_bid(call, found)
    else:
        records, left_out = _life(call, found)
    if not records:
        raise NoSuchObject("it never waited", rule="R0.1", value=str(found))
    owner, amount = _begin(records[0].op)
    return OrderExplanation(
        id=found,
        owner=owner,
        amount=amount,
        before=0,
        amount_before=AssetAmount(0, amount.asset_id),
        statements=tuple(
            _statement(call, one, turns, words, is_cut=left_out and one is records[0])
            for one in records
        ),
    )


def _life(call: Call, found: ObjectId) -> tuple[list[OperationRecord], bool]:
    """The first and the newest operations about an order or a request; whether any are left out
    between them."""
    history, subject = call.backend.history, subject_of(found)
    newest = history.events_of(STEPS, "subject", subject, newest=NEWEST, limit=EFFECTS_TOLD)
    [*first] = history.events_from(STEPS, "subject", subject, oldest=0, limit=2)
    numbers = dict.fromkeys(one.instance for one in (*first[:1], *reversed(newest)))
    left_out = len(first) > 1 and first[1].instance < newest[-1].instance
    return _records(call, numbers), left_out


def _life_of_bid(
    call: Call, found: ObjectId
) -> Generator[None, None, tuple[list[OperationRecord], Turns]]:
    """By what a bid was made and what ended it, and what turned then.

    There is one bid at a time (R6.5): its bidder's next with that BitAsset ends it, or the chain
    returns it or makes a position of it.
    """
    history = call.backend.history
    number = found.instance
    made = history.events_from(BIDS, "instance", number, oldest=number, limit=1)
    if not made:
        return [], NO_TURNS
    [begin] = _records(call, [made[0].operation])
    assert isinstance(begin.op, BidCollateral), begin
    asset_id = begin.op.debt_covered.asset_id
    ends: list[OperationRecord] = []
    for operation_type in BID_TYPES:
        newest = NEWEST
        while records := history.typed_operations_of(
            begin.op.bidder,
            operation_type,
            newest=newest,
            oldest=begin.instance + 1,
            limit=BIDS_A_STEP,
        ):
            ends += (one for one in records if _asset_of_bid(one.op) == asset_id)
            newest = records[-1].instance - 1
            yield
    for end in sorted(ends, key=lambda one: one.instance):
        turns = yield from turns_of(call, end.block_num)
        # the issuer takes over what a feed revives, which is no bid
        if isinstance(end.op, BidCollateral) or asset_id in turns.revived_by_bids:
            return [begin, end], turns
    return [begin], NO_TURNS


def _records(call: Call, operations: Iterable[int]) -> list[OperationRecord]:
    found = map(call.backend.history.operation, operations)
    return [record for record in found if record is not None]


def _asset_of_bid(op: Operation) -> AssetId:
    if isinstance(op, ExecuteBid):
        return op.debt.asset_id
    assert isinstance(op, BidCollateral), op
    return op.debt_covered.asset_id


def _begin(op: Operation) -> tuple[AccountId, AssetAmount]:
    """Whose it was, and of how much."""
    match op:
        case LimitOrderCreate():
            return op.seller, op.amount_to_sell
        case AssetSettle():
            return op.account, op.amount
        case BidCollateral():
            return op.bidder, op.debt_covered
        case _:
            raise AssertionError(f"nothing begins with {op}")


def _statement(
    call: Call, record: OperationRecord, turns: Turns, words: Wording, *, is_cut: bool
) -> Statement:
    """One step of its life; `is_cut` where some after it are not told."""
    records = call.backend.history.operations_in(record.block_num)
    beside = [one.op for one in records if one.trx_in_block == record.trx_in_block]
    effect = effect_of(call, record, beside, turns, words)
    at = f"block {record.block_num:,}, {format_time(record.block_time)}"
    by = ", by the chain" if record.is_virtual else ""
    more = "; some steps after it are left out" if is_cut else ""
    return statement(effect.rule, f"{effect.text} ({at}{by}){more}")
