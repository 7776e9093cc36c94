"""`pegboard show`: BitAssets, their books, positions and settlements."""

from __future__ import annotations

import click

from node.cli.client import JsonObject, as_int, as_list, as_object, as_objects, as_text
from node.cli.descriptions import format_price
from node.cli.output import heading, table
from node.cli.remote_chain import RemoteAsset, parse_decimal
from node.cli.sessions import Session, chain_options
from node.cli.show_plots import PLOT, plot_asset, plot_ratios
from node.cli.standing import Market, settlement_queue
from protocol.ids import asset_text
from protocol.json_form import JsonValue
from protocol.wording import PRICE_DIGITS, format_decimal

LIMIT = click.option(
    "--limit",
    type=click.IntRange(1, 300),
    default=30,
    show_default=True,
    help="Number of rows at most.",
)


RESPONSES = {
    "global": "all positions are settled",
    "none": "no position is settled; the worst one caps the feed",
    "fund": "the position is settled alone, to a fund",
    "order": "the position is settled alone, to an order",
}
"""What happens when a position cannot pay (BS1)."""


@click.command()
@click.argument("symbol")
@PLOT
@chain_options
def asset(session: Session, symbol: str, is_plot: bool) -> None:
    """An asset: supply and issuer; of a BitAsset the feed and the prices that follow from it.

    MSQR is the maximum short squeeze ratio of the wire; the squeeze protection price (SQP) is
    the worst price at which a position may be called.
    """
    chain = session.chain
    found = chain.asset(symbol)
    data = as_object(
        as_list(chain.client.call("database", "lookup_asset_symbols", [found.symbol]))[0]
    )
    rows = [
        ("symbol", f"{found.display_symbol} ({asset_text(found.id)}, {found.symbol} on the chain)"),
        ("precision", f"{found.precision} decimals"),
        ("issuer", chain.account_name(found.issuer)),
        ("largest supply", found.format(found.options.max_supply)),
    ]
    document: JsonObject = {"asset": data}
    notes: list[str] = []
    if found.bitasset_data_id is None:
        figures = chain.object(as_text(data["dynamic_asset_data_id"]))
        document["figures"] = {**figures, "asset_id": asset_text(found.id)}
        rows.append(("supply", found.format(as_int(figures["current_supply"]))))
    else:
        market = Market(chain, found)
        reason = market.next_call()
        document["market"] = market.data
        document["next_call"] = None if reason is None else reason.to_json()
        rows += _market_rows(market)
        if reason is not None:
            notes = reason.lines()
        if is_plot and not session.output.is_json:
            notes += plot_asset(chain, market)
    session.output.answer(document, [*table(("", ""), rows)[1:], *notes])


def _market_rows(standing: Market) -> list[tuple[str, str]]:
    market, found, backing = standing.data, standing.asset, standing.backing
    feed = as_object(market["feed"])
    live = market["squeeze_protection_price"] is not None

    def price(value: JsonValue) -> str:
        return "none" if value is None else f"{standing.price(value)} {standing.unit}"

    def best(order: JsonValue) -> str:
        return price(None if order is None else as_object(order)["sell_price"])

    mcr = format_decimal(as_int(feed["maintenance_collateral_ratio"]), 3)
    msqr = format_decimal(as_int(feed["maximum_short_squeeze_ratio"]), 3)
    supply, settled = as_int(market["current_supply"]), as_int(market["force_settled_volume"])
    allowed = found.format(as_int(market["max_settlement_volume"]))
    rows = [
        ("backed by", backing.display_symbol),
        ("supply", found.format(supply)),
        ("positions", str(market["position_count"])),
        ("feed (median)", price(market["median_settlement_price"])),
        ("feed published", f"{market['feed_publication_time']}, {market['feed_count']} feeds"),
        ("SQP", price(market["squeeze_protection_price"])),
        ("MCR, MSQR", f"{mcr}, {msqr}" if live else "none"),
        ("highest bid", best(market["highest_bid"])),
        ("lowest ask", best(market["lowest_ask"])),
        ("below the MCR", standing.below_line() if live else "none"),
        ("settled", f"{found.format(settled)} in this interval, of at most {allowed}"),
    ]
    if feed["settlement_price"] != market["median_settlement_price"] and live:
        rows.insert(4, ("feed in force", f"{price(feed['settlement_price'])} (BS3)"))
    response = RESPONSES[as_text(market["black_swan_response"])]
    rows.append(("black swan", response))
    debt = as_int(market["individual_settlement_debt"])
    if debt:
        fund = backing.format(as_int(market["individual_settlement_fund"]))
        rows.append(("settled-debt pool", f"{found.format(debt)} for {fund}"))
    if market["is_globally_settled"]:
        fund = backing.format(as_int(market["settlement_fund"]))
        settlement = price(market["global_settlement_price"])
        rows.append(("globally settled", f"at {settlement}, fund {fund}"))
    return rows


