"""Feed sources: exact prices, pure functions of time, typed refusals of bad text."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.witness.feed_source import (
    WALK_PRICE_MAX,
    WALK_SCALE,
    CsvSeries,
    FeedSource,
    FixedPrice,
    PeggedAsset,
    PriceRatio,
    RandomWalk,
    publish_feed,
    scramble,
)
from node.witness.feed_text import (
    FeedContext,
    FeedSourceError,
    MalformedSeries,
    parse_feed_source,
    parse_moment,
    parse_price,
    parse_series,
)
from protocol.asset import AssetAmount, Price
from protocol.ids import AccountId, AssetId

PRICES = Path(__file__).resolve().parent.parent.parent / "config" / "prices"
SERIES = "time,price\n2021-01-04,0.5\n2021-01-05,0.25\n2021-01-08,4\n"
DAY_S = 86_400
JANUARY_4 = 1_609_718_400
USD = PeggedAsset(AssetId(1), 4, AssetId(0), 5)
FEE = AssetAmount(100_000, AssetId(0))


def read_series(path: str) -> str:
    if path != "x.csv":
        raise FileNotFoundError(path)
    return SERIES


CONTEXT = FeedContext(start_s=1_000, block_interval_s=3, read_text=read_series)


def same(left: PriceRatio, text: str) -> bool:
    return Decimal(left.base) / Decimal(left.quote) == Decimal(text)


@pytest.mark.parametrize("text", ["1", "0.05", "12.5000", "0.000000000001", "999999999999.5"])
def test_a_price_is_read_exactly(text: str) -> None:
    """No digit of a decimal is lost."""
    assert same(parse_price(text), text)


@pytest.mark.parametrize(
    "text", ["", "0", "0.000", "-1", "+1", "1e5", "1.", ".5", "nan", "1,5", "1" * 13, "٣"]
)
def test_what_is_not_a_positive_decimal_is_refused(text: str) -> None:
    """Signs, exponents, foreign digits and zero are not prices."""
    with pytest.raises(FeedSourceError):
        parse_price(text)


def test_a_series_holds_each_row_until_the_next() -> None:
    """By its own times: the first row also before, the last also after."""
    series = parse_series(SERIES)
    expected = {-9 * DAY_S: "0.5", 0: "0.5", DAY_S - 1: "0.5", DAY_S: "0.25", 3 * DAY_S: "0.25"}
    expected |= {4 * DAY_S: "4", 99 * DAY_S: "4"}
    for offset, price in expected.items():
        assert same(series.price_at(JANUARY_4 + offset), price), offset


def test_a_series_can_be_played_faster() -> None:
    """With `every`, one row an interval from the start, whatever the rows' own times."""
    source = parse_feed_source("csv:x.csv?every=2b", CONTEXT).prices
    found = [source.price_at(time_s) for time_s in (0, 1_000, 1_005, 1_006, 1_012, 9_999)]
    expected = ["0.5", "0.5", "0.5", "0.25", "4", "4"]
    assert all(same(price, text) for price, text in zip(found, expected, strict=True))


def test_a_series_can_start_later() -> None:
    """`from` leaves out the rows before a day."""
    source = parse_feed_source("csv:x.csv?every=3s&from=2021-01-05", CONTEXT).prices
    assert same(source.price_at(1_000), "0.25")
    assert same(source.price_at(1_003), "4")


@pytest.mark.parametrize(
    ("text", "row", "column"),
    [
        ("", 1, "time"),
        ("date,price\n", 1, "time"),
        ("time,price\n", 1, "time"),
        ("time,price\n2021-01-04,0.5\n2021-13-05,1\n", 3, "time"),
        ("time,price\n2021-01-04,abc\n", 2, "price"),
        ("time,price\n2021-01-04,0\n", 2, "price"),
        ("time,price\n2021-01-04\n", 2, "price"),
        ("time,price\n2021-01-04,1,2\n", 2, "price"),
        ("time,price\n2021-01-04,1\n\n", 3, "price"),
        ("time,price\n2021-01-05,1\n2021-01-04,1\n", 3, "time"),
        ("time,price\n5,1\n6,1\n6,1\n", 4, "time"),
        pytest.param("time,price\n" + "1,1\n" * 100_001, 100_002, "time", id="too many rows"),
    ],
)
def test_a_malformed_series_is_refused_with_its_place(text: str, row: int, column: str) -> None:
    """The error names row, column and value."""
    with pytest.raises(MalformedSeries) as caught:
        parse_series(text)
    assert (caught.value.row, caught.value.column) == (row, column)
    assert caught.value.value is not None


