"""Recovers signing keys in a worker process: a thread would wait for the busy main thread."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import trio

from protocol.crypto.signatures import recover_keys
from protocol.schema import Digest, PublicKey, Signature

CHUNK = 1_000
"""Signatures a call; smaller calls cost more than they recover."""


class SignaturePool:
    """One worker process, started when first needed."""

    def __init__(self) -> None:
        self._executor: ProcessPoolExecutor | None = None

    async def recover(self, items: Sequence[tuple[Digest, Signature]]) -> list[PublicKey | None]:
        """The key behind each signature, None where there is none."""
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                max_workers=1, mp_context=multiprocessing.get_context("spawn")
            )
        keys: list[PublicKey | None] = []
        for start in range(0, len(items), CHUNK):
            future = self._executor.submit(recover_keys, list(items[start : start + CHUNK]))
            keys += await trio.to_thread.run_sync(future.result, abandon_on_cancel=True)
        return keys

    def close(self) -> None:
        """Stop the worker; calling it twice does no harm."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None
