"""Recovers signing keys in a worker process: a thread would wait for the busy main thread."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor

import structlog
import trio

from protocol.crypto.signatures import recover_keys
from protocol.schema import Digest, PublicKey, Signature

CHUNK = 1_000
"""Signatures a call; smaller calls cost more than they recover."""

WORKERS_TRIED = 2
"""So many workers may die over one chunk before the node recovers its keys by itself."""

log = structlog.get_logger()


class SignaturePool:
    """One worker process, started when first needed and again whenever it dies."""

    def __init__(self) -> None:
        self._executor: ProcessPoolExecutor | None = None

    async def recover(self, items: Sequence[tuple[Digest, Signature]]) -> list[PublicKey | None]:
        """The key behind each signature, None where there is none."""
        keys: list[PublicKey | None] = []
        for start in range(0, len(items), CHUNK):
            keys += await self._recover_chunk(list(items[start : start + CHUNK]))
        return keys

    async def _recover_chunk(self, chunk: list[tuple[Digest, Signature]]) -> list[PublicKey | None]:
        for _ in range(WORKERS_TRIED):
            executor = self._running()
            try:
                future = executor.submit(recover_keys, chunk)
                return await trio.to_thread.run_sync(future.result, abandon_on_cancel=True)
            except BrokenExecutor as error:
                log.warning("worker_died", ev="worker_died", reason=str(error))
                if self._executor is executor:
                    self.close()
        return await trio.to_thread.run_sync(recover_keys, chunk, abandon_on_cancel=True)

    def _running(self) -> ProcessPoolExecutor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                max_workers=1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=end_with_parent,
            )
        return self._executor

    def close(self) -> None:
        """Stop the worker; calling it twice does no harm."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None


def end_with_parent() -> None:
    """Tie this worker's life to its parent's, however that ends; and to nothing else.

    A worker that waits for work would never notice. Ctrl-C reaches the workers of a terminal's
    program too, and is for the parent to judge.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # its end of a pipe closes, even by kill -9
        os._exit(0)