@given(st.text(max_size=60))
def test_any_text_is_a_series_or_a_typed_error(text: str) -> None:
    """No other exception escapes, whatever a file holds."""
    for candidate in (text, "time,price\n" + text):
        try:
            series = parse_series(candidate)
        except MalformedSeries:
            continue
        assert all(price.base > 0 for price in series.prices)


@given(st.from_regex(r"(csv|fixed|walk):[a-z0-9.=,&?]{0,30}", fullmatch=True))
def test_any_line_is_a_source_or_a_typed_error(text: str) -> None:
    """No other exception escapes, whatever a configuration says."""
    try:
        source = parse_feed_source(text, CONTEXT)
    except FeedSourceError:
        return
    assert source.prices.price_at(2_000).base > 0


def test_moments() -> None:
    """A day, a time of a block header and seconds name the same moment."""
    for text in ("2021-01-04", "2021-01-04T00:00:00", "1609718400"):
        assert parse_moment(text) == JANUARY_4


def test_a_fixed_price_brings_its_ratios() -> None:
    """R1.12: each source publishes its own MCR and MSQR."""
    source = parse_feed_source("fixed:0.05?mcr=2000&msqr=1100", CONTEXT)
    assert source == FeedSource(FixedPrice(PriceRatio(5, 100)), 2000, 1100)
    defaults = parse_feed_source("fixed:0.05", CONTEXT)
    assert defaults.maintenance_collateral_ratio == 1750
    assert defaults.maximum_short_squeeze_ratio == 1500


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fixed",
        "magic:1",
        "fixed:",
        "fixed:x",
        "fixed:1?every=3s",
        "fixed:1?mcr=1000",
        "fixed:1?msqr=32001",
        "fixed:1?mcr=x",
        "fixed:1?mcr=2000&mcr=2000",
        "fixed:1?mcr=",
        "csv:missing.csv",
        "csv:x.csv?every=0s",
        "csv:x.csv?every=3",
        "csv:x.csv?every=3y",
        "csv:x.csv?from=yesterday",
        "csv:x.csv?from=2022-01-01",
        "walk:seed=7",
        "walk:seed=7,start=0,step=1",
        "walk:seed=-7,start=1,step=1",
        "walk:seed=7,start=1,step=0",
        "walk:seed=7,start=1,step=10001bp",
        "walk:seed=18446744073709551616,start=1,step=1",
    ],
)
def test_a_malformed_source_is_refused(text: str) -> None:
    """Each refusal is typed and shows what it refused."""
    with pytest.raises(FeedSourceError) as caught:
        parse_feed_source(text, CONTEXT)
    assert caught.value.value is not None


def test_the_generator_is_splitmix64() -> None:
    """The published first numbers of SplitMix64 with seed 1234567."""
    drawn = [scramble(1234567, counter) for counter in (1, 2, 3)]
    assert drawn == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def make_walk(seed: int = 7, step_bp: int = 30) -> RandomWalk:
    return RandomWalk(seed, PriceRatio(5, 100), step_bp, start_s=1_000, interval_s=3)


def test_a_walk_is_a_function_of_seed_and_time() -> None:
    """In whatever order a node asks, and after a restart, it hears the same prices."""
    times = list(range(990, 1_300, 7))
    forward = [make_walk().price_at(time_s) for time_s in times]
    walk = make_walk()
    assert [walk.price_at(time_s) for time_s in reversed(times)] == forward[::-1]
    assert forward[0] == forward[1] == PriceRatio(50_000_000_000, 10**12)
    assert len(set(forward)) > 40
    assert forward != [make_walk(seed=8).price_at(time_s) for time_s in times]


