"""What an export holds: its columns, declared once, and the values of a row.

What is not there is an empty field in CSV, null in Parquet. A price is base per quote: rounded down
to 8 decimals in its own column, and exact as the two amounts beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from node.cli.client import JsonObject, as_int, as_object, as_text
from node.cli.remote_chain import RemoteAsset
from protocol.ids import asset_text
from protocol.json_form import JsonValue, parse_time
from protocol.schema import Record
from protocol.wording import PRICE_DIGITS, units_ratio

Kind = Literal["integer", "decimal", "text", "boolean", "time"]
PARQUET_TYPES: dict[Kind, str] = {
    "integer": "int64",
    "decimal": "decimal128",
    "text": "string",
    "boolean": "bool",
    "time": "timestamp, UTC",
}
"""What a kind is in Parquet, in words."""
Value = int | str | bool | None
"""A decimal is its smallest units, a time seconds since 1970."""
Row = tuple[Value, ...]


class Unit(NamedTuple):
    """An asset, as far as its amounts need it."""

    asset_id: str
    symbol: str
    """As people read it (R2.19)."""
    precision: int


def unit_of(asset: RemoteAsset) -> Unit:
    """What amounts of an asset count."""
    return Unit(asset_text(asset.id), asset.display_symbol, asset.precision)


class Column(Record):
    """One column of a file."""

    name: str
    kind: Kind
    meaning: str
    decimals: int = 0
    """Of a decimal."""


class Field(Record, gc=True):
    """One or more columns that come from one thing of a record."""

    columns: tuple[Column, ...]
    values: Callable[[JsonObject], Sequence[Value]]


class Table(Record):
    """What is exported of one kind, in the market of two assets or of none."""

    fields: tuple[Field, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the file, in order."""
        return tuple(column for field in self.fields for column in field.columns)

    def row(self, record: JsonObject) -> Row:
        """The values of one record, in the order of the columns."""
        return tuple(value for field in self.fields for value in field.values(record))


def found(record: JsonObject, path: str) -> JsonValue:
    """What stands at a path such as "maker.fee"; None where a part of it is missing or null."""
    value: JsonValue = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def integer(name: str, meaning: str, path: str = "") -> Field:
    """A whole number."""
    return _single(Column(name, "integer", meaning), path, as_int)


def text(name: str, meaning: str, path: str = "") -> Field:
    """Words, names and ids."""
    return _single(Column(name, "text", meaning), path, as_text)


def boolean(name: str, meaning: str, path: str = "") -> Field:
    """Yes or no."""
    return _single(Column(name, "boolean", meaning), path, lambda value: value is True)


def time(name: str, meaning: str, path: str = "") -> Field:
    """A moment, to the second."""
    return _single(Column(name, "time", meaning), path, lambda value: parse_time(as_text(value)))


def _single(column: Column, path: str, read: Callable[[JsonValue], Value]) -> Field:
    def values(record: JsonObject) -> tuple[Value]:
        value = found(record, path or column.name)
        return (None if value is None else read(value),)

    return Field((column,), values)


def constant(name: str, meaning: str, value: str) -> Field:
    """The same in each row, so that files of several markets can be put together."""
    return Field((Column(name, "text", meaning),), lambda _: (value,))


def amount(name: str, meaning: str, asset: Unit, path: str = "") -> Field:
    """An amount of one asset: in smallest units, and in whole ones with all decimals."""
    columns = (
        Column(name, "integer", f"{meaning}, in smallest units"),
        Column(f"{name}_decimal", "decimal", f"{meaning}, in whole units", asset.precision),
    )

    def values(record: JsonObject) -> tuple[Value, Value]:
        value = found(record, path or name)
        if isinstance(value, dict):
            value = value["amount"]
        units = None if value is None else as_int(value)
        return units, units

    return Field(columns, values)


def any_amount(name: str, meaning: str, assets: Sequence[Unit], path: str) -> Field:
    """An amount of one of a market's assets, in both units, and which asset it is of.

    As decimals it has as many as the asset that has most.
    """
    by_id = {asset.asset_id: asset for asset in assets}
    decimals = max(asset.precision for asset in assets)
    columns = (
        Column(name, "integer", f"{meaning}, in smallest units"),
        Column(f"{name}_decimal", "decimal", f"{meaning}, in whole units", decimals),
        Column(f"{name}_asset", "text", f"{meaning}: of which asset"),
    )

    def values(record: JsonObject) -> tuple[Value, Value, Value]:
        value = found(record, path)
        if value is None:
            return None, None, None
        fields = as_object(value)
        units, asset = as_int(fields["amount"]), by_id[as_text(fields["asset_id"])]
        return units, units * 10 ** (decimals - asset.precision), asset.symbol

    return Field(columns, values)


def price(name: str, meaning: str, base: Unit, quote: Unit, path: str = "") -> Field:
    """A price as base for one quote: rounded down for people, and exact as two amounts."""
    columns = (
        Column(name, "decimal", f"{meaning}, rounded down", PRICE_DIGITS),
        Column(f"{name}_base", "integer", f"{meaning}: smallest units of the base..."),
        Column(f"{name}_quote", "integer", "...for so many of the quote"),
    )

    def values(record: JsonObject) -> tuple[Value, Value, Value]:
        value = found(record, path or name)
        if value is None:
            return None, None, None
        sides = [as_object(as_object(value)[side]) for side in ("base", "quote")]
        if sides[0]["asset_id"] != base.asset_id:
            sides.reverse()
        gives, takes = (as_int(side["amount"]) for side in sides)
        if gives <= 0 or takes <= 0:
            return None, None, None
        return units_ratio(gives, takes, (base.precision, quote.precision)), gives, takes

    return Field(columns, values)
