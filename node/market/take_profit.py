"""What an order does by itself when it is filled: sell what it received for more (T3-T8, T11).

Two orders of one seller in opposite directions are linked: what fills one adds to the other.
"""

from __future__ import annotations

from node.state.context import Context
from node.state.database import State
from node.state.objects.market import LimitOrder
from protocol.asset import NO_FEE, AssetAmount, Price, ceil_div, multiply_ceil, scale_price
from protocol.constants import CORE_ASSET, HUNDRED_PERCENT
from protocol.errors import PegboardError
from protocol.fees import required_fee, with_fee
from protocol.ids import AssetId, LimitOrderId, ObjectId
from protocol.operations.base import Operation
from protocol.operations.limit_order import (
    CreateTakeProfitOrder,
    FillOrder,
    LimitOrderCreate,
    LimitOrderCreateExtensions,
    LimitOrderUpdate,
)
from protocol.schema import MAX_TIMESTAMP


def take_profit(ctx: Context, order: LimitOrder, received: AssetAmount) -> None:
    """Carry out an order's action after a fill that left `received`, the market fee taken off.

    All of it or nothing: where the fee cannot be paid, a list forbids it or a number overflows,
    the fill stands alone (T6).
    """
    (action,) = order.on_fill
    size = ceil_div(received.amount * action.size_percent, HUNDRED_PERCENT)
    if size == 0:
        return
    sold = AssetAmount(size, received.asset_id)
    before = len(ctx.applied)
    try:
        with ctx.session():
            op = _operation(ctx, order, action, sold)
            op.validate()
            result = ctx.run_operation(ctx, op)
            if isinstance(result, ObjectId):
                link(ctx.state, order, ctx.state.limit_orders.get(LimitOrderId(result.instance)))
            elif isinstance(op, LimitOrderUpdate):
                link(ctx.state, order, ctx.state.limit_orders.get(op.order))
    except PegboardError:
        return
    assert not any(isinstance(one.op, FillOrder) for one in ctx.applied[before:]), (
        "a take profit order asks for more than any order against it gives (T7)"
    )


def _operation(
    ctx: Context, order: LimitOrder, action: CreateTakeProfitOrder, sold: AssetAmount
) -> Operation:
    """The new order, or the raise of the linked one, with its fee (T4, T5)."""
    expiration = min(ctx.now + action.expiration_seconds, MAX_TIMESTAMP)
    target = target_price(order, action)
    linked = order.take_profit_order_id
    op: Operation
    if linked is None:
        extensions = LimitOrderCreateExtensions(order.on_fill if action.repeat else None)
        wanted = multiply_ceil(sold, target)
        op = LimitOrderCreate(NO_FEE, order.seller, sold, wanted, expiration, extensions=extensions)
    else:
        price = None
        if linked > order.id:
            for_sale = ctx.state.limit_orders.get(linked).for_sale
            whole = AssetAmount(for_sale + sold.amount, sold.asset_id)
            price = Price(whole, multiply_ceil(whole, target))
        op = LimitOrderUpdate(NO_FEE, order.seller, linked, price, sold, expiration)
    return with_fee(op, _fee(ctx.state, op, action.fee_asset_id))


def target_price(order: LimitOrder, action: CreateTakeProfitOrder) -> Price:
    """What an order received, for what it sold, less the spread: no less is asked for (T4)."""
    spread = HUNDRED_PERCENT + action.spread_percent
    return scale_price(order.sell_price.inverse(), HUNDRED_PERCENT, spread)


def _fee(state: State, op: Operation, asset_id: AssetId) -> AssetAmount:
    """What the schedule asks for, in the asset that the action pays fees in (T5)."""
    required = AssetAmount(required_fee(op, state.parameters.current_fees), CORE_ASSET)
    if asset_id == CORE_ASSET:
        return required
    return multiply_ceil(required, state.assets.get(asset_id).options.core_exchange_rate)


def link(state: State, order: LimitOrder, other: LimitOrder) -> None:
    """Have what fills one of two orders add to the other (T2)."""
    state.limit_orders.edit(order).take_profit_order_id = other.id
    state.limit_orders.edit(other).take_profit_order_id = order.id


def unlink(state: State, order: LimitOrder) -> None:
    """Part an order from the one that it is linked with, if there is one (T9)."""
    if order.take_profit_order_id is not None:
        other = state.limit_orders.get(order.take_profit_order_id)
        state.limit_orders.edit(other).take_profit_order_id = None
        state.limit_orders.edit(order).take_profit_order_id = None


def keeps_link(order: LimitOrder, op: LimitOrderUpdate) -> bool:
    """Whether an update leaves an order what its take profit order was made for (T9)."""
    if op.new_price is not None and not op.new_price.same_as(order.sell_price):
        return False
    if op.on_fill is None:
        return True
    return _terms(order.on_fill) == _terms(op.on_fill)


def _terms(on_fill: tuple[CreateTakeProfitOrder, ...]) -> list[tuple[int, bool]]:
    return [(action.spread_percent, action.repeat) for action in on_fill]
