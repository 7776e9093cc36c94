"""SameT funds: amounts that are lent for one transaction, for a fee (U)."""

from __future__ import annotations

from node.evaluators.lists import check_authorized
from node.evaluators.membership import check_owner
from node.state.balances import adjust_balance, credit, debit
from node.state.context import Context
from node.state.database import State
from node.state.errors import AssetMismatch, InsufficientFundFee, LimitExceeded, UnpaidSametDebt
from node.state.objects.liquidity import SametFund
from protocol.asset import AssetAmount, ceil_div
from protocol.ids import AccountId, ObjectId, asset_text, fund_text
from protocol.operations.results import ExtendableOperationResult, VoidResult
from protocol.operations.samet_fund import (
    SametFundBorrow,
    SametFundCreate,
    SametFundDelete,
    SametFundRepay,
    SametFundUpdate,
)

FEE_RATE_DENOMINATOR = 1_000_000


def fund_fee(amount: int, fee_rate: int) -> int:
    """The least fee for what is repaid of a loan, rounded up (U6)."""
    return ceil_div(amount * fee_rate, FEE_RATE_DENOMINATOR)


def check_all_repaid(state: State) -> None:
    """Raise `UnpaidSametDebt` while anything of any fund is lent (U7)."""
    open_fund = state.funds_by_open.first(True)
    if open_fund is not None:
        raise _unpaid(open_fund, "U7")


def evaluate_samet_fund_create(ctx: Context, op: SametFundCreate) -> None:
    """The owner may hold the asset (U2)."""
    asset = ctx.state.assets.get(op.asset_type)
    check_authorized(ctx.state.accounts.at[op.owner_account], asset)


def apply_samet_fund_create(ctx: Context, op: SametFundCreate, checked: None) -> ObjectId:
    """Move the balance into a new fund."""
    state = ctx.state
    debit(state, op.owner_account, AssetAmount(op.balance, op.asset_type))
    fund = state.samet_funds.create(
        SametFund(
            id=state.samet_funds.next_id,
            owner_account=op.owner_account,
            asset_type=op.asset_type,
            balance=op.balance,
            fee_rate=op.fee_rate,
            unpaid_amount=0,
        )
    )
    return state.samet_funds.object_id(fund.id)


def evaluate_samet_fund_delete(ctx: Context, op: SametFundDelete) -> SametFund:
    """The fund, once it is the account's own and nothing of it is lent (U3)."""
    fund = ctx.state.samet_funds.get(op.fund_id)
    check_owner(op.owner_account, fund.owner_account, "fund", rule="U3")
    _check_repaid(fund, "U3")
    return fund


def apply_samet_fund_delete(ctx: Context, op: SametFundDelete, fund: SametFund) -> AssetAmount:
    """Give the balance back and remove the fund; answers with the balance."""
    released = AssetAmount(fund.balance, fund.asset_type)
    credit(ctx.state, op.owner_account, released)
    ctx.state.samet_funds.remove(fund)
    return released


def evaluate_samet_fund_update(ctx: Context, op: SametFundUpdate) -> SametFund:
    """The fund, once it is the account's own and the change possible (U4)."""
    state, delta = ctx.state, op.delta_amount
    fund = state.samet_funds.get(op.fund_id)
    check_owner(op.owner_account, fund.owner_account, "fund", rule="U4")
    if delta is not None:
        _check_asset(fund, delta, "delta_amount", "U4")
        _check_repaid(fund, "U4")
        if delta.amount > 0:
            _check_holder(state, op.owner_account, fund)
        elif fund.balance <= -delta.amount:
            raise LimitExceeded(
                "the fund would be empty: delete it",
                rule="U4",
                value=-delta.amount,
                limit=fund.balance - 1,
                unit=asset_text(fund.asset_type),
            )
    if op.new_fee_rate == fund.fee_rate:
        raise LimitExceeded("new_fee_rate changes nothing", rule="U4", value=op.new_fee_rate)
    return fund


