"""Database API: orders, positions, settlements and trades."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Annotated

from node.api.arguments import (
    ORDER_ID,
    PRICE,
    AccountArg,
    AssetArg,
    OrderId,
    Text,
    Time,
    at_most,
    instance_of,
    integer,
    need_asset,
)
from node.api.call import Answer, Call, Steps, Stepwise
from node.api.errors import InvalidParams
from node.api.full_account import positions_of, settlements_of
from node.api.order_book import check_market, orders_of, view_order_book, view_ticker, view_volume
from node.api.trades import read_trades, view_trade
from node.api.views import view_object
from node.history.figures import market_of
from node.history.records import NEWEST, Market
from node.state.keys import RATIO_KEY_BITS, offer_key
from node.state.objects.assets import Asset
from node.state.objects.base import StateObject
from node.state.objects.market import LimitOrder
from protocol.asset import Price
from protocol.ids import AssetId, ForceSettlementId, LimitOrderId, order_text
from protocol.json_form import JsonValue

FIRST_PLACE = (-1 << (64 + RATIO_KEY_BITS), 0)
"""Before every order of a book."""

OrderLimit = Annotated[int, at_most(300)]
BookLimit = Annotated[int, at_most(50)]
HundredLimit = Annotated[int, at_most(100)]
AccountOrderLimit = Annotated[int, at_most(101)]
OptionalOrderId = Annotated[int | None, ORDER_ID]
OptionalPrice = Annotated[Price | None, PRICE]
FirstAssetId = Annotated[int, instance_of("asset id", AssetId)]
SettlementId = Annotated[int, instance_of("force settlement id", ForceSettlementId)]
Sequence = Annotated[int, integer(0, (1 << 63) - 1)]
Skip = Annotated[int, integer(0, (1 << 32) - 1)]


def get_limit_orders(call: Call, a: AssetArg, b: AssetArg, limit: OrderLimit) -> Answer:
    """The best `limit` orders that sell `a`, then those that sell `b`."""
    sides = ((a.id, b.id), (b.id, a.id))
    return [
        view_object(call.backend, order)
        for sells, receives in sides
        for order in islice(orders_of(call.backend, sells, receives), limit)
    ]


def get_account_limit_orders(
    call: Call,
    account: AccountArg,
    base: AssetArg,
    quote: AssetArg,
    limit: AccountOrderLimit = 101,
    start_id: OptionalOrderId = None,
    start_price: OptionalPrice = None,
) -> Answer:
    """An account's orders that sell the base for the quote, best first, older first at one price.

    They begin with an order, or behind it when it is gone and its price is given; or with a price.
    """
    own = [
        order
        for order in call.state.orders_of_account.items(account.id)
        if (order.sells, order.receives) == (base.id, quote.id)
    ]
    own.sort(key=_place_in_book)
    first = _first_place(own, base, quote, start_id, start_price)
    return _views(call, islice((order for order in own if _place_in_book(order) >= first), limit))


def get_limit_orders_by_account(
    call: Call, account: AccountArg, limit: AccountOrderLimit = 101, start: OrderId = 0
) -> Answer:
    """An account's orders by id, from an id on."""
    orders = call.state.orders_of_account.items(account.id)
    own = (order for order in orders if order.id >= start)
    return _views(call, islice(own, limit))


def get_order_book(call: Call, base: Text, quote: Text, limit: BookLimit = 50) -> Answer:
    """Bids and asks as decimal text; `base` and `quote` are echoed as asked."""
    base_asset, quote_asset = need_asset(call.backend, base), need_asset(call.backend, quote)

    def work() -> JsonValue:
        bids, asks = view_order_book(call.backend, base_asset, quote_asset, limit)
        return {"base": base, "quote": quote, "bids": list(bids), "asks": list(asks)}

    return call.keep((get_order_book, base, quote, limit), work)


def get_ticker(call: Call, base: AssetArg, quote: AssetArg) -> Answer:
    """Latest price, best offers, volumes of 24 hours; all zero before the first trade."""
    return view_ticker(call.backend, base, quote)


def get_top_markets(call: Call, limit: HundredLimit) -> Answer:
    """Tickers of the markets that traded most of their base in 24 hours, that one first.

    The base is the asset of the lower id.
    """
    return Stepwise(_view_markets(call, limit))


def get_24_volume(call: Call, base: AssetArg, quote: AssetArg) -> Answer:
    """The volumes of the last 24 hours."""
    return view_volume(call.backend, base, quote)


