"""Moving amounts: balances, supplies and the CORE that accounts have in orders."""

from __future__ import annotations

from node.state.database import State
from node.state.errors import InsufficientBalance
from node.state.objects.accounts import AccountBalance
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET
from protocol.ids import AccountId, AssetId, account_text, asset_text


def adjust_balance(state: State, account: AccountId, asset_id: AssetId, delta: int) -> None:
    """Add to a balance, or take from it; raises `InsufficientBalance` below zero (I6)."""
    if delta == 0:
        return
    found = state.balances_of_account.find(account, asset_id)
    if found is None:
        if delta < 0:
            raise _holds_too_little(account, asset_id, 0, -delta, "I6")
        table = state.balances
        table.create(AccountBalance(table.next_id, account, asset_id, delta))
        return
    if found.balance + delta < 0:
        raise _holds_too_little(account, asset_id, found.balance, -delta, "I6")
    state.balances.edit(found).balance += delta


def check_balance(
    state: State, account: AccountId, wanted: AssetAmount, released: int = 0, rule: str = "I6"
) -> AccountBalance | None:
    """An account holds an amount, with what the operation gives back to it before; or raise.

    Returns the balance that holds it; None where there is none yet, and nothing is wanted or all
    of it is released. Raises `InsufficientBalance`.
    """
    found = state.balances_of_account.find(account, wanted.asset_id)
    held = released if found is None else found.balance + released
    if held < wanted.amount:
        raise _holds_too_little(account, wanted.asset_id, held, wanted.amount, rule)
    return found


def _holds_too_little(
    account: AccountId, asset_id: AssetId, held: int, wanted: int, rule: str
) -> InsufficientBalance:
    error = InsufficientBalance(
        f"account {account_text(account)} holds too little of asset {asset_text(asset_id)}",
        rule=rule,
        value=held,
        limit=wanted,
        unit=asset_text(asset_id),
    )
    error.holder, error.asset_id = account, asset_id
    return error


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
        statistics = state.statistics.at[state.accounts.at[account].statistics]
        state.statistics.edit(statistics)
        statistics.total_core_in_orders += delta
        assert statistics.total_core_in_orders >= 0, statistics
