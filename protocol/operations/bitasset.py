"""BitAssets: options, feeds, settlement, collateral bids."""

from __future__ import annotations

from typing import Annotated

from protocol.asset import AssetAmount, Price
from protocol.checks import check_amount, check_fee, check_ratio, require
from protocol.errors import ASSET
from protocol.ids import AccountId, AssetId, ForceSettlementId
from protocol.operations.base import refuse_virtual
from protocol.operations.bitasset_options import BitassetOptions, PriceFeed
from protocol.schema import EXTENSION, SORTED, NoExtensions, Record, UInt16


class AssetUpdateBitasset(Record):
    """Change the options that only a BitAsset has."""

    fee: AssetAmount
    issuer: AccountId
    """Issuer of the asset; pays the fee."""
    asset_to_update: AssetId
    new_options: BitassetOptions
    """Replaces all of these options (R1.18)."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        self.new_options.validate()


class AssetUpdateFeedProducers(Record):
    """Name the accounts that may publish feeds of a BitAsset (R1.14)."""

    fee: AssetAmount
    issuer: AccountId
    """Issuer of the asset; pays the fee."""
    asset_to_update: AssetId
    new_feed_producers: Annotated[tuple[AccountId, ...], SORTED]
    """Replaces the set; producers who stay keep their feed."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)


class AssetPublishFeedExtensions(Record):
    """Options of `AssetPublishFeed` that came later."""

    initial_collateral_ratio: UInt16 | None = None
    """ICR, over 1,000; absent: the feed's MCR (BSIP77)."""


class AssetPublishFeed(Record):
    """Publish a price and ratios of a BitAsset (R1.12)."""

    fee: AssetAmount
    publisher: AccountId
    """Producer; pays the fee (R1.13)."""
    asset_id: AssetId
    """BitAsset that the feed is about."""
    feed: PriceFeed
    extensions: Annotated[AssetPublishFeedExtensions, EXTENSION] = AssetPublishFeedExtensions()

    def validate(self) -> None:
        check_fee(self.fee)
        feed = self.feed
        feed.validate()
        for field, price in (
            ("settlement_price", feed.settlement_price),
            ("core_exchange_rate", feed.core_exchange_rate),
        ):
            require(not price.is_null(), f"{field} is missing", rule="R1.12")
            require(
                price.base.asset_id == self.asset_id,
                f"base of {field} is another asset",
                rule="R1.12",
                value=price.base.asset_id,
                limit=self.asset_id,
                unit=ASSET,
            )
        check_ratio(self.extensions.initial_collateral_ratio, "initial_collateral_ratio")


class AssetSettle(Record):
    """Ask to exchange BitAsset for collateral at the feed, after a delay (R5)."""

    fee: AssetAmount
    account: AccountId
    """Account that settles; pays the fee."""
    amount: AssetAmount
    """BitAsset in smallest units."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.amount, "amount", rule="R5.1")


class AssetGlobalSettle(Record):
    """Settle a whole BitAsset at a price, by its issuer (R6.3)."""

    fee: AssetAmount
    issuer: AccountId
    """Issuer of the asset; pays the fee."""
    asset_to_settle: AssetId
    settle_price: Price
    """Debt per backing at which all positions are closed; quote 0 means worthless (R7.2)."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        base, quote = self.settle_price.base, self.settle_price.quote
        require(
            base.asset_id == self.asset_to_settle != quote.asset_id,
            "settle_price is not of the asset in another",
            rule="R6.3",
            value=self.settle_price,
            limit=self.asset_to_settle,
            unit=ASSET,
        )
        check_amount(base, "base of settle_price", rule="R6.3")
        require(quote.amount >= 0, "quote of settle_price is negative", rule="R7.2", value=quote)


class AssetSettleCancel(Record):
    """Virtual: a settlement request ended without execution and was refunded (R5.4)."""

    fee: AssetAmount
    settlement: ForceSettlementId
    """Request that is gone."""
    account: AccountId
    """Account that is refunded."""
    amount: AssetAmount
    """BitAsset that is refunded."""

    def validate(self) -> None:
        refuse_virtual("asset_settle_cancel")


class BidCollateral(Record):
    """Offer collateral for debt of a globally settled BitAsset, so that it can revive (R6.5)."""

    fee: AssetAmount
    bidder: AccountId
    """Account that bids; pays the fee and the collateral."""
    additional_collateral: AssetAmount
    """Backing that is added to the debt's share of the settlement fund."""
    debt_covered: AssetAmount
    """Debt that is taken over; 0 cancels the bid."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        debt, collateral = self.debt_covered.amount, self.additional_collateral.amount
        require(
            debt == 0 or (debt > 0 and collateral > 0),
            "bid needs debt and collateral",
            rule="R6.5",
            value=f"{self.debt_covered}, {self.additional_collateral}",
        )


class ExecuteBid(Record):
    """Virtual: a collateral bid became a position when the BitAsset revived (R6.6)."""

    fee: AssetAmount
    bidder: AccountId
    """Owner of the new position."""
    debt: AssetAmount
    """Debt of the new position."""
    collateral: AssetAmount
    """Collateral of the new position: the bid's and its share of the fund."""

    def validate(self) -> None:
        refuse_virtual("execute_bid")
