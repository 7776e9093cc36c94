"""Prices that are drawn: a geometric walk, jumps, and blocks of a recorded series.

    geometric:start=0.12,drift=-1%,volatility=3%,every=1b
    jump:start=0.12,volatility=2%,rate=0.05,size=-15%,spread=5%
    bootstrap:config/prices/try_usd.csv?block=5&from=2021-09-15&to=2021-12-20&every=1b

`drift`, `volatility` and `rate` are per interval, `every`, which is a block unless it is said. All
numbers are decimals of 28 digits, whose logarithm, power and root are rounded correctly wherever
they are computed: one seed gives one path on every machine, which no float promises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache
from itertools import pairwise
from random import Random

from node.witness.feed_source import WALK_PRICE_MAX, WALK_SCALE, FeedSource, PriceRatio
from node.witness.feed_text import (
    FeedContext,
    FeedSourceError,
    parse_moment,
    parse_options,
    parse_pace,
    parse_price,
    parse_seed,
    parse_series,
    read_file,
)
from pegboard.amounts import BadAmount, exact

EXACTLY = Context(prec=28, rounding=ROUND_HALF_EVEN)
"""How every number of a path is computed."""
BLOCK_ROWS_MAX = 1_000
RATE_MAX = Decimal(10)
"""Jumps per interval."""
VOLATILITY_MAX = Decimal(1)

_SHARED = ("start", "seed", "every", "at")
OPTIONS = {
    "geometric": (*_SHARED, "drift", "volatility"),
    "jump": (*_SHARED, "drift", "volatility", "rate", "size", "spread"),
    "bootstrap": (*_SHARED, "block", "from", "to"),
}
"""Names of the options that each kind of path takes."""

Options = Mapping[str, str]


class DrawnPath:
    """A price that every interval is multiplied by what is drawn next.

    A function of the seed and the time: asking for ever later times costs a step each, an earlier
    one begins anew.
    """

    def __init__(
        self,
        start: Decimal,
        draw: Callable[[], Iterator[Decimal]],
        start_s: int,
        interval_s: int,
    ) -> None:
        """`draw` begins the same endless row of factors whenever it is called."""
        self._start, self._draw = start, draw
        self._start_s, self._interval_s = start_s, interval_s
        self._begin()

    def _begin(self) -> None:
        self._step, self._price, self._factors = 0, self._start, self._draw()

    def price_at(self, time_s: int) -> PriceRatio:
        """The price after all steps up to a time, to twelve places; the first before the start."""
        wanted = max((time_s - self._start_s) // self._interval_s, 0)
        if wanted < self._step:
            self._begin()
        while self._step < wanted:
            self._price = EXACTLY.multiply(self._price, next(self._factors))
            self._step += 1
        units = int(EXACTLY.multiply(self._price, WALK_SCALE).to_integral_value(ROUND_HALF_EVEN))
        return PriceRatio(min(max(units, 1), WALK_PRICE_MAX * WALK_SCALE), WALK_SCALE)


class Normals:
    """Standard normal numbers by Marsaglia's polar method, of decimals; use inside `EXACTLY`."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._spare: Decimal | None = None

    def draw(self) -> Decimal:
        """The next one."""
        if self._spare is not None:
            found, self._spare = self._spare, None
            return found
        while True:
            left, right = (2 * Decimal(self._random.random()) - 1 for _ in range(2))
            radius = left * left + right * right
            if 0 < radius < 1:
                factor = (-2 * radius.ln() / radius).sqrt()
                self._spare = right * factor
                return left * factor


def geometric_factors(random: Random, drift: Decimal, volatility: Decimal) -> Iterator[Decimal]:
    """Factors whose mean is 1 + drift, and whose logarithms are normal with that deviation."""
    return jump_factors(random, drift, volatility, Decimal(0), Decimal(0), Decimal(0))


def jump_factors(
    random: Random,
    drift: Decimal,
    volatility: Decimal,
    rate: Decimal,
    size: Decimal,
    spread: Decimal,
) -> Iterator[Decimal]:
    """Merton's jump diffusion: beside a geometric walk, a number of jumps that is Poisson with mean
    `rate`, each by `size` with a deviation of `spread` in its logarithm."""
    normals = Normals(random)
    with localcontext(EXACTLY):
        center = (1 + drift).ln() - volatility * volatility / 2
        jump, none = (1 + size).ln(), (-rate).exp()
    while True:
        with localcontext(EXACTLY):
            moved = center + volatility * normals.draw()
            for _ in range(poisson(random, none) if rate else 0):
                moved += jump + spread * normals.draw()
            factor = moved.exp()
        yield factor