def get_call_orders(call: Call, asset: AssetArg, limit: OrderLimit) -> Answer:
    """Positions of a BitAsset, least collateralised first."""
    return _views(call, islice(call.state.positions.items(asset.id), limit))


def get_call_orders_by_account(
    call: Call, account: AccountArg, start: FirstAssetId = 0, limit: OrderLimit = 300
) -> Answer:
    """The positions of an account by their debt asset, from an asset's id on."""
    own = (item for item in positions_of(call, account.id) if item.debt_asset >= start)
    return _views(call, islice(own, limit))


def get_margin_positions(call: Call, account: AccountArg) -> Answer:
    """The positions of an account by their debt asset."""
    return _views(call, positions_of(call, account.id))


def get_settle_orders(call: Call, asset: AssetArg, limit: OrderLimit) -> Answer:
    """Settlement requests of a BitAsset, earliest first."""
    return _views(call, islice(call.state.settlements.items(asset.id), limit))


def get_settle_orders_by_account(
    call: Call, account: AccountArg, start: SettlementId = 0, limit: OrderLimit = 300
) -> Answer:
    """The settlement requests of an account by id, from an id on."""
    own = (item for item in settlements_of(call, account.id) if item.id >= start)
    return _views(call, islice(own, limit))


def get_collateral_bids(
    call: Call, asset: AssetArg, limit: HundredLimit, start: Skip = 0
) -> Answer:
    """Bids for the debt of a globally settled BitAsset, best first, from the n-th on."""
    return _views(call, islice(call.state.bids.items(asset.id), start, start + limit))


def get_trade_history(
    call: Call, base: AssetArg, quote: AssetArg, start: Time, stop: Time, limit: HundredLimit = 100
) -> Answer:
    """Trades from `start` back to `stop`, newest first; start 0 is the head block's time."""
    market = market_of(base.id, quote.id)
    below = call.backend.history.fills_until(market, start or call.state.dynamic.time)
    return _trades(call, base, quote, below=below, stop=stop, limit=limit)


def get_trade_history_by_sequence(
    call: Call,
    base: AssetArg,
    quote: AssetArg,
    start: Sequence,
    stop: Time,
    limit: HundredLimit = 100,
) -> Answer:
    """Trades before a sequence number, back to a time, newest first; start 0 is the newest."""
    return _trades(call, base, quote, below=start or NEWEST, stop=stop, limit=limit)


def _view_markets(call: Call, limit: int) -> Steps:
    volumes: list[tuple[int, int, Market]] = []
    for number, market in enumerate(call.backend.history.markets()):
        yield
        day = call.backend.history.last_day(market, call.state.dynamic.time)
        if day is not None:
            volumes.append((day.base_volume, number, market))
    assets = call.state.assets
    return [
        view_ticker(call.backend, assets.get(base), assets.get(quote))
        for _, _, (base, quote) in sorted(volumes, reverse=True)[:limit]
    ]


def _place_in_book(order: LimitOrder) -> tuple[int, int]:
    return offer_key(order.sell_price), order.id


def _first_place(
    own: list[LimitOrder], base: Asset, quote: Asset, start_id: int | None, price: Price | None
) -> tuple[int, int]:
    """Where a list of an account's orders begins, as `_place_in_book` counts."""
    found = next((order for order in own if order.id == start_id), None)
    if found is not None:
        return _place_in_book(found)
    if price is not None:
        check_market(price, base, quote)
        return offer_key(price), start_id or 0
    if start_id is not None:
        raise InvalidParams(
            "no such order of this account in this market, and no price",
            value=order_text(LimitOrderId(start_id)),
        )
    return FIRST_PLACE


def _trades(
    call: Call, base: Asset, quote: Asset, *, below: int, stop: int, limit: int
) -> list[JsonValue]:
    history, market = call.backend.history, market_of(base.id, quote.id)
    trades = read_trades(history, market, below=below, stop=stop, limit=limit)
    return [view_trade(trade, base, quote) for trade in trades]


def _views(call: Call, items: Iterable[StateObject]) -> list[JsonValue]:
    return [view_object(call.backend, item) for item in items]


METHODS = (
    get_limit_orders,
    get_account_limit_orders,
    get_limit_orders_by_account,
    get_order_book,
    get_ticker,
    get_top_markets,
    get_24_volume,
    get_call_orders,
    get_call_orders_by_account,
    get_margin_positions,
    get_settle_orders,
    get_settle_orders_by_account,
    get_collateral_bids,
    get_trade_history,
    get_trade_history_by_sequence,
)
