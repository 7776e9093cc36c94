"""The stores in memory, for simulations and tests, with a disk that may be slow to keep things.

With `durable_at_once=False` a write reaches the disk only by `flush`, and `crash` loses what has
not; the promise "durable on return" is then broken on purpose, to prove who relies on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from node.storage.errors import StoreDamaged
from node.storage.guard import check_slot, check_vote
from node.storage.interface import (
    SignedSlot,
    SignedVote,
    SkippedSnapshot,
    Snapshot,
    SnapshotFault,
    StoredBlock,
    check_move,
)
from node.storage.snapshots import KEPT
from protocol.block import block_num_of
from protocol.ids import WitnessId
from protocol.schema import BlockId, PublicKey

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class _Undo:
    """How to take back one write that is not durable yet."""

    head: BlockId | None
    irreversible_num: int
    blocks: dict[BlockId, bytes | None] = field(default_factory=dict)
    main_chain: dict[int, BlockId | None] = field(default_factory=dict)


class MemoryBlockStore:
    """`BlockStorage` in dictionaries."""

    def __init__(self, *, durable_at_once: bool = True) -> None:
        self._durable_at_once = durable_at_once
        self._blocks: dict[BlockId, bytes] = {}
        self._main_chain: dict[int, BlockId] = {}
        self._head: BlockId | None = None
        self._irreversible_num = 0
        self._clock_offset_ms = 0
        self._undo: list[_Undo] = []
        self._damaged: set[BlockId] = set()

    def append(
        self,
        blocks: Sequence[tuple[BlockId, int, bytes]],
        head: BlockId | None,
        main_chain: Sequence[BlockId] = (),
        irreversible_num: int = 0,
    ) -> None:
        """See `BlockStorage.append`."""
        kept_num = (
            block_num_of(main_chain[0]) - 1 if main_chain else block_num_of(head) if head else 0
        )
        check_move(self._head, head, main_chain, self.id_at(kept_num))
        added = {block_id: data for block_id, _, data in blocks}
        for block_id, num, _ in blocks:
            assert num == block_num_of(block_id), "a block id starts with the block number"
        for block_id in main_chain:
            assert block_id in added or block_id in self._blocks, "the chain holds stored blocks"
        undo = self._undo_of({block_id: self._blocks.get(block_id) for block_id in added})
        top = block_num_of(self._head) if self._head else 0
        for num in range(kept_num + 1, max(top, kept_num + len(main_chain)) + 1):
            undo.main_chain[num] = self._main_chain.pop(num, None)
        self._blocks.update(added)
        self._damaged.difference_update(added)
        self._main_chain.update((block_num_of(block_id), block_id) for block_id in main_chain)
        self._head = head
        self._irreversible_num = max(irreversible_num, self._irreversible_num)
        self._written(undo)

    def go_back(
        self, head: BlockId, irreversible_num: int, clock_offset_ms: int | None = None
    ) -> None:
        """See `BlockStorage.go_back`."""
        self.append((), head)
        self._irreversible_num = irreversible_num
        if clock_offset_ms is not None:
            self.keep_clock(clock_offset_ms)

    def keep_clock(self, offset_ms: int) -> None:
        """See `BlockStorage.keep_clock`."""
        self._clock_offset_ms = offset_ms

    def clock_offset_ms(self) -> int:
        """See `BlockStorage.clock_offset_ms`."""
        return self._clock_offset_ms

    def block(self, block_id: BlockId) -> bytes | None:
        """See `BlockStorage.block`."""
        self._check(block_id)
        return self._blocks.get(block_id)

    def id_at(self, num: int) -> BlockId | None:
        """See `BlockStorage.id_at`."""
        return self._main_chain.get(num)

    def ids_from(self, num: int, count: int) -> list[BlockId]:
        """See `BlockStorage.ids_from`."""
        found: list[BlockId] = []
        while len(found) < count and (block_id := self._main_chain.get(num)) is not None:
            found.append(block_id)
            num += 1
        return found

    def blocks_from(self, num: int, count: int) -> list[StoredBlock]:
        """See `BlockStorage.blocks_from`."""
        found: list[StoredBlock] = []
        at = max(num, min(self._main_chain, default=num))
        while len(found) < count and at in self._main_chain:
            block_id = self._main_chain[at]
            self._check(block_id)
            found.append(StoredBlock(block_id, at, self._blocks[block_id]))
            at += 1
        return found

    def head(self) -> tuple[int, BlockId] | None:
        """See `BlockStorage.head`."""
        return None if self._head is None else (block_num_of(self._head), self._head)

    def irreversible_num(self) -> int:
        """See `BlockStorage.irreversible_num`."""
        return self._irreversible_num

    def prune_forks(self, below_num: int) -> int:
        """See `BlockStorage.prune_forks`."""
        pruned = [
            block_id
            for block_id in self._blocks
            if block_num_of(block_id) < below_num and self.id_at(block_num_of(block_id)) != block_id
        ]
        undo = self._undo_of({block_id: self._blocks.pop(block_id) for block_id in pruned})
        self._written(undo)
        return len(pruned)

    def close(self) -> None:
        """See `BlockStorage.close`; the content stays, as it would on a disk."""

    def damage(self, block_id: BlockId) -> None:
        """A bit of a stored block turns: it is not given out until it is written again."""
        assert block_id in self._blocks
        self._damaged.add(block_id)

    def _check(self, block_id: BlockId) -> None:
        if block_id in self._damaged:
            error = StoreDamaged("a block is damaged", value=block_id.hex())
            error.block = block_id
            raise error

    def flush(self) -> None:
        """Make everything written so far durable."""
        self._undo.clear()

    @property
    def unflushed(self) -> int:
        """How many writes are not durable yet."""
        return len(self._undo)

    def crash(self, kept: int = 0) -> None:
        """Lose what is not durable yet, but for so many of the oldest writes."""
        del self._undo[:kept]
        while self._undo:
            undo = self._undo.pop()
            self._head = undo.head
            self._irreversible_num = undo.irreversible_num
            for block_id, data in undo.blocks.items():
                _put_back(self._blocks, block_id, data)
            for num, old_id in undo.main_chain.items():
                _put_back(self._main_chain, num, old_id)

    def _undo_of(self, blocks: dict[BlockId, bytes | None]) -> _Undo:
        return _Undo(self._head, self._irreversible_num, blocks)

    def _written(self, undo: _Undo) -> None:
        if not self._durable_at_once:
            self._undo.append(undo)


class MemorySigningGuard:
    """`SigningStorage` in a dictionary."""

    def __init__(self, *, durable_at_once: bool = True) -> None:
        self._durable_at_once = durable_at_once
        self._signed: dict[WitnessId, int] = {}
        self._voted: dict[PublicKey, tuple[int, int]] | None = {}
        self._durable = self._copy()

    def load(self) -> dict[WitnessId, int]:
        """See `SigningStorage.load`."""
        return dict(self._signed)

    def load_votes(self) -> dict[PublicKey, tuple[int, int]] | None:
        """See `SigningStorage.load_votes`; a new one has a record, as a new network's nodes do."""
        return None if self._voted is None else dict(self._voted)

    def begin(self) -> None:
        """See `SigningStorage.begin`."""
        self.reserve(())

    def forget(self, slots: Sequence[SignedSlot] = (), votes: Sequence[SignedVote] = ()) -> None:
        """See `SigningStorage.forget`."""
        self._signed, self._voted = {}, {}
        self.reserve(slots, votes)

    def lose(self) -> None:
        """Lose the record altogether."""
        self._signed, self._voted = {}, None
        self.flush()

    def reserve(self, slots: Sequence[SignedSlot], votes: Sequence[SignedVote] = ()) -> None:
        """See `SigningStorage.reserve`."""
        signed, voted = dict(self._signed), self.load_votes() or {}
        for vote in votes:
            check_vote(voted, vote)
            voted[vote.key] = (vote.source_num, vote.target_num)
        for slot in slots:
            check_slot(signed, slot)
            signed[slot.witness] = slot.time_s
        self._signed, self._voted = signed, voted
        if self._durable_at_once:
            self.flush()

    def close(self) -> None:
        """See `SigningStorage.close`; the content stays, as it would on a disk."""

    def flush(self) -> None:
        """Make everything written so far durable."""
        self._durable = self._copy()

    def crash(self, *, is_kept: bool = False) -> None:
        """Lose what is not durable yet, unless it reached the disk all the same."""
        if is_kept:
            self.flush()
        signed, self._voted = self._durable
        self._signed = dict(signed)

    def _copy(self) -> tuple[dict[WitnessId, int], dict[PublicKey, tuple[int, int]] | None]:
        return dict(self._signed), self.load_votes()