@given(st.integers(0, 2**64 - 1), st.integers(1, 10_000))
def test_a_walk_keeps_to_its_step(seed: int, step_bp: int) -> None:
    """No step exceeds `step_bp` either way, and the price stays positive."""
    walk = make_walk(seed, step_bp)
    before = walk.price_at(1_000).base
    for step in range(1, 40):
        after = walk.price_at(1_000 + 3 * step).base
        bound = 10_000 + step_bp
        assert after > 0
        assert after * 10_000 <= before * bound + 10_000
        assert before * 10_000 <= after * bound + bound
        before = after


def test_a_walk_is_bounded() -> None:
    """At the ends of its range it neither vanishes nor outgrows what an asset can hold."""
    low = RandomWalk(7, PriceRatio(1, 10**12), 10_000, start_s=0, interval_s=1)
    high = RandomWalk(7, PriceRatio(10**12 - 1, 1), 10_000, start_s=0, interval_s=1)
    assert all(low.price_at(time_s).base >= 1 for time_s in range(200))
    highest = max(high.price_at(time_s).base for time_s in range(200))
    assert highest == WALK_PRICE_MAX * WALK_SCALE


def test_a_feed_is_scaled_to_smallest_units() -> None:
    """R1.12: base is the BitAsset, quote its backing asset; CER equals the price under CORE."""
    operation = publish_feed(
        parse_feed_source("fixed:0.05?mcr=2000&msqr=1100", CONTEXT), AccountId(6), USD, 0, fee=FEE
    )
    expected = Price(AssetAmount(500, AssetId(1)), AssetAmount(100_000, AssetId(0)))
    assert operation.publisher == AccountId(6)
    assert operation.fee == FEE
    assert operation.feed.settlement_price.same_as(expected)
    assert operation.feed.core_exchange_rate.same_as(expected)
    assert operation.feed.maintenance_collateral_ratio == 2000
    assert operation.feed.maximum_short_squeeze_ratio == 1100


def test_a_feed_of_an_asset_not_backed_by_core_names_its_exchange_rate() -> None:
    """R1.12: the core exchange rate is quoted in CORE, whatever the backing asset."""
    rate = Price(AssetAmount(3, AssetId(2)), AssetAmount(7, AssetId(0)))
    asset = PeggedAsset(AssetId(2), 2, AssetId(1), 2)
    source = FeedSource(FixedPrice(PriceRatio(1, 2)))
    operation = publish_feed(source, AccountId(6), asset, 0, fee=FEE, core_exchange_rate=rate)
    assert operation.feed.core_exchange_rate == rate
    assert operation.feed.settlement_price.quote.asset_id == AssetId(1)


def test_a_feed_with_wide_terms_is_shrunk() -> None:
    """R1.5: a walk's fine ratio still fits the largest supply, and stays close."""
    walk = FeedSource(make_walk())
    price = publish_feed(walk, AccountId(6), USD, 1_300, fee=FEE).feed.settlement_price
    exact = walk.prices.price_at(1_300)
    assert max(price.base.amount, price.quote.amount) <= 10**15
    error = Decimal(price.base.amount * exact.quote * 10) / (price.quote.amount * exact.base) - 1
    assert abs(error) < Decimal("1e-9")


@pytest.mark.parametrize("name", ["try_usd", "try_eur", "try_cny", "try_rub"])
def test_the_recorded_series_hold_a_real_fall(name: str) -> None:
    """Each committed series is readable and loses more than 35 % after its highest price."""
    series = parse_series((PRICES / f"{name}.csv").read_text())
    assert isinstance(series, CsvSeries)
    worth = [Decimal(price.base) / price.quote for price in series.prices]
    top = worth.index(max(worth))
    assert min(worth[top:]) < worth[top] * Decimal("0.65")
    assert len(worth) == 300
