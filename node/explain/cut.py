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
from node.market.current_feed import CAPPED
from node.market.margin_calls import Ending, Offer, is_at_maintenance, next_call
from node.market.matching import CallMatch, RequestMatch
from node.market.pricing import (
    CallTerms,
    Pool,
    call_terms_at,
    current_settlement_price,
    pool_of,
    worth_floor,
)
from node.market.settled_debt import individual_terms
from node.state.database import State
from node.state.keys import ratio_key
from node.state.objects.assets import BitassetData, FeedValues
from node.state.objects.market import CallOrder
from protocol.asset import AssetAmount, Price
from protocol.errors import PriceOverflow
from protocol.ids import AccountId
from protocol.operations.bitasset_options import BitassetOptionsExtensions, BlackSwanResponse
from protocol.schema import Record

POSITIONS_MAX = 20_000
"""Positions that are looked at, the least collateralised first."""
BIDS_MAX = 5_000
"""Bids that are looked at."""
REQUESTS_MAX = 1_000
"""Settlement requests that are looked at, the earliest first."""


class Cut(NamedTuple):
    """One BitAsset with a feed, at one moment."""

    trigger: int
    median: FeedValues
    options: BitassetOptionsExtensions
    pool: Pool
    positions: tuple[CallOrder, ...]
    """The least collateralised first."""
    subject: CallOrder
    """The one that is explained."""
    rank: int
    """How many are before it."""
    bids: tuple[Offer, ...]
    """The highest first."""
    requests: tuple[int, ...]
    """What settlement requests ask for that margin calls may take, the first one first (SM3)."""
    is_whole: bool
    """Whether every position, every bid and every such request is there."""

    @property
    def price(self) -> Price:
        """The settlement price of the present median."""
        return self.median.settlement_price

    @property
    def terms(self) -> CallTerms:
        """The terms at the present feed."""
        return self.terms_at(self.price)

    def terms_at(self, price: Price) -> CallTerms:
        """The terms if the median settlement price were another one, all ratios the same."""
        worst = self.positions[0] if self.positions else None
        return self.terms_of(price, self.pool, worst)

    def terms_of(self, price: Price, pool: Pool, worst: CallOrder | None) -> CallTerms:
        """The same with another pool and another least collateralised position (BS3)."""
        median = replace(self.median, settlement_price=price)
        current = self.current_price(price, pool, worst)
        return call_terms_at(median, replace(median, settlement_price=current), self.options)

    def current_price(self, price: Price, pool: Pool, worst: CallOrder | None) -> Price:
        """The settlement price of the current feed at that of a median (BS3)."""
        median = replace(self.median, settlement_price=price)
        return current_settlement_price(median, self.options, pool, worst)


def cut_of(state: State, bitasset: BitassetData, position: CallOrder) -> Cut:
    """A copy around a position of a BitAsset that has a feed."""
    asset_id = bitasset.asset_id
    market = (asset_id, bitasset.options.short_backing_asset)
    rank = state.positions.place_of(asset_id, position)
    positions = tuple(map(copy, islice(state.positions.items(asset_id), POSITIONS_MAX)))
    return Cut(
        trigger=state.chain.margin_call_trigger,
        median=bitasset.median_feed,
        options=bitasset.options.extensions,
        pool=pool_of(bitasset),
        positions=positions,
        subject=copy(position),
        rank=rank,
        bids=tuple(
            Offer(bid.sell_price, bid.for_sale)
            for bid in islice(state.book.items(market), BIDS_MAX)
        ),
        requests=tuple(
            request.balance.amount
            for request in islice(state.settlements.items(asset_id), REQUESTS_MAX)
            if state.chain.settle_match
        ),
        is_whole=state.positions.count(asset_id) <= POSITIONS_MAX
        and state.book.count(market) <= BIDS_MAX
        and not (state.chain.settle_match and state.settlements.count(asset_id) > REQUESTS_MAX),
    )


