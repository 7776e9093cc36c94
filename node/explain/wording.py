"""Amounts, prices, ratios and names as people write them."""

from __future__ import annotations

from node.explain.records import Statement
from node.rules import sentence_of
from node.state.database import State
from node.state.objects.assets import Asset
from protocol.asset import AssetAmount, Price
from protocol.crypto.keys import key_text
from protocol.ids import AccountId, AssetId
from protocol.schema import PublicKey
from protocol.wording import format_decimal, format_units_ratio


def change_text(before: Price, after: Price) -> str:
    """By how many per cent a price changes, two decimals, rounded away from zero when it falls."""
    old = before.base.amount * after.quote.amount
    new = after.base.amount * before.quote.amount
    return format_decimal((new - old) * 10_000 // old, 2)


def statement(rule: str, text: str) -> Statement:
    """A sentence beside what its rule says."""
    says = sentence_of(rule)
    assert says is not None, rule
    return Statement(text, rule, says)


class Wording:
    """Writes what the objects of one state are called."""

    def __init__(self, state: State, display_prefix: str, address_prefix: str = "BTS") -> None:
        """`display_prefix` is set before symbols of BitAssets (R2.19), the other before keys."""
        self._state = state
        self._prefix = display_prefix
        self._address_prefix = address_prefix

    def symbol(self, asset_id: AssetId) -> str:
        """What people call an asset."""
        asset = self._asset(asset_id)
        return f"{self._prefix}{asset.symbol}" if asset.is_market_issued() else asset.symbol

    def amount(self, amount: AssetAmount) -> str:
        """An amount such as "12.5000 bitUSD"."""
        precision = self._asset(amount.asset_id).precision
        return f"{format_decimal(amount.amount, precision)} {self.symbol(amount.asset_id)}"

    def price(self, price: Price) -> str:
        """A price as whole units of its base for one of its quote."""
        base, quote = price.base, price.quote
        precisions = self._asset(base.asset_id).precision, self._asset(quote.asset_id).precision
        return format_units_ratio(base.amount, quote.amount, precisions)

    def unit(self, price: Price) -> str:
        """What a price counts: "bitUSD for 1 TEST"."""
        return f"{self.symbol(price.base.asset_id)} for 1 {self.symbol(price.quote.asset_id)}"

    def account(self, account: AccountId) -> str:
        """The name of an account."""
        return self._state.accounts.get(account).name

    def key(self, key: PublicKey) -> str:
        """A public key."""
        return key_text(key, self._address_prefix)

    def _asset(self, asset_id: AssetId) -> Asset:
        return self._state.assets.get(asset_id)
