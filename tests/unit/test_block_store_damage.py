"""Damaged files: detected when read, never served, and repaired by storing the block again."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from node.storage.block_store import BlockStore
from node.storage.errors import StorageError, StoreDamaged, WrongFormat
from protocol.schema import BlockId
from tests.unit.test_block_store import CHAIN, extend, make_block, make_chain

BLOCKS = make_chain(1, 12)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed store of twelve blocks, all of it in the main file."""
    path = tmp_path / "blocks.sqlite"
    store = BlockStore(path, CHAIN)
    extend(store, BLOCKS)
    store.close()
    return path


def flip(path: Path, position: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(data)


def execute(path: Path, statement: str, *values: object) -> None:
    """Change a store behind its back."""
    with sqlite3.connect(path) as database:
        database.execute(statement, values)
    database.close()


def test_a_flipped_bit_in_a_block_is_detected_and_named(path: Path) -> None:
    """T-S3: a damaged block is never served, and the error names number and id."""
    victim = BLOCKS[6]
    flip(path, path.read_bytes().index(victim.data) + 77)
    store = BlockStore(path, CHAIN)
    for read in (lambda: store.block(victim.id), lambda: store.blocks_from(5, 5)):
        with pytest.raises(StoreDamaged) as refusal:
            read()
        assert refusal.value.value == f"block 7 {victim.id.hex()}"
        assert refusal.value.exit_code == 65
    assert store.blocks_from(1, 6) == BLOCKS[:6]
    store.append([victim], BLOCKS[-1].id)
    assert store.blocks_from(1, 12) == BLOCKS
    store.close()


def test_each_flipped_byte_of_the_file_is_harmless_or_detected(path: Path, tmp_path: Path) -> None:
    """T-S3: whatever byte flips, what is served is what was stored."""
    target = tmp_path / "flipped" / "blocks.sqlite"
    target.parent.mkdir()
    detected = 0
    size = path.stat().st_size
    for position in range(0, size, 61):
        shutil.copyfile(path, target)
        flip(target, position)
        try:
            store = BlockStore(target, CHAIN)
        except StorageError:
            detected += 1
            continue
        try:
            assert store.head() == (12, BLOCKS[-1].id), position
            assert store.blocks_from(1, 12) == BLOCKS, position
            for block in BLOCKS:
                assert store.block(block.id) in (block.data, None), position
        except StoreDamaged:
            detected += 1
        finally:
            store.close()
    assert detected > 10


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM main_chain WHERE num = 12",
        "DELETE FROM main_chain WHERE num = 5",
        "DELETE FROM main_chain",
        "DROP TABLE main_chain",
        "DELETE FROM header WHERE name = 'head'",
        "UPDATE header SET value = 'text' WHERE name = 'head'",
        "UPDATE main_chain SET id = x'00' WHERE num = 12",
    ],
)
def test_lost_rows_are_noticed_when_the_store_is_opened(path: Path, statement: str) -> None:
    execute(path, statement)
    with pytest.raises(StoreDamaged):
        BlockStore(path, CHAIN)


def test_a_place_at_the_top_that_cannot_be_found_is_damage(path: Path, tmp_path: Path) -> None:
    """T-S3: every second bit of what the table of the main chain says of its rows; some make SQLite
    name a last row that it then does not find."""
    with sqlite3.connect(path) as database:
        (root,) = database.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'main_chain'"
        ).fetchone()
        (page_size,) = database.execute("PRAGMA page_size").fetchone()
    database.close()
    start, whole = (root - 1) * page_size, path.read_bytes()
    not_found = 0
    for position in range(start + 3, start + 8 + 2 * len(BLOCKS)):
        for bit in range(0, 8, 2):
            data = bytearray(whole)
            data[position] ^= 1 << bit
            copy = tmp_path / "copy.sqlite"
            copy.write_bytes(data)
            not_found += has_lost_its_top(copy)
            with suppress(StoreDamaged), closing(BlockStore(copy, CHAIN)) as store:
                assert store.head() == (12, BLOCKS[-1].id)
                assert store.blocks_from(1, 12) == BLOCKS
    assert not_found


