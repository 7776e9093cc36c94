"""Limit orders: placing, changing and cancelling (R2)."""

from __future__ import annotations

from node.evaluators.fees import core_worth_of
from node.evaluators.lists import check_authorized, check_market_lists
from node.evaluators.membership import check_owner
from node.market.fees import settle_old_fee
from node.market.order_book import cancel_order, place_order
from node.market.take_profit import keeps_link, unlink
from node.state.balances import adjust_balance, adjust_core_in_orders, check_balance
from node.state.context import Context
from node.state.database import State
from node.state.errors import (
    KillUnfilled,
    LimitExceeded,
    OrderExpired,
    OrderNotFound,
    OwnerMismatch,
    ReceivingAssetUnauthorized,
    SellingAssetUnauthorized,
    TooSmall,
    WrongAssetType,
)
from node.state.objects.accounts import AccountBalance
from node.state.objects.market import LimitOrder
from protocol.asset import NO_FEE, AssetAmount, Price, multiply_floor
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.errors import TIME
from protocol.ids import AccountId, AssetId, LimitOrderId, ObjectId, asset_text, order_text
from protocol.operations.limit_order import (
    CreateTakeProfitOrder,
    LimitOrderCancel,
    LimitOrderCreate,
    LimitOrderUpdate,
)
from protocol.operations.results import VoidResult
from protocol.schema import Record

DeferredFee = tuple[int, AssetAmount]
"""The creation fee that the order will hold: its worth in CORE, and the same as paid, when it was
paid in another asset; else 0 CORE (R2.12)."""
Placing = tuple[AccountBalance, DeferredFee]
"""What a new order takes its amount from, and its fee."""


def evaluate_limit_order_create(ctx: Context, op: LimitOrderCreate) -> Placing:
    """What an order begins with, once R2.1 holds, in its order."""
    state, sold = ctx.state, op.amount_to_sell

    on_fill = op.extensions.on_fill
    if on_fill is not None:
        check_on_fill(state, on_fill, least=1)
    if op.min_to_receive.amount > MAX_SUPPLY:
        raise LimitExceeded(
            "min_to_receive exceeds the largest supply",
            rule="R1.1",
            value=op.min_to_receive.amount,
            limit=MAX_SUPPLY,
            unit=asset_text(op.min_to_receive.asset_id),
        )
    if op.expiration < ctx.now:
        raise OrderExpired(
            "order has expired", rule="R2.1", value=op.expiration, limit=ctx.now, unit=TIME
        )
    _check_market(state, op.seller, sold.asset_id, op.min_to_receive.asset_id)
    held = check_balance(state, op.seller, sold, rule="R2.1")
    assert held is not None, "the amount is positive"
    return held, _deferred_fee(state, op.fee)


def apply_limit_order_create(ctx: Context, op: LimitOrderCreate, placing: Placing) -> ObjectId:
    """Take the amount out of the balance, then match at once; what is left rests (R2.2, R2.4)."""
    state, sold, (held, (core_fee, paid_fee)) = ctx.state, op.amount_to_sell, placing
    state.balances.edit(held).balance -= sold.amount
    adjust_core_in_orders(state, op.seller, sold.asset_id, sold.amount)
    order_id = state.limit_orders.next_id
    order = state.limit_orders.create(
        LimitOrder(
            id=order_id,
            expiration=op.expiration,
            seller=op.seller,
            for_sale=sold.amount,
            sell_price=op.sell_price(),
            filled_amount=0,
            deferred_fee=core_fee,
            deferred_paid_fee=paid_fee,
            on_fill=op.extensions.on_fill or (),
        )
    )
    is_filled = place_order(ctx, order)
    if op.fill_or_kill and not is_filled:
        raise KillUnfilled(
            "fill-or-kill order was not filled",
            rule="R2.9",
            value=order.for_sale,
            limit=0,
            unit=asset_text(order.sells),
        )
    return state.limit_orders.object_id(order_id)


def evaluate_limit_order_cancel(ctx: Context, op: LimitOrderCancel) -> LimitOrder:
    """The order, once it exists and belongs to the account (R2.11)."""
    return _own_order(ctx.state, op.order, op.fee_paying_account)


def apply_limit_order_cancel(ctx: Context, op: LimitOrderCancel, order: LimitOrder) -> AssetAmount:
    """Refund what is left, with the deferred fee; answers with the refund (R2.11)."""
    return cancel_order(ctx, order, virtual=False)


class OrderChange(Record):
    """What an update makes of an order."""

    order: LimitOrder
    sell_price: Price
    delta: int
    """What is added to, or taken from, what is for sale."""
    fee: DeferredFee


def evaluate_limit_order_update(ctx: Context, op: LimitOrderUpdate) -> OrderChange:
    """The order as it will be, once R2.17 holds and the seller may still trade here (T10)."""
    state = ctx.state
    if op.on_fill is not None:
        check_on_fill(state, op.on_fill, least=0)
    order = _own_order(state, op.order, op.seller)
    delta = op.delta_amount_to_sell
    change = OrderChange(
        order,
        order.sell_price if op.new_price is None else op.new_price,
        0 if delta is None else delta.amount,
        _deferred_fee(state, op.fee),
    )

    if op.new_price is not None:
        _check_new_price(order, op.new_price, change.delta)
    if delta is not None:
        _check_delta(state, order, delta)
    _check_new_worth(change)
    if op.new_expiration is not None and op.new_expiration < ctx.now:
        raise OrderExpired(
            "order would have expired",
            rule="R2.17",
            value=op.new_expiration,
            limit=ctx.now,
            unit=TIME,
        )
    _check_market(state, op.seller, order.sells, order.receives)
    return change


