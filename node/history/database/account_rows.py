"""The rows of accounts' histories: runs of entries, and which types of operations are in them."""

from __future__ import annotations

from collections.abc import Iterable

from node.history.database.session import Session
from node.history.records import ACCOUNT_OPERATIONS, ACCOUNT_TYPES, AccountRun
from node.history.runs import cut_run, types_of


def add_account_runs(session: Session, runs: Iterable[AccountRun]) -> None:
    """Add runs that are not there."""
    added = list(runs)
    session.add(ACCOUNT_OPERATIONS, [ACCOUNT_OPERATIONS.row_of(run) for run in added])
    types = [ACCOUNT_TYPES.row_of(found) for run in added for found in types_of(run)]
    session.add(ACCOUNT_TYPES, types)


def cut_account_runs(session: Session, runs: Iterable[AccountRun], entries: int) -> None:
    """Take back all entries from an instance on; `runs` are those that hold any."""
    session.rows(
        "DELETE FROM account_operation_type WHERE EXISTS (SELECT 1 FROM account_operation AS run"
        " WHERE run.account = account_operation_type.account"
        " AND run.number = account_operation_type.number AND run.newest >= ?)",
        entries,
    )
    session.rows("DELETE FROM account_operation WHERE newest >= ?", entries)
    add_account_runs(session, [left for run in runs for left in cut_run(run, entries)])
