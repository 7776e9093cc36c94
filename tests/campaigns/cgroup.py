"""A limit of memory that the kernel keeps, for a process and its children: a control group."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path("/sys/fs/cgroup")


class Names(NamedTuple):
    """What files are called."""

    limit: str
    peak: str
    events: str
    """Where a line `oom_kill N` tells how many processes were killed."""


V1 = Names("memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control")
V2 = Names("memory.max", "memory.peak", "memory.events")


class Cgroup(NamedTuple):
    """A group that processes can enter."""

    directory: Path
    names: Names

    @property
    def entrance(self) -> Path:
        """The file into which a process writes its number."""
        return self.directory / "cgroup.procs"

    @property
    def peak_bytes(self) -> int:
        """The most that the group has taken at once, cached files included."""
        return int((self.directory / self.names.peak).read_text())

    @property
    def kills(self) -> int:
        """How many processes were killed for want of memory."""
        rows = [
            row.split() for row in (self.directory / self.names.events).read_text().splitlines()
        ]
        return sum(int(row[1]) for row in rows if row[0] == "oom_kill")


@contextmanager
def limited_memory(limit_bytes: int) -> Iterator[Cgroup | None]:
    """A new group with a limit, or None where this user or this system cannot have one."""
    found = None
    for parent, names in ((ROOT / "memory", V1), (ROOT, V2), (ROOT / "unified", V2)):
        directory = parent / f"pegboard-{os.getpid()}"
        with suppress(OSError):
            directory.mkdir()
            if not (directory / names.limit).exists():
                directory.rmdir()
                continue
            (directory / names.limit).write_text(str(limit_bytes))
            found = Cgroup(directory, names)
            break
    try:
        yield found
    finally:
        if found is not None:
            with suppress(OSError):
                found.directory.rmdir()
