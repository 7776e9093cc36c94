"""`pegboard wallet pool`: liquidity pools (L)."""

from __future__ import annotations

import click

from node.cli.client import JsonObject, as_list, as_object, as_text
from node.cli.exits import UsageProblem
from node.cli.remote_chain import NoSuchName, RemoteChain, id_argument, parse_decimal
from node.cli.wallet_sessions import WalletSession, wallet_options
from protocol.asset import NO_FEE
from protocol.ids import LiquidityPoolId, asset_text, parse_id
from protocol.operations.liquidity_pool import (
    LiquidityPoolCreate,
    LiquidityPoolDelete,
    LiquidityPoolDeposit,
    LiquidityPoolExchange,
    LiquidityPoolUpdate,
    LiquidityPoolWithdraw,
)

PERCENT_DIGITS = 2


@click.group()
def pool() -> None:
    """Liquidity pools: deposit two assets for shares, and exchange one for the other at once.

    POOL is the id of a pool (1.19.n) or the symbol of its share asset.

    \b
    pegboard wallet create-asset SHARE -a alice --dev-keys
    pegboard wallet pool create TEST bitUSD --share SHARE --taker-fee 0.3 -a alice --dev-keys
    pegboard wallet pool deposit SHARE "1000 TEST" "100 bitUSD" -a alice --dev-keys
    pegboard wallet pool exchange SHARE "10 TEST" --for "0.9 bitUSD" -a bob --dev-keys
    """


@pool.command()
@click.argument("asset")
@click.argument("other")
@click.option(
    "--share", required=True, metavar="SYMBOL", help="One's own asset, of which there is none yet."
)
@click.option(
    "--taker-fee", default="0", show_default=True, metavar="PERCENT", help="Kept of an exchange."
)
@click.option(
    "--withdrawal-fee",
    default="0",
    show_default=True,
    metavar="PERCENT",
    help="Kept of a withdrawal; it may only be lowered, to 0.",
)
@wallet_options
def create(
    session: WalletSession,
    asset: str,
    other: str,
    share: str,
    taker_fee: str,
    withdrawal_fee: str,
) -> None:
    """Make a pool of two assets, whose shares are units of an asset of one's own.

    \b
    pegboard wallet pool create TEST bitUSD --share SHARE --taker-fee 0.3
    """
    chain = session.chain
    asset_a, asset_b = sorted((chain.asset(asset).id, chain.asset(other).id))
    session.send(
        LiquidityPoolCreate(
            NO_FEE,
            session.account().id,
            asset_a,
            asset_b,
            chain.asset(share).id,
            parse_percent(taker_fee),
            parse_percent(withdrawal_fee),
        )
    )


@pool.command()
@click.argument("name", metavar="POOL")
@wallet_options
def delete(session: WalletSession, name: str) -> None:
    """Remove one's own pool, which must be empty; its share asset is free again.

    \b
    pegboard wallet pool delete SHARE
    """
    pool_id = pool_named(session.chain, name)
    session.send(LiquidityPoolDelete(NO_FEE, session.account().id, pool_id))


@pool.command()
@click.argument("name", metavar="POOL")
@click.option("--taker-fee", metavar="PERCENT", help="Kept of an exchange from now on.")
@click.option("--no-withdrawal-fee", is_flag=True, help="Keep nothing of withdrawals any more.")
@wallet_options
def update(
    session: WalletSession, name: str, taker_fee: str | None, no_withdrawal_fee: bool
) -> None:
    """Change the fees of one's own pool.

    \b
    pegboard wallet pool update SHARE --taker-fee 0.1
    """
    if taker_fee is None and not no_withdrawal_fee:
        raise UsageProblem("give --taker-fee or --no-withdrawal-fee")
    session.send(
        LiquidityPoolUpdate(
            NO_FEE,
            session.account().id,
            pool_named(session.chain, name),
            None if taker_fee is None else parse_percent(taker_fee),
            0 if no_withdrawal_fee else None,
        )
    )


@pool.command()
@click.argument("name", metavar="POOL")
@click.argument("amount")
@click.argument("other")
@wallet_options
def deposit(session: WalletSession, name: str, amount: str, other: str) -> None:
    """Put both assets in for shares: no more of either than is named, at the pool's ratio.

    The owner fills an empty pool, at any ratio.

    \b
    pegboard wallet pool deposit SHARE "1000 TEST" "100 bitUSD"
    """
    chain = session.chain
    amounts = chain.parse_amount(amount), chain.parse_amount(other)
    amount_a, amount_b = sorted(amounts, key=lambda one: one.asset_id)
    pool_id = pool_named(chain, name)
    session.send(LiquidityPoolDeposit(NO_FEE, session.account().id, pool_id, amount_a, amount_b))


@pool.command()
@click.argument("shares")
@wallet_options
def withdraw(session: WalletSession, shares: str) -> None:
    """Give shares back for their part of both assets of their pool.

    \b
    pegboard wallet pool withdraw "50 SHARE"
    """
    chain = session.chain
    amount = chain.parse_amount(shares)
    pool_id = pool_named(chain, asset_text(amount.asset_id))
    session.send(LiquidityPoolWithdraw(NO_FEE, session.account().id, pool_id, amount))


@pool.command()
@click.argument("name", metavar="POOL")
@click.argument("amount")
@click.option("--for", "least", required=True, metavar="AMOUNT", help="Least to get for all of it.")
@wallet_options
def exchange(session: WalletSession, name: str, amount: str, least: str) -> None:
    """Sell an amount to a pool for at least another, or not at all.

    \b
    pegboard wallet pool exchange SHARE "10 TEST" --for "0.9 bitUSD"
    """
    chain = session.chain
    sold, wanted = chain.parse_amount(amount), chain.parse_amount(least)
    pool_id = pool_named(chain, name)
    session.send(LiquidityPoolExchange(NO_FEE, session.account().id, pool_id, sold, wanted))


def pool_named(chain: RemoteChain, name: str) -> LiquidityPoolId:
    """The pool of an id (1.19.n), or whose share asset a symbol is; raises `NoSuchName`."""
    if name.startswith("1.19."):
        return id_argument(LiquidityPoolId, name)
    return parse_id(LiquidityPoolId, as_text(pool_of_share(chain, name)["id"]))


def pool_of_share(chain: RemoteChain, symbol: str) -> JsonObject:
    """The pool whose share asset it is; raises `NoSuchName`."""
    share = chain.asset(symbol)
    (found,) = as_list(
        chain.client.call("database", "get_liquidity_pools_by_share_asset", [share.symbol], False)
    )
    if found is None:
        raise NoSuchName("no liquidity pool has these shares", value=share.display_symbol)
    return as_object(found)


def parse_percent(text: str) -> int:
    """Hundredths of a percent of "0.3" or "0.3%"; raises `UsageProblem`."""
    return parse_decimal(text.removesuffix("%").rstrip(), PERCENT_DIGITS)
