"""The disk of one simulated machine, and what goes wrong with it.

The stores are those in memory, which keep the order that the real ones keep: an SQLite file in WAL
mode loses transactions from the newest on and never one between two others, a small file or a
snapshot that is put in place by a rename is the old or the new one, and what was flushed stays. So
a crash keeps a beginning of what was written, however it tears a page, and a bit that turns is
found by the checksum of what it is in. That the real files do all this is shown with the files
themselves, at every crash point (`tests/crashpoints`).
"""

from __future__ import annotations

from random import Random

from node.storage.errors import DiskError
from tests.simulation.checkers import Checkers
from tests.simulation.event_loop import EventLoop
from tests.support.memory_stores import MemoryBlockStore, MemorySigningGuard, MemorySnapshots


class Disk:
    """Blocks, snapshots and the record of slots and votes."""

    def __init__(self, loop: EventLoop, checkers: Checkers, rng: Random, *, tears: bool) -> None:
        """`tears` says whether a crash may leave some of what was not flushed."""
        self.blocks = MemoryBlockStore(durable_at_once=False)
        self.guard = MemorySigningGuard(durable_at_once=False)
        self.snapshots = MemorySnapshots(durable_at_once=False)
        self._loop = loop
        self._checkers = checkers
        self._rng = rng
        self._tears = tears
        self._broken_until_ms = 0
        self._is_failing = False

    def break_down(self, is_failing: int, duration_ms: int) -> None:
        """For a while each write fails at once, or each flush after its write."""
        self._broken_until_ms = self._loop.now_ms + duration_ms
        self._is_failing = bool(is_failing)

    def mend(self) -> None:
        """It is sound again; what was damaged stays so."""
        self._broken_until_ms = 0

    def check(self, *, is_flush: bool) -> None:
        """Raise `DiskError` where the disk is full, or fails as it flushes."""
        if self._loop.now_ms < self._broken_until_ms and is_flush == self._is_failing:
            raise DiskError("input/output error" if is_flush else "no space left")

    def flip_bit(self, place: int) -> None:
        """A bit turns in a stored block of the main chain, or in the newest snapshot."""
        head = self.blocks.head()
        found = head and self.blocks.id_at(1 + place * head[0] // 1_000)
        if place % 4 == 0 and self.snapshots.damage_newest():
            self._checkers.counts["snapshots damaged"] += 1
        elif found:
            self._checkers.counts["blocks damaged"] += 1
            self.blocks.damage(found)

    def crash(self) -> None:
        """What was not flushed is gone; or, where writes tear, all but a beginning of it."""
        kept, is_kept = 0, False
        if self._tears:
            unflushed = self.blocks.unflushed
            kept = self._rng.randrange(unflushed + 1)
            is_kept = self._rng.randrange(2) == 0
            self._checkers.counts["writes kept"] += kept
            self._checkers.counts["fault torn"] += kept < unflushed
        self.blocks.crash(kept)
        self.guard.crash(is_kept=is_kept)
        self.snapshots.crash(is_kept=is_kept)

    def lose_chain(self) -> None:
        """Blocks and snapshots are gone; the record of signed slots is kept apart from them."""
        self.blocks = MemoryBlockStore(durable_at_once=False)
        self.snapshots = MemorySnapshots(durable_at_once=False)
