"""Credit deals at the end of a block: offers close, deals repay themselves or default (O8)."""

from __future__ import annotations

from node.state.balances import credit
from node.state.context import Context
from node.state.database import State
from node.state.objects.credit import CreditDeal
from protocol.asset import NO_FEE, AssetAmount, ceil_div
from protocol.constants import FEE_RATE_DENOMINATOR
from protocol.errors import PegboardError
from protocol.operations.credit_offer import AutoRepayment, CreditDealExpired, CreditDealRepay


def credit_fee(repaid: int, fee_rate: int) -> int:
    """The least fee of a repayment, rounded up in favour of the lender (O6)."""
    return ceil_div(repaid * fee_rate, FEE_RATE_DENOMINATOR)


def lower_summary(state: State, deal: CreditDeal, amount: int) -> None:
    """Take what a deal owes no more off the borrower's summary, which ends at nothing (O1)."""
    summary = state.credit_summaries_of_offer.find(deal.offer_id, deal.borrower)
    assert summary is not None, deal
    if summary.total_debt_amount == amount:
        state.credit_deal_summaries.remove(summary)
    else:
        state.credit_deal_summaries.edit(summary).total_debt_amount -= amount


def settle_due_credit(ctx: Context) -> None:
    """Disable offers whose time has come, then end the deals that are due, earliest first (O8).

    A deal that repays itself wholly is not in default.
    """
    state = ctx.state
    for offer in state.credit_offers_by_end.up_to(True, ctx.now):
        state.credit_offers.edit(offer).enabled = False
    for deal in state.credit_deals_by_end.up_to(ctx.now):
        if deal.auto_repay != AutoRepayment.NONE:
            _repay_by_itself(ctx, deal)
        if state.credit_deals.find(deal.id) is not None:
            _default(ctx, deal)


def _repay_by_itself(ctx: Context, deal: CreditDeal) -> None:
    """Repay what the deal allows as a virtual operation, or leave nothing of the attempt (O8)."""
    held = ctx.state.balance_of(deal.borrower, deal.debt_asset)
    repaid = repayment_by_itself(deal, held)
    op = CreditDealRepay(
        fee=NO_FEE,
        account=deal.borrower,
        deal_id=deal.id,
        repay_amount=AssetAmount(repaid, deal.debt_asset),
        credit_fee=AssetAmount(credit_fee(repaid, deal.fee_rate), deal.debt_asset),
    )
    try:
        with ctx.session():
            op.validate()
            ctx.run_operation(ctx, op)
    except PegboardError:
        return


def repayment_by_itself(deal: CreditDeal, held: int) -> int:
    """What a deal in its last moment tries to repay, of what its borrower holds (O8).

    All of it, or where that is too much and a part is allowed, the least debt that frees as many
    units of collateral as the borrower can pay for.
    """
    debt, collateral, rate = deal.debt_amount, deal.collateral_amount, deal.fee_rate
    is_enough = held >= debt + credit_fee(debt, rate)
    if is_enough or deal.auto_repay == AutoRepayment.ONLY_FULL:
        return debt
    affordable = held * FEE_RATE_DENOMINATOR // (FEE_RATE_DENOMINATOR + rate)
    freed = affordable * collateral // debt
    return ceil_div(freed * debt, collateral)


def _default(ctx: Context, deal: CreditDeal) -> None:
    """The collateral goes to the owner of the offer, whose loan is lost; the borrower keeps it."""
    state = ctx.state
    offer = state.credit_offers.edit(state.credit_offers.get(deal.offer_id))
    offer.total_balance -= deal.debt_amount
    lower_summary(state, deal, deal.debt_amount)
    credit(state, deal.offer_owner, deal.collateral)
    ctx.emit(
        CreditDealExpired(
            fee=NO_FEE,
            deal_id=deal.id,
            offer_id=deal.offer_id,
            offer_owner=deal.offer_owner,
            borrower=deal.borrower,
            unpaid_amount=deal.debt,
            collateral=deal.collateral,
            fee_rate=deal.fee_rate,
        )
    )
    state.credit_deals.remove(deal)
