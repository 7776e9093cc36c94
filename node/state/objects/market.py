"""Limit orders, positions, settlement requests and collateral bids."""

from __future__ import annotations

from node.state.objects.base import StateObject
from protocol.asset import AssetAmount, Price
from protocol.ids import (
    AccountId,
    AssetId,
    CallOrderId,
    CollateralBidId,
    ForceSettlementId,
    LimitOrderId,
)
from protocol.operations.limit_order import LimitOrderAction
from protocol.schema import Int64, Timestamp, UInt16, UInt128


class LimitOrder(StateObject):
    """An offer to sell at a price or better (1.7.n)."""

    id: LimitOrderId
    expiration: Timestamp
    seller: AccountId
    for_sale: Int64
    """What remains, in units of the asset sold."""
    sell_price: Price
    """Asset sold / asset received; only an update changes it (R2.2, R2.17)."""
    filled_amount: UInt128
    """What was sold so far."""
    deferred_fee: Int64
    """Creation fee not yet distributed, in CORE (R2.12)."""
    deferred_paid_fee: AssetAmount
    """The same as paid, when it was paid in another asset; else 0 CORE."""
    on_fill: tuple[LimitOrderAction, ...] = ()
    """What a fill causes; at most one (T1)."""
    take_profit_order_id: LimitOrderId | None = None
    """The order that a fill of this one adds to, and the other way round (T2)."""
    is_settled_debt: bool = False
    """Whether nobody owns it: it offers a part of the pool of individually settled debt (BS2)."""

    @property
    def sells(self) -> AssetId:
        """The asset that the order sells."""
        return self.sell_price.base.asset_id

    @property
    def receives(self) -> AssetId:
        """The asset that the order wants."""
        return self.sell_price.quote.asset_id


class CallOrder(StateObject):
    """A margin position: debt of a BitAsset against collateral in its backing asset (1.8.n)."""

    id: CallOrderId
    borrower: AccountId
    collateral: Int64
    debt: Int64
    debt_asset: AssetId
    collateral_asset: AssetId
    target_collateral_ratio: UInt16 | None
    """Cover no more than reaches it when called, over 1,000 (R3.7)."""


class ForceSettlement(StateObject):
    """A request to settle at the feed price, due at a time (1.4.n, R5.2)."""

    id: ForceSettlementId
    owner: AccountId
    balance: AssetAmount
    settlement_date: Timestamp


class CollateralBid(StateObject):
    """An offer to take over debt of a globally settled BitAsset (2.17.n, R6.5)."""

    id: CollateralBidId
    bidder: AccountId
    additional_collateral: AssetAmount
    debt_covered: AssetAmount
