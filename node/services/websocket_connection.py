"""One WebSocket connection of the API: a reader, a writer, and deadlines for both."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from contextlib import suppress
from typing import Final

import trio
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from node.api.api import Api
from node.api.fair_queue import Client
from node.api.json_text import REQUEST_BYTES_MAX, Text
from node.services.durable_answers import wait_until_stored
from node.services.request_runner import BYTE_S, RECEIVE_S, TEXT_S, RequestRunner

MESSAGE_LENGTH_MAX = 2 * REQUEST_BYTES_MAX
"""A longer message closes the connection; one above the API's own limit is answered."""
RECEIVE_BYTES = 64 * 1024
SEND_TIMEOUT_S = 20.0
PING_EVERY_S = 30.0
SILENCE_MAX_S = PING_EVERY_S + SEND_TIMEOUT_S
"""A client that answers no ping for so long is gone."""
CLOSE_TIMEOUT_S = 2.0
ABNORMAL_END: Final = (trio.BrokenResourceError, trio.ClosedResourceError, LocalProtocolError)


def text_frame_head(length: int) -> bytes:
    """What stands before a whole text of so many bytes (RFC 6455, 5.2).

    `wsproto` would copy the text thrice for it.
    """
    if length < 126:
        return bytes((0x81, length))
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")


