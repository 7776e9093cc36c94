"""What holds of accounts that holders decide for, and of buyback accounts (Y1.1, Y2.1)."""

from __future__ import annotations

from node.chain.violations import violated
from node.state.database import State
from node.state.objects.accounts import ACTIVE_BY_HOLDERS, OWNER_BY_HOLDERS, Account
from node.state.objects.assets import Asset


def check_special_accounts(state: State) -> None:
    """Y1.1, Y2.1: the notes that maintenance goes by are those of accounts and assets."""
    special = [one for one in state.accounts.in_order() if one.special is not None]
    noted = sorted(one.account for one in state.special_authorities.in_order())
    if noted != [one.id for one in special]:
        raise violated("Y1.1", "accounts with special authorities", noted, special)
    for account in special:
        check_special_account(account)
    bought = [asset for asset in state.assets.in_order() if asset.buyback_account is not None]
    wanted = sorted(one.asset_to_buy for one in state.buybacks.in_order())
    if wanted != [asset.id for asset in bought]:
        raise violated("Y2.1", "assets that are bought back", wanted, bought)
    for asset in bought:
        check_buyback_account(state, asset)


def check_special_account(account: Account) -> None:
    """Y1.1 for one account: only what is special is made by holders, and there is some of it."""
    special = account.special
    assert special is not None, account
    possible = OWNER_BY_HOLDERS * (special.owner is not None)
    possible |= ACTIVE_BY_HOLDERS * (special.active is not None)
    if not possible or special.top_n_control_flags & ~possible:
        raise violated("Y1.1", f"special authorities of {account.name}", special, possible)


def check_buyback_account(state: State, asset: Asset) -> None:
    """Y2.1 for one asset: the account that buys it back may hold it."""
    named = asset.buyback_account
    account = None if named is None else state.accounts.find(named)
    if account is None or asset.id not in (account.allowed_assets or ()):
        raise violated("Y2.1", f"account that buys {asset.symbol} back", account, asset.symbol)
