"""A disk that loses power: which bytes and names may be there after a crash between two steps.

Writes to a file are durable once the file is flushed; of those since then, any subset may have
reached the disk, in any order, and the last of them in part. Names of a directory change in their
order, as journals keep them, up to any of those since the directory was flushed; a file without a
name is gone, flushed or not, and so is what stands in a directory without a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import PurePosixPath
from random import Random
from typing import NamedTuple

from tests.crashpoints.trace import (
    Create,
    Link,
    MakeDirectory,
    NameStep,
    Rename,
    Step,
    Sync,
    SyncNames,
    Truncate,
    Unlink,
    Write,
)

SECTOR = 512
TEARS_MAX = 16
"""A longer write is torn at so many of its sectors."""
ALL_SUBSETS_OF = 8
"""Of so many unflushed writes at most all subsets are tried; of more, those that lack up to three,
those that have up to two, and none between."""

RECENT = 16
"""Of the unflushed writes before so many, all or none are there."""

Image = dict[str, bytes]
"""The files after a crash."""


class Change(NamedTuple):
    """A write or cut that is not durable yet."""

    inode: int
    step: Write | Truncate


class Crash(NamedTuple):
    """What of the pending changes is there afterwards."""

    kept: frozenset[int]
    """Places in the list of pending changes."""
    names: int
    """How many of the pending changes of names, over all directories."""
    torn: tuple[int, int] | None = None
    """A kept write, and how many of its bytes are there."""


DIRECTORY = -1
"""Stands for the inode of a directory."""


class Disk:
    """Files as the steps leave them: what is durable, and what may be lost."""

    def __init__(self, before: Image) -> None:
        """What is there before the first step is durable."""
        self.durable: list[bytearray] = [bytearray(data) for data in before.values()]
        """By inode."""
        self.changes: list[Change] = []
        self.names: dict[str, int] = {name: inode for inode, name in enumerate(before)}
        self.durable_names = dict(self.names)
        self.moves: list[NameStep] = []
        """Pending changes of names."""
        self.made: set[str] = set()
        """Directories that were not there before, by all names that they had."""
        self.inode_of: dict[int, int] = {}
        """Of each file that a step makes."""

    def carry(self, step: Step) -> None:
        """Take a step."""
        match step:
            case Create():
                self.durable.append(bytearray())
                self.inode_of[id(step)] = len(self.durable) - 1
                self._rename(step)
            case MakeDirectory() | Rename() | Link() | Unlink():
                self._rename(step)
            case Write() | Truncate():
                self.changes.append(Change(self.names[step.name], step))
            case Sync():
                inode = self.names[step.name]
                for change in self.changes:
                    if change.inode == inode:
                        _apply(self.durable[inode], change.step)
                self.changes = [change for change in self.changes if change.inode != inode]
            case SyncNames():
                for move in self.moves:
                    if _directory(move) == step.name:
                        self._move(self.durable_names, move)
                self.moves = [move for move in self.moves if _directory(move) != step.name]

    def _rename(self, move: NameStep) -> None:
        self._move(self.names, move)
        self.made.update(name for name, inode in self.names.items() if inode == DIRECTORY)
        self.moves.append(move)

    def crashes(self, last: Step, rng: Random, *, is_window: bool, cap: int) -> Iterator[Crash]:
        """Crashes right after a step; at the end of a window of unflushed writes, its subsets."""
        everything, names = frozenset(range(len(self.changes))), len(self.moves)
        for kept in {everything, frozenset[int]()}:
            for count in range(names + 1):
                yield Crash(kept, count)
        if isinstance(last, Write) and self.changes:
            newest = len(self.changes) - 1
            sectors = range(SECTOR, len(last.data), SECTOR)
            for size in _spread(sectors, TEARS_MAX):
                yield Crash(everything, names, (newest, size))
                yield Crash(frozenset((newest,)), names, (newest, size))
        if is_window:
            old = max(0, len(self.changes) - RECENT)
            for recent in _some(list(_subsets(len(self.changes) - old)), cap, rng):
                kept = frozenset((*range(old), *(old + place for place in recent)))
                yield Crash(kept, names)

    def image(self, crash: Crash) -> Image:
        """The files after a crash."""
        contents: dict[int, bytearray] = {}
        for place in sorted(crash.kept):
            inode, step = self.changes[place]
            if crash.torn is not None and place == crash.torn[0]:
                assert isinstance(step, Write)
                step = step._replace(data=step.data[: crash.torn[1]])
            content = contents.setdefault(inode, bytearray(self.durable[inode]))
            _apply(content, step)
        names = dict(self.durable_names)
        for move in self.moves[: crash.names]:
            self._move(names, move)
        lost = [name for name in self.made if name not in names]
        return {
            name: bytes(contents.get(inode, self.durable[inode]))
            for name, inode in names.items()
            if inode != DIRECTORY and not any(_is_in(name, directory) for directory in lost)
        }

    def _move(self, names: dict[str, int], move: NameStep) -> None:
        match move:
            case Create():
                names[move.name] = self.inode_of[id(move)]
            case MakeDirectory():
                names[move.name] = DIRECTORY
            case Rename():
                for name in [name for name in names if _is_in(name, move.name)]:
                    names[move.new + name.removeprefix(move.name)] = names.pop(name)
            case Link():
                if move.name in names:
                    names[move.new] = names[move.name]
            case Unlink():
                names.pop(move.name, None)


def _apply(content: bytearray, step: Write | Truncate) -> None:
    if isinstance(step, Truncate):
        del content[step.size :]
        content.extend(bytes(max(0, step.size - len(content))))
        return
    content.extend(bytes(max(0, step.offset - len(content))))
    content[step.offset : step.offset + len(step.data)] = step.data


def _directory(move: NameStep) -> str:
    return str(PurePosixPath(move.name).parent)


def _is_in(name: str, place: str) -> bool:
    """Whether a name is that of the place, or of something in it."""
    return name == place or name.startswith(f"{place}/")


def _subsets(count: int) -> Iterator[frozenset[int]]:
    """Subsets of the places of pending changes."""
    everything = frozenset(range(count))
    if count <= ALL_SUBSETS_OF:
        for size in range(count + 1):
            yield from map(frozenset, combinations(range(count), size))
        return
    for size in range(1, 4):
        yield from (everything.difference(lost) for lost in combinations(range(count), size))
    for size in range(1, 3):
        yield from map(frozenset, combinations(range(count), size))


def _spread(items: Sequence[int], count: int) -> Sequence[int]:
    """At most so many of the items, evenly apart."""
    step = -(-len(items) // count) or 1
    return items[::step]


def _some(items: list[frozenset[int]], count: int, rng: Random) -> list[frozenset[int]]:
    """All items, or so many by chance."""
    return items if len(items) <= count else rng.sample(items, count)
