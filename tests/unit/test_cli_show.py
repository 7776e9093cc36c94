"""`pegboard show`, and how amounts and prices are written."""

from __future__ import annotations

import pytest

from node.cli.block_lines import BlockLines, block_line
from node.cli.client import NodeClient
from node.cli.exits import UsageProblem
from node.cli.output import plural, table
from node.cli.remote_chain import RemoteChain, format_decimal, parse_decimal
from tests.support.desk import Desk


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    monkeypatch.setenv("NO_COLOR", "1")
    desk = Desk(monkeypatch, capsys)
    desk.wallet("init0", "publish-feed", "bitUSD", "0.1", "--msqr", "1.1")
    desk.wallet("alice", "borrow", "100 bitUSD", "--ratio", "2.5")
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
    assert row[-2:] == ["2.500", "0.07000000"]
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


@pytest.mark.parametrize(
    ("units", "precision", "written"),
    [(0, 0, "0"), (5, 4, "0.0005"), (-12_345, 2, "-123.45"), (10**15, 5, "10,000,000,000.00000")],
)
def test_decimals(units: int, precision: int, written: str) -> None:
    """Smallest units as people read them, and back."""
    assert format_decimal(units, precision) == written
    assert parse_decimal(written.replace(",", ""), precision) == units


@pytest.mark.parametrize("wrong", ["", "1,5", ".5", "1e3", "1.23456", "--1", "٣", "1" * 17])
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
