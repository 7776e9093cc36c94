"""Work that is too long for the node's own thread: it waits here until a shell has it done aside.

Each connection has its turn, whoever asked for more, and there is a bound on what waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from node.api.call import Answer, Connection, Later, Outcome, Work
from node.api.errors import NotPossible
from node.api.json_text import written
from node.whatif.simulate import unguarded
from protocol.errors import PegboardError
from protocol.schema import Mutable

WAITING_MAX = 64
"""Of all connections together..."""
WAITING_OF_ONE_MAX = 16
"""...and of one."""


class AsideJob(Mutable, gc=True):
    """Work that somebody waits for."""

    session: Connection
    work: Work
    later: Later = msgspec.field(default_factory=Later)
    abandon: Callable[[], object] = bool
    """Called when nobody waits for it any more, while it is being done."""

    def settle(self, outcome: Outcome | bytes) -> None:
        """Tell the text of the answer, or the refusal."""
        self.later.settle(written(outcome) if isinstance(outcome, bytes) else outcome)


class Aside:
    """The jobs of all connections; without a shell that takes them they are done at once."""

    def __init__(self) -> None:
        self.wake: Callable[[], None] | None = None
        """Called when there is a job to be taken; None while no shell takes any."""
        self._waiting: dict[Connection, deque[AsideJob]] = {}
        """The connection whose turn is next stands first."""
        self._running: dict[AsideJob, None] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def ask(self, session: Connection, work: Work) -> Answer:
        """The answer, now or later; raises `NotPossible` while too much waits (T-A2)."""
        if self.wake is None:
            return written(work(unguarded))
        session.require_room()
        own = self._waiting.get(session, deque())
        for waiting, limit in ((len(own), WAITING_OF_ONE_MAX), (len(self), WAITING_MAX)):
            if waiting >= limit:
                raise NotPossible(
                    "too many simulations wait: ask again when there are fewer",
                    rule="T-A2",
                    value=waiting,
                    limit=limit,
                )
        job = AsideJob(session, work)
        own.append(job)
        self._waiting[session] = own
        self.wake()
        return job.later

    def take(self) -> AsideJob | None:
        """The next job, by turns of the connections; it runs until it is `done`."""
        for session, jobs in self._waiting.items():
            job = jobs.popleft()
            del self._waiting[session]
            if jobs:
                self._waiting[session] = jobs
            self._running[job] = None
            return job
        return None

    def done(self, job: AsideJob) -> None:
        """A job that was taken is over."""
        self._running.pop(job, None)

    def give_up(self, session: Connection, reason: PegboardError) -> None:
        """Nobody waits any longer for what a connection asked; it is told why."""
        for job in self._forget(session):
            job.settle(reason)

    def close(self, session: Connection) -> None:
        """A connection is gone, and nobody has to be told."""
        self._forget(session)

    def _forget(self, session: Connection) -> list[AsideJob]:
        running = [job for job in self._running if job.session is session]
        for job in running:
            job.abandon()
        return [*self._waiting.pop(session, ()), *running]
