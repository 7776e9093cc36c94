"""Authorities that the largest holders of an asset have over accounts, at maintenance (Y1.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest

from msgspec.structs import replace

from node.chain.votes import elected_authority
from node.state.database import State
from node.state.objects.accounts import ACTIVE_BY_HOLDERS, OWNER_BY_HOLDERS, Account
from protocol.authority import Authority
from protocol.ids import AccountId, AssetId
from protocol.operations.account import TopHoldersSpecialAuthority

Holders = Mapping[AssetId, Sequence[tuple[AccountId, int]]]
"""By asset: accounts and what they hold, the most first, the older account first of equals."""


def make_authorities_of_holders(state: State) -> None:
    """Replace the authorities of all accounts that have special ones, by ascending id (Y1.2).

    Where nobody holds the asset they stay as they are. Balances are gone through once, and not at
    all while no account has a special authority.
    """
    noted = [state.accounts.get(one.account) for one in state.special_authorities.in_order()]
    if not noted:
        return
    holders = _largest_holders(state, noted)
    for account in noted:
        assert account.special is not None, account
        for is_owner, special in ((True, account.special.owner), (False, account.special.active)):
            authority = None if special is None else _authority_of(account.id, special, holders)
            if authority is not None:
                _set(state, account, authority, is_owner=is_owner)


def _largest_holders(state: State, accounts: Iterable[Account]) -> Holders:
    """As many as are needed, and one more: an account does not decide for itself."""
    wanted: dict[AssetId, int] = {}
    for account in accounts:
        assert account.special is not None, account
        for special in (account.special.owner, account.special.active):
            if special is not None:
                count = max(special.num_top_holders + 1, wanted.get(special.asset, 0))
                wanted[special.asset] = count
    found: dict[AssetId, list[tuple[int, AccountId]]] = {asset: [] for asset in wanted}
    for balance in state.balances.rows.values():
        if balance.asset_type in found and balance.balance:
            found[balance.asset_type].append((-balance.balance, balance.owner))
    return {
        asset: [(owner, -turned) for turned, owner in nsmallest(wanted[asset], held)]
        for asset, held in found.items()
    }


def _authority_of(
    account: AccountId, special: TopHoldersSpecialAuthority, holders: Holders
) -> Authority | None:
    others = [one for one in holders[special.asset] if one[0] != account]
    return elected_authority(others[: special.num_top_holders])


def _set(state: State, account: Account, authority: Authority, *, is_owner: bool) -> None:
    special = account.special
    assert special is not None, account
    flag = OWNER_BY_HOLDERS if is_owner else ACTIVE_BY_HOLDERS
    flags = special.top_n_control_flags | flag
    if (account.owner if is_owner else account.active) == authority and (
        flags == special.top_n_control_flags
    ):
        return
    state.accounts.edit(account)
    account.special = replace(special, top_n_control_flags=flags)
    if is_owner:
        account.owner = authority
    else:
        account.active = authority
