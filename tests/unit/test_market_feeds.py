"""The median of feeds, its expiry, and the exchange rate that prices fees (R1.15-R1.22)."""

from __future__ import annotations

from random import Random
from typing import Never

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.market.feeds import (
    copy_core_exchange_rates,
    drop_old_feeds,
    expire_feeds,
    median_of,
    update_median,
)
from node.state.context import Context
from node.state.events import FeedExpiredEvent
from node.state.objects.assets import NULL_FEED, BitassetData, FeedValues
from node.state.objects.governance import TRIGGER_FEED
from node.state.table import Table
from protocol.asset import NULL_PRICE, AssetAmount, Price
from protocol.ids import AccountId, AssetId
from protocol.operations.asset_options import COMMITTEE_FED_ASSET, WITNESS_FED_ASSET
from protocol.operations.bitasset_options import BitassetOptions
from protocol.schema import MAX_TIMESTAMP
from tests.support.market import CORE, Market, make_market
from tests.support.slow_market import slow_median_feed, value
from tests.support.state import add_bitasset, set_feed
from tests.support.world import GENESIS_TIME

DAY = 86_400
USD = AssetId(1)


def feed_of(backing: int, *, mcr: int = 1750, mssr: int = 1500, icr: int = 1750) -> FeedValues:
    price = Price(AssetAmount(1, USD), AssetAmount(backing, CORE))
    return FeedValues(price, mcr, mssr, price, icr)


def update(market: Market, now: int, *feeds: tuple[int, FeedValues]) -> Context:
    """Store feeds with their publication times, and recompute the median at a time."""
    data = market.state.bitassets.edit(market.data)
    data.feeds = tuple((AccountId(10 + index), entry) for index, entry in enumerate(feeds))
    ctx = market.context(now)
    update_median(ctx, market.state.assets.get(market.usd), data)
    return ctx


def backing(market: Market) -> int:
    return market.data.median_feed.settlement_price.quote.amount


def test_one_feed_is_taken_whole() -> None:
    """R1.16, R1.20: and the current feed is the median."""
    market = make_market()
    feed = feed_of(12, mcr=1600, mssr=1100, icr=1900)
    update(market, 1000, (990, feed))
    assert market.data.median_feed == feed == market.data.current_feed
    assert market.data.current_feed_publication_time == 990


def test_of_two_feeds_the_upper_one_is_the_median_of_each_field() -> None:
    """R1.16: index n // 2 of the ascending values; 1 per 12 is the higher price."""
    market = make_market()
    feeds = (990, feed_of(12, mcr=1600, mssr=1500)), (991, feed_of(13, mcr=1750, mssr=1100))
    update(market, 1000, *feeds)
    median = market.data.median_feed
    assert backing(market) == 12
    assert (median.maintenance_collateral_ratio, median.maximum_short_squeeze_ratio) == (
        1750,
        1500,
    )
    assert market.data.current_feed_publication_time == 990


feeds_of = st.builds(
    feed_of,
    st.integers(1, 50),
    mcr=st.integers(1001, 1010),
    mssr=st.integers(1001, 1010),
    icr=st.integers(1001, 1010),
)


def any_feed(honest: range) -> st.SearchStrategy[FeedValues]:
    """A feed whose price and ratios lie in a range, each for itself."""
    part = st.integers(honest.start, honest.stop)
    return st.builds(
        lambda price, mcr, mssr, icr: feed_of(price, mcr=mcr, mssr=mssr, icr=icr),
        part,
        part,
        part,
        part,
    )


def check_median(honest: list[FeedValues], liars: list[FeedValues], rng: Random) -> None:
    """The median of both lies within the range of the honest, of whom there are more."""
    feeds = [*honest, *liars[: len(honest) - 1]]
    rng.shuffle(feeds)
    median = median_of(feeds, BitassetOptions())
    for price in (median.settlement_price, median.core_exchange_rate):
        amounts = [feed.settlement_price.quote.amount for feed in honest]
        assert min(amounts) <= price.quote.amount <= max(amounts)
    for name in (
        "maintenance_collateral_ratio",
        "maximum_short_squeeze_ratio",
        "initial_collateral_ratio",
    ):
        ratios = [getattr(feed, name) for feed in honest]
        assert min(ratios) <= getattr(median, name) <= max(ratios)


@given(
    st.lists(any_feed(range(1_500, 1_600)), min_size=4, max_size=11),
    st.lists(any_feed(range(1, 10**9)), max_size=10),
    st.randoms(use_true_random=False),
)
def test_liars_move_the_median_only_inside_the_honest_range(
    honest: list[FeedValues], liars: list[FeedValues], rng: Random
) -> None:
    """T-W5: while they are fewer than the honest, in price, exchange rate and every ratio."""
    check_median(honest, liars, rng)


