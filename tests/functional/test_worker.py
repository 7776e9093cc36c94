"""The process that recovers keys: it may die, and never outlives the node (P7)."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import pytest
import trio

from node.services.signature_pool import SignaturePool
from protocol.crypto.signatures import sign_digest
from protocol.schema import Digest, PublicKey, Signature
from tests.support.world import key_of, secret_of

pytestmark = pytest.mark.functional

GONE_WITHIN_S = 10

PARENT = """
import multiprocessing
import sys

import trio
from node.presets import development_key
from node.services.signature_pool import SignaturePool
from protocol.crypto.signatures import sign_digest

async def main():
    pool = SignaturePool()
    items = [(bytes(32), sign_digest(development_key("alice", "active"), bytes(32)))] * 1_000
    await pool.recover(items)
    print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
    while sys.argv[1] == "working":
        await pool.recover(items)
    await trio.sleep_forever()

if __name__ == "__main__":
    trio.run(main)
"""


def questions(count: int) -> list[tuple[Digest, Signature]]:
    """Digests with alice's signatures."""
    digests = [Digest(bytes([number]) * 32) for number in range(count)]
    return [(digest, sign_digest(secret_of("alice"), digest)) for digest in digests]


async def kill_workers_between(times: int) -> list[Sequence[PublicKey | None]]:
    """What is recovered when the worker is killed before each question but the first."""
    pool = SignaturePool()
    answers: list[Sequence[PublicKey | None]] = []
    try:
        for number in range(times + 1):
            for worker in multiprocessing.active_children() if number else ():
                worker.kill()
            answers.append(await pool.recover(questions(3)))
    finally:
        pool.close()
    return answers


def test_a_killed_worker_is_replaced() -> None:
    """P7: whoever waits for keys gets them all the same, as often as it happens."""
    answers = trio.run(kill_workers_between, 2)
    assert answers == [[key_of("alice")] * 3] * 3


async def kill_worker_amid(count: int) -> tuple[int, Sequence[PublicKey | None]]:
    """How many workers were killed while they worked at so many questions, and the answers."""
    pool = SignaturePool()
    answers: list[PublicKey | None] = []
    killed = 0
    try:
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                answers.extend(await pool.recover(questions(1) * count))
                nursery.cancel_scope.cancel()

            nursery.start_soon(ask)
            while not killed:
                await trio.sleep(0.05)
                for worker in multiprocessing.active_children()[:1]:
                    worker.kill()
                    killed += 1
    finally:
        pool.close()
    return killed, answers


def test_a_worker_that_is_killed_at_its_work_loses_nothing() -> None:
    """P7: what it was asked is asked of the next one."""
    killed, answers = trio.run(kill_worker_amid, 20_000)
    assert killed
    assert answers == [key_of("alice")] * 20_000


@pytest.mark.parametrize("state", ["idle", "working"])
def test_the_worker_does_not_outlive_a_killed_node(state: str) -> None:
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
