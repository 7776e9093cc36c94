"""Times that are given as such, or as a distance from the head of the chain: "+3600s", "+2d"."""

from __future__ import annotations

from protocol.durations import parse_duration
from protocol.json_form import parse_time
from protocol.schema import Record


class Moment(Record):
    """A time in seconds since 1970, or seconds after some other time."""

    seconds: int
    is_distance: bool

    def after(self, time_s: int) -> int:
        """The moment in seconds since 1970, seen from a time."""
        return time_s + self.seconds if self.is_distance else self.seconds


def parse_moment(text: str) -> Moment:
    """Read "2026-01-31T12:00:00" or "+90s", "+15m", "+1h", "+2d"; raises `DecodeError`."""
    if text.startswith("+"):
        return Moment(parse_duration(text[1:], least=0), is_distance=True)
    return Moment(parse_time(text), is_distance=False)
