"""Guesses as people type them, and whether one is near enough.

A comma and a point may both mark decimals or thousands; what can be read in two ways is, and the
learner has the better of the two. Signs and digits of Chinese keyboards count as ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from protocol.errors import PegboardError

TOLERANCE = Fraction(1, 100)
"""How far a guess may be from the answer, as a share of it; an answer of nothing has none."""
GUESS_MAX = 100
"""Characters of a guess."""

_NUMBER = re.compile(r"([0-9][0-9.,' ]{0,40}|[.,][0-9]{1,20})(?:/\s*([0-9]{1,12}))?\s*(%?)\s*(.*)")
_MARKS = str.maketrans({"。": ".", "、": ",", "\N{ARABIC DECIMAL SEPARATOR}": ".", "’": "'"})
_GROUPED = r"[0-9]{{1,3}}(?:{0}[0-9]{{3}})+"


class UnreadableGuess(PegboardError):
    """What was typed is no number of the unit that is asked for."""

    name = "unreadable_guess"


def plain_text(text: str) -> str:
    """What was typed, in our own digits and signs, without spaces around it."""
    return unicodedata.normalize("NFKC", text).translate(_MARKS).strip()


def read_guess(text: str, units: Sequence[str] = ()) -> frozenset[Fraction]:
    """Every number that a guess may mean: "1,5", "1.5", "150%", "3/2", "1 234,5 TEST".

    `units` are what may stand behind the number. Raises `UnreadableGuess`.
    """
    plain = plain_text(text)
    match = _NUMBER.fullmatch(plain) if len(plain) <= GUESS_MAX else None
    allowed = {unit.casefold() for unit in units}
    if match is None or (match[4] and match[4].casefold().rstrip(".") not in allowed):
        raise _unreadable(text)
    number, divisor, percent, _ = match.groups()
    parts = (100 if percent else 1) * int(divisor or 1)
    found = frozenset(reading / parts for reading in _readings(number.strip())) if parts else None
    if not found:
        raise _unreadable(text)
    return found


def _readings(number: str) -> set[Fraction]:
    """A number whose commas and points mark decimals or thousands, in each way that fits."""
    found = set()
    for decimal, thousands in ((".", "[, ']"), (",", "[. ']")):
        whole, _, places = number.partition(decimal)
        is_whole = re.fullmatch(rf"[0-9]*|{_GROUPED.format(thousands)}", whole)
        if is_whole and re.fullmatch("[0-9]*", places) and (whole or places):
            digits = re.sub("[^0-9]", "", whole)
            found.add(Fraction(f"{digits or 0}.{places or 0}"))
    return found


def is_near(readings: frozenset[Fraction], answer: Decimal) -> bool:
    """Whether a guess may mean a number within `TOLERANCE` of the answer."""
    wanted = Fraction(answer)
    return any(abs(reading - wanted) <= abs(wanted) * TOLERANCE for reading in readings)


def _unreadable(text: str) -> UnreadableGuess:
    shown = text.strip()[:GUESS_MAX]
    return UnreadableGuess("not a number, such as 1.5, 1,5, 150% or 3/2", value=shown)
