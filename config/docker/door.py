"""Hands on what comes in at a port of a container to a port of its loopback.

door.py PORT LOOPBACK_PORT
"""

from __future__ import annotations

import sys

import trio

CONNECTIONS_MAX = 500


async def serve(
    port: int,
    inner_port: int,
    *,
    host: str = "",
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve for ever; `host` "" is every address of the container."""
    places = trio.Semaphore(CONNECTIONS_MAX)

    async def hand_on(outer: trio.SocketStream) -> None:
        async with places, outer:
            try:
                inner = await trio.open_tcp_stream("127.0.0.1", inner_port)
            except OSError:
                return
            async with inner, trio.open_nursery() as nursery:
                nursery.start_soon(_copy, outer, inner)
                nursery.start_soon(_copy, inner, outer)

    listeners = await trio.open_tcp_listeners(port, host=host or None)
    await trio.serve_listeners(hand_on, listeners, task_status=task_status)


async def _copy(source: trio.SocketStream, target: trio.SocketStream) -> None:
    """All that comes, and then the end; a side that breaks ends both ways."""
    try:
        async for data in source:
            await target.send_all(data)
        await target.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        await trio.aclose_forcefully(source)
        await trio.aclose_forcefully(target)


if __name__ == "__main__":
    trio.run(serve, int(sys.argv[1]), int(sys.argv[2]))
