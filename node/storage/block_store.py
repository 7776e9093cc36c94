"""The blocks on disk: an SQLite file in WAL mode that survives kill -9 and power loss.

Each row carries a BLAKE2b digest over id and bytes, checked whenever a block is read; the chain
itself hashes only the header into the id. The head stands in the header table too, so that rows
lost to a damaged page are noticed.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from node.storage.durable import OWNER_ONLY, disk_error, flush_directory
from node.storage.errors import (
    DiskError,
    StorageError,
    StoreDamaged,
    StoreLocked,
    WrongChain,
    WrongFormat,
)
from node.storage.file_lock import FileLock
from node.storage.interface import StoredBlock, check_move
from protocol.block import block_num_of
from protocol.schema import BlockId, Digest

FORMAT_VERSION = 1
CHECKPOINT_BYTES = 4 << 20
"""The WAL is copied into the file after about so many bytes of blocks."""

BLOCKS_PER_READ_MAX = 10_000
NUM_MAX = 0xFFFF_FFFF

_SCHEMA = (
    "CREATE TABLE header (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE block (key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, num INTEGER NOT NULL,"
    " checksum BLOB NOT NULL, data BLOB NOT NULL)",
    "CREATE TABLE main_chain (num INTEGER PRIMARY KEY, id BLOB NOT NULL)",
)
_DISK_CODES = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
)
_PRIMARY_CODE = 0xFF


class BlockStore:
    """`BlockStorage` in one file, for one process; threads may share it."""

    def __init__(self, path: Path, chain_id: Digest) -> None:
        """Open or create the store of a chain.

        `StoreLocked`, `WrongChain`, `WrongFormat`, `StoreDamaged` or `DiskError`.
        """
        self._path = path
        self._failure: DiskError | None = None
        self._unflushed_bytes = 0
        self._mutex = threading.RLock()
        self._lock = FileLock(path)
        self._database: sqlite3.Connection | None = None
        try:
            with self._errors():
                self._database = _connect(path)
                self._check_header(chain_id)
                self._head = self._read_head()
        except BaseException:
            self.close()
            raise

    def append(
        self,
        blocks: Sequence[tuple[BlockId, int, bytes]],
        head: BlockId | None,
        main_chain: Sequence[BlockId] = (),
        irreversible_num: int = 0,
    ) -> None:
        """See `BlockStorage.append`; one transaction, flushed by one fsync."""
        with self._mutex:
            self._append(blocks, head, main_chain, irreversible_num)
            self._head = head
            self._checkpoint(sum(len(data) for _, _, data in blocks))

    def _append(
        self,
        blocks: Sequence[tuple[BlockId, int, bytes]],
        head: BlockId | None,
        main_chain: Sequence[BlockId],
        irreversible_num: int,
    ) -> None:
        kept_num = block_num_of(main_chain[0]) - 1 if main_chain else _num_or_zero(head)
        with self._writing() as database:
            check_move(self._head, head, main_chain, self._id_at(kept_num))
            for block_id, num, data in blocks:
                assert num == block_num_of(block_id), "a block id starts with the block number"
                database.execute(
                    "INSERT INTO block (id, num, checksum, data) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (id) DO UPDATE SET checksum = excluded.checksum,"
                    " data = excluded.data",
                    (block_id, num, _checksum(block_id, data), data),
                )
            database.execute("DELETE FROM main_chain WHERE num > ?", (kept_num,))
            for block_id in main_chain:
                known = database.execute("SELECT 1 FROM block WHERE id = ?", (block_id,))
                assert known.fetchone(), "the main chain holds stored blocks only"
                database.execute(
                    "INSERT INTO main_chain (num, id) VALUES (?, ?)",
                    (block_num_of(block_id), block_id),
                )
            _write_header(database, "head", head or b"")
            irreversible = irreversible_num.to_bytes(4, "big")
            if irreversible > _header(database, "irreversible"):
                _write_header(database, "irreversible", irreversible)
            touched = min([kept_num + 1, *(num for _, num, _ in blocks)]).to_bytes(4, "big")
            if touched < _header(database, "forks_pruned"):
                _write_header(database, "forks_pruned", touched)

    def block(self, block_id: BlockId) -> bytes | None:
        """See `BlockStorage.block`."""
        with self._reading() as database:
            row = database.execute(
                "SELECT checksum, data FROM block WHERE id = ?", (block_id,)
            ).fetchone()
        return None if row is None else _checked(block_id, *row)

    def id_at(self, num: int) -> BlockId | None:
        """See `BlockStorage.id_at`."""
        with self._reading():
            return self._id_at(num)

    def ids_from(self, num: int, count: int) -> list[BlockId]:
        """See `BlockStorage.ids_from`; never more than 10,000 at once."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT num, id FROM main_chain WHERE num >= ? ORDER BY num LIMIT ?",
                (min(max(num, 0), NUM_MAX), min(max(count, 0), BLOCKS_PER_READ_MAX)),
            ).fetchall()
        return [_checked_id(at, block_id) for at, block_id in rows]

    def blocks_from(self, num: int, count: int) -> list[StoredBlock]:
        """See `BlockStorage.blocks_from`; never more than 10,000 at once."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT main_chain.num, main_chain.id, checksum, data FROM main_chain"
                " LEFT JOIN block ON block.id = main_chain.id"
                " WHERE main_chain.num >= ? ORDER BY main_chain.num LIMIT ?",
                (min(max(num, 0), NUM_MAX), min(max(count, 0), BLOCKS_PER_READ_MAX)),
            ).fetchall()
        return [
            StoredBlock(block_id, at, _checked(_checked_id(at, block_id), checksum, data))
            for at, block_id, checksum, data in rows
        ]

    def head(self) -> tuple[int, BlockId] | None:
        """See `BlockStorage.head`."""
        return None if self._head is None else (block_num_of(self._head), self._head)

    def irreversible_num(self) -> int:
        """See `BlockStorage.irreversible_num`."""
        with self._reading() as database:
            return int.from_bytes(_header(database, "irreversible"), "big")

    def prune_forks(self, below_num: int) -> int:
        """See `BlockStorage.prune_forks`; looks only at what was written since the last time."""
        end = min(max(below_num, 0), NUM_MAX).to_bytes(4, "big")
        with self._writing() as database:
            start = _header(database, "forks_pruned")
            cursor = database.execute(
                "DELETE FROM block WHERE id >= ? AND id < ? AND NOT EXISTS (SELECT 1 FROM"
                " main_chain WHERE main_chain.num = block.num AND main_chain.id = block.id)",
                (start, end),
            )
            _write_header(database, "forks_pruned", max(start, end))
            return cursor.rowcount

    def close(self) -> None:
        """See `BlockStorage.close`."""
        with self._mutex:
            database, self._database = self._database, None
            if database is not None:
                with suppress(sqlite3.Error):
                    database.close()
            self._lock.release()

    def _id_at(self, num: int) -> BlockId | None:
        if not 0 <= num <= NUM_MAX:
            return None
        row = (
            self._open_database()
            .execute("SELECT id FROM main_chain WHERE num = ?", (num,))
            .fetchone()
        )
        return None if row is None else _checked_id(num, row[0])

    def _check_header(self, chain_id: Digest) -> None:
        database = self._open_database()
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0 and not database.execute("SELECT 1 FROM sqlite_schema").fetchone():
            self._create(chain_id)
        elif version != FORMAT_VERSION:
            raise WrongFormat(
                f"{self._path.name} has another format version", value=version, limit=FORMAT_VERSION
            )
        found = _header(database, "chain_id")
        if found != chain_id:
            raise WrongChain(
                f"{self._path.name} belongs to another chain",
                value=found.hex(),
                limit=chain_id.hex(),
            )

    def _create(self, chain_id: Digest) -> None:
        database = self._open_database()
        database.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            database.execute(statement)
        _write_header(database, "chain_id", chain_id)
        _write_header(database, "head", b"")
        _write_header(database, "irreversible", bytes(4))
        _write_header(database, "forks_pruned", bytes(4))
        database.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        database.execute("COMMIT")
        flush_directory(self._path.parent)

    def _read_head(self) -> BlockId | None:
        database = self._open_database()
        head = _header(database, "head")
        first, last, count = database.execute(
            "SELECT min(num), max(num), count(*) FROM main_chain"
        ).fetchone()
        if count and (self._id_at(last) != head or last - first + 1 != count):
            raise StoreDamaged(
                f"the main chain of {self._path.name} has lost blocks", value=count, limit=last
            )
        if not count and head:
            raise StoreDamaged(f"the main chain of {self._path.name} is gone", value=head.hex())
        return BlockId(head) if head else None

    def _checkpoint(self, written_bytes: int) -> None:
        self._unflushed_bytes += written_bytes
        if self._unflushed_bytes < CHECKPOINT_BYTES:
            return
        with self._mutex, self._errors():
            self._open_database().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._unflushed_bytes = 0

    def _open_database(self) -> sqlite3.Connection:
        if self._database is None:
            raise StorageError(f"{self._path.name} is closed")
        return self._database

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._mutex, self._errors():
            yield self._open_database()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._mutex:
            if self._failure is not None:
                raise self._failure
            database = self._open_database()
            with self._errors():
                database.execute("BEGIN IMMEDIATE")
                try:
                    yield database
                    database.execute("COMMIT")
                except BaseException:
                    if database.in_transaction:
                        database.execute("ROLLBACK")
                    raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the errors of SQLite and of system calls into typed ones."""
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # a bug of ours, not of the disk
        except sqlite3.Error as error:
            raise self._typed(error) from error
        except OSError as error:
            self._failure = disk_error(f"cannot write {self._path.name}", error)
            raise self._failure from error

    def _typed(self, error: sqlite3.Error) -> StorageError:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        if code == sqlite3.SQLITE_BUSY:
            return StoreLocked(f"another process uses {self._path.name}", value=name)
        if code == sqlite3.SQLITE_NOTADB:
            return WrongFormat(f"{self._path.name} is not a block store", value=name)
        if code not in _DISK_CODES:
            return StoreDamaged(f"{self._path.name} is damaged", value=f"{name}: {error}")
        self._failure = DiskError(f"cannot write {self._path.name}", value=f"{name}: {error}")
        return self._failure


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY))
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL").fetchone()
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA wal_autocheckpoint = 0")  # it would hide its disk errors
        database.execute("PRAGMA cell_size_check = ON")
        database.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        database.close()
        raise
    return database


