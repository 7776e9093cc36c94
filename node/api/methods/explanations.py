"""API `pegboard`: what happened to BitAssets, and why: feeds, margin calls, settlements."""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import AssetArg, Text, at_most, find_account, find_asset, integer
from node.api.call import Answer, Call
from node.api.methods import why
from node.api.methods.pegboard import wording
from node.api.views import view_amount, view_price, view_record
from node.explain.past import call_price_of, past_call_text
from node.history.kind import Kind
from node.history.reader import E
from node.history.records import ASSET_EVENTS, FEEDS, MARGIN_CALLS, NEWEST, MarginCallRecord
from node.market.pricing import collateral_ratio
from node.state.errors import NoSuchObject
from node.state.events import MarginCallEvent
from node.state.objects.assets import Asset
from node.state.objects.governance import TRIGGER_NAMES
from protocol.asset import AssetAmount
from protocol.ids import CallOrderId, OperationHistoryId, parse_object_id
from protocol.json_form import JsonValue

RecordLimit = Annotated[int, at_most(100)]
Start = Annotated[int, integer(0, (1 << 63) - 1)]
MARGIN_CALL_COLUMNS = ((CallOrderId, "position"), (OperationHistoryId, "operation"))
"""By which column a margin call is found from an id of a type."""


def get_feed_history(
    call: Call, asset: AssetArg, start: Start = 0, limit: RecordLimit = 100
) -> Answer:
    """Medians of a BitAsset's feeds, newest first, from `instance` start down; 0 is the newest.

    Each was in force until the next. The price is null where feeds were too few.
    """
    return [
        view_record(call.backend, record) for record in _of_asset(call, FEEDS, asset, start, limit)
    ]


def get_margin_call_history(
    call: Call, subject: Text, start: Start = 0, limit: RecordLimit = 100
) -> Answer:
    """Margin calls of a BitAsset or of an account, newest first, as `explain_margin_call` does."""
    history, newest = call.backend.history, start or NEWEST
    column, value = subject_column(call, subject)
    records = history.events_of(MARGIN_CALLS, column, value, newest=newest, limit=limit)
    return [view_margin_call(call, record) for record in records]


def explain_margin_call(call: Call, id: Text) -> Answer:  # noqa: A002  # its name on the wire
    """Why a position was called: by its id (1.8.n), its newest call, or by that of a fill (1.11.n).

    Ratios are over 1,000 and rounded down; prices are BitAsset per backing.
    """
    found = parse_object_id(id)
    columns = [column for cls, column in MARGIN_CALL_COLUMNS if found.is_of(cls)]
    records = [
        record
        for column in columns
        for record in call.backend.history.events_of(
            MARGIN_CALLS, column, found.instance, newest=NEWEST, limit=1
        )
    ]
    if not records:
        raise NoSuchObject(
            "no margin call of this id", rule="R0.1", value=id, limit="1.8.n or 1.11.n"
        )
    return view_margin_call(call, records[0])


def get_asset_events(
    call: Call, asset: AssetArg, start: Start = 0, limit: RecordLimit = 100
) -> Answer:
    """Global settlements, revivals and expired feeds of a BitAsset, newest first."""
    return [
        view_record(call.backend, record) | {"settlement_fund": str(record.settlement_fund)}
        for record in _of_asset(call, ASSET_EVENTS, asset, start, limit)
    ]


def _of_asset(call: Call, kind: Kind[E], asset: Asset, start: int, limit: int) -> list[E]:
    newest = start or NEWEST
    return call.backend.history.events_of(kind, "asset_id", asset.id, newest=newest, limit=limit)


def subject_column(call: Call, subject: str) -> tuple[str, int]:
    """By which column, and value in it, margin calls of a BitAsset or an account are found."""
    asset, account = find_asset(call.backend, subject), find_account(call.backend, subject)
    if asset is not None:
        return "debt_before_asset_id", int(asset.id)
    if account is not None:
        return "account", int(account.id)
    raise NoSuchObject("no such asset or account", rule="R0.1", value=subject)


def view_margin_call(call: Call, record: MarginCallRecord) -> JsonValue:
    """The record, and what follows from it."""
    backend, event = call.backend, record.event
    trigger = call.state.chain.margin_call_trigger
    answer = view_record(backend, record) | {
        "account_name": call.state.accounts.get(event.account).name,
        "trigger": TRIGGER_NAMES[trigger],
        "call_price": view_price(backend, call_price_of(event)),
        "collateral_ratio_before": _ratio(event, event.debt_before, event.collateral_before),
        "debt_after": view_amount(backend, event.debt_after),
        "collateral_after": view_amount(backend, event.collateral_after),
        "collateral_ratio_after": _ratio(event, event.debt_after, event.collateral_after),
        "is_closed": event.debt_after.amount == 0,
    }
    words = wording(call)
    return answer | {"explanation": past_call_text(event, record.block_num, trigger, words)}


def _ratio(event: MarginCallEvent, debt: AssetAmount, collateral: AssetAmount) -> JsonValue:
    """The collateral ratio at the median feed; null without debt."""
    if debt.amount == 0:
        return None
    return collateral_ratio(collateral.amount, debt.amount, event.settlement_price)


METHODS = (
    *why.METHODS,
    get_feed_history,
    get_margin_call_history,
    explain_margin_call,
    get_asset_events,
)