def poisson(random: Random, none: Decimal) -> int:
    """A Poisson number by Knuth's method, `none` being the probability of 0; inside `EXACTLY`."""
    count, left = 0, Decimal(random.random())
    while left > none:
        count += 1
        left *= Decimal(random.random())
    return count


def bootstrap_factors(random: Random, factors: Sequence[Decimal], block: int) -> Iterator[Decimal]:
    """A moving block bootstrap: so many neighbours of a row at a time, from anywhere in it."""
    while True:
        first = random.randrange(len(factors) - block + 1)
        yield from factors[first : first + block]


def read_path(text: str, context: FeedContext) -> FeedSource:
    """Read a source of one of these kinds, its seed included; raises `FeedSourceError`."""
    kind, _, rest = text.partition(":")
    subject, _, options_text = rest.partition("?") if kind == "bootstrap" else ("", "", rest)
    options = parse_options(kind, options_text, OPTIONS[kind])
    seed = parse_seed(options)
    if kind == "bootstrap":
        start, draw = _bootstrap(subject, options, context, seed)
    else:
        start, draw = _diffusion(kind, options, seed)
    return FeedSource(DrawnPath(start, draw, *parse_pace(options, context)))


_Drawn = tuple[Decimal, Callable[[], Iterator[Decimal]]]


def _diffusion(kind: str, options: Options, seed: int) -> _Drawn:
    for name in ("start", "volatility", *(("rate", "size") if kind == "jump" else ())):
        if name not in options:
            raise FeedSourceError(f"{kind}: option missing", value=name)
    least = Decimal("-0.99")
    drift = _number(kind, options, "drift", least, VOLATILITY_MAX)
    volatility = _number(kind, options, "volatility", Decimal(0), VOLATILITY_MAX)
    rate = _number(kind, options, "rate", Decimal(0), RATE_MAX)
    size = _number(kind, options, "size", least, RATE_MAX)
    spread = _number(kind, options, "spread", Decimal(0), VOLATILITY_MAX)
    return _start(options), lambda: jump_factors(
        Random(seed), drift, volatility, rate, size, spread
    )


def _bootstrap(path: str, options: Options, context: FeedContext, seed: int) -> _Drawn:
    text = read_file("bootstrap", path, context)
    first = parse_moment(options["from"]) if "from" in options else 0
    last = parse_moment(options["to"]) if "to" in options else None
    start, factors = _recorded(text, first, last)
    block, most = options.get("block", "1"), min(len(factors), BLOCK_ROWS_MAX)
    if not (block.isascii() and block.isdigit() and len(block) < 9 and 1 <= int(block) <= most):
        raise FeedSourceError("bootstrap: no such block of rows", value=block, limit=f"1..{most}")
    begin = _start(options) if "start" in options else start
    return begin, lambda: bootstrap_factors(Random(seed), factors, int(block))


@lru_cache(16)
def _recorded(text: str, first_s: int, last_s: int | None) -> tuple[Decimal, Sequence[Decimal]]:
    """The first price of a series within bounds, and by what it was multiplied row by row."""
    series = parse_series(text, first_time_s=first_s)
    prices = [
        EXACTLY.divide(Decimal(price.base), Decimal(price.quote))
        for time_s, price in zip(series.times_s, series.prices, strict=True)
        if last_s is None or time_s <= last_s
    ]
    if len(prices) < 2:
        raise FeedSourceError("bootstrap: too few rows are left", value=len(prices), limit=2)
    return prices[0], [EXACTLY.divide(after, before) for before, after in pairwise(prices)]


def _start(options: Options) -> Decimal:
    price = parse_price(options["start"])
    return EXACTLY.divide(Decimal(price.base), Decimal(price.quote))


def _number(kind: str, options: Options, name: str, least: Decimal, most: Decimal) -> Decimal:
    text = options.get(name, "0")
    try:
        ratio = exact(text)
    except BadAmount as error:
        raise FeedSourceError(f"{kind}: {name}: {error.what}", value=text) from error
    found = EXACTLY.divide(Decimal(ratio.numerator), Decimal(ratio.denominator))
    if not least <= found <= most:
        limit = f"{least}..{most}"
        raise FeedSourceError(f"{kind}: {name} out of range", value=text, limit=limit)
    return found
