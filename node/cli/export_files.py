"""Files of rows, written as the rows come: CSV by ourselves, Parquet by pyarrow."""

from __future__ import annotations

import csv
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from importlib import import_module
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from node.cli.exits import UsageProblem
from node.cli.export_columns import Column, Row, Value
from node.lab.errors import PackageMissing
from node.storage.durable import disk_error, replaced_file
from protocol.json_form import format_time
from protocol.schema import Record
from protocol.wording import format_decimal

STANDARD_OUTPUT = "-"
ROWS_A_GROUP = 10_000
"""Rows of Parquet that are held before they are written."""
DECIMAL_DIGITS = 38
INT64_MAX = (1 << 63) - 1
Facts = dict[str, str]
"""What a Parquet file says about itself."""
Writer = Callable[[BinaryIO, Sequence[Column], Iterable[Row], Facts], int]


class Target(Record):
    """Where an export is written, and in which form; `UsageProblem` if no such file can be."""

    place: str
    file_format: str

    def __post_init__(self) -> None:
        if self.is_output:
            if self.file_format == "parquet" and sys.stdout.isatty():
                raise UsageProblem("Parquet is not for terminals: name a file with --out")
            return
        path = Path(self.place)
        if path.is_dir() or not path.parent.is_dir():
            what = "is a directory" if path.is_dir() else "is in no directory that exists"
            raise UsageProblem(f"--out {what}", value=self.place)

    @property
    def is_output(self) -> bool:
        """Whether it is standard output."""
        return self.place == STANDARD_OUTPUT

    def write(self, columns: Sequence[Column], rows: Iterable[Row], facts: Facts) -> int:
        """Write all rows, or nothing at all; how many there are."""
        with standard_output() if self.is_output else replaced_file(Path(self.place)) as file:
            return WRITERS[self.file_format](file, columns, rows, facts)


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Standard output, which gets what is written once it is whole."""
    try:
        with tempfile.TemporaryFile() as draft:
            yield draft
            draft.seek(0)
            sys.stdout.flush()
            shutil.copyfileobj(draft, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise disk_error("cannot write the export", error) from error


def write_csv(file: BinaryIO, columns: Sequence[Column], rows: Iterable[Row], _facts: Facts) -> int:
    """RFC 4180 in UTF-8 with a line of names first; the number of rows."""
    text = TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    count = 0
    for row in rows:
        writer.writerow(map(csv_value, columns, row))
        count += 1
    text.flush()
    text.detach()
    return count


def csv_value(column: Column, value: Value) -> str:
    """A value as CSV has it; nothing is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if column.kind == "decimal":
        assert isinstance(value, int)
        return format_decimal(value, column.decimals).replace(",", "")
    if column.kind == "time":
        assert isinstance(value, int)
        return f"{format_time(value)}Z"
    return str(value)


def write_parquet(
    file: BinaryIO, columns: Sequence[Column], rows: Iterable[Row], facts: Facts
) -> int:
    """Parquet, compressed, with the meaning of each column.

    Raises `PackageMissing`, or `UsageProblem` for a number that its integers cannot hold.
    """
    arrow, parquet = _pyarrow()
    types: dict[str, Callable[[Column], Any]] = {
        "integer": lambda _: arrow.int64(),
        "decimal": lambda column: arrow.decimal128(DECIMAL_DIGITS, column.decimals),
        "text": lambda _: arrow.string(),
        "boolean": lambda _: arrow.bool_(),
        "time": lambda _: arrow.timestamp("ms", tz="UTC"),
    }
    fields = [
        arrow.field(column.name, types[column.kind](column), metadata={"meaning": column.meaning})
        for column in columns
    ]
    schema = arrow.schema(fields, metadata=facts)
    count, left = 0, iter(rows)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while part := list(islice(left, ROWS_A_GROUP)):
            arrays = [
                arrow.array(_arrow_values(column, values), field.type)
                for column, field, values in zip(
                    columns, fields, zip(*part, strict=True), strict=True
                )
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            count += len(part)
    return count


def _arrow_values(column: Column, values: Iterable[Value]) -> list[object]:
    return [_arrow_value(column, value) for value in values]


def _arrow_value(column: Column, value: Value) -> object:
    if value is None or isinstance(value, str):
        return value
    if column.kind == "decimal":
        return Decimal((value < 0, tuple(map(int, str(abs(value)))), -column.decimals))
    if abs(value) > INT64_MAX:
        raise UsageProblem(
            f"too large for Parquet's integers, in {column.name}: export as CSV",
            value=value,
            limit=INT64_MAX,
        )
    return value * 1_000 if column.kind == "time" else value


def _pyarrow() -> tuple[Any, Any]:
    """pyarrow, which is loaded only here: most commands are over before it would be there."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise PackageMissing("pyarrow", "parquet", error) from error


WRITERS: dict[str, Writer] = {"csv": write_csv, "parquet": write_parquet}
