"""Liquidity pools: two assets that trade at the ratio of their amounts (L1)."""

from __future__ import annotations

from protocol.asset import AssetAmount
from protocol.checks import check_amount, check_fee, check_percent, require
from protocol.errors import PERCENT
from protocol.ids import AccountId, AssetId, LiquidityPoolId, asset_text
from protocol.schema import NoExtensions, Record, UInt16


class LiquidityPoolCreate(Record):
    """Make an asset the share of a new pool of two others."""

    fee: AssetAmount
    account: AccountId
    """Issuer of the share asset; pays the fee."""
    asset_a: AssetId
    asset_b: AssetId
    """The asset with the higher id."""
    share_asset: AssetId
    """Asset that is issued to those who deposit."""
    taker_fee_percent: UInt16
    """Share of an exchange that the pool keeps, of 10,000."""
    withdrawal_fee_percent: UInt16
    """Share of a withdrawal that the pool keeps, of 10,000."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        _check_order(self.asset_a, self.asset_b, "L3")
        require(
            self.share_asset not in (self.asset_a, self.asset_b),
            "share_asset is one of the assets of the pool",
            rule="L3",
            value=asset_text(self.share_asset),
        )
        check_percent(self.taker_fee_percent, "taker_fee_percent", rule="L3")
        check_percent(self.withdrawal_fee_percent, "withdrawal_fee_percent", rule="L3")


class LiquidityPoolDelete(Record):
    """Remove an empty pool."""

    fee: AssetAmount
    account: AccountId
    """Owner of the pool; pays the fee."""
    pool: LiquidityPoolId
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)


class LiquidityPoolDeposit(Record):
    """Add to both sides of a pool, for shares of it."""

    fee: AssetAmount
    account: AccountId
    """Account that deposits; pays the fee."""
    pool: LiquidityPoolId
    amount_a: AssetAmount
    """The most of the asset with the lower id."""
    amount_b: AssetAmount
    """The most of the other asset."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.amount_a, "amount_a", rule="L6")
        check_amount(self.amount_b, "amount_b", rule="L6")
        _check_order(self.amount_a.asset_id, self.amount_b.asset_id, "L6")


class LiquidityPoolWithdraw(Record):
    """Give shares back, for a part of both sides of the pool."""

    fee: AssetAmount
    account: AccountId
    """Account that withdraws; pays the fee."""
    pool: LiquidityPoolId
    share_amount: AssetAmount
    """Shares that are given back."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.share_amount, "share_amount", rule="L7")


class LiquidityPoolExchange(Record):
    """Sell one asset of a pool for the other."""

    fee: AssetAmount
    account: AccountId
    """Account that sells; pays the fee."""
    pool: LiquidityPoolId
    amount_to_sell: AssetAmount
    min_to_receive: AssetAmount
    """Least that is accepted for all of it."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.amount_to_sell, "amount_to_sell", rule="L8")
        check_amount(self.min_to_receive, "min_to_receive", rule="L8")
        require(
            self.amount_to_sell.asset_id != self.min_to_receive.asset_id,
            "an asset is sold for itself",
            rule="L8",
            value=asset_text(self.min_to_receive.asset_id),
        )


class LiquidityPoolUpdate(Record):
    """Change the fees of a pool."""

    fee: AssetAmount
    account: AccountId
    """Owner of the pool; pays the fee."""
    pool: LiquidityPoolId
    taker_fee_percent: UInt16 | None = None
    """Of 10,000."""
    withdrawal_fee_percent: UInt16 | None = None
    """May only become 0."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        require(
            self.taker_fee_percent is not None or self.withdrawal_fee_percent is not None,
            "nothing to update",
            rule="L5",
        )
        check_percent(self.taker_fee_percent, "taker_fee_percent", rule="L5")
        require(
            self.withdrawal_fee_percent in (None, 0),
            "withdrawal_fee_percent may only become 0",
            rule="L5",
            value=self.withdrawal_fee_percent,
            limit=0,
            unit=PERCENT,
        )


def _check_order(asset_a: AssetId, asset_b: AssetId, rule: str) -> None:
    require(
        asset_a < asset_b,
        "the asset with the lower id comes first",
        rule=rule,
        value=asset_text(asset_a),
        limit=asset_text(asset_b),
    )
