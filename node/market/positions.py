"""What happens to a position when debt is paid: by a call or a settlement (R3.8, R4.7)."""

from __future__ import annotations

from node.state.balances import adjust_balance, adjust_core_in_orders, adjust_supply
from node.state.context import Context
from node.state.creation import create_position
from node.state.objects.market import CallOrder
from protocol.asset import AssetAmount, Price
from protocol.ids import AccountId, CallOrderId, object_id
from protocol.operations.limit_order import FillOrder


def fill_position(
    ctx: Context,
    position: CallOrder,
    pays: int,
    covered: int,
    price: Price,
    *,
    fee: int,
    is_maker: bool,
    destroys_debt: bool = True,
) -> None:
    """Take `pays` of the collateral, `fee` included, for `covered` of the debt (R4.7).

    The covered debt is destroyed, except in a global settlement (R6.2). The fee joins the
    BitAsset's accumulated collateral fees. A position without debt returns what collateral is
    left and is gone; one that stays keeps its id and target.
    """
    state, borrower = ctx.state, position.borrower
    debt_asset, backing = position.debt_asset, position.collateral_asset
    remaining = position.collateral - pays
    is_closed = covered == position.debt
    assert remaining >= 0 < covered <= position.debt, (position, pays, covered)
    if destroys_debt:
        adjust_supply(state, debt_asset, -covered)
    if fee:
        figures = state.asset_dynamic_data.edit(state.figures_of(debt_asset))
        figures.accumulated_collateral_fees += fee
    released = pays + remaining if is_closed else pays
    adjust_core_in_orders(state, borrower, backing, -released)
    if is_closed:
        adjust_balance(state, borrower, backing, remaining)
        state.call_orders.remove(position)
    else:
        assert remaining > 0, position
        position = state.call_orders.edit(position)
        position.debt -= covered
        position.collateral = remaining
    ctx.emit(
        FillOrder(
            fee=AssetAmount(fee, backing),
            order_id=object_id(CallOrderId, position.id),
            account_id=borrower,
            pays=AssetAmount(pays, backing),
            receives=AssetAmount(covered, debt_asset),
            fill_price=price,
            is_maker=is_maker,
        )
    )


def open_position(
    ctx: Context, borrower: AccountId, debt: AssetAmount, collateral: AssetAmount
) -> CallOrder:
    """A new position whose collateral comes from a settlement fund or a bid (R6.6, R6.7)."""
    adjust_core_in_orders(ctx.state, borrower, collateral.asset_id, collateral.amount)
    return create_position(ctx.state, borrower, debt, collateral)
