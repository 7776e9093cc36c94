"""Assets, their running figures, and the data of BitAssets."""

from __future__ import annotations

from typing import Annotated

from node.state.objects.base import StateObject
from protocol.asset import NULL_PRICE, Price
from protocol.constants import (
    DEFAULT_MAINTENANCE_COLLATERAL_RATIO,
    DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO,
    HUNDRED_PERCENT,
)
from protocol.ids import (
    AccountId,
    AssetBitassetDataId,
    AssetDynamicDataId,
    AssetId,
    BuybackId,
    LiquidityPoolId,
)
from protocol.operations.asset_options import AssetOptions
from protocol.operations.bitasset_options import BitassetOptions, BlackSwanResponse
from protocol.schema import (
    MAX_TIMESTAMP,
    SORTED,
    Int64,
    Record,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
)


class Asset(StateObject):
    """An asset (1.3.n); 1.3.0 is CORE."""

    id: AssetId
    symbol: str
    precision: UInt8
    """Decimal places of one whole unit."""
    issuer: AccountId
    options: AssetOptions
    dynamic_asset_data_id: AssetDynamicDataId
    bitasset_data_id: AssetBitassetDataId | None
    creation_block_num: UInt32
    creation_time: Timestamp
    """Own time of the block that created it."""
    for_liquidity_pool: LiquidityPoolId | None = None
    """The pool whose share it is (L1)."""
    buyback_account: AccountId | None = None
    """The account that buys it back (Y2.1)."""

    def is_market_issued(self) -> bool:
        """Whether this is a BitAsset, borrowed into existence."""
        return self.bitasset_data_id is not None

    def has_flag(self, flag: int) -> bool:
        """Whether a flag bit of the options is set."""
        return self.options.flags & flag != 0


class Buyback(StateObject):
    """Notes that an account buys an asset back (2.15.n), for maintenance to find it (Y2.3)."""

    id: BuybackId
    asset_to_buy: AssetId


class AssetDynamicData(StateObject):
    """Running figures of an asset (2.3.n), all in its own units but the fee pool."""

    id: AssetDynamicDataId
    current_supply: Int64
    accumulated_fees: Int64
    accumulated_collateral_fees: Int64
    """Margin call and settlement fees, in the backing asset of this BitAsset."""
    fee_pool: Int64
    """CORE that exchanges fees paid in this asset (R8.17)."""


class FeedValues(Record):
    """One published feed, or the median of all: with the initial ratio always present (R1.12)."""

    settlement_price: Price
    """Debt asset / backing asset; null when there is no feed."""
    maintenance_collateral_ratio: UInt16
    maximum_short_squeeze_ratio: UInt16
    core_exchange_rate: Price
    initial_collateral_ratio: UInt16


NULL_FEED = FeedValues(
    settlement_price=NULL_PRICE,
    maintenance_collateral_ratio=DEFAULT_MAINTENANCE_COLLATERAL_RATIO,
    maximum_short_squeeze_ratio=DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO,
    core_exchange_rate=NULL_PRICE,
    initial_collateral_ratio=DEFAULT_MAINTENANCE_COLLATERAL_RATIO,
)
"""The median of too few feeds (R1.16)."""

Feeds = Annotated[tuple[tuple[AccountId, tuple[Timestamp, FeedValues]], ...], SORTED]
"""By publisher: when it published, and what. Time 0 marks a producer that never published."""


class BitassetData(StateObject):
    """What a BitAsset has beyond an asset (2.4.n)."""

    id: AssetBitassetDataId
    asset_id: AssetId
    feeds: Feeds
    median_feed: FeedValues
    current_feed: FeedValues
    """The median, with a settlement price that a black swan response may cap (R1.20)."""
    current_feed_publication_time: Timestamp
    """The oldest publication among the live feeds (R1.16)."""
    options: BitassetOptions
    is_prediction_market: bool
    force_settled_volume: Int64
    """Debt settled by force in this maintenance interval (R5.4)."""
    settlement_price: Price
    """Fixed at global settlement, else null (R6.2)."""
    settlement_fund: Int64
    """Backing asset held for the holders after global settlement."""
    individual_settlement_debt: Int64
    """Debt of positions that were settled individually, as far as nobody has paid it (BS2)."""
    individual_settlement_fund: Int64
    """Backing asset held for whoever pays that debt."""
    asset_cer_updated: bool
    feed_cer_updated: bool
    median_updated: bool = False
    """Whether the median feed changed since the last boundary (R6.7); False between blocks."""
    is_reprice_due: bool = False
    """Whether the median was computed anew while there is a settled-debt order, which then gets
    another price at the boundary (BS6); False between blocks."""
    were_requests_done: bool = False
    """Whether the last boundary settled or cancelled requests: the next one looks again (BK1a)."""

    def is_globally_settled(self) -> bool:
        """Whether the asset is globally settled (R6.4)."""
        return not self.settlement_price.is_null()

    def has_pool(self) -> bool:
        """Whether there is debt of individually settled positions (BS2)."""
        return self.individual_settlement_debt > 0

    def has_pool_as_fund(self) -> bool:
        """Whether units may be redeemed from that pool at any time (BS9)."""
        response = self.options.extensions.response()
        is_fund = response is BlackSwanResponse.INDIVIDUAL_SETTLEMENT_TO_FUND
        return is_fund and self.has_pool()

    def has_feed(self) -> bool:
        """Whether there is a settlement price."""
        return not self.current_feed.settlement_price.is_null()

    def feed_end(self) -> int:
        """When the oldest feed of the median runs out, at most the end of time (R1.17)."""
        end = self.current_feed_publication_time + self.options.feed_lifetime_sec
        return min(end, MAX_TIMESTAMP)

    def is_rate_due(self) -> bool:
        """Whether the median's core exchange rate has to be copied, and there is one (R1.21)."""
        is_marked = self.feed_cer_updated or self.asset_cer_updated
        return is_marked and not self.current_feed.core_exchange_rate.is_null()

    def has_margin_calls(self) -> bool:
        """Whether its positions may be called, and settled in a black swan (R4.1, R6.1)."""
        return self.has_feed() and not self.is_prediction_market and not self.is_globally_settled()

    def max_settlement_volume(self, current_supply: int) -> int:
        """Debt that may be settled by force in one maintenance interval, in all (R5.4)."""
        whole = current_supply + self.force_settled_volume
        return whole * self.options.maximum_force_settlement_volume // HUNDRED_PERCENT
