"""`pegboard wallet credit` and `show credit`: a loan from the offer to its repayment, in words."""

from __future__ import annotations

import pytest

from protocol.constants import CORE_UNIT
from tests.support.desk import Desk

USD = 10**4


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """Alice and bob have 50 bitUSD each; alice lends 500 TEST for 7 days at 1.5 %."""
    desk = Desk(monkeypatch, capsys).open_market("100 bitUSD")
    desk.wallet("alice", "transfer", "bob", "50 bitUSD")
    desk.wallet("alice", "credit", "offer", "500 TEST", "--against", "0.12 bitUSD for 1 TEST",
                "--against", "2 EUR for 1 TEST", "--fee", "1.5", "--term", "7d",
                "--least", "10 TEST", "--borrower", "bob", "400 TEST")  # fmt: skip
    return desk


def test_an_offer_is_made_shown_and_changed(desk: Desk) -> None:
    """O2, O4: each option is a field; a difference is an amount, and lists are replaced whole."""
    (offer,) = desk.run("show", "credit", "TEST", "--json").json()["offers"]
    assert (offer["current_balance"], offer["fee_rate"]) == (str(500 * CORE_UNIT), 15_000)
    assert (offer["min_deal_amount"], offer["max_duration_seconds"]) == ("1000000", 7 * 86_400)
    assert [pair[1] for pair in offer["acceptable_borrowers"]] == [str(400 * CORE_UNIT)]
    assert len(offer["acceptable_collateral"]) == 2
    text = desk.run("show", "credit").out
    assert "500.00000 TEST" in text
    assert "1.5000 %" in text
    assert "0.1200 bitUSD for 1.00000 TEST" in text
    desk.wallet("alice", "credit", "update", "1.21.0", "--add", "-100 TEST", "--anybody",
                "--against", "0.2 bitUSD for 1 TEST", "--fee", "2%", "--term", "1d",
                "--least", "1 TEST", "--open-for", "30d")  # fmt: skip
    (offer,) = desk.run("show", "credit", "alice", "--json").json()["offers"]
    assert (offer["total_balance"], offer["fee_rate"]) == (str(400 * CORE_UNIT), 20_000)
    assert offer["acceptable_borrowers"] == []
    assert len(offer["acceptable_collateral"]) == 1
    desk.wallet("alice", "credit", "update", "1.21.0", "--disable", "--borrower", "carol", "1 TEST")
    assert "disabled, to 1 named" in desk.run("show", "credit", "1.21.0").out
    done = desk.wallet("alice", "credit", "delete", "1.21.0")
    assert done["operation_results"][0][1]["amount_text"] == "400.00000 TEST"


def test_a_loan_is_taken_and_repaid(desk: Desk) -> None:
    """O5, O6: the collateral and the fee are worked out; a part frees its share."""
    ended = desk.run("wallet", "credit", "accept", "1.21.0", "100 TEST", "--collateral", "bitUSD",
                     "--auto-repay", "partial", "--dev-keys", "-a", "bob")  # fmt: skip
    assert ended.code == 0, ended.err
    assert "made 1.22.0" in ended.out
    assert "1.22.0 waits for 100.00000 TEST and a fee of 1.50000 TEST until" in ended.out
    assert "O8: " in ended.out
    (deal,) = desk.run("show", "credit", "bob", "--json").json()["deals"]
    assert (deal["collateral_amount"], deal["auto_repay"]) == (str(12 * USD), 2)
    assert desk.run("show", "credit", "1.22.0", "--json").json()["deals"] == [deal]
    desk.wallet("bob", "credit", "auto-repay", "1.22.0", "full")
    part = desk.run("wallet", "credit", "repay", "1.22.0", "--amount", "25 TEST",
                    "--dev-keys", "-a", "bob")  # fmt: skip
    assert "released 3.0000 bitUSD" in part.out
    assert "full" in desk.run("show", "credit", "1.21.0").out
    desk.wallet("bob", "credit", "repay", "1.22.0")
    assert desk.run("show", "credit", "bob", "--json").json()["deals"] == []
    history = desk.run("wallet", "history", "alice", "--dev-keys").out
    assert "bob repays 75.00000 TEST of 1.22.0 with a fee of 1.12500 TEST" in history
    assert "bob borrows 100.00000 TEST against 12.0000 bitUSD by 1.21.0" in history


def test_a_loan_that_ends_is_told(desk: Desk) -> None:
    """O8: the block says who owed what and who gets it, beside its rule."""
    desk.wallet("bob", "credit", "accept", "1.21.0", "100 TEST", "--collateral", "13 bitUSD")
    num = desk.backend.produce(slot=8 * 86_400 // 3).envelope.num
    ended = "deal ended unpaid: bob owed 100.00000 TEST, alice gets 13.0000 bitUSD (1.22.0)"
    assert ended in desk.run("show", "block", str(num)).out
    why = desk.run("why", str(num)).out
    assert ended in why
    assert "O8" in why


def test_refused_arguments(desk: Desk) -> None:
    """O5: what is missing or wrong is named before anything is sent."""
    for arguments, word in (
        (("offer", "5 TEST"), "--against"),
        (("offer", "5 TEST", "--against", "3 bitUSD"), "for"),
        (("offer", "5 TEST", "--against", "3 bitUSD for 1 EUR"), "what is lent"),
        (("offer", "5 TEST", "--against", "3 bitUSD for 1 TEST", "--least", "1 EUR"), "another"),
        (("offer", "5 TEST", "--against", "3 EUR for 1 TEST", "--fee", "-1"), "fee rate"),
        (("accept", "1.21.0", "50 TEST"), "--collateral"),
        (("accept", "1.21.0", "50 TEST", "--collateral", "TEST"), "does not accept"),
        (("accept", "1.21.9", "50 TEST"), "no such object"),
        (("accept", "1.22.0", "50 TEST"), "not an object id"),
        (("update", "1.21.0", "--anybody", "--borrower", "bob", "1 TEST"), "either"),
        (("update", "1.21.0", "--borrower", "bob", "1 EUR"), "what is lent"),
    ):
        assert word in str(desk.refused("bob", "credit", *arguments)), arguments
    refused = desk.refused("carol", "credit", "accept", "1.21.0", "50 TEST", "--collateral", "USD")
    assert refused["name"] in ("borrower_not_accepted", "insufficient_balance")
    hinted = desk.run("wallet", "credit", "accept", "1.21.0", "500 TEST", "--collateral", "bitUSD",
                      "--dev-keys", "-a", "bob").err  # fmt: skip
    assert "O5" in hinted
