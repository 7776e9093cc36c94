"""Accounts that holders of an asset decide for, and those that buy an asset back (Y1.1, Y2.1)."""

from __future__ import annotations

from msgspec.structs import replace

from node.evaluators.membership import check_owner
from node.state.database import State
from node.state.errors import BuybackAccountExists, LimitExceeded
from node.state.objects.accounts import NO_HOLDERS, Account, SpecialAuthority
from node.state.objects.assets import Buyback
from protocol.ids import account_text
from protocol.operations.account import (
    AccountCreateExtensions,
    AccountUpdateExtensions,
    BuybackAccountOptions,
    TopHoldersSpecialAuthority,
)

BUYBACK_MARKETS_MAX = 3
"""Assets that a buyback account buys with (Y2.1)."""


def check_special_authorities(
    state: State, options: AccountCreateExtensions | AccountUpdateExtensions
) -> None:
    """Raise `NoSuchObject` unless the assets exist whose holders are to decide (Y1.1)."""
    for authority in (options.owner_special_authority, options.active_special_authority):
        if isinstance(authority, TopHoldersSpecialAuthority):
            state.assets.get(authority.asset)


def set_special_authorities(
    state: State,
    account: Account,
    options: AccountCreateExtensions | AccountUpdateExtensions,
    *,
    is_own: bool,
) -> None:
    """Set what an operation gives, and note whether the account has any (Y1.1).

    `is_own`: the operation writes owner or active authority down.
    """
    before = account.special
    given = {
        side: authority if isinstance(authority, TopHoldersSpecialAuthority) else None
        for side, authority in (
            ("owner", options.owner_special_authority),
            ("active", options.active_special_authority),
        )
        if authority is not None
    }
    if not given and (before is None or not is_own):
        return
    after = replace(before or NO_HOLDERS, **given, top_n_control_flags=0)
    state.accounts.edit(account).special = None if after == NO_HOLDERS else after
    table = state.special_authorities
    noted = state.special_authority_of.find(account.id)
    if account.special is None and noted is not None:
        table.remove(noted)
    elif account.special is not None and noted is None:
        table.create(SpecialAuthority(table.next_id, account.id))


def check_buyback(state: State, options: BuybackAccountOptions) -> None:
    """The issuer's own asset, which nobody buys back yet, with a few that exist (Y2.1)."""
    asset = state.assets.get(options.asset_to_buy)
    check_owner(options.asset_to_buy_issuer, asset.issuer, "asset to buy back", rule="Y2.1")
    if asset.buyback_account is not None:
        raise BuybackAccountExists(
            f"{asset.symbol} is bought back already",
            rule="Y2.1",
            value=asset.symbol,
            limit=account_text(asset.buyback_account),
        )
    count, limit = len(options.markets), BUYBACK_MARKETS_MAX
    if count > limit:
        raise LimitExceeded("too many assets to buy with", rule="Y2.1", value=count, limit=limit)
    for market in options.markets:
        state.assets.get(market)


def make_buyback_account(state: State, account: Account, options: BuybackAccountOptions) -> None:
    """Bind a new account to the asset that it buys back (Y2.1, Y2.2)."""
    asset, table = state.assets.get(options.asset_to_buy), state.buybacks
    allowed = tuple(sorted({*options.markets, asset.id}))
    state.accounts.edit(account).allowed_assets = allowed
    state.assets.edit(asset).buyback_account = account.id
    table.create(Buyback(table.next_id, asset.id))
