"""`pegboard export`: files with each record once, of one chain, whole or not at all."""

from __future__ import annotations

import csv
import datetime
from decimal import Decimal
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from node.api.errors import NotPossible
from node.api.holds import HOLDS_MAX, IDLE_S
from node.cli import export_pages
from node.cli.client import JsonObject
from node.cli.exits import UsageProblem
from node.cli.export_columns import Unit, any_amount, integer, price
from node.cli.export_files import write_csv, write_parquet
from node.exit_codes import Exit
from tests.support.desk import Desk

Json = Any
HEADINGS = {
    "trades": "block_num,block_time,sequence,base,quote,price,price_base,price_quote,base_amount,"
    "base_amount_decimal,quote_amount,quote_amount_decimal,is_margin_call,maker,maker_id,"
    "maker_order,maker_fee,maker_fee_decimal,maker_fee_asset,taker,taker_id,taker_order,taker_fee,"
    "taker_fee_decimal,taker_fee_asset",
    "feeds": "block_num,block_time,instance,base,quote,price,price_base,price_quote,mcr,msqr,"
    "feed_count,publication_time",
    "calls": "block_num,block_time,instance,base,quote,account,account_id,position,trigger,"
    "settlement_price,settlement_price_base,settlement_price_quote,mcr,call_price,call_price_base,"
    "call_price_quote,margin_call_order_price,margin_call_order_price_base,"
    "margin_call_order_price_quote,bid_price,bid_price_base,bid_price_quote,bid,bidder_id,"
    "debt_before,debt_before_decimal,collateral_before,collateral_before_decimal,debt_covered,"
    "debt_covered_decimal,collateral_paid,collateral_paid_decimal,margin_call_fee,"
    "margin_call_fee_decimal,debt_after,debt_after_decimal,collateral_after,"
    "collateral_after_decimal,ratio_before,ratio_after,is_closed,explanation",
    "positions": "block_num,block_time,base,quote,position,borrower,borrower_id,debt,debt_decimal,"
    "collateral,collateral_decimal,ratio,call_price,call_price_base,call_price_quote,is_called,"
    "target_ratio",
    "blocks": "block_num,block_time,block_id,previous,witness_id,witness,transactions,operations",
}
"""Programs rely on these names: columns may be added behind them, none goes or moves."""


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """Two positions, three trades, one of them a margin call, and three medians."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(export_pages, "PAGE", 2)
    monkeypatch.setattr(export_pages, "POSITIONS_PAGE", 1)
    desk = Desk(monkeypatch, capsys, development=True)
    desk.wallet("init0", "publish-feed", "bitUSD", "0.1", "--msqr", "1.5")
    desk.wallet("alice", "borrow", "100 bitUSD", "--ratio", "2.5")
    desk.wallet("bob", "borrow", "100 bitUSD", "--ratio", "3")
    for amount in ("10", "20"):
        desk.wallet("alice", "sell", f"{amount} bitUSD", "--for", f"{amount}1 TEST")
        desk.wallet("bob", "sell", f"{amount}1 TEST", "--for", f"{amount} bitUSD")
    desk.wallet("bob", "sell", "40 bitUSD", "--for", "727.27272 TEST")
    for fed in ("0.08", "0.065"):
        desk.wallet("init0", "publish-feed", "bitUSD", fed, "--msqr", "1.5")
    return desk


def exported(desk: Desk, *arguments: str) -> list[dict[str, str]]:
    """The rows that a command prints."""
    ended = desk.run("export", *arguments)
    assert ended.code == 0, ended.err
    return list(csv.DictReader(ended.out.splitlines()))


def listed(desk: Desk, method: str, *arguments: Json) -> list[Json]:
    """All that a list of the API holds."""
    request = f'{{"id":1,"method":"call","params":["pegboard","{method}",{list(arguments)}]}}'
    answer: Json = desk.exchange(request.replace("'", '"').encode())["result"]
    return list(answer["records"])


def test_names_stay_and_are_told(desk: Desk) -> None:
    """The header of each file, and what `export columns` tells of it."""
    for name, heading in HEADINGS.items():
        subject = () if name == "blocks" else ("bitUSD",)
        out = desk.run("export", name, *subject).out.splitlines()
        assert out[0] == heading
        assert len(out) > 1
        told = desk.run("export", "columns", name, "--json").json()
        assert ",".join(one["name"] for one in told) == heading
        assert all(one["meaning"] and one["type"] for one in told)


def test_amounts_are_exact_in_both_units(desk: Desk) -> None:
    """Smallest units and whole ones with all decimals; prices also as two amounts."""
    rows, known = exported(desk, "trades", "bitUSD"), listed(desk, "list_trades", "USD", "TEST")
    assert [int(row["sequence"]) for row in rows] == [one["sequence"] for one in known]
    for row, one in zip(rows, known, strict=True):
        base, quote = (int(side["amount"]) for side in one["amounts"])
        assert (int(row["base_amount"]), int(row["quote_amount"])) == (base, quote)
        assert Decimal(row["base_amount_decimal"]) == Decimal(base) / 10**4
        assert Decimal(row["quote_amount_decimal"]) == Decimal(quote) / 10**5
        exact = Decimal(int(row["price_base"]) * 10**5) / (int(row["price_quote"]) * 10**4)
        assert 0 <= exact - Decimal(row["price"]) < Decimal("0.00000001")
    assert [row["is_margin_call"] for row in rows] == ["false", "false", "true"]
    assert [row["maker"] for row in rows] == ["alice", "alice", "bob"]
    (call,) = exported(desk, "calls", "bitUSD")
    assert (call["account"], call["debt_covered_decimal"]) == ("alice", "40.0000")
    assert call["collateral_paid_decimal"] == "727.27272"
    assert call["explanation"].startswith(f"In block {call['block_num']}")


def test_a_fee_in_either_asset_has_the_decimals_of_both() -> None:
    """12.5 units of two assets of different precision are the same decimal."""
    assets = (Unit("1.3.1", "bitUSD", 4), Unit("1.3.0", "TEST", 5))
    fee = any_amount("fee", "the fee", assets, "maker.fee")
    assert fee.columns[1].decimals == 5
    for asset_id, units, symbol in (("1.3.1", 125_000, "bitUSD"), ("1.3.0", 1_250_000, "TEST")):
        paid: JsonObject = {"amount": units, "asset_id": asset_id}
        assert fee.values({"maker": {"fee": paid}}) == (units, 1_250_000, symbol)
    assert fee.values({"maker": None}) == (None, None, None)


def test_a_price_is_told_one_way_round() -> None:
    """Base per quote, however the node gives it; what costs nothing has none."""
    field = price("price", "a price", Unit("1.3.1", "bitUSD", 4), Unit("1.3.0", "TEST", 5))
    sides: list[JsonObject] = [
        {"amount": 1, "asset_id": "1.3.1"},
        {"amount": 300, "asset_id": "1.3.0"},
    ]
    for base, quote in (sides, sides[::-1]):
        told: JsonObject = {"price": {"base": base, "quote": quote}}
        assert field.values(told) == (3_333_333, 1, 300)
    nothing: JsonObject = {"base": {**sides[0], "amount": 0}, "quote": sides[1]}
    assert field.values({"price": nothing}) == (None, None, None)


def test_positions_and_blocks(desk: Desk) -> None:
    """Positions of the head; blocks that follow each other, with what was in them."""
    positions = exported(desk, "positions", "bitUSD")
    head = desk.chain.chain.head_num
    assert [row["borrower"] for row in positions] == ["alice", "bob"]
    assert {row["block_num"] for row in positions} == {str(head)}
    blocks = exported(desk, "blocks")
    assert [int(row["block_num"]) for row in blocks] == list(range(1, head + 1))
    assert blocks[-1]["block_id"] == desk.chain.chain.head_id.hex()
    for before, block in pairwise(blocks):
        assert block["previous"] == before["block_id"]
    assert {row["transactions"] for row in blocks[1:]} == {"1"}


def test_from_and_to(desk: Desk) -> None:
    """Numbers and times, both ends included; times that lie between two blocks, too."""
    blocks = exported(desk, "blocks")
    times = {row["block_num"]: row["block_time"] for row in blocks}
    feeds = exported(desk, "feeds", "bitUSD")
    num = feeds[1]["block_num"]
    for place in (num, times[num]):
        assert exported(desk, "feeds", "bitUSD", "--from", place) == feeds[1:]
        assert exported(desk, "feeds", "bitUSD", "--to", place) == feeds[:2]
        assert exported(desk, "feeds", "bitUSD", "--from", place, "--to", place) == feeds[1:2]
    moment = datetime.datetime.fromisoformat(times[num]) + datetime.timedelta(seconds=1)
    between = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert exported(desk, "blocks", "--from", between) == blocks[int(num) :]
    assert exported(desk, "blocks", "--to", between) == blocks[: int(num)]
    assert exported(desk, "blocks", "--from", "2100-01-01") == []
    assert exported(desk, "trades", "bitUSD", "--to", "0") == []
    certain = exported(desk, "blocks", "--to", "irreversible")
    assert len(certain) == desk.chain.chain.last_irreversible_num


def between_pages(desk: Desk, monkeypatch: pytest.MonkeyPatch, method: str, act: Any) -> None:
    """Have something happen after each answer of a method."""
    answer = desk.exchange

    def exchange(body: bytes) -> JsonObject:
        found = answer(body)
        if f'"{method}"'.encode() in body:
            act()
        return found

    monkeypatch.setattr(desk, "exchange", exchange)


LISTS = [("feeds", "list_feeds"), ("blocks", "get_blocks"), ("trades", "list_trades")]


@pytest.mark.parametrize(("name", "method"), LISTS)
def test_blocks_come_in_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str, method: str
) -> None:
    """The export ends with the block that was the head when it began."""
    subject = () if name == "blocks" else ("bitUSD",)
    rows, head = exported(desk, name, *subject), desk.chain.chain.head_num

    def go_on() -> None:
        desk.wallet("init0", "publish-feed", "bitUSD", f"0.06{desk.chain.chain.head_num}")
        desk.wallet("alice", "sell", "1 bitUSD", "--for", "20 TEST")
        desk.wallet("bob", "sell", "20 TEST", "--for", "1 bitUSD")

    between_pages(desk, monkeypatch, method, go_on)
    assert exported(desk, name, *subject) == rows
    assert desk.chain.chain.head_num > head
    assert len(exported(desk, name, *subject)) > len(rows)


@pytest.mark.parametrize(("name", "method"), LISTS)
def test_a_chain_that_goes_back_is_noticed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, method: str
) -> None:
    """A rewind between two pages: refused, and the old file stays as it was."""
    target = tmp_path / "out.csv"
    target.write_text("old")
    development = desk.backend.development
    assert development is not None
    gone: list[bool] = []

    def go_back() -> None:
        if not gone:
            gone.append(True)
            development.rewind(desk.chain.chain.head_num - 1)
            desk.wallet("init0", "publish-feed", "bitUSD", "0.066")

    between_pages(desk, monkeypatch, method, go_back)
    subject = () if name == "blocks" else ("bitUSD",)
    ended = desk.run("export", name, *subject, "--out", str(target))
    assert (ended.code, gone) == (Exit.REFUSED, [True])
    assert "the chain went back" in ended.err
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert desk.run("export", name, *subject, "--out", str(target)).code == 0
    assert target.read_text().startswith("block_num,")


def test_a_block_of_another_fork_is_noticed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the chain is back before the last page: each block names the one before it."""
    answer = desk.exchange

    def exchange(body: bytes) -> JsonObject:
        found: Json = answer(body)
        if b'"get_blocks"' in body and '"params": ["block", "get_blocks", [3' in body.decode():
            found["result"][0]["timestamp"] = "2020-01-01T00:00:00"
        return dict(found)

    monkeypatch.setattr(desk, "exchange", exchange)
    ended = desk.run("export", "blocks")
    assert (ended.code, ended.out) == (Exit.REFUSED, "")
    assert "the chain went back" in ended.err


