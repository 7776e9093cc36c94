"""Limit orders: placing and cancelling (R2)."""

from __future__ import annotations

from typing import NamedTuple

from node.evaluators.fees import core_worth_of
from node.evaluators.lists import check_authorized, check_market_lists
from node.market.fees import NO_FEE
from node.market.order_book import cancel_order, place_order
from node.state.balances import adjust_core_in_orders, debit
from node.state.context import Context
from node.state.errors import (
    FeatureNotBuilt,
    InsufficientBalance,
    KillUnfilled,
    LimitExceeded,
    OrderExpired,
    OrderNotFound,
    OwnerMismatch,
    ReceivingAssetUnauthorized,
    SellingAssetUnauthorized,
)
from node.state.objects.market import LimitOrder
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.ids import LimitOrderId, ObjectId
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate, LimitOrderUpdate
from protocol.operations.results import VoidResult


class DeferredFee(NamedTuple):
    """The creation fee that the order will hold (R2.12)."""

    core: int
    """Its worth in CORE."""
    paid: AssetAmount
    """The same as paid, when it was paid in another asset; else 0 CORE."""


def evaluate_limit_order_create(ctx: Context, op: LimitOrderCreate) -> DeferredFee:
    """The fee to defer, once R2.1 holds, in its order."""
    state, sold = ctx.state, op.amount_to_sell
    seller = state.accounts.get(op.seller)
    sold_asset = state.assets.get(sold.asset_id)
    received_asset = state.assets.get(op.min_to_receive.asset_id)

    if op.extensions.on_fill is not None:
        raise FeatureNotBuilt(
            "orders that act on a fill are not built", rule="R2.18", value="on_fill"
        )
    if op.min_to_receive.amount > MAX_SUPPLY:
        raise LimitExceeded(
            "min_to_receive exceeds the largest supply",
            rule="R1.1",
            value=op.min_to_receive.amount,
            limit=MAX_SUPPLY,
        )
    if op.expiration < ctx.now:
        raise OrderExpired("order has expired", rule="R2.1", value=op.expiration, limit=ctx.now)
    check_market_lists(sold_asset, received_asset.id)
    check_authorized(seller, sold_asset, SellingAssetUnauthorized)
    check_authorized(seller, received_asset, ReceivingAssetUnauthorized)
    balance = state.balance_of(op.seller, sold.asset_id)
    if balance < sold.amount:
        raise InsufficientBalance(
            f"account {seller.name} holds too little {sold_asset.symbol}",
            rule="R2.1",
            value=balance,
            limit=sold.amount,
        )

    if op.fee.asset_id == CORE_ASSET:
        return DeferredFee(op.fee.amount, NO_FEE)
    return DeferredFee(core_worth_of(state, op.fee), op.fee)


def apply_limit_order_create(ctx: Context, op: LimitOrderCreate, fee: DeferredFee) -> ObjectId:
    """Take the amount out of the balance, then match at once; what is left rests (R2.2, R2.4)."""
    state, sold = ctx.state, op.amount_to_sell
    debit(state, op.seller, sold)
    adjust_core_in_orders(state, op.seller, sold.asset_id, sold.amount)
    order_id = LimitOrderId(state.limit_orders.next_instance)
    order = state.limit_orders.create(
        LimitOrder(
            id=order_id,
            expiration=op.expiration,
            seller=op.seller,
            for_sale=sold.amount,
            sell_price=op.sell_price(),
            filled_amount=0,
            deferred_fee=fee.core,
            deferred_paid_fee=fee.paid,
        )
    )
    is_filled = place_order(ctx, order)
    if op.fill_or_kill and not is_filled:
        raise KillUnfilled(
            "fill-or-kill order was not filled", rule="R2.9", value=order.for_sale, limit=0
        )
    return state.limit_orders.object_id(order_id)


def evaluate_limit_order_cancel(ctx: Context, op: LimitOrderCancel) -> LimitOrder:
    """The order, once it exists and belongs to the account (R2.11)."""
    order = ctx.state.limit_orders.find(op.order)

    if order is None:
        raise OrderNotFound("no such limit order", rule="R2.11", value=f"1.7.{op.order}")
    if order.seller != op.fee_paying_account:
        raise OwnerMismatch(
            "the order belongs to another account",
            rule="R2.11",
            value=f"1.2.{op.fee_paying_account}",
            limit=f"1.2.{order.seller}",
        )
    return order


def apply_limit_order_cancel(ctx: Context, op: LimitOrderCancel, order: LimitOrder) -> AssetAmount:
    """Refund what is left, with the deferred fee; answers with the refund (R2.11)."""
    return cancel_order(ctx, order, virtual=False)


def evaluate_limit_order_update(ctx: Context, op: LimitOrderUpdate) -> None:
    """Refused: changing a resting order is not built (R2.17)."""
    raise FeatureNotBuilt("limit_order_update is not built", rule="R2.17", value=f"1.7.{op.order}")


def apply_limit_order_update(ctx: Context, op: LimitOrderUpdate, checked: None) -> VoidResult:
    """Never reached: the evaluation refuses."""
    raise AssertionError("limit_order_update is always refused")