def _check_new_price(order: LimitOrder, price: Price, delta: int) -> None:
    """The market stays, and the price is not written in amounts beyond those of the order."""
    if (price.base.asset_id, price.quote.asset_id) != (order.sells, order.receives):
        raise WrongAssetType(
            "the new price is of another market",
            rule="R2.17",
            value=str(price),
            limit=str(order.sell_price),
        )
    largest = max(order.for_sale, order.sell_price.base.amount) + delta
    if price.base.amount > largest:
        raise LimitExceeded(
            "base of the new price exceeds what may be for sale",
            rule="R2.17",
            value=price.base.amount,
            limit=largest,
            unit=asset_text(price.base.asset_id),
        )
    if price.quote.amount > MAX_SUPPLY:
        raise LimitExceeded(
            "quote of the new price exceeds the largest supply",
            rule="R1.1",
            value=price.quote.amount,
            limit=MAX_SUPPLY,
            unit=asset_text(price.quote.asset_id),
        )


def _check_delta(state: State, order: LimitOrder, delta: AssetAmount) -> None:
    """It is of the asset on sale, leaves something, and the seller has what is added."""
    if delta.asset_id != order.sells:
        raise WrongAssetType(
            "the order sells another asset",
            rule="R2.17",
            value=asset_text(delta.asset_id),
            limit=asset_text(order.sells),
        )
    if -delta.amount >= order.for_sale:
        raise LimitExceeded(
            "cancel an order to take all of it back",
            rule="R2.17",
            value=-delta.amount,
            limit=order.for_sale - 1,
            unit=asset_text(order.sells),
        )
    check_balance(state, order.seller, delta, rule="R2.1")


def _check_new_worth(change: OrderChange) -> None:
    """What will be for sale buys at least one unit, and no more than can exist."""
    order, price = change.order, change.sell_price
    for_sale = AssetAmount(order.for_sale + change.delta, order.sells)
    if multiply_floor(for_sale, price).amount == 0:
        raise TooSmall(
            "what is left buys nothing; cancel the order",
            rule="R2.17",
            value=for_sale.amount,
            limit=str(price),
            unit=asset_text(order.sells),
        )


def apply_limit_order_update(ctx: Context, op: LimitOrderUpdate, change: OrderChange) -> VoidResult:
    """Move the difference, settle the old deferred fee, then match the order anew (R2.17)."""
    state, order, delta = ctx.state, change.order, change.delta
    adjust_balance(state, op.seller, order.sells, -delta)
    adjust_core_in_orders(state, op.seller, order.sells, delta)
    settle_old_fee(ctx, order)
    if not keeps_link(order, op):
        unlink(state, order)

    def become(updated: LimitOrder) -> None:
        updated.sell_price = change.sell_price
        updated.for_sale += delta
        if op.new_expiration is not None:
            updated.expiration = op.new_expiration
        if op.on_fill is not None:
            updated.on_fill = op.on_fill
        updated.deferred_fee, updated.deferred_paid_fee = change.fee

    state.limit_orders.rekey(order, become)
    place_order(ctx, order)
    return VoidResult()


def check_on_fill(state: State, on_fill: tuple[CreateTakeProfitOrder, ...], *, least: int) -> None:
    """Raise unless an order has one action, or as few as `least`, whose fee asset exists (T1)."""
    if not least <= len(on_fill) <= 1:
        raise LimitExceeded(
            "an order has one action on a fill", rule="T1", value=len(on_fill), limit=1
        )
    for action in on_fill:
        state.assets.get(action.fee_asset_id)


def _own_order(state: State, order_id: LimitOrderId, account: AccountId) -> LimitOrder:
    """The order, once it exists and belongs to the account (R2.11, R2.17)."""
    order = state.limit_orders.find(order_id)
    if order is None:
        raise OrderNotFound("no such limit order", rule="R2.11", value=order_text(order_id))
    check_owner(account, order.seller, "order", error=OwnerMismatch, rule="R2.11")
    if order.is_settled_debt:
        raise OwnerMismatch("nobody owns settled debt", rule="BS2", value=order_text(order_id))
    return order


def _check_market(state: State, account: AccountId, sold: AssetId, received: AssetId) -> None:
    """The market lists admit the market, and the seller may hold both assets (R2.1, R2.20)."""
    assets = state.assets.at
    seller, sold_asset, received_asset = state.accounts.at[account], assets[sold], assets[received]
    check_market_lists(sold_asset, received)
    check_authorized(seller, sold_asset, SellingAssetUnauthorized)
    check_authorized(seller, received_asset, ReceivingAssetUnauthorized)


def _deferred_fee(state: State, fee: AssetAmount) -> DeferredFee:
    if fee.asset_id == CORE_ASSET:
        return fee.amount, NO_FEE
    return core_worth_of(state, fee), fee
