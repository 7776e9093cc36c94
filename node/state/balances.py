"""Moving amounts: balances, supplies and the CORE that accounts have in orders."""

from __future__ import annotations

from node.state.database import State
from node.state.errors import InsufficientBalance
from node.state.objects.accounts import AccountBalance
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET
from protocol.ids import AccountBalanceId, AccountId, AssetId


def adjust_balance(state: State, account: AccountId, asset_id: AssetId, delta: int) -> None:
    """Add to a balance, or take from it; raises `InsufficientBalance` below zero (R2.1)."""
    if delta == 0:
        return
    found = state.balance_by_owner.find((account, asset_id))
    if found is None:
        if delta < 0:
            raise InsufficientBalance(
                f"account 1.2.{account} holds nothing of asset 1.3.{asset_id}",
                rule="R2.1",
                value=0,
                limit=-delta,
            )
        table = state.balances
        table.create(
            AccountBalance(AccountBalanceId(table.next_instance), account, asset_id, delta)
        )
        return
    if found.balance + delta < 0:
        raise InsufficientBalance(
            f"account 1.2.{account} holds too little of asset 1.3.{asset_id}",
            rule="R2.1",
            value=found.balance,
            limit=-delta,
        )
    state.balances.edit(found).balance += delta


def credit(state: State, account: AccountId, amount: AssetAmount) -> None:
    """Add an amount to a balance."""
    assert amount.amount >= 0, amount
    adjust_balance(state, account, amount.asset_id, amount.amount)


def debit(state: State, account: AccountId, amount: AssetAmount) -> None:
    """Take an amount from a balance; raises `InsufficientBalance`."""
    assert amount.amount >= 0, amount
    adjust_balance(state, account, amount.asset_id, -amount.amount)


def adjust_supply(state: State, asset_id: AssetId, delta: int) -> None:
    """Issue into, or destroy from, the current supply of an asset."""
    if delta:
        figures = state.asset_dynamic_data.edit(state.figures_of(asset_id))
        figures.current_supply += delta
        assert figures.current_supply >= 0, (asset_id, figures.current_supply)


def adjust_core_in_orders(state: State, account: AccountId, asset_id: AssetId, delta: int) -> None:
    """Keep the account's CORE in orders and collateral (I5); other assets are not counted."""
    if asset_id == CORE_ASSET and delta:
        statistics = state.statistics.edit(
            state.statistics.get(state.accounts.get(account).statistics)
        )
        statistics.total_core_in_orders += delta
        assert statistics.total_core_in_orders >= 0, statistics
