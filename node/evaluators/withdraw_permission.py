"""Withdraw permissions: giving, changing, using and taking them back."""

from __future__ import annotations

from node.evaluators.lists import check_authorized, check_transferable
from node.state.balances import adjust_balance, check_balance
from node.state.context import Context
from node.state.errors import LimitExceeded, PermissionExpired, WrongAccount, WrongAssetType
from node.state.objects.permissions import WithdrawPermission
from protocol.errors import SECONDS, TIME
from protocol.ids import AccountId, ObjectId, account_text, asset_text
from protocol.operations.results import VoidResult
from protocol.operations.withdraw_permission import (
    WithdrawPermissionClaim,
    WithdrawPermissionCreate,
    WithdrawPermissionDelete,
    WithdrawPermissionUpdate,
)
from protocol.schema import MAX_TIMESTAMP


def evaluate_withdraw_permission_create(ctx: Context, op: WithdrawPermissionCreate) -> int:
    """When the permission expires, once accounts and asset exist and the first period is ahead."""
    state = ctx.state
    state.accounts.get(op.withdraw_from_account)
    state.accounts.get(op.authorized_account)

    _check_start(ctx, op.period_start_time, earliest=ctx.now + 1)
    return _check_terms(ctx, op)


def apply_withdraw_permission_create(
    ctx: Context, op: WithdrawPermissionCreate, expiration: int
) -> ObjectId:
    """Keep the permission until it expires."""
    table = ctx.state.withdraw_permissions
    permission_id = table.next_id
    table.create(
        WithdrawPermission(
            id=permission_id,
            withdraw_from_account=op.withdraw_from_account,
            authorized_account=op.authorized_account,
            withdrawal_limit=op.withdrawal_limit,
            withdrawal_period_sec=op.withdrawal_period_sec,
            period_start_time=op.period_start_time,
            expiration=expiration,
            claimed_this_period=0,
        )
    )
    return table.object_id(permission_id)


def evaluate_withdraw_permission_update(ctx: Context, op: WithdrawPermissionUpdate) -> int:
    """When the permission expires from now on, once it is between these accounts."""
    permission = ctx.state.withdraw_permissions.get(op.permission_to_update)

    _check_parties(permission, op.withdraw_from_account, op.authorized_account)
    _check_start(ctx, op.period_start_time, earliest=ctx.now)
    return _check_terms(ctx, op)


def apply_withdraw_permission_update(
    ctx: Context, op: WithdrawPermissionUpdate, expiration: int
) -> VoidResult:
    """Replace limit and periods. What was claimed counts on in the first new period."""
    table = ctx.state.withdraw_permissions
    permission = table.edit(table.get(op.permission_to_update))
    permission.withdrawal_limit = op.withdrawal_limit
    permission.withdrawal_period_sec = op.withdrawal_period_sec
    permission.period_start_time = op.period_start_time
    permission.expiration = expiration
    return VoidResult()


def evaluate_withdraw_permission_claim(
    ctx: Context, op: WithdrawPermissionClaim
) -> WithdrawPermission:
    """The permission, once it is in force, leaves enough, and the asset may move (R2.20)."""
    state, amount = ctx.state, op.amount_to_withdraw
    permission = state.withdraw_permissions.get(op.withdraw_permission)
    asset = state.assets.get(amount.asset_id)

    _check_parties(permission, op.withdraw_from_account, op.withdraw_to_account)
    _check_in_force(ctx, permission)
    _check_available(ctx, permission, op)
    check_transferable(asset, op.withdraw_from_account, op.withdraw_to_account)
    check_authorized(state.accounts.get(op.withdraw_to_account), asset)
    check_authorized(state.accounts.get(op.withdraw_from_account), asset)
    check_balance(state, op.withdraw_from_account, amount)
    return permission


