"""One process per store (T-S5)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from node.storage.durable import OWNER_ONLY, disk_error
from node.storage.errors import StoreLocked


class FileLock:
    """An advisory lock beside a file; the kernel releases it however the process ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock of `path`; `StoreLocked` with the holder's process id if it is taken."""
        self._descriptor = -1
        lock = path.with_name(path.name + ".lock")
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(lock, flags, OWNER_ONLY)
        except OSError as error:
            raise disk_error(f"cannot open {lock.name}", error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace")
            os.close(descriptor)
            raise StoreLocked(
                f"another process uses {path.name}", value=f"process {holder}"
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise disk_error(f"cannot lock {path.name}", error) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; the file stays, so that no two processes lock different files."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
