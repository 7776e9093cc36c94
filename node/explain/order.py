"""Explains what rests: orders of the book, collateral bids (R2.3-R6.6, BS2-BS7)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from node.explain.next_call import swan_text, waiting_request
from node.explain.records import OrderExplanation, Statement
from node.explain.wording import Wording, statement
from node.market.margin_calls import Ending, Offer, next_call
from node.market.matching import CallMatch
from node.market.pricing import call_price, call_terms, pool_of
from node.market.settled_debt import price_at_feed
from node.market.take_profit import target_price
from node.state.database import State
from node.state.objects.market import CollateralBid, LimitOrder
from protocol.asset import AssetAmount
from protocol.errors import PriceOverflow
from protocol.ids import CollateralBidId, LimitOrderId, object_id, order_text
from protocol.json_form import format_time
from protocol.operations.limit_order import CreateTakeProfitOrder
from protocol.schema import MAX_TIMESTAMP
from protocol.wording import count_of, format_decimal

AHEAD_MAX = 5_000
"""Orders, requests or bids before one that are added up."""


def explain_order(state: State, words: Wording, order: LimitOrder) -> OrderExplanation:
    """An order of the book: what stands before it, and why it rests."""
    market = (order.sells, order.receives)
    place = state.book.place_of(market, order)
    before = sum(one.for_sale for one in islice(state.book.items(market), min(place, AHEAD_MAX)))
    return OrderExplanation(
        id=object_id(LimitOrderId, order.id),
        owner=order.seller,
        amount=AssetAmount(order.for_sale, order.sells),
        before=place,
        amount_before=AssetAmount(before, order.sells),
        statements=tuple(_order_statements(state, words, order, place)),
    )


def _order_statements(
    state: State, words: Wording, order: LimitOrder, place: int
) -> Iterator[Statement]:
    price, name = order.sell_price, words.account(order.seller)
    amount = words.amount(AssetAmount(order.for_sale, order.sells))
    text = (
        f"{name} offers {amount} at {words.price(price)} {words.unit(price)}, behind"
        f" {count_of(place, 'order')}: what asks least is matched first"
    )
    yield statement("R2.3", text)
    best = state.book.first((order.receives, order.sells))
    if best is None:
        text = "It rests: nobody offers what it asks for"
    else:
        text = (
            f"It rests: the best offer against it is at {words.price(best.sell_price.inverse())}"
            f" {words.unit(price)}, which does not meet its price"
        )
    yield statement("R2.4", text)
    yield from _as_pool(state, words, order)
    if order.expiration < MAX_TIMESTAMP:
        text = f"It is cancelled and refunded at {format_time(order.expiration)}"
        yield statement("R2.10", text)
    for action in order.on_fill:
        yield statement("T4", _action_text(words, order, action))
    yield from _as_bid(state, words, order, place)


def _action_text(words: Wording, order: LimitOrder, action: CreateTakeProfitOrder) -> str:
    """What a fill causes, at which price, and the order that it adds to."""
    price = target_price(order, action)
    size, spread = (
        format_decimal(percent, 2) for percent in (action.size_percent, action.spread_percent)
    )
    text = (
        f"Of what a fill brings {size} % are offered again at {words.price(price)}"
        f" {words.unit(price)}, {spread} % dearer"
    )
    if order.take_profit_order_id is not None:
        text += f"; {order_text(order.take_profit_order_id)} is raised by it"
    return text


def _as_pool(state: State, words: Wording, order: LimitOrder) -> Iterator[Statement]:
    """What an order means that offers the debt of positions that were settled alone."""
    bitasset = state.bitasset_of(order.receives)
    if bitasset is None or not order.is_settled_debt:
        return
    pool = pool_of(bitasset)
    debt, fund, offered, rest = map(
        words.amount,
        (
            AssetAmount(pool.debt, order.receives),
            AssetAmount(pool.fund, order.sells),
            AssetAmount(order.for_sale, order.sells),
            AssetAmount(pool.fund - order.for_sale, order.sells),
        ),
    )
    text = (
        f"It is the pool of {debt} that positions which were settled alone have left, with {fund}:"
        " nobody owns it, and it does not expire"
    )
    yield statement("BS2", text)
    if bitasset.has_feed():
        price = price_at_feed(bitasset)
        text = (
            "Its price is set anew in each block with a published feed: as feeds are to"
            f" {words.price(price)} {words.unit(price)}"
        )
        yield statement("BS6", text)
    text = f"Whoever pays {debt} gets all of {offered}, and {debt} are destroyed"
    if pool.fund > order.for_sale:
        text += f"; {rest} that the fund has beyond are a fee"
    yield statement("BS7", text)


def _as_bid(state: State, words: Wording, order: LimitOrder, place: int) -> Iterator[Statement]:
    """What an order means for margin calls, where it sells a BitAsset for its backing."""
    bitasset = state.bitasset_of(order.sells)
    if (
        bitasset is None
        or bitasset.options.short_backing_asset != order.receives
        or not bitasset.has_margin_calls()
    ):
        return
    worst = state.positions.first(order.sells)
    if worst is None:
        return
    terms, trigger = call_terms(bitasset), state.chain.margin_call_trigger
    requested = waiting_request(state, order.sells)
    try:
        turn = next_call(trigger, terms, worst, Offer(order.sell_price, order.for_sale), requested)
    except PriceOverflow:
        turn = None
    if isinstance(turn, CallMatch) and place:
        text = "It could call the least collateralised position, but only the highest bid decides"
    elif isinstance(turn, CallMatch):
        text = "It calls the least collateralised position at the end of the next block"
    elif turn is Ending.BLACK_SWAN and not place:
        yield statement(*swan_text(terms, words.symbol(order.sells)))
        return
    else:
        text = (
            f"No margin call takes it: the least collateralised position has a call price of"
            f" {words.price(call_price(worst, terms.maintenance_ratio))}, and a call takes no bid"
            f" worse than {words.price(terms.order_price)} {words.unit(order.sell_price)}"
        )
    yield statement("R4.2", text)


def explain_bid(state: State, words: Wording, bid: CollateralBid) -> OrderExplanation:
    """A collateral bid: what is before it, and what a revival waits for."""
    asset_id = bid.debt_covered.asset_id
    place = state.bids.place_of(asset_id, bid)
    all_bids = list(islice(state.bids.items(asset_id), AHEAD_MAX))
    before = sum(one.debt_covered.amount for one in all_bids[:place])
    covered = AssetAmount(sum(one.debt_covered.amount for one in all_bids), asset_id)
    supply = AssetAmount(state.figures_of(asset_id).current_supply, asset_id)
    added = words.amount(bid.additional_collateral)
    debt = words.amount(bid.debt_covered)
    return OrderExplanation(
        id=object_id(CollateralBidId, bid.id),
        owner=bid.bidder,
        amount=bid.debt_covered,
        before=place,
        amount_before=AssetAmount(before, asset_id),
        statements=(
            statement(
                "R6.5",
                f"{words.account(bid.bidder)} bids {added} to take over {debt} of debt, behind"
                f" {count_of(place, 'bid')}",
            ),
            statement(
                "R6.6",
                f"It waits for the maintenance at"
                f" {format_time(state.dynamic.next_maintenance_time)}: all bids take over"
                f" {words.amount(covered)} of {words.amount(supply)}",
            ),
        ),
    )
