"""`pegboard lab`: from options to files, with progress on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import click
from msgspec.structs import replace

from node.cli.exits import FileUnreadable, UsageProblem
from node.cli.output import Output, heading, table
from node.cli.playing import read_settings, readable
from node.lab.cluster import cluster
from node.lab.errors import BadPlan, PackageMissing
from node.lab.journal import Journal
from node.lab.measures import MEASURES
from node.lab.plan import Plan, Run, check_plan, named_files, read_vary
from node.lab.pool import WORKERS_MAX, cores, play_here, play_with, processes
from node.lab.report import build_report, format_figure, format_interval
from node.lab.runs import RunResult, add_rules
from node.lab.summary import Line, summarize
from node.lab.tables import run_table, summary_table, write_tables
from node.shipped import find_file
from node.storage.durable import replace_file
from pegboard.scenario import load_text
from protocol.json_form import JsonValue
from protocol.wording import count_of

REPORT = "report.html"
SHOWN = ("swan", "bad_debt", "called", "call_cost", "settlement_pressure", "peg_error")
"""Measures that the terminal shows."""


class Asked(NamedTuple):
    """What the command line says is to be played."""

    file: Path
    vary: tuple[str, ...]
    settings: tuple[str, ...]
    paths: int
    seed: int
    rules: tuple[Path, ...]


def run_lab(
    output: Output, asked: Asked, directory: Path, *, workers: int | None, scheduler: str | None
) -> None:
    """Play a plan, or the rest of it, and write what came of it.

    Raises `BadPlan`, `ScenarioUnreadable`, `NoSuchParameter`, `FileUnreadable`, `PackageMissing`,
    `ForeignResults`, `DamagedResults`, `SchedulerUnreachable`, `OtherVersion`, `StorageError`.
    """
    if workers is not None and not 1 <= workers <= WORKERS_MAX:
        raise UsageProblem("--workers is out of range", value=workers, limit=f"1..{WORKERS_MAX}")
    if workers is not None and scheduler is not None:
        raise UsageProblem("give either --workers or --scheduler", value=scheduler)
    for package in ("pyarrow", "plotly", *(("distributed",) if scheduler else ())):
        if find_spec(package) is None:
            raise PackageMissing(package, "lab", ImportError(f"no package {package}"))
    with readable():
        plan = make_plan(asked)
        check_plan(plan)
    journal = Journal(directory, plan)
    try:
        runs = journal.missing()
        if runs and len(runs) < plan.cell_count * plan.paths:
            output.hint(f"goes on: {len(journal.results):,} runs are there already")
        with _progress(output, plan, runs) as advance:
            for results in _play(plan, runs, workers=workers, scheduler=scheduler):
                journal.add(results)
                advance(len(results))
        results = journal.in_order()
        lines = summarize(plan, results)
        write_tables(directory, run_table(plan, results), summary_table(plan, lines))
        replace_file(directory / REPORT, build_report(plan, results, lines).encode())
    finally:
        journal.close()
    _show(output, plan, results, lines, directory)


def make_plan(asked: Asked) -> Plan:
    """The plan that options ask for, with all files that it needs."""
    found = find_file(str(asked.file))
    text = load_text(found)
    rules = {str(path): _text_of(path) for path in asked.rules}
    for name, source in rules.items():
        add_rules(name, source)
    plan = Plan(
        file=str(asked.file),
        scenario=text,
        files={},
        rules=rules,
        changes=read_settings(asked.settings),
        vary=tuple(read_vary(one) for one in asked.vary),
        paths=asked.paths,
        seed=asked.seed,
    )
    texts = {}
    for name in sorted(named_files(plan)):
        beside = found.parent / name
        texts[name] = _text_of(beside if beside.exists() else find_file(name))
    return replace(plan, files=texts)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(f"cannot be read: {error}", value=path) from error


def _play(
    plan: Plan, runs: Sequence[Run], *, workers: int | None, scheduler: str | None
) -> Iterator[list[RunResult]]:
    if not runs:
        return
    if scheduler is not None:
        with cluster(scheduler) as (executor, at_once):
            yield from play_with(executor, at_once, plan, runs)
        return
    count = workers or cores()
    if count == 1:
        yield from play_here(plan, runs)
        return
    with processes(count) as executor:
        yield from play_with(executor, count, plan, runs)


def _is_watched() -> bool:
    """Whether somebody sees a bar move."""
    return sys.stderr.isatty()


@contextmanager
def _progress(output: Output, plan: Plan, runs: Sequence[Run]) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, if that is a terminal, and what to do after Ctrl-C."""
    total = plan.cell_count * plan.paths
    hidden = output.is_json or not _is_watched()
    try:
        label = count_of(total, "run")
        with click.progressbar(
            length=total, label=label, show_pos=True, file=sys.stderr, hidden=hidden
        ) as bar:
            bar.update(total - len(runs))
            yield bar.update
    except KeyboardInterrupt:
        output.hint("interrupted: what was played is kept, and the same command goes on")
        raise


def _show(
    output: Output,
    plan: Plan,
    results: Sequence[RunResult],
    lines: Sequence[Line],
    directory: Path,
) -> None:
    """Print the table of the cells; raises `BadPlan` if no run came to its end."""
    refused = sorted({one.refused for one in results if one.refused})
    if not lines:
        raise BadPlan("every run was refused", value=refused[0])
    count = sum(1 for one in results if one.refused)
    names = [one.name for one in plan.vary]
    shown = [one for one in MEASURES if one.name in SHOWN]
    columns = ["asset", *names, *(f">{one.title}" for one in shown)]
    by_place = {(line.cell, line.asset, line.measure): line for line in lines}
    rows = []
    for cell, asset in dict.fromkeys((line.cell, line.asset) for line in lines):
        means = [by_place[cell, asset, one.name].mean for one in shown]
        figures = [
            f"{format_figure(mean.value, one)} ({format_interval(mean, one)})"
            for one, mean in zip(shown, means, strict=True)
        ]
        rows.append([asset, *plan.cells[cell].values(), *figures])
    title = f"{count_of(len(results), 'run')}, seed {plan.seed}; 95 % intervals in brackets"
    problems = [f"{count:,} refused: {'; '.join(refused[:3])}"] if count else []
    document: JsonValue = {
        "runs": len(results),
        "seed": plan.seed,
        "refused": count,
        "directory": str(directory),
        "report": str(directory / REPORT),
        "summary": [
            {
                "cell": line.cell,
                **plan.cells[line.cell],
                "asset": line.asset,
                "measure": line.measure,
                "runs": line.runs,
                **{
                    name: None if figure is None else repr(figure)
                    for name, figure in zip(("mean", "low", "high"), line.mean, strict=True)
                },
            }
            for line in lines
        ],
    }
    output.answer(
        document,
        [heading(title), *table(columns, rows), *problems, str(directory / REPORT)],
    )
