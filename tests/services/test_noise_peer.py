"""T-P12: another implementation of Noise as a peer, over real sockets, in both roles."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from time import time

import pytest
import trio
from noise.connection import Keypair, NoiseConnection

from node.p2p.config import PeerConfig
from node.p2p.effects import ClosePeer, OpenConnection, PeerAddress, PeerKey, PeerReady, SendBytes
from node.p2p.manager import PeerManager
from node.services.p2p_server import PeerConnections
from protocol.p2p.framing import MAX_FRAME_BYTES, FrameReader, encode_frame
from protocol.p2p.message_codec import decode_message, encode_message
from protocol.p2p.messages import GetAddresses, Hello, HelloAccepted, Message, Ping, Pong
from protocol.p2p.noise import REKEY_AFTER, NodeKey
from protocol.p2p.noise_transport import PADDING, NoiseTransport, prologue
from tests.support.fake_chain import CHAIN_ID, FakeChain
from tests.support.fake_network import make_hello

OURS = NodeKey(b"o" * 32)
THEIRS = NodeKey(b"t" * 32)
NAME = b"Noise_XX_25519_ChaChaPoly_SHA256"


class SocketNode:
    """A peer layer and its connections, without a core."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.manager = PeerManager(
            FakeChain(),
            PeerConfig(OURS.public, "test"),
            Random(1),
            make_transport=partial(NoiseTransport, OURS, CHAIN_ID, os.urandom),
        )
        self.connections = PeerConnections(self, nursery)
        self.ready = trio.Event()

    def peer_connected(self, peer: PeerKey, address: PeerAddress, *, outbound: bool) -> None:
        self.manager.connected(peer, address, outbound=outbound, now_ms=now_ms())
        self.carry_out()

    def peer_received(self, peer: PeerKey, data: bytes) -> None:
        self.manager.received(peer, data, now_ms())
        self.carry_out()

    def is_peer_active(self, peer: PeerKey) -> bool:
        return self.manager.is_active(peer)

    def peer_written(self, peer: PeerKey, size: int) -> None:
        self.manager.written(peer, size, now_ms())
        self.carry_out()

    def peer_disconnected(self, peer: PeerKey) -> None:
        self.manager.disconnected(peer, now_ms())
        self.carry_out()

    def dial_failed(self, address: PeerAddress) -> None:
        raise AssertionError(address)

    def carry_out(self) -> None:
        for effect in self.manager.take_effects():
            match effect:
                case SendBytes():
                    self.connections.send(effect.peer, effect.data)
                case ClosePeer():
                    self.connections.close(effect.peer)
                case OpenConnection():
                    self.connections.dial(effect.address)
                case PeerReady():
                    self.ready.set()
                case _:
                    raise AssertionError(effect)


class ForeignPeer:
    """`noiseprotocol` at the other end of a socket, and our frames inside."""

    def __init__(self, stream: trio.SocketStream, *, initiator: bool) -> None:
        self.stream = stream
        self.noise = foreign(initiator=initiator)
        self.frames = FrameReader(MAX_FRAME_BYTES)
        self.received = b""

    async def read(self) -> bytes:
        """One Noise message."""
        while len(self.received) < 2 or len(self.received) < 2 + self._length():
            data = await self.stream.receive_some()
            assert data, "closed"
            self.received += bytes(data)
        end = 2 + self._length()
        message, self.received = self.received[2:end], self.received[end:]
        return message

    async def write(self, message: bytes) -> None:
        """Send one Noise message."""
        await self.stream.send_all(len(message).to_bytes(2, "big") + message)

    async def say(self, *messages: Message) -> None:
        """Send messages of the peer protocol."""
        for message in messages:
            sealed = self.noise.encrypt(encode_frame(encode_message(message)))
            await self.write(bytes(sealed))

    async def hear(self) -> Message:
        """The next message of the peer protocol."""
        while (payload := self.frames.next_frame()) is None:
            self.frames.feed(bytes(self.noise.decrypt(await self.read())))
        return decode_message(payload)

    def _length(self) -> int:
        return int.from_bytes(self.received[:2], "big")