def test_a_head_that_goes_at_once_is_noticed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gone before its id was known, and nothing in its place."""
    development = desk.backend.development
    assert development is not None
    gone: list[bool] = []

    def go_back() -> None:
        if not gone:
            gone.append(True)
            development.rewind(desk.chain.chain.head_num - 1)

    between_pages(desk, monkeypatch, "get_dynamic_global_properties", go_back)
    ended = desk.run("export", "feeds", "bitUSD")
    assert (ended.code, ended.out, gone) == (Exit.REFUSED, "", [True])
    assert "the chain went back" in ended.err


def test_positions_are_of_one_block(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens between two pages: a position changes, another comes, the feed and the bids
    move. Nothing is held afterwards; a block that is taken back meanwhile is told."""
    before = exported(desk, "positions", "bitUSD")
    assert len(before) == 2
    desk.wallet("carol", "borrow", "10 bitUSD", "--ratio", "9")
    expected, head = exported(desk, "positions", "bitUSD"), desk.chain.chain.head_num
    moves = iter(
        [
            (),
            ("bob", "adjust", "bitUSD", "--collateral", "500 TEST"),
            ("init0", "publish-feed", "bitUSD", "0.07", "--msqr", "1.5"),
            ("alice", "sell", "1 bitUSD", "--for", "12 TEST"),
        ]
    )

    def happen() -> None:
        if move := next(moves, None):
            desk.wallet(*move)

    with monkeypatch.context() as patch:
        between_pages(desk, patch, "list_positions", happen)
        rows = exported(desk, "positions", "bitUSD")
    assert rows == expected
    assert len(rows) == 3
    assert {row["block_num"] for row in rows} == {str(head)}
    assert desk.chain.chain.head_num == head + 3
    assert exported(desk, "positions", "bitUSD") != expected
    for _ in range(HOLDS_MAX):
        desk.backend.api.holds.make(desk.chain.chain, 0)
    with pytest.raises(NotPossible):
        desk.backend.api.holds.make(desk.chain.chain, IDLE_S)
    desk.backend.api.holds.make(desk.chain.chain, IDLE_S + 1)

    development = desk.backend.development
    assert development is not None
    between_pages(
        desk,
        monkeypatch,
        "list_positions",
        lambda: development.rewind(desk.chain.chain.head_num - 1),
    )
    ended = desk.run("export", "positions", "bitUSD")
    assert (ended.code, ended.out) == (Exit.REFUSED, "")
    assert "its block was taken back" in ended.err


