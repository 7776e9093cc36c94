"""What a scenario expects: one comparison a line, read and looked at.

    alice.position.bitUSD.closed = true
    alice.balance.bitUSD >= 100
    bitUSD.highest_bid < 0.1

On the left stands what `QUANTITIES` names, on the right a number, `true`, `false` or `none`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pegboard.amounts import BadAmount, exact, quotient
from protocol.constants import RATIO_DENOMINATOR
from protocol.errors import PegboardError

if TYPE_CHECKING:
    from pegboard.ledger import FeedFacts
    from pegboard.vocabulary import Market

Found: TypeAlias = Decimal | int | bool | None
_LINE = re.compile(r"([A-Za-z][\w.-]*)\s*(<=|>=|!=|==?|<|>)\s*(\S+)")


class MalformedExpectation(PegboardError):
    """An expectation that cannot be read."""

    name = "malformed_expectation"


class ExpectationFailed(PegboardError):
    """A scenario came out otherwise; carries the rule that decides, what was found and wanted."""

    name = "expectation_failed"


def _feed(market: Market, asset: str) -> FeedFacts:
    return market.reader.feed(market.reader.bitasset(asset)[0])


def _ratio(thousandths: int) -> Decimal:
    return quotient(thousandths, RATIO_DENOMINATOR)


class Quantity(NamedTuple):
    """Something to be expected of a market: which rule makes it what it is, and how to find it."""

    rule: str
    find: Callable[[Market, str, str], Found]
    """By who or nothing, and which asset or nothing."""


QUANTITIES = {
    "position.debt": Quantity("R3.3", lambda m, who, what: m.find(who).position(what).debt),
    "position.collateral": Quantity(
        "R3.3", lambda m, who, what: m.find(who).position(what).collateral
    ),
    "position.ratio": Quantity("R1.11", lambda m, who, what: m.find(who).position(what).ratio),
    "position.call_price": Quantity(
        "R1.10", lambda m, who, what: m.find(who).position(what).call_price
    ),
    "position.target": Quantity("R3.7", lambda m, who, what: m.find(who).position(what).target),
    "position.closed": Quantity("R4.7", lambda m, who, what: m.find(who).position(what).closed),
    "balance": Quantity("I6", lambda m, who, what: m.find(who).balance(what)),
    "orders": Quantity("R2.3", lambda m, who, what: len(m.find(who).orders())),
    "price": Quantity("R1.16", lambda m, who, what: m.price(what)),
    "mcr": Quantity("R1.9", lambda m, who, what: _ratio(_feed(m, what).maintenance_ratio)),
    "msqr": Quantity("R1.7", lambda m, who, what: _ratio(_feed(m, what).squeeze_ratio)),
    "sqp": Quantity(
        "R1.7",
        lambda m, who, what: quotient(m.reader.squeeze_price(m.reader.bitasset(what)[0])),
    ),
    "supply": Quantity("I3", lambda m, who, what: m.supply(what)),
    "positions": Quantity("R4.1", lambda m, who, what: len(m.positions(what))),
    "settlements": Quantity("R5.4", lambda m, who, what: len(m.settlements(what))),
    "settled": Quantity("R6.2", lambda m, who, what: m.is_settled(what)),
    "highest_bid": Quantity(
        "R4.2", lambda m, who, what: next((one.price for one in m.bids(what)), None)
    ),
    "lowest_ask": Quantity(
        "R2.3", lambda m, who, what: next((one.price for one in m.asks(what)), None)
    ),
}
"""After `NAME.` stand `balance.ASSET`, `orders` and `position.ASSET.FIELD`; after `ASSET.` the
others."""

WORDS: dict[str, Found] = {"true": True, "false": False, "none": None}


@dataclass(frozen=True, slots=True)
class Expectation:
    """One comparison, as it was written."""

    text: str
    quantity: str
    who: str
    what: str
    relation: str
    wanted: Found | Fraction


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an expectation."""

    text: str
    rule: str
    found: str
    wanted: str
    is_met: bool

    def failure(self) -> ExpectationFailed:
        """The refusal that says so."""
        return ExpectationFailed(
            f"expected {self.text}", rule=self.rule, value=self.found, limit=self.wanted
        )


def read_expectation(text: str) -> Expectation:
    """Read a line; raises `MalformedExpectation`."""
    match = _LINE.fullmatch(text.strip())
    if match is None:
        raise MalformedExpectation(
            "not a comparison, such as alice.position.bitUSD.closed = true", value=text
        )
    path, relation, value = match.groups()
    quantity, who, what = split_path(path)
    if quantity not in QUANTITIES:
        limit = ", ".join(QUANTITIES)
        raise MalformedExpectation("no such quantity", value=path, limit=limit)
    wanted: Found | Fraction
    try:
        wanted = WORDS[value] if value in WORDS else exact(value)
    except BadAmount as error:
        raise MalformedExpectation(
            "neither a number nor true, false or none", value=value
        ) from error
    if value in WORDS and relation in ("<", ">", "<=", ">="):
        raise MalformedExpectation("only numbers have an order", value=text)
    return Expectation(text, quantity, who, what, relation, wanted)


def measure(market: Market, path: str) -> Found:
    """What stands on the left of an expectation, as it is now; raises `NoSuchObject`."""
    quantity, who, what = split_path(path)
    return QUANTITIES[quantity].find(market, who, what)


def split_path(path: str) -> tuple[str, str, str]:
    """Quantity, account and asset; the names of accounts and assets may hold dots themselves."""
    who, mark, rest = path.partition(".position.")
    if mark:
        what, _, field = rest.rpartition(".")
        return f"position.{field}", who, what
    who, mark, what = path.partition(".balance.")
    if mark:
        return "balance", who, what
    name, _, quantity = path.rpartition(".")
    return (quantity, name, "") if quantity == "orders" else (quantity, "", name)


def look(market: Market, expected: Expectation) -> Outcome:
    """Whether a market is as it is expected; raises `NoSuchObject` for names it does not know."""
    quantity = QUANTITIES[expected.quantity]
    found = quantity.find(market, expected.who, expected.what)
    wanted = expected.wanted
    return Outcome(
        expected.text,
        quantity.rule,
        _text(found),
        f"{expected.relation} {expected.text.split()[-1].lstrip('<>=!')}",
        _holds(found, expected.relation, wanted),
    )


def _holds(found: Found, relation: str, wanted: Found | Fraction) -> bool:
    if relation in ("=", "=="):
        return _same(found, wanted)
    if relation == "!=":
        return not _same(found, wanted)
    if found is None or wanted is None:
        return False
    left, right = Fraction(found), Fraction(wanted)
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[
        relation
    ]


def _same(found: Found, wanted: Found | Fraction) -> bool:
    if found is None or wanted is None or isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return Fraction(found) == Fraction(wanted)


def _text(found: Found) -> str:
    if found is None or isinstance(found, bool):
        return str(found).lower()
    return f"{found:f}" if isinstance(found, Decimal) else str(found)
