"""API `pegboard`: what happened to BitAssets, and why: feeds, margin calls, settlements."""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import AssetArg, Text, at_most, find_account, find_asset, integer
from node.api.call import Answer, Call
from node.api.decimals import amount_text, price_text
from node.api.history import NEWEST, AssetEventRecord, FeedRecord, MarginCallRecord
from node.api.views import Json, view_amount, view_price
from node.market.pricing import price_of_call
from node.state.errors import NoSuchObject
from node.state.objects.governance import TRIGGER_FEED
from protocol.asset import AssetAmount, Price
from protocol.constants import RATIO_DENOMINATOR
from protocol.ids import (
    CallOrderId,
    OperationHistoryId,
    account_text,
    asset_text,
    operation_text,
    order_text,
    parse_object_id,
    position_text,
)
from protocol.json_form import JsonValue, format_time

RecordLimit = Annotated[int, at_most(100)]
Start = Annotated[int, integer(0, (1 << 63) - 1)]
EVENT_NAMES = ("global_settlement", "revival", "feed_expired", "margin_calls_abandoned")


def get_feed_history(
    call: Call, asset: AssetArg, start: Start = 0, limit: RecordLimit = 100
) -> Answer:
    """Medians of a BitAsset's feeds, newest first, from `instance` start down; 0 is the newest.

    Each was in force until the next. The price is null where feeds were too few.
    """
    records = call.backend.history.feeds_of(asset.id, newest=start or NEWEST, limit=limit)
    return [_view_feed(call, record) for record in records]


def get_margin_call_history(
    call: Call, subject: Text, start: Start = 0, limit: RecordLimit = 100
) -> Answer:
    """Margin calls of a BitAsset or of an account, newest first, as `explain_margin_call` does."""
    history, newest = call.backend.history, start or NEWEST
    asset, account = find_asset(call.backend, subject), find_account(call.backend, subject)
    if asset is not None:
        records = history.margin_calls_of(asset=asset.id, newest=newest, limit=limit)
    elif account is not None:
        records = history.margin_calls_of(account=account.id, newest=newest, limit=limit)
    else:
        raise NoSuchObject("no such asset or account", value=subject)
    return [_view_margin_call(call, record) for record in records]


def explain_margin_call(call: Call, id: Text) -> Answer:  # noqa: A002  # its name on the wire
    """Why a position was called: by its id (1.8.n), its newest call, or by that of a fill (1.11.n).

    Ratios are over 1,000 and rounded down; prices are BitAsset per backing.
    """
    found = parse_object_id(id)
    history = call.backend.history
    record: MarginCallRecord | None = None
    if found.is_of(CallOrderId):
        position = CallOrderId(found.instance)
        record = next(
            iter(history.margin_calls_of(position=position, newest=NEWEST, limit=1)), None
        )
    elif found.is_of(OperationHistoryId):
        record = history.margin_call_at(found.instance)
    if record is None:
        raise NoSuchObject("no margin call of this id", value=id, limit="1.8.n or 1.11.n")
    return _view_margin_call(call, record)


def get_asset_events(
    call: Call, asset: AssetArg, start: Start = 0, limit: RecordLimit = 100
) -> Answer:
    """Global settlements, revivals and expired feeds of a BitAsset, newest first."""
    records = call.backend.history.asset_events_of(asset.id, newest=start or NEWEST, limit=limit)
    return [_view_event(call, record) for record in records]


def _view_feed(call: Call, record: FeedRecord) -> JsonValue:
    return {
        "instance": record.instance,
        "asset_id": asset_text(record.asset),
        "block_num": record.block_num,
        "block_time": format_time(record.block_time),
        "settlement_price": _price_or_none(call, record.settlement_price),
        "core_exchange_rate": _price_or_none(call, record.core_exchange_rate),
        "maintenance_collateral_ratio": record.maintenance_collateral_ratio,
        "maximum_short_squeeze_ratio": record.maximum_short_squeeze_ratio,
        "initial_collateral_ratio": record.initial_collateral_ratio,
        "publication_time": format_time(record.publication_time),
        "feed_count": record.feed_count,
    }


def _view_event(call: Call, record: AssetEventRecord) -> JsonValue:
    return {
        "instance": record.instance,
        "asset_id": asset_text(record.asset),
        "block_num": record.block_num,
        "block_time": format_time(record.block_time),
        "event": EVENT_NAMES[record.kind],
        "settlement_price": _price_or_none(call, record.settlement_price),
        "settlement_fund": str(record.settlement_fund),
    }


