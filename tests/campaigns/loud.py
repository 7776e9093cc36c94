"""Peers and clients that ask for too much: python -m tests.campaigns.loud P2P API CHAIN_ID N

N of each, one after the other in every way that `PEERS` and `CLIENTS` have; see RELIABILITY,
T-P1, T-P2, T-P5, T-P7, T-A1 and T-A3.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable

import trio

from protocol.p2p.framing import encode_frame
from protocol.p2p.messages import MAX_FETCH_IDS, MAX_INVENTORY_IDS, Fetch, Inventory, ItemKind
from protocol.schema import Digest
from tests.campaigns.slow_peers import (
    COME_BACK_S,
    NICENESS,
    READY,
    SlowPeer,
    sealed,
    source_of,
    wait_for_end,
)

FIRST_SOURCE = 5_000
"""Addresses from here on are nobody else's."""
PAUSE_S = 0.3
FRAME_BYTES = 2_000_000
BOMBS = (
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"id":1,"method":"call","params":[0,"get_objects",[['
    + b'"1.2.17",' * 100_000
    + b'"1.2.0"]]]}',
    b"[" + b"1e999," * 150_000 + b"1]",
)
LONG = json.dumps([{"jsonrpc": "2.0", "id": 1, "method": "rpc.discover"}] * 50).encode()
IDS = 20
HEAD_NUM = (1).to_bytes(4, "big")


class LoudPeer(SlowPeer):
    """A peer that greets and then says what costs memory."""

    def ways(self) -> tuple[Way, ...]:
        """What such a peer does."""
        return PEERS

    async def announce(self, stream: trio.SocketStream, kind: ItemKind) -> None:
        """Tell of as much as goes into a message, over and over, and of nothing that exists."""
        transport = await self.greet(stream)
        front = HEAD_NUM if kind is ItemKind.BLOCK else b""
        while True:
            ids = tuple(front + os.urandom(IDS - len(front)) for _ in range(MAX_INVENTORY_IDS))
            await stream.send_all(sealed(transport, Inventory(kind, ids)))
            with trio.move_on_after(PAUSE_S):
                await wait_for_end(stream)

    async def announce_transactions(self, stream: trio.SocketStream) -> None:
        """T-P7."""
        await self.announce(stream, ItemKind.TRANSACTION)

    async def announce_blocks(self, stream: trio.SocketStream) -> None:
        """T-P7."""
        await self.announce(stream, ItemKind.BLOCK)

    async def ask_for_items(self, stream: trio.SocketStream) -> None:
        """T-P7, T-P11: fetch what nobody has."""
        transport = await self.greet(stream)
        while True:
            ids = tuple(os.urandom(IDS) for _ in range(MAX_FETCH_IDS))
            await stream.send_all(sealed(transport, Fetch(ItemKind.TRANSACTION, ids)))
            await trio.sleep(PAUSE_S)

    async def send_junk(self, stream: trio.SocketStream) -> None:
        """T-P1, T-P2: frames that are no messages."""
        transport = await self.greet(stream)
        while True:
            await stream.send_all(transport.send(encode_frame(b"\xdd" + os.urandom(1_000))))
            await trio.sleep(PAUSE_S)

    async def stop_in_a_frame(self, stream: trio.SocketStream) -> None:
        """T-P5: nearly all of the largest frame, and then nothing."""
        transport = await self.greet(stream)
        await stream.send_all(transport.send(encode_frame(bytes(FRAME_BYTES))[: FRAME_BYTES - 9]))
        await wait_for_end(stream)


Way = Callable[[LoudPeer, trio.SocketStream], Awaitable[None]]
PEERS: tuple[Way, ...] = (
    LoudPeer.announce_transactions,
    LoudPeer.announce_blocks,
    LoudPeer.ask_for_items,
    LoudPeer.send_junk,
    LoudPeer.stop_in_a_frame,
)


async def send_bombs(stream: trio.SocketStream) -> None:
    """T-A1: what is costly to read."""
    for bomb in BOMBS:
        await stream.send_all(post(bomb[: 1 << 20]))
        await stream.receive_some(1 << 16)
        await trio.sleep(PAUSE_S)


async def read_nothing(stream: trio.SocketStream) -> None:
    """T-A2, T-A3: the longest answers, of which none is read."""
    await stream.send_all(post(LONG))
    await trio.sleep(20)


async def trickle(stream: trio.SocketStream) -> None:
    """T-A3: a request that never ends."""
    request = post(bytes(1 << 20))
    for at in range(0, len(request), 20_000):
        await stream.send_all(request[at : at + 20_000])
        await trio.sleep(1)


CLIENTS = (send_bombs, read_nothing, trickle)


def post(body: bytes) -> bytes:
    """A request over HTTP."""
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Content-Type: application/json\r\n\r\n" + body


async def be_client(port: int, number: int) -> None:
    """One connection after the other to the API, in one way."""
    source = source_of(FIRST_SOURCE + number)
    while True:
        try:
            async with await trio.open_tcp_stream(
                "127.0.0.1", port, local_address=source
            ) as stream:
                await CLIENTS[number % len(CLIENTS)](stream)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            """Closed meanwhile."""
        await trio.sleep(COME_BACK_S)


async def run_all(p2p_port: int, api_port: int, chain_id: Digest, count: int) -> None:
    """Attack for ever."""
    async with trio.open_nursery() as nursery:
        for number in range(count):
            peer = LoudPeer(FIRST_SOURCE + number, p2p_port, chain_id)
            nursery.start_soon(peer.run)
            nursery.start_soon(be_client, api_port, number)
        print(READY, end="", flush=True)


def main() -> None:
    """Become those that the command line names."""
    p2p_port, api_port, chain_id, count = sys.argv[1:]
    os.nice(NICENESS)
    chain = Digest(bytes.fromhex(chain_id))
    trio.run(run_all, int(p2p_port), int(api_port), chain, int(count))


if __name__ == "__main__":
    main()
