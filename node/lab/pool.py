"""Has runs played: in this process, by processes on all cores, or by the workers of a cluster.

Whoever plays a run and whenever: what comes of it is the same, and the journal sorts it in.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process

from node.lab.errors import PlayerLost
from node.lab.plan import Plan, Run
from node.lab.runs import RunResult, play_runs

BATCH = 4
"""Runs that are handed out at once."""
WORKERS_MAX = 512


def cores() -> int:
    """How many processes may run at once here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def play_here(plan: Plan, runs: Sequence[Run]) -> Iterator[list[RunResult]]:
    """Play runs in this process, one after the other."""
    for run in runs:
        yield play_runs(plan, [run])


def play_with(
    executor: Executor, at_once: int, plan: Plan, runs: Sequence[Run]
) -> Iterator[list[RunResult]]:
    """Play runs by an executor that works on so many batches at once; in any order.

    No more are handed out than keep all busy, so that a million runs need no memory.
    """
    batches = iter([runs[first : first + BATCH] for first in range(0, len(runs), BATCH)])
    waiting: set[Future[list[RunResult]]] = set()
    while True:
        for batch in batches:
            waiting.add(executor.submit(play_runs, plan, batch))
            if len(waiting) >= 2 * at_once:
                break
        if not waiting:
            return
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


@contextmanager
def processes(workers: int) -> Iterator[Executor]:
    """Processes of this machine, which end with this one however it ends."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise PlayerLost("a process was ended from outside; the same command goes on") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl-C to the parent, and end with it even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "a process of the pool"
    connection.wait([parent.sentinel])
    os._exit(1)
