"""Vesting balances: putting funds aside, withdrawing what has become available (R8.16)."""

from __future__ import annotations

from node.evaluators.lists import check_authorized
from node.evaluators.membership import check_owner
from node.market.vesting import withdraw, withdrawable
from node.state.balances import credit, debit
from node.state.context import Context
from node.state.creation import create_vesting_balance
from node.state.errors import InsufficientBalance, NotAuthorized, WrongAssetType
from node.state.objects.vesting import (
    BALANCE_UNSPECIFIED,
    CddVesting,
    InstantVesting,
    LinearVesting,
    VestingBalance,
    VestingPolicy,
)
from protocol.ids import ObjectId, asset_text
from protocol.operations.asset_options import TRANSFER_RESTRICTED
from protocol.operations.results import VoidResult
from protocol.operations.vesting import (
    CddVestingPolicy,
    LinearVestingPolicy,
    VestingBalanceCreate,
    VestingBalanceWithdraw,
)


def evaluate_vesting_balance_create(ctx: Context, op: VestingBalanceCreate) -> None:
    """Creator and owner may hold the asset, and it moves freely (R2.20)."""
    state = ctx.state
    asset = state.assets.get(op.amount.asset_id)
    creator, owner = state.accounts.get(op.creator), state.accounts.get(op.owner)

    if asset.has_flag(TRANSFER_RESTRICTED):
        raise NotAuthorized(
            f"{asset.symbol} moves only from and to its issuer", rule="R2.20", value=asset.symbol
        )
    check_authorized(creator, asset)
    check_authorized(owner, asset)


def apply_vesting_balance_create(ctx: Context, op: VestingBalanceCreate, checked: None) -> ObjectId:
    """Move the amount into a new vesting balance."""
    state = ctx.state
    debit(state, op.creator, op.amount)
    policy = _initial_policy(op, ctx.now)
    created = create_vesting_balance(state, op.owner, op.amount, policy, BALANCE_UNSPECIFIED)
    return state.vesting_balances.object_id(created.id)


def _initial_policy(op: VestingBalanceCreate, now: int) -> VestingPolicy:
    policy = op.policy
    if isinstance(policy, LinearVestingPolicy):
        return LinearVesting(
            policy.begin_timestamp,
            policy.vesting_cliff_seconds,
            policy.vesting_duration_seconds,
            op.amount.amount,
        )
    if isinstance(policy, CddVestingPolicy):
        return CddVesting(policy.vesting_seconds, policy.start_claim, 0, now)
    return InstantVesting()


def evaluate_vesting_balance_withdraw(ctx: Context, op: VestingBalanceWithdraw) -> VestingBalance:
    """The vesting balance, once its owner asks for no more than is available."""
    balance = ctx.state.vesting_balances.get(op.vesting_balance)

    check_owner(op.owner, balance.owner, "vesting balance")
    if balance.balance.asset_id != op.amount.asset_id:
        raise WrongAssetType(
            "the vesting balance holds another asset",
            rule="R8.16",
            value=asset_text(op.amount.asset_id),
            limit=asset_text(balance.balance.asset_id),
        )
    available = withdrawable(balance, ctx.now)
    if op.amount.amount > available:
        raise InsufficientBalance(
            "more than has vested",
            rule="R8.16",
            value=available,
            limit=op.amount.amount,
            unit=asset_text(op.amount.asset_id),
        )
    return balance


def apply_vesting_balance_withdraw(
    ctx: Context, op: VestingBalanceWithdraw, balance: VestingBalance
) -> VoidResult:
    """Move the amount to the owner's balance; an empty vesting balance stays."""
    withdraw(ctx, balance, op.amount.amount)
    credit(ctx.state, op.owner, op.amount)
    return VoidResult()