class MemorySnapshots:
    """`SnapshotStorage` in a list."""

    def __init__(self, *, durable_at_once: bool = True) -> None:
        self._durable_at_once = durable_at_once
        self._snapshots: list[Snapshot] = []
        self._damaged: set[BlockId] = set()
        self._durable: list[Snapshot] = []

    def save(self, num: int, block_id: BlockId, *payload: bytes) -> None:
        """See `SnapshotStorage.save`."""
        saved = Snapshot(num, block_id, b"".join(payload))
        others = [old for old in self._snapshots if old[:2] != saved[:2]]
        self._damaged.discard(block_id)
        self._snapshots = sorted([*others, saved], reverse=True)[:KEPT]
        if self._durable_at_once:
            self.flush()

    def latest(
        self, at_most_num: int | None = None
    ) -> tuple[Snapshot | None, list[SkippedSnapshot]]:
        """See `SnapshotStorage.latest`; those of which a bit has turned are passed over."""
        skipped: list[SkippedSnapshot] = []
        for snapshot in self._snapshots:
            if at_most_num is not None and snapshot.num > at_most_num:
                continue
            if snapshot.block_id not in self._damaged:
                return snapshot, skipped
            skipped.append(SkippedSnapshot(str(snapshot.num), SnapshotFault.DAMAGED))
        return None, skipped

    def damage_newest(self) -> bool:
        """A bit of the newest snapshot turns; False when there is none."""
        self._damaged.update(snapshot.block_id for snapshot in self._snapshots[:1])
        return bool(self._snapshots)

    def forget_above(self, num: int) -> None:
        """See `SnapshotStorage.forget_above`."""
        self._snapshots = [one for one in self._snapshots if one.num <= num]
        if self._durable_at_once:
            self.flush()

    def flush(self) -> None:
        """Make everything written so far durable."""
        self._durable = list(self._snapshots)

    def crash(self, *, is_kept: bool = False) -> None:
        """Lose what is not durable yet, unless it reached the disk all the same."""
        if is_kept:
            self.flush()
        self._snapshots = list(self._durable)


def _put_back(target: dict[K, V], key: K, old: V | None) -> None:
    if old is None:
        target.pop(key, None)
    else:
        target[key] = old
