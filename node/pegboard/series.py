"""Prices that a market follows: a feed source, and the jumps that are laid over it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

from node.witness.feed_source import FeedSource
from node.witness.feed_text import PARSERS, FeedContext, FeedSourceError, parse_feed_source
from pegboard.amounts import BadAmount, Number, exact
from pegboard.paths import OPTIONS as DRAWN
from pegboard.paths import read_path


class Shock(NamedTuple):
    """A jump of a price that lasts."""

    block: int
    """From the so manyth block on that the market makes since, counted from 1."""
    by: Number
    """By so much of itself, such as "-30%"."""


class Series:
    """A source whose course is a function of the seed, the time and the blocks that were made."""

    def __init__(self, source: FeedSource, shocks: Sequence[Shock], made: int) -> None:
        """Raises `BadAmount` for a shock that leaves no price."""
        self.source = source
        self.last: Fraction | None = None
        """What was published last."""
        self._start = made
        self._factors = [(shock.block, 1 + exact(shock.by)) for shock in shocks]
        for shock, (block, factor) in zip(shocks, self._factors, strict=True):
            if factor <= 0 or block < 1:
                raise BadAmount("a shock leaves no price", value=shock.by, limit="-99.9%")

    def price(self, time_s: int, made: int) -> Fraction:
        """The price at a time, when a market has made so many blocks."""
        found = Fraction(*self.source.prices.price_at(time_s))
        for block, factor in self._factors:
            if made - self._start >= block - 1:
                found *= factor
        return found


def read_source(
    text: str,
    *,
    symbol: str,
    seed: int,
    start_s: int,
    block_interval_s: int,
    read_text: Callable[[str], str],
) -> FeedSource:
    """The source of one line of text, as of `pegboard up --feed`, or a path that is drawn
    (`pegboard.paths`); raises `FeedSourceError`.

    What is drawn without a seed takes one that follows from the market's and the symbol.
    """
    kind = text.partition(":")[0]
    if kind not in (*PARSERS, *DRAWN):
        limit = ", ".join((*PARSERS, *DRAWN))
        raise FeedSourceError("unknown kind of feed source", value=text, limit=limit)
    if kind in ("walk", *DRAWN) and "seed=" not in text:
        mark = "?" if kind == "bootstrap" and "?" not in text else ","
        text += f"{mark}seed={zlib.crc32(f'{seed}/{symbol}'.encode())}"
    context = FeedContext(start_s, block_interval_s, read_text)
    return read_path(text, context) if kind in DRAWN else parse_feed_source(text, context)


def named_file(text: str) -> str | None:
    """The file that a source's text names, if it names one."""
    kind, _, rest = text.partition(":")
    return rest.partition("?")[0] if kind in ("csv", "bootstrap") else None
