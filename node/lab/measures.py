"""What is measured in a run: exact sums over its blocks, and the figures that they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from node.chain.apply_block import AppliedBlock
from node.market.pricing import pool_of
from node.state.database import State
from node.state.events import GloballySettledEvent, IndividuallySettledEvent, MarginCallEvent
from node.state.objects.assets import BitassetData
from pegboard.faucet import FAUCET
from pegboard.local_ledger import LocalLedger
from pegboard.vocabulary import Market
from protocol.asset import Price
from protocol.ids import AccountId, AssetId, ForceSettlementId
from protocol.operations.limit_order import FillOrder

SUPPORT = (FAUCET, "maker")
"""An account and a rule of agents that make the market, and borrow for that: no borrowers here."""


class Measure(NamedTuple):
    """A figure of a run, and what it says."""

    name: str
    title: str
    what: str
    is_share: bool = True
    """Whether it is read as a percentage."""


MEASURES = (
    Measure("swan", "Black swans", "whether the BitAsset was settled as a whole (R6.2)"),
    Measure(
        "settled_alone",
        "Settled alone",
        "share of the borrowers whose position could not pay and was settled by itself (BS5)",
    ),
    Measure(
        "bad_debt",
        "Bad debt",
        "the most, at the end of any block, by which debts, that of a pool included, or the supply "
        "after a black swan, exceed the worth of their collateral at the feed, as a share of the "
        "supply",
    ),
    Measure("called", "Borrowers called", "share of the borrowers of whom a call took something"),
    Measure(
        "called_debt",
        "Debt called",
        "what calls covered, as a share of the most that each borrower owed",
    ),
    Measure(
        "call_cost",
        "Cost of a call",
        "what called positions paid above the feed for the debt that was covered",
    ),
    Measure(
        "settlement_pressure",
        "Settlement pressure",
        "the most that waited for settlement at the end of any block, as a share of the supply",
    ),
    Measure("settled", "Settled", "what settlements took back, as a share of the largest supply"),
    Measure(
        "peg_error",
        "Peg error",
        "mean distance of the middle of the book from the feed, at the end of each block",
    ),
    Measure(
        "lowest_price", "Lowest feed", "BitAsset for one backing token, whole units", is_share=False
    ),
    Measure("last_price", "Last feed", "as above, in the end", is_share=False),
)
"""In the order of the columns; a figure of which there is none in a run, such as the cost of a call
where nobody was called, is left out of the means."""

Figures = tuple[Fraction | None, ...]
"""One for each of `MEASURES`."""


@dataclass(slots=True)
class Gauge:
    """Watches one BitAsset through a run. Amounts are smallest units, all sums exact."""

    asset: AssetId
    backing: AssetId
    scale: Fraction
    """Turns a price of smallest units into one of whole units."""
    swan: bool = False
    alone: set[AccountId] = field(default_factory=set)
    """Borrowers of whom a position was settled individually."""
    bad_debt: Fraction = Fraction(0)
    owed: dict[AccountId, int] = field(default_factory=dict)
    """The most that each borrower owed."""
    called: dict[AccountId, int] = field(default_factory=dict)
    """What calls covered of each borrower's debts."""
    covered: int = 0
    cost: Fraction = Fraction(0)
    """What calls paid, in BitAsset at the feed of their time."""
    waiting: Fraction = Fraction(0)
    settled: int = 0
    largest_supply: int = 0
    errors: list[Fraction] = field(default_factory=list)
    lowest: Fraction | None = None
    last: Fraction | None = None

    def watch(self, state: State, block: AppliedBlock, support: frozenset[AccountId]) -> None:
        """Take in a block; `support` has who makes the market."""
        for event in block.events:
            if isinstance(event, GloballySettledEvent) and event.asset_id == self.asset:
                self.swan = True
            elif isinstance(event, IndividuallySettledEvent) and event.asset_id == self.asset:
                self._take_settled_alone(event, support)
            elif isinstance(event, MarginCallEvent) and event.debt_before.asset_id == self.asset:
                self._take_call(event, support)
        for applied in block.operations:
            done = applied.op
            if (
                isinstance(done, FillOrder)
                and done.pays.asset_id == self.asset
                and done.order_id.is_of(ForceSettlementId)
            ):
                self.settled += done.pays.amount
        self._look(state, support)

    def _take_settled_alone(
        self, event: IndividuallySettledEvent, support: frozenset[AccountId]
    ) -> None:
        if event.account not in support:
            self.alone.add(event.account)
            self.owed[event.account] = max(self.owed.get(event.account, 0), event.debt)

    def _take_call(self, event: MarginCallEvent, support: frozenset[AccountId]) -> None:
        if event.account in support:
            return
        paid, covered = event.collateral_paid.amount, event.debt_covered.amount
        self.called[event.account] = self.called.get(event.account, 0) + covered
        self.owed[event.account] = max(self.owed.get(event.account, 0), event.debt_before.amount)
        self.covered += covered
        self.cost += paid * _ratio(event.settlement_price)

    def _look(self, state: State, support: frozenset[AccountId]) -> None:
        """What stands at the end of a block."""
        bitasset = state.bitasset_of(self.asset)
        assert bitasset is not None, "a BitAsset"
        supply = state.figures_of(self.asset).current_supply
        self.largest_supply = max(self.largest_supply, supply)
        for position in state.positions.items(self.asset):
            if position.borrower not in support:
                before = self.owed.get(position.borrower, 0)
                self.owed[position.borrower] = max(before, position.debt)
        if supply:
            asked = sum(one.balance.amount for one in state.settlements.items(self.asset))
            self.waiting = max(self.waiting, Fraction(asked, supply))
        if not bitasset.has_feed():
            return
        price = _ratio(bitasset.median_feed.settlement_price)
        self.last = price
        self.lowest = price if self.lowest is None else min(self.lowest, price)
        if supply:
            self.bad_debt = max(self.bad_debt, self._lacking(state, bitasset, price) / supply)
        middle = self._middle(state)
        if middle is not None:
            self.errors.append(abs(middle / price - 1))

    def _lacking(self, state: State, bitasset: BitassetData, price: Fraction) -> Fraction:
        """BitAsset that collateral, or the fund of a global settlement, is not worth."""
        if bitasset.is_globally_settled():
            supply = state.figures_of(self.asset).current_supply
            return max(supply - bitasset.settlement_fund * price, Fraction(0))
        base, quote, pool = price.numerator, price.denominator, pool_of(bitasset)
        lacks = [
            one.debt * quote - one.collateral * base for one in state.positions.items(self.asset)
        ]
        lacks.append(pool.debt * quote - pool.fund * base)
        return Fraction(sum(lack for lack in lacks if lack > 0), quote)

    def _middle(self, state: State) -> Fraction | None:
        """The middle of best bid and ask, or what there is of the two."""
        bid = next(iter(state.book.items((self.asset, self.backing))), None)
        ask = next(iter(state.book.items((self.backing, self.asset))), None)
        sides = [] if bid is None else [_ratio(bid.sell_price)]
        sides += [] if ask is None else [1 / _ratio(ask.sell_price)]
        return sum(sides, Fraction(0)) / len(sides) if sides else None

    def figures(self) -> Figures:
        """What it came to, in the order of `MEASURES`."""
        owed = sum(self.owed.values())
        return (
            Fraction(self.swan),
            Fraction(len(self.alone), len(self.owed)) if self.owed else None,
            self.bad_debt,
            Fraction(len(self.called), len(self.owed)) if self.owed else None,
            Fraction(self.covered, owed) if owed else None,
            self.cost / self.covered - 1 if self.covered else None,
            self.waiting,
            Fraction(self.settled, self.largest_supply) if self.largest_supply else None,
            sum(self.errors, Fraction(0)) / len(self.errors) if self.errors else None,
            None if self.lowest is None else self.lowest * self.scale,
            None if self.last is None else self.last * self.scale,
        )


def _ratio(price: Price) -> Fraction:
    return Fraction(price.base.amount, price.quote.amount)


def attach(market: Market, assets: Sequence[str]) -> list[Gauge]:
    """Gauges for BitAssets of a market in this process, which see each of its blocks from now on.

    Raises `NoSuchObject`, `NotMarketIssued`.
    """
    ledger = market.ledger
    assert isinstance(ledger, LocalLedger), "the lab plays in its own processes"
    gauges = []
    for name in assets:
        facts, backing = market.reader.bitasset(name)
        scale = Fraction(10**backing.precision, 10**facts.precision)
        gauges.append(Gauge(facts.id, backing.id, scale))

    def watch(block: AppliedBlock) -> None:
        makers = (one.account.id for one in market.agents if one.rule.__name__ in SUPPORT)
        support = frozenset((market.find(FAUCET).id, *makers))
        for gauge in gauges:
            gauge.watch(ledger.state, block, support)

    ledger.watchers.append(watch)
    return gauges
