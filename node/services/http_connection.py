"""One HTTP/1.1 connection of the API: requests under limits, and who may ask (T-A5, T-A8).

A web page that somebody has open must not reach a node on the same machine: neither by a request
across origins, nor after its name was bound to a loopback address. So the `Host` and `Origin`
headers are checked, and no answer ever allows another origin.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hmac import compare_digest
from typing import Final

import h11
import trio
from wsproto.utilities import generate_accept_token

from node.api.fair_queue import Client
from node.api.json_text import REQUEST_BYTES_MAX
from node.services.request_runner import FRAME_S, RequestRunner

HEAD_BYTES_MAX = 16 * 1024
HEADER_LINES_MAX = 100
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
CONTENT_TYPE = b"content-type"
BROWSER_FIELDS: Final = (b"origin", b"referer", b"cookie", b"sec-fetch-site", b"sec-fetch-mode")
"""Fields that browsers send of themselves, and programs do not."""
BROWSER_AGENT = "mozilla/"
"""Begins the `User-Agent` of every browser, and no page can change that of a form."""

UNAUTHORIZED = 401
END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
"""The first empty line; a line may end in a bare line feed (RFC 9112, 2.2)."""
SPACE = 0x20
"""No request begins with it, or with a control character."""
WEBSOCKET_KEY_LENGTH = 24
"""16 bytes in base64."""

HEADS_KEPT = 256
"""Heads repeat themselves, but for the length of the body; parsing one takes longer than a call."""
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

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class RequestRefused(Exception):
    """A request that is answered with a status and closes the connection."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What the head of a request says."""

    raw: bytes
    method: bytes
    target: bytes
    fields: Mapping[bytes, str]
    """By names in lower case; of a repeated one the last."""
    repeated: frozenset[bytes]
    """Names that stand more than once."""
    length: int | None
    """Of the body; None for one in chunks."""
    media_type: str
    """Of the body, in lower case and without parameters; "" if none or several are named."""
    closes: bool
    """Whether the client wants no further answer on this connection."""

    def field(self, name: bytes) -> str | None:
        """The value of a field that may stand once; raises `RequestRefused`."""
        if name in self.repeated:
            raise RequestRefused(400, f"more than one {name.decode()} header")
        return self.fields.get(name)


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Names under which this server may be addressed, beyond those of the loopback."""

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    token: str = ""
    """What every request has to bring as `Authorization: Bearer TOKEN`; "" for nothing."""

    def check(self, request: RequestHead) -> None:
        """Refuse a foreign `Host` or `Origin` (T-A5), and who does not know the token (T-A6)."""
        host = request.field(b"host")
        if host is None:
            raise RequestRefused(400, "no Host header")
        name = _host_name(host)
        if name not in LOOPBACK_NAMES and name not in self.hosts:
            raise RequestRefused(403, "host not allowed")
        origin = request.field(b"origin")
        if not (
            origin is None
            or origin in self.origins
            or origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())
        ):
            raise RequestRefused(403, "origin not allowed")
        if self.token and not self._knows_token(request):
            raise RequestRefused(UNAUTHORIZED, "no or wrong token")

    def _knows_token(self, request: RequestHead) -> bool:
        given = request.field(b"authorization") or ""
        scheme, _, token = given.partition(" ")
        is_right = compare_digest(token.strip().encode("latin-1"), self.token.encode())
        return is_right and scheme.lower() == "bearer"


class HttpConnection:
    """Reads requests from a stream and writes responses to it."""

    def __init__(self, stream: trio.SocketStream, runner: RequestRunner, client: Client) -> None:
        self.stream = stream
        self.runner = runner
        self.client = client
        self.received = b""
        """What has arrived of the next request, or of the present one's body."""

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

    async def read_body(self, head: RequestHead) -> bytes:
        """The request's body; raises `RequestRefused` for one too large or of the wrong type."""
        if head.media_type != JSON and (may_be_of_a_page(head) or CONTENT_TYPE in head.repeated):
            raise RequestRefused(415, f"only {JSON}")
        length = head.length
        if length is not None and length > REQUEST_BYTES_MAX:
            raise RequestRefused(413, "body too large")
        if length is None or len(self.received) < length:
            if not self.received and head.fields.get(b"expect", "").lower() == "100-continue":
                await self._send(CONTINUE)
            with trio.fail_after(BODY_TIMEOUT_S):
                if length is None:
                    return await self._read_chunks(head)
                received = bytearray(self.received)
                while len(received) < length:
                    received += await self._receive_more()
            self.received = bytes(received)
        body, self.received = self.received[:length], self.received[length:]
        return body

    async def respond(
        self, status: int, text: str, *, kind: str = "application/json", close: bool = False
    ) -> None:
        """Send a whole response; `close` says that it is the last one."""
        body = text.encode()
        more = "connection: close\r\n" if close else ""
        await self._send(RESPONSE.format(status, kind, len(body), more).encode() + body)

    async def refuse(self, status: int, reason: str) -> None:
        """Send a refusal, and what it takes to be read."""
        await self.respond(status, reason, kind="text/plain", close=True)
        with trio.move_on_after(DRAIN_TIMEOUT_S):
            await self.stream.send_eof()
            for _ in range(DRAIN_BYTES_MAX // RECEIVE_BYTES):
                if not await self.stream.receive_some(RECEIVE_BYTES):
                    return

    async def accept_websocket(self, head: RequestHead) -> bytes:
        """Agree to a handshake; what the client has sent after it."""
        token = generate_accept_token((head.field(b"sec-websocket-key") or "").encode("latin-1"))
        await self._send(SWITCHING + token + b"\r\n\r\n")
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

    async def _read_chunks(self, head: RequestHead) -> bytes:
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
                    body += event.data
                    await self.runner.take_turn(self.client, FRAME_S)
            except h11.RemoteProtocolError as error:
                raise RequestRefused(400, "not HTTP/1.1") from error
            if len(body) > REQUEST_BYTES_MAX:
                raise RequestRefused(413, "body too large")
            self.received = await self._receive_more()

    async def _receive_more(self) -> bytes:
        data = bytes(await self.stream.receive_some(RECEIVE_BYTES))
        if not data:
            raise RequestRefused(400, "request ends early")
        return data

    async def _send(self, data: bytes) -> None:
        with trio.fail_after(SEND_TIMEOUT_S):
            await self.runner.send_in_turns(self.client, self.stream, data)


@lru_cache(HEADS_KEPT)
def parse_head(raw: bytes) -> RequestHead:
    """The head of a request, up to and with its first empty line; raises `RequestRefused`."""
    if len(raw) > HEAD_BYTES_MAX:
        raise RequestRefused(431, "head too large")
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=2 * HEAD_BYTES_MAX)
    parser.receive_data(raw)
    try:
        request = parser.next_event()
    except h11.RemoteProtocolError as error:
        raise RequestRefused(400, "not HTTP/1.1") from error
    if not isinstance(request, h11.Request):
        raise RequestRefused(400, "not HTTP/1.1")
    if len(request.headers) > HEADER_LINES_MAX:
        raise RequestRefused(431, "too many header lines")
    if request.http_version != b"1.1":
        raise RequestRefused(505, "only HTTP/1.1")
    names = Counter(name for name, _ in request.headers)
    fields = {name: value.decode("latin-1").strip() for name, value in request.headers}
    length = fields.get(b"content-length")
    if b"transfer-encoding" in fields and length is not None:
        raise RequestRefused(400, "two framings of one body")
    media_type = fields.get(CONTENT_TYPE, "")
    connection = ",".join(
        value.decode("latin-1") for name, value in request.headers if name == b"connection"
    )
    return RequestHead(
        raw,
        request.method,
        request.target,
        fields,
        frozenset(name for name, count in names.items() if count > 1),
        None if b"transfer-encoding" in fields else int(length or 0),
        "" if names[CONTENT_TYPE] > 1 else media_type.partition(";")[0].strip().lower(),
        "close" in [token.strip().lower() for token in connection.split(",")],
    )


