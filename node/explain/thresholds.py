"""Which feed calls a position, found by the market's own decisions (R4.2, R4.3, R6.1).

Feeds are searched on a grid: settlement prices of a fixed quote, fine enough for some ten digits,
coarse enough that no price derived from one has to be shrunk (R1.5).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial

from node.explain.cut import Cut, Run
from node.explain.records import CALLED, NOT_CALLED, SETTLED, SETTLED_ALONE, FeedThreshold
from node.market.black_swan import is_black_swan
from node.market.margin_calls import Ending, is_acceptable, is_at_maintenance
from node.market.pricing import CallTerms, call_price
from node.state.objects.market import CallOrder
from protocol.asset import AssetAmount, Price
from protocol.constants import MAX_SUPPLY, RATIO_DENOMINATOR
from protocol.schema import Record

FILLS_A_STEP = 20
FILLS_MAX = 100_000
"""Fills that one explanation plays in all."""
TURNS_MAX = 200
"""Positions and bids that are looked at one by one where a target ratio is in play."""
RATIO_MAX = 33
"""Above every MCR and MSSR, which are at most 32,767 thousandths."""
QUOTE_MAX = 10**13
"""No product of it and a ratio needs to be shrunk."""


def status_of(run: Run) -> str:
    """What a run has done to the explained position."""
    if run.fills_before is not None:
        return CALLED
    if run.is_settled_alone:
        return SETTLED_ALONE
    return SETTLED if run.ending is Ending.BLACK_SWAN else NOT_CALLED


class Grid(Record):
    """Settlement prices that differ by one in the base."""

    like: Price
    """A price of the same assets."""
    quote: int

    def price(self, base: int) -> Price:
        """The price of a place on the grid."""
        assets = self.like.base.asset_id, self.like.quote.asset_id
        return Price(AssetAmount(base, assets[0]), AssetAmount(self.quote, assets[1]))


def grid_around(price: Price) -> Grid:
    """The finest grid on which a price times any ratio has a place."""
    quote = QUOTE_MAX
    while (
        price.base.amount * RATIO_MAX * quote > price.quote.amount * MAX_SUPPLY
        and quote > RATIO_DENOMINATOR
    ):
        quote //= 10
    return Grid(price, quote)


def highest_where(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """The highest number from `low` to `high` where something holds that holds below it too."""
    if low > high or not holds(low):
        return None
    if holds(high):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


class FeedSearch:
    """Looks for the highest feed at which the position of a cut is taken.

    It plays the margin calls at a feed as far as they go. Where they stop before they reach the
    position, the feed has to fall to where the pair that stopped them moves on; what was played up
    to there stays as it is, for who pays which bid follows from the bids alone. Two things depend
    on the feed: what a position at or below the MCR with a target ratio wants covered (R4.6), and
    what a settlement request gives and gets, where calls may take one (SM4). Once such a run has
    failed to lead on to the position, each feed is tried at which a bid or a position turns, then
    the feeds between two of them, where the answer need not be the highest.
    """

    def __init__(self, cut: Cut) -> None:
        self.cut = cut
        self.grid = grid_around(call_price(cut.subject, cut.terms.maintenance_ratio))
        self.played = 0
        """Fills in all runs."""
        self.is_exact = cut.is_whole
        self._turns: list[int] | None = None

    def steps(self) -> Generator[None, None, FeedThreshold | None]:
        """The answer; None where no feed will do, or the search was cut short."""
        base = above = MAX_SUPPLY
        is_between = False
        run = yield from self._reach(base)
        while not run.is_taken:
            lower = self._lower(run, base)
            if run.depends_on_feed:
                self.is_exact, is_between = False, True
                lower = lower or (1 if base > 1 else None)
            if lower is None or self.played >= FILLS_MAX:
                return None
            above, base = base, lower
            if run.targets or run.depends_on_feed:
                run = yield from self._reach(base)
            else:
                run.go_on_at(self.grid.price(base))
                yield from self.play(run, until_reached=True)
        while is_between and above - base > 1 and self.played < FILLS_MAX:
            middle = (base + above) // 2
            tried = yield from self._reach(middle)
            if tried.is_taken:
                base, run = middle, tried
            else:
                above = middle
        yield from self.play(run)
        return FeedThreshold(
            price=self.grid.price(base),
            happens=status_of(run),
            is_exact=self.is_exact and self.played < FILLS_MAX,
            calls_before=run.fills if run.fills_before is None else run.fills_before,
            outcome=run.outcome(),
        )

    def _reach(self, base: int) -> Generator[None, None, Run]:
        """Margin calls at a feed, as far as they go or until they reach the position."""
        run = Run(self.cut, self.grid.price(base))
        yield from self.play(run, until_reached=True)
        return run

    def play(self, run: Run, *, until_reached: bool = False) -> Generator[None, None, None]:
        """Play until the calls end, or the position has closed or is reached."""
        while self.played < FILLS_MAX and not run.is_closed and run.advance():
            self.played += 1
            if self.played % FILLS_A_STEP == 0:
                yield
            if until_reached and run.fills_before is not None:
                return

    def _terms(self, base: int) -> CallTerms:
        return self.cut.terms_at(self.grid.price(base))

    def _lower(self, run: Run, base: int) -> int | None:
        """The highest lower feed at which the calls may go on."""
        grid = self.grid
        found = [highest_where(lambda base: run.moves_on(grid.price(base)), 1, base - 1)]
        if run.depends_on_feed:
            found += self._all_turns()
        found += (
            self._highest(self._takes_to_maintenance(called), base - 1)
            for called in run.targets
            if not is_at_maintenance(run.terms, called)
        )
        return max((one for one in found if one is not None and one < base), default=None)

    def _all_turns(self) -> list[int]:
        """The feeds at which bids become acceptable, or positions fall to the MCR or under."""
        if self._turns is None:
            bids, positions = self.cut.bids, self.cut.positions[: self.cut.rank + 1]
            if len(bids) + len(positions) > TURNS_MAX:
                self.is_exact = False
                bids, positions = (), ()
            conditions: list[Callable[[CallTerms], bool]] = [
                *(self._takes_to_maintenance(position) for position in positions),
                *(partial(_is_sunk, position) for position in positions),
                *(partial(_accepts, self.cut.trigger, bid.price) for bid in bids),
            ]
            found = (self._highest(condition, MAX_SUPPLY) for condition in conditions)
            self._turns = [one for one in found if one is not None]
        return self._turns

    def _highest(self, holds: Callable[[CallTerms], bool], limit: int) -> int | None:
        return highest_where(lambda base: holds(self._terms(base)), 1, limit)

    def _takes_to_maintenance(self, position: CallOrder) -> Callable[[CallTerms], bool]:
        return lambda terms: is_at_maintenance(terms, position)


def _is_sunk(position: CallOrder, terms: CallTerms) -> bool:
    return is_black_swan(terms, position, None)


def _accepts(trigger: int, bid: Price, terms: CallTerms) -> bool:
    return is_acceptable(trigger, terms, bid)
