"""What the chain tells observers beyond operations; never part of the state (B6a)."""

from __future__ import annotations

from node.state.objects.assets import FeedValues
from protocol.asset import AssetAmount, Price
from protocol.ids import AccountId, AssetId, CallOrderId, LimitOrderId
from protocol.schema import Record


class GloballySettledEvent(Record):
    """R6.2: a BitAsset was settled as a whole, at debt / backing, into a fund."""

    asset_id: AssetId
    settlement_price: Price
    settlement_fund: int


class FeedExpiredEvent(Record):
    """R1.17: the oldest live feed of a BitAsset ran out."""

    asset_id: AssetId


class RevivedEvent(Record):
    """R6.6, R6.7: a globally settled BitAsset is live again."""

    asset_id: AssetId


class MarketRunAbandonedEvent(Record):
    """R4.13: an overflow ended a BitAsset's margin calls for this block."""

    asset_id: AssetId
    reason: str


class MedianFeedEvent(Record):
    """R1.16: the median of a BitAsset's feeds changed; null prices where feeds are too few."""

    asset_id: AssetId
    values: FeedValues
    publication_time: int
    """Time of the oldest feed in the median, in seconds."""
    feed_count: int
    """How many feeds were live."""


class MarginCallEvent(Record):
    """R4.7: a called position traded with a bid; its virtual fill stands beside it."""

    position: CallOrderId
    borrower: AccountId
    debt: AssetAmount
    """Before the fill."""
    collateral: AssetAmount
    """Before the fill."""
    settlement_price: Price
    """The median that was in force, debt per backing."""
    maintenance_ratio: int
    """MCR, over 1,000."""
    order_price: Price
    """MCOP: the worst bid that could be taken (R1.8)."""
    bid: LimitOrderId
    bidder: AccountId
    bid_price: Price
    covered: int
    """Debt that the fill covered."""
    paid: int
    """Collateral that the position gave up, fee included."""
    fee: int


AssetEvent = GloballySettledEvent | FeedExpiredEvent | RevivedEvent | MarketRunAbandonedEvent
"""A turn in a BitAsset's life."""

ChainEvent = AssetEvent | MedianFeedEvent | MarginCallEvent
"""All that there is: who reads events names each kind, and the type checker sees that he does."""