def test_parquet_is_typed(desk: Desk, tmp_path: Path) -> None:
    """Integers, exact decimals, moments in UTC, and what the file is of."""
    path = tmp_path / "calls.parquet"
    told = desk.run("export", "calls", "USD", "--format", "parquet", "--out", str(path), "--json")
    assert told.json()["rows"] == 1
    table = pyarrow.parquet.read_table(path)
    types = {field.name: str(field.type) for field in table.schema}
    assert types["debt_covered"] == "int64"
    assert types["debt_covered_decimal"] == "decimal128(38, 4)"
    assert types["collateral_paid_decimal"] == "decimal128(38, 5)"
    assert types["block_time"] == "timestamp[ms, tz=UTC]"
    (row,) = table.to_pylist()
    (known,) = exported(desk, "calls", "USD")
    assert (
        row["debt_covered_decimal"] == Decimal("40.0000") == Decimal(known["debt_covered_decimal"])
    )
    assert row["block_time"].isoformat() == known["block_time"].replace("Z", "+00:00")
    facts = table.schema.metadata
    assert facts[b"chain_id"].decode() == desk.chain.chain.chain_id.hex()
    assert int(facts[b"last_block"]) == desk.chain.chain.head_num
    feeds = tmp_path / "feeds.parquet"
    command = ("export", "feeds", "USD", "--format", "parquet", "--out", str(feeds))
    assert desk.run(*command, "--to", "0").code == 0
    assert pyarrow.parquet.read_table(feeds).num_rows == 0


