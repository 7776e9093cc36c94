"""`pegboard show --plot`: feeds, trades, positions and BitAssets drawn in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import click

from node.cli.client import JsonObject, as_int, as_object, as_objects, as_text
from node.cli.descriptions import units_in
from node.cli.output import heading
from node.cli.plots import FINE_DIGITS, Bar, Level, Series, bars, chart, fine_price
from node.cli.remote_chain import RemoteAsset, RemoteChain, parse_decimal
from node.cli.standing import Market
from protocol.json_form import JsonValue, format_time, parse_time
from protocol.wording import PRICE_DIGITS, format_decimal

PLOT = click.option(
    "--plot", "is_plot", is_flag=True, help="Draw it as well, below; nothing with --json."
)
POSITIONS_DRAWN = 15
CALLS_DRAWN = 3
DEPTH_ROWS = 8
MEDIANS = 100


def plot_feeds(medians: Sequence[JsonObject], base: RemoteAsset, quote: RemoteAsset) -> list[str]:
    """The median over time."""
    return _over_time([_median_series(medians, base, quote)], [])


def plot_trades(trades: Sequence[JsonObject]) -> list[str]:
    """The price of each trade over time, of rows of `get_trade_history`."""
    points = [
        (parse_time(as_text(trade["date"])), _fine(as_text(trade["price"]))) for trade in trades
    ]
    return _over_time([Series("o", "trade", points)], [])


def plot_ratios(market: Market) -> list[str]:
    """The collateral ratios of the least collateralised positions, and the MCR."""
    mcr = market.data["maintenance_collateral_ratio"]
    level = None if mcr is None else Bar("MCR", as_int(mcr), format_decimal(as_int(mcr), 3))
    items = [
        Bar(
            as_text(item["borrower_name"]),
            as_int(item["collateral_ratio"]),
            format_decimal(as_int(item["collateral_ratio"]), 3),
        )
        for item in market.positions[:POSITIONS_DRAWN]
        if item["collateral_ratio"] is not None
    ]
    return [heading("collateral ratios"), *bars(items, level)]


def plot_asset(chain: RemoteChain, market: Market) -> list[str]:
    """The feed with the prices that follow from it, the depth of the book, and the ratios."""
    asset, backing = market.asset, market.backing
    medians = as_objects(
        chain.client.call("pegboard", "get_feed_history", asset.symbol, 0, MEDIANS)
    )
    named: list[tuple[str, str, JsonValue]] = [
        ("-", "SQP", market.data["squeeze_protection_price"]),
        ("=", "highest bid", _price_of(market.data["highest_bid"])),
        *(
            (".", f"call price of {item['borrower_name']}", item["call_price"])
            for item in market.positions[:CALLS_DRAWN]
        ),
    ]
    levels = [
        Level(mark, name, _price(value, asset, backing))
        for mark, name, value in named
        if value is not None
    ]
    unit = heading(f"prices, {market.unit}")
    drawn = _over_time([_median_series(medians, asset, backing)], levels)
    return [unit, *drawn, *_depth(chain, asset, backing), *plot_ratios(market)]


def _depth(chain: RemoteChain, base: RemoteAsset, quote: RemoteAsset) -> list[str]:
    """How much of the BitAsset is offered and wanted, up to each price of the book."""
    book = as_object(
        chain.client.call("database", "get_order_book", base.symbol, quote.symbol, DEPTH_ROWS)
    )
    lines = []
    for side, mark in (("bids", "+"), ("asks", "-")):
        total, items = 0, []
        for order in as_objects(book[side]):
            total += parse_decimal(as_text(order["base"]), base.precision)
            price = format_decimal(_fine(as_text(order["price"]), PRICE_DIGITS), PRICE_DIGITS)
            items.append(Bar(price, total, base.format(total)))
        lines += [heading(f"depth of the {side}"), *bars(items, mark=mark)] if items else []
    return lines


def _median_series(medians: Sequence[JsonObject], base: RemoteAsset, quote: RemoteAsset) -> Series:
    points = [
        (
            parse_time(as_text(item["block_time"])),
            _price(item["settlement_price"], base, quote),
        )
        for item in medians
        if item["settlement_price"] is not None
    ]
    return Series("*", "median feed", points, is_step=True)


def _over_time(series: Sequence[Series], levels: Sequence[Level]) -> list[str]:
    times = [x for one in series for x, _ in one.points]
    ends = (format_time(min(times)), format_time(max(times))) if times else ("", "")
    return chart(series, levels, ends)


def _price(value: JsonValue, base: RemoteAsset, quote: RemoteAsset) -> int:
    units = units_in(value, base, quote)
    return fine_price(*units, (base.precision, quote.precision))


def _price_of(order: JsonValue) -> JsonValue:
    return None if order is None else as_object(order)["sell_price"]


def _fine(text: str, digits: int = FINE_DIGITS) -> int:
    """A decimal price of the node's with so many decimals, those beyond cut off."""
    whole, _, decimals = text.partition(".")
    return int(whole + decimals[:digits].ljust(digits, "0"))
