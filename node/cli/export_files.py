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

from node.cli.exits import CliError, UsageProblem
from node.cli.export_columns import Column, Row, Value
from node.exit_codes import Exit
from node.storage.durable import disk_error, replaced_file
from protocol.json_form import format_time
from protocol.wording import format_decimal

STANDARD_OUTPUT = "-"
ROWS_A_GROUP = 10_000
"""Rows of Parquet that are held before they are written."""
DECIMAL_DIGITS = 38
Facts = dict[str, str]
"""What a Parquet file says about itself."""
Writer = Callable[[BinaryIO, Sequence[Column], Iterable[Row], Facts], int]


class ProgramMissing(CliError):
    """A package that only some commands need is not installed."""

    name = "package_missing"
    exit_code = Exit.CONFIGURATION


@contextmanager
def target(place: str) -> Iterator[BinaryIO]:
    """Where an export is written: a file, or standard output, which get it whole or not at all."""
    if place != STANDARD_OUTPUT:
        with replaced_file(Path(place)) as file:
            yield file
        return
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


def check_target(place: str, file_format: str) -> None:
    """Raise `UsageProblem` for a place that no file of a format can go to."""
    if place == STANDARD_OUTPUT:
        if file_format == "parquet" and sys.stdout.isatty():
            raise UsageProblem("Parquet is not for terminals: name a file with --out")
        return
    path = Path(place)
    if path.is_dir() or not path.parent.is_dir():
        what = "is a directory" if path.is_dir() else "is in no directory that exists"
        raise UsageProblem(f"--out {what}", value=place)


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
    """Parquet, compressed, with the meaning of each column; raises `ProgramMissing`."""
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
                arrow.array([_arrow_value(columns[at], row[at]) for row in part], fields[at].type)
                for at in range(len(columns))
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            count += len(part)
    return count


def _arrow_value(column: Column, value: Value) -> object:
    if value is None or isinstance(value, str):
        return value
    if column.kind == "decimal":
        return Decimal((value < 0, tuple(map(int, str(abs(value)))), -column.decimals))
    return value * 1_000 if column.kind == "time" else value


def _pyarrow() -> tuple[Any, Any]:
    """pyarrow, which is loaded only here: most commands are over before it would be there."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise ProgramMissing(
            "Parquet needs a package that is not installed: pip install 'pegboard[parquet]'",
            value="pyarrow",
        ) from error


WRITERS: dict[str, Writer] = {"csv": write_csv, "parquet": write_parquet}
