"""White lists and black lists: of accounts for an asset, and of markets (R2.20, R2.1)."""

from __future__ import annotations

from node.market.holders import is_authorized
from node.state.errors import MarketBlacklisted, MarketNotWhitelisted, NotAuthorized
from node.state.objects.accounts import Account
from node.state.objects.assets import Asset
from protocol.ids import AccountId, AssetId, account_text, asset_text
from protocol.operations.asset_options import TRANSFER_RESTRICTED


def check_authorized(
    account: Account, asset: Asset, error: type[NotAuthorized] = NotAuthorized
) -> None:
    """Raise `NotAuthorized`, or a narrower one, unless the whitelist test passes (R2.20, G0.2), and
    a buyback account is concerned with an asset of its own (Y2.2)."""
    options, allowed = asset.options, account.allowed_assets
    is_listed = options.whitelist_authorities or options.blacklist_authorities
    if (is_listed or allowed is not None) and not is_authorized(account, asset):
        is_outside = allowed is not None and asset.id not in allowed
        raise error(
            f"account {account.name} may not hold {asset.symbol}",
            rule="Y2.2" if is_outside else "R2.20",
            value=account_text(account.id),
            limit=asset.symbol,
        )


def check_transferable(
    asset: Asset,
    giver: AccountId,
    receiver: AccountId,
    error: type[NotAuthorized] = NotAuthorized,
) -> None:
    """Raise `NotAuthorized`, or a narrower reason, where an asset moves only from and to its
    issuer (R2.20)."""
    if asset.options.flags & TRANSFER_RESTRICTED and asset.issuer not in (giver, receiver):
        raise error(
            f"{asset.symbol} moves only from and to its issuer",
            rule="R2.20",
            value=account_text(receiver),
            limit=account_text(asset.issuer),
        )


def check_market_lists(sold: Asset, received: AssetId) -> None:
    """Raise unless the lists of the asset that is sold admit the market (R2.1)."""
    options = sold.options
    if options.whitelist_markets and received not in options.whitelist_markets:
        raise MarketNotWhitelisted(
            f"{sold.symbol} is sold in white-listed markets only",
            rule="R2.1",
            value=asset_text(received),
        )
    if received in options.blacklist_markets:
        raise MarketBlacklisted(
            f"{sold.symbol} is not sold in this market", rule="R2.1", value=asset_text(received)
        )