def may_be_of_a_page(request: RequestHead) -> bool:
    """Whether a request may come from a page in a browser (T-A5).

    A page of any site can have a form sent here, of a form's types or of none; for JSON the browser
    asks first. Programs send JSON under any name: curl says that it is a form.
    """
    agent = request.fields.get(b"user-agent", "").lower()
    return agent.startswith(BROWSER_AGENT) or any(name in request.fields for name in BROWSER_FIELDS)


def wants_websocket(request: RequestHead) -> bool:
    """Whether a request asks for a WebSocket; raises `RequestRefused` for a malformed one."""
    upgrade = request.field(b"upgrade")
    if upgrade is None:
        return False
    tokens = (request.field(b"connection") or "").lower().split(",")
    key = request.field(b"sec-websocket-key") or ""
    if (
        upgrade.lower() != "websocket"
        or "upgrade" not in [token.strip() for token in tokens]
        or request.method != b"GET"
        or request.field(b"sec-websocket-version") != "13"
        or len(key) != WEBSOCKET_KEY_LENGTH
    ):
        raise RequestRefused(400, "not a WebSocket handshake of version 13")
    return True


def _host_name(host: str) -> str:
    """A `Host` header without its port."""
    text = host.lower()
    if text.startswith("["):
        address, bracket, _ = text.partition("]")
        return address + bracket
    return text.partition(":")[0]
