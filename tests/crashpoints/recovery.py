"""What a node finds after a crash, held against what it had told before (T-S1, T-S2).

The files of blocks, history and snapshots are crashed each for itself: no flush of one makes
another one durable. What they become is then put together, and the node started from it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from shutil import rmtree
from typing import NamedTuple

from node.history.database.sqlite import SqliteDatabase
from node.history.database.store import HistoryStore
from node.storage.block_store import BlockStore
from node.storage.snapshots import SnapshotFiles
from protocol.errors import PegboardError
from protocol.genesis import chain_id
from protocol.schema import BlockId
from tests.crashpoints.disk import Image
from tests.crashpoints.enumeration import Enumeration, put, read
from tests.crashpoints.second_lives import GROUPS, Outcome, SecondLives
from tests.crashpoints.workload import Run, history_digest, main_chain, start_node
from tests.unit.test_block_store import make_block


class Failure(NamedTuple):
    """A crash after which a promise is broken."""

    group: str
    step: int
    what: str


@dataclass(slots=True)
class Figures:
    """What was tried."""

    points: int = 0
    crashes: int = 0
    images: Counter[str] = field(default_factory=Counter)
    """Different ones, by store."""
    starts: int = 0
    second: Counter[str] = field(default_factory=Counter)
    """Different files after a recovery that was cut, by store, and by "start" those of nodes."""
    failures: list[Failure] = field(default_factory=list)


Check = Callable[[int, Path], str]
"""Open what is in a directory, as it was left at a step; "" or what is wrong."""


class Recovery:
    """Crashes one recorded run in every way, up to so many subsets a window, and a share of all."""

    def __init__(
        self, run: Run, directory: Path, *, cap: int, share: float = 1.0, again: float = 0.0
    ) -> None:
        """Of the recoveries, the part `again` is cut itself, and again in a share of all ways."""
        self.run = run
        self.chain = chain_id(run.genesis)
        self.directory = directory
        self.enumeration = Enumeration(cap, share)
        self.again = again
        self.rng = Random("second crashes")
        self.figures = Figures()
        self.second = SecondLives(run, directory / "again", cap, share)
        self._told = [move.told for move in run.moves]
        self._begun = [move.begun for move in run.moves]
        self._heads: dict[BlockId, Image] = {}
        """Each head that was found, and the files with it."""
        self._kept: dict[str, Image] = {}
        """The newest whole image of history and snapshots."""

    def check_all(self) -> Figures:
        """Crash each store at each of its steps, then start nodes from what came of it."""
        for group in GROUPS:
            self.check_group(group)
        self._start_nodes()
        return self.figures

    def check_group(self, group: str, *, until_failure: bool = False) -> None:
        """Crash the files of one store at each of its steps, perhaps until a promise is broken."""
        check = {
            "blocks": self.check_blocks,
            "snapshots": self.check_snapshots,
            "history": self.check_history,
        }[group]
        steps = self.run.recorder.steps
        for step, image in self.enumeration.points_of(
            steps, GROUPS[group], promised=self._promised
        ):
            self.figures.images[group] += 1
            self._try(group, step, image, check)
            if until_failure and self.figures.failures:
                return
        self.figures.points, self.figures.crashes = (
            self.enumeration.points,
            self.enumeration.crashes,
        )

    def _promised(self, step: int) -> tuple[int, int]:
        """How many moves were told and begun once a step was carried out."""
        return bisect_right(self._told, step), bisect_right(self._begun, step)

    def _try(self, group: str, step: int, image: Image, check: Check) -> None:
        directory = self.directory / "crashed"
        put(image, directory)
        try:
            wrong = check(step, directory)
        except PegboardError as error:
            wrong = str(error)
        if wrong:
            self.figures.failures.append(Failure(group, step, wrong))
        elif group != "blocks":
            self._kept[group] = image
        rmtree(directory)
        if not wrong and self.rng.random() < self.again:
            self._note_second(group, step, self.second.cut(group, image))

    def _note_second(self, group: str, step: int, outcome: Outcome) -> None:
        self.figures.second[group] += outcome.images
        self.figures.failures.extend(Failure(group, step, what) for what in outcome.wrong)

    def check_blocks(self, step: int, directory: Path) -> str:
        """All that was told is there, and nothing that was not begun; and it can be gone on."""
        store = BlockStore(directory / "blocks.sqlite", self.chain)
        try:
            head = store.head()
            told, begun = self._promised(step)
            possible = self.run.moves[max(0, told - 1) : begun]
            if head is None:
                return f"no block is left of {told} moves" if told else ""
            state = head[1], store.irreversible_num()
            if state not in {(move.head, move.irreversible_num) for move in possible}:
                return f"block {head[0]} is the head after {told} moves"
            chain = main_chain(self.run, head[1])
            if store.blocks_from(1, 10_000) != chain:
                return f"other blocks below {head[0]}"
            if head[1] not in self._heads:
                self._heads[head[1]] = read(directory)
            more = make_block(head[0] + 1)
            store.append([more], more.id, [more.id])
            if store.blocks_from(1, 10_000) != [*chain, more]:
                return "what is written afterwards is not there"
        finally:
            store.close()
        return ""

    def check_snapshots(self, step: int, directory: Path) -> str:
        """Those that were told are there, and none is there in part."""
        found, skipped = SnapshotFiles(directory / "snapshots", self.chain).latest()
        if skipped:
            return f"a snapshot in part: {skipped[0]}"
        told = max((num for at, num in self.run.snapshots if at <= step), default=0)
        if (found.num if found else 0) < told:
            return f"snapshot {told} is gone"
        return ""

    def check_history(self, step: int, directory: Path) -> str:
        """A moment of the past, whole; the newest blocks may be missing again."""
        store = HistoryStore(SqliteDatabase(directory / "history.sqlite"), self.chain)
        try:
            head = store.head()
            if store.begun_anew is not None and "history.sqlite" in read(directory):
                return f"begun anew: {store.begun_anew}"
        finally:
            store.close()
        if (
            head is not None
            and history_digest(directory / "history.sqlite") != (self.run.histories[head.num])
        ):
            return f"another history up to block {head.num}"
        return ""

    def _start_nodes(self) -> None:
        """From each head that was found, with snapshots and a history: the state is of a replay.

        They may lie behind or ahead of the blocks; they never mislead.
        """
        for head, blocks in self._heads.items():
            image = {**self._kept.get("snapshots", {}), **self._kept.get("history", {}), **blocks}
            self._start_node(head, image)
            self.figures.starts += 1
            if self.rng.random() < self.again or self.figures.starts == len(self._heads):
                self._note_second("start", 0, self.second.cut_start(image))

    def _start_node(self, head: BlockId, image: Image) -> None:
        directory = self.directory / "started"
        put(image, directory)
        found = start_node(self.run.genesis, directory)
        if (found.head, found.state_hash) != (head, self.run.state_hashes[head]):
            self.figures.failures.append(Failure("start", 0, f"state of {head.hex()}"))
        rmtree(directory)
