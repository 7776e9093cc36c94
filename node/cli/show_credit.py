"""`pegboard show credit`: who lends what at which terms, and what is owed."""

from __future__ import annotations

import click

from node.cli.client import JsonObject, as_list, as_objects, as_text
from node.cli.drafts_credit import AUTO_REPAY, deal_of, format_rate, offer_of
from node.cli.output import heading, table
from node.cli.remote_chain import RemoteChain
from node.cli.sessions import Session, chain_options
from node.cli.show_market import LIMIT
from node.market.credit import credit_fee
from node.state.objects.credit import CreditDeal, CreditOffer
from protocol.asset import AssetAmount
from protocol.constants import SECONDS_PER_DAY
from protocol.ids import asset_text, credit_deal_text, credit_offer_text
from protocol.json_form import JsonValue, format_time, from_json

PAGE = 101
"""What the node answers at once (O9)."""


@click.command()
@click.argument("what", required=False)
@LIMIT
@chain_options
def credit(session: Session, what: str | None, limit: int) -> None:
    """Credit offers and open deals: all offers, or those of an account or asset, or one of them.

    \b
    pegboard show credit
    pegboard show credit alice
    pegboard show credit bitUSD
    pegboard show credit 1.21.0
    """
    chain = session.chain
    offers, deals = _found(chain, what, min(limit, PAGE))
    chain.know_accounts([as_text(item["owner_account"]) for item in offers])
    chain.know_accounts([as_text(item["borrower"]) for item in deals])
    lines = [heading("offers"), *_offer_lines(chain, offers)]
    if what is not None:
        lines += [heading("deals"), *_deal_lines(chain, deals)]
    session.output.answer({"offers": [*offers], "deals": [*deals]}, lines)


def _found(
    chain: RemoteChain, what: str | None, limit: int
) -> tuple[list[JsonObject], list[JsonObject]]:
    """Offers and deals of whatever is asked for."""
    if what is None:
        return _ask(chain, "list_credit_offers", limit), []
    if what.startswith("1.21."):
        offer = credit_offer_text(offer_of(chain, what).id)
        return [chain.object(offer)], _ask(chain, "get_credit_deals_by_offer_id", offer, limit)
    if what.startswith("1.22."):
        deal = deal_of(chain, what)
        offer = credit_offer_text(deal.offer_id)
        return [chain.object(offer)], [chain.object(credit_deal_text(deal.id))]
    if chain.client.call("database", "get_account_by_name", what) is not None:
        offers = _ask(chain, "get_credit_offers_by_owner", what, limit)
        lends = _ask(chain, "get_credit_deals_by_offer_owner", what, limit)
        owes = _ask(chain, "get_credit_deals_by_borrower", what, limit)
        both = {as_text(item["id"]): item for item in (*lends, *owes)}
        return offers, [*both.values()]
    symbol = chain.asset(what).symbol
    deals = _ask(chain, "get_credit_deals_by_debt_asset", symbol, limit)
    return _ask(chain, "get_credit_offers_by_asset", symbol, limit), deals


def _ask(chain: RemoteChain, method: str, *arguments: JsonValue) -> list[JsonObject]:
    return as_objects(as_list(chain.client.call("database", method, *arguments)))


def _offer_lines(chain: RemoteChain, offers: list[JsonObject]) -> list[str]:
    rows = []
    for item in offers:
        offer = from_json(CreditOffer, item, chain.prefix)
        asset = chain.asset(asset_text(offer.asset_type))
        rows.append(
            (
                chain.account_name(offer.owner_account),
                credit_offer_text(offer.id),
                asset.format(offer.current_balance),
                asset.format(offer.lent, with_symbol=False),
                format_rate(offer.fee_rate),
                duration_text(offer.max_duration_seconds),
                collateral_text(chain, offer),
                _until(offer),
            )
        )
    columns = ("owner", "id", ">to lend", ">lent", ">fee", ">term", "against", "open")
    return table(columns, rows) if rows else ["none"]


def _until(offer: CreditOffer) -> str:
    until = f"until {format_time(offer.auto_disable_time)}" if offer.enabled else "disabled"
    named = len(offer.acceptable_borrowers)
    return f"{until}, to {named} named" if named else until


def collateral_text(chain: RemoteChain, offer: CreditOffer) -> str:
    """What an offer accepts: "30.0 TEST for 1.0 bitUSD", one after the other."""
    return ", ".join(
        f"{chain.format_amount(price.quote)} for {chain.format_amount(price.base)}"
        for _, price in offer.acceptable_collateral
    )


def duration_text(seconds: int) -> str:
    """Whole days, or the next smaller unit that is exact."""
    for unit, length in (("d", SECONDS_PER_DAY), ("h", 3_600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length:,} {unit}"
    return f"{seconds:,} s"


def _deal_lines(chain: RemoteChain, deals: list[JsonObject]) -> list[str]:
    ways = {int(number): name for name, number in AUTO_REPAY.items()}
    rows = []
    for item in deals:
        deal = from_json(CreditDeal, item, chain.prefix)
        fee = AssetAmount(credit_fee(deal.debt_amount, deal.fee_rate), deal.debt_asset)
        rows.append(
            (
                chain.account_name(deal.borrower),
                credit_deal_text(deal.id),
                credit_offer_text(deal.offer_id),
                chain.format_amount(deal.debt),
                chain.format_amount(fee),
                chain.format_amount(deal.collateral),
                format_time(deal.latest_repay_time),
                ways[deal.auto_repay],
            )
        )
    columns = ("borrower", "id", "offer", ">owes", ">and a fee of", ">against", "until")
    return table((*columns, "repays itself"), rows) if rows else ["none"]
