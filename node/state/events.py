"""What the chain tells observers beyond operations; never part of the state (B6a)."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.asset import Price
from protocol.ids import AssetId


@dataclass(frozen=True, slots=True)
class GloballySettledEvent:
    """R6.2: a BitAsset was settled as a whole, at debt / backing, into a fund."""

    asset_id: AssetId
    settlement_price: Price
    settlement_fund: int


@dataclass(frozen=True, slots=True)
class FeedExpiredEvent:
    """R1.17: the oldest live feed of a BitAsset ran out."""

    asset_id: AssetId


@dataclass(frozen=True, slots=True)
class RevivedEvent:
    """R6.6, R6.7: a globally settled BitAsset is live again."""

    asset_id: AssetId


@dataclass(frozen=True, slots=True)
class MarketRunAbandonedEvent:
    """R4.13: an overflow ended a BitAsset's margin calls for this block."""

    asset_id: AssetId
    reason: str


ChainEvent = GloballySettledEvent | FeedExpiredEvent | RevivedEvent | MarketRunAbandonedEvent
