"""The rows of accounts' histories: runs of entries, and which types of operations are in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node.history.database.session import Session
from node.history.records import ACCOUNT_OPERATIONS, ACCOUNT_TYPES, AccountRun, AccountRunType
from node.history.runs import MadeRun, cut_run


def add_account_runs(session: Session, runs: Sequence[MadeRun]) -> None:
    """Add runs that are not there."""
    session.add(ACCOUNT_OPERATIONS, [ACCOUNT_OPERATIONS.row_of(made.run) for made in runs])
    types = (
        AccountRunType(operation_type, run.account, run.number)
        for run, _, found in runs
        for operation_type in found
    )
    session.add(ACCOUNT_TYPES, [ACCOUNT_TYPES.row_of(one) for one in types])


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
