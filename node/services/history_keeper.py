"""Writes what became irreversible to the history, beside everything else that a node does.

Nothing waits for it: what comes within two seconds of a write is gathered for the next, since many
blocks at once are less work than each by itself. A file that fails stops the node, as the blocks'
does; a server that fails is tried again, ever more slowly, and what was not written waits in
memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import trio

from node.history.block import BlockHistory
from node.history.database.stored import StoredHistory
from node.services.event_log import log
from node.storage.errors import StorageError

GATHER_S = 2.0
"""From the end of a write to the next one, unless there is as much as one write takes."""
NUMBERED_AT_ONCE = 2_000
"""Operations that are numbered before it is their turn to be written, for who asks about them."""
PAUSE_MIN_S = 0.5
PAUSE_MAX_S = 30.0
"""Bounds of the pause after a write to a server that failed; it doubles from one to the next."""


class HistoryKeeper:
    """Brings one history to where the chain is irreversible, again and again."""

    def __init__(self, history: StoredHistory) -> None:
        self.history = history
        self._irreversible_num = 0
        self._told = trio.Event()

    def advance(self, irreversible_num: int) -> None:
        """Blocks up to a number may be written from now on."""
        self._irreversible_num = max(self._irreversible_num, irreversible_num)
        self._told.set()

    async def _gather(self, until_s: float) -> Sequence[BlockHistory]:
        """The blocks of the next write: as many as it takes, or those that there are by a time."""
        while True:
            self._told = trio.Event()
            if self.history.recent.unnumbered >= NUMBERED_AT_ONCE:
                await trio.to_thread.run_sync(self.history.recent.number)
                continue
            is_due = trio.current_time() >= until_s
            if is_due or self.history.may_fill_a_write:
                blocks = self.history.writable(self._irreversible_num)
                if blocks and (is_due or self.history.is_full(blocks)):
                    return blocks
            with trio.move_on_at(math.inf if is_due else until_s):
                await self._told.wait()

    async def run(self) -> None:
        """Write until cancelled; raises the `StorageError` of a history that is not shared."""
        pause_s, until_s = 0.0, -math.inf
        while True:
            blocks = await self._gather(until_s)
            try:
                await trio.to_thread.run_sync(self.history.write, blocks)
            except StorageError as error:
                if not self.history.store.is_shared:
                    raise
                pause_s = min(max(2 * pause_s, PAUSE_MIN_S), PAUSE_MAX_S)
                log.warning(
                    "history_waits",
                    reason=str(error),
                    blocks=len(self.history.recent),
                    retry_s=pause_s,
                )
                await trio.sleep(pause_s)
                continue
            self.history.written(blocks)
            until_s = trio.current_time() + GATHER_S
            if pause_s:
                pause_s = 0.0
                log.info("history_goes_on", stored=blocks[-1].num)
