"""T-P9: a thousand liars tell a node of each other; it keeps connections to honest nodes."""

from __future__ import annotations

import json
from random import Random

import pytest

from node.p2p.config import PeerConfig
from node.p2p.effects import (
    BlockReceived,
    ClosePeer,
    OpenConnection,
    PeerAddress,
    PeerKey,
    SendBytes,
)
from node.p2p.manager import PeerManager
from node.p2p.peer_database import ANCHORS
from protocol.p2p.framing import MAX_FRAME_BYTES, FrameReader, encode_frame
from protocol.p2p.message_codec import decode_message, encode_message
from protocol.p2p.messages import (
    Addresses,
    BlockMessage,
    Fetch,
    GetAddresses,
    Inventory,
    ItemKind,
    KnownAddress,
    Message,
)
from protocol.p2p.transport import PlainTransport
from tests.support.fake_chain import FakeChain, id_of_block, make_block
from tests.support.fake_network import START_MS, make_hello, node_id_of

LIARS = [PeerAddress(f"11.{n % 100}.{n // 100}.1", 1776) for n in range(1_000)]
HONEST = [PeerAddress(f"12.{n}.0.1", 1776) for n in range(30)]
HOUR_S = 3_600


class World:
    """One node among honest ones and liars, who answer whatever they are asked at once."""

    def __init__(self, seed: int, seeds: tuple[PeerAddress, ...] = tuple(HONEST[:2])) -> None:
        self.rng = Random(seed)
        self.chain = FakeChain()
        self.config = PeerConfig(node_id_of("victim"), "test", 1776, seeds)
        self.lives = Random(f"victim {seed}")
        self.open: dict[PeerKey, tuple[PeerAddress, FrameReader]] = {}
        self.last_key = 0
        self.start()

    def start(self, remembered: object = None) -> None:
        """The node starts, knowing what its file says."""
        self.open.clear()
        self.manager = PeerManager(
            self.chain, self.config, Random(self.lives.random()), make_transport=PlainTransport
        )
        if remembered is not None:
            self.manager.database.load_json(remembered)

    def run(self, from_s: int, seconds: int) -> None:
        """Let time pass."""
        for second in range(from_s, from_s + seconds, 2):
            now_ms = START_MS + second * 1_000
            self.manager.tick(now_ms)
            self.carry(now_ms)
            for key in list(self.open):
                self.manager.received(key, b"", now_ms)

    def live_an_hour(self) -> None:
        """Connections to honest nodes break every minute but for the last ten, those of liars
        never."""
        for second in range(0, HOUR_S, 2):
            now_ms = START_MS + second * 1_000
            self.manager.tick(now_ms)
            self.carry(now_ms)
            if second % 60 == 0 and second < HOUR_S - 600:
                self.reset_one(now_ms)
                self.carry(now_ms)
            for key in list(self.open):
                self.manager.received(key, b"", now_ms)

    def make_block(self, now_ms: int) -> None:
        """Honest nodes announce a block, and deliver it when asked."""
        self.newest = make_block(self.chain.head_id)
        known = Inventory(ItemKind.BLOCK, (id_of_block(self.newest),))
        for key, (address, _) in list(self.open.items()):
            if address in HONEST:
                self._say(key, known, now_ms)
        self.carry(now_ms)

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
                            self._answer(effect.peer, address, decode_message(payload), now_ms)
                    case BlockReceived():
                        assert self.chain.push(effect.data) is None
                        self.manager.block_accepted(effect.front.id, [effect.front.id], now_ms)
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

    def _answer(self, key: PeerKey, address: PeerAddress, message: Message, now_ms: int) -> None:
        match message:
            case GetAddresses():
                self._say(key, self._told_by(address), now_ms)
            case Fetch(kind=ItemKind.BLOCK):
                self._say(key, BlockMessage(self.newest), now_ms)
            case _:
                pass

    def _told_by(self, address: PeerAddress) -> Addresses:
        known = [*HONEST, *LIARS] if address in HONEST else LIARS
        told = self.rng.sample(known, 200)
        return Addresses(tuple(KnownAddress(host, port, 1) for host, port in told))


@pytest.mark.parametrize("seed", range(2))
def test_a_thousand_liars_do_not_surround_a_node(seed: int) -> None:
    """T-P9: after an hour in which connections to honest nodes broke every minute, and those of
    liars never, one at least leads to an honest node; of each network there is one. Of a thousand
    seeds `scripts/threats --only T-P9` tells."""
    world = World(seed)
    world.live_an_hour()
    assert 8 <= len(world.open) <= 9
    groups = {address.host.rsplit(".", 2)[0] for address, _ in world.open.values()}
    assert len(groups) >= 8
    assert len(world.manager.database) <= 1_000
    assert world.honest_count() >= 1


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("has_blocks", [True, False])
def test_a_node_that_is_made_to_start_again_keeps_honest_peers(seed: int, has_blocks: bool) -> None:
    """T-P9: once liars fill its table, whoever ends it again and again surrounds it no time.

    It has no seeds. Its anchors are those that delivered the last blocks, or were so before.
    """
    world = World(seed, seeds=())
    for address in HONEST[:10]:
        assert world.manager.database.add(address, "", world.rng)
    world.run(0, 100)
    for _ in range(4):
        world.reset_one(START_MS + 100_000)
    world.run(100, 100)
    assert len(world.manager.database) > 500
    for life in range(1, 13):
        now_s = life * 200
        if has_blocks:
            world.make_block(START_MS + now_s * 1_000)
        remembered = json.loads(json.dumps(world.manager.remembered()))
        anchors = [row["host"] for row in remembered["peers"] if row["anchor"]]
        assert len(anchors) == ANCHORS
        assert not has_blocks or any(host.startswith("12.") for host in anchors)
        world.start(remembered)
        world.run(now_s, 30)
        assert world.honest_count() >= 1
