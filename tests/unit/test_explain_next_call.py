"""Who is called next: the line that `show asset` and others end with."""

from __future__ import annotations

import pytest

from node.explain.next_call import explain_next_call
from node.explain.wording import Wording
from node.market.boundary import run_boundary
from node.state.objects.assets import NULL_FEED
from node.state.objects.governance import TRIGGER_BID, TRIGGER_FEED
from tests.support.market import Market, make_market


def told(market: Market) -> tuple[str, str] | None:
    """The rule and the sentence."""
    found = explain_next_call(market.state, Wording(market.state, "bit"), market.data)
    return None if found is None else (found.rule, found.text)


@pytest.mark.parametrize(
    ("trigger", "feed", "bid", "waits_for"),
    [
        (
            TRIGGER_BID,
            (1, 10),
            None,
            "once the highest bid is above 0.06666666 and below 0.08750000 bitUSD for 1 TEST;"
            " there is no bid",
        ),
        (
            TRIGGER_BID,
            (1, 10),
            (9, 90),
            "once the highest bid is above 0.06666666 and below 0.08750000 bitUSD for 1 TEST;"
            " now it is 0.10000000",
        ),
        (
            TRIGGER_BID,
            (1, 7),
            None,
            "but by no bid yet: its call price 0.08750000 is not above 0.09523809 bitUSD for"
            " 1 TEST, the worst that a call pays at this feed",
        ),
        (
            TRIGGER_FEED,
            (1, 10),
            (9, 90),
            "once the feed is at or below 0.08750000 and the highest bid at or above 0.06666666"
            " bitUSD for 1 TEST; now it is 0.10000000",
        ),
    ],
)
def test_the_worst_position_is_next(
    trigger: int, feed: tuple[int, int], bid: tuple[int, int] | None, waits_for: str
) -> None:
    """R4.2, R4.3: by either trigger, with a bid or none; SQP is two thirds of the feed."""
    market = make_market(trigger=trigger)
    market.position(0, 100, 9_000)
    market.position(1, 1_000, 20_000)
    market.feed(*feed)
    if bid is not None:
        market.bid(*bid)
    assert told(market) == ("R4.2", f"next to be called is account-1 (1.8.2), {waits_for}")


def test_where_nobody_can_be_called() -> None:
    """R4.1: without a feed, in a prediction market, without positions."""
    market = make_market()
    assert told(market) is not None
    market.state.bitassets.edit(market.data).is_prediction_market = True
    assert told(market) is None
    market.state.bitassets.edit(market.data).is_prediction_market = False
    market.state.call_orders.remove(next(iter(market.state.call_orders.in_order())))
    assert told(market) is None
    market.position(0, 100, 9_000)
    data = market.state.bitassets.edit(market.data)
    data.median_feed = data.current_feed = NULL_FEED
    assert told(market) is None


def test_a_globally_settled_asset_has_none() -> None:
    """R6.4: told with the price of the fund."""
    market = make_market()
    market.position(0, 1_000, 14_000)
    run_boundary(market.context(), all_assets=True)
    found = told(market)
    assert found is not None
    assert found[0] == "R6.4"
    assert found[1].startswith("bitUSD is globally settled: it has no positions, and its units are")
