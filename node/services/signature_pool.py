"""Recovers signing keys in worker processes: a thread would wait for the busy main thread.

There are as many workers as cores, although the main process needs one of them, too: while it has
nothing to apply they have all cores, and the system shares these evenly when it has. Questions go
to them in chunks, whatever block they are of, so that all are busy to the end.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import trio

from node.services.event_log import log
from node.services.signature_worker import CHUNK
from protocol.crypto.curve import KEY_LENGTH
from protocol.crypto.recovery import QUESTION_LENGTH, recover_keys

WORKERS_MAX = 8
"""More would wait for the main process: `scripts/bench w` tells how many it feeds."""
AHEAD = 5_000
"""Signatures that a worker has been given and not answered: the main process may apply a large
block meanwhile."""
PIPE_BYTES = 1 << 19
"""They fit in there."""
READ_BYTES = 64 * 1024
WORKERS_TRIED = 2
"""So many workers may die over one chunk before the node recovers its keys by itself."""
START = (
    "import sys; sys.path += sys.argv[1:]; from node.services.signature_worker import work; work()"
)
ROOT = str(Path(__file__).resolve().parents[2])
"""The folder that this package stands in; an editable install has it in no list."""


def worker_command() -> tuple[str, ...]:
    """What starts a worker: it looks for modules where this process does.

    `-S`: to find these places anew, and whatever else an environment has done at each start, takes
    it longer than all the rest. `-P`: the working directory holds no code of ours.
    """
    places = (place for place in sys.path if Path(place).is_absolute())
    return (sys.executable, "-P", "-S", "-c", START, ROOT, *places)


def cores() -> int:
    """How many processes may run at once here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Job:
    """What somebody has asked, and the keys as far as they are known."""

    def __init__(self, questions: bytes) -> None:
        size = CHUNK * QUESTION_LENGTH
        parts = [questions[at : at + size] for at in range(0, len(questions), size)]
        self.keys: list[bytes] = [b""] * len(parts)
        self.chunks = [_Chunk(self, place, part) for place, part in enumerate(parts)]
        self.done = trio.Event()
        self._open = len(parts)

    def answer(self, place: int, keys: bytes) -> None:
        """Take the keys of a chunk."""
        self.keys[place] = keys
        self._open -= 1
        if not self._open:
            self.done.set()


class _Chunk:
    """Questions that one worker answers."""

    __slots__ = ("deaths", "job", "place", "questions")

    def __init__(self, job: _Job, place: int, questions: bytes) -> None:
        self.job = job
        self.place = place
        self.questions = questions
        self.deaths = 0
        """Workers that died over it."""

    @property
    def count(self) -> int:
        """How many signatures."""
        return len(self.questions) // QUESTION_LENGTH


class _Worker:
    """One process and what it was given."""

    def __init__(self, answered: Callable[[], None]) -> None:
        """`answered` is called whenever it has less to do."""
        self.given: deque[_Chunk] = deque()
        """Not answered yet, oldest first."""
        self.load = 0
        """Their signatures."""
        self.process: trio.Process | None = None
        """Once it is started."""
        self._answered = answered
        self._unsent: list[bytes] = []
        self._has_unsent = trio.Event()

    def give(self, chunk: _Chunk) -> None:
        """Have a chunk answered."""
        self.given.append(chunk)
        self.load += chunk.count
        self._unsent.append(chunk.questions)
        self._has_unsent.set()

    async def live(self) -> str:
        """Run the process until it dies; why it did. It does not outlive a cancelled call."""
        try:
            process = self.process = await trio.lowlevel.open_process(
                worker_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        except OSError as error:
            return str(error)
        assert process.stdin is not None
        assert process.stdout is not None
        _widen(process.stdin)
        _widen(process.stdout)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._ask, process.stdin)
                await self._listen(process.stdout)
                nursery.cancel_scope.cancel()
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
                await process.stdin.aclose()
                await process.stdout.aclose()
        return f"exit code {process.returncode}"

    async def _ask(self, stream: trio.abc.SendStream) -> None:
        with suppress(trio.BrokenResourceError):  # who listens hears of it
            while True:
                await self._has_unsent.wait()
                self._has_unsent = trio.Event()
                unsent, self._unsent = self._unsent, []
                await stream.send_all(b"".join(unsent))

    async def _listen(self, stream: trio.abc.ReceiveStream) -> None:
        keys = b""
        while data := await stream.receive_some(READ_BYTES):
            keys += data
            while self.given and len(keys) >= self.given[0].count * KEY_LENGTH:
                chunk = self.given.popleft()
                self.load -= chunk.count
                size = chunk.count * KEY_LENGTH
                chunk.job.answer(chunk.place, keys[:size])
                keys = keys[size:]
            self._answered()


def _widen(stream: trio.abc.AsyncResource) -> None:
    """Let a pipe hold much, where the system can and has room."""
    assert isinstance(stream, trio.lowlevel.FdStream)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)


class SignaturePool:
    """Worker processes, started when there is work for them and again whenever they die."""

    def __init__(self, workers_max: int | None = None) -> None:
        self.workers_max = workers_max or min(cores(), WORKERS_MAX)
        self._waiting: deque[_Chunk] = deque()
        self._workers: list[_Worker] = []
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Serve for ever; all workers end with it."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._hand_out()
            await trio.sleep_forever()

    async def recover(self, questions: bytes) -> bytes:
        """The keys that `recover_keys` gives; `run` has to run meanwhile."""
        if not questions:
            return b""
        job = _Job(questions)
        self._waiting += job.chunks
        self._hand_out()
        await job.done.wait()
        return b"".join(job.keys)

    @property
    def processes(self) -> list[int]:
        """The ids of the processes that are there."""
        return [worker.process.pid for worker in self._workers if worker.process is not None]

    def _hand_out(self) -> None:
        """Give what waits to who has least to do, but no more than keeps it busy for a while."""
        while self._waiting and self._nursery is not None:
            worker = min(self._workers, key=lambda one: one.load, default=None)
            if (worker is None or worker.load) and len(self._workers) < self.workers_max:
                worker = _Worker(self._hand_out)
                self._workers.append(worker)
                self._nursery.start_soon(self._follow, worker)
            if worker is None or worker.load >= AHEAD:
                return
            worker.give(self._waiting.popleft())

    async def _follow(self, worker: _Worker) -> None:
        """Ask others what a worker leaves behind when it dies."""
        try:
            reason = await worker.live()
        finally:
            self._workers.remove(worker)
        log.warning("worker_died", reason=reason)
        left = worker.given
        if left:
            left[0].deaths += 1
            if left[0].deaths >= WORKERS_TRIED:
                await self._recover_here(left.popleft())
        self._waiting.extendleft(reversed(left))
        self._hand_out()

    async def _recover_here(self, chunk: _Chunk) -> None:
        keys = await trio.to_thread.run_sync(recover_keys, chunk.questions, abandon_on_cancel=True)
        chunk.job.answer(chunk.place, keys)
