"""Clients that cost so little that the server is measured: raw sockets, frames made once."""

from __future__ import annotations

import json
from time import perf_counter

import trio

Json = object

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
END_OF_HEAD = b"\r\n\r\n"
RECEIVE_BYTES = 1 << 20
PING = 9
"""Opcode; the node sends pings without content."""


def call(method: str, *arguments: Json, api: int | str = 0) -> bytes:
    """A request of the `call` dialect."""
    body = {"id": 1, "method": "call", "params": [api, method, list(arguments)]}
    return json.dumps(body).encode()


def frame(data: bytes) -> bytes:
    """A client's text frame, under a mask of zeros."""
    length = len(data)
    if length < 126:
        head = bytes((0x81, 0x80 | length))
    elif length < 1 << 16:
        head = b"\x81\xfe" + length.to_bytes(2, "big")
    else:
        head = b"\x81\xff" + length.to_bytes(8, "big")
    return head + bytes(4) + data


def post(data: bytes) -> bytes:
    """An HTTP request on a connection that stays open."""
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n"
    return head.encode() + b"Content-Type: application/json\r\n\r\n" + data


class SocketClient:
    """One WebSocket connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.buffer = bytearray()

    @classmethod
    async def connect(cls, port: int, source: str = "127.0.0.1") -> SocketClient:
        """A connection from an address of this machine."""
        stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=source)
        client = cls(stream)
        await stream.send_all(UPGRADE)
        await client._read_until(END_OF_HEAD)
        return client

    async def ask(self, request: bytes) -> int:
        """Send a frame; the length of the frame that answers it."""
        await self.stream.send_all(request)
        return await self.skip_frame()

    async def skip_frame(self) -> int:
        """The length of the next frame's text, which is dropped; pings are no answers."""
        await self._fill(2)
        while self.buffer[0] & 0x0F == PING:
            del self.buffer[: 2 + self.buffer[1]]
            await self._fill(2)
        length, start = self.buffer[1], 2
        if length >= 126:
            start = 4 if length == 126 else 10
            await self._fill(start)
            length = int.from_bytes(self.buffer[2:start], "big")
        if self.buffer[0] & 0x0F == 8:
            raise trio.EndOfChannel(bytes(self.buffer[start:]).decode(errors="replace"))
        await self._fill(start + length)
        del self.buffer[: start + length]
        return length

    async def _read_until(self, end: bytes) -> None:
        while end not in self.buffer:
            await self._receive()
        del self.buffer[: self.buffer.index(end) + len(end)]

    async def _fill(self, size: int) -> None:
        while len(self.buffer) < size:
            await self._receive()

    async def _receive(self) -> None:
        data = await self.stream.receive_some(RECEIVE_BYTES)
        if not data:
            raise trio.EndOfChannel
        self.buffer += data


class HttpClient:
    """One HTTP connection that stays open."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream

    @classmethod
    async def connect(cls, port: int, source: str = "127.0.0.1") -> HttpClient:
        """A connection from an address of this machine."""
        return cls(await trio.open_tcp_stream("127.0.0.1", port, local_address=source))

    async def ask(self, request: bytes) -> int:
        """Send a request; the length of the body that answers it."""
        await self.stream.send_all(request)
        data = b""
        while END_OF_HEAD not in data:
            data += await self.stream.receive_some(RECEIVE_BYTES)
        head, _, body = data.partition(END_OF_HEAD)
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        missing = length - len(body)
        while missing > 0:
            missing -= len(await self.stream.receive_some(RECEIVE_BYTES))
        return length


async def ask_many(client: SocketClient | HttpClient, request: bytes, count: int) -> list[float]:
    """Seconds that each of many requests took, one after the other."""
    seconds = []
    for _ in range(count):
        start = perf_counter()
        await client.ask(request)
        seconds.append(perf_counter() - start)
    return seconds
