"""Frames of WebSocket clients: fragments, control frames, limits, and how a connection ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Event, Ping, Pong, TextMessage

from node.api.outbox import OUTBOX_BYTES_MAX
from node.services import websocket_connection
from node.services.request_runner import RequestRunner
from node.services.websocket_connection import PING_EVERY_S, SILENCE_MAX_S, WebSocketConnection
from tests.support.api import ChainBackend
from tests.support.chain import TestChain

CALL = '{"id":1,"method":"get_account_count","params":[]}'


class Peer:
    """A client's end of a connection, and the node's task behind the other."""

    def __init__(self, backend: ChainBackend, stream: trio.abc.Stream) -> None:
        self.backend = backend
        self.stream = stream
        self.protocol = Connection(ConnectionType.CLIENT)
        self.is_over = trio.Event()

    async def send(self, *events: Event) -> None:
        await self.stream.send_all(b"".join(map(self.protocol.send, events)))

    async def next_event(self) -> Event:
        """What the node says next."""
        while True:
            for event in self.protocol.events():
                return event
            data = await self.stream.receive_some()
            self.protocol.receive_data(bytes(data) or None)


@asynccontextmanager
async def connect() -> AsyncIterator[Peer]:
    """A connection whose handshake is done."""
    backend = ChainBackend(TestChain("alice"))
    runner = RequestRunner()
    near, far = trio.testing.memory_stream_pair()
    client = runner.queue.open_client("127.0.0.1")
    peer = Peer(backend, near)

    async def serve() -> None:
        await WebSocketConnection(backend.api, runner, client, far, b"").run()
        await far.aclose()
        peer.is_over.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(runner.run)
        nursery.start_soon(serve)
        yield peer
        await peer.is_over.wait()
        assert backend.api.sessions == {}
        nursery.cancel_scope.cancel()


async def end_by_client(peer: Peer) -> None:
    await peer.send(CloseConnection(1000, "bye"))
    assert await peer.next_event() == CloseConnection(1000, "bye")


@pytest.mark.trio
async def test_a_message_may_come_in_fragments(autojump_clock: trio.abc.Clock) -> None:
    """RFC 6455, 5.4: with control frames between them, and one answer to the whole."""
    async with connect() as peer:
        await peer.send(TextMessage(CALL[:9], message_finished=False), Ping(b"x"))
        assert await peer.next_event() == Pong(b"x")
        await peer.send(TextMessage("", message_finished=False), TextMessage(CALL[9:]))
        answer = await peer.next_event()
        assert isinstance(answer, TextMessage)
        assert '"result"' in answer.data
        await end_by_client(peer)


@pytest.mark.trio
@pytest.mark.parametrize("part", ["x" * 99, ""])
async def test_a_message_without_end_is_cut_off(
    part: str, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.abc.Clock
) -> None:
    """T-A1: code 1009, also when it grows by empty fragments alone."""
    monkeypatch.setattr(websocket_connection, "MESSAGE_LENGTH_MAX", 1_000)
    async with connect() as peer:
        await peer.send(*[TextMessage(part, message_finished=False)] * 1_001)
        event = await peer.next_event()
        assert isinstance(event, CloseConnection)
        assert event.code == 1009
        await peer.send(event.response())


@pytest.mark.trio
@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x01x", 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (b"\xc1\x80\0\0\0\0", 1002),
        (b"\x89\xfe\x00\x7e\0\0\0\0", 1002),
        (b"\x80\x80\0\0\0\0", 1002),
        (b"\x81\x81\0\0\0\0\xff", 1007),
    ],
)
async def test_a_wrong_frame_ends_the_connection(
    frame: bytes, code: int, autojump_clock: trio.abc.Clock
) -> None:
    """Unmasked, unknown, compressed, a long ping, a continuation of nothing, no UTF-8."""
    async with connect() as peer:
        await peer.stream.send_all(frame)
        event = await peer.next_event()
        assert isinstance(event, CloseConnection)
        assert event.code == code


@pytest.mark.trio
async def test_who_answers_no_ping_is_gone(autojump_clock: trio.abc.Clock) -> None:
    """T-A3: after a ping and the time to answer it; who answers stays."""
    async with connect() as peer:
        for _ in range(4):
            ping = await peer.next_event()
            assert isinstance(ping, Ping)
            await peer.send(ping.response())
        start = trio.current_time()
        await peer.is_over.wait()
        assert SILENCE_MAX_S <= trio.current_time() - start <= SILENCE_MAX_S + PING_EVERY_S


@pytest.mark.trio
async def test_a_client_that_does_not_close_is_not_waited_for(
    autojump_clock: trio.abc.Clock,
) -> None:
    """RFC 6455, 7.1: the node's close frame stays without answer."""
    async with connect() as peer:
        await trio.testing.wait_all_tasks_blocked()
        (session,) = peer.backend.api.sessions
        session.outbox.put([b"x" * (OUTBOX_BYTES_MAX + 1)])
        session.wake()
        assert await peer.next_event() == CloseConnection(1008, session.close_reason)
        await peer.is_over.wait()
