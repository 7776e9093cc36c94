"""One HTTP/1.1 connection of the API: requests under limits (T-A8), and responses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import h11
import trio

from node.api.answer_room import AnswerShare
from node.api.fair_queue import Client
from node.api.json_text import REQUEST_BYTES_MAX, Text
from node.services.access_rules import may_be_of_a_page, origin_lines
from node.services.http_head import (
    CONTENT_TYPE,
    HEAD_BYTES_MAX,
    RequestHead,
    RequestRefused,
    parse_head,
)
from node.services.request_runner import RECEIVE_S, RequestRunner

RECEIVE_BYTES = 64 * 1024
HEAD_TIMEOUT_S = 10.0
"""For the rest of a head, once its first byte is there."""
IDLE_TIMEOUT_S = 60.0
"""Between two requests of one connection."""
BODY_TIMEOUT_S = 30.0
SEND_TIMEOUT_S = 20.0
DRAIN_TIMEOUT_S = 1.0
DRAIN_BYTES_MAX = 4 * REQUEST_BYTES_MAX

JSON = "application/json"

END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
"""The first empty line; a line may end in a bare line feed (RFC 9112, 2.2)."""
SPACE = 0x20
"""No request begins with it, or with a control character."""
RESPONSE: Final = (
    "HTTP/1.1 {} \r\n"
    "content-type: {}; charset=utf-8\r\n"
    "content-length: {}\r\n"
    "cache-control: no-store\r\n"
    "x-content-type-options: nosniff\r\n"
    "{}\r\n"
)
CONTINUE: Final = b"HTTP/1.1 100 \r\n\r\n"
SWITCHING: Final = (
    b"HTTP/1.1 101 \r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: "
)


class HttpConnection:
    """Reads requests from a stream and writes responses to it."""

    def __init__(self, stream: trio.SocketStream, runner: RequestRunner, client: Client) -> None:
        self.stream = stream
        self.runner = runner
        self.client = client
        self.received = b""
        """What has arrived of the next request, or of the present one's body."""
        self.origin = ""
        """The other origin that the present request came from and may come from, or ""."""

    async def read_head(self) -> RequestHead | None:
        """The next request's head, or None when the client went away between requests.

        Raises `RequestRefused`; `trio.TooSlowError` for a head that takes too long.
        """
        if not self.received:
            with trio.fail_after(IDLE_TIMEOUT_S):
                self.received = bytes(await self.stream.receive_some(RECEIVE_BYTES))
            if not self.received:
                return None
        end = END_OF_HEAD.search(self.received)
        if end is None:
            with trio.fail_after(HEAD_TIMEOUT_S):
                end = await self._receive_head()
        raw, self.received = self.received[: end.end()], self.received[end.end() :]
        return parse_head(raw)

    async def read_body(self, head: RequestHead, share: AnswerShare) -> bytes:
        """The request's body, as far as there is room for it.

        Raises `RequestRefused` for one too large or of the wrong type, or when the bodies of many
        clients are on their way (T-R1).
        """
        if head.media_type != JSON and (may_be_of_a_page(head) or CONTENT_TYPE in head.repeated):
            raise RequestRefused(
                415, "the type of a body", rule="T-A5", value=head.media_type[:100], limit=JSON
            )
        length = head.length
        if length is not None and length > REQUEST_BYTES_MAX:
            raise RequestRefused(
                413, "body too large", rule="T-A1", value=length, limit=REQUEST_BYTES_MAX
            )
        if length is None or len(self.received) < length:
            if not self.received and head.fields.get(b"expect", "").lower() == "100-continue":
                await self._send([CONTINUE])
            with trio.fail_after(BODY_TIMEOUT_S):
                if length is None:
                    return await self._read_chunks(head, share)
                received = bytearray(self.received)
                while len(received) < length:
                    data = await self._receive_more()
                    _take_room(share, len(data))
                    received += data
            self.received = bytes(received)
        body, self.received = self.received[:length], self.received[length:]
        return body

    async def respond(
        self,
        status: int,
        text: Text,
        *,
        kind: str = JSON,
        lines: Sequence[str] = (),
        head_only: bool = False,
        close: bool = False,
    ) -> None:
        """Send a whole response, with more header lines; `close` says that it is the last one."""
        more = [*lines, *origin_lines(self.origin), *(["connection: close"] if close else [])]
        length = sum(map(len, text))
        head = RESPONSE.format(status, kind, length, "".join(f"{line}\r\n" for line in more))
        await self._send([head.encode("latin-1"), *([] if head_only else text)])

    async def refuse(self, refusal: RequestRefused, text: Text, *, head_only: bool = False) -> None:
        """Send a refusal, and what it takes to be read."""
        await self.respond(
            refusal.status, text, lines=refusal.lines, head_only=head_only, close=True
        )
        with trio.move_on_after(DRAIN_TIMEOUT_S):
            await self.stream.send_eof()
            for _ in range(DRAIN_BYTES_MAX // RECEIVE_BYTES):
                if not await self.stream.receive_some(RECEIVE_BYTES):
                    return

    async def accept_websocket(self, head: RequestHead) -> bytes:
        """Agree to a handshake; what the client has sent after it."""
        from wsproto.utilities import generate_accept_token  # for the first one

        token = generate_accept_token((head.field(b"sec-websocket-key") or "").encode("latin-1"))
        await self._send([SWITCHING, token, b"\r\n\r\n"])
        return self.received

    async def _receive_head(self) -> re.Match[bytes]:
        """Receive up to the end of the head, which is not there yet."""
        end = None
        while end is None:
            if self.received[0] <= SPACE:
                raise RequestRefused(400, "not HTTP/1.1")
            if len(self.received) > HEAD_BYTES_MAX:
                raise RequestRefused(431, "head too large")
            start = max(0, len(self.received) - 2)
            self.received += await self._receive_more()
            end = END_OF_HEAD.search(self.received, start)
        return end

    async def _read_chunks(self, head: RequestHead, share: AnswerShare) -> bytes:
        """A body in chunks, whose end only a parser of chunks can tell."""
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        parser.receive_data(head.raw)
        parser.next_event()
        body = bytearray()
        while True:
            if self.received:  # to the parser, no bytes mean the end
                parser.receive_data(self.received)
            try:
                while (event := parser.next_event()) is not h11.NEED_DATA:
                    if isinstance(event, h11.EndOfMessage):
                        self.received = parser.trailing_data[0]
                        return bytes(body)
                    assert isinstance(event, h11.Data)
                    _take_room(share, len(event.data))
                    body += event.data
                    await self.runner.take_turn(self.client, RECEIVE_S)
            except h11.RemoteProtocolError as error:
                raise RequestRefused(400, "not HTTP/1.1") from error
            if len(body) > REQUEST_BYTES_MAX:
                raise RequestRefused(413, "body too large", rule="T-A1", limit=REQUEST_BYTES_MAX)
            self.received = await self._receive_more()

    async def _receive_more(self) -> bytes:
        data = bytes(await self.stream.receive_some(RECEIVE_BYTES))
        if not data:
            raise RequestRefused(400, "request ends early")
        return data

    async def _send(self, pieces: Iterable[bytes]) -> None:
        with trio.fail_after(SEND_TIMEOUT_S):
            await self.runner.send_in_turns(self.client, self.stream, pieces)


def _take_room(share: AnswerShare, size: int) -> None:
    if not share.has_room(size):
        raise RequestRefused(
            503, "many requests are on their way", rule="T-R1", limit=share.room.limit
        )
    share.add(size)
