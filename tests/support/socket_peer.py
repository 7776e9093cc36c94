"""A hostile or honest peer of a real node process: one socket, played message by message."""

from __future__ import annotations

import os
import socket
import time
from functools import partial
from typing import TypeVar

from protocol.p2p.framing import MAX_FRAME_BYTES, FrameReader, encode_frame
from protocol.p2p.message_codec import decode_message, encode_message
from protocol.p2p.messages import Goodbye, Hello, HelloAccepted, Message
from protocol.p2p.noise import NodeKey
from protocol.p2p.noise_transport import NoiseTransport
from protocol.schema import BlockId, Digest

M = TypeVar("M", bound=Message)
TIMEOUT_S = 10.0


class SocketPeer:
    """The side that dials, from any address of 127.0.0.0/8, which stands for a remote host."""

    def __init__(
        self,
        address: tuple[str, int],
        chain_id: Digest,
        host: str,
        *,
        head: tuple[int, BlockId] = (0, BlockId(bytes(20))),
        greets: bool = True,
    ) -> None:
        self.socket = socket.create_connection(address, TIMEOUT_S, source_address=(host, 0))
        key = NodeKey(os.urandom(32))
        self._noise = NoiseTransport(key, chain_id, os.urandom, outbound=True)
        self._frames = FrameReader(MAX_FRAME_BYTES)
        self.seen: list[Message] = []
        """All that the node has said."""
        self.is_closed = False
        self.socket.sendall(self._noise.opening())
        if greets:
            hello = partial(Hello, protocol_version=1, chain_id=chain_id, node_id=key.public)
            self.send(
                hello(
                    head_num=head[0],
                    head_id=head[1],
                    head_time=0,
                    lib_num=0,
                    lib_id=BlockId(bytes(20)),
                    user_agent="test",
                    listen_port=0,
                    time_ms=int(time.time() * 1_000),
                )
            )
            self.wait_for(Hello)
            self.send(HelloAccepted())

    def send(self, *messages: Message) -> None:
        """Send messages; nothing happens once the node has closed the connection."""
        data = b"".join(encode_frame(encode_message(message)) for message in messages)
        try:
            self.socket.sendall(self._noise.send(data))
        except OSError:
            self.is_closed = True

    def read(self, timeout_s: float = 0.0) -> list[Message]:
        """What the node says within a time; all that has arrived for 0."""
        self.socket.settimeout(timeout_s or 0.001)
        try:
            data = self.socket.recv(1 << 20)
            self.is_closed = self.is_closed or not data
        except TimeoutError:
            return []
        except OSError:
            self.is_closed = True
            return []
        finally:
            self.socket.settimeout(TIMEOUT_S)
        opened = self._noise.receive(data)
        if opened.reply:
            self.socket.sendall(opened.reply)
        self._frames.feed(opened.plain)
        found = []
        while (payload := self._frames.next_frame()) is not None:
            found.append(decode_message(payload))
        self.seen += found
        return found

    def wait_for(self, cls: type[M], timeout_s: float = TIMEOUT_S) -> M:
        """The first message of a class from now on."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not self.is_closed:
            for message in self.read(0.2):
                if isinstance(message, cls):
                    return message
        raise AssertionError(f"no {cls.__name__}; seen: {self.seen[-5:]}")

    def goodbye(self, timeout_s: float = TIMEOUT_S) -> int | None:
        """The code with which the node closes the connection; None if it does not in time."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not self.is_closed:
            self.read(0.2)
        codes = [message.code for message in self.seen if isinstance(message, Goodbye)]
        return codes[0] if codes else None

    def close(self) -> None:
        """End the connection."""
        self.socket.close()
