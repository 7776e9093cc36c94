"""Rows of the block store: how they are written, checked and read."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from itertools import chain

from node.storage.errors import StoreDamaged
from protocol.block import block_num_of
from protocol.schema import BlockId

ROWS_A_STATEMENT = 16
HOW_TO_MEND = "move blocks.sqlite* away, keep signed.json, and start again with peers"
"""What helps where the running node cannot help itself with a single block from a peer."""


def is_stored(database: sqlite3.Connection, block_id: BlockId) -> bool:
    """Whether there is a row of a block."""
    found = database.execute("SELECT 1 FROM block WHERE id = ?", (block_id,)).fetchone()
    return found is not None


def insert_blocks(
    database: sqlite3.Connection, blocks: Sequence[tuple[BlockId, int, bytes]]
) -> None:
    """Store blocks; one that is here already is written again."""
    rows = []
    for block_id, num, data in blocks:
        assert num == block_num_of(block_id), "a block id starts with the block number"
        rows.append((block_id, num, checksum_of(block_id, data), data))
    insert_rows(
        database,
        "INSERT INTO block (id, num, checksum, data) VALUES",
        "(?, ?, ?, ?)",
        rows,
        "ON CONFLICT (id) DO UPDATE SET checksum = excluded.checksum, data = excluded.data",
    )


def insert_rows(
    database: sqlite3.Connection,
    start: str,
    row: str,
    rows: Sequence[Sequence[object]],
    end: str = "",
) -> None:
    """Insert rows, many with a statement: with each the interpreter's lock changes hands."""
    whole = len(rows) - len(rows) % ROWS_A_STATEMENT
    many = f"{start} {', '.join([row] * ROWS_A_STATEMENT)} {end}"
    for at in range(0, whole, ROWS_A_STATEMENT):
        database.execute(many, list(chain.from_iterable(rows[at : at + ROWS_A_STATEMENT])))
    database.executemany(f"{start} {row} {end}", rows[whole:])


def read_header(database: sqlite3.Connection, name: str) -> bytes:
    """A value of the header; `StoreDamaged`."""
    row = database.execute("SELECT value FROM header WHERE name = ?", (name,)).fetchone()
    if row is None or not isinstance(row[0], bytes):
        raise StoreDamaged("the header of the block store is damaged", value=name)
    return row[0]


def read_irreversible(database: sqlite3.Connection) -> int:
    """The last irreversible number; earlier versions wrote it without a checksum."""
    value = read_header(database, "irreversible")
    num = int.from_bytes(value[:4], "big")
    if value not in (with_checksum(num), num.to_bytes(4, "big")):
        raise StoreDamaged(
            f"the irreversible number is damaged: {HOW_TO_MEND}", value=value.hex(), rule="T-S3"
        )
    return num


def with_checksum(num: int) -> bytes:
    """A number with a checksum."""
    data = num.to_bytes(4, "big")
    return data + hashlib.blake2b(data, digest_size=4).digest()


def write_header(database: sqlite3.Connection, name: str, value: bytes) -> None:
    """Set a value of the header."""
    database.execute("INSERT OR REPLACE INTO header VALUES (?, ?)", (name, value))


def write_clock(database: sqlite3.Connection, offset_ms: int) -> None:
    """Set how far the clock was moved."""
    write_header(database, "clock", offset_ms.to_bytes(8, "big", signed=True))


def num_or_zero(block_id: BlockId | None) -> int:
    """Number of a block, 0 for none."""
    return 0 if block_id is None else block_num_of(block_id)


def checksum_of(block_id: BlockId, data: bytes) -> bytes:
    """What stands beside a block: a digest over id and bytes."""
    return hashlib.blake2b(data, digest_size=16, key=block_id).digest()


def is_whole(block_id: BlockId, checksum: object, data: object) -> bool:
    """Whether a block is as it was stored."""
    return isinstance(data, bytes) and checksum == checksum_of(block_id, data)


def is_place_of(num: int, block_id: object) -> bool:
    """Whether this can be the id of a block with that number."""
    if not isinstance(block_id, bytes) or len(block_id) != 20:
        return False
    return block_num_of(BlockId(block_id)) == num


def damaged_block(block_id: BlockId) -> StoreDamaged:
    """The error of a block that cannot be read."""
    error = StoreDamaged(
        "a stored block is damaged",
        value=f"block {block_num_of(block_id)} {block_id.hex()}",
        rule="T-S3",
    )
    error.block = block_id
    return error
