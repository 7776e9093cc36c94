"""The book of limit orders: placing, filling, cancelling, expiry (R2.3-R2.13).

Only limit orders meet here; margin calls and settlements wait for the boundary (R2.4).
"""

from __future__ import annotations

from node.market.fees import consume_deferred_fee, pay_market_fee, refund_deferred_fee
from node.market.matching import match_orders
from node.market.pricing import worth_ceil, worth_floor
from node.market.settled_debt import give_from_pool
from node.market.take_profit import take_profit, unlink
from node.state.balances import adjust_balance, adjust_core_in_orders
from node.state.context import Context
from node.state.objects.market import LimitOrder
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.operations.limit_order import FillOrder, LimitOrderCancel


def place_order(ctx: Context, order: LimitOrder) -> bool:
    """Match a new order of the book, which is paid for, with the opposite side (R2.4-R2.8).

    Best offers first, older ones first at one price, each at its own price. Returns whether the
    order is gone, filled but for dust; what else remains rests. Raises `PriceOverflow`.
    """
    state, sold, wanted = ctx.state, order.sells, order.receives
    ctx.mark_dirty(sold)
    ctx.mark_dirty(wanted)
    opposite = (wanted, sold)
    while True:
        maker = state.book.first(opposite)
        if maker is None or not crosses(order.sell_price, maker.sell_price):
            break
        if maker.is_settled_debt:
            is_taker_gone = _take_settled_debt(ctx, order, maker)
            if is_taker_gone is None:
                break
            if is_taker_gone:
                return True
            continue
        price = maker.sell_price
        match = match_orders(order.for_sale, maker.for_sale, price)
        if match is None:
            break
        pays, receives, is_taker_smaller = match
        paid, received = AssetAmount(pays, sold), AssetAmount(receives, wanted)
        is_taker_gone = fill_limit_order(
            ctx, order, paid, received, price, is_maker=False, cull=is_taker_smaller
        )
        is_maker_gone = fill_limit_order(
            ctx, maker, received, paid, price, is_maker=True, cull=True
        )
        if is_taker_gone:
            return True
        assert is_maker_gone, "the smaller of two orders is used up, but for dust (R2.6)"
    return _cull_if_small(ctx, order)


def _take_settled_debt(ctx: Context, order: LimitOrder, maker: LimitOrder) -> bool | None:
    """A new order meets the order of a pool, at its price (BS7).

    Returns whether the new order is gone; where it is not, the pool is bought up. None where it is
    too small to be paid anything. Raises `PriceOverflow`.
    """
    bitasset = ctx.state.bitasset_of(order.sells)
    assert bitasset is not None, maker
    price, debt = maker.sell_price, bitasset.individual_settlement_debt
    is_smaller = debt > order.for_sale
    if is_smaller:
        receives = worth_floor(order.for_sale, price.base, price.quote)
        if receives == 0:
            return None
        pays = worth_ceil(receives, price.quote, price.base)
    else:
        pays, receives = debt, maker.for_sale
    paid, received = AssetAmount(pays, order.sells), AssetAmount(receives, order.receives)
    is_gone = fill_limit_order(ctx, order, paid, received, price, is_maker=False, cull=is_smaller)
    give_from_pool(ctx, bitasset, maker, pays, receives, price, is_maker=True)
    assert is_gone or not is_smaller, "the smaller of two sides is used up, but for dust (R2.6)"
    return is_gone


def crosses(taker: Price, maker: Price) -> bool:
    """Whether the maker gives at least what the taker asks (R2.4)."""
    return maker.base.amount * taker.base.amount >= maker.quote.amount * taker.quote.amount


def fill_limit_order(
    ctx: Context,
    order: LimitOrder,
    paid: AssetAmount,
    received: AssetAmount,
    price: Price,
    *,
    is_maker: bool,
    cull: bool,
) -> bool:
    """Trade an order: it gives `paid` of what it sells, and gets `received` less fee (R2.7).

    Its action, if it has one, follows (T3). With `cull`, a rest that is worth nothing at the
    order's own price is refunded (R2.8). Returns whether the order is gone. Raises `PriceOverflow`.
    """
    state, seller = ctx.state, order.seller
    pays, bought = paid.amount, received.asset_id
    assert 0 < pays <= order.for_sale, (order, pays)
    fee = pay_market_fee(ctx, seller, received, is_maker=is_maker)
    left = received.amount - fee
    adjust_core_in_orders(state, seller, paid.asset_id, -pays)
    adjust_balance(state, seller, bought, left)
    order_id = state.limit_orders.id_of(order)
    ctx.emit(FillOrder(AssetAmount(fee, bought), order_id, seller, paid, received, price, is_maker))
    if order.deferred_fee or order.deferred_paid_fee.amount:
        consume_deferred_fee(ctx, order, is_maker=is_maker)
    if order.on_fill:
        take_profit(ctx, order, AssetAmount(left, bought))
    if pays == order.for_sale:
        unlink(state, order)
        state.limit_orders.remove(order)
        return True
    order = state.limit_orders.edit(order)
    order.for_sale -= pays
    order.filled_amount += pays
    order.deferred_fee = 0
    order.deferred_paid_fee = NO_FEE
    return cull and _cull_if_small(ctx, order)


def _cull_if_small(ctx: Context, order: LimitOrder) -> bool:
    """Cancel an order whose rest is worth nothing at its own price; returns whether (R2.8)."""
    price = order.sell_price
    if worth_floor(order.for_sale, price.quote, price.base):
        return False
    cancel_order(ctx, order, virtual=True)
    return True


def cancel_order(ctx: Context, order: LimitOrder, *, virtual: bool) -> AssetAmount:
    """Remove an order and refund what is left of it; returns that amount (R2.11).

    `virtual` is for expiry and culling: a record is emitted, and a cancel fee is taken out of the
    deferred creation fee (R2.13). Otherwise the owner's operation is the record and pays its fee.
    """
    state, seller, sold = ctx.state, order.seller, order.sells
    refund = AssetAmount(order.for_sale, sold)
    ctx.mark_dirty(sold)
    fee = NO_FEE
    if order.deferred_fee or order.deferred_paid_fee.amount:
        fee = refund_deferred_fee(ctx, order, charge_cancel=virtual)
    adjust_core_in_orders(state, seller, sold, -refund.amount)
    adjust_balance(state, seller, sold, refund.amount)
    if virtual:
        ctx.emit(LimitOrderCancel(fee=fee, fee_paying_account=seller, order=order.id))
        ctx.applied[-1].result = refund
    unlink(state, order)
    state.limit_orders.remove(order)
    return refund


def expire_orders(ctx: Context) -> None:
    """Cancel orders whose time has come, earliest first (R2.10)."""
    for order in ctx.state.order_expirations.up_to(ctx.now):
        cancel_order(ctx, order, virtual=True)
