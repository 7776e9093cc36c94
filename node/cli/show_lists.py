"""`pegboard show`: lists of accounts and assets, and what happened: trades, feeds, margin calls."""

from __future__ import annotations

import click

from node.cli.client import JsonObject, as_int, as_list, as_object, as_objects, as_text
from node.cli.descriptions import format_price
from node.cli.exits import UsageProblem
from node.cli.output import heading, table
from node.cli.remote_chain import RemoteAsset, RemoteChain
from node.cli.sessions import Session, chain_options
from node.cli.show_market import LIMIT, cut, units, with_units
from node.cli.show_plots import PLOT, plot_feeds, plot_trades
from protocol.json_form import JsonValue
from protocol.wording import format_decimal

FIRST = click.option("--from", "first", default="", help="Begin with this name.")
EVER = "1970-01-01T00:00:00"
"""A time before all blocks; as the newest one it stands for now."""


@click.command()
@FIRST
@LIMIT
@chain_options
def assets(session: Session, first: str, limit: int) -> None:
    """The assets of the chain, by symbol."""
    chain = session.chain
    found = as_objects(chain.client.call("database", "list_assets", first.upper(), min(limit, 100)))
    ids: list[JsonValue] = [item["dynamic_asset_data_id"] for item in found]
    figures = as_objects(chain.client.call("database", "get_objects", ids))
    chain.know_accounts([as_text(item["issuer"]) for item in found])
    rows = []
    for item, figure in zip(found, figures, strict=True):
        asset = chain.asset(as_text(item["id"]))
        backing = "" if asset.bitasset_data_id is None else chain.backing_asset(asset).symbol
        supply = asset.format(as_int(figure["current_supply"]), with_symbol=False)
        issuer = chain.account_name(as_text(item["issuer"]))
        rows.append((asset.display_symbol, as_text(item["id"]), supply, backing, issuer))
    columns = ("asset", "id", ">supply", "backed by", "issuer")
    session.output.answer([*found], table(columns, rows) if rows else ["no assets"])


@click.command()
@FIRST
@LIMIT
@chain_options
def accounts(session: Session, first: str, limit: int) -> None:
    """The accounts of the chain, by name."""
    client = session.chain.client
    names = as_list(client.call("database", "lookup_accounts", first, limit))
    ids: list[JsonValue] = [as_list(item)[1] for item in names]
    found: list[JsonObject] = []
    for start in range(0, len(ids), 100):
        found += as_objects(client.call("database", "get_accounts", ids[start : start + 100]))
    session.chain.know_accounts([as_text(item["registrar"]) for item in found])
    rows = [
        (
            as_text(item["name"]),
            as_text(item["id"]),
            _membership(item),
            session.chain.account_name(as_text(item["registrar"])),
        )
        for item in found
    ]
    columns = ("account", "id", "member", "registered by")
    session.output.answer([*found], table(columns, rows) if rows else ["no accounts"])


def _membership(account: JsonObject) -> str:
    until = as_text(account["membership_expiration_date"])
    if until == EVER:
        return "no"
    return "for life" if account["lifetime_referrer"] == account["id"] else f"until {until}"


@click.command()
@click.argument("symbol")
@click.argument("other", required=False)
@LIMIT
@PLOT
@chain_options
def trades(session: Session, symbol: str, other: str | None, limit: int, is_plot: bool) -> None:
    """The newest trades of two assets; OTHER is the backing asset or the core token if left out.

    Prices are SYMBOL for one OTHER. Margin calls are trades; settlements are none (R5.5).
    """
    chain = session.chain
    base, quote = chain.market(symbol, other)
    market: list[JsonValue] = [base.symbol, quote.symbol]
    window: list[JsonValue] = [EVER, EVER, min(limit, 100)]
    found = as_objects(chain.client.call("database", "get_trade_history", *market, *window))
    sides = [as_text(item[side]) for item in found for side in _SIDES]
    chain.know_accounts(sides)
    rows = [
        (
            as_text(item["date"]),
            cut(as_text(item["price"])),
            *(
                asset.format(units(asset, item[field]), with_symbol=False)
                for asset, field in ((base, "value"), (quote, "amount"))
            ),
            *(chain.account_name(as_text(item[side])) for side in _SIDES),
        )
        for item in found
    ]
    columns = ("time", ">price", f">{base.display_symbol}", f">{quote.display_symbol}")
    lines = table((*columns, "maker", "taker"), rows) if rows else ["no trades"]
    lines += plot_trades(found) if is_plot else []
    shown = [with_units(item, {"value": base, "amount": quote}) for item in found]
    session.output.answer([*shown], lines)