def test_bad_arguments(desk: Desk) -> None:
    """Each is told with its value."""
    for words, code, said in (
        ("trades bitUSD --from yesterday", Exit.USAGE, "yesterday"),
        ("blocks --to 2026-02-31", Exit.USAGE, "2026-02-31"),
        ("feeds bitUSD --out /no/such/folder/x.csv", Exit.USAGE, "--out"),
        ("feeds bitUSD --out /tmp", Exit.USAGE, "is a directory"),
        ("positions TEST", Exit.USAGE, "not a BitAsset"),
        ("calls NOTHING", Exit.REFUSED, "no such asset"),
        ("feeds bitUSD --format xml", Exit.USAGE, "xml"),
    ):
        ended = desk.run("export", *words.split())
        assert (ended.code, ended.out) == (code, ""), words
        assert said in ended.err


def test_a_number_beyond_parquet_is_refused() -> None:
    """A ratio of thousandths has no bound of its own; CSV holds it."""
    columns = integer("ratio", "the ratio").columns
    assert write_parquet(BytesIO(), columns, [(2**63 - 1,), (None,)], {}) == 2
    with pytest.raises(UsageProblem, match="ratio: export as CSV"):
        write_parquet(BytesIO(), columns, [(2**63,)], {})
    file = BytesIO()
    write_csv(file, columns, [(10**33,)], {})
    assert file.getvalue() == f"ratio\n{10**33}\n".encode()


def test_parquet_without_its_package(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal says what to install; CSV needs nothing."""

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("node.cli.export_files.import_module", missing)
    ended = desk.run("export", "feeds", "bitUSD", "--format", "parquet", "--out", "x.parquet")
    assert ended.code == Exit.CONFIGURATION
    assert "pip install 'pegboard[parquet]'" in ended.err
    assert not Path("x.parquet").exists()
    assert exported(desk, "feeds", "bitUSD")
