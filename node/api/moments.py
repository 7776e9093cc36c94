"""Times that are given as such, or as a distance from the head of the chain: "+3600s", "+2d"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protocol.constants import SECONDS_PER_DAY
from protocol.errors import DecodeError
from protocol.json_form import parse_time

SECONDS_OF_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": SECONDS_PER_DAY}
DISTANCE = r"\+([0-9]{1,9})([smhd])"


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in seconds since 1970, or seconds after some other time."""

    seconds: int
    is_distance: bool

    def after(self, time_s: int) -> int:
        """The moment in seconds since 1970, seen from a time."""
        return time_s + self.seconds if self.is_distance else self.seconds


def parse_moment(text: str) -> Moment:
    """Read "2026-01-31T12:00:00" or "+90s", "+15m", "+1h", "+2d"; raises `DecodeError`."""
    match = re.fullmatch(DISTANCE, text, re.ASCII)
    if match is not None:
        return Moment(int(match[1]) * SECONDS_OF_UNITS[match[2]], is_distance=True)
    if text.startswith("+"):
        raise DecodeError("not a distance in time", value=text, limit="+90s, +15m, +1h, +2d")
    return Moment(parse_time(text), is_distance=False)
