"""What a command causes in its block, what it leaves waiting, and why."""

from __future__ import annotations

from typing import Any

import click
import pytest

from node.api.backend import FeedInfo
from node.cli.consequences import WAITING
from node.cli.wallet import wallet
from node.rules import sentence_of
from tests.support.desk import Desk

Json = Any
USD = 10**4


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """One TEST is worth 0.10 bitUSD; alice owes 1,000 at a ratio of 4 and bids 100."""
    return Desk(monkeypatch, capsys).open_market("1000 bitUSD", "4")


def bid(desk: Desk, amount: str = "100 bitUSD", price: str = "1050 TEST") -> None:
    desk.wallet("alice", "sell", amount, "--for", price)


def told(desk: Desk, account: str, *arguments: str) -> str:
    ended = desk.run("wallet", *arguments, "--dev-keys", "-a", account)
    assert ended.code == 0, ended.err
    return ended.out


class TestCaused:
    """What happens in a command's own block is printed by the command."""

    def test_a_new_position_that_is_called_at_once(self, desk: Desk) -> None:
        bid(desk)
        text = told(desk, "bob", "borrow", "400 bitUSD", "--ratio", "1.8")
        assert "in the same block, by the chain:" in text
        assert "position called: bob pays 1,050.00000 TEST for 100.0000 bitUSD" in text
        assert "trade: alice pays 100.0000 bitUSD for 1,050.00000 TEST" in text

    def test_a_bid_that_calls(self, desk: Desk) -> None:
        desk.wallet("bob", "borrow", "400 bitUSD", "--ratio", "1.8")
        sold = desk.wallet("alice", "sell", "100 bitUSD", "--for", "1050 TEST")
        assert any(line.startswith("position called: bob") for line in sold["caused"])
        assert sold["waiting"] == []

    def test_a_feed_that_calls(self, desk: Desk) -> None:
        bid(desk, price="1200 TEST")
        desk.wallet("bob", "borrow", "400 bitUSD", "--ratio", "1.8")
        published = desk.wallet("init0", "publish-feed", "bitUSD", "0.091", "--msqr", "1.1")
        assert any(line.startswith("position called: bob") for line in published["caused"])

    @pytest.mark.parametrize("command", ["adjust", "cover"])
    def test_a_position_that_is_left_called(self, desk: Desk, command: str) -> None:
        """Paying back and locking more, too little for the bid that rests, end in a call."""
        desk.wallet("bob", "borrow", "400 bitUSD", "--ratio", "1.8")
        desk.wallet("init0", "publish-feed", "bitUSD", "0.093", "--msqr", "1.05")
        bid(desk, "50 bitUSD", "600 TEST")
        changed = (
            ("adjust", "bitUSD", "--collateral", "1 TEST")
            if command == "adjust"
            else ("cover", "bitUSD", "--amount", "1 bitUSD")
        )
        desk.wallet("init0", "publish-feed", "bitUSD", "0.087", "--msqr", "1.1")
        done = desk.wallet("bob", *changed)
        assert set(done) >= {"caused", "waiting"}
        assert any("next to be called is bob" in reason["text"] for reason in done["waiting"])

    def test_a_black_swan_with_the_issuer_s_fee(self, desk: Desk) -> None:
        """Of a global settlement, what the issuer gets is shown, there and in the history."""
        published = desk.wallet("init0", "publish-feed", "bitUSD", "0.01", "--msqr", "1.1")
        position, event = published["caused"]
        assert position.startswith("position settled globally: alice pays 40,000.00000 TEST, of")
        assert "of which 3,636.36363 TEST to the issuer, for 1,000.0000 bitUSD" in position
        assert event.startswith("bitUSD is settled globally at 0.02749999 bitUSD for 1 TEST; fund")
        for shown in (("block", str(desk.chain.chain.head_num)),):
            text = desk.run("show", *shown).out
            assert position in text
            assert event in text
        assert position in desk.run("wallet", "history", "alice", "--dev-keys").out

    def test_a_revival(self, desk: Desk) -> None:
        desk.wallet("init0", "publish-feed", "bitUSD", "0.01", "--msqr", "1.1")
        published = desk.wallet("init0", "publish-feed", "bitUSD", "0.2", "--msqr", "1.1")
        assert published["caused"][0].startswith("revived: committee-account takes over 1,000.0000")
        assert published["caused"][1] == "bitUSD lives again after its global settlement"

    def test_an_ordinary_settlement_is_none_of_all(self, desk: Desk) -> None:
        """A position that is settled by a request is neither called nor settled globally."""
        desk.wallet("alice", "settle", "5 bitUSD")
        desk.backend.produce(slot=30)
        text = desk.run("show", "block", str(desk.chain.chain.head_num)).out
        assert "position settled: alice" in text
        assert "globally" not in text

    def test_other_markets_are_not_told(self, desk: Desk) -> None:
        """A transfer causes nothing at the boundary, whatever else is in its block."""
        bid(desk)
        assert desk.wallet("alice", "transfer", "bob", "1 TEST")["caused"] == []


