"""`pegboard wallet`: money and markets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from node.cli import drafts
from node.cli.exits import UsageProblem
from node.cli.wallet_sessions import WalletSession, wallet_options
from protocol.constants import (
    DEFAULT_MAINTENANCE_COLLATERAL_RATIO,
    DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO,
)

TARGET_RATIO = click.option(
    "--target-ratio",
    metavar="R",
    help="Once called, cover only up to this ratio, such as 2.0.  [default: cover everything]",
)
EXPIRES_IN = click.option(
    "--expires-in",
    metavar="TIME",
    help="Take the rest of the order back after 30s, 10m, 12h or 7d.  [default: never]",
)
FILL_OR_KILL = click.option(
    "--fill-or-kill", is_flag=True, help="Refuse the order unless it is filled at once."
)
TAKE_PROFIT = (
    click.option(
        "--take-profit",
        metavar="PERCENT",
        help="Offer what each fill brings again, so much dearer; such as 5.",
    ),
    click.option(
        "--take-profit-size",
        metavar="PERCENT",
        default="100",
        show_default=True,
        help="How much of it.",
    ),
    click.option(
        "--take-profit-within",
        metavar="TIME",
        default="365d",
        show_default=True,
        help="When that offer ends.",
    ),
    click.option("--take-profit-fee", metavar="SYMBOL", help="Pay its fee in this asset."),
    click.option("--repeat", is_flag=True, help="Let that offer take profit too, to and fro."),
)


def _take_profit_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(TAKE_PROFIT):
        command = option(command)
    return command


@click.command()
@click.argument("receiver")
@click.argument("amount")
@click.option("--memo", metavar="TEXT", help="A message that only the receiver can read.")
@wallet_options
def transfer(session: WalletSession, receiver: str, amount: str, memo: str | None) -> None:
    """Send an amount to an account.

    \b
    pegboard wallet transfer bob "10 bitUSD" --memo "for lunch"
    """
    chain = session.chain
    session.send(
        drafts.transfer(
            chain,
            session.keys,
            session.account(),
            chain.account(receiver),
            chain.parse_amount(amount),
            memo,
        )
    )


@click.command()
@click.argument("debt")
@click.option("--collateral", metavar="AMOUNT", help="Collateral to lock.")
@click.option(
    "--ratio", metavar="R", help="Lock what makes this ratio at the present feed, such as 2.5."
)
@TARGET_RATIO
@wallet_options
def borrow(
    session: WalletSession,
    debt: str,
    collateral: str | None,
    ratio: str | None,
    target_ratio: str | None,
) -> None:
    """Borrow a BitAsset against collateral; opens a position or adds to it.

    \b
    pegboard wallet borrow "100 bitUSD" --ratio 2.5
    pegboard wallet borrow "100 bitUSD" --collateral "3000 TEST"
    """
    chain = session.chain
    session.send(
        drafts.borrow(
            chain,
            session.account(),
            chain.parse_amount(debt),
            collateral=None if collateral is None else chain.parse_amount(collateral),
            ratio=None if ratio is None else drafts.parse_ratio(ratio),
            target_ratio=None if target_ratio is None else drafts.parse_ratio(target_ratio),
        )
    )


@click.command()
@click.argument("asset")
@click.option("--debt", metavar="AMOUNT", help='Borrow more, or with "-5 bitUSD" pay back.')
@click.option("--collateral", metavar="AMOUNT", help='Lock more, or with "-5 TEST" take out.')
@click.option("--ratio", metavar="R", help="Lock or free what makes this ratio, such as 2.5.")
@TARGET_RATIO
@wallet_options
def adjust(
    session: WalletSession,
    asset: str,
    debt: str | None,
    collateral: str | None,
    ratio: str | None,
    target_ratio: str | None,
) -> None:
    """Change a position: its debt, its collateral, or its ratio.

    \b
    pegboard wallet adjust bitUSD --collateral "500 TEST"
    pegboard wallet adjust bitUSD --ratio 3 --target-ratio 2
    """
    chain = session.chain
    session.send(
        drafts.adjust(
            chain,
            session.account(),
            chain.asset(asset),
            debt=None if debt is None else chain.parse_amount(debt),
            collateral=None if collateral is None else chain.parse_amount(collateral),
            ratio=None if ratio is None else drafts.parse_ratio(ratio),
            target_ratio=None if target_ratio is None else drafts.parse_ratio(target_ratio),
        )
    )


@click.command()
@click.argument("asset")
@click.option("--amount", metavar="AMOUNT", help="Pay back only so much.  [default: all of it]")
@wallet_options
def cover(session: WalletSession, asset: str, amount: str | None) -> None:
    """Pay a position's debt back; paid back in full, its collateral is free.

    \b
    pegboard wallet cover bitUSD
    """
    chain = session.chain
    found = chain.asset(asset)
    paid = None if amount is None else chain.parse_amount(amount)
    if paid is not None and paid.asset_id != found.id:
        raise UsageProblem("--amount is of another asset", value=amount, limit=found.symbol)
    session.send(drafts.cover(chain, session.account(), found, paid))


@click.command()
@click.argument("amount")
@click.option("--for", "price", required=True, metavar="AMOUNT", help="Least to get for all of it.")
@EXPIRES_IN
@FILL_OR_KILL
@_take_profit_options
@wallet_options
def sell(session: WalletSession, amount: str, price: str, **options: Any) -> None:
    """Offer an amount for at least another.

    \b
    pegboard wallet sell "10 bitUSD" --for "80 TEST"
    pegboard wallet sell "10 bitUSD" --for "80 TEST" --take-profit 5 --repeat
    """
    _place(session, amount, price, **options)


@click.command()
@click.argument("amount")
@click.option("--with", "price", required=True, metavar="AMOUNT", help="Most to give for it.")
@EXPIRES_IN
@FILL_OR_KILL
@_take_profit_options
@wallet_options
def buy(session: WalletSession, amount: str, price: str, **options: Any) -> None:
    """Ask for an amount, giving at most another; what better prices save buys more of it.

    \b
    pegboard wallet buy "10 bitUSD" --with "80 TEST"
    pegboard wallet buy "10 bitUSD" --with "80 TEST" --take-profit 5
    """
    _place(session, price, amount, **options)


def _place(
    session: WalletSession,
    gives: str,
    wants: str,
    expires_in: str | None,
    *,
    fill_or_kill: bool,
    take_profit: str | None,
    take_profit_size: str,
    take_profit_within: str,
    take_profit_fee: str | None,
    repeat: bool,
) -> None:
    chain = session.chain
    action = None
    if take_profit is not None:
        action = drafts.take_profit(
            chain,
            take_profit,
            size=take_profit_size,
            within=take_profit_within,
            fee_asset=take_profit_fee,
            repeat=repeat,
        )
    elif repeat:
        raise UsageProblem("--repeat needs --take-profit")
    session.send(
        drafts.sell(
            session.account(),
            chain.parse_amount(gives),
            chain.parse_amount(wants),
            expiration=drafts.expiration_in(chain, expires_in),
            fill_or_kill=fill_or_kill,
            on_fill=action,
        )
    )


@click.command()
@click.argument("order")
@wallet_options
def cancel(session: WalletSession, order: str) -> None:
    """Take an order (1.7.n) back."""
    session.send(drafts.cancel(session.account(), order))


@click.command()
@click.argument("amount")
@wallet_options
def settle(session: WalletSession, amount: str) -> None:
    """Exchange BitAsset for collateral at the feed, after the asset's settlement delay.

    \b
    pegboard wallet settle "10 bitUSD"
    """
    session.send(drafts.settle(session.account(), session.chain.parse_amount(amount)))


@click.command()
@click.argument("asset")
@click.argument("price")
@click.option(
    "--mcr",
    metavar="R",
    default=f"{DEFAULT_MAINTENANCE_COLLATERAL_RATIO / 1000}",
    show_default=True,
    help="Maintenance collateral ratio: a position at or below it may be called.",
)
@click.option(
    "--msqr",
    metavar="R",
    default=f"{DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO / 1000}",
    show_default=True,
    help="Maximum short squeeze ratio: a call never pays worse than the feed by this ratio.",
)
@wallet_options
def publish_feed(session: WalletSession, asset: str, price: str, mcr: str, msqr: str) -> None:
    """Publish a price: pegged units for one token of the backing asset.

    \b
    pegboard wallet publish-feed bitUSD 0.0998 --dev-keys -a init0
    """
    chain = session.chain
    session.send(
        drafts.publish_feed(
            chain,
            session.account(),
            chain.asset(asset),
            price,
            maintenance_ratio=drafts.parse_ratio(mcr),
            squeeze_ratio=drafts.parse_ratio(msqr),
        )
    )


@click.command()
@click.argument("amount")
@click.option("--to", "receiver", required=True, metavar="NAME", help="Account that gets it.")
@click.option("--memo", metavar="TEXT", help="A message that only the receiver can read.")
@wallet_options
def issue(session: WalletSession, amount: str, receiver: str, memo: str | None) -> None:
    """Issue units of one's own asset to an account."""
    chain = session.chain
    session.send(
        drafts.issue(
            chain,
            session.keys,
            session.account(),
            chain.account(receiver),
            chain.parse_amount(amount),
            memo,
        )
    )


@click.command()
@click.argument("collateral")
@click.option(
    "--for", "debt", required=True, metavar="AMOUNT", help="Debt to take over; 0 ends one's bid."
)
@wallet_options
def bid_collateral(session: WalletSession, collateral: str, debt: str) -> None:
    """Bid for the debt of a globally settled BitAsset.

    At maintenance the best bids revive it if they cover its supply: each bidder gets a position
    with the debt, a share of the settlement fund, and the collateral of the bid.

    \b
    pegboard wallet bid-collateral "500 TEST" --for "100 bitUSD"
    pegboard wallet bid-collateral "0 TEST" --for "0 bitUSD"
    """
    chain = session.chain
    session.send(
        drafts.bid_collateral(
            session.account(), chain.parse_amount(collateral), chain.parse_amount(debt)
        )
    )


MARKET_COMMANDS = (
    transfer,
    borrow,
    adjust,
    cover,
    sell,
    buy,
    cancel,
    settle,
    bid_collateral,
    publish_feed,
    issue,
)
