"""Gives all connections their turns on the one thread of the node (T-A2).

Whatever a client asks for, by whichever way it came, is a job of its client in the fair queue: the
calls of a text, a page, a new connection, a batch of notices. A round of the event loop reads
sockets, makes blocks and serves peers as it finds them, and spends but a slice or two on clients.
So blocks never wait for calls, and a call waits for little more than the calls of who asks as
seldom.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

import trio

from node.api.fair_queue import Client, FairQueue, Job, group_of
from node.api.json_text import Text
from node.api.session import ApiSession
from node.clock import cpu_s, monotonic_s

REQUEST_TIMEOUT_S = 30.0
"""For a long call to come to its end; waiting for a block is no part of it, nor is a change of the
chain that has begun: nobody would know how much of it was done."""
SECONDS_BUCKETS = (0.000_25, 0.001, 0.004, 0.016, 0.064, 0.25, 1.0, 4.0)

CONNECTION_S = 0.000_2
"""Declared costs: to accept a connection and read its first head..."""
TEXT_S = 0.000_06
"""...to wake a task and send an answer or a notice..."""
RECEIVE_S = 0.000_02
"""...to receive some bytes and wake a task for them..."""
BYTE_S = 1e-9
"""...and to move a byte in or out."""

PART_BYTES = 64 * 1024
"""What is sent at a stretch."""

T = TypeVar("T")


class Durations:
    """How often this node worked for one request for how long, and all together."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS_BUCKETS) + 1)
        """By the first bound that is not below it, and beyond the last."""
        self.total_s = 0.0

    def observe(self, took_s: float) -> None:
        """One more request."""
        self.counts[bisect_left(SECONDS_BUCKETS, took_s)] += 1
        self.total_s += took_s


class RequestRunner(trio.abc.Instrument):
    """Serves requests, whichever way they came; `run` has to run meanwhile."""

    def __init__(self, group_of: Callable[[str], tuple[str, bool]] = group_of) -> None:
        self.queue = FairQueue(monotonic_s, cpu_s, group_of)
        self.seconds = Durations()
        self._has_waiting = trio.Event()

    async def run(self) -> None:
        """Serve who waits, for ever."""
        trio.lowlevel.add_instrument(self)
        try:
            while True:
                await self._has_waiting.wait()  # a round of the event loop, also if it is set
                self.queue.serve_waiting()
                if not self.queue:
                    self._has_waiting = trio.Event()
        finally:
            trio.lowlevel.remove_instrument(self)

    def after_io_wait(self, timeout: float) -> None:
        """A round of the event loop begins."""
        self.queue.begin_round()

    async def serve(self, session: ApiSession, client: Client, data: str | bytes) -> list[Text]:
        """The answers to one text that are ready; late ones come by the session's outbox.

        Raises `trio.TooSlowError` after `REQUEST_TIMEOUT_S`, unless a change is half done then.
        """
        job = Job(client, session.serve(data), TEXT_S + len(data) * BYTE_S)
        try:
            texts = await self.complete(job, lambda: not session.is_changing)
        finally:
            self.seconds.observe(job.spent_s)
        self.charge_texts(client, texts)
        return texts

    async def work(self, client: Client, steps: Generator[None, None, T], declared_s: float) -> T:
        """What some steps give, made in the client's turns."""
        return await self.complete(Job(client, steps, declared_s))

    async def admit(self, client: Client) -> None:
        """Wait for the turn of a new connection; what it costs is not counted for its calls."""
        await self.take_turn(client, CONNECTION_S)
        client.served_until = self.queue.newcomer_s

    async def take_turn(self, client: Client, declared_s: float) -> None:
        """Wait for the client's turn to do what costs about so much."""
        await self.work(client, _nothing(), declared_s)

    async def send_in_turns(
        self, client: Client, stream: trio.abc.SendStream, pieces: Iterable[bytes]
    ) -> None:
        """Send what may be long: for the kernel, too, it is work to take it."""
        part = bytearray()
        for piece in pieces:
            rest = memoryview(piece)
            while len(part) + len(rest) > PART_BYTES:
                room = PART_BYTES - len(part)
                part += rest[:room]
                rest = rest[room:]
                await stream.send_all(part)
                part = bytearray()
                await self.take_turn(client, TEXT_S)
            part += rest
        await stream.send_all(part)

    def charge_texts(self, client: Client, texts: list[Text]) -> None:
        """Charge a client for the bytes that it is sent."""
        self.queue.charge(client, sum(len(piece) for text in texts for piece in text) * BYTE_S)

    async def complete(self, job: Job[T], may_end: Callable[[], bool] = bool) -> T:
        """The result of a job; raises what it raises, or `trio.TooSlowError` if it may be ended
        after `REQUEST_TIMEOUT_S`, or any time as long again."""
        if not self.queue.serve_at_once(job):
            is_over = trio.Event()
            job.tell = is_over.set
            self._has_waiting.set()
            try:
                while not job.is_over:
                    with trio.move_on_after(REQUEST_TIMEOUT_S) as deadline:
                        await is_over.wait()
                    if deadline.cancelled_caught and may_end():
                        raise trio.TooSlowError
            finally:
                if not job.is_over:
                    self.queue.give_up(job)
        return job.result()


def _nothing() -> Generator[None, None, None]:
    """A turn is all that is wanted."""
    yield from ()
