"""Marks on a chain, and what is held of irreversible blocks so that it can go back to them.

For development chains alone: to others, what is irreversible is never taken back (I14). A mark
copies nothing. Going back undoes block after block, so that it costs what has changed since,
however large the state is.
"""

from __future__ import annotations

from collections.abc import Iterable

from node.chain.apply_block import AppliedBlock
from node.chain.fork_database import ForkItem
from node.state.undo import Revision
from protocol.errors import PegboardError
from protocol.schema import BlockId, Record, TransactionId
from protocol.transaction import TransactionEnvelope

HELD_CHANGES_MAX = 1_000_000
"""Changes of objects in irreversible blocks that are held; some 300 bytes each."""

MARKS_MAX = 1_000


class Mark(Record, eq=False, gc=True):
    """A place to come back to: a head with the transactions that were pending on it."""

    num: int
    block_id: BlockId
    irreversible_num: int
    """What was irreversible then; nothing below it can be undone from here."""
    pending: tuple[TransactionEnvelope, ...]


class Rewound(Record, gc=True):
    """What going back did."""

    popped: list[AppliedBlock]
    """Newest first; they are forgotten."""
    unpended: Revision
    """What the transactions that were pending had changed."""
    dropped: list[TransactionId]
    """What was pending and is not any more."""


class HeldBlock(Record, gc=True):
    """An irreversible block, and its parent in the tree that it has left."""

    parent: ForkItem
    block: AppliedBlock


class HeldBlocks:
    """The marks that count, and the irreversible blocks that are held for them."""

    __slots__ = ("_changes", "changes_max", "held", "marks")

    def __init__(self, changes_max: int = HELD_CHANGES_MAX) -> None:
        self.changes_max = changes_max
        self.marks: dict[Mark, None] = {}
        self.held: dict[int, HeldBlock] = {}
        """By the block's number."""
        self._changes = 0

    def lowest_num(self, root_num: int) -> int:
        """The lowest block that can be the head again, by the number of the irreversible one."""
        return min([root_num, *(mark.irreversible_num for mark in self.marks)])

    def add(self, mark: Mark) -> None:
        """Hold from now on what it takes to come back to a mark; raises `TooManyMarks`."""
        if len(self.marks) >= MARKS_MAX:
            raise TooManyMarks("too many marks", value=len(self.marks), limit=MARKS_MAX)
        self.marks[mark] = None

    def release(self, mark: Mark, root_num: int) -> None:
        """Hold no more for a mark; one that does not count any more changes nothing."""
        self.marks.pop(mark, None)
        self._drop_below(self.lowest_num(root_num))

    def keep(self, blocks: Iterable[HeldBlock]) -> None:
        """Hold blocks that became irreversible, oldest first.

        The oldest marks are let go while more is held than may be.
        """
        if not self.marks:
            return
        root_num = 0
        for one in blocks:
            root_num = one.block.envelope.num
            self.held[root_num] = one
            self._changes += len(one.block.revision.records)
        while self._changes > self.changes_max and self.marks:
            oldest = min(self.marks, key=lambda mark: mark.irreversible_num)
            self.release(oldest, root_num)

    def cut(self, num: int, root_num: int) -> None:
        """The chain went back to a block, where the marks above it end; what is above the last
        irreversible one is its own again."""
        for mark in [mark for mark in self.marks if mark.num > num]:
            del self.marks[mark]
        self._drop([held for held in self.held if held > root_num])

    def _drop_below(self, lowest_num: int) -> None:
        self._drop([held for held in self.held if held <= lowest_num])

    def _drop(self, nums: Iterable[int]) -> None:
        for num in nums:
            self._changes -= len(self.held.pop(num).block.revision.records)


class NotUndoable(PegboardError):
    """A block or mark that the chain cannot go back to: what it takes is not held any more."""

    name = "not_undoable"


class TooManyMarks(PegboardError):
    """More marks than one chain keeps."""

    name = "too_many_marks"