def apply_withdraw_permission_claim(
    ctx: Context, op: WithdrawPermissionClaim, permission: WithdrawPermission
) -> VoidResult:
    """Move the amount and count it in the period of now."""
    state, amount = ctx.state, op.amount_to_withdraw
    passed = permission.periods_passed(ctx.now)
    state.withdraw_permissions.edit(permission)
    permission.period_start_time += passed * permission.withdrawal_period_sec
    if passed:
        permission.claimed_this_period = 0
    permission.claimed_this_period += amount.amount
    adjust_balance(state, op.withdraw_from_account, amount.asset_id, -amount.amount)
    adjust_balance(state, op.withdraw_to_account, amount.asset_id, amount.amount)
    return VoidResult()


def evaluate_withdraw_permission_delete(
    ctx: Context, op: WithdrawPermissionDelete
) -> WithdrawPermission:
    """The permission, once it is between these accounts."""
    permission = ctx.state.withdraw_permissions.get(op.withdrawal_permission)
    _check_parties(permission, op.withdraw_from_account, op.authorized_account)
    return permission


def apply_withdraw_permission_delete(
    ctx: Context, op: WithdrawPermissionDelete, permission: WithdrawPermission
) -> VoidResult:
    """Remove the permission."""
    ctx.state.withdraw_permissions.remove(permission)
    return VoidResult()


def _check_start(ctx: Context, start: int, *, earliest: int) -> None:
    if start < earliest:
        raise LimitExceeded(
            "the first period begins in the past",
            rule="R9.6",
            value=start,
            limit=earliest,
            unit=TIME,
        )


def _check_terms(ctx: Context, op: WithdrawPermissionCreate | WithdrawPermissionUpdate) -> int:
    """The end of the last period, once the asset exists and the times are possible."""
    ctx.state.assets.get(op.withdrawal_limit.asset_id)
    shortest = ctx.state.parameters.block_interval
    if op.withdrawal_period_sec < shortest:
        raise LimitExceeded(
            "a period is shorter than a block interval",
            rule="R8.4",
            value=op.withdrawal_period_sec,
            limit=shortest,
            unit=SECONDS,
        )
    expiration = op.period_start_time + op.periods_until_expiration * op.withdrawal_period_sec
    if expiration > MAX_TIMESTAMP:
        raise LimitExceeded(
            "the last period ends after the end of time",
            rule="R8.4",
            value=expiration,
            limit=MAX_TIMESTAMP,
            unit=TIME,
        )
    return expiration


def _check_parties(permission: WithdrawPermission, giver: AccountId, receiver: AccountId) -> None:
    parties = (permission.withdraw_from_account, permission.authorized_account)
    if (giver, receiver) != parties:
        raise WrongAccount(
            "the permission is between two other accounts",
            rule="R9.6",
            value=", ".join(map(account_text, (giver, receiver))),
            limit=", ".join(map(account_text, parties)),
        )


def _check_in_force(ctx: Context, permission: WithdrawPermission) -> None:
    if permission.expiration <= ctx.now:
        raise PermissionExpired(
            "the permission has expired",
            rule="R8.3",
            value=permission.expiration,
            limit=ctx.now,
            unit=TIME,
        )
    if permission.period_start_time > ctx.now:
        raise LimitExceeded(
            "the first period has not begun",
            rule="R9.6",
            value=ctx.now,
            limit=permission.period_start_time,
            unit=TIME,
        )


def _check_available(
    ctx: Context, permission: WithdrawPermission, op: WithdrawPermissionClaim
) -> None:
    amount, limit = op.amount_to_withdraw, permission.withdrawal_limit
    if amount.asset_id != limit.asset_id:
        raise WrongAssetType(
            "the permission is for another asset",
            rule="R9.6",
            value=asset_text(amount.asset_id),
            limit=asset_text(limit.asset_id),
        )
    available = permission.available(ctx.now)
    if amount.amount > available:
        raise LimitExceeded(
            "more than may be withdrawn in this period",
            rule="R9.6",
            value=amount.amount,
            limit=available,
            unit=asset_text(limit.asset_id),
        )
