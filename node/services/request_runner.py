"""Serves the calls of all connections: long ones in small slices, the cheapest client first.

Everything of a node runs on one thread. So no call may hold it for long: a short one gets one slice
at once. A long text, a client that was delayed, and the rest of a long call wait for their turn,
slice by slice, until nobody waits who costs less. Between two such slices the event loop reads
sockets and makes blocks.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter

import trio
from prometheus_client import Histogram

from node.api.cost import WAITING_MAX, ClientAccount, CostLedger, CostLimits
from node.api.json_text import SHORT_TEXT_BYTES
from node.api.session import ApiSession

SLICE_S = 0.000_25
"""Time that one call may take at a stretch, up to its next item."""
REQUEST_TIMEOUT_S = 30.0
"""For a long call to come to its end; waiting for a block is no part of it."""
SECONDS_BUCKETS = (0.000_25, 0.001, 0.004, 0.016, 0.064, 0.25, 1.0, 4.0)


@dataclass(order=True, slots=True)
class Waiter:
    """Somebody who waits for a slice; the cheapest comes first, then the earliest."""

    cost: float
    serial: int
    is_called: trio.Event = field(compare=False, default_factory=trio.Event)


class Turns:
    """Who may go on with a long call: one in each round of the event loop."""

    def __init__(self) -> None:
        self.waiting: list[Waiter] = []
        self._serial = count()
        self._has_waiters = trio.Event()

    async def run(self) -> None:
        """Call who waits, for ever."""
        while True:
            await self._has_waiters.wait()
            await trio.lowlevel.checkpoint()
            if self.waiting:
                heapq.heappop(self.waiting).is_called.set()
            else:
                self._has_waiters = trio.Event()

    async def take(self, cost: float) -> None:
        """Wait for a turn."""
        waiter = Waiter(cost, next(self._serial))
        heapq.heappush(self.waiting, waiter)
        self._has_waiters.set()
        try:
            await waiter.is_called.wait()
        except trio.Cancelled:
            if waiter in self.waiting:
                self.waiting.remove(waiter)
                heapq.heapify(self.waiting)
            raise


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
        delay_s, session.waiting_max = 0.0, WAITING_MAX
        if not account.is_cheap(now):
            account.check(now)
            delay_s, session.waiting_max = account.delay_s(now), account.waiting_max(now)
        calls = session.calls
        work = session.serve(data)
        texts, spent_s = None, 0.0
        try:
            if delay_s:
                await trio.sleep(delay_s)
            if not delay_s and len(data) <= SHORT_TEXT_BYTES:
                texts, spent_s = _run_slice(work)
            if texts is None:
                with trio.fail_after(REQUEST_TIMEOUT_S):
                    while texts is None:
                        await self.turns.take(account.cost(now))
                        texts, seconds = _run_slice(work)
                        spent_s += seconds
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