class RequestFill(Record):
    """What a settlement request gives to a position, and gets of it."""

    place: int
    """Which request, by its place among all."""
    payer: AccountId
    gives: int
    gets: int


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
    """Margin calls of a cut at a median settlement price, turn by turn (R4.3, R4.8, BK2)."""

    def __init__(self, cut: Cut, price: Price) -> None:
        self.cut = cut
        self.price = price
        self.pool = cut.pool
        self.fills = 0
        """Fills of margin calls; positions that are settled alone are none."""
        self.subject = cut.subject
        """The explained position as the fills have left it; as it was, once it has closed."""
        self.is_closed = False
        """Whether it has paid all its debt, or given up all its collateral."""
        self.is_settled_alone = False
        """Whether it was settled individually (BS5)."""
        self.paid = self.fee = 0
        """What it has paid of its collateral, and what of that was a fee."""
        self.fills_before: int | None = None
        """Fills before its first one; None as long as it has had none."""
        self.first_bid: Price | None = None
        """The price of the bid that it met first; None where it was a request."""
        self.targets: list[CallOrder] = []
        """The positions with a target ratio that were called, as they were before."""
        self.ending: Ending | None = None
        """Why there were no more calls; None as long as there may be some, or one overflowed."""
        self.request_fills: list[RequestFill] = []
        self.destroyed = 0
        """Debt that all fills have covered."""
        self.ranks = Ranks(cut.positions)
        """The positions as the fills have left them."""
        self._requests = list(cut.requests[::-1])
        self._terms: CallTerms | None = None
        self._bid = 0
        self._offer = cut.bids[0] if cut.bids else None

    @property
    def is_taken(self) -> bool:
        """Whether the explained position has been called, or settled, alone or with all others."""
        is_settled = self.is_settled_alone or self.ending is Ending.BLACK_SWAN
        return self.fills_before is not None or is_settled

    @property
    def depends_on_feed(self) -> bool:
        """Whether what fills amount to may follow from the feed: a called position's target was
        measured at it, not at the bid (R4.6), or requests may be met, at its prices (SM4)."""
        terms = self.terms
        return bool(self.cut.requests) or any(
            is_at_maintenance(terms, called) for called in self.targets
        )

    @property
    def terms(self) -> CallTerms:
        """The terms at its price, as they now are."""
        if self._terms is None:
            self._terms = self.terms_at(self.price)
        return self._terms

    def terms_at(self, price: Price) -> CallTerms:
        """The same if the median settlement price were another one."""
        return self.cut.terms_of(price, self.pool, self.worst())

    def go_on_at(self, price: Price) -> None:
        """Have what comes next happen at another median settlement price."""
        self.price, self._terms = price, None

    def worst(self) -> CallOrder | None:
        """The least collateralised position; None once all are gone."""
        return self.ranks.first()

    @property
    def waiting(self) -> list[tuple[int, int]]:
        """The requests that are left, by their place, with their amounts."""
        first = len(self.cut.requests) - len(self._requests)
        return list(enumerate(self._requests[::-1], first))

    def turn(self, price: Price | None = None) -> CallMatch | RequestMatch | Ending | None:
        """What comes next, at this price or at another one; None where no position is left."""
        worst = self.worst()
        if worst is None:
            return None
        terms = self.terms if price is None else self.terms_at(price)
        requested = self._requests[-1] if self._requests else None
        return next_call(self.cut.trigger, terms, worst, self._offer, requested)

    def moves_on(self, price: Price) -> bool:
        """Whether there would be another fill, or a black swan, at another price."""
        try:
            turn = self.turn(price)
        except PriceOverflow:
            return False
        return turn is Ending.BLACK_SWAN or isinstance(turn, CallMatch | RequestMatch)

    def advance(self) -> bool:
        """Play one turn; whether there was one. Where not, `ending` says why (R4.13)."""
        try:
            turn = self.turn()
            is_alone = self.terms.response is not BlackSwanResponse.GLOBAL_SETTLEMENT
            if isinstance(turn, CallMatch | RequestMatch) or (
                turn is Ending.BLACK_SWAN and is_alone
            ):
                self.ending = None
                self._play(turn)
                self._terms = None if self.terms.response in CAPPED else self._terms
                return True
            self.ending = turn
        except PriceOverflow:
            self.ending = None
        return False

    def _play(self, turn: CallMatch | RequestMatch | Ending) -> None:
        """Let the worst position trade, or be settled alone. Raises `PriceOverflow`."""
        worst = self.worst()
        assert worst is not None
        is_subject = worst.id == self.subject.id
        if isinstance(turn, Ending):
            debt, pays = worst.debt, worst.collateral
            received = individual_terms(worst, self.terms).received
            self.pool = Pool(self.pool.debt + debt, self.pool.fund + received)
            fee, self.is_settled_alone = pays - received, is_subject or self.is_settled_alone
        else:
            debt, pays, fee = turn.debt_covered, turn.position_pays, turn.fee
            price = self._take(turn, worst)
            if debt == 0:
                return
            self.destroyed += debt
            if is_subject and self.fills_before is None:
                self.fills_before, self.first_bid = self.fills, price
            self.fills += 1
            if worst.target_collateral_ratio is not None:
                self.targets.append(worst)
        left = self.ranks.reduce(debt, pays)
        if is_subject:
            self.paid += pays
            self.fee += fee
            self.subject = left
            self.is_closed = left.debt == 0

    def _take(self, turn: CallMatch | RequestMatch, payer: CallOrder) -> Price | None:
        """Take what a fill takes off the highest bid, whose price it is, or off the request."""
        if isinstance(turn, CallMatch):
            offer = self._offer
            assert offer is not None
            self._take_bid(offer, turn.debt_covered)
            return offer.price
        place = len(self.cut.requests) - len(self._requests)
        if turn.debt_covered:
            fill = RequestFill(place, payer.borrower, turn.debt_covered, turn.settler_receives)
            self.request_fills.append(fill)
        left = self._requests.pop() - turn.debt_covered
        if left and turn.debt_covered and not turn.is_request_dust:
            self._requests.append(left)
        return None

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
