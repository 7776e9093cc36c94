"""Who may hold an asset (R2.20)."""

from __future__ import annotations

from node.state.objects.accounts import Account
from node.state.objects.assets import Asset
from protocol.constants import COMMITTEE_ACCOUNT


def is_authorized(account: Account, asset: Asset) -> bool:
    """Whether an account may hold and move an asset: the whitelist test (R2.20, Y2.2)."""
    options = asset.options
    whitelist, blacklist = options.whitelist_authorities, options.blacklist_authorities
    if account.id == COMMITTEE_ACCOUNT:
        return True
    if account.allowed_assets is not None and asset.id not in account.allowed_assets:
        return False
    if any(lister in blacklist for lister in account.blacklisting_accounts):
        return False
    return not whitelist or any(lister in whitelist for lister in account.whitelisting_accounts)
