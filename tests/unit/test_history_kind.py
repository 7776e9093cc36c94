"""Tables, rows and records from one declaration: what it allows, and what follows from a field."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from node.api.views import view_record
from node.history.database.session import schema_statements, select_from
from node.history.database.sqlite import SqliteDatabase
from node.history.kind import Column, Kind, RowDamaged
from node.history.records import FEEDS, KINDS, MARGIN_CALLS, OPERATIONS, OperationRun
from protocol.asset import NULL_PRICE, AssetAmount, Price
from protocol.ids import AccountId, AssetId, OperationHistoryId
from protocol.schema import BlockId, Int64, Record, Timestamp, UInt32
from tests.support.api import ChainBackend
from tests.support.chain import TestChain


class Inner(Record):
    """A part of another record."""

    holder: AccountId
    price: Price
    limit: UInt32 | None


class Outer(Record):
    """A record with a field of each form."""

    instance: Int64
    pair: tuple[AssetId, AssetId]
    block_time: Timestamp
    paid: AssetAmount
    inner: Inner
    is_odd: bool
    text: str
    digest: BlockId


OUTER = Kind("outer", Outer, ("instance",), (("holder", "instance"),))
PRICE = Price(AssetAmount(7, AssetId(1)), AssetAmount(3, AssetId(0)))


def outer(limit: int | None) -> Outer:
    inner = Inner(AccountId(9), PRICE, limit)
    pair = (AssetId(1), AssetId(2))
    amount = AssetAmount(5, AssetId(4))
    return Outer(1, pair, 77, amount, inner, True, "x", BlockId(b"\x01" * 20))


def test_columns_follow_from_the_fields() -> None:
    """Values carry their field's name, parts do not; the time of a block is not stored again."""
    assert [column.name for column in OUTER.columns] == [
        "instance",
        "pair_first",
        "pair_second",
        "block_time",
        "paid_amount",
        "paid_asset_id",
        "holder",
        "price_base_amount",
        "price_base_asset_id",
        "price_quote_amount",
        "price_quote_asset_id",
        "limit",
        "is_odd",
        "text",
        "digest",
    ]
    assert Column("limit", "integer", True) in OUTER.columns
    assert "block_time" not in {column.name for column in OUTER.stored_columns}
    assert OUTER.value_of(outer(None), "price_quote_amount") == 3


@pytest.mark.parametrize("limit", [None, 4])
def test_a_record_returns_from_its_table(tmp_path: Path, limit: int | None) -> None:
    """Created, written and read by nothing but the declaration."""
    database = SqliteDatabase(tmp_path / "one.sqlite")
    database.connect()
    with database.writing() as session:
        session.rows("CREATE TABLE block (num BIGINT PRIMARY KEY, time BIGINT NOT NULL)")
        session.rows("INSERT INTO block VALUES (0, 77)")
        for statement in schema_statements(OUTER, database):
            session.rows(statement)
        session.rows('ALTER TABLE "outer" ADD COLUMN block_num BIGINT NOT NULL DEFAULT 0')
        session.add(OUTER, [OUTER.row_of(outer(limit))])
        (row,) = session.rows(select_from(OUTER))
    assert OUTER.record_of(row) == outer(limit)
    database.close()


def test_a_record_is_told_with_all_its_fields() -> None:
    """The API's form: ids and times as text, a null price as null, parts beside the rest."""
    told = view_record(ChainBackend(TestChain()), outer(None))
    assert (told["holder"], told["limit"], told["block_time"]) == (
        "1.2.9",
        None,
        "1970-01-01T00:01:17",
    )
    assert told["price"] == {
        "base": {"amount": 7, "asset_id": "1.3.1"},
        "quote": {"amount": 3, "asset_id": "1.3.0"},
    }
    null = Inner(AccountId(9), NULL_PRICE, 1)
    assert view_record(ChainBackend(TestChain()), null)["price"] is None


class WithList(Record):
    """A list has no form as a column."""

    instance: Int64
    many: tuple[AssetId, ...]


class Doubled(Record):
    """Two fields that would share a column."""

    inner: Inner
    holder: AccountId


@pytest.mark.parametrize(
    ("record", "reason"), [(WithList, "many has no form"), (Doubled, "called holder")]
)
def test_a_field_without_a_form_is_refused(record: type, reason: str) -> None:
    """At import, not when the first row is written."""
    with pytest.raises(TypeError, match=reason):
        Kind("wrong", record, ("instance",))


def test_a_damaged_row_is_no_record() -> None:
    """T-S3: a checksum covers the key and the bytes."""
    record = OperationRun(OperationHistoryId(3), 1, 5, b"packed")
    row = list(OPERATIONS.row_of(record))
    names = [column.name for column in OPERATIONS.columns]
    row.insert(names.index("block_time"), 5)
    assert OPERATIONS.record_of(tuple(row)) == record
    row[0] = 4
    with pytest.raises(RowDamaged):
        OPERATIONS.record_of(tuple(row))


def test_every_field_of_an_event_is_a_column() -> None:
    """What the market tells of a margin call or a median is kept, whatever fields it has."""
    for kind, first in ((MARGIN_CALLS, "position"), (FEEDS, "asset_id")):
        names = [column.name for column in kind.stored_columns]
        assert first in names
        assert len(names) == len(set(names)) > 15
    keys = {kind.name: set(kind.key) for kind in KINDS}
    for kind in KINDS:
        assert keys[kind.name] <= {column.name for column in kind.stored_columns}, kind
        for index in kind.indexes:
            assert set(index) <= {column.name for column in kind.stored_columns}, kind


def test_names_that_are_words_of_sql_are_quoted(tmp_path: Path) -> None:
    """A field may be called "limit" or a table "outer"."""
    connection = sqlite3.connect(tmp_path / "two.sqlite")
    for statement in schema_statements(OUTER, SqliteDatabase(tmp_path / "two.sqlite")):
        connection.execute(statement)
    assert connection.execute('SELECT "limit" FROM "outer"').fetchall() == []
    connection.close()
