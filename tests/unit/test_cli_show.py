"""`pegboard show`, and how amounts and prices are written."""

from __future__ import annotations

import pytest

from node.cli.block_lines import BlockLines, block_line
from node.cli.client import NodeClient
from node.cli.exits import UsageProblem
from node.cli.output import table
from node.cli.remote_chain import RemoteChain, parse_decimal
from protocol.wording import format_decimal, plural
from tests.support.desk import Desk


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    desk = Desk(monkeypatch, capsys).open_market()
    desk.wallet("alice", "sell", "10 bitUSD", "--for", "110 TEST")
    return desk


def text(desk: Desk, *arguments: str) -> str:
    ended = desk.run("show", *arguments)
    assert ended.code == 0, ended.err
    return ended.out


def test_chain(desk: Desk) -> None:
    """The head, its state hash, and the options of the chain."""
    found = desk.run("show", "chain", "--json").json()
    assert found["head_block_number"] == desk.chain.chain.head_num
    assert found["state_hash"] == desk.chain.chain.state_hash().hex()
    assert "margin call trigger  bid" in text(desk, "chain")


def test_producers(desk: Desk) -> None:
    """The same list under both words; three of three produce."""
    found = desk.run("show", "witnesses", "--json").json()
    assert [item["name"] for item in found if item["is_active"]] == ["init0", "init1", "init2"]
    assert text(desk, "delegates") == text(desk, "witnesses")


def test_asset(desk: Desk) -> None:
    """R1.7: the feed, and the squeeze protection price that follows from it."""
    lines = text(desk, "asset", "bitUSD")
    assert "feed (median)   0.10000000 bitUSD for 1 TEST" in lines
    assert "SQP             0.09090909 bitUSD for 1 TEST" in lines
    assert "highest bid     0.09090909" in lines
    assert "supply          100.0000 bitUSD" in lines
    assert "supply" in text(desk, "asset", "TEST")


def test_market_views(desk: Desk) -> None:
    """R1.10: positions with ratio and call price; the book from the BitAsset's side."""
    row = text(desk, "positions", "USD").splitlines()[1].split()
    assert row[:2] == ["alice", "1.8.0"]
    assert row[-3:] == ["2.500", "0.07000000", "next"]
    book = text(desk, "book", "bitUSD").splitlines()
    assert book[0] == "bids: bitUSD for TEST"
    assert "alice" in book[2]
    assert book[-1] == "none"
    assert text(desk, "settlements", "USD") == "no settlements wait\n"


def test_account_block_and_transaction(desk: Desk) -> None:
    """An account with its keys and positions; a block with what happened in it."""
    account = text(desk, "account", "alice")
    assert "active: 1 of TEST" in account
    assert "owes 100.0000 bitUSD, holds 2,500.00000 TEST" in account
    assert "10.0000 bitUSD for 110.00000 TEST" in account
    num = str(desk.chain.chain.head_num)
    assert "alice offers 10.0000 bitUSD for 110.00000 TEST" in text(desk, "block", num)
    assert "alice offers" in text(desk, "tx", num, "0")
    found = desk.run("show", "tx", num, "0", "--json").json()
    assert desk.run("show", "tx", found["id"], "--json").json() == found
    assert desk.run("show", "tx", num, "7").code == 1
    assert desk.run("show", "tx", "0" * 40).code == 1
    assert desk.run("show", "tx", "xyz").code == 64


def test_lines_of_blocks(desk: Desk) -> None:
    """R4.4, R5.5: trades, margin calls and settlements are told apart and counted once."""
    lines = BlockLines(RemoteChain(NodeClient()))
    assert [block["num"] for block in lines.new_blocks()] == [desk.chain.chain.head_num]
    desk.wallet("bob", "buy", "4 bitUSD", "--with", "44 TEST")
    desk.wallet("alice", "settle", "5 bitUSD")
    desk.wallet("init0", "publish-feed", "bitUSD", "0.06", "--msqr", "1.1")
    slots = 60 // 3
    desk.backend.produce(slot=slots)
    traded, asked, called, settled = lines.new_blocks()
    assert (traded["trades"], traded["margin_calls"], traded["settlements"]) == (1, 0, 0)
    assert (asked["trades"], asked["settlements"]) == (0, 0)
    assert (called["feeds"], called["margin_calls"]) == (1, 0), "the bid is above the call price"
    assert (settled["trades"], settled["settlements"]) == (0, 1)
    assert "1 settlement  (irreversible" in block_line(settled)
    assert "1 trade  (" in block_line(traded)
    assert list(lines.new_blocks()) == []


def test_lists(desk: Desk) -> None:
    """What exists, and what happened, without knowing its id."""
    assets = text(desk, "assets").splitlines()
    assert [assets_row(assets, "bitUSD")[at] for at in (0, 2, 3)] == ["bitUSD", "100.0000", "TEST"]
    assert len(desk.run("show", "assets", "--from", "TEST", "--json").json()) == 2, "TEST and USD"
    accounts = text(desk, "accounts", "--from", "alice", "--limit", "2").splitlines()
    assert [row.split()[0] for row in accounts] == ["account", "alice", "bob"]
    assert text(desk, "trades", "bitUSD") == "no trades\n"
    desk.wallet("bob", "buy", "4 bitUSD", "--with", "44 TEST")
    trade = text(desk, "trades", "bitusd").splitlines()[1].split()
    assert trade[1:] == ["0.09090909", "4.0000", "44.00000", "alice", "bob"]
    feeds = text(desk, "feeds", "bitUSD").splitlines()
    assert feeds[2].split()[0] == "init0"
    assert feeds[2].split()[2:] == ["0.10000000", "1.750", "1.100"]
    assert feeds[5].split()[-1] == "1"
    assert desk.run("show", "feeds", "TEST").code == 64


