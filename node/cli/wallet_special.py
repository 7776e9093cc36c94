"""`pegboard wallet special-authority` and `create-buyback`: whom an account obeys, what it buys."""

from __future__ import annotations

import click

from node.cli.exits import UsageProblem
from node.cli.remote_chain import RemoteChain
from node.cli.wallet_sessions import WalletSession, wallet_options
from protocol.asset import NO_FEE
from protocol.authority import NULL_AUTHORITY
from protocol.operations.account import (
    AccountCreate,
    AccountCreateExtensions,
    AccountOptions,
    AccountUpdate,
    AccountUpdateExtensions,
    BuybackAccountOptions,
    SpecialAuthority,
    TopHoldersSpecialAuthority,
)
from protocol.operations.base import Void


@click.command()
@click.argument("symbol", required=False)
@click.option(
    "--holders",
    type=click.IntRange(1, 255),
    default=1,
    show_default=True,
    help="How many of the largest holders.",
)
@click.option("--owner", is_flag=True, help="Over the owner authority, not the active one.")
@wallet_options
def special_authority(
    session: WalletSession, symbol: str | None, holders: int, owner: bool
) -> None:
    """Let the largest holders of an asset decide for the acting account, from the next maintenance.

    They are chosen anew at each, and the account's keys are out. Without an asset it stays with
    those that decide now.

    \b
    pegboard wallet special-authority SHELLS --holders 5 -a alice --dev-keys
    pegboard wallet special-authority -a alice --dev-keys
    """
    chosen = _holders(session.chain, symbol, holders)
    options = (
        AccountUpdateExtensions(owner_special_authority=chosen)
        if owner
        else AccountUpdateExtensions(active_special_authority=chosen)
    )
    session.send(AccountUpdate(NO_FEE, session.account().id, extensions=options))


def _holders(chain: RemoteChain, symbol: str | None, count: int) -> SpecialAuthority:
    return Void() if symbol is None else TopHoldersSpecialAuthority(chain.asset(symbol).id, count)


@click.command()
@click.argument("name")
@click.argument("symbol")
@click.option(
    "--with", "markets", multiple=True, required=True, metavar="SYMBOL", help="Asset to buy with."
)
@wallet_options
def create_buyback(
    session: WalletSession, name: str, symbol: str, markets: tuple[str, ...]
) -> None:
    """Register an account that buys an asset back at each maintenance, with what it is sent.

    The acting account is a lifetime member; the issuer of the asset signs too. Nobody ever acts for
    the new account.

    \b
    pegboard wallet create-buyback shells-back SHELLS --with TEST --with bitUSD -a alice --dev-keys
    """
    chain, registrar = session.chain, session.account()
    bought, paid = chain.asset(symbol), {chain.asset(market).id for market in markets}
    if bought.id in paid:
        raise UsageProblem("an asset is not bought back with itself", value=symbol)
    options = BuybackAccountOptions(bought.id, bought.issuer, tuple(sorted(paid)))
    session.send(
        AccountCreate(
            NO_FEE,
            registrar.id,
            registrar.id,
            0,
            name,
            NULL_AUTHORITY,
            NULL_AUTHORITY,
            AccountOptions(registrar.options.memo_key),
            AccountCreateExtensions(buyback_options=options),
        )
    )


SPECIAL_COMMANDS = (special_authority, create_buyback)
