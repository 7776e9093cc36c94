"""`pegboard wallet fund`: loans that last one transaction (U)."""

from __future__ import annotations

from typing import IO

import click

from node.cli.client import as_int
from node.cli.exits import UsageProblem
from node.cli.remote_chain import RemoteChain, id_argument, parse_decimal
from node.cli.wallet_ownership import read_operations
from node.cli.wallet_sessions import WalletSession, wallet_options
from node.evaluators.samet_fund import fund_fee
from protocol.asset import NO_FEE, AssetAmount
from protocol.ids import SametFundId
from protocol.operations.samet_fund import (
    SametFundBorrow,
    SametFundCreate,
    SametFundDelete,
    SametFundRepay,
    SametFundUpdate,
)

FEE_DIGITS = 4
"""Of a percent: the rate is over 1,000,000."""


@click.group()
def fund() -> None:
    """SameT funds: lend to anybody for as long as one transaction lasts, and borrow so.

    \b
    pegboard wallet fund create "1000 TEST" --fee 0.05 -a alice --dev-keys
    pegboard wallet fund borrow 1.20.0 "500 TEST" --then trades.json -a bob --dev-keys
    """


@fund.command()
@click.argument("amount")
@click.option(
    "--fee", default="0", show_default=True, metavar="PERCENT", help="What a loan costs of it."
)
@wallet_options
def create(session: WalletSession, amount: str, fee: str) -> None:
    """Put an amount aside to be lent.

    \b
    pegboard wallet fund create "1000 TEST" --fee 0.05
    """
    lent = session.chain.parse_amount(amount)
    owner = session.account().id
    session.send(SametFundCreate(NO_FEE, owner, lent.asset_id, lent.amount, parse_fee_rate(fee)))


@fund.command()
@click.argument("name", metavar="FUND")
@wallet_options
def delete(session: WalletSession, name: str) -> None:
    """Close one's own fund (1.20.n); its balance returns.

    \b
    pegboard wallet fund delete 1.20.0
    """
    session.send(SametFundDelete(NO_FEE, session.account().id, id_argument(SametFundId, name)))


@fund.command()
@click.argument("name", metavar="FUND")
@click.option("--amount", metavar="AMOUNT", help='Add to it, or with "-5 TEST" take out of it.')
@click.option("--fee", metavar="PERCENT", help="What a loan costs of it from now on.")
@wallet_options
def update(session: WalletSession, name: str, amount: str | None, fee: str | None) -> None:
    """Change the balance or the fee of one's own fund (1.20.n).

    \b
    pegboard wallet fund update 1.20.0 --amount "500 TEST" --fee 0.03
    """
    if amount is None and fee is None:
        raise UsageProblem("give --amount or --fee")
    session.send(
        SametFundUpdate(
            NO_FEE,
            session.account().id,
            id_argument(SametFundId, name),
            None if amount is None else session.chain.parse_amount(amount),
            None if fee is None else parse_fee_rate(fee),
        )
    )


@fund.command()
@click.argument("name", metavar="FUND")
@click.argument("amount")
@click.option(
    "--then",
    "operations",
    type=click.File("r"),
    required=True,
    help='What to do with it: a JSON file, [[id, {fields}], ...]; "-" reads standard input.',
)
@wallet_options
def borrow(session: WalletSession, name: str, amount: str, operations: IO[str]) -> None:
    """Borrow from a fund, do something, and repay with the fund's fee: one transaction, or nothing.

    \b
    pegboard wallet fund borrow 1.20.0 "500 TEST" --then trades.json
    """
    chain, account = session.chain, session.account().id
    lent = chain.parse_amount(amount)
    fund_id, fee = id_argument(SametFundId, name), fee_of(chain, name, lent)
    session.send(
        SametFundBorrow(NO_FEE, account, fund_id, lent),
        *read_operations(chain, operations),
        SametFundRepay(NO_FEE, account, fund_id, lent, fee),
    )


def fee_of(chain: RemoteChain, fund_text: str, lent: AssetAmount) -> AssetAmount:
    """What a fund asks for a loan now, in the asset of the loan (U6)."""
    found = chain.object(fund_text)
    return AssetAmount(fund_fee(lent.amount, as_int(found["fee_rate"])), lent.asset_id)


def parse_fee_rate(text: str) -> int:
    """Millionths of "0.05" or "0.05%"; raises `UsageProblem`."""
    return parse_decimal(text.removesuffix("%").rstrip(), FEE_DIGITS)