def now_ms() -> int:
    return int(time() * 1_000)


def foreign(*, initiator: bool) -> NoiseConnection:
    """A fresh connection of the other implementation."""
    noise = NoiseConnection.from_name(NAME)
    noise.set_prologue(prologue(CHAIN_ID))
    noise.set_keypair_from_private_bytes(Keypair.STATIC, THEIRS.reveal())
    noise.set_as_initiator() if initiator else noise.set_as_responder()
    noise.start_handshake()
    return noise


def their_hello() -> Hello:
    return make_hello(node_id=THEIRS.public, time_ms=now_ms())


@asynccontextmanager
async def socket_node() -> AsyncIterator[SocketNode]:
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            yield SocketNode(nursery)
            nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_another_implementation_dials_us() -> None:
    """T-P12: as the initiator it greets, is answered, and pings; its key is what we know it by."""
    async with socket_node() as node:
        port = await node.connections.nursery.start(node.connections.listen, "127.0.0.1", 0)
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            peer = ForeignPeer(stream, initiator=True)
            await peer.write(bytes(peer.noise.write_message(PADDING)))
            assert peer.noise.read_message(await peer.read()) == b""
            await peer.write(bytes(peer.noise.write_message()))
            await peer.say(their_hello())
            hello = await peer.hear()
            assert isinstance(hello, Hello)
            assert hello.node_id == OURS.public
            await peer.say(HelloAccepted(), Ping(7))
            assert await peer.hear() == Pong(7)
            (row,) = node.manager.statistics().peers
            assert row.node_id == THEIRS.public
            assert not row.outbound


@pytest.mark.trio
async def test_another_implementation_answers_us() -> None:
    """T-P12: as the responder; ours is the key that the handshake showed it."""
    async with socket_node() as node:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        node.connections.dial(PeerAddress("127.0.0.1", port))
        async with await listener.accept() as stream:
            peer = ForeignPeer(stream, initiator=False)
            assert peer.noise.read_message(await peer.read()) == PADDING
            await peer.write(bytes(peer.noise.write_message()))
            assert peer.noise.read_message(await peer.read()) == b""
            hello = await peer.hear()
            assert isinstance(hello, Hello)
            assert hello.node_id == OURS.public
            await peer.say(their_hello())
            assert await peer.hear() == HelloAccepted()
            assert await peer.hear() == GetAddresses()
            await node.ready.wait()
            (row,) = node.manager.statistics().peers
            assert row.node_id == THEIRS.public
            assert row.outbound
        await listener.aclose()


@pytest.mark.parametrize("initiator", [True, False])
def test_keys_are_replaced_as_the_specification_says(initiator: bool) -> None:
    """T-P12: the other implementation follows our change of keys after `REKEY_AFTER` messages."""
    ours = NoiseTransport(OURS, CHAIN_ID, os.urandom, outbound=not initiator)
    noise = foreign(initiator=initiator)

    def framed(message: bytearray) -> bytes:
        return len(message).to_bytes(2, "big") + bytes(message)

    if initiator:
        noise.read_message(ours.receive(framed(noise.write_message(PADDING))).reply[2:])
        ours.receive(framed(noise.write_message()))
    else:
        noise.read_message(ours.opening()[2:])
        noise.read_message(ours.receive(framed(noise.write_message())).reply[2:])
    assert ours.remote_key == THEIRS.public
    for number in range(REKEY_AFTER + 10):
        if number == REKEY_AFTER:
            noise.rekey_inbound_cipher()
            noise.rekey_outbound_cipher()
        text = number.to_bytes(4, "big")
        assert noise.decrypt(ours.send(text)[2:]) == text
        assert ours.receive(framed(noise.encrypt(text))).plain == text
