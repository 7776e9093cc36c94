"""The API of one node: its sessions, and what they are told when the chain moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cached_property

from node.api.answer_room import AnswerRoom
from node.api.aside import Aside
from node.api.backend import ApiBackend, BlockTrace
from node.api.call import Answer, Call, Connection, Wait, Work
from node.api.directory import Directory
from node.api.durability import Durability
from node.api.errors import NodeStopping, TakenBack
from node.api.holds import Holds
from node.api.kept_answers import KeptAnswers
from node.api.news import BlockNews, RewindNews
from node.api.recent_transactions import RecentTransactions
from node.api.session import ApiSession
from node.api.teacher import Teacher
from node.api.views import view_transaction
from node.api.waits import Waits
from node.chain.undo_marks import Rewound
from protocol.errors import PegboardError
from protocol.schema import TransactionId
from protocol.transaction import TransactionEnvelope


class Api:
    """Sans-I/O: the shell opens sessions, hands them texts, and sends what they give.

    The owner calls `block_applied` for each block that becomes the head, `transaction_accepted`
    for each transaction that enters the pending pool, and `transaction_dropped` for each that
    leaves it for no block.
    """

    def __init__(
        self,
        backend: ApiBackend,
        durability: Durability | None = None,
        load_teacher: Callable[[], Teacher] | None = None,
    ) -> None:
        """Without a `durability`, everything is taken for durable as soon as it happens; without a
        `load_teacher`, no lessons are played; it is called for the first of them."""
        self.backend = backend
        self._load_teacher = load_teacher
        self.durability = durability or Durability()
        self._directory = Directory(backend.state)
        self._recent = RecentTransactions()
        self._kept = KeptAnswers()
        self._holds = Holds()
        self.sessions: dict[ApiSession, None] = {}
        """In the order in which they were opened."""
        self.room = AnswerRoom()
        self.waits = Waits()
        self.aside = Aside()
        self.is_stopping = False
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

    @property
    def holds(self) -> Holds:
        """States that are read piece by piece."""
        return self._holds

    @cached_property
    def teacher(self) -> Teacher | None:
        """Who teaches lessons here, if anybody does."""
        return None if self._load_teacher is None else self._load_teacher()

    def drop_caches(self) -> None:
        """Forget what is kept only to be quick (T-R1)."""
        self._kept.clear()

    def open_session(
        self, *, can_push: bool = True, wake: Callable[[], None] | None = None
    ) -> ApiSession:
        """A new connection; `can_push` is False where nothing but answers can be sent.

        `wake` is called when `flush_sessions` finds something to send.
        """
        session = ApiSession(
            self, self._call_of, self.durability, self.room, can_push=can_push, wake=wake
        )
        self.sessions[session] = None
        return session

    def close_session(self, session: ApiSession) -> None:
        """Forget a connection and all that it asked for."""
        session.close()
        self.overflows += session.outbox.overflowed
        self.sessions.pop(session, None)
        self.waits.close(session)
        self.aside.close(session)

    def block_applied(self, trace: BlockTrace) -> None:
        """Tell subscribers of a block that became the head, and confirm its transactions."""
        self._recent.remember_block(trace.envelope)
        self._directory.apply_block(trace.revision)
        if self._holds:
            self._holds.let_go(self.backend.now_s())
        news = BlockNews(self.backend, trace)
        for session in self.sessions:
            session.tell_block(news)
        self.waits.confirm(news)

    def chain_rewound(self, rewound: Rewound) -> None:
        """Tell subscribers that a development chain went back, and what its objects are again."""
        news = RewindNews(self.backend, rewound)
        for session in self.sessions:
            session.subscriptions.tell_rewind(news)
        for transaction in rewound.dropped:
            self.waits.settle(transaction, _taken_back())

    def transaction_accepted(self, envelope: TransactionEnvelope) -> None:
        """Tell subscribers of a transaction that entered the pending pool."""
        self._recent.remember(self.backend.chain, envelope)
        listeners = [
            session
            for session in self.sessions
            if session.subscriptions.pending_callback is not None
        ]
        if listeners:
            view = view_transaction(self.backend, envelope.transaction)
            for session in listeners:
                session.subscriptions.tell_pending(view)

    def transaction_dropped(self, transaction: TransactionId, reason: PegboardError) -> None:
        """Tell who waits for a pending transaction that no block will take it, and why.

        A callback of `broadcast_transaction_with_callback` is not called: clients take any call
        of it for the confirmation.
        """
        self.waits.settle(transaction, reason)

    def stop(self) -> None:
        """The node ends: nobody can be told any more what becomes of pending transactions."""
        self.is_stopping = True
        for session in list(self.sessions):
            self.give_up(session, _stopping(), NodeStopping("the node ends"))
        self.flush_sessions()

    def flush_sessions(self) -> None:
        """Wake the connections that have something to send that is durable by now."""
        for session in list(self.sessions):
            if session.outbox:
                session.wake()

    def wait_for(self, wait: Wait) -> None:
        """See `Services.wait_for`."""
        if self.is_stopping:
            raise _stopping()
        self.waits.add(wait)

    def ask_aside(self, session: Connection, work: Work) -> Answer:
        """See `Services.ask_aside`."""
        if self.is_stopping:
            raise NodeStopping("the node ends")
        return self.aside.ask(session, work)

    def stop_waiting(self, wait: Wait) -> None:
        """See `Services.stop_waiting`."""
        self.waits.remove(wait)

    def give_up(
        self, session: ApiSession, unconfirmed: PegboardError, unanswered: PegboardError
    ) -> None:
        """Tell a connection that nobody waits any longer for its blocks, nor for its long work."""
        self.waits.give_up(session, unconfirmed)
        self.aside.give_up(session, unanswered)

    def count_call(self, api: str, method: str, code: int) -> None:
        """Count a call that was answered."""
        self.calls[api, method, code] += 1

    def _call_of(self, session: ApiSession) -> Call:
        return Call(self.backend, session, self)


def _taken_back() -> TakenBack:
    return TakenBack("the chain went back to before the transaction was pending")


def _stopping() -> NodeStopping:
    return NodeStopping("the node ends; the transaction may be in a block that others make")
