"""Buying assets back at maintenance, for all that buyback accounts hold (Y2.3)."""

from __future__ import annotations

from contextlib import suppress

from node.state.context import Context
from node.state.errors import TransactionRejected
from protocol.asset import NO_FEE, AssetAmount
from protocol.errors import PriceOverflow
from protocol.ids import AccountId, AssetId
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.schema import MAX_TIMESTAMP


def buy_back(ctx: Context) -> None:
    """Sell all that each buyback account holds for the asset that it buys, by ascending ids (Y2.3).

    Margin calls wait for the market's turn, later in the same block.
    """
    state = ctx.state
    for buyback in state.buybacks.in_order():
        wanted = state.assets.get(buyback.asset_to_buy)
        assert wanted.buyback_account is not None, wanted
        account = state.accounts.get(wanted.buyback_account)
        for balance in state.balances_of_account.items(account.id):
            asset, allowed = balance.asset_type, account.allowed_assets or ()
            if balance.balance and asset != wanted.id and asset in allowed:
                _sell(ctx, account.id, AssetAmount(balance.balance, asset), wanted.id)


def _sell(ctx: Context, account: AccountId, sold: AssetAmount, wanted: AssetId) -> None:
    """At any price, at once; what is left is taken back. What the lists refuse is passed over."""
    orders = ctx.state.limit_orders
    order = orders.next_id
    bid = LimitOrderCreate(
        NO_FEE, account, sold, AssetAmount(1, wanted), MAX_TIMESTAMP, fill_or_kill=False
    )
    with suppress(TransactionRejected, PriceOverflow), ctx.session():
        ctx.run_operation(ctx, bid)
        if orders.find(order) is not None:
            ctx.run_operation(ctx, LimitOrderCancel(NO_FEE, account, order))
