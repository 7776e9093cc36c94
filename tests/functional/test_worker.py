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

import trio
from node.services.signature_pool import SignaturePool

async def main():
    pool = SignaturePool()
    await pool.recover([(bytes(32), bytes(65))])
    print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
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


def test_the_worker_does_not_outlive_a_killed_node() -> None:
    """P7: kill -9 of the parent leaves no process behind."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [int(number) for number in parent.stdout.readline().split()]
    assert workers
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
