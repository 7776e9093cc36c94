"""Loans as the rules say them, with nothing clever: what the machine of loans compares with.

Prices and fees are fractions; what a deal repays by itself is searched for by trying each amount.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

Balances = dict[tuple[int, int], int]
"""By account and asset."""
Told = tuple[str, int, int, int]
"""What became of a deal: "repaid" with amount and fee, "ended" with debt and collateral."""


@dataclass
class SlowOffer:
    owner: int
    asset: int
    total: int
    here: int
    rate: Fraction
    lasts: int
    least: int
    enabled: bool
    ends: int
    prices: dict[int, Fraction]
    """Collateral for one unit of what is lent."""
    limits: dict[int, int]


@dataclass
class SlowDeal:
    borrower: int
    offer: int
    debt: int
    collateral_asset: int
    collateral: int
    rate: Fraction
    due: int
    auto: int


class SlowCredit:
    """Offers and deals by their numbers; closed ones are gone."""

    def __init__(self) -> None:
        self.offers: dict[int, SlowOffer] = {}
        self.deals: dict[int, SlowDeal] = {}
        self.next_deal = 0

    def owed(self, offer: int, borrower: int | None = None) -> int:
        """What deals owe by an offer, of all or of one borrower."""
        return sum(
            deal.debt
            for deal in self.deals.values()
            if deal.offer == offer and borrower in (None, deal.borrower)
        )

    def borrow(
        self, balances: Balances, now: int, borrower: int, number: int, amount: int,
        locked: tuple[int, int], auto: int,
    ) -> bool:  # fmt: skip
        """A loan at the offer's terms; whether it is given."""
        offer, (asset, collateral) = self.offers[number], locked
        if not (
            offer.enabled
            and max(offer.least, 1) <= amount <= offer.here
            and asset in offer.prices
            and collateral >= amount * offer.prices[asset]
            and offer.lasts > 0
            and balances[borrower, asset] >= collateral
        ):
            return False
        limit = offer.limits.get(borrower, -1)
        if offer.limits and self.owed(number, borrower) + amount > limit:
            return False
        balances[borrower, asset] -= collateral
        balances[borrower, offer.asset] += amount
        offer.here -= amount
        due = now + offer.lasts
        deal = SlowDeal(borrower, number, amount, asset, collateral, offer.rate, due, auto)
        self.deals[self.next_deal] = deal
        self.next_deal += 1
        return True

    def repay(self, balances: Balances, number: int, amount: int, fee: int) -> bool:
        """A repayment by the borrower; whether it is taken."""
        deal = self.deals[number]
        offer = self.offers[deal.offer]
        if not 0 < amount <= deal.debt or fee < amount * deal.rate:
            return False
        if balances[deal.borrower, offer.asset] < amount + fee:
            return False
        balances[deal.borrower, offer.asset] -= amount + fee
        offer.total += fee
        offer.here += amount + fee
        freed = floor(Fraction(amount * deal.collateral, deal.debt))
        balances[deal.borrower, deal.collateral_asset] += freed
        deal.collateral -= freed
        deal.debt -= amount
        if not deal.debt:
            del self.deals[number]
        return True

    def end(self, balances: Balances, now: int) -> Iterator[Told]:
        """The end of a block."""
        for offer in self.offers.values():
            offer.enabled = offer.enabled and offer.ends > now
        while due := [(deal.due, number) for number, deal in self.deals.items() if deal.due <= now]:
            number = min(due)[1]
            deal = self.deals[number]
            amount = self._by_itself(balances, deal)
            fee = ceil(amount * deal.rate)
            if amount and self.repay(balances, number, amount, fee):
                yield "repaid", number, amount, fee
            if number in self.deals:
                del self.deals[number]
                offer = self.offers[deal.offer]
                offer.total -= deal.debt
                balances[offer.owner, deal.collateral_asset] += deal.collateral
                yield "ended", number, deal.debt, deal.collateral

    def _by_itself(self, balances: Balances, deal: SlowDeal) -> int:
        held = balances[deal.borrower, self.offers[deal.offer].asset]
        payable = [a for a in range(deal.debt + 1) if a + ceil(a * deal.rate) <= held]
        if deal.auto == 0 or (deal.auto == 1 and deal.debt not in payable):
            return 0
        if deal.debt in payable:
            return deal.debt
        freed = [floor(Fraction(a * deal.collateral, deal.debt)) for a in range(deal.debt + 1)]
        return freed.index(max(freed[a] for a in payable))
