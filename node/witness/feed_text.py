"""Feed sources as text, and the CSV series behind them.

A source is one line:

    csv:config/prices/try_usd.csv?every=3s&from=2021-11-15
    fixed:0.05?mcr=1750&msqr=1100
    walk:seed=7,start=0.05,step=30bp,every=1m

What is played begins `at` a time: that of the genesis unless it is named.
`mcr` and `msqr` are thousandths (R1.12): the maintenance collateral ratio, and the maximum short
squeeze ratio, which is `maximum_short_squeeze_ratio` on the wire. Files are read by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from node.witness.feed_source import (
    CsvSeries,
    FeedSource,
    FixedPrice,
    PriceRatio,
    PriceSource,
    RandomWalk,
)
from protocol.constants import (
    DEFAULT_MAINTENANCE_COLLATERAL_RATIO,
    DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO,
    MAX_COLLATERAL_RATIO,
    MIN_COLLATERAL_RATIO,
)
from protocol.durations import parse_duration
from protocol.errors import DecodeError, PegboardError
from protocol.json_form import parse_time
from protocol.schema import Record

SERIES_ROWS_MAX = 100_000
"""Rows of a CSV series; more are refused."""

_PRICE = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,12}))?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


FIXED_INTERVAL_S = 600
"""Seconds between two publications of a price that does not change."""


class FeedSourceError(PegboardError):
    """The text of a feed source is malformed or out of bounds."""

    name = "feed_source_error"


class MalformedSeries(FeedSourceError):
    """A CSV series cannot be read; `row` counts lines from 1, `column` is "time" or "price"."""

    name = "malformed_series"

    def __init__(
        self, what: str, *, row: int, column: str, value: object, limit: object = None
    ) -> None:
        super().__init__(f"row {row}, column {column}: {what}", value=value, limit=limit)
        self.row = row
        self.column = column


def parse_series(text: str, *, first_time_s: int = 0) -> CsvSeries:
    """Read "time,price" rows below that header, oldest first; times before the first are left out.

    A time is a day, a time as in block headers, or seconds since 1970; a price a positive decimal
    of at most 12 digits on either side of the point. Raises `MalformedSeries`.
    """
    lines = text.splitlines()
    if not lines or lines[0].strip() != "time,price":
        value = lines[0] if lines else ""
        raise MalformedSeries('the header is not "time,price"', row=1, column="time", value=value)
    if len(lines) - 1 > SERIES_ROWS_MAX:
        raise MalformedSeries(
            "too many rows",
            row=SERIES_ROWS_MAX + 2,
            column="time",
            value=len(lines) - 1,
            limit=SERIES_ROWS_MAX,
        )
    rows = [_parse_row(number, line) for number, line in enumerate(lines[1:], 2)]
    for number, ((before, _), (after, _)) in enumerate(pairwise(rows), 3):
        if after <= before:
            raise MalformedSeries(
                "not later than the row before",
                row=number,
                column="time",
                value=after,
                limit=before,
            )
    rows = [row for row in rows if row[0] >= first_time_s]
    if not rows:
        raise MalformedSeries("no row is left", row=len(lines), column="time", value=first_time_s)
    return CsvSeries(tuple(time_s for time_s, _ in rows), tuple(price for _, price in rows))


def _parse_row(number: int, line: str) -> tuple[int, PriceRatio]:
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != 2:
        raise MalformedSeries("not two cells", row=number, column="price", value=line, limit=2)
    try:
        time_s = parse_moment(cells[0])
    except PegboardError as error:
        raise MalformedSeries(error.what, row=number, column="time", value=cells[0]) from error
    try:
        return time_s, parse_price(cells[1])
    except PegboardError as error:
        raise MalformedSeries(error.what, row=number, column="price", value=cells[1]) from error


def parse_moment(text: str) -> int:
    """Seconds since 1970 of "2021-11-15", "2021-11-15T00:00:00" or "1636934400".

    Raises `FeedSourceError`.
    """
    if text.isascii() and text.isdigit() and len(text) <= 10:
        return int(text)
    try:
        return parse_time(f"{text}T00:00:00" if _DAY.fullmatch(text) else text)
    except DecodeError as error:
        raise FeedSourceError(error.what, value=text) from error


def parse_price(text: str) -> PriceRatio:
    """The exact ratio that a positive decimal stands for; raises `FeedSourceError`."""
    match = _PRICE.fullmatch(text)
    if match is None:
        raise FeedSourceError("not a decimal number", value=text, limit="12 digits . 12 digits")
    whole, fraction = match[1], match[2] or ""
    ratio = PriceRatio(int(whole + fraction), 10 ** len(fraction))
    if ratio.base == 0:
        raise FeedSourceError("a price must be positive", value=text)
    return ratio


class FeedContext(Record, gc=True):
    """What the text of a source leaves to the node: its start, its block interval, its files."""

    start_s: int
    block_interval_s: int
    read_text: Callable[[str], str]
    """The text of a named file; raises `OSError`."""


def publication_interval_s(text: str, block_interval_s: int) -> int:
    """How often a source is published: a fixed price now and then, others with every block."""
    return FIXED_INTERVAL_S if text.startswith("fixed:") else block_interval_s


def parse_feed_source(text: str, context: FeedContext) -> FeedSource:
    """Read the one-line form of a source (see the module's docstring).

    `every` is a number of seconds, minutes, hours, days or blocks: `3s`, `1m`, `1h`, `1d`, `2b`.
    Raises `FeedSourceError`, or `MalformedSeries` for the file behind `csv:`.
    """
    kind, separator, rest = text.partition(":")
    if kind not in PARSERS or not separator:
        raise FeedSourceError("unknown kind of feed source", value=text, limit=", ".join(PARSERS))
    subject, _, options_text = ("", "", rest) if kind == "walk" else rest.partition("?")
    options = parse_options(kind, options_text, OPTIONS[kind])
    return FeedSource(
        PARSERS[kind](subject, options, context),
        _parse_ratio(options, "mcr", DEFAULT_MAINTENANCE_COLLATERAL_RATIO),
        _parse_ratio(options, "msqr", DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO),
    )


OPTIONS = {
    "csv": ("every", "from", "at", "mcr", "msqr"),
    "fixed": ("mcr", "msqr"),
    "walk": ("seed", "start", "step", "every", "at", "mcr", "msqr"),
}
"""Names of the options that each kind of source takes."""


def parse_options(kind: str, text: str, names: Sequence[str]) -> dict[str, str]:
    """The options of a source, "every=3s&from=2021-11-15" or with commas, each once and of `names`.

    Raises `FeedSourceError`.
    """
    options: dict[str, str] = {}
    for part in re.split("[&,]", text) if text else ():
        name, _, value = part.partition("=")
        if name not in names:
            limit = ", ".join(names)
            raise FeedSourceError(f"{kind}: unknown option", value=part, limit=limit)
        if name in options or not value:
            raise FeedSourceError(f"{kind}: each option needs one value", value=part)
        options[name] = value
    return options


def read_file(kind: str, path: str, context: FeedContext) -> str:
    """The text of the file that a source of some kind names; raises `FeedSourceError`."""
    try:
        return context.read_text(path)
    except (OSError, UnicodeError) as error:
        raise FeedSourceError(f"{kind}: cannot read the file: {error}", value=path) from error


def _parse_csv(path: str, options: Mapping[str, str], context: FeedContext) -> PriceSource:
    text = read_file("csv", path, context)
    first_time_s = parse_moment(options["from"]) if "from" in options else 0
    series = parse_series(text, first_time_s=first_time_s)
    if "every" not in options:
        return series
    start_s, interval_s = parse_pace(options, context)
    return CsvSeries(series.times_s, series.prices, start_s, interval_s)


def _parse_fixed(price: str, options: Mapping[str, str], context: FeedContext) -> PriceSource:
    return FixedPrice(parse_price(price))


def _parse_walk(subject: str, options: Mapping[str, str], context: FeedContext) -> PriceSource:
    missing = [name for name in ("seed", "start", "step") if name not in options]
    if missing:
        raise FeedSourceError("walk: option missing", value=", ".join(missing))
    return RandomWalk(
        parse_seed(options),
        parse_price(options["start"]),
        _parse_integer("step", options["step"].removesuffix("bp"), range(1, 10_001)),
        *parse_pace(options, context),
    )


PARSERS: dict[str, Callable[[str, Mapping[str, str], FeedContext], PriceSource]] = {
    "csv": _parse_csv,
    "fixed": _parse_fixed,
    "walk": _parse_walk,
}
"""The kinds of source, by the word before the colon."""


def parse_pace(options: Mapping[str, str], context: FeedContext) -> tuple[int, int]:
    """`at` and `every`: when the first price holds, in seconds since 1970, and for how many.

    Those of the context, and a block, unless they are said. Raises `FeedSourceError`.
    """
    start_s = parse_moment(options["at"]) if "at" in options else context.start_s
    text = options.get("every", "1b")
    try:
        return start_s, parse_duration(text, block_interval_s=context.block_interval_s)
    except DecodeError as error:
        raise FeedSourceError(f"every: {error.what}", value=text, limit=error.limit) from error


def parse_seed(options: Mapping[str, str]) -> int:
    """The seed of a source that is drawn; raises `FeedSourceError`."""
    return _parse_integer("seed", options.get("seed", ""), range(1 << 64))


def _parse_ratio(options: Mapping[str, str], name: str, default: int) -> int:
    if name not in options:
        return default
    return _parse_integer(
        name, options[name], range(MIN_COLLATERAL_RATIO, MAX_COLLATERAL_RATIO + 1)
    )


def _parse_integer(name: str, text: str, bounds: range) -> int:
    limit = f"{bounds[0]}..{bounds[-1]}"
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise FeedSourceError(f"{name}: not a number", value=text, limit=limit)
    if int(text) not in bounds:
        raise FeedSourceError(f"{name}: out of range", value=text, limit=limit)
    return int(text)
