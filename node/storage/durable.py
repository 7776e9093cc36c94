"""Small files that are wholly there or not at all, whenever the power goes (T-S2)."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from node.storage.errors import DiskError, KeyFileRefused

OWNER_ONLY = 0o600
FLUSHED_AT_ONCE = 16
"""Files of a draft; a file system makes those durable together that are asked for together."""


def replace_file(path: Path, *chunks: bytes) -> None:
    """Put a file in place of the old one; durable when it returns.

    `DiskError` if any step fails: the old file is then still there, or already the new one.
    """
    with replaced_file(path) as file:
        file.writelines(chunks)


@contextmanager
def replaced_file(path: Path) -> Iterator[BinaryIO]:
    """A file to be written piece by piece, which takes the place of the old one at the end.

    What raises meanwhile leaves the old one. `DiskError` as in `replace_file`.
    """
    temporary = _temporary(path)
    try:
        with _new_file(temporary) as file:
            try:
                yield file
                _flush(file)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        flush_directory(path.parent)
    except OSError as error:
        raise disk_error(f"cannot write {path.name}", error) from error


def create_file(path: Path, data: bytes) -> None:
    """Put a new file, readable for its owner only; durable when it returns.

    `KeyFileRefused` if the name is taken, `DiskError` if any step fails.
    """
    temporary = _temporary(path)
    try:
        _write(temporary, (data,))
        try:
            os.link(temporary, path)  # unlike a rename, never replaces a file
        finally:
            temporary.unlink()
        flush_directory(path.parent)
    except FileExistsError:
        raise KeyFileRefused("key file exists already", value=path) from None
    except OSError as error:
        raise disk_error(f"cannot write {path.name}", error) from error


class Draft:
    """A directory in the making that takes its place as a whole; before, nothing of it is durable.

    Many small files cost so what few do: the disk is waited for once, not after each.
    """

    def __init__(self, place: Path) -> None:
        """A draft beside `place`; an earlier one is deleted. `DiskError` if it cannot be made."""
        self.place = place
        self.path = _temporary(place)
        shutil.rmtree(self.path, ignore_errors=True)
        make_directory(self.path)

    def put(self, name: str, data: bytes, directory_mode: int = 0o777) -> None:
        """A file that only its owner can read, by its path in the draft; raises `DiskError`.

        `directory_mode` is that of its directory, if that is missing.
        """
        path = self.path / name
        try:
            path.parent.parent.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(directory_mode, exist_ok=True)
            with _new_file(path) as file:
                file.write(data)
        except OSError as error:
            raise disk_error(f"cannot write {path.name}", error) from error

    def publish(self) -> None:
        """Put the draft in place of nothing or an empty directory; durable when it returns.

        `DiskError` if any step fails.
        """
        try:
            with ThreadPoolExecutor(FLUSHED_AT_ONCE) as pool:
                deque(pool.map(_flush_path, [self.path, *self.path.rglob("*")]), 0)
            self.path.replace(self.place)
            flush_directory(self.place.parent)
        except OSError as error:
            raise disk_error(f"cannot make {self.place.name}", error) from error


def make_directory(path: Path, mode: int = 0o777) -> None:
    """Make a directory, and those above it, if they are missing; durable when it returns.

    The name of the directory is flushed even if it is there: who made it may have been killed.
    `mode` is that of the directory itself. `DiskError` if any step fails.
    """
    missing = [place for place in path.parents if not place.exists()]
    try:
        for above in reversed(missing):
            above.mkdir(exist_ok=True)
            flush_directory(above.parent)
        path.mkdir(mode, exist_ok=True)
        flush_directory(path.parent)
    except OSError as error:
        raise disk_error(f"cannot make {path.name}", error) from error


def flush_directory(path: Path) -> None:
    """Make the names of a directory durable; raises `OSError`."""
    _flush_path(path, os.O_DIRECTORY)


def disk_error(what: str, error: OSError) -> DiskError:
    """The typed form of a failed system call."""
    return DiskError(what, value=error.strerror or type(error).__name__)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _write(temporary: Path, chunks: tuple[bytes, ...]) -> None:
    with _new_file(temporary) as file:
        file.writelines(chunks)
        _flush(file)


def _new_file(temporary: Path) -> BinaryIO:
    temporary.unlink(missing_ok=True)  # left by a process that was killed
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(temporary, flags, OWNER_ONLY), "wb")


def _flush_path(path: Path, flags: int = 0) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
