"""A node that recovers from a crash, and is cut itself while it does so, at each of its steps.

What the first life told has been found already; the second one must leave what it found, and what
it told itself before it was cut. A third one looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

from node.history.database.sqlite import SqliteDatabase
from node.history.database.store import HistoryStore
from node.storage.block_store import BLOCKS_PER_READ_MAX, BlockStore
from node.storage.interface import StoredBlock
from node.storage.snapshots import SnapshotFiles
from protocol.block import block_num_of
from protocol.errors import PegboardError
from protocol.genesis import chain_id
from protocol.schema import BlockId
from tests.crashpoints.disk import Image
from tests.crashpoints.enumeration import Enumeration, digest, put
from tests.crashpoints.trace import Recorder
from tests.crashpoints.workload import Run, history_digest, start_node
from tests.unit.test_block_store import make_block

GROUPS = {"blocks": "blocks.sqlite", "history": "history.sqlite", "snapshots": "snapshots/"}
"""What the files of each store begin with."""

NEWEST = BlockId((1_000_000).to_bytes(4, "big") + bytes(16))
"""The block of a snapshot that a second life saves."""


@dataclass(slots=True)
class Outcome:
    """What came of one recovery that was cut."""

    images: int
    """Different files that it left."""
    wrong: list[str]


class Life(NamedTuple):
    """The second life: what it found, and when it began and told what it added, in steps."""

    found: object
    added: object
    begun: int
    told: int

    def promised(self, step: int) -> tuple[bool, bool]:
        """Whether what it added was begun and told once a step was carried out."""
        return self.begun <= step, self.told <= step

    def may_leave(self, step: int) -> list[object]:
        """What the third life may find when this one was cut after a step."""
        is_begun, is_told = self.promised(step)
        return [self.added] if is_told else [self.found, self.added][: 1 + is_begun]


Live = Callable[[Path, Recorder], Life]
Look = Callable[[Path], object]


class SecondLives:
    """Cuts recoveries of one recorded run."""

    def __init__(self, run: Run, directory: Path, cap: int, share: float) -> None:
        self.run = run
        self.chain = chain_id(run.genesis)
        self.directory = directory
        self.enumeration = Enumeration(cap, share)
        self._seen: set[tuple[bytes, str]] = set()
        """Files that were looked at, and what they might hold."""

    def cut(self, group: str, image: Image) -> Outcome:
        """Recover one store from an image, cut at each step."""
        live, look = {
            "blocks": (self._append, self._look_at_blocks),
            "history": (self._open_history, self._look_at_history),
            "snapshots": (self._save, self._look_at_snapshots),
        }[group]
        return self._cut((GROUPS[group],), image, live, look)

    def cut_start(self, image: Image) -> Outcome:
        """Start a whole node from an image, cut at each step of each of its stores."""
        return self._cut(tuple(GROUPS.values()), image, self._start, self._look_at_start)

    def _cut(self, starts: Sequence[str], image: Image, live: Live, look: Look) -> Outcome:
        put(image, self.directory)
        recorder = Recorder(self.directory)
        with recorder.recording():
            life = live(self.directory, recorder)
        rmtree(self.directory)
        outcome = Outcome(0, [])
        for start in starts:
            rest = {name: data for name, data in image.items() if not name.startswith(start)}
            before = {name: data for name, data in image.items() if name.startswith(start)}
            for step, cut in self.enumeration.points_of(
                recorder.steps, start, before, life.promised
            ):
                self._try({**rest, **cut}, life.may_leave(step), look, outcome)
        return outcome

    def _try(self, image: Image, may: list[object], look: Look, outcome: Outcome) -> None:
        key = digest(image), repr(may)
        if key in self._seen:
            return
        self._seen.add(key)
        outcome.images += 1
        put(image, self.directory)
        try:
            found = look(self.directory)
            if found not in may:
                outcome.wrong.append(f"second crash: {found!r:.300}, not one of {may!r:.600}")
        except PegboardError as error:
            outcome.wrong.append(f"second crash: {error}")
        rmtree(self.directory)

    def _append(self, directory: Path, recorder: Recorder) -> Life:
        with closing(self.run.parts.blocks(directory / "blocks.sqlite", self.chain)) as store:
            found = _blocks_of(store)
            begun = len(recorder.steps)
            _extend(store, "b")
            return Life(found, _blocks_of(store), begun, len(recorder.steps))

    def _look_at_blocks(self, directory: Path) -> object:
        with closing(BlockStore(directory / "blocks.sqlite", self.chain)) as store:
            found = _blocks_of(store)
            more = _extend(store, "c")
            assert store.block(more.id) == more.data
            return found

    def _open_history(self, directory: Path, _: Recorder) -> Life:
        found = self._look_at_history(directory)
        return Life(found, found, 0, 0)

    def _look_at_history(self, directory: Path) -> object:
        HistoryStore(SqliteDatabase(directory / "history.sqlite"), self.chain).close()
        return history_digest(directory / "history.sqlite")

    def _save(self, directory: Path, recorder: Recorder) -> Life:
        found = self._look_at_snapshots(directory)
        begun = len(recorder.steps)
        files = SnapshotFiles(directory / "snapshots", self.chain)
        files.save(block_num_of(NEWEST), NEWEST, b"a state")
        return Life(found, self._look_at_snapshots(directory), begun, len(recorder.steps))

    def _look_at_snapshots(self, directory: Path) -> object:
        return SnapshotFiles(directory / "snapshots", self.chain).latest()

    def _start(self, directory: Path, _: Recorder) -> Life:
        found = self._look_at_start(directory)
        return Life(found, found, 0, 0)

    def _look_at_start(self, directory: Path) -> object:
        return start_node(self.run.genesis, directory)


def _blocks_of(store: BlockStore) -> tuple[object, ...]:
    """What it holds, as far as it tells."""
    data = b"".join(block.data for block in store.blocks_from(1, BLOCKS_PER_READ_MAX))
    return store.head(), store.irreversible_num(), blake2b(data, digest_size=16).hexdigest()


def _extend(store: BlockStore, fork: str) -> StoredBlock:
    head = store.head()
    block = make_block(1 if head is None else head[0] + 1, fork)
    store.append([block], block.id, [block.id])
    return block