_SIDES = ("side1_account_id", "side2_account_id")


@click.command()
@click.argument("symbol")
@LIMIT
@PLOT
@chain_options
def feeds(session: Session, symbol: str, limit: int, is_plot: bool) -> None:
    """Who publishes which price of a BitAsset, and the medians that came of it, newest first.

    A price counts until it is too old (R1.15); the median is what margin calls see (R1.16).
    """
    chain = session.chain
    found = chain.asset(symbol)
    data, backing = chain.bitasset(found), chain.backing_asset(found)
    published: list[JsonObject] = []
    rows = []
    for entry in as_list(data["feeds"]):
        publisher, stamped = as_list(entry)
        time, feed = as_list(stamped)
        name = chain.account_name(as_text(publisher))
        published.append({"publisher": name, "time": time, "feed": feed})
        rows.append((name, as_text(time), *_terms(as_object(feed), found, backing)))
    medians = as_objects(
        chain.client.call("pegboard", "get_feed_history", found.symbol, 0, min(limit, 100))
    )
    past = [
        (
            str(item["block_num"]),
            as_text(item["block_time"]),
            *_terms(item, found, backing),
            str(item["feed_count"]),
        )
        for item in medians
    ]
    lines = [heading(f"prices are {found.display_symbol} for 1 {backing.display_symbol}")]
    columns = (">price", ">MCR", ">MSQR")
    lines += table(("publisher", "time", *columns), rows) if rows else ["nobody publishes"]
    lines.append(heading("medians"))
    lines += table((">block", "time", *columns, ">feeds"), past) if past else ["none so far"]
    lines += plot_feeds(medians, found, backing) if is_plot else []
    session.output.answer({"published": [*published], "medians": [*medians]}, lines)


def _terms(feed: JsonObject, asset: RemoteAsset, backing: RemoteAsset) -> tuple[str, str, str]:
    """Price, MCR and MSQR of a feed or of a median."""
    price = feed["settlement_price"]
    return (
        "-" if price is None else format_price(price, asset, backing),
        format_decimal(as_int(feed["maintenance_collateral_ratio"]), 3),
        format_decimal(as_int(feed["maximum_short_squeeze_ratio"]), 3),
    )


@click.command()
@click.argument("subject")
@LIMIT
@chain_options
def calls(session: Session, subject: str, limit: int) -> None:
    """The margin calls of a BitAsset or of an account, newest first, each with its reason (R4.2).

    \b
    pegboard show calls bitUSD
    pegboard show calls alice
    """
    chain = session.chain
    found = as_objects(
        chain.client.call(
            "pegboard", "get_margin_call_history", _subject(chain, subject), 0, min(limit, 100)
        )
    )
    lines = []
    for item in found:
        lines.append(heading(f"{item['account_name']} in block {item['block_num']}"))
        lines.append("  " + as_text(item["explanation"]))
    session.output.answer([*found], lines or ["no margin calls"])


def _subject(chain: RemoteChain, name: str) -> str:
    """The symbol or the account that a name stands for; an account's goes first."""
    if chain.client.call("database", "get_account_by_name", name) is not None:
        return name
    found = chain.asset(name)
    if found.bitasset_data_id is None:
        raise UsageProblem("neither an account nor a BitAsset", value=name)
    return found.symbol
