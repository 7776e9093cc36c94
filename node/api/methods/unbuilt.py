"""Database API: what this chain does not have: SameT funds, credit offers and deals, tickets,
blinded balances.

Their operations are refused, so their lists are empty, and BitShares' clients that ask for them
see a chain on which nobody uses them. Arguments are read, and limits hold, as they do elsewhere.
"""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import AccountArg, AssetArg, Texts, at_most, instance_of
from node.api.call import Answer, Call
from protocol import ids

Limit = Annotated[int, at_most(101)]
AssetId = Annotated[int, instance_of("asset id", ids.AssetId)]
FundId = Annotated[int, instance_of("SameT fund id", ids.SametFundId)]
OfferId = Annotated[int, instance_of("credit offer id", ids.CreditOfferId)]
DealId = Annotated[int, instance_of("credit deal id", ids.CreditDealId)]
TicketId = Annotated[int, instance_of("ticket id", ids.TicketId)]


def list_samet_funds(call: Call, limit: Limit = 101, start_id: FundId = 0) -> Answer:
    """Always empty: there are no SameT funds."""
    return []


def get_samet_funds_by_owner(
    call: Call, account: AccountArg, limit: Limit = 101, start_id: FundId = 0
) -> Answer:
    """Always empty: there are no SameT funds."""
    return []


def get_samet_funds_by_asset(
    call: Call, asset: AssetArg, limit: Limit = 101, start_id: FundId = 0
) -> Answer:
    """Always empty: there are no SameT funds."""
    return []


def list_credit_offers(call: Call, limit: Limit = 101, start_id: OfferId = 0) -> Answer:
    """Always empty: there are no credit offers."""
    return []


def get_credit_offers_by_owner(
    call: Call, account: AccountArg, limit: Limit = 101, start_id: OfferId = 0
) -> Answer:
    """Always empty: there are no credit offers."""
    return []


def get_credit_offers_by_asset(
    call: Call, asset: AssetArg, limit: Limit = 101, start_id: OfferId = 0
) -> Answer:
    """Always empty: there are no credit offers."""
    return []


def list_credit_deals(call: Call, limit: Limit = 101, start_id: DealId = 0) -> Answer:
    """Always empty: there are no credit deals."""
    return []


def get_credit_deals_by_offer_id(
    call: Call, offer_id: OfferId, limit: Limit = 101, start_id: DealId = 0
) -> Answer:
    """Always empty: there are no credit deals."""
    return []


def get_credit_deals_by_offer_owner(
    call: Call, account: AccountArg, limit: Limit = 101, start_id: DealId = 0
) -> Answer:
    """Always empty: there are no credit deals."""
    return []


def get_credit_deals_by_borrower(
    call: Call, account: AccountArg, limit: Limit = 101, start_id: DealId = 0
) -> Answer:
    """Always empty: there are no credit deals."""
    return []


def get_credit_deals_by_debt_asset(
    call: Call, asset: AssetArg, limit: Limit = 101, start_id: DealId = 0
) -> Answer:
    """Always empty: there are no credit deals."""
    return []


def get_credit_deals_by_collateral_asset(
    call: Call, asset: AssetArg, limit: Limit = 101, start_id: DealId = 0
) -> Answer:
    """Always empty: there are no credit deals."""
    return []


def list_tickets(call: Call, limit: Limit = 101, start_id: TicketId = 0) -> Answer:
    """Always empty: there are no tickets."""
    return []


def get_tickets_by_account(
    call: Call, account: AccountArg, limit: Limit = 101, start_id: TicketId = 0
) -> Answer:
    """Always empty: there are no tickets."""
    return []


def get_blinded_balances(call: Call, commitments: Texts) -> Answer:
    """Always empty: there are no blinded balances."""
    return []


METHODS = (
    list_samet_funds,
    get_samet_funds_by_owner,
    get_samet_funds_by_asset,
    list_credit_offers,
    get_credit_offers_by_owner,
    get_credit_offers_by_asset,
    list_credit_deals,
    get_credit_deals_by_offer_id,
    get_credit_deals_by_offer_owner,
    get_credit_deals_by_borrower,
    get_credit_deals_by_debt_asset,
    get_credit_deals_by_collateral_asset,
    list_tickets,
    get_tickets_by_account,
    get_blinded_balances,
)
