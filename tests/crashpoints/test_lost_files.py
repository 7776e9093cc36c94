"""T-S5, T-S6: a file of a data directory is gone, cut or foreign; the node opens or says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree

import pytest

from node.core.startup import start_chain
from node.history.database.sqlite import SqliteDatabase
from node.history.database.store import HistoryStore
from node.history.database.stored import StoredHistory
from node.storage.block_store import BlockStore
from node.storage.errors import StorageError
from node.storage.snapshots import SnapshotFiles
from protocol.genesis import chain_id
from tests.crashpoints.recovery import put, read, scratch
from tests.crashpoints.sqlite_files import find_library
from tests.crashpoints.workload import Parts, Run, history_digest, record

pytestmark = pytest.mark.skipif(
    find_library() is None,
    reason="NOT PROVEN HERE: Python's SQLite is not a library that can be watched",
)

DERIVED = ("history.sqlite", "snapshots/")
"""What is made anew from the blocks."""

HARMS: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "another file": lambda path: path.write_bytes(b"something else altogether " * 400),
}


@pytest.fixture(scope="module")
def kept() -> Iterator[tuple[Run, Path]]:
    """A run that has ended, and its directory."""
    with scratch() as directory:
        yield record(directory / "run", 14, Parts(snapshot_every=4)), directory / "run"


def state_of(run: Run, directory: Path) -> tuple[bytes, str]:
    """State hash and history of a node that is started from a directory; a `StorageError`."""
    store = BlockStore(directory / "blocks.sqlite", chain_id(run.genesis))
    try:
        database = SqliteDatabase(directory / "history.sqlite")
        history = StoredHistory(HistoryStore(database, chain_id(run.genesis)), store)
        try:
            files = SnapshotFiles(directory / "snapshots", chain_id(run.genesis))
            chain = start_chain(run.genesis, store, files, history=history).chain
            history.write_all(store.irreversible_num())
        finally:
            history.close()
    finally:
        store.close()
    return chain.state_hash(), history_digest(directory / "history.sqlite")


@pytest.mark.parametrize("harm", HARMS)
def test_a_lost_file_is_made_anew_or_named(
    kept: tuple[Run, Path], tmp_path: Path, harm: str
) -> None:
    """Without network, and with the same state hash and history; only the blocks have no copy."""
    run, whole = kept
    expected = state_of(run, copytree(whole, tmp_path / "whole"))
    names = sorted(read(whole))
    assert any(name.startswith("snapshots/") for name in names)
    for number, name in enumerate(names):
        directory = tmp_path / str(number)
        put(read(whole), directory)
        HARMS[harm](directory / name)
        if name.startswith(DERIVED):
            assert state_of(run, directory) == expected, name
        elif harm in ("removed", "emptied"):
            assert state_of(run, directory) != expected, "a store without blocks is a new one"
        else:
            with pytest.raises(StorageError) as refusal:
                state_of(run, directory)
            assert refusal.value.exit_code == 65
            assert name in str(refusal.value)
