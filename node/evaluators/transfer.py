"""Transfers, by the holder or by the issuer."""

from __future__ import annotations

from node.evaluators.asset_rules import check_issuer
from node.evaluators.lists import check_authorized, check_transferable
from node.state.balances import adjust_balance, check_balance
from node.state.context import Context
from node.state.database import State
from node.state.errors import PermissionDenied
from protocol.asset import AssetAmount
from protocol.ids import AccountId
from protocol.operations.asset_options import OVERRIDE_AUTHORITY
from protocol.operations.results import VoidResult
from protocol.operations.transfer import OverrideTransfer, Transfer

DONE = VoidResult()


def evaluate_transfer(ctx: Context, op: Transfer) -> None:
    """Both accounts may hold the asset (R2.20), and the sender holds the amount."""
    state, amount = ctx.state, op.amount
    sender, receiver = state.accounts.get(op.from_), state.accounts.get(op.to)
    asset = state.assets.get(amount.asset_id)

    check_authorized(sender, asset)
    check_authorized(receiver, asset)
    check_transferable(asset, op.from_, op.to)
    check_balance(state, op.from_, amount)


def apply_transfer(ctx: Context, op: Transfer, checked: None) -> VoidResult:
    """Move the amount."""
    _move(ctx.state, op.from_, op.to, op.amount)
    return DONE


def evaluate_override_transfer(ctx: Context, op: OverrideTransfer) -> None:
    """The issuer may override, and the receiver may hold the asset; the sender need not."""
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
    check_balance(state, op.from_, op.amount)


def apply_override_transfer(ctx: Context, op: OverrideTransfer, checked: None) -> VoidResult:
    """Move the amount."""
    _move(ctx.state, op.from_, op.to, op.amount)
    return DONE


def _move(state: State, sender: AccountId, receiver: AccountId, amount: AssetAmount) -> None:
    adjust_balance(state, sender, amount.asset_id, -amount.amount)
    adjust_balance(state, receiver, amount.asset_id, amount.amount)
