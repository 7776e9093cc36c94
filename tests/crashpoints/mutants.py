"""Stores with one planted bug each; an enumeration that does not find them has no teeth."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from node.storage import snapshots
from node.storage.block_store import BlockStore
from node.storage.durable import flush_directory
from node.storage.snapshots import SnapshotFiles
from protocol.block import block_num_of
from protocol.schema import BlockId, Digest
from tests.crashpoints.workload import Parts


class NeverFlushes(BlockStore):
    """Leaves flushing to the kernel."""

    def __init__(self, path: Path, chain_id: Digest) -> None:
        super().__init__(path, chain_id)
        assert self._database is not None
        self._database.execute("PRAGMA synchronous = OFF")


class FlushesAtCheckpoints(BlockStore):
    """Flushes only where SQLite itself needs it, not for each block."""

    def __init__(self, path: Path, chain_id: Digest) -> None:
        super().__init__(path, chain_id)
        assert self._database is not None
        self._database.execute("PRAGMA synchronous = NORMAL")


class TidiesUpUnflushed(BlockStore):
    """Copies what a crash left in the log into the file when it is opened, without a flush."""

    def __init__(self, path: Path, chain_id: Digest) -> None:
        super().__init__(path, chain_id)
        assert self._database is not None
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self._database.execute("PRAGMA synchronous = FULL")


class HeadFirst(BlockStore):
    """Moves the head first, and stores the block in a second transaction."""

    def append(
        self,
        blocks: Sequence[tuple[BlockId, int, bytes]],
        head: BlockId | None,
        main_chain: Sequence[BlockId] = (),
        irreversible_num: int = 0,
    ) -> None:
        """The right writes in the wrong order."""
        empty = [(block_id, num, b"") for block_id, num, _ in blocks]
        super().append(empty, head, main_chain, irreversible_num)
        super().append(blocks, head)


class NoTransaction(BlockStore):
    """Moves the chain block by block, where a fork switch is to be one step."""

    def append(
        self,
        blocks: Sequence[tuple[BlockId, int, bytes]],
        head: BlockId | None,
        main_chain: Sequence[BlockId] = (),
        irreversible_num: int = 0,
    ) -> None:
        """Cut back first, then grow."""
        if main_chain and self._head is not None:
            below = block_num_of(main_chain[0]) - 1
            if 0 < below < block_num_of(self._head):
                super().append([], self.id_at(below))
        super().append(blocks, head, main_chain, irreversible_num)


Replace = Callable[..., None]


def _write(path: Path, *chunks: bytes, flushes: bool) -> Path:
    temporary = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(temporary, flags), "wb") as file:
        file.writelines(chunks)
        file.flush()
        if flushes:
            os.fsync(file.fileno())
    return temporary


def replace_unflushed(path: Path, *chunks: bytes) -> None:
    """`replace_file` that does not flush what it has written."""
    _write(path, *chunks, flushes=False).replace(path)
    flush_directory(path.parent)


def replace_then_flush(path: Path, *chunks: bytes) -> None:
    """`replace_file` that renames first and flushes then."""
    _write(path, *chunks, flushes=False).replace(path)
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    flush_directory(path.parent)


def replace_without_name(path: Path, *chunks: bytes) -> None:
    """`replace_file` that does not flush the directory."""
    _write(path, *chunks, flushes=True).replace(path)


def write_in_place(path: Path, *chunks: bytes) -> None:
    """`replace_file` that writes where the file is to be."""
    _write(path, *chunks, flushes=True).unlink()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT), "wb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())
    flush_directory(path.parent)


class Snapshots(SnapshotFiles):
    """Snapshots that are put in place by another function."""

    replace: Replace

    def save(self, num: int, block_id: BlockId, *payload: bytes) -> None:
        """As in production."""
        with patch.object(snapshots, "replace_file", type(self).replace):
            super().save(num, block_id, *payload)


def with_replace(replace: Replace) -> Parts:
    """Stores whose snapshots are put in place by this function."""
    made = type("Snapshots", (Snapshots,), {"replace": staticmethod(replace)})
    return Parts(snapshots=made)


REPLACEMENTS: dict[str, Replace] = {
    "not flushed": replace_unflushed,
    "renamed before it is flushed": replace_then_flush,
    "name not flushed": replace_without_name,
    "written in place": write_in_place,
}
"""Wrong ways to put a file in place of another one."""


class Mutant(NamedTuple):
    """The store in which a bug is looked for, and what the node is made of."""

    group: str
    parts: Parts
    again: float = 0.0
    """Which part of the recoveries is cut."""


MUTANTS = {
    "never flushes": Mutant("blocks", Parts(NeverFlushes)),
    "flushes at checkpoints": Mutant("blocks", Parts(FlushesAtCheckpoints)),
    "head first": Mutant("blocks", Parts(HeadFirst)),
    "no transaction": Mutant("blocks", Parts(NoTransaction)),
    "tells early": Mutant("blocks", Parts(tells_early=True)),
    "recovers without a flush": Mutant("blocks", Parts(TidiesUpUnflushed), again=1.0),
    **{
        f"snapshot {name}": Mutant("snapshots", with_replace(replace))
        for name, replace in REPLACEMENTS.items()
    },
}
