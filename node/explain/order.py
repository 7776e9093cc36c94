"""Explains what rests: orders of the book, settlement requests, collateral bids (R2.3-R6.6)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from node.explain.records import OrderExplanation, Statement
from node.explain.wording import Wording, statement
from node.market.margin_calls import is_called
from node.market.pricing import call_price, call_terms, forced_settlement_price
from node.market.take_profit import target_price
from node.state.database import State
from node.state.objects.market import CollateralBid, ForceSettlement, LimitOrder
from protocol.asset import AssetAmount
from protocol.constants import HUNDRED_PERCENT
from protocol.ids import CollateralBidId, ForceSettlementId, LimitOrderId, object_id, order_text
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
    unit = words.unit(order.sell_price)
    if not is_called(trigger, terms, worst, order.sell_price):
        text = (
            f"No margin call takes it: the least collateralised position has a call price of"
            f" {words.price(call_price(worst, terms.maintenance_ratio))}, and a call takes no bid"
            f" worse than {words.price(terms.order_price)} {unit}"
        )
    elif place:
        text = "It could call the least collateralised position, but only the highest bid decides"
    else:
        text = "It calls the least collateralised position at the end of the next block"
    yield statement("R4.2", text)


def explain_settlement(state: State, words: Wording, request: ForceSettlement) -> OrderExplanation:
    """A settlement request: when it is due, what is before it, at which price."""
    asset_id = request.balance.asset_id
    place = state.settlements.place_of(asset_id, request)
    items = islice(state.settlements.items(asset_id), min(place, AHEAD_MAX))
    before = AssetAmount(sum(one.balance.amount for one in items), asset_id)
    return OrderExplanation(
        id=object_id(ForceSettlementId, request.id),
        owner=request.owner,
        amount=request.balance,
        before=place,
        amount_before=before,
        statements=tuple(_settlement_statements(state, words, request, before)),
    )


def _settlement_statements(
    state: State, words: Wording, request: ForceSettlement, before: AssetAmount
) -> Iterator[Statement]:
    bitasset = state.bitasset_of(request.balance.asset_id)
    assert bitasset is not None, request
    due, amount = format_time(request.settlement_date), words.amount(request.balance)
    text = f"{words.account(request.owner)} settles {amount}, due at {due}"
    yield statement("R5.2", text)
    if bitasset.is_globally_settled():
        yield statement("R5.8", "The asset is globally settled: the request is cancelled")
        return
    offset = bitasset.options.force_settlement_offset_percent
    if not bitasset.has_feed() or offset == HUNDRED_PERCENT:
        yield statement("R5.4", "It is cancelled once it is due: nothing says at which price")
        return
    supply = state.figures_of(bitasset.asset_id).current_supply
    volume = bitasset.max_settlement_volume(supply) - bitasset.force_settled_volume
    left = words.amount(AssetAmount(max(volume, 0), bitasset.asset_id))
    text = (
        f"Older requests ask for {words.amount(before)}; {left} may be settled before the"
        f" maintenance at {format_time(state.dynamic.next_maintenance_time)}"
    )
    yield statement("R5.4", text)
    price = forced_settlement_price(bitasset.current_feed.settlement_price, offset)
    text = (
        f"At the present feed it is paid at {words.price(price)} {words.unit(price)}, by the least"
        " collateralised positions"
    )
    yield statement("R5.5", text)


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
