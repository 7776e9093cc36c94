"""Stands between SQLite and its files: in the library that Python's `sqlite3` itself uses.

The functions of SQLite's own file layer are called as ever; a `Witness` hears of each write, flush,
cut and removal before it happens, and may have it fail. So the production code runs unchanged.
"""

from __future__ import annotations

import ctypes
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import Protocol

OK = 0
OPEN_CREATE = 0x4
OPEN_JOURNAL_OR_WAL = 0x800 | 0x4000 | 0x80000
"""Kinds of files whose name SQLite's unix layer flushes with their first flush."""
METHODS = 19
"""Words of `sqlite3_io_methods`, version 3: the version and 18 functions."""
WRITE, TRUNCATE, SYNC, CLOSE = 3, 4, 5, 1


class Witness(Protocol):
    """Hears of what SQLite does to files; each answer is a code of SQLite, `OK` to let it be."""

    def write(self, path: Path, offset: int, data: bytes) -> int: ...

    def truncate(self, path: Path, size: int) -> int: ...

    def sync(self, path: Path) -> int: ...

    def delete(self, path: Path) -> int: ...

    def created(self, path: Path) -> None:
        """The file has just been made."""

    def sync_directory(self, path: Path) -> None:
        """The name of the file, and all names beside it, have just been flushed."""


class _Vfs(Structure):
    _fields_ = (
        ("version", c_int),
        ("file_size", c_int),
        ("path_length_max", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("app_data", c_void_p),
        ("open", c_void_p),
        ("delete", c_void_p),
    )


_Methods = c_void_p * METHODS
_Open = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, POINTER(c_int))
_Delete = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
_Close = ctypes.CFUNCTYPE(c_int, c_void_p)
_Write = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = ctypes.CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = ctypes.CFUNCTYPE(c_int, c_void_p, c_int)


def find_library() -> ctypes.CDLL | None:
    """SQLite's library, if Python's module is linked to one that can be reached."""
    try:
        library = ctypes.CDLL("libsqlite3.so.0")
        library.sqlite3_libversion.restype = c_char_p
        version = library.sqlite3_libversion().decode()
        library.sqlite3_vfs_find.restype = POINTER(_Vfs)
    except (OSError, AttributeError):
        return None
    if version != sqlite3.sqlite_version or not _is_loaded_twice_as_one():
        return None
    return library


def _is_loaded_twice_as_one() -> bool:
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return False
    found = {line.split()[-1] for line in maps.read_text().splitlines() if "libsqlite3" in line}
    return len(found) == 1


@contextmanager
def watched(witness: Witness) -> Iterator[None]:
    """Have a witness hear of all that SQLite does to files that are opened meanwhile."""
    watch = _the_watch()
    watch.begin(witness)
    try:
        yield
    finally:
        watch.end()


@cache
def _the_watch() -> _Watch:
    """There is one for good: files that are still open go on calling it."""
    library = find_library()
    assert library is not None, "see `find_library`"
    return _Watch(library.sqlite3_vfs_find(None).contents)


class _Table:
    """The functions of one kind of file: SQLite's own, but for those that are watched."""

    def __init__(self, watch: _Watch, true: int) -> None:
        self.words = _Methods.from_buffer_copy(_Methods.from_address(true))
        self.true_close = _Close(self.words[CLOSE] or 0)
        self.true_write = _Write(self.words[WRITE] or 0)
        self.true_truncate = _Truncate(self.words[TRUNCATE] or 0)
        self.mine = (
            (CLOSE, _Close(watch._close)),
            (WRITE, _Write(watch._write)),
            (TRUNCATE, _Truncate(watch._truncate)),
            (SYNC, _Sync(watch._sync)),
        )
        for place, function in self.mine:
            self.words[place] = ctypes.cast(function, c_void_p).value

    @property
    def address(self) -> int:
        return ctypes.addressof(self.words)


class _Watch:
    """The functions that SQLite calls instead of its own, and its own."""

    def __init__(self, vfs: _Vfs) -> None:
        self.vfs = vfs
        self.true = vfs.open, vfs.delete
        self.true_open = _Open(int(vfs.open or 0))
        self.true_delete = _Delete(int(vfs.delete or 0))
        self.open = _Open(self._open)
        self.delete = _Delete(self._delete)
        self.tables: dict[int, _Table] = {}
        """By the address of the table that it stands for."""
        self.files: dict[int, tuple[Path, _Table, Witness]] = {}
        self.unnamed: set[int] = set()
        """Files whose name is flushed with their first flush."""

    def begin(self, witness: Witness) -> None:
        """Have a witness hear of the files that are opened from now on."""
        self.witness = witness
        self.vfs.open = ctypes.cast(self.open, c_void_p).value
        self.vfs.delete = ctypes.cast(self.delete, c_void_p).value

    def end(self) -> None:
        """Let files be opened as ever."""
        self.vfs.open, self.vfs.delete = self.true

    def _open(
        self, vfs: int, name: int | None, file: int, flags: int, out: ctypes._Pointer[c_int]
    ) -> int:
        """SQLite's own function keeps the address of the name: it gets the same one."""
        path = None if name is None else Path(ctypes.string_at(name).decode())
        is_new = path is not None and not path.exists()
        code: int = self.true_open(vfs, name, file, flags, out)
        if code != OK or path is None:
            return code
        pointer = ctypes.cast(file, POINTER(c_void_p))
        true = pointer[0]
        assert true is not None
        if true not in self.tables:
            self.tables[true] = _Table(self, true)
        self.files[file] = path, self.tables[true], self.witness
        pointer[0] = self.tables[true].address
        if is_new:
            self.witness.created(path)
        if flags & OPEN_CREATE and flags & OPEN_JOURNAL_OR_WAL:
            self.unnamed.add(file)
        return OK

    def _write(self, file: int, data: int, size: int, offset: int) -> int:
        path, table, witness = self.files[file]
        code: int = witness.write(path, offset, ctypes.string_at(data, size))
        return code or int(table.true_write(file, data, size, offset))

    def _truncate(self, file: int, size: int) -> int:
        path, table, witness = self.files[file]
        return witness.truncate(path, size) or int(table.true_truncate(file, size))

    def _sync(self, file: int, flags: int) -> int:
        """The true flush is left out: no power is cut here, and the trace alone counts."""
        path, _, witness = self.files[file]
        code = witness.sync(path)
        if code == OK and file in self.unnamed:
            self.unnamed.discard(file)
            witness.sync_directory(path)
        return code

    def _close(self, file: int) -> int:
        _, table, _ = self.files.pop(file)
        self.unnamed.discard(file)
        return int(table.true_close(file))

    def _delete(self, vfs: int, name: bytes, syncs: int) -> int:
        path = Path(name.decode())
        is_there = path.exists()
        code = self.witness.delete(path) if is_there else OK
        code = code or int(self.true_delete(vfs, name, 0))
        if code == OK and is_there and syncs:
            self.witness.sync_directory(path)
        return code
