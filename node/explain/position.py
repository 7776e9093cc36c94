"""Explains a position: called or not and why, what would call it, what it would pay (R4.2-R6.2)."""

from __future__ import annotations

from collections.abc import Generator

from msgspec.structs import replace

from node.explain.cut import REQUESTS_MAX, Cut, Run, cut_of, outcome_of
from node.explain.position_words import bare_statements, position_statements
from node.explain.records import (
    ASSET_SETTLED,
    NO_FEED,
    NO_POSITION,
    NOT_CALLED,
    PREDICTION_MARKET,
    BidThreshold,
    Outcome,
    PositionExplanation,
    PriceLine,
)
from node.explain.settlement import settlement_cut, settlement_outcome
from node.explain.thresholds import FeedSearch, status_of
from node.explain.wording import Wording
from node.market.margin_calls import (
    Ending,
    Offer,
    debt_to_cover,
    is_acceptable,
    is_at_maintenance,
    is_within_reach,
)
from node.market.matching import RequestMatch, match_call
from node.market.pricing import call_price, collateral_ratio, is_above
from node.state.database import State
from node.state.objects.accounts import Account
from node.state.objects.assets import Asset, BitassetData
from node.state.objects.governance import TRIGGER_FEED, TRIGGER_NAMES
from node.state.objects.market import CallOrder
from protocol.asset import AssetAmount
from protocol.errors import PriceOverflow

Steps = Generator[None, None, PositionExplanation]
"""Work that gives way to others at every yield; it is about the moment at which it began."""


def explain_position(
    state: State, wording: Wording, account: Account, asset: Asset, bitasset: BitassetData
) -> Steps:
    """Explain the position of an account in a BitAsset, with pending transactions applied (B8)."""
    position = state.positions_of_account.find(account.id, asset.id)
    bare = _bare(state, account, bitasset, position)
    if position is None or not bitasset.has_margin_calls():
        return replace(bare, statements=tuple(bare_statements(bare, wording)))
    cut, settlements = cut_of(state, bitasset, position), settlement_cut(state, bitasset)
    search = FeedSearch(cut)
    now = Run(cut, cut.price)
    yield from search.play(now)
    status = status_of(now)
    next_feed = None if status != NOT_CALLED else (yield from search.steps())
    if_called, called_by = (
        _if_called(cut) if status == NOT_CALLED else (now.outcome(), "next_block")
    )
    answer = replace(
        bare,
        status=status,
        collateral_ratio=collateral_ratio(
            cut.subject.collateral, cut.subject.debt, cut.terms.settlement_price
        ),
        prices=_prices(cut),
        next_feed=next_feed,
        next_bid=_next_bid(cut),
        if_called=if_called,
        if_called_by=called_by,
        settlement=None if settlements is None else settlement_outcome(cut, settlements),
    )
    return replace(answer, statements=tuple(position_statements(answer, cut, now, wording)))


def _bare(
    state: State, account: Account, bitasset: BitassetData, position: CallOrder | None
) -> PositionExplanation:
    """What can be said without a feed."""
    backing = bitasset.options.short_backing_asset
    held = owed = None
    if position is not None:
        owed = AssetAmount(position.debt, position.debt_asset)
        held = AssetAmount(position.collateral, position.collateral_asset)
    return PositionExplanation(
        account=account.id,
        account_name=account.name,
        asset_id=bitasset.asset_id,
        backing_asset_id=backing,
        trigger=TRIGGER_NAMES[state.chain.margin_call_trigger],
        status=_bare_status(bitasset, position),
        statements=(),
        position=None if position is None else position.id,
        debt=owed,
        collateral=held,
        target_collateral_ratio=None if position is None else position.target_collateral_ratio,
        rank=0 if position is None else state.positions.place_of(bitasset.asset_id, position) + 1,
        position_count=state.positions.count(bitasset.asset_id),
        collateral_ratio=None,
        prices=None,
        next_feed=None,
        next_bid=None,
        if_called=None,
        if_called_by="",
        settlement=None,
        past=(),
    )


def _bare_status(bitasset: BitassetData, position: CallOrder | None) -> str:
    if bitasset.is_globally_settled():
        return ASSET_SETTLED
    if position is None:
        return NO_POSITION
    return PREDICTION_MARKET if bitasset.is_prediction_market else NO_FEED


