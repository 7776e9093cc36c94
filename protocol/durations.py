"""Lengths of time as people write them: "30s", "10m", "12h", "7d"."""

from __future__ import annotations

import re
from typing import Final

from protocol.constants import SECONDS_PER_DAY
from protocol.errors import DecodeError

SECONDS_OF_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": SECONDS_PER_DAY}

_PATTERN = re.compile(r"([0-9]{1,9})([a-z])", re.ASCII)


def parse_duration(text: str, *, least: int = 1, block_interval_s: int | None = None) -> int:
    """Seconds of "30s", "10m", "12h" or "7d"; of "2b", two blocks, where an interval is given.

    Raises `DecodeError`, also for less than `least` units.
    """
    match = _PATTERN.fullmatch(text)
    units: dict[str, int] = {**SECONDS_OF_UNITS}
    if block_interval_s is not None:
        units["b"] = block_interval_s
    if match is None or match[2] not in units or int(match[1]) < least:
        example = ", ".join(f"{10 + 2 * place}{unit}" for place, unit in enumerate(units))
        raise DecodeError(f"not a duration, such as {example}", value=text)
    return int(match[1]) * units[match[2]]
