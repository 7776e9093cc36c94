"""`pegboard show`: liquidity pools and SameT funds."""

from __future__ import annotations

import click

from node.cli.client import JsonObject, as_int, as_object, as_objects, as_text
from node.cli.descriptions import format_ratio
from node.cli.output import table
from node.cli.remote_chain import RemoteAsset
from node.cli.sessions import Session, chain_options
from node.cli.wallet_funds import FEE_DIGITS
from node.cli.wallet_pools import PERCENT_DIGITS
from protocol.json_form import JsonValue
from protocol.wording import format_decimal

ROWS_MAX = 101
ASSETS = ("asset_a", "asset_b", "share_asset")


LIMIT = click.option(
    "--limit",
    type=click.IntRange(1, ROWS_MAX),
    default=30,
    show_default=True,
    help="Number of rows at most.",
)


@click.command()
@click.argument("symbol", required=False)
@LIMIT
@chain_options
def pools(session: Session, symbol: str | None, limit: int) -> None:
    """The liquidity pools of the chain, or those that hold an asset; what they did in 24 hours.

    \b
    pegboard show pools
    pegboard show pools bitUSD
    """
    chain = session.chain
    if symbol is None:
        answer = chain.client.call("database", "list_liquidity_pools", limit, "1.19.0", True)
    else:
        name = chain.asset(symbol).symbol
        answer = chain.client.call(
            "database", "get_liquidity_pools_by_one_asset", name, limit, "1.19.0", True
        )
    found = as_objects(answer)
    rows = []
    shown: list[JsonValue] = []
    for pool in found:
        asset_a, asset_b, share = (chain.asset(as_text(pool[side])) for side in ASSETS)
        figures = as_object(pool["statistics"])
        shown.append({**pool, "statistics": {**{side: pool[side] for side in ASSETS}, **figures}})
        exchanges = sum(as_int(figures[f"_24h_exchange_{way}_count"]) for way in ("a2b", "b2a"))
        rows.append(
            (
                as_text(pool["id"]),
                share.display_symbol,
                asset_a.format(as_int(pool["balance_a"])),
                asset_b.format(as_int(pool["balance_b"])),
                _price(pool, asset_a, asset_b),
                _percent(pool["taker_fee_percent"]),
                _percent(pool["withdrawal_fee_percent"]),
                str(exchanges),
            )
        )
    columns = (
        "pool",
        "share",
        ">holds",
        ">and",
        "price",
        ">taker fee",
        ">withdrawal",
        ">exchanges",
    )
    session.output.answer([*found], table(columns, rows) if rows else ["no pools"])


def _price(pool: JsonObject, asset_a: RemoteAsset, asset_b: RemoteAsset) -> str:
    """What the pool gives for very little, before fees: the ratio of its balances."""
    balance_a, balance_b = as_int(pool["balance_a"]), as_int(pool["balance_b"])
    if balance_a == 0:
        return "-"
    ratio = format_ratio(balance_b, balance_a, asset_b, asset_a)
    return f"{ratio} {asset_b.display_symbol} for 1 {asset_a.display_symbol}"


def _percent(value: object) -> str:
    return f"{format_decimal(int(str(value)), PERCENT_DIGITS)} %"


@click.command()
@click.argument("symbol", required=False)
@LIMIT
@chain_options
def funds(session: Session, symbol: str | None, limit: int) -> None:
    """The SameT funds of the chain, or those that lend an asset: what they have, and their fee.

    \b
    pegboard show funds
    pegboard show funds TEST
    """
    chain = session.chain
    if symbol is None:
        answer = chain.client.call("database", "list_samet_funds", limit)
    else:
        name = chain.asset(symbol).symbol
        answer = chain.client.call("database", "get_samet_funds_by_asset", name, limit)
    found = as_objects(answer)
    chain.know_accounts([as_text(fund["owner_account"]) for fund in found])
    rows = [
        (
            as_text(fund["id"]),
            chain.account_name(as_text(fund["owner_account"])),
            chain.asset(as_text(fund["asset_type"])).format(as_int(fund["balance"])),
            f"{format_decimal(as_int(fund['fee_rate']), FEE_DIGITS)} %",
        )
        for fund in found
    ]
    columns = ("fund", "owner", ">lends", ">for")
    session.output.answer([*found], table(columns, rows) if rows else ["no funds"])