@click.command()
@click.argument("symbol")
@click.argument("other", required=False)
@LIMIT
@chain_options
def book(session: Session, symbol: str, other: str | None, limit: int) -> None:
    """The order book of two assets; OTHER is the backing asset or the core token if left out.

    Prices are SYMBOL for one OTHER. Bids sell SYMBOL; margin calls are matched with them.
    """
    chain = session.chain
    base, quote = chain.market(symbol, other)
    found = as_object(
        chain.client.call("database", "get_order_book", base.symbol, quote.symbol, min(limit, 50))
    )
    lines: list[str] = []
    shown = dict(found)
    for side, gives, wants in (("bids", base, quote), ("asks", quote, base)):
        orders = as_objects(found[side])
        rows = [
            (
                cut(as_text(order["price"])),
                *(
                    asset.format(units(asset, order[side]), with_symbol=False)
                    for asset, side in ((base, "base"), (quote, "quote"))
                ),
                as_text(order["owner_name"]),
                as_text(order["id"]),
            )
            for order in orders
        ]
        lines.append(heading(f"{side}: {gives.display_symbol} for {wants.display_symbol}"))
        columns = (">price", f">{base.display_symbol}", f">{quote.display_symbol}", "owner", "id")
        lines += table(columns, rows) if rows else ["none"]
        shown[side] = [with_units(order, {"base": base, "quote": quote}) for order in orders]
    session.output.answer(shown, lines)


def units(asset: RemoteAsset, text: JsonValue) -> int:
    """Smallest units of an amount that the node wrote as a decimal number."""
    return parse_decimal(as_text(text), asset.precision)


def with_units(row: JsonObject, sides: dict[str, RemoteAsset]) -> JsonObject:
    """A row whose amounts the node wrote as decimal numbers, with them in both units."""
    changed = dict(row)
    for name, asset in sides.items():
        amount = units(asset, row[name])
        changed |= {name: str(amount), f"{name}_text": asset.format(amount)}
    return changed


def cut(price: str) -> str:
    """A price with 8 decimals, rounded down as all prices that people read."""
    whole, _, decimals = price.partition(".")
    return f"{whole}.{decimals[:PRICE_DIGITS]:0<{PRICE_DIGITS}}"


@click.command()
@click.argument("symbol")
@LIMIT
@PLOT
@chain_options
def positions(session: Session, symbol: str, limit: int, is_plot: bool) -> None:
    """The positions of a BitAsset, least collateralised first.

    The call price is where the highest bid calls the position: above the SQP and below it (R4.2).
    Calls run at the end of each block, so that a position below the MCR waits for such a bid.
    """
    chain = session.chain
    found = chain.asset(symbol)
    chain.bitasset(found)
    market = Market(chain, found, limit)
    backing = market.backing
    rows = []
    for item in market.positions:
        debt, collateral = as_int(item["debt"]), as_int(item["collateral"])
        ratio, price = item["collateral_ratio"], item["call_price"]
        rows.append(
            (
                as_text(item["borrower_name"]),
                as_text(item["id"]),
                found.format(debt),
                backing.format(collateral),
                "-" if ratio is None else format_decimal(as_int(ratio), 3),
                "-" if price is None else format_price(price, found, backing),
                market.mark(item),
            )
        )
    columns = ("borrower", "id", ">debt", ">collateral", ">CR", ">call price", "")
    lines = table(columns, rows) if rows else ["no positions"]
    reason = market.next_call()
    document: list[JsonValue] = [
        {
            **item,
            "is_below_mcr": market.is_below_mcr(item),
            "is_next": index == 0,
            "next_call": reason.to_json() if index == 0 and reason is not None else None,
        }
        for index, item in enumerate(market.positions)
    ]
    lines += reason.lines() if reason is not None else []
    session.output.answer(document, [*lines, *(plot_ratios(market) if is_plot else [])])


@click.command()
@click.argument("symbol")
@LIMIT
@chain_options
def settlements(session: Session, symbol: str, limit: int) -> None:
    """The settlement requests of a BitAsset that wait, earliest first, and why (R5.2, R5.4)."""
    chain = session.chain
    found = chain.asset(symbol)
    chain.bitasset(found)
    market = Market(chain, found)
    queue = settlement_queue(market)[:limit]
    rows = [
        (
            as_text(item["owner_name"]),
            as_text(item["id"]),
            chain.format_amount(item["balance"]),
            as_text(item["settlement_date"]),
            reason.rule,
        )
        for item, reason in queue
    ]
    columns = ("owner", "id", ">amount", "due", "waits by")
    lines = table(columns, rows) if rows else ["no settlements wait"]
    lines += [line for _, reason in queue for line in reason.lines()[:1]]
    if market.data["is_globally_settled"]:
        reason = market.next_call()
        lines += [] if reason is None else reason.lines()
    document: list[JsonValue] = [{**item, "reason": why.to_json()} for item, why in queue]
    session.output.answer(document, lines)
