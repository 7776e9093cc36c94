"""A second opinion: what the rules say must become of a few people's money.

Exact fractions and plain lists, written from the rules alone and sharing no code with the chain:
what the two agree on is right twice. One BitAsset backed by the core token, margin calls triggered
by the highest bid, with or without requests in its place, no market fees, no target ratios.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil, floor

RATIO = 1000
"""Ratios are thousandths."""


@dataclass(slots=True)
class Offer:
    """A resting order. A *bid* sells the BitAsset; `price` is BitAsset for one core token."""

    id: str
    owner: str
    is_bid: bool
    for_sale: int
    price: Fraction
    deferred_fee: int

    def receives_at(self, amount: int) -> Fraction:
        """What an amount of the sold token is worth in the other, exactly."""
        return amount / self.price if self.is_bid else amount * self.price


@dataclass(slots=True)
class Loan:
    """A position: collateral in core, debt in the BitAsset, smallest units."""

    collateral: int
    debt: int

    @property
    def ratio(self) -> Fraction:
        """Collateral for one unit of debt."""
        return Fraction(self.collateral, self.debt)


@dataclass(frozen=True, slots=True)
class Called:
    """A margin call: collateral given for debt that is gone, and the debt that stays."""

    name: str
    pays: int
    covers: int
    debt_left: int


@dataclass(frozen=True, slots=True)
class Request:
    """An amount that waits for its settlement, and from which time on it is due."""

    owner: str
    amount: int
    due: int


@dataclass(slots=True)
class Model:
    """Balances, positions and offers of the people in the story, in smallest units."""

    mcr: int
    msqr: int
    core: dict[str, int]
    peg: dict[str, int]
    feed: Fraction = Fraction(0)
    """BitAsset for one core token; 0 before the first feed."""
    loans: dict[str, Loan] = field(default_factory=dict)
    offers: list[Offer] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    """Settlement requests, earliest first."""
    settle_match: bool = False
    """Whether calls take requests where no bid will do (SM1)."""

    @property
    def squeeze_protection_price(self) -> Fraction:
        """SQP = feed / MSQR (R1.7)."""
        return self.feed * RATIO / self.msqr

    def call_price(self, name: str) -> Fraction:
        """DEBT / COLLATERAL * MCR (R1.10)."""
        return self.mcr / (RATIO * self.loans[name].ratio)

    def highest_bid(self) -> Offer | None:
        """The bid that gives the most BitAsset for a core token; the oldest of equals (R2.3)."""
        bids = [offer for offer in self.offers if offer.is_bid]
        return max(bids, key=lambda offer: offer.price, default=None)

    def least_collateralised(self) -> str | None:
        """Owner of the position with the lowest ratio (R4.3)."""
        return min(self.loans, key=lambda name: self.loans[name].ratio, default=None)

    def pay_fee(self, name: str, fee: int) -> None:
        """A fee in core leaves the balance of somebody in the story (R8.18)."""
        if name in self.core:
            self.core[name] -= fee

    def send(self, sender: str, receiver: str, *, is_peg: bool, amount: int) -> None:
        """A transfer, of which one side may be nobody of the story (R8.1)."""
        purse = self.peg if is_peg else self.core
        for name, change in ((sender, -amount), (receiver, amount)):
            if name in purse:
                purse[name] += change

    def borrow(self, name: str, collateral: int, debt: int) -> None:
        """Add to a position, or take from it: debt to the balance, collateral out of it (R3.3)."""
        self.core[name] -= collateral
        self.peg[name] += debt
        loan = self.loans.setdefault(name, Loan(0, 0))
        loan.collateral += collateral
        loan.debt += debt
        if loan.debt == 0:
            del self.loans[name]

    def place(self, offer: Offer) -> None:
        """Match a new order against the book, best price first, then let the rest wait (R2.4).

        Its creation fee has been paid by `pay_fee` already.
        """
        self._give(offer.owner, is_peg=offer.is_bid, amount=-offer.for_sale)
        while offer.for_sale > 0:
            maker = self._best_against(offer)
            if maker is None or not self._trade(offer, maker):
                break
        if offer.for_sale > 0 and floor(offer.receives_at(offer.for_sale)) > 0:
            self.offers.append(offer)
        else:
            self._refund(offer)

    def cancel(self, order_id: str) -> None:
        """Take an order back, with its fee if it never traded (R2.11)."""
        offer = next(item for item in self.offers if item.id == order_id)
        self.offers.remove(offer)
        self._refund(offer)

    def ask_settlement(self, name: str, amount: int, due: int = 0) -> None:
        """Put an amount aside until the settlement is due (R5.2)."""
        self.peg[name] -= amount
        self.requests.append(Request(name, amount, due))

    def run_margin_calls(self) -> list[Called]:
        """What happens at the end of a block: bids first, then requests, call after call (SM3)."""
        events: list[Called] = []
        while (name := self.least_collateralised()) is not None:
            call = self._call_by_bid(name) or self._call_by_request(name)
            if call is None:
                break
            events.append(call)
        return events

    def run_settlements(self, now_s: int = 0) -> list[str]:
        """Execute the requests that are due against the least collateralised position (R5.5);
        who paid."""
        due = [request for request in self.requests if request.due <= now_s]
        paid_by: list[str] = []
        for request in due:
            owner, amount = request.owner, request.amount
            while amount > 0:
                name = self.least_collateralised()
                assert name is not None, "somebody owes what is settled"
                loan = self.loans[name]
                price = max(self.feed, 1 / loan.ratio)
                settled = min(amount, loan.debt)
                pays = floor(settled / price)
                if settled == loan.debt:
                    pays = ceil(settled / price)
                else:
                    settled = ceil(pays * price)
                    self.peg[owner] += amount - settled
                    amount = settled
                self.core[owner] += pays
                self._reduce(name, pays, settled)
                amount -= settled
                paid_by.append(name)
            self.requests.remove(request)
        return paid_by

    def _call_by_bid(self, name: str) -> Called | None:
        """One margin call against the highest bid, at its price, if SQP < bid < call price,
        strictly, and the position can pay it (R4.2, R4.4, R4.5)."""
        bid, loan = self.highest_bid(), self.loans[name]
        if bid is None or not self.squeeze_protection_price < bid.price < self.call_price(name):
            return None
        if loan.debt > bid.for_sale:
            pays = floor(bid.for_sale / bid.price)
            covered = ceil(pays * bid.price)
            is_refused = _is_worse_off(loan, pays, covered)
        else:
            covered = loan.debt
            pays = ceil(covered / bid.price)
            is_refused = pays > loan.collateral
        if is_refused:
            return None
        self.core[bid.owner] += pays
        bid.for_sale -= covered
        bid.deferred_fee = 0
        self._drop_if_small(bid)
        self._reduce(name, pays, covered)
        return Called(name, pays, covered, loan.debt)

    def _call_by_request(self, name: str) -> Called | None:
        """One margin call against the first request that buys something, due or not, if the
        position is at or below the MCR, and no bid at or above its call price will have it later
        (SM3). What buys nothing returns to the settler."""
        loan, bid = self.loans[name], self.highest_bid()
        is_kept = loan.ratio * self.feed * RATIO > self.mcr or (
            bid is not None
            and bid.price > self.squeeze_protection_price
            and bid.price >= self.call_price(name)
        )
        while self.settle_match and self.requests and not is_kept:
            request = self.requests.pop(0)
            pays, covered, is_whole = self._match_request(loan, request.amount)
            left = request.amount - covered
            if is_whole and left:
                self.requests.insert(0, replace(request, amount=left))
            else:
                self.peg[request.owner] += left
            if covered:
                self.core[request.owner] += pays
                self._reduce(name, pays, covered)
                return Called(name, pays, covered, loan.debt)
        return None

    def _match_request(self, loan: Loan, amount: int) -> tuple[int, int, bool]:
        """What a called position pays a request, for how much of its debt, and whether for all of
        it: at the SQP, or at debt / collateral where that leaves more (SM4)."""
        sqp = self.squeeze_protection_price
        if amount >= loan.debt:
            return min(ceil(loan.debt / sqp), loan.collateral), loan.debt, True
        pays = floor(amount / sqp)
        covered = ceil(pays * sqp)
        if pays and _is_worse_off(loan, pays, covered):
            pays = floor(amount * loan.ratio)
            covered = ceil(pays / loan.ratio)
        return pays, covered, False

    def _reduce(self, name: str, collateral: int, debt: int) -> None:
        """A fill of a position; what is left of the collateral of a closed one returns (R4.7)."""
        loan = self.loans[name]
        loan.collateral -= collateral
        loan.debt -= debt
        if loan.debt == 0:
            self.core[name] += loan.collateral
            del self.loans[name]

    def _best_against(self, taker: Offer) -> Offer | None:
        """The oldest of the best offers that the taker accepts; touching prices match (R2.4)."""
        makers = [offer for offer in self.offers if offer.is_bid != taker.is_bid]
        if taker.is_bid:
            accepted = [maker for maker in makers if maker.price <= taker.price]
            return min(accepted, key=lambda maker: maker.price, default=None)
        accepted = [maker for maker in makers if maker.price >= taker.price]
        return max(accepted, key=lambda maker: maker.price, default=None)

    def _trade(self, taker: Offer, maker: Offer) -> bool:
        """One match at the maker's price (R2.5); whether the maker is gone and the taker is not."""
        wanted = maker.receives_at(maker.for_sale)
        if taker.for_sale <= floor(wanted):
            got = floor(taker.for_sale * maker.for_sale / wanted)
            given = ceil(maker.receives_at(got))
        else:
            given = floor(wanted)
            got = ceil(given * maker.for_sale / wanted)
        if got == 0:
            return False
        self._give(taker.owner, is_peg=maker.is_bid, amount=got)
        self._give(maker.owner, is_peg=taker.is_bid, amount=given)
        taker.for_sale -= given
        maker.for_sale -= got
        taker.deferred_fee = maker.deferred_fee = 0
        self._drop_if_small(maker)
        return maker not in self.offers

    def _drop_if_small(self, offer: Offer) -> None:
        """An order that can buy nothing any more is refunded (R2.8)."""
        if floor(offer.receives_at(offer.for_sale)) == 0:
            self.offers.remove(offer)
            self._refund(offer)

    def _refund(self, offer: Offer) -> None:
        self._give(offer.owner, is_peg=offer.is_bid, amount=offer.for_sale)
        self.core[offer.owner] += offer.deferred_fee

    def _give(self, name: str, *, is_peg: bool, amount: int) -> None:
        purse = self.peg if is_peg else self.core
        purse[name] += amount


def _is_worse_off(loan: Loan, pays: int, covered: int) -> bool:
    """Whether a payment for a part of the debt would lower the ratio (R4.5)."""
    return (loan.collateral - pays) * loan.debt < loan.collateral * (loan.debt - covered)
