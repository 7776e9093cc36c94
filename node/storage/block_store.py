"""The blocks on disk: an SQLite file in WAL mode that survives kill -9 and power loss.

Each row carries a BLAKE2b digest over id and bytes, checked whenever a block is read; the chain
itself hashes only the header into the id. The head stands in the header table too, so that rows
lost to a damaged page are noticed. Each block names the one before it: a place on the main chain
that is damaged is read from there.

One connection writes, another one reads: nobody who reads waits for a flush.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from node.storage.block_rows import (
    HOW_TO_MEND,
    damaged_block,
    insert_blocks,
    insert_rows,
    is_place_of,
    is_stored,
    is_whole,
    num_or_zero,
    read_header,
    read_irreversible,
    with_checksum,
    write_clock,
    write_header,
)
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
from node.storage.sqlite_errors import (
    SQLITE_ERRORS,
    SqliteError,
    code_of,
    is_of_the_disk,
    name_of,
)
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
        self._reader_mutex = threading.Lock()
        self._lock = FileLock(path)
        self._database: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._first_num = 1
        self._head: BlockId | None = None
        try:
            with self._errors():
                self._database = _connect(path)
                self._check_header(chain_id)
                self._head = self._read_head()
                self._reader = _connect_reader(path)
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
        """See `BlockStorage.append`; one transaction, flushed by one fsync.

        When a block of the main chain is written again that the index lacks, the index is made
        anew from the rows first: one flipped bit in it hides others, too.
        """
        with self._mutex:
            if not main_chain and any(self._is_hidden(block_id) for block_id, _, _ in blocks):
                with self._writing() as database:
                    database.execute("REINDEX block")
            self._append(blocks, head, main_chain, irreversible_num)
            if main_chain:
                self._first_num = min(self._first_num_or(main_chain), block_num_of(main_chain[0]))
            self._head = head
            self._checkpoint(sum(len(data) for _, _, data in blocks))

    def _append(
        self,
        blocks: Sequence[tuple[BlockId, int, bytes]],
        head: BlockId | None,
        main_chain: Sequence[BlockId],
        irreversible_num: int,
    ) -> None:
        kept_num = block_num_of(main_chain[0]) - 1 if main_chain else num_or_zero(head)
        with self._writing() as database:
            check_move(self._head, head, main_chain, self._id_at(database, kept_num))
            insert_blocks(database, blocks)
            database.execute("DELETE FROM main_chain WHERE num > ?", (kept_num,))
            new = {block_id for block_id, _, _ in blocks}
            for block_id in main_chain:
                known = block_id in new or is_stored(database, block_id)
                assert known, "the main chain holds stored blocks only"
            insert_rows(
                database,
                "INSERT INTO main_chain (num, id) VALUES",
                "(?, ?)",
                [(block_num_of(block_id), block_id) for block_id in main_chain],
            )
            write_header(database, "head", head or b"")
            if irreversible_num > read_irreversible(database):
                write_header(database, "irreversible", with_checksum(irreversible_num))
            touched = min([kept_num + 1, *(num for _, num, _ in blocks)]).to_bytes(4, "big")
            if touched < read_header(database, "forks_pruned"):
                write_header(database, "forks_pruned", touched)

    def go_back(
        self, head: BlockId, irreversible_num: int, clock_offset_ms: int | None = None
    ) -> None:
        """See `BlockStorage.go_back`."""
        with self._mutex:
            kept_num = block_num_of(head)
            with self._writing() as database:
                check_move(self._head, head, (), self._id_at(database, kept_num))
                database.execute("DELETE FROM main_chain WHERE num > ?", (kept_num,))
                write_header(database, "head", head)
                write_header(database, "irreversible", with_checksum(irreversible_num))
                if clock_offset_ms is not None:
                    write_clock(database, clock_offset_ms)
                touched = (kept_num + 1).to_bytes(4, "big")
                if touched < read_header(database, "forks_pruned"):
                    write_header(database, "forks_pruned", touched)
            self._head = head

    def keep_clock(self, offset_ms: int) -> None:
        """See `BlockStorage.keep_clock`."""
        with self._mutex, self._writing() as database:
            write_clock(database, offset_ms)

    def clock_offset_ms(self) -> int:
        """See `BlockStorage.clock_offset_ms`; a chain that never moved it has no such row."""
        with self._reading() as database:
            row = database.execute("SELECT value FROM header WHERE name = 'clock'").fetchone()
        if row is None or not isinstance(row[0], bytes):
            return 0
        return int.from_bytes(row[0], "big", signed=True)

    def block(self, block_id: BlockId) -> bytes | None:
        """See `BlockStorage.block`."""
        with self._reading() as database:
            data = self._block(database, block_id)
            num = block_num_of(block_id)
            if data is None and self._is_place(num) and self._id_at(database, num) == block_id:
                raise damaged_block(block_id)
        return data

    def id_at(self, num: int) -> BlockId | None:
        """See `BlockStorage.id_at`."""
        with self._reading() as database:
            return self._id_at(database, num)

    def ids_from(self, num: int, count: int) -> list[BlockId]:
        """See `BlockStorage.ids_from`; never more than 10,000 at once."""
        ids: list[BlockId] = []
        with self._reading() as database:
            try:
                ids.extend(self._ids(database, *self._places(num, count)))
            except StoreDamaged:
                if not ids:
                    raise
        return ids

    def blocks_from(self, num: int, count: int) -> list[StoredBlock]:
        """See `BlockStorage.blocks_from`; never more than 10,000 at once."""
        start, end = self._places(num, count)
        with self._reading() as database:
            whole = self._whole_blocks(database, start, end)
            try:
                return [whole.get(at) or self._block_at(database, at) for at in range(start, end)]
            except StoreDamaged as error:
                error.what = f"a stored block is damaged: {HOW_TO_MEND}"
                raise

    def head(self) -> tuple[int, BlockId] | None:
        """See `BlockStorage.head`."""
        return None if self._head is None else (block_num_of(self._head), self._head)

    def irreversible_num(self) -> int:
        """See `BlockStorage.irreversible_num`."""
        with self._reading() as database:
            return read_irreversible(database)

    def prune_forks(self, below_num: int) -> int:
        """See `BlockStorage.prune_forks`; looks only at what was written since the last time."""
        end = min(max(below_num, 0), NUM_MAX)
        with self._writing() as database:
            start = int.from_bytes(read_header(database, "forks_pruned"), "big")
            rows = database.execute(
                "SELECT id FROM block WHERE id >= ? AND id < ?"
                " AND id NOT IN (SELECT id FROM main_chain WHERE num >= ? AND num < ?)",
                (start.to_bytes(4, "big"), end.to_bytes(4, "big"), start, end),
            )
            forks = [row for row in rows.fetchall() if not self._is_on_main_chain(database, *row)]
            database.executemany("DELETE FROM block WHERE id = ?", forks)
            write_header(database, "forks_pruned", max(start, end).to_bytes(4, "big"))
            return len(forks)

    def close(self) -> None:
        """See `BlockStorage.close`."""
        with self._mutex:
            with self._reader_mutex:
                opened = (self._reader, self._database)
                self._reader = self._database = None
            for database in opened:
                if database is not None:
                    with suppress(sqlite3.Error):
                        database.close()
            self._lock.release()

    def _places(self, num: int, count: int) -> tuple[int, int]:
        """The first of so many places of the main chain, and the one after the last."""
        if self._head is None:
            return 0, 0
        start = min(max(num, self._first_num), NUM_MAX)
        return start, min(
            start + min(max(count, 0), BLOCKS_PER_READ_MAX), num_or_zero(self._head) + 1
        )

    def _is_place(self, num: int) -> bool:
        return self._first_num <= num <= num_or_zero(self._head) and num > 0

    def _id_at(self, database: sqlite3.Connection, num: int) -> BlockId | None:
        """What the main chain has there; `StoreDamaged`."""
        return next(self._ids(database, num, num + 1)) if self._is_place(num) else None

    def _ids(self, database: sqlite3.Connection, start: int, end: int) -> Iterator[BlockId]:
        """What the main chain has at all places from one to before another; `StoreDamaged`."""
        known = self._known_ids(database, start, end)
        for num in range(start, end):
            yield known.get(num) or self._mended_id(database, num)

    def _known_ids(self, database: sqlite3.Connection, start: int, end: int) -> dict[int, BlockId]:
        """What its rows say by number, as far as they name blocks that are here."""
        rows = database.execute(
            "SELECT main_chain.num, main_chain.id FROM main_chain"
            " JOIN block ON block.id = main_chain.id"
            " WHERE main_chain.num >= ? AND main_chain.num < ?",
            (start, end),
        )
        known = {num: BlockId(block_id) for num, block_id in rows if is_place_of(num, block_id)}
        if self._head is not None and start <= block_num_of(self._head) < end:
            known[block_num_of(self._head)] = self._head
        return known

    def _whole_blocks(
        self, database: sqlite3.Connection, start: int, end: int
    ) -> dict[int, StoredBlock]:
        """What its rows say by number, as far as they name blocks that are here, whole."""
        rows = database.execute(
            "SELECT main_chain.num, main_chain.id, block.checksum, block.data FROM main_chain"
            " JOIN block ON block.id = main_chain.id"
            " WHERE main_chain.num >= ? AND main_chain.num < ?",
            (start, end),
        )
        return {
            num: StoredBlock(BlockId(block_id), num, data)
            for num, block_id, checksum, data in rows
            if self._may_be_at(num, block_id) and is_whole(block_id, checksum, data)
        }

    def _may_be_at(self, num: int, block_id: object) -> bool:
        """Whether a block can be at a place of the main chain; the head is known always."""
        is_head = self._head is not None and num == block_num_of(self._head)
        return block_id == self._head if is_head else is_place_of(num, block_id)

    def _block_at(self, database: sqlite3.Connection, num: int) -> StoredBlock:
        """The block at a place whose rows are damaged; `StoreDamaged` if it is lost, too."""
        block_id = next(self._ids(database, num, num + 1))
        return StoredBlock(block_id, num, self._whole(database, block_id))

    def _mended_id(self, database: sqlite3.Connection, num: int) -> BlockId:
        """What the blocks after a place say is there; the head is known always."""
        at, block_id = num, None
        while block_id is None:
            at += 1
            block_id = self._known_ids(database, at, at + 1).get(at)
        while at > num:
            at -= 1
            previous = self._whole(database, block_id)[:20]
            if not is_place_of(at, previous):
                raise damaged_block(block_id)
            block_id = BlockId(previous)
        return block_id

    def _is_on_main_chain(self, database: sqlite3.Connection, block_id: object) -> bool:
        """Whether a block is not to be forgotten; one whose id is damaged is left alone."""
        if not isinstance(block_id, bytes) or len(block_id) != 20:
            return True
        try:
            return self._id_at(database, block_num_of(BlockId(block_id))) == block_id
        except StoreDamaged:
            return True

    def _is_hidden(self, block_id: BlockId) -> bool:
        """Whether the main chain has a block to which its id does not lead any more."""
        num = block_num_of(block_id)
        if not self._is_place(num):
            return False
        row = None
        with self._errors(), suppress(StoreDamaged), suppress(sqlite3.DatabaseError):
            database = self._open_database()
            if self._id_at(database, num) != block_id:
                return False
            row = database.execute("SELECT num FROM block WHERE id = ?", (block_id,)).fetchone()
        return row is None or row[0] != num

    def _block(self, database: sqlite3.Connection, block_id: BlockId) -> bytes | None:
        row = database.execute(
            "SELECT checksum, data FROM block WHERE id = ?", (block_id,)
        ).fetchone()
        if row is None:
            return None
        if not is_whole(block_id, *row):
            raise damaged_block(block_id)
        return bytes(row[1])

    def _whole(self, database: sqlite3.Connection, block_id: BlockId) -> bytes:
        """The data of a block of the main chain; `StoreDamaged` if it is lost, too."""
        data = self._block(database, block_id)
        if data is None:
            raise damaged_block(block_id)
        return data

    def _first_num_or(self, main_chain: Sequence[BlockId]) -> int:
        return block_num_of(main_chain[0]) if self._head is None else self._first_num

    def _check_header(self, chain_id: Digest) -> None:
        database = self._open_database()
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0 and not database.execute("SELECT 1 FROM sqlite_schema").fetchone():
            self._create(chain_id)
        elif version != FORMAT_VERSION:
            raise WrongFormat(
                f"{self._path.name} has another format version", value=version, limit=FORMAT_VERSION
            )
        found = read_header(database, "chain_id")
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
        write_header(database, "chain_id", chain_id)
        write_header(database, "head", b"")
        write_header(database, "irreversible", with_checksum(0))
        write_header(database, "forks_pruned", bytes(4))
        database.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        database.execute("COMMIT")
        flush_directory(self._path.parent)

    def _read_head(self) -> BlockId | None:
        database = self._open_database()
        head = read_header(database, "head")
        first, last, count = database.execute(
            "SELECT min(num), max(num), count(*) FROM main_chain"
        ).fetchone()
        top = database.execute("SELECT id FROM main_chain WHERE num = ?", (last,)).fetchone()
        if count and (top is None or top[0] != head or last - first + 1 != count):
            raise StoreDamaged(
                f"the main chain of {self._path.name} has lost blocks: {HOW_TO_MEND}",
                value=count,
                limit=last,
            )
        if not count and head:
            raise StoreDamaged(
                f"the main chain of {self._path.name} is gone: {HOW_TO_MEND}", value=head.hex()
            )
        if not head:
            return None
        self._first_num = first
        return BlockId(head)

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
        """What the disk cannot read is damaged, whichever way it says so."""
        with self._reader_mutex:
            if self._reader is None:
                raise StorageError(f"{self._path.name} is closed")
            try:
                yield self._reader
            except sqlite3.OperationalError as error:
                if code_of(error) != sqlite3.SQLITE_IOERR:
                    raise self._typed(error) from error
                raise self._damage(error) from error
            except sqlite3.ProgrammingError:
                raise  # a bug of ours, not of the disk
            except SQLITE_ERRORS as error:
                raise self._typed(error) from error

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
        except SQLITE_ERRORS as error:
            raise self._typed(error) from error
        except OSError as error:
            self._failure = disk_error(f"cannot write {self._path.name}", error)
            raise self._failure from error

    def _typed(self, error: SqliteError) -> StorageError:
        code, name = code_of(error), name_of(error)
        if code == sqlite3.SQLITE_BUSY:
            return StoreLocked(f"another process uses {self._path.name}", value=name)
        if code == sqlite3.SQLITE_NOTADB:
            return WrongFormat(f"{self._path.name} is not a block store", value=name)
        if not is_of_the_disk(error):
            return self._damage(error)
        self._failure = DiskError(f"cannot write {self._path.name}", value=f"{name}: {error}")
        return self._failure

    def _damage(self, error: SqliteError) -> StoreDamaged:
        return StoreDamaged(
            f"{self._path.name} is damaged: {HOW_TO_MEND}",
            value=f"{name_of(error)}: {error}",
            rule="T-S3",
        )


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


def _connect_reader(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA query_only = ON")
        database.execute("PRAGMA cell_size_check = ON")
        database.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        database.close()
        raise
    return database