def apply_samet_fund_update(ctx: Context, op: SametFundUpdate, fund: SametFund) -> VoidResult:
    """Add to the balance or take from it, and set the rate that is given."""
    state, delta = ctx.state, op.delta_amount
    if delta is not None:
        adjust_balance(state, op.owner_account, delta.asset_id, -delta.amount)
    state.samet_funds.edit(fund)
    if delta is not None:
        fund.balance += delta.amount
    if op.new_fee_rate is not None:
        fund.fee_rate = op.new_fee_rate
    return VoidResult()


def evaluate_samet_fund_borrow(ctx: Context, op: SametFundBorrow) -> SametFund:
    """The fund, once it has so much to lend to somebody who may hold it (U5)."""
    state, amount = ctx.state, op.borrow_amount
    fund = state.samet_funds.get(op.fund_id)
    _check_asset(fund, amount, "borrow_amount", "U5")
    left = fund.balance - fund.unpaid_amount
    if amount.amount > left:
        raise LimitExceeded(
            "more than the fund has to lend",
            rule="U5",
            value=amount.amount,
            limit=left,
            unit=asset_text(fund.asset_type),
        )
    _check_holder(state, op.borrower, fund)
    return fund


def apply_samet_fund_borrow(
    ctx: Context, op: SametFundBorrow, fund: SametFund
) -> ExtendableOperationResult:
    """Lend the amount until the transaction ends."""
    state, amount = ctx.state, op.borrow_amount
    state.samet_funds.edit(fund).unpaid_amount += amount.amount
    credit(state, op.borrower, amount)
    return ExtendableOperationResult(impacted_accounts=(fund.owner_account,))


def evaluate_samet_fund_repay(ctx: Context, op: SametFundRepay) -> SametFund:
    """The fund, once no more is repaid than is lent, with the fee for it (U6)."""
    state, amount = ctx.state, op.repay_amount
    fund = state.samet_funds.get(op.fund_id)
    unit = asset_text(fund.asset_type)
    _check_asset(fund, amount, "repay_amount", "U6")
    _check_holder(state, op.account, fund)
    if amount.amount > fund.unpaid_amount:
        raise LimitExceeded(
            "more than is lent", rule="U6", value=amount.amount, limit=fund.unpaid_amount, unit=unit
        )
    least = fund_fee(amount.amount, fund.fee_rate)
    if op.fund_fee.amount < least:
        raise InsufficientFundFee(
            "fund_fee is too low", rule="U6", value=op.fund_fee.amount, limit=least, unit=unit
        )
    return fund


def apply_samet_fund_repay(
    ctx: Context, op: SametFundRepay, fund: SametFund
) -> ExtendableOperationResult:
    """Take the amount back, and the fee into the fund."""
    state, repaid, fee = ctx.state, op.repay_amount.amount, op.fund_fee.amount
    debit(state, op.account, AssetAmount(repaid + fee, fund.asset_type))
    state.samet_funds.edit(fund)
    fund.balance += fee
    fund.unpaid_amount -= repaid
    return ExtendableOperationResult(impacted_accounts=(fund.owner_account,))


def _check_asset(fund: SametFund, amount: AssetAmount, field: str, rule: str) -> None:
    if amount.asset_id != fund.asset_type:
        raise AssetMismatch(
            f"{field} is not of the asset that {fund_text(fund.id)} lends",
            rule=rule,
            value=asset_text(amount.asset_id),
            limit=asset_text(fund.asset_type),
        )


def _check_holder(state: State, account: AccountId, fund: SametFund) -> None:
    """Raise `NotAuthorized` unless the account may hold what the fund lends (R2.20)."""
    check_authorized(state.accounts.at[account], state.assets.at[fund.asset_type])


def _check_repaid(fund: SametFund, rule: str) -> None:
    if fund.unpaid_amount:
        raise _unpaid(fund, rule)


def _unpaid(fund: SametFund, rule: str) -> UnpaidSametDebt:
    return UnpaidSametDebt(
        f"a loan of {fund_text(fund.id)} is not repaid",
        rule=rule,
        value=fund.unpaid_amount,
        limit=0,
        unit=asset_text(fund.asset_type),
    )
