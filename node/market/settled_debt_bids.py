"""The order of a pool meets the bids that rest (BS8)."""

from __future__ import annotations

from node.market.order_book import crosses, fill_limit_order
from node.market.pricing import worth_ceil, worth_floor
from node.market.settled_debt import find_settled_debt_order, give_from_pool
from node.state.context import Context
from node.state.objects.assets import BitassetData
from protocol.asset import AssetAmount


def sell_settled_debt(ctx: Context, bitasset: BitassetData) -> None:
    """Sell a pool to the bids that meet the price of its order, each at its own (BS8, BK3).

    Best bid first, until the pool is bought up or a bid does not meet the price. Nothing overflows:
    no bid is paid more than it asked for.
    """
    state = ctx.state
    order = find_settled_debt_order(state, bitasset.asset_id)
    is_over = order is None
    while not is_over and order is not None:
        bid = state.book.first((order.receives, order.sells))
        if bid is None or not crosses(order.sell_price, bid.sell_price):
            return
        price, debt = bid.sell_price, bitasset.individual_settlement_debt
        if debt > bid.for_sale:
            receives = worth_floor(bid.for_sale, price.quote, price.base)
            covered = worth_ceil(receives, price.base, price.quote)
        else:
            covered = debt
            receives = worth_ceil(debt, price.quote, price.base)
        is_over = give_from_pool(ctx, bitasset, order, covered, receives, price, is_maker=False)
        paid, received = AssetAmount(covered, bid.sells), AssetAmount(receives, bid.receives)
        is_bid_gone = fill_limit_order(ctx, bid, paid, received, price, is_maker=True, cull=True)
        is_over |= not is_bid_gone
