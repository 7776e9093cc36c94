"""Database API: credit offers, and the deals made by them (O9)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from node.api.arguments import AccountArg, AssetArg, at_most, instance_of
from node.api.call import Answer, Call
from node.api.views import view_object
from node.state.objects.base import StateObject
from protocol.ids import CreditDealId, CreditOfferId
from protocol.json_form import JsonValue

Limit = Annotated[int, at_most(101)]
OfferId = Annotated[CreditOfferId, instance_of("credit offer id", CreditOfferId)]
DealId = Annotated[CreditDealId, instance_of("credit deal id", CreditDealId)]
FIRST_OFFER, FIRST_DEAL = CreditOfferId(0), CreditDealId(0)


def list_credit_offers(call: Call, limit: Limit = 101, start_id: OfferId = FIRST_OFFER) -> Answer:
    """All credit offers by ascending id, from an id on."""
    return _views(call, call.state.credit_offers.page(start_id, limit))


def get_credit_offers_by_owner(
    call: Call, account: AccountArg, limit: Limit = 101, start_id: OfferId = FIRST_OFFER
) -> Answer:
    """The credit offers of an account by ascending id, from an id on."""
    found = call.state.credit_offers_of_account.page(account.id, start_id, limit)
    return _views(call, found)


def get_credit_offers_by_asset(
    call: Call, asset: AssetArg, limit: Limit = 101, start_id: OfferId = FIRST_OFFER
) -> Answer:
    """The credit offers that lend an asset by ascending id, from an id on."""
    return _views(call, call.state.credit_offers_of_asset.page(asset.id, start_id, limit))


def list_credit_deals(call: Call, limit: Limit = 101, start_id: DealId = FIRST_DEAL) -> Answer:
    """All credit deals by ascending id, from an id on."""
    return _views(call, call.state.credit_deals.page(start_id, limit))


def get_credit_deals_by_offer_id(
    call: Call, offer_id: OfferId, limit: Limit = 101, start_id: DealId = FIRST_DEAL
) -> Answer:
    """The open deals of a credit offer by ascending id, from an id on."""
    return _views(call, call.state.credit_deals_of_offer.page(offer_id, start_id, limit))


def get_credit_deals_by_offer_owner(
    call: Call, account: AccountArg, limit: Limit = 101, start_id: DealId = FIRST_DEAL
) -> Answer:
    """The open deals in which an account lends by ascending id, from an id on."""
    return _views(call, call.state.credit_deals_of_owner.page(account.id, start_id, limit))


def get_credit_deals_by_borrower(
    call: Call, account: AccountArg, limit: Limit = 101, start_id: DealId = FIRST_DEAL
) -> Answer:
    """The open deals in which an account borrows by ascending id, from an id on."""
    return _views(call, call.state.credit_deals_of_borrower.page(account.id, start_id, limit))


def get_credit_deals_by_debt_asset(
    call: Call, asset: AssetArg, limit: Limit = 101, start_id: DealId = FIRST_DEAL
) -> Answer:
    """The open deals that owe an asset by ascending id, from an id on."""
    return _views(call, call.state.credit_deals_of_debt.page(asset.id, start_id, limit))


def get_credit_deals_by_collateral_asset(
    call: Call, asset: AssetArg, limit: Limit = 101, start_id: DealId = FIRST_DEAL
) -> Answer:
    """The open deals that hold an asset as collateral by ascending id, from an id on."""
    return _views(call, call.state.credit_deals_of_collateral.page(asset.id, start_id, limit))


def _views(call: Call, found: Iterable[StateObject]) -> list[JsonValue]:
    return [view_object(call.backend, item) for item in found]


METHODS = (
    list_credit_offers,
    get_credit_offers_by_owner,
    get_credit_offers_by_asset,
    list_credit_deals,
    get_credit_deals_by_offer_id,
    get_credit_deals_by_offer_owner,
    get_credit_deals_by_borrower,
    get_credit_deals_by_debt_asset,
    get_credit_deals_by_collateral_asset,
)
