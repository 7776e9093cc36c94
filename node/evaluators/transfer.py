"""Transfers, by the holder or by the issuer."""

from __future__ import annotations

from node.evaluators.asset_rules import check_issuer
from node.evaluators.lists import check_authorized, check_transferable
from node.state.balances import adjust_balance, check_balance
from node.state.context import Context
from node.state.errors import PermissionDenied
from node.state.objects.accounts import AccountBalance
from protocol.operations.asset_options import OVERRIDE_AUTHORITY
from protocol.operations.results import VoidResult
from protocol.operations.transfer import OverrideTransfer, Transfer

DONE = VoidResult()


def evaluate_transfer(ctx: Context, op: Transfer) -> AccountBalance:
    """Both accounts may hold the asset (R2.20), and the sender holds the amount.

    Answers the balance that holds it.
    """
    state, amount = ctx.state, op.amount
    sender, receiver = state.accounts.at[op.from_], state.accounts.at[op.to]
    asset = state.assets.at[amount.asset_id]

    check_authorized(sender, asset)
    check_authorized(receiver, asset)
    check_transferable(asset, op.from_, op.to)
    held = check_balance(state, op.from_, amount)
    assert held is not None, "the amount is positive"
    return held


def apply_transfer(
    ctx: Context, op: Transfer | OverrideTransfer, held: AccountBalance
) -> VoidResult:
    """Move the amount."""
    state, amount = ctx.state, op.amount
    state.balances.edit(held).balance -= amount.amount
    adjust_balance(state, op.to, amount.asset_id, amount.amount)
    return DONE


def evaluate_override_transfer(ctx: Context, op: OverrideTransfer) -> AccountBalance:
    """The issuer may override, and the receiver may hold the asset; the sender need not.

    Answers the balance that holds the amount.
    """
    state = ctx.state
    asset = state.assets.get(op.amount.asset_id)
    receiver = state.accounts.get(op.to)
    state.accounts.get(op.from_)

    if not asset.has_flag(OVERRIDE_AUTHORITY):
        raise PermissionDenied(
            f"{asset.symbol} has no override_authority", rule="BSIP48", value=asset.symbol
        )
    check_issuer(asset, op.issuer)
    check_authorized(receiver, asset)
    held = check_balance(state, op.from_, op.amount)
    assert held is not None, "the amount is positive"
    return held
