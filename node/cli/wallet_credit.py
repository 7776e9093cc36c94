"""`pegboard wallet credit`: lend at fixed terms, borrow, repay."""

from __future__ import annotations

import click

from node.cli import drafts, drafts_credit
from node.cli.drafts_credit import AUTO_REPAY
from node.cli.exits import UsageProblem
from node.cli.wallet_sessions import WalletSession, wallet_options
from protocol.asset import NO_FEE
from protocol.operations.credit_offer import CreditOfferCreate, CreditOfferUpdate

AGAINST = click.option(
    "--against",
    "prices",
    multiple=True,
    metavar="PRICE",
    help='Collateral that is accepted, such as "30 TEST for 1 bitUSD"; may be repeated.',
)
FEE = click.option(
    "--fee", "rate", metavar="PERCENT", help="Fee of each repayment, such as 1.5.  [default: 0]"
)
TERM = click.option(
    "--term", metavar="TIME", help="How long a deal lasts: 12h, 30d, 380d at most.  [default: 30d]"
)
LEAST = click.option("--least", metavar="AMOUNT", help="Least that is lent at once.")
BORROWERS = click.option(
    "--borrower",
    "borrowers",
    nargs=2,
    multiple=True,
    metavar="NAME AMOUNT",
    help="Lend to accounts that are named only, each up to an amount; may be repeated.",
)
OPEN_FOR = click.option(
    "--open-for", metavar="TIME", help="When the offer is disabled by itself.  [default: 380d]"
)
AUTO = click.Choice([*AUTO_REPAY])


@click.group()
def credit() -> None:
    """Lend an amount at fixed terms, or borrow by somebody's offer; nobody calls such a loan.

    What is not repaid in time costs its collateral. `pegboard show credit` lists offers.

    \b
    pegboard wallet credit offer "500 TEST" --against "0.12 bitUSD for 1 TEST" --fee 1 -a alice
    pegboard wallet credit accept 1.21.0 "100 TEST" --auto-repay full -a bob
    pegboard wallet credit repay 1.22.0 -a bob
    """


@credit.command()
@click.argument("amount")
@AGAINST
@FEE
@TERM
@LEAST
@BORROWERS
@OPEN_FOR
@wallet_options
def offer(
    session: WalletSession,
    amount: str,
    prices: tuple[str, ...],
    rate: str | None,
    term: str | None,
    least: str | None,
    borrowers: tuple[tuple[str, str], ...],
    open_for: str | None,
) -> None:
    """Offer an amount to whoever brings collateral; it leaves the balance at once.

    \b
    pegboard wallet credit offer "500 TEST" --against "0.12 bitUSD for 1 TEST" --fee 1 --term 7d
    pegboard wallet credit offer "50 bitUSD" --against "15 TEST for 1 bitUSD" --least "5 bitUSD"
    """
    chain = session.chain
    lent = chain.parse_amount(amount)
    if not prices:
        raise UsageProblem('--against says which collateral is accepted: "30 TEST for 1 bitUSD"')
    session.send(
        CreditOfferCreate(
            fee=NO_FEE,
            owner_account=session.account().id,
            asset_type=lent.asset_id,
            balance=lent.amount,
            fee_rate=drafts_credit.parse_rate(rate or "0"),
            max_duration_seconds=drafts.parse_seconds(term or "30d"),
            min_deal_amount=(
                0 if least is None else drafts_credit.amount_of(chain, lent.asset_id, least).amount
            ),
            enabled=True,
            auto_disable_time=drafts_credit.end_in(chain, open_for or "380d"),
            acceptable_collateral=drafts_credit.collateral_prices(chain, lent.asset_id, prices),
            acceptable_borrowers=drafts_credit.borrower_limits(chain, lent.asset_id, borrowers),
        )
    )