def has_lost_its_top(path: Path) -> bool:
    """Whether the last row of the main chain is there and cannot be found by its number."""
    database = sqlite3.connect(path)
    try:
        (last,) = database.execute("SELECT max(num) FROM main_chain").fetchone()
        found = database.execute("SELECT 1 FROM main_chain WHERE num = ?", (last,)).fetchone()
    except sqlite3.DatabaseError:
        return False
    finally:
        database.close()
    return last is not None and found is None


def test_a_damaged_schema_is_named(path: Path, tmp_path: Path) -> None:
    """T-S3: SQLite quotes it, and Python cannot decode that."""
    data = path.read_bytes()
    place = data.index(b"main_chain (num INTEGER") + len("main_chain ")
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(data[:place] + b"\xa8" + data[place + 1 :])
    with pytest.raises(StoreDamaged) as refusal:
        BlockStore(copy, CHAIN)
    assert refusal.value.exit_code == 65


def test_the_irreversible_number_is_checked(path: Path) -> None:
    """T-S3: a flipped bit is detected; a number without checksum is that of an earlier version."""
    change = "UPDATE header SET value = ? WHERE name = 'irreversible'"
    number = b"\0\0\0\x03"
    checksum = hashlib.blake2b(number, digest_size=4).digest()
    for value in (number, number + checksum):
        execute(path, change, value)
        store = BlockStore(path, CHAIN)
        assert store.irreversible_num() == 3
        store.close()
    execute(path, change, b"\0\0\0\x07" + checksum)
    store = BlockStore(path, CHAIN)
    with pytest.raises(StoreDamaged):
        store.irreversible_num()
    store.close()


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("DELETE FROM block WHERE num = 5", ()),
        ("UPDATE main_chain SET id = ? WHERE num = 5", (BLOCKS[5].id,)),
        ("UPDATE main_chain SET id = ? WHERE num = 5", (make_block(5, "b").id,)),
        ("UPDATE block SET data = 'text' WHERE num = 5", ()),
        ("UPDATE block SET data = (SELECT data FROM block WHERE num = 6) WHERE num = 5", ()),
    ],
)
def test_rows_that_do_not_belong_together_are_not_served(
    path: Path, statement: str, values: tuple[BlockId, ...]
) -> None:
    execute(path, statement, *values)
    store = BlockStore(path, CHAIN)
    with pytest.raises(StoreDamaged):
        store.blocks_from(1, 12)
    assert store.blocks_from(1, 4) == BLOCKS[:4]
    store.close()


def test_another_format_version_is_refused(path: Path) -> None:
    """T-V1, T-S5: an older or newer format."""
    execute(path, "PRAGMA user_version = 2")
    with pytest.raises(WrongFormat) as refusal:
        BlockStore(path, CHAIN)
    assert (refusal.value.value, refusal.value.limit) == (2, 1)


def test_a_truncated_write_ahead_log_loses_only_its_tail(tmp_path: Path) -> None:
    """T-S2: a torn tail is cut silently; what is left is one moment of the past, whole."""
    path = tmp_path / "blocks.sqlite"
    log = tmp_path / "blocks.sqlite-wal"
    store = BlockStore(path, CHAIN)
    for block in BLOCKS:
        extend(store, [block])
    whole = log.read_bytes()
    main = path.read_bytes()
    store.close()
    heads = []
    for length in [*range(0, len(whole), 1201), len(whole)]:
        copy = tmp_path / f"copy{length}"
        copy.mkdir()
        (copy / path.name).write_bytes(main)
        (copy / log.name).write_bytes(whole[:length])
        torn = BlockStore(copy / path.name, CHAIN)
        head = torn.head()
        heads.append(head[0] if head else 0)
        assert torn.blocks_from(1, 100) == BLOCKS[: heads[-1]]
        extend(torn, BLOCKS[heads[-1] :] or BLOCKS[-1:])
        assert torn.blocks_from(1, 100) == BLOCKS
        torn.close()
    assert heads == sorted(heads)
    assert (heads[0], heads[-1]) == (0, 12)
    assert len(set(heads)) == 13
