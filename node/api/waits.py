"""Who waits for which transaction to be in a block."""

from __future__ import annotations

from typing import TypeVar

from node.api.call import Connection, Outcome, Wait
from node.api.news import BlockNews
from protocol.errors import PegboardError
from protocol.schema import TransactionId

K = TypeVar("K")


class Waits:
    """All waits of a node, by transaction and by session: none walks over those of others.

    A wait lasts as long as its transaction is pending, so the pool bounds their number.
    """

    def __init__(self) -> None:
        self._by_transaction: dict[TransactionId, dict[Wait, None]] = {}
        self._by_session: dict[Connection, dict[Wait, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_session.values()))

    def add(self, wait: Wait) -> None:
        """Have the outcome told once there is one."""
        self._by_transaction.setdefault(wait.transaction, {})[wait] = None
        self._by_session.setdefault(wait.session, {})[wait] = None

    def remove(self, wait: Wait) -> None:
        """Tell nothing: what was waited for was refused."""
        _discard(self._by_transaction, wait.transaction, wait)
        _discard(self._by_session, wait.session, wait)

    def close(self, session: Connection) -> None:
        """Tell a connection nothing more: it is gone."""
        for wait in self._by_session.pop(session, ()):
            _discard(self._by_transaction, wait.transaction, wait)

    def confirm(self, news: BlockNews) -> None:
        """A block became the head: its transactions are what was waited for."""
        if not self._by_transaction:
            return
        for transaction in news.positions:
            if transaction in self._by_transaction:
                self.settle(transaction, news.confirmation(transaction))

    def settle(self, transaction: TransactionId, outcome: Outcome) -> None:
        """The outcome of a transaction is known."""
        for wait in self._by_transaction.pop(transaction, ()):
            _discard(self._by_session, wait.session, wait)
            wait.done(outcome)

    def give_up(self, session: Connection, reason: PegboardError) -> None:
        """Tell a connection that nobody waits any longer for what it asked."""
        for wait in list(self._by_session.get(session, ())):
            self.remove(wait)
            wait.done(reason)


def _discard(index: dict[K, dict[Wait, None]], key: K, wait: Wait) -> None:
    found = index.get(key)
    if found is not None:
        found.pop(wait, None)
        if not found:
            del index[key]
