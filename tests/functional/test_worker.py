"""The processes that recover keys: they may die, and never outlive the node (P7)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from node.services import signature_pool
from node.services.signature_pool import AHEAD, SignaturePool
from node.services.signature_worker import CHUNK
from protocol.crypto.keys import NULL_KEY
from protocol.crypto.recovery import QUESTION_LENGTH
from protocol.crypto.signatures import sign_digest
from protocol.schema import Digest
from tests.support.world import key_of, secret_of

pytestmark = pytest.mark.functional

GONE_WITHIN_S = 10
PATIENCE_S = 60

PARENT = """
import sys

import trio
from node.presets import development_key
from node.services.signature_pool import SignaturePool
from protocol.crypto.signatures import sign_digest

async def main():
    pool = SignaturePool(2)
    questions = (bytes(32) + sign_digest(development_key("alice", "active"), bytes(32))) * 1_000
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        await pool.recover(questions)
        print(*pool.processes, flush=True)
        while sys.argv[1] == "working":
            await pool.recover(questions)

trio.run(main)
"""


def questions(count: int) -> bytes:
    """Digests with alice's signatures."""
    digests = [Digest(bytes([number % 256]) * 32) for number in range(count)]
    return b"".join(digest + sign_digest(secret_of("alice"), digest) for digest in digests)


def run_pool(use: Callable[[SignaturePool], Awaitable[None]], workers: int) -> None:
    """Have a test use a pool."""

    async def run() -> None:
        pool = SignaturePool(workers)
        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pool.run)
                await use(pool)
                nursery.cancel_scope.cancel()
        assert pool.processes == []

    trio.run(run)


def kill_workers(pool: SignaturePool) -> int:
    """End all workers at once; how many there were."""
    for process in pool.processes:
        os.kill(process, signal.SIGKILL)
    return len(pool.processes)


def test_a_killed_worker_is_replaced() -> None:
    """P7: whoever waits for keys gets them all the same, as often as it happens."""

    async def use(pool: SignaturePool) -> None:
        for _ in range(3):
            assert await pool.recover(questions(3)) == key_of("alice") * 3
            assert kill_workers(pool) == 1

    run_pool(use, 2)


def test_workers_that_are_killed_at_their_work_lose_nothing() -> None:
    """P7: what they were asked is asked of the next ones, and each key comes to its place."""
    bad = bytes(QUESTION_LENGTH)
    asked = b"".join(questions(1) * (number % 50) + bad for number in range(400))
    keys = b"".join(key_of("alice") * (number % 50) + NULL_KEY for number in range(400))
    killed = 0

    async def use(pool: SignaturePool) -> None:
        nonlocal killed
        found = []

        async def ask() -> None:
            found.append(await pool.recover(asked))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            while len(pool.processes) < 2:
                await trio.sleep(0.005)
            await trio.sleep(0.02)  # until they have something
            killed = kill_workers(pool)
        assert found == [keys]

    run_pool(use, 2)
    assert killed == 2


def test_a_chunk_that_kills_workers_is_recovered_without_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P7: also where no process can be started, or none lives for long."""
    asked = questions(CHUNK + 1)

    async def use(pool: SignaturePool) -> None:
        assert await pool.recover(asked) == key_of("alice") * (CHUNK + 1)

    for command in ("/nowhere/python", "/bin/false"):
        monkeypatch.setattr(signature_pool, "worker_command", lambda command=command: (command,))
        run_pool(use, 2)


def test_work_is_shared_between_all_workers() -> None:
    """The chunks of a block go to who has least to do; a process is started when all have some."""

    async def use(pool: SignaturePool) -> None:
        for _ in range(2):
            await pool.recover(questions(CHUNK))
            assert len(pool.processes) == 1
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pool.recover, questions(1) * (7 * CHUNK))
                await trio.testing.wait_all_tasks_blocked()
                loads = sorted(worker.load for worker in pool._workers)
                assert loads == [3 * CHUNK, 4 * CHUNK]
            assert len(pool.processes) == 2

    run_pool(use, 2)


def test_a_worker_is_given_no_more_than_it_needs_for_a_while() -> None:
    """What waits beyond that is given to who is done first."""

    async def use(pool: SignaturePool) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.recover, questions(1) * (2 * AHEAD))
            await trio.testing.wait_all_tasks_blocked()
            assert [worker.load for worker in pool._workers] == [AHEAD]
            nursery.cancel_scope.cancel()

    run_pool(use, 1)


@pytest.mark.parametrize("state", ["idle", "working"])
def test_the_workers_do_not_outlive_a_killed_node(state: str) -> None:
    """P7: kill -9 of the parent leaves no process behind, whatever they are at."""
    command = [sys.executable, "-c", PARENT, state]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [int(number) for number in parent.stdout.readline().split()]
    assert workers
    assert all(map(is_running, workers))
    time.sleep(0.2)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + GONE_WITHIN_S
    while any(map(is_running, workers)):
        assert time.monotonic() < deadline, f"{workers} outlive their parent"
        time.sleep(0.05)


def is_running(process: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
