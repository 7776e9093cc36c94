"""The directory of results: a plan, and a line for each run that came to its end.

A process may be killed at any moment: a last line without its end is played again. Whatever else
does not fit is refused with its line.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec

from node.lab.errors import DamagedResults, ForeignResults
from node.lab.measures import MEASURES
from node.lab.plan import FORM, Plan, Run, same_plan
from node.lab.runs import RunResult
from node.storage.durable import disk_error, make_directory, replace_file
from node.storage.file_lock import FileLock

PLAN_FILE = "plan.json"
RUNS_FILE = "runs.jsonl"


class Journal:
    """The results of a plan so far, for one process at a time."""

    def __init__(self, directory: Path, plan: Plan) -> None:
        """Open the directory, or begin it; what a killed process left is there.

        Raises `ForeignResults`, `DamagedResults`, `StoreLocked`, `DiskError`.
        """
        self.directory = directory
        self.plan = plan
        if directory.exists() and not directory.is_dir():
            raise ForeignResults("--out is no directory", value=directory)
        if not (directory / PLAN_FILE).exists():
            _refuse_others(directory)
        make_directory(directory)
        self._lock = FileLock(directory / RUNS_FILE)
        try:
            self._check_plan()
            self.results = self._read()
            self._file = self._open()
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """Let others use the directory."""
        self._file.close()
        self._lock.release()

    def add(self, results: Iterable[RunResult]) -> None:
        """Keep results; a killed process loses none that came before. Raises `DiskError`."""
        lines = []
        for result in results:
            self.results[Run(result.cell, result.path)] = result
            lines.append(msgspec.json.encode(result) + b"\n")
        try:
            self._file.write(b"".join(lines))
            self._file.flush()
        except OSError as error:
            raise disk_error(f"cannot write {RUNS_FILE}", error) from error

    def missing(self) -> list[Run]:
        """The runs that are still to be played."""
        return [run for run in self.plan.runs() if run not in self.results]

    def in_order(self) -> list[RunResult]:
        """All results, cell by cell and path by path."""
        return [self.results[run] for run in sorted(self.results)]

    def _check_plan(self) -> None:
        path = self.directory / PLAN_FILE
        if path.exists():
            kept = read_plan(path)
            problem = same_plan(kept, self.plan)
            if problem is not None:
                raise ForeignResults(
                    f"{path} has the results of another plan: {problem.what}",
                    value=problem.value,
                    limit=problem.limit,
                )
            if kept == self.plan:
                return
        replace_file(path, msgspec.json.format(msgspec.json.encode(self.plan)) + b"\n")

    def _read(self) -> dict[Run, RunResult]:
        """What is there; a last line that was cut is taken off."""
        path = self.directory / RUNS_FILE
        try:
            data = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise disk_error(f"cannot read {RUNS_FILE}", error) from error
        whole, _, cut = data.rpartition(b"\n")
        found: dict[Run, RunResult] = {}
        for number, line in enumerate(whole.split(b"\n") if whole else (), 1):
            result = self._read_line(path, number, line)
            run = Run(result.cell, result.path)
            if run in found:
                raise _damaged(path, number, "a run that is there already", tuple(run))
            found[run] = result
        if cut:
            replace_file(path, whole + b"\n" if whole else b"")
        return found

    def _read_line(self, path: Path, number: int, line: bytes) -> RunResult:
        try:
            result = msgspec.json.decode(line, type=RunResult)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _damaged(path, number, str(error), line[:40].decode(errors="replace")) from error
        if not (0 <= result.cell < self.plan.cell_count and 0 <= result.path < self.plan.paths):
            raise _damaged(path, number, "a run that is not in the plan", str(result)[:40])
        if any(len(figures) != len(MEASURES) for figures in result.assets.values()):
            raise _damaged(path, number, "not one figure for each measure", str(result)[:40])
        return result

    def _open(self) -> BinaryIO:
        try:
            return (self.directory / RUNS_FILE).open("ab")
        except OSError as error:
            raise disk_error(f"cannot open {RUNS_FILE}", error) from error


def read_plan(path: Path) -> Plan:
    """A plan that was kept; raises `DamagedResults`, or `ForeignResults` for another version."""
    try:
        data = path.read_bytes()
        form = msgspec.json.decode(data, type=dict[str, object]).get("form")
        if form != FORM:
            raise ForeignResults(f"{path} is of another version", value=form, limit=FORM)
        return msgspec.json.decode(data, type=Plan)
    except OSError as error:
        raise disk_error(f"cannot read {path.name}", error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedResults(f"{path}: cut, or no plan: {error}", value=path) from error


def _refuse_others(directory: Path) -> None:
    """Refuse a directory with something in it that no lab has put there."""
    lock = f"{RUNS_FILE}.lock"
    others = [one.name for one in sorted(directory.glob("*")) if one.name != lock]
    if others:
        what = "--out holds something else than results of the lab"
        raise ForeignResults(what, value=directory / others[0], limit="an empty or new directory")


def _damaged(path: Path, line: int, what: str, value: object) -> DamagedResults:
    return DamagedResults(f"{path}, line {line}: {what}", value=value)
