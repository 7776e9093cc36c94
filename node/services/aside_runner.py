"""Has the API's long work done by forked children, a few at once, while the node goes on."""

from __future__ import annotations

import os
from collections.abc import Callable

import trio

from node.api.aside import Aside, AsideJob
from node.api.errors import InternalError, NotPossible, TooSlow
from node.clock import monotonic_s
from node.services.event_log import log
from node.services.forked_child import Child, ChildFailed, ChildLimits, fork_child, read_answer
from protocol.errors import PegboardError

CHILDREN_MAX = 2
DEADLINE_S = 25.0
"""By the wall, for a child that gets little of the processor; HTTP waits a little longer."""
ANSWER_BYTES_MAX = 8 << 20
"""A page of 10,000 positions, whatever their names, is less."""
READ_BYTES = 64 * 1024
REST = 9
"""After a fork none begins for so many times as long, so that forks take a tenth at most."""


class AsideRunner:
    """Takes jobs from an `Aside` while it runs."""

    def __init__(
        self, aside: Aside, told: Callable[[], None], limits: ChildLimits | None = None
    ) -> None:
        """`told` is called when a job has been answered."""
        self.aside = aside
        self.told = told
        self.limits = limits or ChildLimits()
        self._has_waiting = trio.Event()
        self._places = trio.Semaphore(CHILDREN_MAX)

    async def run(self) -> None:
        """Serve for ever; all children end with it."""
        self.aside.wake = self._wake
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    await self._has_waiting.wait()
                    await self._places.acquire()
                    job = self.aside.take()
                    if job is None:
                        self._places.release()
                        self._has_waiting = trio.Event()
                        continue
                    started_s = monotonic_s()
                    nursery.start_soon(self._follow, job, self._fork(job))
                    await trio.sleep(REST * (monotonic_s() - started_s))
        finally:
            self.aside.wake = None

    def _wake(self) -> None:
        self._has_waiting.set()

    def _fork(self, job: AsideJob) -> Child | None:
        try:
            child = fork_child(job.work, self.limits)
        except OSError as error:
            log.warning("no_child", reason=str(error))
            return None
        job.abandon = child.kill
        return child

    async def _follow(self, job: AsideJob, child: Child | None) -> None:
        """Wait for a child's answer, and for its end."""
        try:
            outcome: bytes | PegboardError | None = _no_room()
            if child is not None:
                outcome = await self._answer(child)
            self.aside.done(job)
            if isinstance(outcome, ChildFailed):
                log.warning("aside_bug", reason=outcome.what)
                outcome = InternalError("internal error")
            job.settle(_too_much() if outcome is None else outcome)
            self.told()
        finally:
            self.aside.done(job)
            if child is not None:
                child.kill()
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(os.waitpid, child.pid, 0)
            self._places.release()

    async def _answer(self, child: Child) -> bytes | PegboardError | None:
        """What a child tells in time, in full."""
        data = bytearray()
        async with trio.lowlevel.FdStream(child.answer_fd) as stream:
            with trio.move_on_after(DEADLINE_S):
                while part := await stream.receive_some(READ_BYTES):
                    data += part
                    if len(data) > ANSWER_BYTES_MAX:
                        return None
                return read_answer(bytes(data))
        return None


def _no_room() -> NotPossible:
    return NotPossible("this machine has no room for a simulation now", rule="T-A2")


def _too_much() -> TooSlow:
    return TooSlow("the simulation took too much time or memory: ask for less", rule="T-A2")
