"""Who is called next in a BitAsset, and what that waits for (R4.2, R4.3)."""

from __future__ import annotations

from node.explain.records import Statement
from node.explain.wording import Wording, statement
from node.market.pricing import call_price, call_terms, is_above
from node.state.database import State
from node.state.objects.assets import BitassetData
from node.state.objects.governance import TRIGGER_FEED
from protocol.ids import position_text


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
    calls_at = call_price(worst, terms.maintenance_ratio)
    at, least, unit = words.price(calls_at), words.price(terms.order_price), words.unit(calls_at)
    text = f"next to be called is {words.account(worst.borrower)} ({position_text(worst.id)}), "
    bid = state.book.first((asset_id, bitasset.options.short_backing_asset))
    now = "there is no bid" if bid is None else f"now it is {words.price(bid.sell_price)}"
    if state.chain.margin_call_trigger == TRIGGER_FEED:
        text += (
            f"once the feed is at or below {at} and the highest bid at or above {least} {unit};"
            f" {now}"
        )
    elif is_above(calls_at, terms.order_price):
        text += f"once the highest bid is above {least} and below {at} {unit}; {now}"
    else:
        text += (
            f"but by no bid yet: its call price {at} is not above {least} {unit}, the worst that a"
            " call pays at this feed"
        )
    return statement("R4.2", text)
