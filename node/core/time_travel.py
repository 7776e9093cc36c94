"""Back and forth in time on a development chain: snapshots, named futures, the clock.

The chain goes back by undoing blocks. Whatever else remembers what came after follows: stores,
history, pool, votes and slots that were signed, feeds, subscribers, and the clock, which shows
again what it showed then. In a network of processes all of them are paused meanwhile: none of them
makes blocks, and none has peers, from whom it would take the blocks again that it gave up.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from node.chain.undo_marks import Mark, NotUndoable, Rewound
from node.core.core import NodeCore
from node.core.effects import FlushSessions
from protocol.block import BlockEnvelope, block_num_of
from protocol.errors import PegboardError
from protocol.schema import BlockId, Mutable, Record

BRANCHES_MAX = 100
BRANCH_BYTES_MAX = 64 << 20
"""Of blocks that only branches keep."""

PAUSE_MAX_MS = 60_000
"""A pause ends by itself: whoever asked for it may have died."""


class NoSuchPlace(PegboardError):
    """A snapshot or a branch that is not there, or not any more."""

    name = "no_such_place"


class PausedByAnother(PegboardError):
    """Somebody else is taking this chain through time now."""

    name = "paused_by_another"


class NotPaused(PegboardError):
    """One process of a network of several cannot go through time alone."""

    name = "not_paused"


class Snapshot(Record, gc=True):
    """A moment to come back to: a head, what was pending, and what the clock showed."""

    number: int
    mark: Mark
    slot_ms: int


class Branch(Mutable, gc=True):
    """A named block, and the blocks below it that are not on the chain now."""

    name: str
    head: BlockId
    head_time_s: int
    mark: Mark
    """Holds what it takes to go back to where the branch begins."""
    blocks: list[BlockEnvelope] = msgspec.field(default_factory=list)
    """Oldest first."""

    @property
    def base(self) -> BlockId:
        """The newest block of it that is on the chain."""
        return self.blocks[0].header.previous if self.blocks else self.head


class TimeTravel:
    """Takes one node through time; the chain, its clock and all that follows them."""

    def __init__(self, core: NodeCore, *, is_alone: bool = True) -> None:
        """`is_alone` is False where other processes follow the same chain."""
        self.core = core
        self.is_alone = is_alone
        self.snapshots: dict[int, Snapshot] = {}
        self.branches: dict[str, Branch] = {}
        self.listeners: list[Callable[[Rewound], None]] = []
        """Told when the chain has gone back."""
        self.moved_ms = 0
        """How far the clock was moved from the machine's."""
        self._last = 0
        self.paused_by = ""
        """Who has it paused, in a word of their own."""
        self._resume_ms = 0
        self._is_ending = False

    # Snapshots.

    def snapshot(self, now_ms: int, number: int | None = None) -> Snapshot:
        """Remember this moment, under the next number unless one is given; raises `TooManyMarks`,
        and `NoSuchPlace` for a number that is taken."""
        self._check_begun()
        self._forget_gone()
        wanted = self._last + 1 if number is None else number
        if wanted in self.snapshots:
            raise NoSuchPlace("a snapshot of this number is there", value=wanted)
        self._last = max(self._last, wanted)
        found = Snapshot(wanted, self.core.chain.mark(), self.core.clock.slot_ms(now_ms))
        self.snapshots[found.number] = found
        return found

    def drop(self, number: int) -> None:
        """Need a snapshot no more; raises `NoSuchPlace`."""
        self.core.chain.release(self._snapshot(number).mark)
        del self.snapshots[number]

    def revert(self, number: int | None, now_ms: int) -> Rewound:
        """Go back to a snapshot, the newest without a number; it stays good, later ones do not.

        Raises `NoSuchPlace`, `NotPaused`.
        """
        self.check_may_go(now_ms)
        found = self._snapshot(number)
        rewound = self.core.chain.revert(found.mark)
        self._follow(rewound, found.slot_ms, now_ms)
        self._let_branches_go()
        return rewound

    def rewind(self, num: int, now_ms: int) -> Rewound:
        """Make a block the head again; raises `NotUndoable`, `NotPaused`."""
        self.check_may_go(now_ms)
        first_num = self.core.chain.first_num
        if num < first_num:
            raise NotUndoable("the chain begins above that", value=num, limit=first_num)
        rewound = self.core.chain.rewind(num)
        self._follow(rewound, self.core.chain.head_time * 1_000, now_ms)
        self._let_branches_go()
        return rewound

    def known_snapshots(self) -> list[Snapshot]:
        """The snapshots that count, oldest first."""
        self._forget_gone()
        return list(self.snapshots.values())

    def _snapshot(self, number: int | None) -> Snapshot:
        self._forget_gone()
        if number is None and self.snapshots:
            return self.snapshots[max(self.snapshots)]
        if number not in self.snapshots:
            known = ", ".join(map(str, self.snapshots)) or "none"
            what = "no such snapshot, or it was let go"
            raise NoSuchPlace(what, value=number, limit=known)
        return self.snapshots[number]

    def _forget_gone(self) -> None:
        marks = self.core.chain.marks
        for number in [one.number for one in self.snapshots.values() if one.mark not in marks]:
            del self.snapshots[number]

    # Named futures.

    def known_branches(self) -> list[Branch]:
        """The branches that were not let go, in the order of their names' making."""
        marks = self.core.chain.marks
        for name in [one.name for one in self.branches.values() if one.mark not in marks]:
            del self.branches[name]
        return list(self.branches.values())

    def name_branch(self, name: str) -> Branch:
        """Name the head, to come back to it from wherever the chain goes; raises `NoSuchPlace`
        for a name that is taken, and for one too many."""
        self._check_begun()
        known = len(self.known_branches())
        if name in self.branches or known >= BRANCHES_MAX:
            what = (
                "a branch of this name is there" if name in self.branches else "too many branches"
            )
            raise NoSuchPlace(what, value=name, limit=BRANCHES_MAX)
        chain = self.core.chain
        found = Branch(name, chain.head_id, chain.head_time, chain.mark())
        self.branches[name] = found
        return found

    def drop_branch(self, name: str) -> None:
        """Forget a name, and the blocks that only it keeps; raises `NoSuchPlace`."""
        self.core.chain.release(self._branch(name).mark)
        del self.branches[name]

    def switch(self, name: str, now_ms: int) -> Rewound:
        """Come back to a branch: to where it left the chain, then along its blocks.

        Raises `NoSuchPlace`, `NotPaused`, `NotUndoable`.
        """
        self.check_may_go(now_ms)
        core, branch = self.core, self._branch(name)
        base = branch.base
        lowest_num = core.chain.lowest_undoable_num
        if block_num_of(base) < lowest_num:
            what = "the branch begins below what is held"
            raise NotUndoable(what, value=block_num_of(base), limit=lowest_num)
        rewound = core.chain.rewind(block_num_of(base))
        self._follow(rewound, branch.head_time_s * 1_000, now_ms)
        blocks, branch.blocks = branch.blocks, []
        for envelope in blocks:
            core.moves.follow(core.chain.push_block(envelope, trusted=True))
        core.own.go_back()
        core.voting.vote_for_head(now_ms)
        core.chain.release(branch.mark)
        branch.mark = core.chain.mark()
        self._let_branches_go()
        return rewound

    def _branch(self, name: str) -> Branch:
        self.known_branches()
        if name not in self.branches:
            known = ", ".join(self.branches) or "none"
            raise NoSuchPlace("no such branch, or it was let go", value=name, limit=known)
        return self.branches[name]

    def _keep_branches(self, rewound: Rewound) -> None:
        """What is popped below the name of a branch is its own from now on."""
        popped = [block.envelope for block in reversed(rewound.popped)]
        places = {envelope.id: place for place, envelope in enumerate(popped)}
        for branch in self.branches.values():
            place = places.get(branch.base)
            if place is not None:
                branch.blocks = popped[: place + 1] + branch.blocks
                self.core.chain.release(branch.mark)
                branch.mark = self.core.chain.mark()

    def _let_branches_go(self) -> None:
        """Let the oldest ones go while all keep too many blocks."""
        keeping = [branch for branch in self.branches.values() if branch.blocks]
        while sum(map(_size_of, keeping)) > BRANCH_BYTES_MAX:
            self.drop_branch(keeping.pop(0).name)

    # The clock.

    def catch_up(self, now_ms: int) -> None:
        """Let the clock show the head's time if it is behind: blocks were made ahead of it."""
        head_ms = self.core.chain.head_time * 1_000
        if self.is_alone and head_ms > self.core.clock.slot_ms(now_ms):
            self._set_clock(head_ms, now_ms)
            self.core.moves.store_clock(self.moved_ms)

    def set_clock_offset(self, offset_ms: int, now_ms: int) -> None:
        """Set how far the clock is from the machine's; no block is made. Raises `NotPaused`."""
        self.check_may_go(now_ms)
        clock_ms = self.core.clock.slot_ms(now_ms)
        self._set_clock(clock_ms + offset_ms - self.moved_ms, now_ms)
        self.core.moves.store_clock(self.moved_ms)

    def pause(self, now_ms: int, by: str = "") -> None:
        """Make no blocks and have no peers until the same resumes, or for `PAUSE_MAX_MS`.

        Raises `PausedByAnother` while others have it paused: two must not move it at once.
        """
        self.tick(now_ms)
        if self.core.is_paused and by != self.paused_by:
            raise PausedByAnother("somebody else is taking this chain through time")
        self.hold(now_ms, by)

    def hold(self, now_ms: int, by: str = "") -> None:
        """The same, whoever has it paused."""
        self.paused_by = by
        self._resume_ms = now_ms + PAUSE_MAX_MS
        self.core.is_paused = True
        self.core.peers.pause(now_ms)

    def resume(self, by: str = "") -> None:
        """Go on; without a pause, or in one of others, it does no harm."""
        if by == self.paused_by:
            self._go_on()

    def stop(self, now_ms: int) -> None:
        """Stand still for good, since the process ends. Whoever has it paused may say so again
        meanwhile, as one does who waits for it to start again."""
        self.hold(now_ms, self.paused_by)
        self._is_ending = True

    def _go_on(self) -> None:
        if self._is_ending:
            return
        self.paused_by = ""
        self.core.is_paused = False
        self.core.peers.resume()

    def tick(self, now_ms: int) -> None:
        """End a pause that nobody ends."""
        if self.core.is_paused and now_ms >= self._resume_ms:
            self._go_on()

    def check_may_go(self, now_ms: int) -> None:
        """Raise `NotPaused` if other processes would not come along."""
        self.tick(now_ms)
        if not (self.is_alone or self.core.is_paused):
            raise NotPaused(
                "this chain has more processes, which go through time together: `pegboard` does it,"
                " network_mine, network_travel and network_rewind, or whoever pauses all of them"
            )

    def _check_begun(self) -> None:
        if not self.core.chain.has_begun:
            raise NoSuchPlace("there is no block yet", value=0, limit=1)

    def _set_clock(self, slot_ms: int, now_ms: int) -> None:
        clock = self.core.clock
        by_ms = slot_ms - clock.slot_ms(now_ms)
        clock.move(by_ms, now_ms)
        self.moved_ms += by_ms
        self.core.peers.clock_offset_ms = clock.offset_ms

    # What follows.

    def _follow(self, rewound: Rewound, slot_ms: int, now_ms: int) -> None:
        """Let all that remembers what came after forget it, on disk and in memory."""
        core = self.core
        core.inbox.clear()
        core.own.go_back()
        core.ballots.go_back()
        if core.feeds is not None:
            core.feeds.go_back(core.chain.head_time)
        self._set_clock(slot_ms, now_ms)
        core.moves.follow_rewind(rewound, self.moved_ms)
        self._keep_branches(rewound)
        for tell in self.listeners:
            tell(rewound)
        core.effects.add(FlushSessions())
        core.effects.report("rewound", head=core.chain.head_num, popped=len(rewound.popped))
        core.voting.vote_for_head(now_ms)


def _size_of(branch: Branch) -> int:
    return sum(len(envelope.packed) for envelope in branch.blocks)
