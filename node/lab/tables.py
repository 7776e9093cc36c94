"""Results as CSV and Parquet: one row a run and BitAsset, and one a cell, BitAsset and measure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from node.lab.errors import PackageMissing
from node.lab.measures import MEASURES
from node.lab.plan import Plan, Run
from node.lab.runs import RunResult
from node.lab.summary import Line
from node.storage.durable import replace_file

Value: TypeAlias = str | int | float | None
RUNS_NAME, SUMMARY_NAME = "runs", "summary"


@dataclass(frozen=True)
class Table:
    """Columns, each with its type, and rows."""

    columns: dict[str, type]
    rows: list[tuple[Value, ...]]


def run_table(plan: Plan, results: Sequence[RunResult]) -> Table:
    """All runs, cell by cell and path by path; figures are empty where there is none."""
    cells = plan.cells
    columns: dict[str, type] = {"cell": int}
    columns |= {one.name: str for one in plan.vary}
    columns |= {"path": int, "seed": int, "asset": str, "refused": str, "unmet": int}
    columns |= {"blocks": int} | {one.name: float for one in MEASURES}
    rows: list[tuple[Value, ...]] = []
    for one in results:
        run = Run(one.cell, one.path)
        head: tuple[Value, ...]
        head = (run.cell, *cells[run.cell].values(), run.path, plan.seed_of(run.path))
        for asset in sorted(one.assets) or [""]:
            figures: tuple[Value, ...] = one.assets.get(asset, (None,) * len(MEASURES))
            rows.append((*head, asset, one.refused, one.unmet, one.blocks, *figures))
    return Table(columns, rows)


def summary_table(plan: Plan, lines: Sequence[Line]) -> Table:
    """The estimates of all cells."""
    cells = plan.cells
    columns: dict[str, type] = {"cell": int}
    columns |= {one.name: str for one in plan.vary}
    columns |= {"asset": str, "measure": str, "runs": int}
    for name in ("mean", "difference"):
        columns |= {name: float, f"{name}_low": float, f"{name}_high": float}
    columns |= {"median": float, "quantile_05": float, "quantile_95": float}
    rows = [
        (
            line.cell,
            *cells[line.cell].values(),
            *(line.asset, line.measure, line.runs),
            *line.mean,
            *line.difference,
            *(line.median, line.low, line.high),
        )
        for line in lines
    ]
    return Table(columns, rows)


def csv_text(table: Table) -> str:
    """A table as CSV; floats are written so that they read back as they were."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return text.getvalue()


def parquet_bytes(table: Table) -> bytes:
    """A table as Parquet; raises `PackageMissing`."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise PackageMissing("pyarrow", "lab", error) from error
    types = {int: pyarrow.int64(), str: pyarrow.string(), float: pyarrow.float64()}
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    arrays = [
        pyarrow.array(column, types[kind])
        for column, kind in zip(columns, table.columns.values(), strict=True)
    ]
    sink = io.BytesIO()
    parquet.write_table(pyarrow.table(arrays, names=list(table.columns)), sink)
    return sink.getvalue()


def write_tables(directory: Path, runs: Table, summary: Table) -> None:
    """Put all four files in place; raises `PackageMissing`, `DiskError`."""
    for name, table in ((RUNS_NAME, runs), (SUMMARY_NAME, summary)):
        replace_file(directory / f"{name}.parquet", parquet_bytes(table))
        replace_file(directory / f"{name}.csv", csv_text(table).encode())
