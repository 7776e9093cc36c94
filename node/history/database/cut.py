"""Cutting a stored history back to a block, as a development chain was cut back on purpose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from node.history.database.account_rows import cut_account_runs
from node.history.database.session import Session
from node.history.database.view import HistoryView
from node.history.figures import join_minutes, minutes_of
from node.history.kind import Value
from node.history.records import (
    ACCOUNT_TOTALS,
    BUCKET_SECONDS,
    BUCKETS,
    EVENT_KINDS,
    MARKETS,
    NEWEST,
    AccountTotal,
    BlockRecord,
    Bucket,
    Market,
    MarketTotal,
)
from protocol.ids import AccountId


def cut_history(session: Session, last: BlockRecord) -> None:
    """Take back all that came after a block; what was added up is added up again without it."""
    view = HistoryView(session)
    runs = view.account_runs_from(last.entries)
    session.rows("DELETE FROM block WHERE num > ?", last.num)
    session.rows("DELETE FROM operation WHERE instance >= ?", last.operations)
    cut_account_runs(session, runs, last.entries)
    session.rows("DELETE FROM fill WHERE instance >= ?", last.fills)
    session.rows("DELETE FROM pool_operation WHERE operation >= ?", last.operations)
    for kind in EVENT_KINDS:
        session.rows(f'DELETE FROM "{kind.name}" WHERE block_num > ?', last.num)
    _count_accounts(session, view, {run.account for run in runs})
    markets = list(_count_markets(session))
    session.rows("DELETE FROM bucket WHERE open_time + seconds > ?", last.time)
    open_buckets = [BUCKETS.row_of(one) for market in markets for one in _open(view, market, last)]
    session.replace(BUCKETS, open_buckets)


def _count_accounts(session: Session, view: HistoryView, accounts: Iterable[AccountId]) -> None:
    totals = []
    for account in accounts:
        newest = view.account_entries(account, NEWEST, 1, 1)
        if newest:
            totals.append(AccountTotal(account, newest[0].number, newest[0].instance))
        else:
            session.rows("DELETE FROM account_total WHERE account = ?", account)
    session.replace(ACCOUNT_TOTALS, [ACCOUNT_TOTALS.row_of(total) for total in totals])


def _count_markets(session: Session) -> Iterator[Market]:
    """Count the fills of all markets again; those that have traded."""
    for total in HistoryView(session).markets():
        of_market = "WHERE market_first = ? AND market_second = ?"
        ((newest,),) = session.rows(f"SELECT max(sequence) FROM fill {of_market}", *total.market)
        if newest is None:
            session.rows(f"DELETE FROM market {of_market}", *total.market)
            continue
        [(sequence,)] = _integers([(newest,)])
        counted = MarketTotal(total.market, total.number, sequence + 1)
        session.replace(MARKETS, [MARKETS.row_of(counted)])
        yield total.market


def _open(view: HistoryView, market: Market, last: BlockRecord) -> list[Bucket]:
    """The buckets of a market that hold the time of a block, from the trades up to it."""
    begin = last.time - last.time % BUCKET_SECONDS[-1]
    count = view.fill_count(market)
    newest_first = view.fills(market, count - 1, count - view.fills_until(market, begin - 1))
    buckets = join_minutes({}, minutes_of(reversed(newest_first)))
    return [one for one in buckets if one.open_time + one.seconds > last.time]


def _integers(rows: list[tuple[Value, ...]]) -> Iterator[tuple[int, ...]]:
    for row in rows:
        values = tuple(value for value in row if isinstance(value, int))
        assert len(values) == len(row), "counted"
        yield values
