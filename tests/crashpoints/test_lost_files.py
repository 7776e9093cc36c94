"""T-S5, T-S6: a file of a data directory is gone, cut or foreign; the node opens or says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree

import pytest

from node.storage.errors import StorageError
from tests.crashpoints.enumeration import put, read, scratch
from tests.crashpoints.sqlite_files import find_library
from tests.crashpoints.workload import Parts, Run, record, start_node

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


@pytest.mark.parametrize("harm", HARMS)
def test_a_lost_file_is_made_anew_or_named(
    kept: tuple[Run, Path], tmp_path: Path, harm: str
) -> None:
    """Without network, and with the same state hash and history; only the blocks have no copy."""
    run, whole = kept
    expected = start_node(run.genesis, copytree(whole, tmp_path / "whole"))
    names = sorted(read(whole))
    assert any(name.startswith("snapshots/") for name in names)
    for number, name in enumerate(names):
        directory = tmp_path / str(number)
        put(read(whole), directory)
        HARMS[harm](directory / name)
        if name.startswith(DERIVED):
            assert start_node(run.genesis, directory) == expected, name
        elif harm in ("removed", "emptied"):
            started = start_node(run.genesis, directory)
            assert started != expected, "a store without blocks is a new one"
        else:
            with pytest.raises(StorageError) as refusal:
                start_node(run.genesis, directory)
            assert refusal.value.exit_code == 65
            assert name in str(refusal.value)
