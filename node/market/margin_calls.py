"""Margin calls of one BitAsset at the block boundary (R4, S, BK2).

The least collateralised position is the taker, the highest bid the maker, and the bid's price the
price, until the position is not called any more. Where no bid will do, settlement requests may take
its place (SM3); a position that cannot pay is answered by the BitAsset's response (R6, BS).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from node.market.black_swan import is_black_swan, settle_globally
from node.market.cover import max_cover
from node.market.current_feed import CAPPED, refresh_current_feed
from node.market.matching import CallMatch, RequestMatch, RequestPrices, match_call, match_request
from node.market.order_book import fill_limit_order
from node.market.positions import fill_position
from node.market.pricing import (
    CallTerms,
    call_terms,
    compare_collateralization,
    debt_per_collateral,
    is_above,
)
from node.market.settled_debt import individually_settle, reprice_settled_debt
from node.market.settled_debt_bids import sell_settled_debt
from node.market.settlement import cancel_settlement, fill_settlement
from node.state.context import Context
from node.state.events import MarginCallEvent, MarketRunAbandonedEvent
from node.state.objects.assets import BitassetData
from node.state.objects.governance import TRIGGER_FEED
from node.state.objects.market import CallOrder, ForceSettlement, LimitOrder
from protocol.asset import AssetAmount, Price
from protocol.constants import HUNDRED_PERCENT, RATIO_DENOMINATOR
from protocol.errors import PriceOverflow
from protocol.operations.bitasset_options import BlackSwanResponse
from protocol.schema import Record


def run_asset(ctx: Context, bitasset: BitassetData) -> None:
    """Margin calls of a BitAsset, and its black swan, until neither applies (R4.1-R4.9, BK2).

    An overflow abandons the run for this block and takes the fill at hand back (R4.13). An undo
    session must be open.
    """
    is_reprice_due = bitasset.is_reprice_due
    if is_reprice_due:
        ctx.state.bitassets.edit(bitasset).is_reprice_due = False
    if not bitasset.has_margin_calls():
        return
    refresh_current_feed(ctx, bitasset)
    if is_reprice_due:
        reprice_settled_debt(ctx, bitasset)
    try:
        _call_all(ctx, bitasset)
    except PriceOverflow as error:
        ctx.events.append(MarketRunAbandonedEvent(bitasset.asset_id, str(error)))
    sell_settled_debt(ctx, bitasset)


def _call_all(ctx: Context, bitasset: BitassetData) -> None:
    state, asset_id = ctx.state, bitasset.asset_id
    bids = (asset_id, bitasset.options.short_backing_asset)
    terms = call_terms(bitasset)
    while (position := state.positions.first(asset_id)) is not None:
        bid = state.book.first(bids)
        request = state.settlements.first(asset_id) if state.chain.settle_match else None
        turn = next_call(
            state.chain.margin_call_trigger,
            terms,
            position,
            None if bid is None else Offer(bid.sell_price, bid.for_sale),
            None if request is None else request.balance.amount,
        )
        if turn is Ending.BLACK_SWAN:
            if terms.response is BlackSwanResponse.GLOBAL_SETTLEMENT:
                settle_globally(ctx, bitasset)
                return
            individually_settle(ctx, bitasset, position, terms)
        elif isinstance(turn, CallMatch) and bid is not None:
            _fill(ctx, terms, position, bid, turn)
        elif isinstance(turn, RequestMatch) and request is not None:
            _fill_request(ctx, terms, position, request, turn)
        else:
            return
        if terms.response in CAPPED:
            refresh_current_feed(ctx, bitasset)
            terms = call_terms(bitasset)


class Ending(Enum):
    """Why the margin calls of a BitAsset go no further."""

    BLACK_SWAN = "black_swan"
    """The BitAsset is settled as a whole (R6.1), or the position alone (BS5)."""
    NO_BID = "no_bid"
    NOT_CALLED = "not_called"
    """The highest bid does not meet the least collateralised position (R4.2, R4.3)."""
    CANNOT_PAY = "cannot_pay"
    """Rounding makes the position unable to pay the bid (R4.9)."""


class Offer(Record):
    """The highest bid, as far as a call depends on it."""

    price: Price
    for_sale: int


def next_call(
    trigger: int,
    terms: CallTerms,
    position: CallOrder,
    offer: Offer | None,
    requested: int | None = None,
) -> CallMatch | RequestMatch | Ending:
    """What becomes of the least collateralised position and the highest bid (R4.2-R4.6, R4.9).

    Bids come first, then `requested`: what the first settlement request asks for, if calls may take
    one; while one waits nothing is a black swan (SM3, BS4). Raises `PriceOverflow`.
    """
    pays_price = None if offer is None else terms.pays_price(offer.price)
    if requested is None and is_black_swan(terms, position, pays_price):
        return Ending.BLACK_SWAN
    ending = Ending.NO_BID
    if offer is not None and pays_price is not None:
        ending = Ending.NOT_CALLED
        if is_acceptable(trigger, terms, offer.price):
            if not is_within_reach(trigger, terms, position, offer.price):
                return ending
            cover = debt_to_cover(terms, position, offer.price, pays_price)
            match = match_call(
                position.debt, position.collateral, offer.for_sale, cover, offer.price, pays_price
            )
            if match is not None:
                return match
            ending = Ending.CANNOT_PAY
    if requested is None or not is_at_maintenance(terms, position):
        return ending
    return _meet_request(terms, position, requested)


def _meet_request(terms: CallTerms, position: CallOrder, requested: int) -> RequestMatch:
    own_price = debt_per_collateral(position)
    prices = RequestPrices(
        terms.squeeze_protection_price,
        terms.order_price,
        own_price,
        terms.receives_price(own_price),
    )
    cover = debt_to_cover(terms, position, terms.order_price, prices.pays)
    return match_request(position.debt, position.collateral, requested, cover, prices)


def is_called(trigger: int, terms: CallTerms, position: CallOrder, bid: Price) -> bool:
    """Whether the highest bid meets the least collateralised position (R4.2).

    By the bid: SQP < bid < call price, strictly, MCOP in the place of SQP. By the feed: the
    position is at or below the MCR, and the bid at or above MCOP.
    """
    return is_within_reach(trigger, terms, position, bid) and is_acceptable(trigger, terms, bid)


def is_acceptable(trigger: int, terms: CallTerms, bid: Price) -> bool:
    """Whether a bid is not too low for a margin call: above MCOP, by the feed also at it (R4.2)."""
    if trigger == TRIGGER_FEED:
        return not is_above(terms.order_price, bid)
    return is_above(bid, terms.order_price)


def is_within_reach(trigger: int, terms: CallTerms, position: CallOrder, bid: Price) -> bool:
    """Whether a position is low enough to be called (R4.2).

    By the bid: the bid is below its call price. By the feed: it is at or below the MCR, whatever
    the bid.
    """
    if trigger == TRIGGER_FEED:
        return is_at_maintenance(terms, position)
    debt = position.debt * terms.maintenance_ratio * bid.quote.amount
    collateral = position.collateral * RATIO_DENOMINATOR * bid.base.amount
    return collateral < debt


def feed_change_to_reach(trigger: int, terms: CallTerms, position: CallOrder) -> int:
    """By how much the settlement price has to move, in hundredths of a percent rounded down, until
    margin calls can reach a position (R4.2); not below 0 from there on.

    By the bid: until MCOP, which moves with it, is at the call price, so that a bid may come to lie
    between the two. By the feed: until the position is at the MCR.
    """
    moves = terms.settlement_price if trigger == TRIGGER_FEED else terms.order_price
    debt = position.debt * terms.maintenance_ratio * moves.quote.amount
    collateral = position.collateral * RATIO_DENOMINATOR * moves.base.amount
    return (debt - collateral) * HUNDRED_PERCENT // collateral


def is_at_maintenance(terms: CallTerms, position: CallOrder) -> bool:
    """Whether a position is at or below the MCR at the median feed (R1.9)."""
    limit = terms.maintenance_collateralization
    return compare_collateralization(position.collateral, position.debt, limit) <= 0


def debt_to_cover(terms: CallTerms, position: CallOrder, bid: Price, pays_price: Price) -> int:
    """Debt that a called position wants covered: all, or what lifts it to its target (R4.6).

    The target is measured at the median feed, or at the bid when only the bid calls the position.
    """
    target = position.target_collateral_ratio
    if target is None:
        return position.debt
    reference = terms.settlement_price if is_at_maintenance(terms, position) else bid
    ratio = max(target, terms.maintenance_ratio)
    return max_cover(position.debt, position.collateral, ratio, reference, pays_price)


@contextmanager
def _one_fill(ctx: Context) -> Iterator[None]:
    """What an overflow takes back, records included (R4.13)."""
    log, emitted, virtual_op = ctx.state.log, len(ctx.applied), ctx.virtual_op
    log.begin()
    try:
        yield
    except PriceOverflow:
        log.undo()
        del ctx.applied[emitted:]
        ctx.virtual_op = virtual_op
        raise
    log.merge()


def _fill(
    ctx: Context, terms: CallTerms, position: CallOrder, bid: LimitOrder, match: CallMatch
) -> None:
    """Trade a called position with a bid: first the position's record, then the order's (R4.7)."""
    price, covered, pays = bid.sell_price, match.debt_covered, match.position_pays
    event = _event_of(terms, position, match, bid, price)
    with _one_fill(ctx):
        fill_position(ctx, position, pays, covered, price, fee=match.fee, is_maker=False)
        paid = AssetAmount(covered, bid.sells)
        received = AssetAmount(match.order_receives, bid.receives)
        fill_limit_order(ctx, bid, paid, received, price, is_maker=True, cull=True)
    ctx.events.append(event)


def _fill_request(
    ctx: Context,
    terms: CallTerms,
    position: CallOrder,
    request: ForceSettlement,
    match: RequestMatch,
) -> None:
    """Trade a called position with a request, or cancel one that buys nothing (SM4, SM5).

    A request that the block itself has made is the taker, an older one the maker (SM6).
    """
    covered, price = match.debt_covered, match.price
    is_new = request.id in ctx.requests_made
    if covered == 0:
        cancel_settlement(ctx, request)
        return
    event = _event_of(terms, position, match, request, price)
    with _one_fill(ctx):
        fill_position(
            ctx, position, match.position_pays, covered, price, fee=match.fee, is_maker=is_new
        )
        fill_settlement(ctx, request, covered, match.settler_receives, price, is_maker=not is_new)
        if match.is_request_dust:
            cancel_settlement(ctx, request)
    ctx.events.append(event)


def _event_of(
    terms: CallTerms,
    position: CallOrder,
    match: CallMatch | RequestMatch,
    other: LimitOrder | ForceSettlement,
    price: Price,
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
        bid=other.id if isinstance(other, LimitOrder) else None,
        bidder=other.seller if isinstance(other, LimitOrder) else other.owner,
        bid_price=price,
        debt_covered=AssetAmount(match.debt_covered, debt_asset),
        collateral_paid=AssetAmount(match.position_pays, backing),
        margin_call_fee=AssetAmount(match.fee, backing),
        request=other.id if isinstance(other, ForceSettlement) else None,
    )
