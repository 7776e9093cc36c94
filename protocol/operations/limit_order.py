"""Limit orders: placing, changing, cancelling, and the record of a fill."""

from __future__ import annotations

from typing import Annotated

from protocol.asset import AssetAmount, Price
from protocol.checks import check_amount, check_fee, check_positive, require
from protocol.constants import HUNDRED_PERCENT
from protocol.errors import ASSET, PERCENT
from protocol.ids import AccountId, AssetId, LimitOrderId, ObjectId
from protocol.operations.base import refuse_virtual
from protocol.schema import (
    EXTENSION,
    MAX_TIMESTAMP,
    NoExtensions,
    Record,
    Timestamp,
    UInt16,
    UInt32,
    Variant,
)


class CreateTakeProfitOrder(Record):
    """Place an order in the other direction after each fill (T1)."""

    fee_asset_id: AssetId
    """Asset that the new order's fee is paid in."""
    spread_percent: UInt16
    """Distance of the new order's price from the fill, of 10,000."""
    size_percent: UInt16
    """Share of what was received that is sold again, of 10,000."""
    expiration_seconds: UInt32
    """Lifetime of the new order."""
    repeat: bool
    """Whether the new order has the same action."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        """Raise `ValidationError` for a share or lifetime that makes no order (T1)."""
        check_positive(self.spread_percent, "spread_percent", rule="T1")
        check_positive(self.size_percent, "size_percent", rule="T1")
        require(
            self.size_percent <= HUNDRED_PERCENT,
            "size_percent exceeds 100 %",
            rule="T1",
            value=self.size_percent,
            limit=HUNDRED_PERCENT,
            unit=PERCENT,
        )
        check_positive(self.expiration_seconds, "expiration_seconds", rule="T1")


LimitOrderAction = Annotated[CreateTakeProfitOrder, Variant({0: CreateTakeProfitOrder})]
"""What happens by itself when an order is filled."""


class LimitOrderCreateExtensions(Record):
    """Options of `LimitOrderCreate` that came later."""

    on_fill: tuple[LimitOrderAction, ...] | None = None
    """What a fill causes; one action, or the field is absent (T1)."""


class LimitOrderCreate(Record):
    """Offer an amount of one asset for at least an amount of another (R2.1)."""

    fee: AssetAmount
    seller: AccountId
    """Account that sells; pays the fee."""
    amount_to_sell: AssetAmount
    """What is offered; leaves the balance at once."""
    min_to_receive: AssetAmount
    """Least that is accepted for all of it; both amounts make the price."""
    expiration: Timestamp = MAX_TIMESTAMP
    """Time at which the rest of the order is cancelled."""
    fill_or_kill: bool = False
    """True: fail unless it is filled at once (R2.9)."""
    extensions: Annotated[LimitOrderCreateExtensions, EXTENSION] = LimitOrderCreateExtensions()

    def sell_price(self) -> Price:
        """The price of the order for its whole life (R2.2)."""
        return Price(self.amount_to_sell, self.min_to_receive)

    def validate(self) -> None:
        check_fee(self.fee)
        require(
            self.amount_to_sell.asset_id != self.min_to_receive.asset_id,
            "an asset is sold for itself",
            rule="R2.1",
            value=self.amount_to_sell.asset_id,
            unit=ASSET,
        )
        check_amount(self.amount_to_sell, "amount_to_sell", rule="R2.1")
        check_amount(self.min_to_receive, "min_to_receive", rule="R2.1")
        _check_actions(self.extensions.on_fill)


class LimitOrderUpdate(Record):
    """Change price, amount or expiration of a resting order (R2.17)."""

    fee: AssetAmount
    seller: AccountId
    """Owner of the order; pays the fee."""
    order: LimitOrderId
    new_price: Price | None = None
    delta_amount_to_sell: AssetAmount | None = None
    """What is added to, or taken from, what is offered."""
    new_expiration: Timestamp | None = None
    on_fill: tuple[LimitOrderAction, ...] | None = None
    """Replaces the action on a fill; empty: there is none any more."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        changes = (self.new_price, self.delta_amount_to_sell, self.new_expiration, self.on_fill)
        require(any(change is not None for change in changes), "nothing to update", rule="R2.17")
        if self.new_price is not None:
            self.new_price.validate("new_price")
        if self.delta_amount_to_sell is not None:
            require(
                self.delta_amount_to_sell.amount != 0,
                "delta_amount_to_sell is zero",
                rule="R2.17",
                value=0,
            )
        _check_actions(self.on_fill)


class LimitOrderCancel(Record):
    """Take a resting order back; what is left of it returns to its owner (R2.11)."""

    fee: AssetAmount
    fee_paying_account: AccountId
    """Owner of the order; pays the fee."""
    order: LimitOrderId
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)


class FillOrder(Record):
    """Virtual: an order, position or settlement request traded (R2.7, R4.7)."""

    fee: AssetAmount
    """Market fee or margin call fee that was taken from what was received."""
    order_id: ObjectId
    """A limit order, position or settlement request."""
    account_id: AccountId
    """Its owner."""
    pays: AssetAmount
    """What the owner gave."""
    receives: AssetAmount
    """What the owner got, the fee not yet taken off."""
    fill_price: Price
    """Price of the match, base what the maker sells."""
    is_maker: bool
    """Whether this side rested in the book."""

    def validate(self) -> None:
        refuse_virtual("fill_order")


def _check_actions(actions: tuple[CreateTakeProfitOrder, ...] | None) -> None:
    for action in actions or ():
        action.validate()
