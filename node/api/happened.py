"""What happened in a block, from the history: each effect in a sentence beside its rule."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from node.api.call import Call
from node.explain.deeds import describe, describe_turn
from node.explain.effects import (
    MATCHED_POSITION,
    SETTLED,
    SETTLED_ALONE,
    SETTLED_BY_ISSUER,
    Turns,
    rule_of,
    rule_of_turn,
)
from node.explain.past import past_call_text
from node.explain.records import Effect
from node.explain.wording import Wording
from node.history.records import (
    ASSET_EVENTS,
    MARGIN_CALLS,
    NEWEST,
    AssetEventRecord,
    OperationRecord,
)
from node.rules import sentence_of
from node.state.events import MarginCallEvent
from protocol.asset import AssetAmount
from protocol.ids import AssetId, CallOrderId, ForceSettlementId
from protocol.operations import fee_payer
from protocol.operations.base import Operation
from protocol.operations.limit_order import FillOrder, LimitOrderCancel, LimitOrderCreate
from protocol.schema import Record, schema_of

EVENTS_A_READ = 100
EFFECTS_A_STEP = 10
MARGIN_CALL = "R4.4"
HOW_SETTLED = {
    SETTLED: "settled globally",
    SETTLED_BY_ISSUER: "settled globally",
    SETTLED_ALONE: "settled alone",
    MATCHED_POSITION: "called",
}
"""What a position's fill is called by its rule, where the fill alone does not tell."""


def effects_in(
    call: Call, block_num: int, index: int | None, words: Wording
) -> Generator[None, None, list[Effect]]:
    """The effects of a block, or of one of its transactions, in order; a block may be long."""
    records = call.backend.history.operations_in(block_num)
    events = yield from _turns_in(call, records, block_num)
    turns = _turns(events)
    beside: dict[int, list[Operation]] = {}
    for record in records:
        beside.setdefault(record.trx_in_block, []).append(record.op)
    found = []
    for place, record in enumerate(records):
        if index is None or (record.trx_in_block == index and not record.is_virtual):
            found.append(effect_of(call, record, beside[record.trx_in_block], turns, words))
        if place % EFFECTS_A_STEP == 0:
            yield
    if index is None:
        found += (_turn(call, event, records, words) for event in events)
    return found


def turns_of(call: Call, block_num: int) -> Generator[None, None, Turns]:
    """Which BitAssets a block has settled globally, or revived by bids."""
    records = call.backend.history.operations_in(block_num)
    return _turns((yield from _turns_in(call, records, block_num)))


def _turns(events: Sequence[AssetEventRecord]) -> Turns:
    return Turns(
        settled=_assets_of(events, "global_settlement"),
        revived_by_bids=_assets_of([one for one in events if one.by_bids], "revival"),
        settled_alone=_assets_of(events, "individual_settlement"),
    )


def effect_of(
    call: Call,
    record: OperationRecord,
    beside: Sequence[Operation],
    turns: Turns,
    words: Wording,
) -> Effect:
    """One operation; `beside` are those of its transaction, or of its boundary, and itself."""
    margin_call = _margin_call_of(call, record)
    rule = rule_of(
        record.op,
        is_virtual=record.is_virtual,
        beside=beside,
        turns=turns,
        is_matched=margin_call is not None and margin_call.request is not None,
        is_buyback=_is_buyback(call, record.op),
    )
    trigger, explanation = call.state.chain.margin_call_trigger, None
    if margin_call is not None and rule in (MARGIN_CALL, MATCHED_POSITION):
        explanation = past_call_text(margin_call, record.block_num, trigger, words)
    return Effect(
        is_virtual=record.is_virtual,
        text=describe(record.op, words, how=HOW_SETTLED.get(rule)),
        rule=rule,
        rule_says=sentence_of(rule) or "",
        operation=record.instance,
        trx_in_block=None if record.is_virtual else record.trx_in_block,
        explanation=explanation,
    )


def _is_buyback(call: Call, op: Operation) -> bool:
    """Whether it is an order of an account that buys an asset back, or its end (Y2.3)."""
    if not isinstance(op, LimitOrderCreate | LimitOrderCancel):
        return False
    account = call.state.accounts.find(fee_payer(op))
    return account is not None and account.allowed_assets is not None


def _margin_call_of(call: Call, record: OperationRecord) -> MarginCallEvent | None:
    """The margin call that a position's fill is of, or that of the request, which follows it."""
    op = record.op
    if not isinstance(op, FillOrder):
        return None
    is_request = op.order_id.is_of(ForceSettlementId)
    if not is_request and not op.order_id.is_of(CallOrderId):
        return None
    found = call.backend.history.events_of(
        MARGIN_CALLS, "operation", record.instance - is_request, newest=NEWEST, limit=1
    )
    return found[0].event if found else None


def _turn(
    call: Call, event: AssetEventRecord, records: Sequence[OperationRecord], words: Wording
) -> Effect:
    ops = [record.op for record in records]
    rule = rule_of_turn(event.asset_id, event.event, ops, by_bids=event.by_bids)
    bitasset = call.state.bitasset_of(event.asset_id)
    assert bitasset is not None, event
    fund = AssetAmount(event.settlement_fund, bitasset.options.short_backing_asset)
    text = describe_turn(event.asset_id, event.event, event.settlement_price, fund, words)
    return Effect(is_virtual=True, text=text, rule=rule, rule_says=sentence_of(rule) or "")


def _turns_in(
    call: Call, records: Sequence[OperationRecord], block_num: int
) -> Generator[None, None, list[AssetEventRecord]]:
    """Global settlements, revivals and expired feeds of the BitAssets that a block is about."""
    found: list[AssetEventRecord] = []
    assets = set[AssetId]().union(*(_assets_in(record.op) for record in records))
    for asset_id in sorted(assets):
        asset, newest = call.state.assets.find(asset_id), NEWEST
        while asset is not None and asset.bitasset_data_id is not None:
            events = call.backend.history.events_of(
                ASSET_EVENTS, "asset_id", asset_id, newest=newest, limit=EVENTS_A_READ
            )
            found += (event for event in events if event.block_num == block_num)
            if len(events) < EVENTS_A_READ or events[-1].block_num < block_num:
                break
            newest = events[-1].instance - 1
            yield
    return found


def _assets_of(events: Sequence[AssetEventRecord], kind: str) -> frozenset[AssetId]:
    return frozenset(event.asset_id for event in events if event.event == kind)


def _assets_in(value: object) -> set[AssetId]:
    """The assets that the amounts of a record are of, apart from those of nothing."""
    if isinstance(value, AssetAmount):
        return {value.asset_id} if value.amount else set()
    if isinstance(value, tuple):
        return set[AssetId]().union(*map(_assets_in, value))
    if not isinstance(value, Record):
        return set()
    fields = schema_of(type(value)).fields
    return set[AssetId]().union(*(_assets_in(getattr(value, field.name)) for field in fields))