def assets_row(lines: list[str], symbol: str) -> list[str]:
    return next(line.split() for line in lines if line.split()[0] == symbol)


def test_calls_tell_why(desk: Desk) -> None:
    """Margin calls of an account or a BitAsset; a called position is called so."""
    assert text(desk, "calls", "alice") == "no margin calls\n"
    desk.wallet("bob", "borrow", "10 bitUSD", "--ratio", "1.8")
    desk.wallet("alice", "sell", "10 bitUSD", "--for", "105 TEST")
    told = text(desk, "calls", "bitUSD")
    assert told == text(desk, "calls", "bob")
    assert told.startswith("bob in block")
    assert "It was called because" in told
    called = text(desk, "block", str(desk.chain.chain.head_num))
    assert "position called: bob" in called
    assert desk.run("show", "calls", "TEST").code == 64
    assert desk.run("show", "calls", "nobody").code == 1


def test_settlements_are_called_what_they_are(desk: Desk) -> None:
    """Neither a settlement nor a global settlement is a margin call, or a negative trade."""
    lines = BlockLines(RemoteChain(NodeClient()))
    list(lines.new_blocks())
    desk.wallet("alice", "settle", "5 bitUSD")
    desk.backend.produce(slot=21)
    settled = list(lines.new_blocks())[-1]
    assert (settled["settlements"], settled["margin_calls"], settled["trades"]) == (1, 0, 0)
    shown = text(desk, "block", str(desk.chain.chain.head_num))
    assert "position settled: alice" in shown
    assert "called" not in shown
    desk.wallet("bob", "buy", "10 bitUSD", "--with", "110 TEST")
    desk.wallet("alice", "sell", "1 bitUSD", "--for", "40 TEST")
    desk.wallet("init0", "publish-feed", "bitUSD", "0.01", "--msqr", "1.1")
    swan = list(lines.new_blocks())[-1]
    assert (swan["positions_settled_globally"], swan["trades"], swan["margin_calls"]) == (1, 0, 0)
    assert "1 globally settled position  (" in block_line(swan)
    two = block_line({**swan, "positions_settled_globally": 2})
    assert "2 globally settled positions  (" in two


@pytest.mark.parametrize(
    "written", ["1,000 bitUSD", "1000bitUSD", "1000 bitusd", "1000.0 USD", "1,000.0000usd"]
)
def test_amounts_as_people_write_them(desk: Desk, written: str) -> None:
    """With thousands apart, as we print them; without the blank; in small letters."""
    chain = RemoteChain(NodeClient())
    assert chain.parse_amount(written) == chain.asset("USD").of(10_000_000)


@pytest.mark.parametrize("wrong", ["", "100", "USD", "1,00 USD", "-1", "1 2 USD", "1.2.3 USD"])
def test_amounts_are_not_guessed(desk: Desk, wrong: str) -> None:
    """What could be a slip is refused, by a sentence with an example in it."""
    with pytest.raises(UsageProblem, match=r"as in|such as"):
        RemoteChain(NodeClient()).parse_amount(wrong)


def test_refusals_for_people(desk: Desk) -> None:
    """A block that is not there yet, and an amount below zero."""
    ended = desk.run("show", "block", "99999")
    assert ended.code == 1
    assert "no such block yet" in ended.err
    ended = desk.run("wallet", "sell", "-1 bitUSD", "--for", "1 TEST")
    assert ended.code == 64
    assert "an amount cannot be negative: -1" in ended.err


@pytest.mark.parametrize(
    ("units", "precision", "written"),
    [(0, 0, "0"), (5, 4, "0.0005"), (-12_345, 2, "-123.45"), (10**15, 5, "10,000,000,000.00000")],
)
def test_decimals(units: int, precision: int, written: str) -> None:
    """Smallest units as people read them, and back."""
    assert format_decimal(units, precision) == written
    assert parse_decimal(written.replace(",", ""), precision) == units
    assert parse_decimal(written, precision) == units


@pytest.mark.parametrize(
    "wrong", ["", "1,5", "1,00", "1,0000", ",1", ".5", "1e3", "1.23456", "--1", "٣", "1" * 17]
)
def test_decimals_are_not_guessed(wrong: str) -> None:
    """No rounding, no exponents, no foreign digits."""
    with pytest.raises(UsageProblem):
        parse_decimal(wrong, 4)


def test_tables_align(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words to the left, numbers to the right, no blanks at the end of a line."""
    monkeypatch.setattr("node.cli.output.heading", lambda line: line)
    assert table(("name", ">n"), [("a", "1"), ("bcdef", "10")]) == [
        "name    n",
        "a       1",
        "bcdef  10",
    ]
    assert [plural("witness"), plural("delegate")] == ["witnesses", "delegates"]