def _prices(cut: Cut) -> PriceLine:
    terms = cut.terms
    return PriceLine(
        settlement_price=terms.settlement_price,
        squeeze_protection_price=terms.squeeze_protection_price,
        margin_call_order_price=terms.order_price,
        call_price=call_price(cut.subject, terms.maintenance_ratio),
        highest_bid=cut.bids[0].price if cut.bids else None,
    )


def _next_bid(cut: Cut) -> BidThreshold:
    terms, subject, trigger = cut.terms, cut.subject, cut.trigger
    is_by_feed = trigger == TRIGGER_FEED
    calls_at = call_price(subject, terms.maintenance_ratio)
    in_reach = [is_within_reach(trigger, terms, subject, bid.price) for bid in cut.bids]
    in_the_way = [
        bid.for_sale for bid, is_near in zip(cut.bids, in_reach, strict=True) if not is_near
    ]
    waiting = [bid.for_sale for bid in _bids_that_call(cut)]
    return BidThreshold(
        above=terms.order_price,
        below=None if is_by_feed else calls_at,
        is_possible=is_at_maintenance(terms, subject)
        if is_by_feed
        else is_above(calls_at, terms.order_price),
        bids_in_the_way=0 if is_by_feed else len(in_the_way),
        amount_in_the_way=AssetAmount(0 if is_by_feed else sum(in_the_way), subject.debt_asset),
        amount_waiting=AssetAmount(sum(waiting), subject.debt_asset),
        debt_ahead=AssetAmount(
            sum(one.debt for one in cut.positions[: cut.rank]), subject.debt_asset
        ),
        is_swan_without_bids=_is_swan_without_bids(cut),
    )


def _is_swan_without_bids(cut: Cut) -> bool:
    """Whether there is a black swan if the bids go, once calls have met the requests that wait."""
    run = Run(cut._replace(bids=()), cut.price)
    for _ in range(2 * REQUESTS_MAX):
        try:
            turn = run.turn()
        except PriceOverflow:
            return False
        if not isinstance(turn, RequestMatch):
            return turn is Ending.BLACK_SWAN
        run.advance()
    return False


def _bids_that_call(cut: Cut) -> tuple[Offer, ...]:
    """The bids that would call the position if it were alone and they were the highest."""
    terms, trigger = cut.terms, cut.trigger
    return tuple(
        bid
        for bid in cut.bids
        if is_within_reach(trigger, terms, cut.subject, bid.price)
        and is_acceptable(trigger, terms, bid.price)
    )


def _if_called(cut: Cut) -> tuple[Outcome | None, str]:
    """What a call now would cost: by the bids that could do it, or else at the worst price."""
    only = cut._replace(positions=(cut.subject,), rank=0, bids=_bids_that_call(cut), requests=())
    alone = Run(only, cut.price)
    while alone.advance():
        pass
    if alone.fills:
        return alone.outcome(), "bids"
    try:
        outcome = _at_worst_price(cut)
    except PriceOverflow:
        outcome = None
    return outcome, "" if outcome is None else "worst_price"


def _at_worst_price(cut: Cut) -> Outcome | None:
    """What bids as near to the worst price as may be would leave of the position; None where it
    could not pay that.

    A target ratio may be measured at the feed first, and at the bid once the position is above the
    MCR: what is still called then is called again (R4.6).
    """
    terms, worst, position = cut.terms, cut.terms.order_price, cut.subject
    pays_price = terms.pays_price(worst)
    fee = 0
    while position is cut.subject or is_within_reach(cut.trigger, terms, position, worst):
        debt, collateral = position.debt, position.collateral
        cover = debt_to_cover(terms, position, worst, pays_price)
        match = match_call(debt, collateral, debt, cover, worst, pays_price)
        if match is None:
            break
        position = replace(
            position, debt=debt - match.debt_covered, collateral=collateral - match.position_pays
        )
        fee += match.fee
        if not position.debt:
            break
    if position is cut.subject:
        return None
    before = cut.subject
    return outcome_of(
        before, before.debt - position.debt, before.collateral - position.collateral, fee
    )