class TestWaiting:
    """What stays is printed with the sentence of the rule that makes it wait."""

    def reasons(self, done: Json) -> list[Json]:
        for reason in done["waiting"]:
            assert reason["rule_says"] == sentence_of(reason["rule"])
        return [(reason["rule"], reason["text"]) for reason in done["waiting"]]

    def test_an_order_rests(self, desk: Desk) -> None:
        done = desk.wallet("alice", "sell", "100 bitUSD", "--for", "1050 TEST")
        ((rule, text),) = self.reasons(done)
        assert (rule, text) == (
            "R2.3",
            "order 1.7.0: 100.0000 bitUSD for 1,050.00000 TEST rests in the book",
        )

    def test_a_settlement_waits_for_its_date(self, desk: Desk) -> None:
        ((rule, text),) = self.reasons(desk.wallet("alice", "settle", "5 bitUSD"))
        assert rule == "R5.2"
        assert text.startswith("settlement 1.4.0 of 5.0000 bitUSD waits until 2026-01-01T00:01:")

    def test_a_settlement_waits_for_the_volume(self, desk: Desk) -> None:
        """Of 900 only 200 may be settled in this interval; the rest waits, and until when."""
        ((rule, text),) = self.reasons(desk.wallet("alice", "settle", "900 bitUSD"))
        assert rule == "R5.4"
        assert "200.0000 bitUSD of it may still be settled before the maintenance at" in text
        desk.backend.produce(slot=30)
        shown = desk.run("show", "settlements", "bitUSD")
        assert "settlement 1.4.0 of 700.0000 bitUSD waits for the volume: 0.0000" in shown.out
        (request,) = desk.run("show", "settlements", "bitUSD", "--json").json()
        assert request["reason"]["rule"] == "R5.4"

    def test_a_globally_settled_asset_is_warned_about(self, desk: Desk) -> None:
        """Wherever somebody looks at it or settles it; and bids wait for maintenance."""
        desk.wallet("init0", "publish-feed", "bitUSD", "0.01", "--msqr", "1.1")
        for view in ("asset", "positions", "settlements"):
            assert "bitUSD is globally settled" in desk.run("show", view, "bitUSD").out
        text = told(desk, "alice", "settle", "100 bitUSD")
        assert "100.0000 bitUSD redeemed for 3,636.3" in text
        assert "from the fund of the global settlement" in text
        offer = ("bid-collateral", "500 TEST", "--for", "100 bitUSD")
        ((rule, text),) = self.reasons(desk.wallet("bob", *offer))
        assert rule == "R6.6"
        assert "with 500.00000 TEST waits for the maintenance at" in text
        assert (
            "bob bids 500.00000 TEST to take over 100.0000"
            in desk.run("wallet", "history", "bob", "--dev-keys").out
        )
        ended = desk.wallet("bob", "bid-collateral", "0 TEST", "--for", "0 bitUSD")
        assert ended["waiting"] == []
        assert desk.refused("bob", *offer[:1], "1 TEST", "--for", "1 EUR")["rule"] == "R6.5"

    def test_positions_below_the_mcr_wait_for_a_bid(self, desk: Desk) -> None:
        """The mark, who is next, at which price, and why not now."""
        desk.wallet("bob", "borrow", "400 bitUSD", "--ratio", "1.8")
        done = desk.wallet("init0", "publish-feed", "bitUSD", "0.09", "--msqr", "1.1")
        text = self.reasons(done)[-1][1]
        assert text.startswith("1 of 2 positions below the MCR; next to be called is bob (1.8.1)")
        assert "above 0.08181818 and below 0.09722222 bitUSD for 1 TEST; there is no bid" in text
        shown = desk.run("show", "positions", "bitUSD").out
        assert "below MCR, next" in shown
        assert "next to be called is bob" in shown
        assert "below the MCR   1 of 2 positions" in desk.run("show", "asset", "bitUSD").out
        rows = desk.run("show", "positions", "bitUSD", "--json").json()
        assert [(row["is_below_mcr"], row["is_next"]) for row in rows] == [
            (True, True),
            (False, False),
        ]
        bid(desk, "1 bitUSD", "20 TEST")
        assert "now it is 0.05000000" in desk.run("show", "positions", "bitUSD").out

    def test_no_bid_can_call_what_stands_well(self, desk: Desk) -> None:
        """Above the squeeze protection price nobody is called at the present feed."""
        assert "but by no bid yet" in desk.run("show", "positions", "bitUSD").out

    def test_a_price_by_hand_ends(self, desk: Desk) -> None:
        """When it ends, what comes back, and how that is switched off."""
        done = desk.wallet("init0", "publish-feed", "bitUSD", "0.09")
        assert "until 2026-01-02T00:00:" in self.reasons(done)[1][1]
        desk.backend.feeds = (FeedInfo("USD", "fixed:0.1357", 600, ("init0",)),)
        text = self.reasons(desk.wallet("init0", "publish-feed", "bitUSD", "0.09"))[1][1]
        assert text.startswith("this price ends at 2026-01-01T00:10:")
        assert "init0's node then publishes fixed:0.1357 again" in text
        assert "up --feed USD=none` stops it" in text
        other = self.reasons(desk.wallet("init1", "publish-feed", "bitUSD", "0.08"))
        assert other[0][1].startswith("the median of 2 feeds is ")
        assert "or until init1 publishes another" in other[1][1]


def test_every_order_position_and_feed_is_looked_after() -> None:
    """A command that leaves something at the boundary has a function that says what."""
    names = {"sell", "buy", "borrow", "adjust", "cover", "settle", "publish-feed", "bid-collateral"}
    assert isinstance(wallet, click.Group)
    assert names <= set(wallet.commands)
    operations = {"LimitOrderCreate", "CallOrderUpdate", "AssetSettle", "AssetPublishFeed"}
    loans = {"BidCollateral", "CreditOfferAccept", "HtlcCreate", "TicketCreate"}
    assert {cls.__name__ for cls in WAITING} == operations | loans
