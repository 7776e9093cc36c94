"""File descriptors: some are kept back for the stores and the log, whoever connects (T-R2)."""

from __future__ import annotations

import resource
import socket
from typing import Final

RESERVED: Final = 64
"""For files, the worker's pipes, and the listening sockets themselves."""
WANTED: Final = 4_096
"""Where a shell gives a process fewer and the system lets it take more, it takes so many."""


def raise_limit() -> None:
    """Take as many descriptors as this process may have, up to `WANTED`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def room_for_sockets() -> int:
    """How many descriptors connections may take in all; half of them where there are few."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if soft == resource.RLIM_INFINITY else soft
    return max(most - RESERVED, most // 2)


def is_reserved(connection: socket.socket) -> bool:
    """Whether a connection has taken one of the last descriptors.

    The system gives the lowest number that is free: all below it are taken.
    """
    return connection.fileno() >= room_for_sockets()
