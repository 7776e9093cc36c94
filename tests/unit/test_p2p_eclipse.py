"""T-P9: a thousand liars tell a node of each other; it keeps connections to honest nodes."""

from __future__ import annotations

from random import Random

import pytest

from node.p2p.config import PeerConfig
from node.p2p.effects import ClosePeer, OpenConnection, PeerAddress, PeerKey, SendBytes
from node.p2p.manager import PeerManager
from protocol.p2p.framing import MAX_FRAME_BYTES, FrameReader, encode_frame
from protocol.p2p.message_codec import decode_message, encode_message
from protocol.p2p.messages import Addresses, GetAddresses, KnownAddress, Message
from protocol.p2p.transport import PlainTransport
from tests.support.fake_chain import FakeChain
from tests.support.fake_network import START_MS, make_hello, node_id_of

LIARS = [PeerAddress(f"11.{n % 100}.{n // 100}.1", 1776) for n in range(1_000)]
HONEST = [PeerAddress(f"12.{n}.0.1", 1776) for n in range(30)]
HOUR_S = 3_600


class World:
    """One node among honest ones and liars, who answer whatever they are asked at once."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        config = PeerConfig(node_id_of("victim"), "test", 1776, tuple(HONEST[:2]))
        self.manager = PeerManager(
            FakeChain(), config, Random(f"victim {seed}"), make_transport=PlainTransport
        )
        self.open: dict[PeerKey, tuple[PeerAddress, FrameReader]] = {}
        self.last_key = 0

    def honest_count(self) -> int:
        """Connections that lead to honest nodes."""
        return sum(address in HONEST for address, _ in self.open.values())

    def carry(self, now_ms: int) -> None:
        """Do what the node wants."""
        while effects := self.manager.take_effects():
            for effect in effects:
                match effect:
                    case OpenConnection():
                        self._dial(effect.address, now_ms)
                    case ClosePeer():
                        self.open.pop(effect.peer, None)
                    case SendBytes() if effect.peer in self.open:
                        address, frames = self.open[effect.peer]
                        frames.feed(effect.data)
                        while (payload := frames.next_frame()) is not None:
                            if isinstance(decode_message(payload), GetAddresses):
                                self._say(effect.peer, self._told_by(address), now_ms)
                    case _:
                        pass

    def reset_one(self, now_ms: int) -> None:
        """A connection breaks; those of liars never do."""
        mine = [key for key, (address, _) in self.open.items() if address in HONEST]
        if mine:
            key = self.rng.choice(mine)
            del self.open[key]
            self.manager.disconnected(key, now_ms)

    def _dial(self, address: PeerAddress, now_ms: int) -> None:
        if address in HONEST and self.rng.random() < 0.3:
            self.manager.connection_failed(address, now_ms)
            return
        self.last_key += 1
        key = PeerKey(self.last_key)
        self.open[key] = address, FrameReader(MAX_FRAME_BYTES)
        self.manager.connected(key, address, outbound=True, now_ms=now_ms)
        self._say(key, make_hello(str(address), time_ms=now_ms), now_ms)

    def _say(self, key: PeerKey, message: Message, now_ms: int) -> None:
        self.manager.received(key, encode_frame(encode_message(message)), now_ms)

    def _told_by(self, address: PeerAddress) -> Addresses:
        known = [*HONEST, *LIARS] if address in HONEST else LIARS
        told = self.rng.sample(known, 200)
        return Addresses(tuple(KnownAddress(host, port, 1) for host, port in told))


@pytest.mark.parametrize("seed", range(4))
def test_a_thousand_liars_do_not_surround_a_node(seed: int) -> None:
    """T-P9: after an hour in which connections to honest nodes broke every minute, and those of
    liars never, one at least leads to an honest node; of each network there is one."""
    world = World(seed)
    for second in range(0, HOUR_S, 2):
        now_ms = START_MS + second * 1_000
        world.manager.tick(now_ms)
        world.carry(now_ms)
        if second % 60 == 0 and second < HOUR_S - 600:
            world.reset_one(now_ms)
            world.carry(now_ms)
        for key in list(world.open):
            world.manager.received(key, b"", now_ms)
    assert 8 <= len(world.open) <= 9
    groups = {address.host.rsplit(".", 2)[0] for address, _ in world.open.values()}
    assert len(groups) >= 8
    assert len(world.manager.database) <= 1_000
    assert world.honest_count() >= 1
