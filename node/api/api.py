"""The API of one node: its sessions, and what they are told when the chain moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from node.api.backend import ApiBackend, BlockTrace
from node.api.call import Call, Connection, Outcome
from node.api.directory import Directory
from node.api.kept_answers import KeptAnswers
from node.api.news import BlockNews
from node.api.recent_transactions import RecentTransactions
from node.api.session import ApiSession
from node.api.views import view_transaction
from node.state.errors import TransactionExpired
from protocol.schema import TransactionId
from protocol.transaction import TransactionEnvelope


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody who waits for a transaction to be in a block."""

    session: Connection
    expiration: int
    done: Callable[[Outcome], None]


class Api:
    """Sans-I/O: the shell opens sessions, hands them texts, and sends what they give.

    The owner calls `block_applied` for each block that becomes the head, and
    `transaction_accepted` for each transaction that enters the pending pool.
    """

    def __init__(self, backend: ApiBackend) -> None:
        self.backend = backend
        self._directory = Directory(backend.state)
        self._recent = RecentTransactions()
        self._kept = KeptAnswers()
        self.sessions: list[ApiSession] = []
        self.waits: dict[TransactionId, list[Wait]] = {}
        self.calls: Counter[tuple[str, str, int]] = Counter()
        """Calls that were answered, by API, method and code; 0 is success."""
        self.overflows = 0
        """Connections that were closed because their client did not read."""

    @property
    def directory(self) -> Directory:
        """Names in order and accounts by key."""
        return self._directory

    @property
    def recent(self) -> RecentTransactions:
        """Transactions that were seen lately."""
        return self._recent

    @property
    def kept(self) -> KeptAnswers:
        """Answers that follow from the state alone."""
        return self._kept

    def open_session(
        self, *, can_push: bool = True, wake: Callable[[], None] | None = None
    ) -> ApiSession:
        """A new connection; `can_push` is False where nothing but answers can be sent.

        `wake` is called when `flush_sessions` finds something to send.
        """
        session = ApiSession(self, self._call_of, can_push=can_push, wake=wake)
        self.sessions.append(session)
        return session

    def close_session(self, session: ApiSession) -> None:
        """Forget a connection and all that it asked for."""
        session.close()
        self.overflows += session.outbox.overflowed
        if session in self.sessions:
            self.sessions.remove(session)
        for transaction in list(self.waits):
            self.stop_waiting(session, transaction)

    def block_applied(self, trace: BlockTrace) -> None:
        """Tell subscribers of a block that became the head, and confirm its transactions."""
        for envelope, _ in trace.envelope.transactions:
            self._recent.remember(envelope)
        news = BlockNews(self.backend, trace)
        for change in news.changes:
            self._directory.apply_change(change)
        for session in self.sessions:
            session.tell_block(news)
        for transaction in news.positions:
            for wait in self.waits.pop(transaction, ()):
                wait.done(news.confirmation(transaction))
        self._expire_waits(trace.envelope.header.timestamp)

    def transaction_accepted(self, envelope: TransactionEnvelope) -> None:
        """Tell subscribers of a transaction that entered the pending pool."""
        self._recent.remember(envelope)
        listeners = [
            session
            for session in self.sessions
            if session.subscriptions.pending_callback is not None
        ]
        if listeners:
            view = view_transaction(self.backend, envelope.transaction)
            for session in listeners:
                session.subscriptions.tell_pending(view)

    def flush_sessions(self) -> None:
        """Wake the connections that have something to send; what it reports is durable by now."""
        for session in list(self.sessions):
            if session.outbox:
                session.wake()

    def wait_for(
        self,
        session: Connection,
        transaction: TransactionId,
        expiration: int,
        done: Callable[[Outcome], None],
    ) -> None:
        """Tell the confirmation once the transaction is in a block, or that it expired."""
        self.waits.setdefault(transaction, []).append(Wait(session, expiration, done))

    def stop_waiting(self, session: Connection, transaction: TransactionId) -> None:
        """Forget what a session waits for."""
        kept = [wait for wait in self.waits.pop(transaction, ()) if wait.session is not session]
        if kept:
            self.waits[transaction] = kept

    def count_call(self, api: str, method: str, code: int) -> None:
        """Count a call that was answered."""
        self.calls[api, method, code] += 1

    def _expire_waits(self, head_time: int) -> None:
        for transaction, waits in list(self.waits.items()):
            if all(wait.expiration >= head_time for wait in waits):
                continue
            del self.waits[transaction]
            for wait in waits:
                wait.done(
                    TransactionExpired(
                        "the transaction expired before it was in a block",
                        rule="R9.3",
                        value=wait.expiration,
                        limit=head_time,
                    )
                )

    def _call_of(self, session: ApiSession) -> Call:
        return Call(self.backend, session, self)
