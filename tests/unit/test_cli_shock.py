"""`pegboard shock`: the same answer as a table, JSON and CSV, and the chain stays as it is."""

from __future__ import annotations

import csv

import pytest

from tests.support.desk import Desk


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """Alice owes 100 bitUSD at a ratio of 2.5; bob, who holds them all, bids 40 at 0.055."""
    desk = Desk(monkeypatch, capsys)
    desk.wallet("init0", "publish-feed", "bitUSD", "0.1", "--msqr", "1.5")
    desk.wallet("alice", "borrow", "100 bitUSD", "--ratio", "2.5")
    desk.wallet("alice", "transfer", "bob", "100 bitUSD")
    desk.wallet("bob", "sell", "40 bitUSD", "--for", "727.27272 TEST")
    return desk


def test_a_fall_is_told_in_three_forms(desk: Desk) -> None:
    """R4.2: who is called, at which price, how much, and what the worst holder gets."""
    before = desk.chain.chain.state_hash()
    table = desk.run("shock", "bitUSD", "--feed", "-35%")
    assert table.code == 0, table.err
    assert "1 position called, 1 fill: 40.0000 bitUSD for 727.27272 TEST" in table.out
    row = next(line.split() for line in table.out.splitlines() if line.startswith("alice"))
    assert row[3:5] == ["0.07000000", "0.05500000"]
    assert row[-1] == "60.0000"
    found = desk.run("shock", "bitUSD", "--feed", "-35%", "--json").json()["shocks"][0]
    assert found["debt_covered"]["amount_text"] == "40.0000 bitUSD"
    called = desk.run("shock", "bitUSD", "--feed", "0.065", "--csv").out.splitlines()
    (line,) = csv.DictReader(called)
    assert (line["borrower"], line["covered"], line["left"]) == ("alice", "40.0000", "60.0000")
    assert desk.chain.chain.state_hash() == before


def test_falls_side_by_side(desk: Desk) -> None:
    """One row a change, deeper falls below; R6.1 where the collateral is worth too little."""
    table = desk.run("shock", "bitUSD", "--by", "-10%,-35%,-70%").out.splitlines()
    assert [line.split()[0] for line in table] == ["change", "-10%", "-35%", "-70%"]
    told = desk.run("shock", "USD", "--by", "-10%,-70%", "--csv").out
    rows = list(csv.DictReader(told.splitlines()))
    assert [row["swan"] for row in rows] == ["no", "yes"]
    assert [row["called"] for row in rows][:1] == ["0"]


def test_bids_go_and_come(desk: Desk) -> None:
    """Without its bid nobody is called; another bid calls at its own price."""
    gone = desk.run("shock", "bitUSD", "--feed", "-35%", "--take-bids", "100%").out
    assert "nobody is called" in gone
    bids = ("--add-bid", "10 bitUSD @ 0.05", "--add-bid", "1 USD at 0.049 by bob")
    come = desk.run("shock", "bitUSD", "--feed", "-35%", "--take-bids", "100%", *bids).out
    assert "1 position called, 2 fills: 11.0000 bitUSD" in come


@pytest.mark.parametrize(
    "arguments",
    [
        ("TEST", "--feed", "-1%"),
        ("bitUSD", "--feed", "much"),
        ("bitUSD", "--feed", "-1%", "--by", "-2%"),
        ("bitUSD", "--add-bid", "10 bitUSD"),
        ("bitUSD", "--add-bid", "10 TEST @ 1"),
        ("bitUSD", "--take-bids", "half"),
    ],
)
def test_what_makes_no_sense_is_refused(desk: Desk, arguments: tuple[str, ...]) -> None:
    """Usage, with the value; nothing is asked of the node."""
    assert desk.run("shock", *arguments).code == 64


def test_a_price_falls_by_less_than_all_of_it(desk: Desk) -> None:
    """The node refuses impossible numbers by name."""
    ended = desk.run("shock", "bitUSD", "--feed", "-100%")
    assert ended.code == 1
    assert "feed_change is out of range" in ended.err
