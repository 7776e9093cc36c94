"""Secret files on disk: readable for their owner only, never replaced, no link followed (T-X1)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from node.storage.durable import create_file, disk_error, make_directory
from node.storage.errors import KeyFileRefused
from protocol.crypto.keystore import FILE_LENGTH_MAX

DIRECTORY_MODE = 0o700
SUFFIX = ".json"

_OTHERS = 0o077


def write_key_file(path: Path, text: str) -> None:
    """Create a keystore file with mode 0600 in a directory of mode 0700; durable on return.

    The directory is made if it is missing. `KeyFileRefused` (exit code 77) if the file exists or
    the directory is open to others; `DiskError` if it cannot be written.
    """
    make_directory(path.parent, DIRECTORY_MODE)
    try:
        _check_directory(path.parent)
    except OSError as error:
        raise disk_error(f"cannot read {path.parent.name}", error) from error
    create_file(path, text.encode())


def read_key_file(path: Path) -> str:
    """Text of a keystore file.

    `KeyFileRefused` (exit code 77) if the file or its directory is a link, belongs to somebody
    else or can be read or written by others; `DiskError` if it cannot be read.
    """
    try:
        _check_directory(path.parent)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _check_status(os.fstat(descriptor), path, is_kind=stat.S_ISREG, kind="file")
            data = os.read(descriptor, FILE_LENGTH_MAX + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        if path.is_symlink():
            raise KeyFileRefused("key file is a link", value=path) from None
        raise disk_error(f"cannot read {path.name}", error) from error
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise KeyFileRefused("key file is not text", value=path) from None


def list_key_files(directory: Path) -> list[Path]:
    """Paths of the keystore files of a directory, by name; empty if there is no directory."""
    try:
        if not directory.exists():
            return []
        _check_directory(directory)
        return sorted(path for path in directory.iterdir() if path.suffix == SUFFIX)
    except OSError as error:
        raise disk_error(f"cannot list {directory.name}", error) from error


def _check_directory(path: Path) -> None:
    _check_status(os.lstat(path), path, is_kind=stat.S_ISDIR, kind="directory")


def _check_status(
    status: os.stat_result, path: Path, *, is_kind: Callable[[int], bool], kind: str
) -> None:
    if not is_kind(status.st_mode):
        raise KeyFileRefused(f"key {kind} is a link or something else", value=path)
    if status.st_uid != os.geteuid():
        raise KeyFileRefused(
            f"key {kind} belongs to another user", value=status.st_uid, limit=os.geteuid()
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS:
        raise KeyFileRefused(
            f"key {kind} is open to others: {path}", value=f"{mode:04o}", limit="0700, 0600"
        )
