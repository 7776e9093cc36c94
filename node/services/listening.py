"""Takes in connections at a listening socket, many of those that wait at a time.

A loop that takes one and lets the others run makes a newcomer wait for a round of the event loop
for each that came before it, however little those ask for. One that takes all makes everybody else
wait until each of them has been judged.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Awaitable, Callable

import trio

from node.services.descriptors import is_reserved
from node.services.event_log import log
from node.services.turns import Turns

PAUSE_S = 0.1
"""After a connection was refused because file descriptors have run out, or all but have (T-R2)."""

Handler = Callable[[trio.SocketStream], Awaitable[object]]


async def take_connections(
    listener: trio.SocketListener, handle: Handler, nursery: trio.Nursery, turns: Turns
) -> None:
    """Have each connection handled by a task of its own, in its turn, until cancelled."""
    with socket.socket(fileno=listener.socket.detach()) as listening:
        listening.setblocking(False)
        while True:
            await trio.lowlevel.wait_readable(listening)
            try:
                while (connection := _take_one(listening)) is not None:
                    try:
                        await turns.take()
                    except trio.Cancelled:
                        connection.close()
                        raise
                    stream = trio.SocketStream(trio.socket.from_stdlib_socket(connection))
                    nursery.start_soon(handle, stream)
            except OSError as error:
                log.warning("accept_failed", error=repr(error))
                await trio.sleep(PAUSE_S)


def _take_one(listening: socket.socket) -> socket.socket | None:
    """A connection that waits, if one does."""
    try:
        connection, _ = listening.accept()
    except (BlockingIOError, ConnectionAbortedError):
        return None
    if is_reserved(connection):
        connection.close()
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return connection
