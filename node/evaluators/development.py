"""Changes of state around the rules, on a chain whose genesis allows them (R9.10)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from node.state.balances import adjust_balance, adjust_supply
from node.state.context import Context
from node.state.database import State
from node.state.errors import MaxSupplyExceeded, SupplyIsDebt
from protocol.asset import AssetAmount
from protocol.development import Action, Impersonate, SetBalance, action_in
from protocol.ids import AccountId, asset_text
from protocol.operations.base import Operation
from protocol.operations.custom import Custom

NOBODY: tuple[AccountId, ...] = ()


def is_carried_out(state: State, op: Custom) -> bool:
    """Whether an operation is more than data here: then it is free, too."""
    return state.development is not None and op.is_for_development()


def is_everybody_impersonated(state: State) -> bool:
    """Whether no operation needs signatures here."""
    development = state.development
    return development is not None and development.is_everybody


def impersonated_by(state: State, operations: Sequence[Operation]) -> Collection[AccountId]:
    """Accounts whose authority a transaction needs not show: those impersonated now, or by it."""
    development = state.development
    if development is None:
        return NOBODY
    found = set(development.impersonated)
    for op in operations:
        action = action_in(op)
        if isinstance(action, Impersonate) and action.is_on:
            found.add(action.account)
    return found


def evaluate_action(ctx: Context, op: Custom) -> Action | None:
    """The account and the asset exist, and the supply may be so large."""
    if not is_carried_out(ctx.state, op):
        return None
    action = action_in(op)
    assert action is not None
    ctx.state.accounts.get(action.account)
    if isinstance(action, SetBalance):
        _check_supply(ctx.state, action.account, action.amount)
    return action


def apply_action(ctx: Context, action: Action) -> None:
    """Carry an action out."""
    if isinstance(action, SetBalance):
        asset_id = action.amount.asset_id
        delta = _delta(ctx.state, action.account, action.amount)
        adjust_balance(ctx.state, action.account, asset_id, delta)
        adjust_supply(ctx.state, asset_id, delta)
        return
    development = ctx.state.developments.edit(ctx.state.developments.rows[0])
    found = set(development.impersonated) - {action.account}
    development.impersonated = tuple(sorted(found | {action.account} if action.is_on else found))


def _delta(state: State, account: AccountId, amount: AssetAmount) -> int:
    return amount.amount - state.balance_of(account, amount.asset_id)


def _check_supply(state: State, account: AccountId, amount: AssetAmount) -> None:
    asset = state.assets.get(amount.asset_id)
    unit = asset_text(asset.id)
    if asset.is_market_issued():
        raise SupplyIsDebt(
            f"each unit of {asset.symbol} is somebody's debt: borrow it, or transfer it",
            rule="I3",
            value=amount.amount,
            unit=unit,
        )
    if asset.for_liquidity_pool is not None:
        raise SupplyIsDebt(
            f"each unit of {asset.symbol} is a share of a pool: deposit, or transfer it",
            rule="J2",
            value=amount.amount,
            unit=unit,
        )
    supply = state.figures_of(asset.id).current_supply + _delta(state, account, amount)
    if supply > asset.options.max_supply:
        raise MaxSupplyExceeded(
            f"more than the maximum supply of {asset.symbol}",
            rule="I6",
            value=supply,
            limit=asset.options.max_supply,
            unit=unit,
        )