@credit.command()
@click.argument("offer_id", metavar="OFFER")
@click.option("--add", metavar="AMOUNT", help="Put more in; -5 TEST takes it out.")
@AGAINST
@click.option("--fee", "rate", metavar="PERCENT", help="Fee of each repayment of later deals.")
@click.option("--term", metavar="TIME", help="How long later deals last.")
@LEAST
@BORROWERS
@click.option("--anybody", is_flag=True, help="Lend to everybody again.")
@click.option("--open-for", metavar="TIME", help="When the offer is disabled by itself.")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it lends.")
@wallet_options
def update(
    session: WalletSession,
    offer_id: str,
    add: str | None,
    prices: tuple[str, ...],
    rate: str | None,
    term: str | None,
    least: str | None,
    borrowers: tuple[tuple[str, str], ...],
    anybody: bool,
    open_for: str | None,
    enabled: bool | None,
) -> None:
    """Change an offer (1.21.n); open deals keep their terms.

    \b
    pegboard wallet credit update 1.21.0 --add "100 TEST" --fee 2
    pegboard wallet credit update 1.21.0 --disable
    """
    chain = session.chain
    lent = drafts_credit.offer_of(chain, offer_id)
    asset = lent.asset_type
    if anybody and borrowers:
        raise UsageProblem("give either --anybody or --borrower")
    limits = drafts_credit.borrower_limits(chain, asset, borrowers)
    session.send(
        CreditOfferUpdate(
            fee=NO_FEE,
            owner_account=session.account().id,
            offer_id=lent.id,
            delta_amount=None if add is None else drafts_credit.amount_of(chain, asset, add),
            fee_rate=None if rate is None else drafts_credit.parse_rate(rate),
            max_duration_seconds=None if term is None else drafts.parse_seconds(term),
            min_deal_amount=(
                None if least is None else drafts_credit.amount_of(chain, asset, least).amount
            ),
            enabled=enabled,
            auto_disable_time=None if open_for is None else drafts_credit.end_in(chain, open_for),
            acceptable_collateral=(
                drafts_credit.collateral_prices(chain, asset, prices) if prices else None
            ),
            acceptable_borrowers=limits if limits or anybody else None,
        )
    )


@credit.command()
@click.argument("offer_id", metavar="OFFER")
@wallet_options
def delete(session: WalletSession, offer_id: str) -> None:
    """Close an offer (1.21.n) of which nothing is lent; its balance returns."""
    session.send(drafts_credit.delete(session.account(), offer_id))


@credit.command()
@click.argument("offer_id", metavar="OFFER")
@click.argument("amount")
@click.option(
    "--collateral",
    metavar="AMOUNT",
    help="What to lock, or only its symbol.  [default: what the offer asks for]",
)
@click.option(
    "--max-fee", metavar="PERCENT", help="Refuse a higher fee.  [default: the present one]"
)
@click.option(
    "--auto-repay",
    type=AUTO,
    default="none",
    show_default=True,
    help="Whether the deal repays itself at its end: never, only all of it, also a part.",
)
@wallet_options
def accept(
    session: WalletSession,
    offer_id: str,
    amount: str,
    collateral: str | None,
    max_fee: str | None,
    auto_repay: str,
) -> None:
    """Borrow an amount by an offer (1.21.n).

    \b
    pegboard wallet credit accept 1.21.0 "100 TEST" --auto-repay full
    pegboard wallet credit accept 1.21.0 "100 TEST" --collateral "20 bitUSD"
    """
    session.send(
        drafts_credit.accept(
            session.chain,
            session.account(),
            offer_id,
            amount,
            collateral=collateral,
            max_rate=max_fee,
            auto_repay=auto_repay,
        )
    )


@credit.command()
@click.argument("deal_id", metavar="DEAL")
@click.option("--amount", metavar="AMOUNT", help="Repay only so much.  [default: all of it]")
@wallet_options
def repay(session: WalletSession, deal_id: str, amount: str | None) -> None:
    """Repay a deal (1.22.n) with its fee; collateral returns in proportion.

    \b
    pegboard wallet credit repay 1.22.0
    pegboard wallet credit repay 1.22.0 --amount "40 TEST"
    """
    session.send(drafts_credit.repay(session.chain, session.account(), deal_id, amount))


@credit.command()
@click.argument("deal_id", metavar="DEAL")
@click.argument("how", type=AUTO)
@wallet_options
def auto_repay(session: WalletSession, deal_id: str, how: str) -> None:
    """Decide whether a deal (1.22.n) repays itself at its end: never, only all, also a part.

    \b
    pegboard wallet credit auto-repay 1.22.0 partial
    """
    session.send(drafts_credit.change_end(session.account(), deal_id, how))


CREDIT_COMMANDS = (credit,)
