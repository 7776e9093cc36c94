"""API `pegboard`: all that there is of a kind, oldest first and page by page, for exports.

A page is `records` and `next`: where the following page begins, null when nothing follows so far.
What blocks add comes behind what was read, so that pages neither lose a record nor tell one twice.
Only a chain that goes back takes records away, which a caller sees by the ids of its blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Annotated

from node.api.arguments import AssetArg, Text, at_most, integer
from node.api.call import Answer, Call
from node.api.holds import Hold
from node.api.json_text import write_json
from node.api.methods.explanations import subject_column, view_margin_call
from node.api.methods.pegboard import bitasset_of, position_viewer, position_viewer_by
from node.api.trades import Trade, trades_from
from node.api.views import view_amount, view_price, view_record
from node.history.figures import market_of
from node.history.kind import Kind
from node.history.reader import E
from node.history.records import FEEDS, MARGIN_CALLS, FillRecord
from node.state.errors import NoSuchObject
from node.state.objects.assets import Asset
from node.whatif.simulate import Guard
from protocol.ids import AssetId, CallOrderId, account_text, asset_text, operation_text
from protocol.json_form import JsonValue, format_time

PageLimit = Annotated[int, at_most(100)]
PositionLimit = Annotated[int, at_most(10_000)]
HoldNumber = Annotated[int, integer(1, (1 << 63) - 1)]
OptionalHold = Annotated[int | None, integer(1, (1 << 63) - 1)]
Start = Annotated[int, integer(0, (1 << 63) - 1)]


def list_trades(
    call: Call, base: AssetArg, quote: AssetArg, start: Start = 0, limit: PageLimit = 100
) -> Answer:
    """Trades of a market from a sequence number on, oldest first, each with both of its sides.

    A page is `records` and `next`, null at the end. The price is base per quote; `amounts` are what
    changed hands, the base first. A side that was not recorded is null; margin calls are trades.
    """
    market = market_of(base.id, quote.id)
    trades, following = trades_from(call.backend.history, market, start=start, limit=limit)
    return {
        "records": [_view_trade(call, trade, base) for trade in trades],
        "next": following,
    }


def list_feeds(call: Call, asset: AssetArg, start: Start = 0, limit: PageLimit = 100) -> Answer:
    """Medians of a BitAsset's feeds from an `instance` on, oldest first, as in `get_feed_history`.

    A page is `records` and `next`, null at the end.
    """
    events = _from(call, FEEDS, "asset_id", int(asset.id), start, limit)
    return _page(events, limit, lambda one: view_record(call.backend, one))


def list_margin_calls(
    call: Call, subject: Text, start: Start = 0, limit: PageLimit = 100
) -> Answer:
    """Margin calls of a BitAsset or of an account from an `instance` on, oldest first.

    A page is `records` and `next`, null at the end; the records are as in `explain_margin_call`.
    """
    column, value = subject_column(call, subject)
    events = _from(call, MARGIN_CALLS, column, value, start, limit)
    return _page(events, limit, lambda one: view_margin_call(call, one))


def hold_state(call: Call) -> Answer:
    """Hold the state as the head block left it, for reads piece by piece while the chain moves on;
    its number, and the head.

    It is let go by `drop_state`, a minute after the last read, or with its block.
    """
    hold = call.services.holds.make(call.backend.chain, call.backend.now_s())
    return {"hold": hold.number, **_view_held(hold)}


def drop_state(call: Call, hold: HoldNumber) -> Answer:
    """Read a state no more that was held; null."""
    call.services.holds.drop(hold)
    return None


def list_positions(
    call: Call,
    asset: AssetArg,
    start: Start = 0,
    limit: PositionLimit = 1_000,
    hold: OptionalHold = None,
) -> Answer:
    """Positions of a BitAsset as the head block left them, least collateralised first.

    Pending transactions count for nothing. `start` is how many are passed over. A page is `records`
    as in `get_positions`, `next`, null at the end, and the head; pages of one `head_block_id` fit
    together, and one page is most often all: up to 10,000 positions, when `limit` asks for them.
    With a `hold` of `hold_state` all pages are of its block, whatever happens meanwhile.
    """
    bitasset_of(call, asset)
    if hold is not None:
        held = call.services.holds.use(hold, call.backend.now_s())
        return call.services.ask_aside(
            call.session, lambda _: _held_positions(call, held, asset.id, start, limit)
        )

    def work(_guard: Guard) -> bytes:
        with call.backend.chain.head_state() as state:
            head = state.dynamic
            view = position_viewer(call, asset)
            found = islice(state.positions.items(asset.id), start, start + limit)
            records = [view(position) for position in found]
            place = _view_place(head.head_block_number, head.head_block_id.hex(), head.time)
            return _position_page(place, records, start, state.positions.count(asset.id))

    return call.services.ask_aside(call.session, work)


def _held_positions(call: Call, hold: Hold, asset: AssetId, start: int, limit: int) -> bytes:
    """A page of the positions as a block left them, by the feed and the highest bid of then."""
    state, cut = call.state, hold.cut
    bitassets = cut.objects(state.bitassets)
    bitasset = next((one for one in bitassets if one.asset_id == asset), None)
    if bitasset is None:
        raise NoSuchObject("it was no BitAsset yet", rule="R0.1", value=asset_text(asset))
    market = (asset, bitasset.options.short_backing_asset)
    bids = (one for one in cut.objects(state.limit_orders) if (one.sells, one.receives) == market)
    bid = min(bids, key=lambda one: (state.book.key_of(one), one.id), default=None)
    found = [one for one in cut.objects(state.call_orders) if one.debt_asset == asset]
    found.sort(key=lambda one: (state.positions.key_of(one), one.id))
    view = position_viewer_by(call, bitasset, bid)
    records = [view(position) for position in found[start : start + limit]]
    return _position_page(_view_held(hold), records, start, len(found))


def _position_page(
    place: dict[str, JsonValue], records: list[JsonValue], start: int, count: int
) -> bytes:
    end = start + len(records)
    return write_json({**place, "records": records, "next": None if end >= count else end})


def _view_held(hold: Hold) -> dict[str, JsonValue]:
    return _view_place(hold.block_num, hold.block_id, hold.time_s)


def _view_place(num: int, block_id: str, time_s: int) -> dict[str, JsonValue]:
    return {
        "head_block_number": num,
        "head_block_id": block_id,
        "head_block_time": format_time(time_s),
    }


def _from(call: Call, kind: Kind[E], column: str, value: int, start: int, limit: int) -> list[E]:
    """One record more than a page has, if there is one."""
    return call.backend.history.events_from(kind, column, value, oldest=start, limit=limit + 1)


def _page(found: Sequence[E], limit: int, view: Callable[[E], JsonValue]) -> JsonValue:
    following = found[limit].instance if len(found) > limit else None
    return {"records": [view(one) for one in found[:limit]], "next": following}


def _view_trade(call: Call, trade: Trade, base: Asset) -> JsonValue:
    side = trade.sides[0]
    pays, receives = side.op.pays, side.op.receives
    amounts = (pays, receives) if pays.asset_id == base.id else (receives, pays)
    price = side.op.fill_price
    return {
        "sequence": min(trade.sequences),
        "block_num": side.block_num,
        "block_time": format_time(side.time),
        "amounts": [view_amount(call.backend, amount) for amount in amounts],
        "price": view_price(
            call.backend, price if price.base.asset_id == base.id else price.inverse()
        ),
        "is_margin_call": any(one.op.order_id.is_of(CallOrderId) for one in trade.sides),
        "maker": _view_side(call, trade.maker),
        "taker": _view_side(call, trade.taker),
    }


def _view_side(call: Call, side: FillRecord | None) -> JsonValue:
    """Who traded, with which order or position, and the fee that was taken."""
    if side is None:
        return None
    return {
        "operation": operation_text(side.operation),
        "account": account_text(side.op.account_id),
        "account_name": call.state.accounts.get(side.op.account_id).name,
        "order": str(side.op.order_id),
        "fee": view_amount(call.backend, side.op.fee),
    }


METHODS = (list_trades, list_feeds, list_margin_calls, hold_state, drop_state, list_positions)
