"""One HTTP/1.1 connection of the API: requests under limits, and who may ask (T-A5, T-A8).

A web page that somebody has open must not reach a node on the same machine: neither by a request
across origins, nor after its name was bound to a loopback address. So the `Host` and `Origin`
headers are checked, and no answer ever allows another origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

import h11
import trio

from node.api.json_text import REQUEST_BYTES_MAX

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

UNAUTHORIZED = 401
END_OF_HEAD = b"\r\n\r\n"
WEBSOCKET_KEY_LENGTH = 24
"""16 bytes in base64."""

HEADS_KEPT = 64
"""Of one connection; a client's heads differ in the length of the body."""
RESPONSE: Final = (
    "HTTP/1.1 {} \r\n"
    "content-type: application/json; charset=utf-8\r\n"
    "content-length: {}\r\n"
    "cache-control: no-store\r\n"
    "x-content-type-options: nosniff\r\n\r\n"
)
"""The head of an answer in JSON: what `HttpConnection.respond` has the parser's library write."""

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class RequestRefused(Exception):
    """A request that is answered with a status and closes the connection."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Names under which this server may be addressed, beyond those of the loopback."""

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    token: str = ""
    """What every request has to bring as `Authorization: Bearer TOKEN`; "" for nothing."""

    def check(self, request: h11.Request) -> None:
        """Refuse a foreign `Host` or `Origin` (T-A5), and who does not know the token (T-A6)."""
        host = single_header(request, b"host")
        if host is None:
            raise RequestRefused(400, "no Host header")
        name = _host_name(host)
        if name not in LOOPBACK_NAMES and name not in self.hosts:
            raise RequestRefused(403, "host not allowed")
        origin = single_header(request, b"origin")
        own = (f"http://{host}".lower(), f"https://{host}".lower())
        if origin is not None and origin.lower() not in own and origin not in self.origins:
            raise RequestRefused(403, "origin not allowed")
        if self.token and not self._knows_token(request):
            raise RequestRefused(UNAUTHORIZED, "no or wrong token")

    def _knows_token(self, request: h11.Request) -> bool:
        given = single_header(request, b"authorization") or ""
        scheme, _, token = given.partition(" ")
        is_right = compare_digest(token.strip().encode("latin-1"), self.token.encode())
        return is_right and scheme.lower() == "bearer"