def _header(database: sqlite3.Connection, name: str) -> bytes:
    row = database.execute("SELECT value FROM header WHERE name = ?", (name,)).fetchone()
    if row is None or not isinstance(row[0], bytes):
        raise StoreDamaged("the header of the block store is damaged", value=name)
    return row[0]


def _write_header(database: sqlite3.Connection, name: str, value: bytes) -> None:
    database.execute("INSERT OR REPLACE INTO header VALUES (?, ?)", (name, value))


def _num_or_zero(block_id: BlockId | None) -> int:
    return 0 if block_id is None else block_num_of(block_id)


def _checksum(block_id: BlockId, data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16, key=block_id).digest()


def _checked(block_id: BlockId, checksum: object, data: object) -> bytes:
    if not isinstance(data, bytes) or checksum != _checksum(block_id, data):
        raise StoreDamaged(
            "a stored block is damaged",
            value=f"block {block_num_of(block_id)} {block_id.hex()}",
            rule="T-S3",
        )
    return data


def _checked_id(num: int, block_id: object) -> BlockId:
    if (
        not isinstance(block_id, bytes)
        or len(block_id) != 20
        or block_num_of(BlockId(block_id)) != num
    ):
        raise StoreDamaged("the main chain is damaged", value=f"block {num}", rule="T-S3")
    return BlockId(block_id)
