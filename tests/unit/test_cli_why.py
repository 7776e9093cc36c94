"""`pegboard why`: the answer of `pegboard.explain_position` for people, and for programs."""

from __future__ import annotations

import pytest

from node.cli.price_line import Mark, draw
from tests.support.api import Client
from tests.support.desk import Desk
from tests.unit.test_api_openrpc import accepts

LINE = """\
bitUSD for 1 TEST, drawn to scale
+--------+-------------------------------------------------------+-----+
|        |                                      highest bid 0.09090909 |
|        |                                 call price 0.08750000 |
|        | feed 0.05500000
| SQP 0.05000000

"""
NOT_CALLED = """\
bob owes 100.0000 bitUSD against 2,000.00000 TEST: a collateral ratio of 1.100, where the MCR is 1.750
    R1.9: A position is at or below the MCR when its collateral is worth no more than its debt times the MCR at the median feed.
Not called: the highest bid, 0.09090909, is not below its call price 0.08750000
    R4.2: The least collateralised position is called when the highest bid lies between the squeeze protection price and its call price: SQP < bid < call price, strictly.
It is the least collateralised of 2 positions
    R4.3: It is always the least collateralised position that is called, looked up anew after every fill.
No feed calls it as the bids are: a bid that is not below its call price calls nobody (R4.2)
A highest bid above 0.05000000 and below 0.08750000 bitUSD for 1 TEST calls it; 1 bid of 10.0000 bitUSD at or above its call price has to go first; 60.0000 bitUSD are bid there now (R4.2)
Called now by the bids that could, it would pay 900.00000 TEST for 60.0000 bitUSD, and 40.0000 bitUSD against 1,100.00000 TEST stay
    R4.5: A match covers the lesser of what the position wants covered and what the bid sells, rounded in favour of the position while it stays open.
A settlement now pays 0.05500000 bitUSD for 1 TEST: of all its debt, 1,818.18182 TEST for 100.0000 bitUSD, and 181.81818 TEST return to its owner
    R5.5: A settlement takes the lesser of request, allowance and debt, and pays at the feed less the offset, or at debt / collateral where the position has no more.
"""  # noqa: E501  # as it is printed
CALLED = (
    "In block 8 the settlement price was 0.05500000 bitUSD for 1 TEST and position 1.8.1 owed"
    " 100.0000 bitUSD against 2,000.00000 TEST. It was called because the highest bid, 0.06666666"
    " bitUSD for 1 TEST, was below its call price 0.08750000 bitUSD for 1 TEST and above 0.05000000"
    " bitUSD for 1 TEST, the worst price that a margin call takes. Order 1.7.1 covered 60.0000"
    " bitUSD for 900.00000 TEST, a fee of 0.00000 TEST included. It was left with 40.0000 bitUSD"
    " against 1,100.00000 TEST."
)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    desk = Desk(monkeypatch, capsys).open_market()
    desk.wallet("bob", "borrow", "100 bitUSD", "--ratio", "2")
    desk.wallet("alice", "sell", "10 bitUSD", "--for", "110 TEST")
    desk.wallet("alice", "sell", "60 bitUSD", "--for", "900 TEST")
    desk.wallet("init0", "publish-feed", "bitUSD", "0.055", "--msqr", "1.1")
    return desk


def test_a_borrower_asks_why(desk: Desk) -> None:
    """R4.2: first a higher bid holds the call back; it goes, and the call has happened."""
    ended = desk.run("why", "bob", "bitUSD")
    assert ended.code == 0, ended.err
    assert ended.out == LINE + NOT_CALLED
    predicted = desk.run("why", "1.8.1", "--json").json()["if_called"]
    assert predicted["collateral_paid"]["amount_text"] == "900.00000 TEST"
    desk.wallet("alice", "cancel", "1.7.0")
    after = desk.run("why", "bob", "usd", "--json").json()
    (past,) = after["past"]
    assert past["outcome"] == predicted
    assert past["statement"]["text"] == CALLED
    assert after["debt"] == predicted["debt_left"]
    told = desk.run("why", "bob", "bitUSD").out
    assert told.endswith(f"Margin calls that happened, the newest first\n{CALLED}\n")


def test_the_answer_has_its_schema(desk: Desk) -> None:
    """`rpc.discover` describes the answer, field by field."""
    client = Client(desk.backend)
    document = client.request({"id": 1, "jsonrpc": "2.0", "method": "rpc.discover"})["result"]
    (method,) = (one for one in document["methods"] if one["name"] == "pegboard.explain_position")
    answer = client.call("explain_position", "bob", "USD", api="pegboard")
    assert accepts(document, method["result"]["schema"], answer)
    assert not accepts(document, method["result"]["schema"], answer | {"rank": "first"})


def test_no_position_and_bad_questions(desk: Desk) -> None:
    """R4.3: who owes nothing is not called; what makes no sense is refused."""
    assert desk.run("why", "carol", "bitUSD").out.startswith("carol has no position in bitUSD")
    assert desk.run("why", "bob").code == 64
    assert desk.run("why", "1.8.0", "bitUSD").code == 64
    assert desk.run("why", "1.8.77").code == 1
    assert desk.run("why", "bob", "TEST").code == 1


def test_a_line_is_to_scale() -> None:
    """Places are proportional to prices; equal prices share one; words go where there is room."""
    marks = [Mark("c", 3, 1, "3"), Mark("a", 1, 1, "1"), Mark("b", 2, 1, "2")]
    assert draw(marks, 11) == ["+----+----+", "|    |c 3 |", "|    | b 2", "| a 1"]
    assert draw([Mark("x", 1, 2, "x"), Mark("y", 2, 4, "y")], 5) == ["+----", "| y y", "| x x"]