class HttpConnection:
    """Reads requests from a stream and writes responses to it.

    A client's heads repeat themselves. The bytes of a head that led to an answer once need no
    parser the next time, and no check of what they say: they say the same.
    """

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        self.raw = bytearray()
        """Everything received since the present request began."""
        self.early = b""
        """What was received of the next request before the parser gets it."""
        self.lengths: dict[bytes, int] = {}
        """Heads that led to an answer, with the lengths of their bodies."""

    async def read_known(self) -> bytes | None:
        """The body of the next request if its head is known; None leaves it to `read_head`.

        Raises `RequestRefused`; `trio.TooSlowError` for a request that takes too long.
        """
        if self.protocol.trailing_data[0]:
            return None
        if not self.early:
            with trio.fail_after(IDLE_TIMEOUT_S):
                self.early = bytes(await self.stream.receive_some(RECEIVE_BYTES))
        head, separator, body = self.early.partition(END_OF_HEAD)
        length = self.lengths.get(head) if separator else None
        if length is None:
            return None
        if len(body) < length:
            with trio.fail_after(BODY_TIMEOUT_S):
                body += await self._receive(length - len(body))
        self.early = body[length:]
        return body[:length]

    def remember_head(self, request: h11.Request) -> None:
        """Know the present head from now on; its request has led to an answer.

        Only a head whose end no parser can see elsewhere, and whose body has a plain length.
        """
        head = bytes(self.raw.partition(END_OF_HEAD)[0])
        length = single_header(request, b"content-length")
        if (
            length is not None
            and all(name != b"expect" for name, _ in request.headers)
            and len(self.lengths) < HEADS_KEPT
            and head.startswith(b"POST ")
            and head.count(b"\n") == head.count(b"\r\n")
        ):
            self.lengths[head] = int(length)

    async def read_head(self) -> h11.Request | None:
        """The next request's head, or None when the client went away between requests.

        Raises `RequestRefused`; `trio.TooSlowError` for a head that takes too long.
        """
        self.raw = bytearray(self.protocol.trailing_data[0])
        early, self.early = self.early, b""
        if early:
            self._feed(early)
        with trio.fail_after(IDLE_TIMEOUT_S):
            event = await self._next_event(first=True)
        if event is h11.NEED_DATA:
            with trio.fail_after(HEAD_TIMEOUT_S):
                event = await self._next_event()
        if not isinstance(event, h11.Request):
            return None
        if self.raw.find(END_OF_HEAD) > HEAD_BYTES_MAX:
            raise RequestRefused(431, "head too large")
        _check_head(event)
        return event

    async def read_body(self, request: h11.Request) -> bytes:
        """The request's body; raises `RequestRefused` for one too large or of the wrong type."""
        kind = single_header(request, b"content-type") or ""
        if kind.partition(";")[0].strip().lower() != "application/json":
            raise RequestRefused(415, "only application/json")
        length = single_header(request, b"content-length")
        if length is not None and int(length) > REQUEST_BYTES_MAX:
            raise RequestRefused(413, "body too large")
        await self._continue()
        body = bytearray()
        with trio.fail_after(BODY_TIMEOUT_S):
            while True:
                event = await self._next_event()
                if isinstance(event, h11.EndOfMessage):
                    return bytes(body)
                if not isinstance(event, h11.Data):
                    raise RequestRefused(400, "body ends early")
                body += event.data
                if len(body) > REQUEST_BYTES_MAX:
                    raise RequestRefused(413, "body too large")

    async def read_end(self) -> None:
        """The end of a request that has no body; raises `RequestRefused` for one that has."""
        with trio.fail_after(BODY_TIMEOUT_S):
            if not isinstance(await self._next_event(), h11.EndOfMessage):
                raise RequestRefused(400, "unexpected body")

    async def respond(
        self, status: int, text: str, *, kind: str = "application/json", close: bool = False
    ) -> None:
        """Send a whole response."""
        body = text.encode()
        headers = [
            (b"content-type", f"{kind}; charset=utf-8".encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if close:
            headers.append((b"connection", b"close"))
        head = h11.Response(status_code=status, headers=headers)
        await self._send(head, h11.Data(data=body), h11.EndOfMessage())

    async def respond_known(self, status: int, text: str) -> None:
        """Send the response to a request of `read_known`, which the parser has not seen."""
        body = text.encode()
        head = RESPONSE.format(status, len(body))
        await self._send_bytes(head.encode() + body)

    async def refuse(self, status: int, reason: str) -> None:
        """Send a refusal, if that is possible still, and what it takes to be read."""
        if self.protocol.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self.respond(status, reason, kind="text/plain", close=True)
            await self.drain()

    def reuse(self) -> bool:
        """Make ready for the next request; False when the connection has to close."""
        protocol = self.protocol
        if protocol.our_state is not h11.DONE or protocol.their_state is not h11.DONE:
            return False
        protocol.start_next_cycle()
        return True

    async def drain(self) -> None:
        """Take what the client still sends before closing, or it may never see the refusal."""
        with trio.move_on_after(DRAIN_TIMEOUT_S):
            await self.stream.send_eof()
            for _ in range(DRAIN_BYTES_MAX // RECEIVE_BYTES):
                if not await self.stream.receive_some(RECEIVE_BYTES):
                    return

    async def _continue(self) -> None:
        if self.protocol.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))

    async def _next_event(self, *, first: bool = False) -> h11.Event | type[h11.NEED_DATA] | None:
        """The next event; with `first`, NEED_DATA once the first bytes are not a whole head."""
        while True:
            try:
                event = self.protocol.next_event()
            except h11.RemoteProtocolError as error:
                status = error.error_status_hint
                raise RequestRefused(status if status == 431 else 400, "not HTTP/1.1") from error
            if event is not h11.NEED_DATA:
                return event if isinstance(event, h11.Event) else None
            if first and self.raw:
                return h11.NEED_DATA
            self._feed(bytes(await self.stream.receive_some(RECEIVE_BYTES)))

    def _feed(self, data: bytes) -> None:
        self.raw += data
        self.protocol.receive_data(data)

    async def _receive(self, size: int) -> bytes:
        """At least so many bytes of a body."""
        found = bytearray()
        while len(found) < size:
            data = await self.stream.receive_some(RECEIVE_BYTES)
            if not data:
                raise RequestRefused(400, "body ends early")
            found += data
        return bytes(found)

    async def _send(self, *events: h11.Event) -> None:
        await self._send_bytes(b"".join(self.protocol.send(event) or b"" for event in events))

    async def _send_bytes(self, data: bytes) -> None:
        if data:
            with trio.fail_after(SEND_TIMEOUT_S):
                await self.stream.send_all(data)


class UpgradedStream(trio.abc.Stream):
    """A stream whose first bytes, a WebSocket handshake, were read already, and are read again.

    The WebSocket library drops what it is given between the handshake and its own answer. So
    whatever a client sent early is held back until that answer is on its way.
    """

    def __init__(self, received: bytes, stream: trio.abc.Stream) -> None:
        head, end, rest = received.partition(END_OF_HEAD)
        self.head = head + end
        self.rest = rest
        self.stream = stream
        self.is_answered = trio.Event()
        self.is_drained = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """The handshake, then what followed it, then the stream."""
        if self.is_drained:
            return await self.stream.receive_some(max_bytes)
        await trio.lowlevel.checkpoint()
        if self.head:
            data, self.head = _split(self.head, max_bytes)
            return data
        await self.is_answered.wait()
        if self.rest:
            data, self.rest = _split(self.rest, max_bytes)
            return data
        self.is_drained = True
        return await self.stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send on the stream."""
        self.is_answered.set()
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for the stream."""
        await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream."""
        self.is_answered.set()
        await self.stream.aclose()


def single_header(request: h11.Request, name: bytes) -> str | None:
    """The value of a header that may stand once; raises `RequestRefused`."""
    values = [value for key, value in request.headers if key == name]
    if len(values) > 1:
        raise RequestRefused(400, f"more than one {name.decode()} header")
    return values[0].decode("latin-1").strip() if values else None


def wants_websocket(request: h11.Request) -> bool:
    """Whether a request asks for a WebSocket; raises `RequestRefused` for a malformed one."""
    upgrade = single_header(request, b"upgrade")
    if upgrade is None:
        return False
    tokens = (single_header(request, b"connection") or "").lower().split(",")
    key = single_header(request, b"sec-websocket-key") or ""
    if (
        upgrade.lower() != "websocket"
        or "upgrade" not in [token.strip() for token in tokens]
        or request.method != b"GET"
        or single_header(request, b"sec-websocket-version") != "13"
        or len(key) != WEBSOCKET_KEY_LENGTH
    ):
        raise RequestRefused(400, "not a WebSocket handshake of version 13")
    return True


def _split(data: bytes, max_bytes: int | None) -> tuple[bytes, bytes]:
    size = len(data) if max_bytes is None else max_bytes
    return data[:size], data[size:]


def _check_head(request: h11.Request) -> None:
    if len(request.headers) > HEADER_LINES_MAX:
        raise RequestRefused(431, "too many header lines")
    if request.http_version != b"1.1":
        raise RequestRefused(505, "only HTTP/1.1")
    coding = single_header(request, b"transfer-encoding")
    if coding is not None and single_header(request, b"content-length") is not None:
        raise RequestRefused(400, "two framings of one body")


def _host_name(host: str) -> str:
    """A `Host` header without its port."""
    text = host.lower()
    if text.startswith("["):
        address, bracket, _ = text.partition("]")
        return address + bracket
    return text.partition(":")[0]
