"""The pool of individually settled debt as an order of the book that nobody owns (BS2, BS5-BS8)."""

from __future__ import annotations

from typing import NamedTuple

from node.market.positions import fill_position
from node.market.pricing import (
    CallTerms,
    Pool,
    debt_per_collateral,
    margin_call_order_price,
    pool_of,
)
from node.state.balances import adjust_supply
from node.state.context import Context
from node.state.database import State
from node.state.events import IndividuallySettledEvent
from node.state.objects.assets import BitassetData
from node.state.objects.market import CallOrder, LimitOrder
from protocol.asset import NO_FEE, AssetAmount, Price, ceil_div
from protocol.constants import MAX_SUPPLY, NULL_ACCOUNT
from protocol.ids import AssetId, LimitOrderId, object_id
from protocol.operations.bitasset_options import BlackSwanResponse
from protocol.operations.limit_order import FillOrder
from protocol.schema import MAX_TIMESTAMP


def find_settled_debt_order(state: State, asset_id: AssetId) -> LimitOrder | None:
    """The order that offers the pool of a BitAsset, or None (BS2)."""
    for order in state.orders_of_account.items(NULL_ACCOUNT):
        if order.is_settled_debt and order.receives == asset_id:
            return order
    return None


class IndividualTerms(NamedTuple):
    """What becomes of the collateral of a position that is settled alone (BS5)."""

    price: Price
    """Debt per backing of what the pool gets."""
    received: int
    """What the pool gets; the rest is a fee."""


def individual_terms(position: CallOrder, terms: CallTerms) -> IndividualTerms:
    """The debt's worth at debt / collateral less the margin call fee ratio, rounded up (BS5)."""
    price = terms.receives_price(debt_per_collateral(position))
    received = ceil_div(position.debt * price.quote.amount, price.base.amount)
    return IndividualTerms(price, min(received, position.collateral))


def individually_settle(
    ctx: Context, bitasset: BitassetData, position: CallOrder, terms: CallTerms
) -> None:
    """Settle one position that cannot pay into the pool: all its collateral for all its debt (BS5).

    The owner gets nothing back. No unit is destroyed.
    """
    asset_id = bitasset.asset_id
    debt, collateral = position.debt, position.collateral
    price, received = individual_terms(position, terms)
    fee = collateral - received
    bitasset = ctx.state.bitassets.edit(bitasset)
    bitasset.individual_settlement_debt += debt
    bitasset.individual_settlement_fund += received
    fill_position(
        ctx, position, collateral, debt, price, fee=fee, is_maker=True, destroys_debt=False
    )
    if terms.response is BlackSwanResponse.INDIVIDUAL_SETTLEMENT_TO_ORDER:
        order = find_settled_debt_order(ctx.state, asset_id)
        if order is None:
            _create_order(ctx, bitasset)
        else:
            _reprice(ctx, bitasset, order)
    ctx.events.append(
        IndividuallySettledEvent(asset_id, position.id, position.borrower, debt, received, fee)
    )


def _create_order(ctx: Context, bitasset: BitassetData) -> None:
    """A new order offers the whole fund for the whole debt (BS6)."""
    pool, table = pool_of(bitasset), ctx.state.limit_orders
    table.create(
        LimitOrder(
            id=table.next_id,
            expiration=MAX_TIMESTAMP,
            seller=NULL_ACCOUNT,
            for_sale=pool.fund,
            sell_price=pool.price(bitasset).inverse(),
            filled_amount=0,
            deferred_fee=0,
            deferred_paid_fee=NO_FEE,
            is_settled_debt=True,
        )
    )


def reprice_settled_debt(ctx: Context, bitasset: BitassetData) -> None:
    """Give the order of a pool the price that the present feed asks for (BS6)."""
    order = find_settled_debt_order(ctx.state, bitasset.asset_id)
    if order is not None:
        _reprice(ctx, bitasset, order)


def _reprice(ctx: Context, bitasset: BitassetData, order: LimitOrder) -> None:
    _offer(ctx, bitasset, order, _asked_by_feed(bitasset))


def price_at_feed(bitasset: BitassetData) -> Price:
    """What a pool's order asks once it is priced by the present feed, backing per debt (BS6)."""
    return _offered_at(bitasset, _asked_by_feed(bitasset))[1]


def _asked_by_feed(bitasset: BitassetData) -> Price:
    fee_ratio = bitasset.options.extensions.margin_call_fee_ratio
    return margin_call_order_price(bitasset.current_feed, fee_ratio).inverse()


def _offered_at(bitasset: BitassetData, price: Price) -> tuple[int, Price]:
    """What the debt is worth at a price, backing per debt, or all where that exceeds the fund."""
    pool = pool_of(bitasset)
    for_sale = size_at(pool, price)
    return (pool.fund, pool.price(bitasset).inverse()) if for_sale is None else (for_sale, price)


def _offer(ctx: Context, bitasset: BitassetData, order: LimitOrder, price: Price) -> None:
    """Offer what the debt is worth at a price, backing per debt, or all where that exceeds it."""
    for_sale, price = _offered_at(bitasset, price)

    def become(offered: LimitOrder) -> None:
        offered.for_sale = for_sale
        offered.sell_price = price

    if (for_sale, price) != (order.for_sale, order.sell_price):
        ctx.state.limit_orders.rekey(order, become)


def size_at(pool: Pool, price: Price) -> int | None:
    """What the pool's debt is worth at a price, backing per debt; None where the fund has less."""
    needed = ceil_div(pool.debt * price.base.amount, price.quote.amount)
    return needed if needed <= min(pool.fund, MAX_SUPPLY) else None


def give_from_pool(
    ctx: Context,
    bitasset: BitassetData,
    order: LimitOrder,
    covered: int,
    receives: int,
    price: Price,
    *,
    is_maker: bool,
) -> bool:
    """The pool's side of a trade: `covered` of its debt is paid and destroyed (BS7).

    The other side `receives` backing; what the pool gives beyond it is a fee. The order then offers
    what is left at its own price. Returns whether the pool is bought up, and the order gone.
    """
    state, asset_id, pool = ctx.state, bitasset.asset_id, pool_of(bitasset)
    is_bought_up = covered == pool.debt
    if is_bought_up:
        given = pool.fund
    elif order.for_sale != pool.fund:
        given = covered * pool.fund // pool.debt
    else:
        given = receives
    fee = given - receives
    assert fee >= 0, (order, given, receives)
    adjust_supply(state, asset_id, -covered)
    if fee:
        figures = state.asset_dynamic_data.edit(state.figures_of(asset_id))
        figures.accumulated_collateral_fees += fee
    backing = order.sells
    ctx.emit(
        FillOrder(
            fee=AssetAmount(fee, backing),
            order_id=object_id(LimitOrderId, order.id),
            account_id=order.seller,
            pays=AssetAmount(given, backing),
            receives=AssetAmount(covered, asset_id),
            fill_price=price,
            is_maker=is_maker,
        )
    )
    bitasset = state.bitassets.edit(bitasset)
    bitasset.individual_settlement_debt -= covered
    bitasset.individual_settlement_fund -= given
    if is_bought_up:
        state.limit_orders.remove(order)
    else:
        _offer(ctx, bitasset, order, order.sell_price)
    return is_bought_up
