"""Cutting a stored history back to a block, as a development chain was cut back on purpose."""

from __future__ import annotations

from collections.abc import Iterator

from node.history.database.session import Session
from node.history.database.view import ROWS_AT_ONCE, HistoryView
from node.history.figures import join_minutes, minutes_of
from node.history.kind import Value
from node.history.records import (
    ACCOUNT_TOTALS,
    BUCKET_SECONDS,
    BUCKETS,
    EVENT_KINDS,
    MARKETS,
    AccountTotal,
    BlockRecord,
    Bucket,
    Market,
    MarketTotal,
)
from protocol.ids import AccountHistoryId, AccountId


def cut_history(session: Session, last: BlockRecord) -> None:
    """Take back all that came after a block; what was added up is added up again without it."""
    touched = session.rows(
        "SELECT DISTINCT account FROM account_operation WHERE instance >= ?", last.entries
    )
    session.rows("DELETE FROM block WHERE num > ?", last.num)
    session.rows("DELETE FROM operation WHERE instance >= ?", last.operations)
    session.rows("DELETE FROM account_operation WHERE instance >= ?", last.entries)
    session.rows("DELETE FROM fill WHERE instance >= ?", last.fills)
    session.rows("DELETE FROM pool_operation WHERE operation >= ?", last.operations)
    for kind in EVENT_KINDS:
        session.rows(f'DELETE FROM "{kind.name}" WHERE block_num > ?', last.num)
    _count_accounts(session, [account for (account,) in touched])
    markets = list(_count_markets(session))
    session.rows("DELETE FROM bucket WHERE open_time + seconds > ?", last.time)
    view = HistoryView(session)
    open_buckets = [BUCKETS.row_of(one) for market in markets for one in _open(view, market, last)]
    session.replace(BUCKETS, open_buckets)


def _count_accounts(session: Session, accounts: list[Value]) -> None:
    for first in range(0, len(accounts), ROWS_AT_ONCE):
        part = accounts[first : first + ROWS_AT_ONCE]
        among = f"WHERE account IN ({', '.join('?' * len(part))})"
        session.rows(f"DELETE FROM account_total {among}", *part)
        counted = session.rows(
            f"SELECT account, max(number), max(instance) FROM account_operation {among}"
            " GROUP BY account",
            *part,
        )
        totals = [
            AccountTotal(AccountId(account), number, AccountHistoryId(newest))
            for account, number, newest in _integers(counted)
        ]
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
