"""A copy of what margin calls of one BitAsset depend on, and margin calls played on the copy.

The state may move on while an explanation is worked out step by step; the copy does not. Decisions
and amounts are those of `node.market`; here is only the bookkeeping between two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from heapq import heappop, heappush
from itertools import islice
from typing import NamedTuple

from msgspec.structs import replace

from node.explain.records import Outcome
from node.market.black_swan import swan_terms
from node.market.margin_calls import Ending, Offer, is_at_maintenance, next_call
from node.market.matching import CallMatch
from node.market.pricing import CallTerms, call_terms_at, worth_floor
from node.state.database import State
from node.state.keys import ratio_key
from node.state.objects.assets import BitassetData, FeedValues
from node.state.objects.market import CallOrder
from protocol.asset import AssetAmount, Price, PriceOverflow

POSITIONS_MAX = 20_000
"""Positions that are looked at, the least collateralised first."""
BIDS_MAX = 5_000
"""Bids that are looked at."""


class Cut(NamedTuple):
    """One BitAsset with a feed, at one moment."""

    trigger: int
    median: FeedValues
    feed: FeedValues
    """The current feed (R1.20)."""
    fee_ratio: int | None
    positions: tuple[CallOrder, ...]
    """The least collateralised first."""
    subject: CallOrder
    """The one that is explained."""
    rank: int
    """How many are before it."""
    bids: tuple[Offer, ...]
    """The highest first."""
    is_whole: bool
    """Whether every position and every bid is there."""

    @property
    def terms(self) -> CallTerms:
        """The terms at the present feed."""
        return call_terms_at(self.median, self.feed, self.fee_ratio)

    def terms_at(self, price: Price) -> CallTerms:
        """The terms if the settlement price were another one, all ratios the same."""
        median, feed = (replace(one, settlement_price=price) for one in (self.median, self.feed))
        return call_terms_at(median, feed, self.fee_ratio)


def cut_of(state: State, bitasset: BitassetData, position: CallOrder) -> Cut:
    """A copy around a position of a BitAsset that has a feed."""
    asset_id = bitasset.asset_id
    market = (asset_id, bitasset.options.short_backing_asset)
    rank = state.positions.place_of(asset_id, position)
    positions = tuple(map(copy, islice(state.positions.items(asset_id), POSITIONS_MAX)))
    return Cut(
        trigger=state.chain.margin_call_trigger,
        median=bitasset.median_feed,
        feed=bitasset.current_feed,
        fee_ratio=bitasset.options.extensions.margin_call_fee_ratio,
        positions=positions,
        subject=copy(position),
        rank=rank,
        bids=tuple(
            Offer(bid.sell_price, bid.for_sale)
            for bid in islice(state.book.items(market), BIDS_MAX)
        ),
        is_whole=state.positions.count(asset_id) <= POSITIONS_MAX
        and state.book.count(market) <= BIDS_MAX,
    )


class Ranks:
    """Copies of positions in the order of R4.1, of which only the first ever changes."""

    def __init__(self, positions: Sequence[CallOrder]) -> None:
        self._positions = positions
        self._next = 0
        self._changed: list[tuple[int, int, CallOrder]] = []

    def first(self) -> CallOrder | None:
        """The least collateralised one."""
        positions = self._positions
        fresh = positions[self._next] if self._next < len(positions) else None
        if not self._changed:
            return fresh
        key, instance, changed = self._changed[0]
        if fresh is None or (key, instance) < (_key(fresh), fresh.id):
            return changed
        return fresh

    def reduce(self, debt: int, collateral: int) -> CallOrder:
        """Take debt and collateral from the first one, which leaves at no debt; what is left."""
        first = self.first()
        assert first is not None
        if self._changed and self._changed[0][2] is first:
            heappop(self._changed)
        else:
            self._next += 1
        left = replace(first, debt=first.debt - debt, collateral=first.collateral - collateral)
        if left.debt:
            heappush(self._changed, (_key(left), left.id, left))
        return left


class Run:
    """Margin calls of a cut at some terms, fill by fill (R4.3, R4.8)."""

    def __init__(self, cut: Cut, terms: CallTerms) -> None:
        self.cut = cut
        self.terms = terms
        self.fills = 0
        self.subject = cut.subject
        """The explained position as the fills have left it; as it was, once it has closed."""
        self.is_closed = False
        """Whether it has paid all its debt."""
        self.paid = self.fee = 0
        """What it has paid of its collateral, and what of that was a fee."""
        self.fills_before: int | None = None
        """Fills before its first one; None as long as it has had none."""
        self.first_bid: Price | None = None
        """The price of the bid that it met first."""
        self.targets: list[CallOrder] = []
        """The positions with a target ratio that were called, as they were before."""
        self.ending: Ending | None = None
        """Why there were no more calls; None as long as there may be some, or one overflowed."""
        self._ranks = Ranks(cut.positions)
        self._bid = 0
        self._offer = cut.bids[0] if cut.bids else None

    @property
    def is_taken(self) -> bool:
        """Whether the explained position has been called, or is settled with all others."""
        return self.fills_before is not None or self.ending is Ending.BLACK_SWAN

    @property
    def depends_on_feed(self) -> bool:
        """Whether a called position's target was measured at the feed, not at the bid (R4.6)."""
        return any(is_at_maintenance(self.terms, called) for called in self.targets)

    def worst(self) -> CallOrder | None:
        """The least collateralised position; None once all are gone."""
        return self._ranks.first()

    def turn(self, terms: CallTerms | None = None) -> CallMatch | Ending | None:
        """What comes next, at these terms or at others; None where no position is left."""
        worst = self.worst()
        if worst is None:
            return None
        return next_call(self.cut.trigger, terms or self.terms, worst, self._offer)

    def moves_on(self, terms: CallTerms) -> bool:
        """Whether there would be another fill, or a black swan, at other terms."""
        try:
            turn = self.turn(terms)
        except PriceOverflow:
            return False
        return turn is Ending.BLACK_SWAN or isinstance(turn, CallMatch)

    def advance(self) -> bool:
        """Play one fill; whether there was one. Where not, `ending` says why (R4.13)."""
        try:
            turn = self.turn()
            if isinstance(turn, CallMatch):
                self.ending = None
                self._fill(turn)
                return True
            self.ending = turn
        except PriceOverflow:
            self.ending = None
        return False

    def _fill(self, match: CallMatch) -> None:
        """Let the worst position and the highest bid trade. Raises `PriceOverflow`."""
        worst = self.worst()
        assert worst is not None
        offer = self._offer
        assert offer is not None
        self._take_bid(offer, match.debt_covered)
        is_subject = worst.id == self.subject.id
        if is_subject:
            if self.fills_before is None:
                self.fills_before, self.first_bid = self.fills, offer.price
            self.paid += match.position_pays
            self.fee += match.fee
        self.fills += 1
        if worst.target_collateral_ratio is not None:
            self.targets.append(worst)
        left = self._ranks.reduce(match.debt_covered, match.position_pays)
        if is_subject:
            self.subject = left
            self.is_closed = left.debt == 0

    def outcome(self) -> Outcome:
        """What the explained position has paid by now, or pays in the black swan that ends it."""
        position, before = self.subject, self.cut.subject
        paid, fee, debt = self.paid, self.fee, position.debt
        if self.ending is Ending.BLACK_SWAN and not self.is_closed:
            worst = self.worst()
            assert worst is not None
            squeeze_ratio = self.terms.squeeze_ratio
            limit = self.terms.maintenance_collateralization
            pays, received = swan_terms(worst, limit, squeeze_ratio).owed_by(position)
            paid, fee, debt = paid + pays, fee + pays - received, 0
        return outcome_of(before, before.debt - debt, paid, fee)

    def _take_bid(self, offer: Offer, sold: int) -> None:
        """What is left of a bid; nothing where it would buy nothing (R2.8)."""
        left = Offer(offer.price, offer.for_sale - sold)
        price = offer.price
        if left.for_sale and worth_floor(left.for_sale, price.quote, price.base):
            self._offer = left
            return
        self._bid += 1
        bids = self.cut.bids
        self._offer = bids[self._bid] if self._bid < len(bids) else None


def outcome_of(position: CallOrder, covered: int, paid: int, fee: int) -> Outcome:
    """What is left of a position that pays."""

    def owed(amount: int) -> AssetAmount:
        return AssetAmount(amount, position.debt_asset)

    def held(amount: int) -> AssetAmount:
        return AssetAmount(amount, position.collateral_asset)

    return Outcome(
        debt_covered=owed(covered),
        collateral_paid=held(paid),
        fee=held(fee),
        debt_left=owed(position.debt - covered),
        collateral_left=held(position.collateral - paid),
    )


def _key(position: CallOrder) -> int:
    return ratio_key(position.collateral, position.debt)
