"""TCP connections to peers: one reader and one writer task each, with a bounded queue between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

import trio

from node.p2p.effects import PeerAddress, PeerKey
from node.services.event_log import log
from node.services.listening import take_connections
from node.services.turns import Turns
from node.state.errors import InvariantViolated

RECEIVE_BYTES = 64 * 1024
WRITE_BYTES = 64 * 1024
"""Written at once, and told of."""
SEND_QUEUE_BYTES = 1024 * 1024
"""A peer that lets more pile up beside the largest item is dropped (T-P5)."""
SEND_QUEUES_BYTES = 64 * 1024 * 1024
"""Of all peers together; beyond it the one that has most is dropped (P8, T-P5)."""
WRITE_STALL_S = 20.0
"""A peer that takes nothing for so long is dropped (T-P5)."""
DIAL_TIMEOUT_S = 5.0
STRANGERS_AT_ONCE = 4
"""Connections judged, and messages of handshakes answered, in a round of the event loop: a thousand
that come at the same time must not keep others for as long as that takes (T-P5)."""


class PeerInputs(Protocol):
    """What connections tell the node."""

    def peer_connected(self, peer: PeerKey, address: PeerAddress, *, outbound: bool) -> None:
        """A connection is open."""

    def peer_received(self, peer: PeerKey, data: bytes) -> None:
        """Bytes arrived."""

    def peer_written(self, peer: PeerKey, size: int) -> None:
        """So many bytes of what was to be sent are on their way."""

    def peer_disconnected(self, peer: PeerKey) -> None:
        """The connection is gone; also told after this side closed it."""

    def dial_failed(self, address: PeerAddress) -> None:
        """Nobody answered at the address."""

    def is_peer_active(self, peer: PeerKey) -> bool:
        """Whether both sides have accepted each other."""
        ...


class Connection:
    """One peer's stream and what waits to be sent on it."""

    def __init__(self, stream: trio.SocketStream, *, is_known: bool = False) -> None:
        self.stream = stream
        self.queue: deque[bytes] = deque()
        self.queued_bytes = 0
        """Those that are being written included."""
        self.largest_bytes = 0
        """The largest item since nothing waited."""
        self.closing = False
        self.is_known = is_known
        """Whether this side has called or accepted it: it waits for no turn of strangers."""
        self.scope = trio.CancelScope()
        self.wakeup = trio.Event()

    def send(self, data: bytes) -> None:
        """Queue bytes; a peer that does not read is cut off."""
        if self.closing:
            return
        self.queue.append(data)
        self.queued_bytes += len(data)
        self.largest_bytes = max(self.largest_bytes, len(data))
        if self.queued_bytes - self.largest_bytes > SEND_QUEUE_BYTES:
            self.drop()
        self.wakeup.set()

    def drop(self) -> None:
        """End the connection at once; what waits is given up."""
        self.closing = True
        self.queue.clear()
        self.queued_bytes = 0
        self.scope.cancel()

    def close(self) -> None:
        """Send what is queued, if the peer takes it soon, then close."""
        self.closing = True
        self.scope.deadline = trio.current_time() + WRITE_STALL_S
        self.wakeup.set()

    async def run_writer(self, tell: Callable[[int], None]) -> None:
        """Send what is queued, in as few calls as possible, until closed; tells how much it was."""
        while True:
            if not self.queue:
                self.largest_bytes = 0
                if self.closing:
                    break
                await self.wakeup.wait()
                self.wakeup = trio.Event()
                continue
            data = self._take()
            for at in range(0, len(data), WRITE_BYTES):
                piece = data[at : at + WRITE_BYTES]
                with trio.fail_after(WRITE_STALL_S):
                    await self.stream.send_all(piece)
                self.queued_bytes -= len(piece)
                tell(len(piece))
        self.scope.cancel()

    def _take(self) -> memoryview:
        """What to write now: the first in the queue, and others as far as they are small."""
        taken = [self.queue.popleft()]
        size = len(taken[0])
        while self.queue and size + len(self.queue[0]) <= WRITE_BYTES:
            size += len(self.queue[0])
            taken.append(self.queue.popleft())
        return memoryview(b"".join(taken))


class PeerConnections:
    """All peers' connections: accepts, dials, sends and closes."""

    def __init__(self, inputs: PeerInputs, nursery: trio.Nursery) -> None:
        self.inputs = inputs
        self.nursery = nursery
        self.open: dict[PeerKey, Connection] = {}
        self.last_key = 0
        self.strangers = Turns(STRANGERS_AT_ONCE)

    async def listen(
        self,
        host: str,
        port: int,
        *,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept peers for ever; reports the port that it got."""
        listeners = await trio.open_tcp_listeners(port, host=host)
        task_status.started(int(listeners[0].socket.getsockname()[1]))
        self.nursery.start_soon(self.strangers.run)
        for listener in listeners:
            self.nursery.start_soon(
                take_connections, listener, self._accept, self.nursery, self.strangers
            )

    def dial(self, address: PeerAddress) -> None:
        """Open a connection in the background."""
        self.nursery.start_soon(self._dial, address)

    def send(self, peer: PeerKey, data: bytes) -> None:
        """Queue bytes for a peer; one that is gone already misses nothing."""
        connection = self.open.get(peer)
        if connection is None:
            return
        connection.send(data)
        if connection.queued_bytes <= RECEIVE_BYTES:
            return
        if sum(one.queued_bytes for one in self.open.values()) > SEND_QUEUES_BYTES:
            max(self.open.values(), key=lambda one: one.queued_bytes).drop()

    def close(self, peer: PeerKey) -> None:
        """Close a peer's connection after what is queued."""
        connection = self.open.get(peer)
        if connection is not None:
            connection.close()

    async def _accept(self, stream: trio.SocketStream) -> None:
        try:
            host, port = stream.socket.getpeername()[:2]
        except OSError:
            await trio.aclose_forcefully(stream)
            return
        await self._run(stream, PeerAddress(str(host), int(port)), outbound=False)

    async def _dial(self, address: PeerAddress) -> None:
        try:
            with trio.fail_after(DIAL_TIMEOUT_S):
                stream = await trio.open_tcp_stream(address.host, address.port)
        except (OSError, trio.TooSlowError):
            self.inputs.dial_failed(address)
            return
        await self._run(stream, address, outbound=True)

    async def _run(
        self, stream: trio.SocketStream, address: PeerAddress, *, outbound: bool
    ) -> None:
        self.last_key += 1
        peer = PeerKey(self.last_key)
        connection = self.open[peer] = Connection(stream, is_known=outbound)
        try:
            with connection.scope:
                self.inputs.peer_connected(peer, address, outbound=outbound)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(
                        connection.run_writer, partial(self.inputs.peer_written, peer)
                    )
                    await self._read(peer, connection)
                    nursery.cancel_scope.cancel()
        except* (OSError, trio.BrokenResourceError, trio.TooSlowError):
            pass
        except* InvariantViolated:
            raise
        except* Exception as bug:
            log.warning("peer_bug", peer=peer, host=address.host, exc_info=bug)
        finally:
            del self.open[peer]
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await trio.aclose_forcefully(stream)
            self.inputs.peer_disconnected(peer)

    async def _read(self, peer: PeerKey, connection: Connection) -> None:
        while True:
            data = await connection.stream.receive_some(RECEIVE_BYTES)
            if not data:
                return
            if not connection.is_known:
                connection.is_known = self.inputs.is_peer_active(peer)
                if not connection.is_known:
                    await self.strangers.take()
            if not connection.closing:
                self.inputs.peer_received(peer, bytes(data))
