"""The order book and the ticker of a market, as decimal text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from node.api.backend import ApiBackend
from node.api.decimals import amount_text, change_text, price_text, volume_text
from node.api.errors import InvalidParams
from node.api.views import Json
from node.history.figures import market_of
from node.history.records import DaySummary
from node.state.objects.assets import Asset
from node.state.objects.market import LimitOrder
from protocol.asset import Price
from protocol.ids import (
    AssetId,
    MarketTickerId,
    account_text,
    asset_text,
    market_ticker_text,
    order_text,
)
from protocol.json_form import JsonValue, format_time

TICKER_SIZES = ("base_size", "quote_size")


def orders_of(backend: ApiBackend, sells: AssetId, receives: AssetId) -> Iterator[LimitOrder]:
    """Orders of one side of the book, best offer first."""
    return backend.state.book.items((sells, receives))


def check_market(price: Price, base: Asset, quote: Asset) -> None:
    """Raise `InvalidParams` when a price is not of one asset per the other, `ValidationError`
    when it is none at all."""
    price.validate("start price")
    if (price.base.asset_id, price.quote.asset_id) != (base.id, quote.id):
        raise InvalidParams(
            "price of another market",
            value=f"{asset_text(price.base.asset_id)} per {asset_text(price.quote.asset_id)}",
            limit=f"{asset_text(base.id)} per {asset_text(quote.id)}",
        )


def view_order_book(
    backend: ApiBackend, base: Asset, quote: Asset, limit: int
) -> tuple[list[Json], list[Json]]:
    """Bids, which sell the base, and asks, which sell the quote; best first."""
    bids = islice(orders_of(backend, base.id, quote.id), limit)
    asks = islice(orders_of(backend, quote.id, base.id), limit)
    return (
        [_entry(backend, order, base, quote) for order in bids],
        [_entry(backend, order, base, quote) for order in asks],
    )


def view_ticker(backend: ApiBackend, base: Asset, quote: Asset) -> Json:
    """Latest price, best offers and the volumes of 24 hours; all zero before the first trade."""
    answer = _blank_ticker(backend, base, quote)
    day = backend.history.last_day(market_of(base.id, quote.id), backend.state.dynamic.time)
    if day is None:
        return answer
    latest = _seen_from(base.id, day.latest)
    answer["latest"] = price_text(latest, base, quote)
    answer["mto_id"] = market_ticker_text(MarketTickerId(day.instance))
    if day.day_ago is not None:
        answer["percent_change"] = change_text(_seen_from(base.id, day.day_ago), latest)
    answer |= _volumes(day, base, quote)
    bids, asks = view_order_book(backend, base, quote, 1)
    for name, side in (("highest_bid", bids), ("lowest_ask", asks)):
        for entry in side:
            answer[name] = entry["price"]
            answer[f"{name}_base_size"] = entry["base"]
            answer[f"{name}_quote_size"] = entry["quote"]
    return answer


def view_volume(backend: ApiBackend, base: Asset, quote: Asset) -> Json:
    """The volumes of the last 24 hours."""
    now = backend.state.dynamic.time
    day = backend.history.last_day(market_of(base.id, quote.id), now)
    answer: Json = {"time": format_time(now), "base": base.symbol, "quote": quote.symbol}
    if day is None:
        return answer | {"base_volume": "0", "quote_volume": "0"}
    return answer | _volumes(day, base, quote)


def _entry(backend: ApiBackend, order: LimitOrder, base: Asset, quote: Asset) -> Json:
    price = order.sell_price
    wanted = order.for_sale * price.quote.amount // price.base.amount
    is_bid = order.sells == base.id
    base_amount, quote_amount = (order.for_sale, wanted) if is_bid else (wanted, order.for_sale)
    return {
        "price": price_text(price, base, quote),
        "quote": amount_text(quote_amount, quote),
        "base": amount_text(base_amount, base),
        "id": order_text(order.id),
        "owner_id": account_text(order.seller),
        "owner_name": backend.state.accounts.get(order.seller).name,
        "expiration": format_time(order.expiration),
    }


def _blank_ticker(backend: ApiBackend, base: Asset, quote: Asset) -> Json:
    zeros: dict[str, JsonValue] = {}
    for name in ("latest", "percent_change", "base_volume", "quote_volume"):
        zeros[name] = "0"
    for name in ("lowest_ask", "highest_bid"):
        zeros[name] = "0"
        for size in TICKER_SIZES:
            zeros[f"{name}_{size}"] = "0"
    return zeros | {
        "time": format_time(backend.state.dynamic.time),
        "base": base.symbol,
        "quote": quote.symbol,
    }


def _volumes(day: DaySummary, base: Asset, quote: Asset) -> Json:
    is_straight = base.id < quote.id
    first, second = day.base_volume, day.quote_volume
    base_volume, quote_volume = (first, second) if is_straight else (second, first)
    return {
        "base_volume": volume_text(base_volume, base),
        "quote_volume": volume_text(quote_volume, quote),
    }


def _seen_from(base: AssetId, price: Price) -> Price:
    return price if price.base.asset_id == base else price.inverse()