def _view_margin_call(call: Call, record: MarginCallRecord) -> JsonValue:
    backend, trigger = call.backend, call.state.chain.margin_call_trigger
    debt_asset, backing = record.debt.asset_id, record.collateral.asset_id
    debt_left = AssetAmount(record.debt_left, debt_asset)
    collateral_left = AssetAmount(record.collateral_left, backing)
    answer: Json = {
        "instance": record.instance,
        "operation": operation_text(OperationHistoryId(record.operation)),
        "block_num": record.block_num,
        "block_time": format_time(record.block_time),
        "position": position_text(record.position),
        "account": account_text(record.account),
        "account_name": call.state.accounts.get(record.account).name,
        "trigger": "feed" if trigger == TRIGGER_FEED else "bid",
        "settlement_price": view_price(backend, record.settlement_price),
        "maintenance_collateral_ratio": record.maintenance_collateral_ratio,
        "margin_call_order_price": view_price(backend, record.order_price),
        "debt_before": view_amount(backend, record.debt),
        "collateral_before": view_amount(backend, record.collateral),
        "collateral_ratio_before": _ratio(record, record.debt, record.collateral),
        "call_price": view_price(backend, _call_price(record)),
        "bid": order_text(record.bid),
        "bidder": account_text(record.bidder),
        "bid_price": view_price(backend, record.bid_price),
        "debt_covered": view_amount(backend, AssetAmount(record.covered, debt_asset)),
        "collateral_paid": view_amount(backend, AssetAmount(record.paid, backing)),
        "margin_call_fee": view_amount(backend, AssetAmount(record.fee, backing)),
        "debt_after": view_amount(backend, debt_left),
        "collateral_after": view_amount(backend, collateral_left),
        "collateral_ratio_after": _ratio(record, debt_left, collateral_left),
        "is_closed": record.debt_left == 0,
    }
    return answer | {"explanation": _explain(call, record)}


def _explain(call: Call, record: MarginCallRecord) -> str:
    """The same in one paragraph, amounts and prices as people write them."""
    assets = call.state.assets
    debt, backing = assets.get(record.debt.asset_id), assets.get(record.collateral.asset_id)
    unit = f"{debt.symbol} per {backing.symbol}"

    def price(value: Price) -> str:
        return f"{price_text(value, debt, backing)} {unit}"

    def amounts(owed: int, held: int) -> str:
        return (
            f"{amount_text(owed, debt)} {debt.symbol} against"
            f" {amount_text(held, backing)} {backing.symbol}"
        )

    if call.state.chain.margin_call_trigger == TRIGGER_FEED:
        reason = f"the settlement price was not above its call price {price(_call_price(record))}"
    else:
        reason = (
            f"the highest bid, {price(record.bid_price)}, was below its call price"
            f" {price(_call_price(record))} and above {price(record.order_price)}, the worst price"
            " that a margin call takes"
        )
    end = (
        f"It closed, and {amount_text(record.collateral_left, backing)} {backing.symbol} returned"
        " to its owner."
        if record.debt_left == 0
        else f"It was left with {amounts(record.debt_left, record.collateral_left)}."
    )
    return (
        f"In block {record.block_num} the settlement price was {price(record.settlement_price)}"
        f" and position {position_text(record.position)} owed"
        f" {amounts(record.debt.amount, record.collateral.amount)}. It was called because {reason}."
        f" Order {order_text(record.bid)} covered {amount_text(record.covered, debt)}"
        f" {debt.symbol} for"
        f" {amount_text(record.paid, backing)} {backing.symbol}, a fee of"
        f" {amount_text(record.fee, backing)} included. {end}"
    )


def _call_price(record: MarginCallRecord) -> Price:
    return price_of_call(record.debt, record.collateral, record.maintenance_collateral_ratio)


def _ratio(record: MarginCallRecord, debt: AssetAmount, collateral: AssetAmount) -> JsonValue:
    """The collateral ratio at the median feed; null without debt."""
    if debt.amount == 0:
        return None
    price = record.settlement_price
    worth = collateral.amount * price.base.amount
    return worth * RATIO_DENOMINATOR // (debt.amount * price.quote.amount)


def _price_or_none(call: Call, price: Price) -> JsonValue:
    return None if price.is_null() else view_price(call.backend, price)


METHODS = (get_feed_history, get_margin_call_history, explain_margin_call, get_asset_events)
