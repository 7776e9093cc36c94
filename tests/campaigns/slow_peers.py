"""Slow peers by the hundred: python -m tests.campaigns.slow_peers PORT COUNT CHAIN_ID"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import trio

from protocol.block import NO_BLOCK
from protocol.p2p.framing import encode_frame
from protocol.p2p.message_codec import encode_message
from protocol.p2p.messages import PROTOCOL_VERSION, GetBlockIds, Hello, HelloAccepted, Message
from protocol.p2p.noise import KEY_BYTES, NodeKey
from protocol.p2p.noise_transport import NoiseTransport
from protocol.schema import Digest

NICENESS = 10
"""It is the node that is attacked, and not the machine."""
READY = "ready\n"
COME_BACK_S = 1.0
HOSTS_A_NETWORK = 5
RECEIVE_BYTES = 65_536


class SlowPeer:
    """One connection after the other to a node, by a machine of its own."""

    def __init__(self, number: int, port: int, chain_id: Digest) -> None:
        self.port = port
        self.chain_id = chain_id
        self.source = source_of(number)
        ways = self.ways()
        self.way = ways[number % len(ways)]
        self.key = NodeKey(os.urandom(KEY_BYTES))

    def ways(self) -> Sequence[Callable[[Any, trio.SocketStream], Awaitable[None]]]:
        """What such a peer does."""
        return SLOW

    async def run(self) -> None:
        """Come back whenever the node has had enough."""
        while True:
            try:
                stream = await trio.open_tcp_stream(
                    "127.0.0.1", self.port, local_address=self.source
                )
                async with stream:
                    await self.way(self, stream)
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                """Refused, or closed while writing."""
            await trio.sleep(COME_BACK_S)

    async def say_nothing(self, stream: trio.SocketStream) -> None:
        """Connect, and wait to be closed."""
        await wait_for_end(stream)

    async def trickle(self, stream: trio.SocketStream) -> None:
        """Send the first message of the handshake, a byte a second."""
        for byte in self.transport().opening():
            await stream.send_all(bytes((byte,)))
            await trio.sleep(1)

    async def stop_half_way(self, stream: trio.SocketStream) -> None:
        """Have the node compute keys, and say no more."""
        await stream.send_all(self.transport().opening())
        await wait_for_end(stream)

    async def read_nothing(self, stream: trio.SocketStream) -> None:
        """Greet, ask for blocks as often as one may, and read none of the answers."""
        transport = await self.greet(stream)
        while True:
            await stream.send_all(sealed(transport, GetBlockIds(())))
            await trio.sleep(0.5)

    async def greet(self, stream: trio.SocketStream) -> NoiseTransport:
        """Become a peer like any other."""
        transport = self.transport()
        await stream.send_all(transport.opening())
        second = bytes(await stream.receive_some(RECEIVE_BYTES))
        third = transport.receive(second).reply if second else b""
        await stream.send_all(third + sealed(transport, self.hello()))
        await stream.receive_some(RECEIVE_BYTES)
        await stream.send_all(sealed(transport, HelloAccepted()))
        return transport

    def transport(self) -> NoiseTransport:
        """That of a new connection."""
        return NoiseTransport(self.key, self.chain_id, os.urandom, outbound=True)

    def hello(self) -> Hello:
        """An acceptable greeting."""
        return Hello(
            protocol_version=PROTOCOL_VERSION,
            chain_id=self.chain_id,
            node_id=self.key.public,
            head_num=0,
            head_id=NO_BLOCK,
            head_time=0,
            lib_num=0,
            lib_id=NO_BLOCK,
            user_agent="slow",
            listen_port=0,
            time_ms=time.time_ns() // 1_000_000,
        )


SLOW: tuple[Callable[[SlowPeer, trio.SocketStream], Awaitable[None]], ...] = (
    SlowPeer.say_nothing,
    SlowPeer.trickle,
    SlowPeer.stop_half_way,
    SlowPeer.read_nothing,
)


def source_of(number: int) -> str:
    """The address that an attacker comes from; few of them share a network."""
    network, host = divmod(number, HOSTS_A_NETWORK)
    return f"127.{1 + network // 250}.{network % 250}.{1 + host}"


def sealed(transport: NoiseTransport, message: Message) -> bytes:
    """The bytes of a message on the way."""
    return transport.send(encode_frame(encode_message(message)))


async def wait_for_end(stream: trio.SocketStream) -> None:
    """Read until the other side closes."""
    while await stream.receive_some(RECEIVE_BYTES):
        pass


async def run_all(peers: list[SlowPeer]) -> None:
    """Attack for ever."""
    async with trio.open_nursery() as nursery:
        for peer in peers:
            nursery.start_soon(peer.run)
        print(READY, end="", flush=True)


def main() -> None:
    """Become the slow peers that the command line names."""
    port, count, chain_id = int(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3])
    os.nice(NICENESS)
    trio.run(run_all, [SlowPeer(number, port, Digest(chain_id)) for number in range(count)])


if __name__ == "__main__":
    main()
