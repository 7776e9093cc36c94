"""Margin calls of one BitAsset at the block boundary (R4).

The least collateralised position is the taker, the highest bid the maker, and the bid's price the
price, until the position is not called any more, or cannot pay and the BitAsset settles as a
whole (R6).
"""

from __future__ import annotations

from node.market.black_swan import is_black_swan, settle_globally
from node.market.cover import max_cover
from node.market.matching import CallMatch, match_call
from node.market.order_book import fill_limit_order
from node.market.positions import fill_position
from node.market.pricing import CallTerms, call_terms, compare_collateralization, is_above
from node.state.context import Context
from node.state.events import MarginCallEvent, MarketRunAbandonedEvent
from node.state.objects.assets import BitassetData
from node.state.objects.governance import TRIGGER_FEED
from node.state.objects.market import CallOrder, LimitOrder
from protocol.asset import AssetAmount, Price, PriceOverflow
from protocol.constants import RATIO_DENOMINATOR


def run_asset(ctx: Context, bitasset: BitassetData) -> None:
    """Margin calls of a BitAsset, and its black swan, until neither applies (R4.1-R4.9).

    An overflow abandons the run for this block and takes the fill at hand back (R4.13). An undo
    session must be open.
    """
    if bitasset.is_prediction_market or bitasset.is_globally_settled() or not bitasset.has_feed():
        return
    state, asset_id = ctx.state, bitasset.asset_id
    bids = (asset_id, bitasset.options.short_backing_asset)
    try:
        terms = call_terms(bitasset)
        while True:
            position = state.positions.first(asset_id)
            if position is None:
                return
            bid = state.book.first(bids)
            pays_price = None if bid is None else terms.pays_price(bid.sell_price)
            if is_black_swan(position, terms.squeeze_protection_price, pays_price):
                settle_globally(ctx, bitasset)
                return
            if bid is None or pays_price is None:
                return
            if not is_called(state.chain.margin_call_trigger, terms, position, bid.sell_price):
                return
            cover = debt_to_cover(terms, position, bid.sell_price, pays_price)
            match = match_call(
                position.debt, position.collateral, bid.for_sale, cover, bid.sell_price, pays_price
            )
            if match is None:
                return
            _fill(ctx, terms, position, bid, match)
    except PriceOverflow as error:
        ctx.events.append(MarketRunAbandonedEvent(asset_id, str(error)))


def is_called(trigger: int, terms: CallTerms, position: CallOrder, bid: Price) -> bool:
    """Whether the highest bid meets the least collateralised position (R4.2).

    By the bid: SQP < bid < call price, strictly, MCOP in the place of SQP. By the feed: the
    position is at or below the MCR, and the bid at or above MCOP.
    """
    if trigger == TRIGGER_FEED:
        limit = terms.maintenance_collateralization
        if compare_collateralization(position.collateral, position.debt, limit) > 0:
            return False
        return not is_above(terms.order_price, bid)
    debt = position.debt * terms.maintenance_ratio * bid.quote.amount
    collateral = position.collateral * RATIO_DENOMINATOR * bid.base.amount
    return collateral < debt and is_above(bid, terms.order_price)


def debt_to_cover(terms: CallTerms, position: CallOrder, bid: Price, pays_price: Price) -> int:
    """Debt that a called position wants covered: all, or what lifts it to its target (R4.6).

    The target is measured at the median feed, or at the bid when only the bid calls the position.
    """
    target = position.target_collateral_ratio
    if target is None:
        return position.debt
    limit = terms.maintenance_collateralization
    is_below = compare_collateralization(position.collateral, position.debt, limit) <= 0
    reference = terms.settlement_price if is_below else bid
    ratio = max(target, terms.maintenance_ratio)
    return max_cover(position.debt, position.collateral, ratio, reference, pays_price)


def _fill(
    ctx: Context, terms: CallTerms, position: CallOrder, bid: LimitOrder, match: CallMatch
) -> None:
    """Trade a called position with a bid: first the position's record, then the order's (R4.7)."""
    log, price = ctx.state.log, bid.sell_price
    event = _event_of(terms, position, bid, match)
    emitted, virtual_op = len(ctx.applied), ctx.virtual_op
    log.begin()
    try:
        fill_position(
            ctx,
            position,
            match.position_pays,
            match.debt_covered,
            price,
            fee=match.fee,
            is_maker=False,
        )
        fill_limit_order(
            ctx, bid, match.debt_covered, match.order_receives, price, is_maker=True, cull=True
        )
    except PriceOverflow:
        log.undo()
        del ctx.applied[emitted:]
        ctx.virtual_op = virtual_op
        raise
    log.merge()
    ctx.events.append(event)


def _event_of(
    terms: CallTerms, position: CallOrder, bid: LimitOrder, match: CallMatch
) -> MarginCallEvent:
    """Why and how a position is about to be called, for those who ask later."""
    debt_asset, backing = position.debt_asset, position.collateral_asset
    return MarginCallEvent(
        position=position.id,
        account=position.borrower,
        debt_before=AssetAmount(position.debt, debt_asset),
        collateral_before=AssetAmount(position.collateral, backing),
        settlement_price=terms.settlement_price,
        maintenance_collateral_ratio=terms.maintenance_ratio,
        margin_call_order_price=terms.order_price,
        bid=bid.id,
        bidder=bid.seller,
        bid_price=bid.sell_price,
        debt_covered=AssetAmount(match.debt_covered, debt_asset),
        collateral_paid=AssetAmount(match.position_pays, backing),
        margin_call_fee=AssetAmount(match.fee, backing),
    )
