"""Stored blocks that were found damaged, until a peer has sent them again (T-S3)."""

from __future__ import annotations

from protocol.errors import DamagedData
from protocol.schema import BlockId, Record

DAMAGED_MAX = 1_000
"""So many are remembered; more than that is the end of a disk."""


class Damage(Record):
    """What was found when a block was read."""

    block: BlockId | None
    """None where not even the id can be told."""
    reason: str
    is_new: bool
    """False when the block was fetched again already by this process, and that did not help."""


class DamagedBlocks:
    """Ids of blocks to be fetched again; each is, once in the life of a process."""

    def __init__(self) -> None:
        self._waiting: set[BlockId] = set()
        self._tried: set[BlockId] = set()
        self._told: set[str] = set()
        self._news: list[Damage] = []

    def __contains__(self, block_id: BlockId) -> bool:
        return block_id in self._waiting

    def note(self, error: DamagedData) -> None:
        """A read has met damage."""
        reason = str(error)
        if reason in self._told or len(self._told) >= DAMAGED_MAX:
            return
        self._told.add(reason)
        block_id = None if error.block is None else BlockId(error.block)
        is_new = block_id is not None and block_id not in self._tried
        if block_id is not None and is_new:
            self._waiting.add(block_id)
            self._tried.add(block_id)
        self._news.append(Damage(block_id, reason, is_new))

    def take_news(self) -> list[Damage]:
        """What was found since the last call."""
        news, self._news = self._news, []
        return news

    def mend(self, block_id: BlockId) -> bool:
        """The block is here again; False when nobody waited for it."""
        if block_id not in self._waiting:
            return False
        self._waiting.discard(block_id)
        self._told = {reason for reason in self._told if block_id.hex() not in reason}
        return True
