"""How much changes hands when two sides meet: pure rounding rules (R2.5, R4.5, R5.5).

A price here is the maker's `sell_price` for orders (base what the maker sells), and debt per
backing for positions. Section 11 of the rule book sums up whom each rounding favours.
"""

from __future__ import annotations

from typing import NamedTuple

from node.market.pricing import worth_ceil, worth_floor
from protocol.asset import Price
from protocol.schema import Record

OrderMatch = tuple[int, int, bool]
"""Two limit orders meet: what the taker gives, what it gets from the maker, and whether it is the
smaller one: used up, but for dust that buys nothing. Bare, for each match makes one."""


def match_orders(taker_for_sale: int, maker_for_sale: int, price: Price) -> OrderMatch | None:
    """The match of two limit orders at the maker's price; None when the taker is too small (R2.5).

    The smaller order gets the least that its side can be rounded to and pays no more than that is
    worth, so rounding favours the larger one; the smaller one's dust is left over. Raises
    `PriceOverflow`.
    """
    base, quote = price.base, price.quote
    maker_worth = worth_floor(maker_for_sale, quote, base)
    if taker_for_sale <= maker_worth:
        receives = worth_floor(taker_for_sale, base, quote)
        if receives == 0:
            return None
        return worth_ceil(receives, quote, base), receives, True
    return maker_worth, worth_ceil(maker_worth, base, quote), False


class CallMatch(NamedTuple):
    """A called position meets a bid."""

    debt_covered: int
    """BitAsset that the order pays and the position receives."""
    order_receives: int
    """Backing that the order gets."""
    position_pays: int
    """Backing that the position gives up, the margin call fee included."""

    @property
    def fee(self) -> int:
        """Margin call fee, in backing (BSIP74)."""
        return self.position_pays - self.order_receives


def match_call(
    debt: int, collateral: int, for_sale: int, cover: int, price: Price, pays_price: Price
) -> CallMatch | None:
    """A position, to be covered by at most `cover`, meets an order at its price (R4.5, R4.10).

    `pays_price` is what the position pays, fee included. None when the position is refused for
    undercollateralisation: it cannot pay, or would be left worse off, with no collateral at worst.
    Raises `PriceOverflow`.
    """
    base, quote = price.base, price.quote
    pays_base, pays_quote = pays_price.base, pays_price.quote
    if cover > for_sale:
        receives = worth_floor(for_sale, quote, base)
        covered = worth_ceil(receives, base, quote)
        pays = worth_floor(covered, pays_quote, pays_base)
        if (collateral - pays) * debt < collateral * (debt - covered):
            return None
        return CallMatch(covered, receives, pays)
    pays = worth_ceil(cover, pays_quote, pays_base)
    if pays > collateral:
        return None
    return CallMatch(cover, worth_ceil(cover, quote, base), pays)


class RequestMatch(Record):
    """A called position that finds no bid meets a settlement request (SM4)."""

    debt_covered: int
    """BitAsset that the request gives up; 0 where it is too small to be paid anything."""
    settler_receives: int
    position_pays: int
    """Backing that the position gives up, the margin call fee included."""
    price: Price
    """What the settler gets, debt per backing."""
    is_request_dust: bool
    """Whether what is left of the request buys nothing and is to be cancelled."""

    @property
    def fee(self) -> int:
        """Margin call fee, in backing (BSIP74)."""
        return self.position_pays - self.settler_receives


class RequestPrices(Record):
    """At which prices a called position meets a request; debt per backing (SM4)."""

    pays: Price
    """What the position pays: SQP."""
    receives: Price
    """What the settler gets: MCOP."""
    own_pays: Price
    """Debt / collateral of the position, where it has no more."""
    own_receives: Price
    """What the settler then gets: the same less the margin call fee ratio."""


def match_request(
    debt: int, collateral: int, requested: int, cover: int, prices: RequestPrices
) -> RequestMatch:
    """A position, to be covered by at most `cover`, meets a request (SM4).

    A position that closes, or that reaches its target ratio, pays a fraction rounded up; otherwise
    the payout is rounded down, the request gives the least debt that buys it, and what is left of
    it is dust. Raises `PriceOverflow`.
    """
    covered = min(requested, cover)
    pays_price, price = prices.pays, prices.receives
    if worth_floor(covered, pays_price.quote, pays_price.base) == 0:
        if covered == requested < debt:
            return RequestMatch(0, 0, 0, price, True)
        return RequestMatch(covered, 1, 1, price, False)
    if covered == debt:
        pays = worth_ceil(debt, pays_price.quote, pays_price.base)
        if pays > collateral:
            pays, price = collateral, prices.own_receives
        receives = min(worth_ceil(debt, price.quote, price.base), pays)
        return RequestMatch(debt, receives, pays, price, False)
    if covered == cover:
        pays = worth_ceil(covered, pays_price.quote, pays_price.base)
        return RequestMatch(
            covered, worth_ceil(covered, price.quote, price.base), pays, price, False
        )
    found = _match_smaller_request(requested, pays_price, price)
    pays, paid_for = found.position_pays, found.debt_covered
    if pays >= collateral or (collateral - pays) * debt < collateral * (debt - paid_for):
        found = _match_smaller_request(requested, prices.own_pays, prices.own_receives)
    return found


def _match_smaller_request(requested: int, pays_price: Price, price: Price) -> RequestMatch:
    receives = worth_floor(requested, price.quote, price.base)
    if receives == 0:
        return RequestMatch(0, 0, 0, price, True)
    covered = worth_ceil(receives, price.base, price.quote)
    pays = worth_floor(covered, pays_price.quote, pays_price.base)
    return RequestMatch(covered, receives, pays, price, covered < requested)


class SettlementMatch(NamedTuple):
    """A settlement request meets a position."""

    debt_settled: int
    """BitAsset that the request gives up; 0 when nothing can be settled."""
    position_pays: int
    is_request_dust: bool
    """Whether what is left of the request buys nothing and is to be cancelled."""


def match_settlement(
    requested: int, allowance: int, debt: int, collateral: int, price: Price
) -> SettlementMatch:
    """A request of `requested`, of which `allowance` may be settled now, meets a position (R5.5).

    The price is one that the position can pay. A position that closes pays a fraction rounded up;
    otherwise the payout is rounded down, and the request gives the least debt that buys it (R5.6,
    R5.10).
    """
    base, quote = price.base.amount, price.quote.amount
    settled = min(requested, allowance, debt)
    if settled == debt:
        pays = -(-debt * quote // base)
        assert pays <= collateral, (pays, collateral)
        return SettlementMatch(debt, pays, False)
    pays = settled * quote // base
    if pays == 0:
        return SettlementMatch(0, 0, settled == requested)
    paid_for = -(-pays * base // quote)
    return SettlementMatch(paid_for, pays, settled == requested and paid_for < requested)