@pytest.mark.parametrize(("liars", "is_broken"), [(3, False), (4, True)])
def test_three_of_seven_liars_call_nobody(*, liars: int, is_broken: bool) -> None:
    """T-W5: nobody is called whom no honest price calls, nor spared whom all of them call; and
    with four liars somebody is, so the book is one that can tell."""
    rng, honest = Random(5), range(10, 15)
    wronged = 0
    for _ in range(40):
        market = make_market(trigger=TRIGGER_FEED)
        safe = market.position(0, 1_000, 1_000 * honest[-1] * 7 // 4 + 1)
        lost = market.position(1, 1_000, 1_000 * honest[0] * 7 // 4 - 1)
        market.bid(10_000, 120_000)
        lie = rng.choice((1, 5, 9, 15, 20, 30))
        feeds = [feed_of(rng.choice(honest)) for _ in range(7 - liars)]
        feeds += [feed_of(lie) for _ in range(liars)]
        rng.shuffle(feeds)
        update(market, GENESIS_TIME, *((GENESIS_TIME, entry) for entry in feeds))
        market.settle_boundary()
        left = {position.borrower for position in market.state.call_orders.in_order()}
        wronged += safe.borrower not in left or lost.borrower in left
    assert (wronged > 0) is is_broken


@given(st.lists(feeds_of, min_size=1, max_size=12))
def test_the_median_equals_that_of_slow_sorting(feeds: list[FeedValues]) -> None:
    """R1.16: each field for itself."""
    median = median_of(feeds, BitassetOptions())
    assert slow_median_feed(feeds) == (
        value(median.settlement_price),
        median.maintenance_collateral_ratio,
        median.maximum_short_squeeze_ratio,
        median.initial_collateral_ratio,
    )
    assert median.core_exchange_rate == median.settlement_price


def test_ratios_of_the_issuer_replace_the_median() -> None:
    """R1.16, BSIP75, BSIP77: with one feed and with many."""
    market = make_market()
    market.set_options(
        maintenance_collateral_ratio=1400,
        maximum_short_squeeze_ratio=1200,
        initial_collateral_ratio=1500,
    )
    for count in (1, 3):
        update(market, 1000, *((990, feed_of(12)) for _ in range(count)))
        median = market.data.median_feed
        assert median == replace(feed_of(12, mcr=1400, mssr=1200, icr=1500))


def test_a_feed_lives_for_less_than_its_lifetime() -> None:
    """R1.15: now - published < lifetime; time 0 was never published."""
    market = make_market()
    market.set_options(feed_lifetime_sec=100)
    update(market, 1100, (1001, feed_of(12)), (1000, feed_of(99)), (0, feed_of(98)))
    assert backing(market) == 12
    update(market, 1101, (1001, feed_of(12)))
    assert market.data.median_feed == NULL_FEED
    market.set_options(feed_lifetime_sec=2**32 - 1)
    update(market, 1101, (0, feed_of(12)))
    assert market.data.median_feed == NULL_FEED, "time 0 is never, however long feeds live"


def test_too_few_feeds_make_no_median() -> None:
    """R1.16: below minimum_feeds; ratios go back to their defaults."""
    market = make_market()
    market.set_options(minimum_feeds=2)
    market.state.bitassets.edit(market.data).feed_cer_updated = True
    update(market, 1000, (990, feed_of(12, mcr=1600)))
    assert market.data.median_feed == NULL_FEED
    assert not market.data.has_feed()
    assert not market.data.feed_cer_updated
    assert market.data.current_feed_publication_time == 1000
    update(market, 1000, (990, feed_of(12)), (991, feed_of(12)))
    assert backing(market) == 12


@pytest.mark.parametrize(
    ("feed", "is_change"),
    [
        (feed_of(10), False),
        (replace(feed_of(10), core_exchange_rate=feed_of(11).core_exchange_rate), False),
        (feed_of(11), True),
        (feed_of(10, mcr=1751), True),
        (feed_of(10, mssr=1501), True),
        (feed_of(10, icr=1751), True),
    ],
)
def test_a_change_marks_the_asset_for_the_boundary(feed: FeedValues, *, is_change: bool) -> None:
    """R1.22, R4.12: a changed median does, a repeated one or a new CER does not."""
    market = make_market()
    ctx = update(market, GENESIS_TIME, (GENESIS_TIME, feed))
    assert (market.usd in ctx.dirty_assets) == is_change
    assert market.data.median_updated == is_change


def test_the_same_price_in_other_numbers_is_no_change() -> None:
    """R1.3, R1.22: 2 per 20 is 1 per 10."""
    market = make_market()
    doubled = Price(AssetAmount(2, USD), AssetAmount(20, CORE))
    feed = FeedValues(doubled, 1750, 1500, doubled, 1750)
    ctx = update(market, GENESIS_TIME, (GENESIS_TIME, feed))
    assert market.data.median_feed.settlement_price == doubled
    assert not market.data.median_updated
    assert not market.data.feed_cer_updated
    assert market.usd not in ctx.dirty_assets


def test_the_oldest_feed_runs_out_and_the_rest_make_a_median() -> None:
    """R1.17: publication time + lifetime <= block time, inclusive; then the next oldest counts."""
    market = make_market()
    update(market, 2000, (1000, feed_of(12)), (1500, feed_of(11)), (1600, feed_of(13)))
    assert backing(market) == 12
    ctx = market.context(1000 + DAY - 1)
    expire_feeds(ctx)
    assert backing(market) == 12
    assert ctx.events == []
    ctx = market.context(1000 + DAY)
    expire_feeds(ctx)
    assert backing(market) == 11
    assert market.data.current_feed_publication_time == 1500
    assert FeedExpiredEvent(market.usd) in ctx.events
    assert market.usd in ctx.dirty_assets
    last = market.context(1600 + DAY)
    expire_feeds(last)
    assert not market.data.has_feed()
    after = market.context(1700 + DAY)
    expire_feeds(after)
    assert after.events == []


def test_a_lifetime_beyond_the_end_of_time_saturates() -> None:
    """R1.17: the sum is capped at the maximum time."""
    market = make_market()
    market.set_options(feed_lifetime_sec=2**32 - 1)
    update(market, 2000, (1000, feed_of(12)))
    ctx = market.context(MAX_TIMESTAMP)
    expire_feeds(ctx)
    assert ctx.events != []


def test_feeds_run_out_by_ascending_id_whichever_was_older() -> None:
    """R1.17: of two that end with one block the BitAsset with the lower id comes first."""
    market = make_market()
    eur = add_bitasset(market.state, "EUR")
    set_feed(market.state, eur, 1, 10, now=900)
    set_feed(market.state, market.usd, 1, 10, now=1000)
    ctx = market.context(1000 + DAY)
    expire_feeds(ctx)
    expired = [event.asset_id for event in ctx.events if isinstance(event, FeedExpiredEvent)]
    assert expired == [market.usd, eur]


def test_a_block_without_an_end_or_a_new_rate_looks_at_no_bitasset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T-E4: R1.17 and R1.21 cost a block nothing, however many BitAssets there are."""
    market = make_market()
    update(market, 1000, (990, feed_of(12)))
    copy_core_exchange_rates(market.context())
    expire_feeds(market.context(1000))

    def look(_: object) -> Never:
        raise AssertionError("a block looks at each BitAsset")

    monkeypatch.setattr(Table, "in_order", look)
    monkeypatch.setattr(BitassetData, "has_feed", look)
    ctx = market.context(990 + DAY - 1)
    expire_feeds(ctx)
    copy_core_exchange_rates(ctx)
    assert not ctx.events


def test_a_changed_exchange_rate_is_copied_once() -> None:
    """R1.21: at the boundary, when the median's CER changed; not again over the issuer's own."""
    market = make_market()
    update(market, 1000, (990, feed_of(12)))
    assert marks(market) == (True, False)
    copy_core_exchange_rates(market.context())
    asset = market.state.assets.get(market.usd)
    assert asset.options.core_exchange_rate == feed_of(12).core_exchange_rate
    assert marks(market) == (False, False)
    own = feed_of(7).core_exchange_rate
    market.state.assets.edit(asset).options = replace(asset.options, core_exchange_rate=own)
    copy_core_exchange_rates(market.context())
    assert asset.options.core_exchange_rate == own
    market.state.bitassets.edit(market.data).asset_cer_updated = True
    copy_core_exchange_rates(market.context())
    assert asset.options.core_exchange_rate == feed_of(12).core_exchange_rate
    assert marks(market) == (False, False)


def marks(market: Market) -> tuple[bool, bool]:
    return market.data.feed_cer_updated, market.data.asset_cer_updated


def test_a_missing_exchange_rate_is_not_copied() -> None:
    """R1.21: the mark waits for a median."""
    market = make_market()
    data = market.state.bitassets.edit(market.data)
    data.current_feed, data.asset_cer_updated = NULL_FEED, True
    asset = market.state.assets.get(market.usd)
    copy_core_exchange_rates(market.context())
    assert asset.options.core_exchange_rate != NULL_PRICE
    assert data.asset_cer_updated


@pytest.mark.parametrize(
    ("flags", "kept"), [(WITNESS_FED_ASSET, 2), (COMMITTEE_FED_ASSET, 2), (0, 3)]
)
def test_old_feeds_of_witnesses_and_committee_are_erased(flags: int, kept: int) -> None:
    """R1.19: older than the lifetime; named producers keep their entry."""
    market = make_market()
    asset = market.state.assets.edit(market.state.assets.get(market.usd))
    asset.options = replace(asset.options, flags=flags)
    update(market, 2000, (999, feed_of(12)), (1000, feed_of(12)), (1001, feed_of(12)))
    drop_old_feeds(market.context(1000 + DAY), market.data)
    assert len(market.data.feeds) == kept
