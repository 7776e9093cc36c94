"""What a run did to its files, step by step; and files that fail on demand."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, TypeVar
from unittest.mock import patch

from tests.crashpoints.sqlite_files import OK, watched

T = TypeVar("T")

FULL, WRITE_ERROR, SYNC_ERROR = 13, 778, 1034
"""SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC."""


class Create(NamedTuple):
    """A new, empty file."""

    name: str


class MakeDirectory(NamedTuple):
    """A new, empty directory."""

    name: str


class Write(NamedTuple):
    """Bytes at an offset; the file grows as it must."""

    name: str
    offset: int
    data: bytes


class Truncate(NamedTuple):
    """A file is cut to a size."""

    name: str
    size: int


class Sync(NamedTuple):
    """All writes to a file are durable from here on."""

    name: str


class Rename(NamedTuple):
    """A file takes the place of another one, or a directory a new place with all that is in it."""

    name: str
    new: str


class Link(NamedTuple):
    """A file has a second name."""

    name: str
    new: str


class Unlink(NamedTuple):
    """A name is gone."""

    name: str


class SyncNames(NamedTuple):
    """All names of a directory are durable from here on."""

    name: str


NameStep = Create | MakeDirectory | Rename | Link | Unlink
Step = NameStep | Write | Truncate | Sync | SyncNames


class Failing(NamedTuple):
    """Which step fails, and how: ENOSPC from then on, or one EIO."""

    number: int
    is_full: bool


class Recorder:
    """Notes the steps of a directory; `-shm` and lock files are no part of what is kept."""

    def __init__(self, directory: Path, failing: Failing | None = None) -> None:
        self.directory = directory
        self.steps: list[Step] = []
        self.failing = failing
        self.failures = 0
        self._paths: dict[int, Path] = {}
        """By file descriptor."""

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Note all steps of SQLite and of Python's files meanwhile."""
        with (
            watched(self),
            patch.object(os, "open", self._open),
            patch.object(os, "fdopen", self._fdopen),
            patch.object(os, "fsync", self._fsync),
            patch.object(os, "mkdir", self._mkdir),
            patch.object(os, "replace", self._replace),
            patch.object(os, "link", self._link),
            patch.object(os, "unlink", self._unlink),
        ):
            yield

    def name_of(self, path: Path) -> str | None:
        """The name below the directory of a file that counts."""
        if path.name.endswith((".lock", "-shm")) or not path.is_relative_to(self.directory):
            return None
        return str(path.relative_to(self.directory))

    # What SQLite does.

    def write(self, path: Path, offset: int, data: bytes) -> int:
        name = self.name_of(path)
        return self._note(Write(name, offset, data), WRITE_ERROR) if name else OK

    def truncate(self, path: Path, size: int) -> int:
        name = self.name_of(path)
        return self._note(Truncate(name, size), WRITE_ERROR) if name else OK

    def sync(self, path: Path) -> int:
        name = self.name_of(path)
        return self._note(Sync(name), SYNC_ERROR) if name else OK

    def delete(self, path: Path) -> int:
        name = self.name_of(path)
        if name:
            self.steps.append(Unlink(name))
        return OK

    def created(self, path: Path) -> None:
        name = self.name_of(path)
        if name:
            self.steps.append(Create(name))

    def sync_directory(self, path: Path) -> None:
        name = self.name_of(path)
        if name:
            self.steps.append(SyncNames(str(Path(name).parent)))

    def _note(self, step: Step, code: int) -> int:
        number = len(self.steps)
        self.steps.append(step)
        if self.failing is None or number < self.failing.number:
            return OK
        if self.failing.is_full:
            if isinstance(step, Sync | SyncNames | Truncate | Unlink):
                return OK
            code = FULL
        elif self.failures:
            return OK
        self.failures += 1
        return code

    # What Python does.

    def _open(
        self, path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        is_new = flags & os.O_CREAT and not Path(path).exists()
        descriptor: int = _OPEN(path, flags, mode, dir_fd=dir_fd)
        self._paths[descriptor] = Path(path)
        if is_new:
            self.created(Path(path))
        return descriptor

    def _fdopen(self, descriptor: int, mode: str) -> _File:
        return _File(self, self._paths[descriptor], _FDOPEN(descriptor, mode))

    def _fsync(self, descriptor: int) -> None:
        path = self._paths[descriptor]
        if path.is_dir():
            if path.is_relative_to(self.directory):
                step = SyncNames(str(path.relative_to(self.directory)))
                _raise(self._note(step, SYNC_ERROR))
        else:
            _raise(self.sync(path))

    def _mkdir(self, path: Path, mode: int = 0o777) -> None:
        _MKDIR(path, mode)
        name = self.name_of(Path(path))
        if name:
            self.steps.append(MakeDirectory(name))

    def _link(self, path: Path, new: Path, *, follow_symlinks: bool = True) -> None:
        name, new_name = self.name_of(Path(path)), self.name_of(Path(new))
        _LINK(path, new, follow_symlinks=follow_symlinks)
        if name and new_name:
            self.steps.append(Link(name, new_name))

    def _replace(self, path: Path, new: Path) -> None:
        name, new_name = self.name_of(Path(path)), self.name_of(Path(new))
        if name and new_name:
            _raise(self._note(Rename(name, new_name), WRITE_ERROR))
        _REPLACE(path, new)

    def _unlink(self, path: str | Path, *, dir_fd: int | None = None) -> None:
        if dir_fd is None and Path(path).exists():
            self.delete(Path(path))
        _UNLINK(path, dir_fd=dir_fd)


class _File:
    """A file that Python writes from its start to its end."""

    def __init__(self, recorder: Recorder, path: Path, file: IO[bytes]) -> None:
        self.recorder = recorder
        self.path = path
        self.file = file
        self.size = 0

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def writelines(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            self.write(chunk)

    def write(self, chunk: bytes) -> None:
        _raise(self.recorder.write(self.path, self.size, bytes(chunk)))
        self.file.write(chunk)
        self.size += len(chunk)

    def flush(self) -> None:
        self.file.flush()

    def fileno(self) -> int:
        return self.file.fileno()


def _raise(code: int) -> None:
    if code == FULL:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if code != OK:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


_OPEN, _FDOPEN, _MKDIR = os.open, os.fdopen, os.mkdir
_REPLACE, _LINK, _UNLINK = os.replace, os.link, os.unlink
