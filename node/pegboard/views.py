"""What a market tells of positions, orders and requests: as they were when they were asked for.

Amounts are whole units with all places of their asset; prices are BitAsset for one backing token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple


class Reason(NamedTuple):
    """A sentence about a position with the numbers at hand, and the rule that makes it true."""

    text: str
    rule: str


class Explained(NamedTuple):
    """Whether a position is called and why, as `pegboard why` tells it."""

    status: str
    """"called", "not_called", "none" for no position; the others as in the API's answer."""
    reasons: tuple[Reason, ...]
    """The most important one first."""


@dataclass(frozen=True, slots=True)
class Position:
    """The position of an account in a BitAsset; all zeros where there is none."""

    owner: str
    asset: str
    debt: Decimal
    collateral: Decimal
    ratio: Decimal | None
    """Collateral ratio at the feed, rounded down (R1.11); None without debt or without a feed."""
    call_price: Decimal | None
    """Debt / collateral * MCR (R1.10); None as with `ratio`."""
    target: Decimal | None
    """Once called, cover no more than reaches this ratio (R3.7)."""
    explain: Callable[[], Explained] = field(repr=False, compare=False)
    """Asks the chain why it is called or not, as it stands when this is asked."""

    @property
    def closed(self) -> bool:
        """Whether there is no debt: never borrowed, covered, called or settled in full."""
        return self.debt == 0


@dataclass(frozen=True, slots=True)
class Shocked:
    """What a shock would do to a BitAsset in the next block, as `pegboard shock` tells it."""

    called: int
    """Positions that would be called."""
    covered: Decimal
    """BitAsset that their calls would buy."""
    pays: Decimal
    """Backing that they would give for it, fees included."""
    fees: Decimal
    swan: bool
    """Whether the BitAsset would be settled as a whole (R6.1)."""
    settled_alone: int
    """Positions that would be settled alone (BS5)."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order when it was placed or looked at."""

    id: str
    owner: str
    sells: str
    wants: str
    for_sale: Decimal
    """What is left of it; 0 when it was filled at once."""
    price: Decimal
    """BitAsset for one backing token; in a market without one, what is wanted for one sold."""

    @property
    def filled(self) -> bool:
        """Whether nothing of it waits in the book."""
        return self.for_sale == 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """A request to settle at the feed."""

    id: str
    """"" for what the fund of a global settlement redeemed at once."""
    owner: str
    asset: str
    amount: Decimal
    due: int
    """Seconds since 1970 of the first block that may execute it."""
