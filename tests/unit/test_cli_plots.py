"""`show --plot`: what the API tells, to scale, in plain characters of 80 columns."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from node.cli.plots import FINE_DIGITS, Bar, Level, Series, bars, chart, fine_price, price_label
from node.cli.show_plots import plot_ratios
from protocol.json_form import parse_time
from protocol.wording import format_units_ratio
from tests.support.desk import Desk

UNIT = 10**FINE_DIGITS


def test_points_stand_where_they_belong() -> None:
    """Time from left to right, price from bottom to top, each at the nearest character."""
    points = [(100, 2 * UNIT), (105, 4 * UNIT), (110, 3 * UNIT)]
    rows = chart([Series("*", "price", points)], [], ("then", "now"), width=24, height=5)
    assert rows == [
        "4.00000000 |      *",
        "           |",
        "3.00000000 |           *",
        "           |",
        "2.00000000 |*",
        "           +------------",
        "            then     now",
        "  * price",
    ]


def test_a_median_holds_until_the_next_and_lines_stand_behind() -> None:
    """R1.16: in each column the price that was in force; a level is a line."""
    feed = Series("*", "feed", [(0, UNIT), (6, 3 * UNIT)], is_step=True)
    later = Series("o", "trade", [(10, 2 * UNIT)])
    level = Level("-", "SQP", 2 * UNIT)
    rows = chart([feed, later], [level], ("", ""), width=23, height=3)
    assert rows[:3] == [
        "3.00000000 |      *****",
        "2.00000000 |----------o",
        "1.00000000 |******",
    ]
    assert rows[-1] == "  - SQP 2.00000000"


def test_bars_share_one_scale() -> None:
    """From 0; the stroke of the level stands where a bar of its value would end."""
    items = [Bar("a", 1_000, "1.000"), Bar("bob", 2_000, "2.000")]
    assert bars(items, Bar("MCR", 1_500, "1.500"), mark="o", width=31) == [
        "a    oooooooooo     |     1.000",
        "bob  ooooooooooooooo|oooo 2.000",
        "MCR                 |     1.500",
    ]


@pytest.mark.parametrize("units", [(1, 3, (4, 5)), (7, 10**12, (0, 8)), (10**15, 1, (8, 0))])
def test_labels_are_the_prices_that_people_read(units: tuple[int, int, tuple[int, int]]) -> None:
    """Rounded down once, whatever is drawn."""
    assert price_label(fine_price(*units)) == format_units_ratio(*units)


def test_nothing_and_one_thing() -> None:
    """No point, one point, one time, one price."""
    assert chart([Series("*", "feed", [])], [], ("", "")) == ["nothing to draw"]
    assert bars([]) == ["nothing to draw"]
    (row, *_) = chart([Series("*", "feed", [(5, UNIT)], is_step=True)], [], ("a", "b"))
    assert row == "1.00000000 |*"
    assert bars([Bar("a", 0, "0")], width=20) == ["a" + " " * 18 + "0"]


def test_without_a_feed_there_is_no_ratio_to_draw() -> None:
    """A position without a ratio is left out, and so is the MCR."""
    market: Any = SimpleNamespace(
        data={"maintenance_collateral_ratio": None},
        positions=[{"borrower_name": "alice", "collateral_ratio": None}],
    )
    assert plot_ratios(market)[1:] == ["nothing to draw"]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """Four medians, two trades, two positions and a bid that rests."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    desk = Desk(monkeypatch, capsys)
    for price in ("0.1", "0.12", "0.11", "0.09"):
        desk.wallet("init0", "publish-feed", "bitUSD", price, "--msqr", "1.5")
    desk.wallet("alice", "borrow", "100 bitUSD", "--ratio", "2.5")
    desk.wallet("bob", "borrow", "100 bitUSD", "--ratio", "3")
    for amount in ("100", "90"):
        desk.wallet("alice", "sell", "10 bitUSD", "--for", f"{amount} TEST")
        desk.wallet("bob", "sell", f"{amount} TEST", "--for", "10 bitUSD")
    desk.wallet("alice", "sell", "5 bitUSD", "--for", "50 TEST")
    desk.wallet("alice", "sell", "7 bitUSD", "--for", "80 TEST")
    return desk


def drawn(desk: Desk, *arguments: str) -> list[str]:
    """What `--plot` adds, without the lines before."""
    plain, plotted = desk.run("show", *arguments), desk.run("show", *arguments, "--plot")
    assert plotted.code == 0, plotted.err
    assert plotted.out.startswith(plain.out)
    added = plotted.out.removeprefix(plain.out)
    assert added.isascii()
    assert "\x1b" not in added
    lines = added.splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def test_each_median_is_a_point_of_the_chart(desk: Desk) -> None:
    """The row of a median is that of its price, the column that of its time."""
    rows = drawn(desk, "feeds", "bitUSD")
    grid = [line.partition("|")[2] for line in rows if "|" in line][::-1]
    medians = desk.run("show", "feeds", "bitUSD", "--json").json()["medians"]
    assert len(medians) == 4
    times = [parse_time(item["block_time"]) for item in medians]
    prices = []
    for item in medians:
        base, quote = (int(item["settlement_price"][side]["amount"]) for side in ("base", "quote"))
        prices.append(fine_price(base, quote, (4, 5)))
    columns = len(next(line for line in rows if "+--" in line).partition("+")[2])
    for moment, price in zip(times, prices, strict=True):
        x = round((moment - min(times)) / (max(times) - min(times)) * (columns - 1))
        y = round((price - min(prices)) / (max(prices) - min(prices)) * (len(grid) - 1))
        assert grid[y][x] == "*"
    for x in range(columns):
        assert any(row.ljust(columns)[x] == "*" for row in grid), "each holds until the next"
    assert "  * median feed" in rows


def test_trades_positions_and_assets(desk: Desk) -> None:
    """Trades as points, ratios beside the MCR, depth as the book's running sums."""
    assert sum(line.count("o") for line in drawn(desk, "trades", "bitUSD") if "|" in line) == 2
    ratios = drawn(desk, "positions", "bitUSD")
    positions = desk.run("show", "positions", "bitUSD", "--json").json()
    for line, item in zip(ratios[1:], positions, strict=False):
        ratio = int(item["collateral_ratio"])
        assert line.startswith(item["borrower_name"])
        assert line.endswith(f"{ratio // 1000}.{ratio % 1000:03d}")
    assert ratios[-1].split() == ["MCR", "|", "1.750"]
    asset = drawn(desk, "asset", "bitUSD")
    market = desk.run("show", "asset", "bitUSD", "--json").json()["market"]
    text = "\n".join(asset)
    assert f"  - SQP {market['squeeze_protection_price']['text'].split()[0]}" in text
    assert "  = highest bid 0.10000000" in text
    assert "  . call price of alice" in text
    assert [line.split()[-2] for line in asset if line.endswith("+ 12.0000 bitUSD")] == ["12.0000"]
    assert any(line.endswith(" 5.0000 bitUSD") and "++" in line for line in asset)


def test_json_stays_as_it_is(desk: Desk) -> None:
    """Programs get the same document, and nothing else."""
    for name in ("feeds", "trades", "positions", "asset"):
        plain = desk.run("show", name, "bitUSD", "--json")
        assert desk.run("show", name, "bitUSD", "--json", "--plot").out == plain.out
        assert json.loads(plain.out)
    assert desk.run("show", "asset", "TEST", "--plot").code == 0
