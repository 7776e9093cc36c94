"""A slow twin of `run_asset`: section BK2 of the rule book, transcribed on fractions and lists."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from tests.support.slow_market import slow_max_cover

GLOBAL, NOTHING, TO_FUND, TO_ORDER = range(4)


@dataclass
class SlowPosition:
    """Debt and collateral, by id."""

    id: int
    debt: int
    collateral: int
    target: int | None

    @property
    def price(self) -> Fraction:
        """D / C."""
        return Fraction(self.debt, self.collateral)


@dataclass
class SlowBid:
    """What a bid sells, and its price, debt per backing."""

    id: int
    for_sale: int
    price: Fraction


@dataclass
class SlowRun:
    """One BitAsset; `feed` is the median, debt per backing."""

    by_feed: bool
    match: bool
    response: int
    feed: Fraction
    mcr: int
    mssr: int
    mcfr: int
    positions: list[SlowPosition]
    bids: list[SlowBid]
    requests: list[list[int]]
    """Id and amount, in order."""
    pool_debt: int = 0
    pool_fund: int = 0
    order: tuple[int, Fraction] | None = None
    """What the settled-debt order sells, and its price, backing per debt."""
    fees: int = 0
    global_fund: int | None = None

    @property
    def numerator(self) -> int:
        """R1.8."""
        return max(self.mssr - self.mcfr, 1000)

    @property
    def current(self) -> Fraction:
        """BS3."""
        if self.response == NOTHING and self.positions:
            return max(self.feed, self.worst().price * Fraction(self.mssr, 1000))
        if self.response == TO_FUND and self.pool_debt:
            worth = Fraction(self.pool_debt, self.pool_fund)
            return max(self.feed, worth * Fraction(self.numerator, 1000))
        return self.feed

    def worst(self) -> SlowPosition:
        """The least collateralised position, the older one of equals (BK4)."""
        return min(self.positions, key=lambda one: (-one.price, one.id))

    def run(self) -> None:
        """BK2."""
        if self.response == TO_ORDER and self.pool_debt:
            self.reprice()
        while self.positions:
            if not self.turn(self.worst()):
                break
            if self.global_fund is not None:
                return
        while self.order and self.bids and self.sell_pool():
            pass

    def turn(self, p: SlowPosition) -> bool:
        """One round of the loop; whether there is another one."""
        pays_ratio = Fraction(self.numerator, self.mssr)
        mssp = self.current * 1000 / self.mssr
        mcop = self.current * 1000 / self.numerator
        waiting = self.match and bool(self.requests)
        b = max(self.bids, key=lambda one: (one.price, -one.id), default=None)
        if not waiting and self.is_swan(p, mssp, None if b is None else b.price * pays_ratio):
            if self.response == GLOBAL:
                self.settle_globally(p)
            else:
                self.settle_alone(p, pays_ratio)
            return True
        at_mc = p.price * Fraction(self.mcr, 1000) >= self.feed
        refused = False
        if b is not None:
            good = b.price >= mcop if self.by_feed else b.price > mcop
            reach = at_mc if self.by_feed else b.price < p.price * Fraction(self.mcr, 1000)
            if good and reach:
                if self.call(p, b, b.price * pays_ratio, at_mc=at_mc):
                    return True
                refused = True
            if waiting and at_mc and good and not refused:
                return False
        if not waiting or not at_mc:
            return False
        self.meet_request(p, mssp, mcop, pays_ratio)
        return True

    def is_swan(self, p: SlowPosition, mssp: Fraction, pays: Fraction | None) -> bool:
        """BS4."""
        if self.response == NOTHING:
            return False
        if self.response == TO_FUND:
            median = self.feed * 1000 / self.mssr
            return p.price > (pays if pays is not None and pays >= mssp else median)
        return p.price > max(mssp, pays or mssp)

    def cover(self, p: SlowPosition, pays: Fraction, reference: Fraction) -> int:
        """R4.6."""
        if p.target is None:
            return p.debt
        target = Fraction(max(p.target, self.mcr), 1000)
        return slow_max_cover(p.debt, p.collateral, target, reference, pays)

    def call(self, p: SlowPosition, b: SlowBid, pays: Fraction, *, at_mc: bool) -> bool:
        """R4.5 and R4.7; whether the match was not refused."""
        q = self.cover(p, pays, self.feed if at_mc else b.price)
        if q > b.for_sale:
            received = floor(b.for_sale / b.price)
            covered = ceil(received * b.price)
            paid = floor(covered / pays)
            if paid >= p.collateral or Fraction(p.collateral - paid, p.debt - covered) < Fraction(
                p.collateral, p.debt
            ):
                return False
        else:
            covered, received, paid = q, ceil(q / b.price), ceil(q / pays)
            if paid > p.collateral:
                return False
        self.reduce(p, covered, paid, paid - received)
        self.take_bid(b, covered)
        return True

    def take_bid(self, b: SlowBid, sold: int) -> None:
        """R2.7 and R2.8."""
        b.for_sale -= sold
        if floor(b.for_sale / b.price) == 0:
            self.bids.remove(b)

    def reduce(self, p: SlowPosition, covered: int, paid: int, fee: int) -> None:
        """R4.7."""
        p.debt -= covered
        p.collateral -= paid
        self.fees += fee
        if p.debt == 0:
            self.positions.remove(p)

    def meet_request(
        self, p: SlowPosition, mssp: Fraction, mcop: Fraction, pays_ratio: Fraction
    ) -> None:
        """SM4."""
        request = self.requests[0]
        whole = request[1]
        x = self.cover(p, mssp, self.feed)
        c = min(whole, x)
        if floor(c / mssp) == 0:
            if c == whole and c != p.debt:
                self.requests.pop(0)
                return
            paid = received = 1
        elif c == p.debt:
            paid = ceil(c / mssp)
            settler = mcop
            if paid > p.collateral:
                paid, settler = p.collateral, p.price / pays_ratio
            received = ceil(c / settler)
        elif c == x:
            paid, received = ceil(c / mssp), ceil(c / mcop)
        else:
            received = floor(whole / mcop)
            c = ceil(received * mcop)
            paid = floor(c / mssp)
            if received and (
                paid >= p.collateral
                or Fraction(p.collateral - paid, p.debt - c) < Fraction(p.collateral, p.debt)
            ):
                received = floor(whole / (p.price / pays_ratio))
                c = ceil(received * (p.price / pays_ratio))
                paid = floor(c / p.price)
            if received == 0 or c < whole:
                self.requests.pop(0)
                if received == 0:
                    return
                request = [0, c]
        self.reduce(p, c, paid, paid - received)
        request[1] -= c
        if request[1] == 0 and self.requests and self.requests[0] is request:
            self.requests.pop(0)

    def settle_globally(self, worst: SlowPosition) -> None:
        """R6.2 and BS4a."""
        g, scaled = worst.price, worst.price * Fraction(self.mssr, 1000)
        premium = g * Fraction(self.mcr, 1000) >= self.feed
        self.global_fund = 0
        for p in self.positions:
            at_mc = p.price * Fraction(self.mcr, 1000) >= self.feed
            got = ceil(p.debt / (scaled if premium else g))
            paid = ceil(p.debt / g) if at_mc or not premium else got
            self.global_fund += got
            self.fees += paid - got
        self.positions.clear()

    def settle_alone(self, p: SlowPosition, pays_ratio: Fraction) -> None:
        """BS5 and BS6."""
        got = min(ceil(p.debt / (p.price / pays_ratio)), p.collateral)
        self.fees += p.collateral - got
        self.pool_debt += p.debt
        self.pool_fund += got
        self.positions.remove(p)
        if self.response == TO_ORDER:
            if self.order is None:
                self.offer_all()
            else:
                self.reprice()

    def offer_all(self) -> None:
        """The whole fund for the whole debt."""
        self.order = self.pool_fund, Fraction(self.pool_fund, self.pool_debt)

    def reprice(self) -> None:
        """BS6."""
        q = self.numerator / (self.feed * 1000)
        n = ceil(self.pool_debt * q)
        self.order = n, q
        if n > self.pool_fund:
            self.offer_all()

    def sell_pool(self) -> bool:
        """BS8; whether the next bid may be met."""
        assert self.order is not None
        b = max(self.bids, key=lambda one: (one.price, -one.id))
        if b.price * self.order[1] < 1:
            return False
        if self.pool_debt > b.for_sale:
            out = floor(b.for_sale / b.price)
            c = ceil(out * b.price)
        else:
            c, out = self.pool_debt, ceil(self.pool_debt / b.price)
        if c == self.pool_debt:
            given = self.pool_fund
        elif self.order[0] != self.pool_fund:
            given = floor(c * Fraction(self.pool_fund, self.pool_debt))
        else:
            given = out
        self.fees += given - out
        self.pool_debt -= c
        self.pool_fund -= given
        if self.pool_debt == 0:
            self.order = None
        else:
            n = ceil(self.pool_debt * self.order[1])
            self.order = n, self.order[1]
            if n > self.pool_fund:
                self.offer_all()
        self.take_bid(b, c)
        return b not in self.bids
