"""From a declared record to the columns of its table, to rows, and back.

| field | columns |
|---|---|
| an integer, a time, an id | one of integers |
| `bool`, `str`, bytes | one |
| `X | None` of these | one that may be null |
| a pair | two, with `_first` and `_second` behind the name |
| an amount, a price | one for each integer in it, such as `debt_asset_id` |
| any other record | its own columns, under their own names |

Behind the last column of a table with bytes of any length stands a checksum.

The time of a block stands in the block's row alone: a column `block_time` is read from there.
"""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar, cast
from zlib import crc32

from protocol.asset import AssetAmount, Price
from protocol.schema import (
    FixedBytesType,
    IdType,
    IntegerType,
    OptionalType,
    PairType,
    Record,
    ScalarType,
    StructType,
    WireType,
    schema_of,
)

R = TypeVar("R")

Value = int | bool | str | bytes | None
Row = tuple[Value, ...]

CHECKSUM = "checksum"
BLOCK_TIME = "block_time"
_VALUES = (AssetAmount, Price)
"""Records that are values: their columns carry the field's name."""


_numbers = itertools.count(1)


class RowDamaged(ValueError):
    """A row's checksum is not that of its key and its bytes."""


class Column(Record):
    """One column of a table."""

    name: str
    type: Literal["integer", "boolean", "text", "bytes"]
    is_optional: bool = False


class Kind(Generic[R]):
    """One kind of records: what its table is called, and which columns are its key."""

    def __init__(
        self,
        name: str,
        record: type[R],
        key: tuple[str, ...],
        indexes: tuple[tuple[str, ...], ...] = (),
    ) -> None:
        """Raises `TypeError` for a field that has no form as columns."""
        self.name = name
        self.record = record
        self.key = key
        self.indexes = indexes
        derived = _Derivation(record)
        self.columns = tuple(derived.columns)
        """All that a row holds, `block_time` included, which is stored in the block's row."""
        self.has_checksum = derived.has_checksum
        self._derived = derived

    def __repr__(self) -> str:
        return f"Kind({self.name})"

    @cached_property
    def stored_columns(self) -> tuple[Column, ...]:
        """The columns of the table."""
        return tuple(column for column in self.columns if column.name != BLOCK_TIME)

    @cached_property
    def row_of(self) -> Callable[[R], Row]:
        """The stored columns of a record."""
        return cast(Callable[[R], Row], self._derived.writer())

    @cached_property
    def record_of(self) -> Callable[[Row], R]:
        """The record of a row of `columns`; raises `RowDamaged`."""
        return cast(Callable[[Row], R], self._derived.reader())

    @cached_property
    def value_of(self) -> Callable[[R, str], Value]:
        """The value that a record has in a column."""
        getters = self._derived.getters()
        return lambda record, column: getters[column](record)


class _Derivation:
    """Walks over a record's declaration and writes down the source of its two functions."""

    def __init__(self, record: type) -> None:
        self.record = record
        self.columns: list[Column] = []
        self.names: dict[str, Any] = {"crc32": crc32}
        self.places: list[str] = []
        self.has_checksum = False
        self.record_text = self._struct(record, "r", "")
        if self.has_checksum:
            self.columns.append(Column(CHECKSUM, "integer"))

    def writer(self) -> Callable[[object], Row]:
        """The function from a record to its row."""
        pairs = zip(self.columns, self.places, strict=False)
        texts = [place for column, place in pairs if column.name != BLOCK_TIME]
        text = f"({', '.join(texts)},)"
        if self.has_checksum:
            text = f"(lambda row: (*row, {self._checksum()}))({text})"
        return cast(Callable[[object], Row], self._function("r", text))

    def reader(self) -> Callable[[Row], object]:
        """The function from a row to its record."""
        make = self._function("v", self.record_text)
        if not self.has_checksum:
            return make
        times = [place for place, column in enumerate(self.columns) if column.name == BLOCK_TIME]
        checksum = self._function("row", self._checksum())

        def checked(row: Row) -> object:
            stored = tuple(value for place, value in enumerate(row[:-1]) if place not in times)
            if checksum(stored) != row[-1]:
                raise RowDamaged(f"the row of {row[0]!r} is damaged")
            return make(row)

        return checked

    def getters(self) -> dict[str, Callable[[object], Value]]:
        """What reads each column off a record."""
        pairs = zip(self.columns, self.places, strict=False)
        return {column.name: self._function("r", place) for column, place in pairs}

    def _checksum(self) -> str:
        """CRC-32 over the key and the bytes of a `row`."""
        text = "row[0] & 0xFFFF_FFFF"
        stored = (column for column in self.columns if column.name != BLOCK_TIME)
        for place, column in enumerate(stored):
            if column.type == "bytes":
                text = f"crc32(row[{place}], {text})"
        return text

    def _function(self, argument: str, text: str) -> Callable[[Any], Any]:
        file = f"<derived from {self.record.__name__}, {next(_numbers)}>"
        source = f"lambda {argument}: {text}"
        linecache.cache[file] = (len(source), None, [source], file)
        return cast(Callable[[Any], Any], eval(compile(source, file, "eval"), self.names))

    def _struct(self, cls: type, place: str, prefix: str) -> str:
        """Add the columns of a record at a place; the text that makes it from a row `v`."""
        self.names[cls.__name__] = cls
        texts = [
            self._value(field.type, f"{place}.{field.name}", prefix + field.json_name)
            for field in schema_of(cls).fields
        ]
        return f"{cls.__name__}({', '.join(texts)})"

    def _value(self, wire: WireType, place: str, name: str) -> str:
        if isinstance(wire, StructType):
            return self._struct(wire.cls, place, f"{name}_" if wire.cls in _VALUES else "")
        if isinstance(wire, PairType):
            first = self._value(wire.first, f"{place}[0]", f"{name}_first")
            return f"({first}, {self._value(wire.second, f'{place}[1]', f'{name}_second')})"
        if isinstance(wire, OptionalType):
            return self._column(Column(name, _column_type(wire.inner, name), True), place)
        if isinstance(wire, ScalarType) and wire.kind == "bytes":
            self.has_checksum = True
        return self._column(Column(name, _column_type(wire, name)), place)

    def _column(self, column: Column, place: str) -> str:
        if column.name in {known.name for known in self.columns}:
            raise TypeError(f"two columns are called {column.name}")
        self.columns.append(column)
        self.places.append(place)
        text = f"v[{len(self.columns) - 1}]"
        return f"bool({text})" if column.type == "boolean" and not column.is_optional else text


def _column_type(wire: WireType, name: str) -> Literal["integer", "boolean", "text", "bytes"]:
    if isinstance(wire, IntegerType | IdType):
        return "integer"
    if isinstance(wire, FixedBytesType):
        return "bytes"
    if isinstance(wire, ScalarType):
        if wire.kind in ("varint", "time"):
            return "integer"
        if wire.kind == "bool":
            return "boolean"
        if wire.kind in ("string", "bytes"):
            return "text" if wire.kind == "string" else "bytes"
    raise TypeError(f"{name} has no form as a column: {wire}")
