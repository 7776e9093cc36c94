"""What the chain tells observers beyond operations; never part of the state (B6a)."""

from __future__ import annotations

from node.state.objects.assets import FeedValues
from protocol.asset import AssetAmount, Price
from protocol.ids import AccountId, AssetId, CallOrderId, ForceSettlementId, LimitOrderId
from protocol.schema import Int64, Record, Timestamp, UInt16, UInt32


class GloballySettledEvent(Record):
    """R6.2: a BitAsset was settled as a whole, at debt / backing, into a fund."""

    asset_id: AssetId
    settlement_price: Price
    settlement_fund: Int64


class IndividuallySettledEvent(Record):
    """BS5: a position that could not pay was settled alone; its debt stays in circulation."""

    asset_id: AssetId
    position: CallOrderId
    account: AccountId
    """The borrower, who gets nothing back."""
    debt: Int64
    fund: Int64
    """Collateral that is held for the holders."""
    fee: Int64
    """Collateral that joins the accumulated collateral fees."""


class FeedExpiredEvent(Record):
    """R1.17: the oldest live feed of a BitAsset ran out."""

    asset_id: AssetId


class RevivedEvent(Record):
    """A globally settled BitAsset is live again."""

    asset_id: AssetId
    by_bids: bool
    """Whether collateral bids took its debt over (R6.6), not the issuer by the feed (R6.7)."""


class MarketRunAbandonedEvent(Record):
    """R4.13: an overflow ended a BitAsset's margin calls for this block."""

    asset_id: AssetId
    reason: str


class MedianFeedEvent(Record):
    """R1.16: the median of a BitAsset's feeds changed; null prices where feeds are too few.

    The history keeps each field, and the API tells it under its name.
    """

    asset_id: AssetId
    values: FeedValues
    publication_time: Timestamp
    """Time of the oldest feed in the median, in seconds."""
    feed_count: UInt32
    """How many feeds were live."""


class MarginCallEvent(Record):
    """R4.7, SM5: a called position traded with a bid, or with a request; its virtual fill stands
    beside it.

    The history keeps each field, and the API tells it under its name.
    """

    position: CallOrderId
    account: AccountId
    """The borrower."""
    debt_before: AssetAmount
    collateral_before: AssetAmount
    settlement_price: Price
    """The median that was in force, debt per backing."""
    maintenance_collateral_ratio: UInt16
    """MCR, over 1,000."""
    margin_call_order_price: Price
    """MCOP: the worst bid that could be taken (R1.8)."""
    bid: LimitOrderId | None
    """None where a request took the place of a bid."""
    bidder: AccountId
    """Whose bid or request it was."""
    bid_price: Price
    """What the bid or request got, debt per backing."""
    debt_covered: AssetAmount
    """Debt that the fill covered."""
    collateral_paid: AssetAmount
    """Collateral that the position gave up, fee included."""
    margin_call_fee: AssetAmount
    request: ForceSettlementId | None = None
    """The settlement request that it traded with, if it did (SM3)."""

    @property
    def debt_after(self) -> AssetAmount:
        """Debt after the fill; at 0 the position closed and got its other collateral back."""
        left = self.debt_before.amount - self.debt_covered.amount
        return AssetAmount(left, self.debt_before.asset_id)

    @property
    def collateral_after(self) -> AssetAmount:
        """Collateral that the fill left to the position, or to its owner."""
        left = self.collateral_before.amount - self.collateral_paid.amount
        return AssetAmount(left, self.collateral_before.asset_id)


AssetEvent = (
    GloballySettledEvent
    | IndividuallySettledEvent
    | FeedExpiredEvent
    | RevivedEvent
    | MarketRunAbandonedEvent
)
"""A turn in a BitAsset's life."""

ChainEvent = AssetEvent | MedianFeedEvent | MarginCallEvent
"""All that there is: who reads events names each kind, and the type checker sees that he does."""
