"""Who is called next in a BitAsset, and what that waits for (R4.2, R4.3, SM3)."""

from __future__ import annotations

from msgspec.structs import replace

from node.explain.records import Statement
from node.explain.wording import Wording, statement
from node.market.margin_calls import Ending, Offer, next_call
from node.market.matching import CallMatch, RequestMatch
from node.market.pricing import (
    CallTerms,
    call_price,
    call_terms,
    call_terms_at,
    current_settlement_price,
    is_above,
    pool_of,
)
from node.state.database import State
from node.state.objects.assets import BitassetData
from node.state.objects.governance import TRIGGER_FEED
from node.state.objects.market import CallOrder, LimitOrder
from protocol.asset import AssetAmount, Price
from protocol.errors import PriceOverflow
from protocol.ids import AssetId, ForceSettlementId, object_id, position_text
from protocol.operations.bitasset_options import BlackSwanResponse


def explain_next_call(state: State, words: Wording, bitasset: BitassetData) -> Statement | None:
    """The least collateralised position and what would call it; None where nothing can be called.

    Of a globally settled BitAsset, why nothing can be (R6.4).
    """
    asset_id = bitasset.asset_id
    if bitasset.is_globally_settled():
        settled = bitasset.settlement_price
        return statement(
            "R6.4",
            f"{words.symbol(asset_id)} is globally settled: it has no positions, and its units are"
            f" redeemed at {words.price(settled)} {words.unit(settled)}",
        )
    worst = state.positions.first(asset_id)
    if worst is None or not bitasset.has_margin_calls():
        return None
    terms = call_terms(bitasset)
    bid = state.book.first((asset_id, bitasset.options.short_backing_asset))
    requested = waiting_request(state, asset_id)
    offer = None if bid is None else Offer(bid.sell_price, bid.for_sale)
    try:
        turn = next_call(state.chain.margin_call_trigger, terms, worst, offer, requested)
    except PriceOverflow:
        turn = None
    name = f"{words.account(worst.borrower)} ({position_text(worst.id)})"
    if turn is Ending.BLACK_SWAN:
        rule, text = swan_text(terms, words.symbol(asset_id))
        return statement(rule, f"{name} is the least collateralised: {text[0].lower()}{text[1:]}")
    if isinstance(turn, CallMatch | RequestMatch) and turn.debt_covered:
        return _at_next_block(state, words, worst, name, turn)
    is_by_feed = state.chain.margin_call_trigger == TRIGGER_FEED
    text = f"next to be called is {name}, {_waits_for(words, terms, worst, bid, is_by_feed)}"
    if requested is None:
        return statement("R4.2", text)
    calls_at = call_price(worst, terms.maintenance_ratio)
    at = words.price(calls_at)
    text += f"; once the feed is at or below {at} a settlement request that waits has it called"
    if is_by_feed:
        return statement("SM3", f"{text} where no bid will do")
    least = _order_price_at(bitasset, worst, calls_at)
    kept_by = f"at or above {at}" if is_above(calls_at, least) else f"above {words.price(least)}"
    return statement("SM3", f"{text}, unless a bid is {kept_by}")


def _order_price_at(bitasset: BitassetData, worst: CallOrder, price: Price) -> Price:
    """MCOP if the median settlement price were another one (R1.8, BS3)."""
    options, median = bitasset.options.extensions, bitasset.median_feed
    median = replace(median, settlement_price=price)
    current = current_settlement_price(median, options, pool_of(bitasset), worst)
    return call_terms_at(median, replace(median, settlement_price=current), options).order_price


def waiting_request(state: State, asset_id: AssetId) -> int | None:
    """What the first settlement request asks for that calls may take; None for none (SM1)."""
    request = state.settlements.first(asset_id) if state.chain.settle_match else None
    return None if request is None else request.balance.amount


def swan_text(terms: CallTerms, symbol: str) -> tuple[str, str]:
    """The rule and the sentence of a position that can pay neither at the SQP nor at the bid."""
    text = "It can pay neither at the SQP nor at the highest bid: at the end of the next block"
    if terms.response is BlackSwanResponse.GLOBAL_SETTLEMENT:
        return "R6.1", f"{text} all {symbol} is settled"
    return "BS4", f"{text} it is settled alone"


def _at_next_block(
    state: State, words: Wording, worst: CallOrder, name: str, turn: CallMatch | RequestMatch
) -> Statement:
    covered = words.amount(AssetAmount(turn.debt_covered, worst.debt_asset))
    pays = words.amount(AssetAmount(turn.position_pays, worst.collateral_asset))
    text = f"{name} is called at the end of the next block: {pays} for {covered}"
    if isinstance(turn, CallMatch):
        return statement("R4.2", f"{text}, by the highest bid")
    request = state.settlements.first(worst.debt_asset)
    assert request is not None
    by = object_id(ForceSettlementId, request.id)
    return statement("SM3", f"{text}, by the settlement request {by}, as no bid will do")


def _waits_for(
    words: Wording, terms: CallTerms, worst: CallOrder, bid: LimitOrder | None, is_by_feed: bool
) -> str:
    """Which feed and which bid the least collateralised position is called by (R4.2)."""
    calls_at: Price = call_price(worst, terms.maintenance_ratio)
    at, least, unit = words.price(calls_at), words.price(terms.order_price), words.unit(calls_at)
    now = "there is no bid" if bid is None else f"now it is {words.price(bid.sell_price)}"
    if is_by_feed:
        return (
            f"once the feed is at or below {at} and the highest bid at or above {least} {unit};"
            f" {now}"
        )
    if is_above(calls_at, terms.order_price):
        return f"once the highest bid is above {least} and below {at} {unit}; {now}"
    return (
        f"but by no bid yet: its call price {at} is not above {least} {unit}, the worst that a"
        " call pays at this feed"
    )
