"""Serves the calls of all connections: in small slices, the cheapest client first, each charged.

Everything of a node runs on one thread. So no call may hold it for long: long ones are cut into
slices, and between two slices the event loop reads sockets and makes blocks. When there is more to
do than fits between two looks at the sockets, who cost least is served next.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter

import trio
from prometheus_client import Histogram

from node.api.cost import ClientAccount, CostLedger, CostLimits
from node.api.session import ApiSession

SLICE_S = 0.000_5
"""Time that one call may take at a stretch, up to its next item."""
BUDGET_S = 0.001
"""Time for calls between two looks at the sockets."""
REQUEST_TIMEOUT_S = 30.0
"""For a request to be served, delays included; an answer that waits for a block is no part."""
SECONDS_BUCKETS = (0.000_25, 0.001, 0.004, 0.016, 0.064, 0.25, 1.0, 4.0)


@dataclass(order=True, slots=True)
class Waiter:
    """Somebody who waits for a slice; the cheapest comes first, then the earliest."""

    cost: float
    serial: int
    is_called: trio.Event = field(compare=False, default_factory=trio.Event)


class Turns:
    """Who may use the thread for a slice now."""

    def __init__(self) -> None:
        self.used_s = 0.0
        self.waiting: list[Waiter] = []
        self._serial = count()
        self._is_contended = trio.Event()

    async def run(self) -> None:
        """Call who waits, one in each round of the event loop, for ever."""
        while True:
            await self._is_contended.wait()
            await trio.lowlevel.checkpoint()
            self.used_s = 0.0
            if self.waiting:
                heapq.heappop(self.waiting).is_called.set()
            else:
                self._is_contended = trio.Event()

    async def take(self, cost: float) -> None:
        """Wait for a turn; there is nothing to wait for while there is time left."""
        if self.used_s < BUDGET_S and not self.waiting:
            return
        waiter = Waiter(cost, next(self._serial))
        heapq.heappush(self.waiting, waiter)
        self._is_contended.set()
        try:
            await waiter.is_called.wait()
        except trio.Cancelled:
            if waiter in self.waiting:
                self.waiting.remove(waiter)
                heapq.heapify(self.waiting)
            raise

    def note(self, seconds: float) -> None:
        """A turn took so long."""
        self.used_s += seconds
        if self.used_s >= BUDGET_S:
            self._is_contended.set()


class RequestRunner:
    """Serves requests, whichever way they came."""

    def __init__(self, limits: CostLimits) -> None:
        self.ledger = CostLedger(limits)
        self.turns = Turns()
        self.seconds = Histogram(
            "pegboard_rpc_seconds",
            "Time that this node worked for one request",
            buckets=SECONDS_BUCKETS,
            registry=None,
        )

    def open_account(self, address: str) -> ClientAccount:
        """The account of a new connection."""
        return self.ledger.open(address, trio.current_time())

    async def serve(
        self, session: ApiSession, account: ClientAccount, data: str | bytes
    ) -> list[str]:
        """The answers to one text that are ready; late ones come by the session's outbox.

        Raises `ClientTooExpensive`, and `trio.TooSlowError` after `REQUEST_TIMEOUT_S`.
        """
        now = trio.current_time()
        account.check(now)
        session.waiting_max = account.waiting_max(now)
        calls, spent_s = session.calls, 0.0
        work = session.serve(data)
        texts = None
        try:
            with trio.fail_after(REQUEST_TIMEOUT_S):
                if delay_s := account.delay_s(now):
                    await trio.sleep(delay_s)
                while texts is None:
                    await self.turns.take(account.cost(now))
                    texts, seconds = _run_slice(work)
                    self.turns.note(seconds)
                    spent_s += seconds
                    if texts is None:
                        await trio.lowlevel.checkpoint()
            return texts
        finally:
            work.close()
            size = len(data) + sum(map(len, texts or ()))
            account.charge_work(session.calls - calls, spent_s, size, trio.current_time())
            self.seconds.observe(spent_s)


def _run_slice(
    work: Generator[None, None, list[str]],
) -> tuple[list[str] | None, float]:
    """Go on with work for one slice: its result, or None while there is more, and the time."""
    start = perf_counter()
    end = start + SLICE_S
    try:
        while True:
            next(work)
            now = perf_counter()
            if now >= end:
                return None, now - start
    except StopIteration as finish:
        return finish.value, perf_counter() - start
