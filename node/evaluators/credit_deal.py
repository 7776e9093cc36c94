"""Credit deals: repaying them, and whether they repay themselves (O6, O7)."""

from __future__ import annotations

from typing import NamedTuple

from node.evaluators.credit_offer import check_growth
from node.evaluators.lists import check_authorized
from node.evaluators.membership import check_owner
from node.market.credit import credit_fee, lower_summary
from node.state.balances import adjust_balance, credit
from node.state.context import Context
from node.state.errors import InsufficientFee, LimitExceeded, NothingChanges, WrongAssetType
from node.state.objects.credit import CreditDeal, CreditOffer
from protocol.asset import AssetAmount
from protocol.ids import asset_text
from protocol.operations.credit_offer import CreditDealRepay, CreditDealUpdate
from protocol.operations.results import ExtendableOperationResult, VoidResult


class Repayment(NamedTuple):
    """A deal, and the offer that it was made by."""

    deal: CreditDeal
    offer: CreditOffer


def evaluate_credit_deal_repay(ctx: Context, op: CreditDealRepay) -> Repayment:
    """Deal and offer, once the borrower pays enough of a debt that there is (O6)."""
    state = ctx.state
    deal = state.credit_deals.get(op.deal_id)
    offer = state.credit_offers.get(deal.offer_id)
    asset, repaid, fee = deal.debt_asset, op.repay_amount.amount, op.credit_fee.amount

    check_owner(op.account, deal.borrower, "credit deal", rule="O6")
    if op.repay_amount.asset_id != asset:
        raise WrongAssetType(
            "the deal owes another asset",
            rule="O6",
            value=asset_text(op.repay_amount.asset_id),
            limit=asset_text(asset),
        )
    if repaid > deal.debt_amount:
        raise LimitExceeded(
            "more is repaid than the deal owes",
            rule="O6",
            value=repaid,
            limit=deal.debt_amount,
            unit=asset_text(asset),
        )
    required = credit_fee(repaid, deal.fee_rate)
    if fee < required:
        raise InsufficientFee(
            "credit_fee is too low for what is repaid",
            rule="O6",
            value=fee,
            limit=required,
            unit=asset_text(asset),
        )
    for account in (op.account, deal.offer_owner):
        check_authorized(state.accounts.get(account), state.assets.get(asset))
    check_growth(offer, fee, "O6")
    return Repayment(deal, offer)


def apply_credit_deal_repay(
    ctx: Context, op: CreditDealRepay, found: Repayment
) -> ExtendableOperationResult:
    """Pay debt and fee into the offer, and release collateral in proportion, rounded down (O6)."""
    state, deal, offer = ctx.state, *found
    repaid, fee = op.repay_amount.amount, op.credit_fee.amount
    deals, offers = state.credit_deals, state.credit_offers
    offer_id, deal_id = offers.object_id(offer.id), deals.object_id(deal.id)

    adjust_balance(state, op.account, deal.debt_asset, -(repaid + fee))
    offers.edit(offer)
    offer.total_balance += fee
    offer.current_balance += repaid + fee
    lower_summary(state, deal, repaid)
    is_full = repaid == deal.debt_amount
    if is_full:
        released = deal.collateral
        deals.remove(deal)
    else:
        share = repaid * deal.collateral_amount // deal.debt_amount
        released = AssetAmount(share, deal.collateral_asset)
        deals.edit(deal)
        deal.debt_amount -= repaid
        deal.collateral_amount -= share
    credit(state, op.account, released)
    return ExtendableOperationResult(
        impacted_accounts=(deal.offer_owner,),
        updated_objects=(offer_id,) if is_full else (offer_id, deal_id),
        removed_objects=(deal_id,) if is_full else None,
        received=(released,),
    )


def evaluate_credit_deal_update(ctx: Context, op: CreditDealUpdate) -> CreditDeal:
    """The deal, once its borrower asks for something else than it does (O7)."""
    deal = ctx.state.credit_deals.get(op.deal_id)
    check_owner(op.account, deal.borrower, "credit deal", rule="O7")
    if op.auto_repay == deal.auto_repay:
        raise NothingChanges("the deal has this auto_repay already", rule="O7", value=op.auto_repay)
    return deal


def apply_credit_deal_update(ctx: Context, op: CreditDealUpdate, deal: CreditDeal) -> VoidResult:
    """Have the deal repay itself in another way from now on."""
    ctx.state.credit_deals.edit(deal).auto_repay = op.auto_repay
    return VoidResult()
