"""A forked copy of this process that works something out, says so through a pipe, and is no more.

The copy has the state as it was at the fork, and shares its memory until either writes there. It
runs one function under limits, touches no socket, file, lock or event loop of the node, and ends
with the node, however that ends.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import signal
import sys
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from node.api.call import Work
from node.api.errors import ApiError
from node.api.rpc import code_of, plain_value
from node.clock import cpu_s, monotonic_s
from node.whatif.simulate import WorkLimit
from protocol.errors import PegboardError
from protocol.schema import Record

PR_SET_PDEATHSIG = 1
NICE = 10
"""Behind the node, and not behind all else: an answer is waited for."""
HARD_CPU_S = 5
"""What a child may work beyond its limit, to tell what it has found."""
RESERVE_BYTES = 64 << 20
"""Memory for the same purpose."""
LAST_FD = 1 << 20
RSS_UNIT = 1 if sys.platform == "darwin" else 1_024
"""Bytes in which systems count `ru_maxrss`."""

ANSWER, REFUSAL, BUG = b"\x06", b"\x15", b"\x18"
"""Last bytes of what a child tells; JSON holds none of them, so what was cut has no such end."""

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ChildLimits(Record):
    """What one child may take."""

    cpu_ms: int = 5_000
    wall_ms: int = 15_000
    """Where others have the processor, too; what was found by then is told."""
    memory_bytes: int = 512 << 20
    """Beyond what the node has at the fork."""


class ChildFailed(PegboardError):
    """The work met a bug; `what` is where."""

    name = "child_failed"


class Child(Record):
    """A running child: kill it, read its answer up to the end, and wait for its process."""

    pid: int
    answer_fd: int

    def kill(self) -> None:
        """End it; it may have ended before."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class WorkGuard:
    """Raises `WorkLimit` when it is asked and the time or the memory is used up.

    A signal could do so at any time, and leave a table of the state half changed.
    """

    def __init__(self, limits: ChildLimits) -> None:
        self.limits = limits
        self.cpu_end_s = cpu_s() + limits.cpu_ms / 1_000
        self.wall_end_s = monotonic_s() + limits.wall_ms / 1_000
        self.peak_max = _peak_bytes() + limits.memory_bytes

    def __call__(self) -> None:
        if cpu_s() >= self.cpu_end_s:
            raise WorkLimit("time", self.limits.cpu_ms)
        if monotonic_s() >= self.wall_end_s:
            raise WorkLimit("time", self.limits.wall_ms)
        if _peak_bytes() >= self.peak_max:
            raise WorkLimit("memory", self.limits.memory_bytes)


def _peak_bytes() -> int:
    """The most memory that this process has had at a time."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT


def fork_child(work: Work, limits: ChildLimits) -> Child:
    """Start a child that works something out; raises `OSError` if there is no room for one."""
    read_end, write_end = os.pipe()
    parent = os.getpid()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        with warnings.catch_warnings():
            # Python warns of threads: the child has none, and waits for no lock of theirs.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _live(work, limits, write_end, parent)
    except OSError:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return Child(pid, read_end)


def read_answer(data: bytes) -> bytes | PegboardError | None:
    """The text that a child has found, or its refusal; None if it ended before."""
    found, end = data[:-1], data[-1:]
    if end == ANSWER:
        return found
    if end == BUG:
        return ChildFailed(found.decode())
    if end != REFUSAL:
        return None
    fields = json.loads(found)
    name, code = fields.pop("name"), fields.pop("code")
    refusal = ApiError(**fields)
    refusal.name, refusal.code = name, code
    return refusal


def _told(error: PegboardError) -> bytes:
    """A refusal as far as clients are told of it."""
    fields = {
        "name": error.name,
        "code": code_of(error),
        "what": error.what,
        "rule": error.rule,
        "value": plain_value(error.value),
        "limit": plain_value(error.limit),
        "unit": error.unit,
    }
    return json.dumps(fields).encode() + REFUSAL


def _live(work: Work, limits: ChildLimits, write_end: int, parent: int) -> NoReturn:
    """The child's whole life; nothing of the parent's goes on in it."""
    code = 1
    try:
        _separate(limits, write_end, parent)
        try:
            found = work(WorkGuard(limits)) + ANSWER
        except PegboardError as error:
            found = _told(error)
        except MemoryError:
            os._exit(1)
        except Exception:  # noqa: BLE001  # a bug: the parent tells of it
            found = traceback.format_exc().encode() + BUG
        data = memoryview(found)
        while data:
            data = data[os.write(write_end, data) :]
        os.close(write_end)
        code = 0
    finally:
        os._exit(code)


def _separate(limits: ChildLimits, write_end: int, parent: int) -> None:
    """Give up what is the parent's: signals, files, priority, and a life of its own."""
    gc.disable()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    os.closerange(3, write_end)
    os.closerange(write_end + 1, LAST_FD)
    os.nice(NICE)
    cpu_s = limits.cpu_ms // 1_000 + HARD_CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        size = pages * resource.getpagesize() + limits.memory_bytes + RESERVE_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