class WebSocketConnection:
    """An API session and the socket that its texts travel on; the handshake is done."""

    def __init__(
        self,
        api: Api,
        runner: RequestRunner,
        client: Client,
        stream: trio.abc.Stream,
        received: bytes,
    ) -> None:
        self.api = api
        self.runner = runner
        self.client = client
        self.stream = stream
        self.protocol = Connection(ConnectionType.SERVER, trailing_data=received)
        self.parts: list[str | bytes] = []
        """The present message, as far as it is there, and its length."""
        self.length = 0
        self.close = CloseConnection(CloseReason.NORMAL_CLOSURE)
        self.sending_since = self.receiving_since = math.inf
        self.sending = trio.Lock()
        self.scope = trio.CancelScope()
        self.has_outgoing = trio.Event()
        self.session = api.open_session(wake=self._wake)

    async def run(self) -> None:
        """Serve until the client closes, is too slow, or this task is cancelled."""
        try:
            with self.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._keep_alive)
                    nursery.start_soon(self._watch)
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._read)
        finally:
            self.api.close_session(self.session)
            self.session.sent()
            self.session.outgoing_sent()
        with trio.move_on_after(CLOSE_TIMEOUT_S):
            await self._say_goodbye()

    def _wake(self) -> None:
        if self.session.close_reason:
            self._end(CloseReason.POLICY_VIOLATION, self.session.close_reason)
        self.has_outgoing.set()

    async def _read(self) -> None:
        try:
            while True:
                for event in await self.runner.work(self.client, self._events(), RECEIVE_S):
                    await self._take(event)
                if not await self._receive():
                    self.scope.cancel()
        except ABNORMAL_END:
            self.scope.cancel()
        except trio.TooSlowError:
            self._end(CloseReason.POLICY_VIOLATION, "the request took too long (T-A2)")

    def _events(self) -> Generator[None, None, list[Event]]:
        """What has been received, in steps of one event: unmasking takes its time."""
        events = []
        for event in self.protocol.events():
            events.append(event)
            yield
        return events

    async def _receive(self) -> bool:
        self.receiving_since = trio.current_time()
        data = await self.stream.receive_some(RECEIVE_BYTES)
        self.receiving_since = math.inf
        if data:
            self.protocol.receive_data(bytes(data))
        return bool(data)

    async def _take(self, event: Event) -> None:
        match event:
            case TextMessage() | BytesMessage():
                message = self._join(event)
                if message is not None:
                    await self._answer(message)
                    self._forget_message()
            case Ping():
                await self.runner.take_turn(self.client, TEXT_S)
                await self._send(event.response())
            case CloseConnection():
                """The client's wish, or what is wrong with a frame of it."""
                self._end(event.code, event.reason or "")
            case _:
                """A pong: the bytes alone say that the client lives."""

    async def _answer(self, message: str | bytes) -> None:
        """Serve a request; what its call caused to be pushed follows its answer."""
        texts = await self.runner.serve(self.session, self.client, message)
        try:
            await wait_until_stored(self.api.durability)
            for text in texts:
                await self._send_text(text)
        finally:
            self.session.sent()
            if self.session.outbox:
                self.has_outgoing.set()

    def _join(self, event: TextMessage | BytesMessage) -> str | bytes | None:
        """The whole message once this was the last part of it."""
        part = event.data if isinstance(event, TextMessage) else bytes(event.data)
        self.parts.append(part)
        size = len(part) + 1
        self.length += size
        if self.length > MESSAGE_LENGTH_MAX:
            self._end(CloseReason.MESSAGE_TOO_BIG, "message too long (T-A1)")
            return None
        if not self.session.share.has_room(size):
            self._end(CloseReason.POLICY_VIOLATION, "many requests are on their way (T-R1)")
            return None
        self.session.share.add(size)
        if not event.message_finished:
            return None
        parts, self.parts = self.parts, []
        if len(parts) == 1:
            return part
        return b"".join(part.encode() if isinstance(part, str) else part for part in parts)

    def _forget_message(self) -> None:
        """A message is served: it takes no room any more."""
        self.session.share.shrink(self.length)
        self.length = 0

    async def _write(self) -> None:
        try:
            while True:
                await self.has_outgoing.wait()
                self.has_outgoing = trio.Event()
                for text in () if self.session.is_answering else self.session.take_outgoing():
                    await self.runner.take_turn(self.client, TEXT_S + sum(map(len, text)) * BYTE_S)
                    await self._send_text(text)
                self.session.outgoing_sent()
        except ABNORMAL_END:
            self.scope.cancel()

    async def _keep_alive(self) -> None:
        try:
            while True:
                await trio.sleep(PING_EVERY_S)
                await self._send(Ping())
        except ABNORMAL_END:
            self.scope.cancel()

    async def _watch(self) -> None:
        """Cut off a client that does not take what it is sent, or answers no ping."""
        while True:
            await trio.sleep(SEND_TIMEOUT_S / 4)
            now = trio.current_time()
            if now - self.sending_since > SEND_TIMEOUT_S:
                self.scope.cancel()
            if now - self.receiving_since > SILENCE_MAX_S:
                self.scope.cancel()

    def _end(self, code: int, reason: str) -> None:
        self.close = CloseConnection(code, reason)
        self.scope.cancel()

    async def _send_text(self, text: Text) -> None:
        if self.protocol.state is not ConnectionState.OPEN:
            raise LocalProtocolError("the connection is being closed")
        await self._send_frame([text_frame_head(sum(map(len, text))), *text])

    async def _send(self, event: Event) -> None:
        await self._send_frame([self.protocol.send(event)])

    async def _send_frame(self, pieces: Iterable[bytes]) -> None:
        """Send a whole frame, under the eye of `_watch`; several tasks may be at it."""
        try:
            self.sending.acquire_nowait()
        except trio.WouldBlock:
            await self.sending.acquire()
        try:
            self.sending_since = trio.current_time()
            await self.runner.send_in_turns(self.client, self.stream, pieces)
            self.sending_since = math.inf
        finally:
            self.sending.release()

    async def _say_goodbye(self) -> None:
        """Send a close frame, or answer one, and wait for the client to close."""
        if self.sending_since < math.inf:
            return  # cut off amid a frame
        with suppress(*ABNORMAL_END):
            await self.stream.send_all(self.protocol.send(self.close))
            while self.protocol.state is ConnectionState.LOCAL_CLOSING and await self._receive():
                for _ in self.protocol.events():
                    pass
