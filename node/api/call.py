"""What a method is given besides its arguments, and what it may answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterator
from typing import Protocol, TypeAlias

from node.api.backend import ApiBackend
from node.api.directory import Directory
from node.api.holds import Holds
from node.api.kept_answers import KeptAnswers
from node.api.recent_transactions import RecentTransactions
from node.api.subscriptions import Subscriptions
from node.api.teacher import Teacher
from node.api.views import view_object
from node.state.database import State
from node.state.objects.accounts import AccountStatistics
from node.state.objects.base import StateObject
from node.whatif.simulate import Guard
from protocol.errors import PegboardError
from protocol.json_form import JsonValue
from protocol.schema import Record, TransactionId

Outcome: TypeAlias = "JsonValue | PegboardError"
"""How a call ended."""


class Later:
    """The answer of a call that waits for a block."""

    __slots__ = ("_listener", "outcomes")

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._listener: Callable[[Outcome], None] | None = None

    def settle(self, outcome: Outcome) -> None:
        """Give the result or the refusal; the first one counts."""
        if not self.outcomes:
            self.outcomes.append(outcome)
            if self._listener is not None:
                self._listener(outcome)

    def listen(self, listener: Callable[[Outcome], None]) -> None:
        """Have the outcome told, at once if it is there already."""
        self._listener = listener
        if self.outcomes:
            listener(self.outcomes[0])


class Listing(Record, gc=True):
    """A list that is worked out item by item, so that others get their turn in between.

    `items` may be called again: an answer is of one state, and the state may have moved on.
    """

    items: Callable[[], Iterator[JsonValue]]


Steps: TypeAlias = Generator[None, None, JsonValue]
"""Work on an answer, which gives way to others at every yield."""


class Stepwise(Record, gc=True):
    """An answer that is worked out step by step, so that others get their turn in between.

    The work minds by itself that the state moves between its steps.
    """

    steps: Steps
    is_change: bool = False
    """The steps change the chain, and their number is bounded: what is begun is brought to its end,
    however long that takes (T-A2)."""


Work = Callable[[Guard], bytes]
"""Gives the text of an answer, and changes nothing that lasts; may raise any refusal."""

Answer: TypeAlias = "JsonValue | Later | Listing | Stepwise"
"""A method's result: now, once a block confirms it, item by item, or step by step."""


class Connection(Protocol):
    """The session that a call came in on, as methods see it."""

    is_logged_in: bool
    """Whether it may open APIs; True until it logs out."""

    @property
    def subscriptions(self) -> Subscriptions: ...

    def open_api(self, name: str) -> int:
        """The number under which this connection calls an API from now on."""

    def push(self, callback: int, argument: JsonValue) -> None:
        """Send a notice."""

    def require_room(self) -> None:
        """Refuse a call that would wait for a block while too many of this connection do."""


class Wait(Record, eq=False, gc=True):
    """Somebody who waits for a transaction to be in a block."""

    session: Connection
    transaction: TransactionId
    done: Callable[[Outcome], None]
    """Told once: the confirmation, or why there will be none."""


class Services(Protocol):
    """What all sessions share, as methods see it."""

    @property
    def directory(self) -> Directory: ...

    @property
    def recent(self) -> RecentTransactions: ...

    @property
    def kept(self) -> KeptAnswers: ...

    @property
    def holds(self) -> Holds: ...

    @property
    def teacher(self) -> Teacher | None:
        """Who teaches lessons here, if anybody does."""

    def ask_aside(self, session: Connection, work: Work) -> Answer:
        """The answer of work that is too long for the node's own thread, when there is one.

        Raises `NotPossible` while too much waits (T-A2), or `NodeStopping`.
        """

    def wait_for(self, wait: Wait) -> None:
        """Tell once the transaction is in a block, or in none any more; may raise `NodeStopping`.

        The transaction must be pending by the end of the call, or the wait be taken back.
        """

    def stop_waiting(self, wait: Wait) -> None:
        """Forget a wait: the transaction was refused."""

    def count_call(self, api: str, method: str, code: int) -> None:
        """Count a call that was answered; code 0 is success. Unknown names come empty."""


class Call(Record, gc=True):
    """Passed first to every method."""

    backend: ApiBackend
    session: Connection
    services: Services

    @property
    def state(self) -> State:
        """The state with pending transactions applied."""
        return self.backend.state

    def view(self, item: StateObject) -> JsonValue:
        """An object of the state, for an answer; its view may be kept, so nothing may look into it.

        The figures of an account come from its history too, which moves at times of its own.
        """
        if isinstance(item, AccountStatistics):
            return view_object(self.backend, item)
        return self.keep((type(item), item.id), lambda: view_object(self.backend, item))

    def keep(self, key: Hashable, work: Callable[[], JsonValue]) -> JsonValue:
        """What `work` gives, which follows from the state and the key alone, for an answer."""
        return self.services.kept.find(self.state, key, work)
