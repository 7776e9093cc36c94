"""Loans of a wallet, from what people write; see `node.cli.drafts` (O2-O7)."""

from __future__ import annotations

from collections.abc import Iterable

from node.cli.drafts import parse_seconds
from node.cli.exits import UsageProblem
from node.cli.remote_chain import RemoteAccount, RemoteChain, id_argument, parse_decimal
from node.market.credit import credit_fee
from node.state.objects.credit import CreditDeal, CreditOffer
from protocol.asset import NO_FEE, AssetAmount, Price, multiply_ceil
from protocol.ids import (
    AssetId,
    CreditDealId,
    CreditOfferId,
    asset_text,
    credit_deal_text,
    credit_offer_text,
)
from protocol.json_form import from_json, parse_time
from protocol.operations.credit_offer import (
    AcceptableBorrowers,
    AcceptableCollateral,
    AutoRepayment,
    CreditDealRepay,
    CreditDealUpdate,
    CreditOfferAccept,
    CreditOfferAcceptExtensions,
    CreditOfferDelete,
)
from protocol.wording import format_decimal

RATE_DECIMALS = 4
"""A fee rate of 1,000,000 as a percentage."""
AUTO_REPAY = {
    "none": AutoRepayment.NONE,
    "full": AutoRepayment.ONLY_FULL,
    "partial": AutoRepayment.ALLOW_PARTIAL,
}
"""What people call the ways in which a deal repays itself."""


def parse_rate(text: str) -> int:
    """The fee rate of a percentage such as "1.5"; raises `UsageProblem`."""
    rate = parse_decimal(text.removesuffix("%").rstrip(), RATE_DECIMALS)
    if not 0 <= rate < 1 << 32:
        raise UsageProblem("no fee rate", value=text, limit="0 % to 429,496.7295 %")
    return rate


def format_rate(rate: int) -> str:
    """A fee rate as people read it."""
    return f"{format_decimal(rate, RATE_DECIMALS)} %"


def collateral_prices(
    chain: RemoteChain, lent: AssetId, texts: Iterable[str]
) -> AcceptableCollateral:
    """Prices of "30 TEST for 1 bitUSD": collateral for an amount of what is lent."""
    found: dict[AssetId, Price] = {}
    for text in texts:
        locked_text, _, lent_text = text.partition(" for ")
        if not lent_text:
            raise UsageProblem('a price of collateral is "30 TEST for 1 bitUSD"', value=text)
        locked, owed = chain.parse_amount(locked_text), chain.parse_amount(lent_text)
        if owed.asset_id != lent or locked.asset_id in (lent, *found):
            raise UsageProblem(
                "each collateral has one price, in what is lent",
                value=text,
                limit=chain.asset(asset_text(lent)).display_symbol,
            )
        found[locked.asset_id] = Price(owed, locked)
    return tuple(sorted(found.items()))


def borrower_limits(
    chain: RemoteChain, lent: AssetId, pairs: Iterable[tuple[str, str]]
) -> AcceptableBorrowers:
    """Accounts, each with the most that it may owe."""
    found = {}
    for name, text in pairs:
        amount = chain.parse_amount(text)
        if amount.asset_id != lent:
            symbol = chain.asset(asset_text(lent)).display_symbol
            raise UsageProblem("a limit is an amount of what is lent", value=text, limit=symbol)
        found[chain.account(name).id] = amount.amount
    return tuple(sorted(found.items()))


def amount_of(chain: RemoteChain, asset: AssetId, text: str) -> AssetAmount:
    """An amount of one asset; raises `UsageProblem` for another."""
    amount = chain.parse_amount(text)
    if amount.asset_id != asset:
        symbol = chain.asset(asset_text(asset)).display_symbol
        raise UsageProblem("an amount of another asset", value=text, limit=symbol)
    return amount


def end_in(chain: RemoteChain, duration: str) -> int:
    """The chain's time plus a duration."""
    return parse_time(str(chain.head()["time"])) + parse_seconds(duration)


def offer_of(chain: RemoteChain, text: str) -> CreditOffer:
    """A credit offer (1.21.n) as it is now; raises `NoSuchName`."""
    number = id_argument(CreditOfferId, text)
    return from_json(CreditOffer, chain.object(credit_offer_text(number)), chain.prefix)


def deal_of(chain: RemoteChain, text: str) -> CreditDeal:
    """A credit deal (1.22.n) as it is now; raises `NoSuchName`."""
    number = id_argument(CreditDealId, text)
    return from_json(CreditDeal, chain.object(credit_deal_text(number)), chain.prefix)


def delete(account: RemoteAccount, offer: str) -> CreditOfferDelete:
    """Close an offer of which nothing is lent."""
    return CreditOfferDelete(NO_FEE, account.id, id_argument(CreditOfferId, offer))


def accept(
    chain: RemoteChain,
    borrower: RemoteAccount,
    offer_id: str,
    amount: str,
    *,
    collateral: str | None,
    max_rate: str | None,
    auto_repay: str,
) -> CreditOfferAccept:
    """Borrow at an offer's present terms, against the collateral that it asks for, or more.

    `collateral` is an amount, or the symbol of one of several kinds.
    """
    offer = offer_of(chain, offer_id)
    borrowed = amount_of(chain, offer.asset_type, amount)
    return CreditOfferAccept(
        fee=NO_FEE,
        borrower=borrower.id,
        offer_id=offer.id,
        borrow_amount=borrowed,
        collateral=_locked(chain, offer, borrowed, collateral),
        max_fee_rate=offer.fee_rate if max_rate is None else parse_rate(max_rate),
        min_duration_seconds=offer.max_duration_seconds,
        extensions=CreditOfferAcceptExtensions(AUTO_REPAY[auto_repay] or None),
    )


def _locked(
    chain: RemoteChain, offer: CreditOffer, borrowed: AssetAmount, text: str | None
) -> AssetAmount:
    """The collateral that is stated, or the least that the offer asks for."""
    if text is not None and text[:1].isdigit():
        return chain.parse_amount(text)
    prices = dict(offer.acceptable_collateral)
    symbols = ", ".join(chain.asset(asset_text(asset)).display_symbol for asset in prices)
    if text is not None:
        asset = chain.asset(text).id
    elif len(prices) == 1:
        (asset,) = prices
    else:
        raise UsageProblem("--collateral says which kind is locked", limit=symbols)
    if asset not in prices:
        raise UsageProblem("the offer does not accept this collateral", value=text, limit=symbols)
    return multiply_ceil(borrowed, prices[asset])


def repay(
    chain: RemoteChain, account: RemoteAccount, deal_id: str, amount: str | None
) -> CreditDealRepay:
    """Repay all that a deal owes, or an amount of it, with the fee for that."""
    deal = deal_of(chain, deal_id)
    repaid = deal.debt if amount is None else amount_of(chain, deal.debt_asset, amount)
    fee = AssetAmount(credit_fee(max(repaid.amount, 0), deal.fee_rate), deal.debt_asset)
    return CreditDealRepay(NO_FEE, account.id, deal.id, repaid, fee)


def change_end(account: RemoteAccount, deal: str, auto_repay: str) -> CreditDealUpdate:
    """Have a deal repay itself in another way at its end."""
    number = id_argument(CreditDealId, deal)
    return CreditDealUpdate(NO_FEE, account.id, number, AUTO_REPAY[auto_repay])
