"""Peer managers wired by links in memory: bytes, delays and broken connections from one seed."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from random import Random
from typing import assert_never

from node.p2p.config import PeerConfig
from node.p2p.effects import (
    BlockReceived,
    BlockRefetched,
    ClosePeer,
    Effect,
    OpenConnection,
    PeerAddress,
    PeerKey,
    PeerPenalised,
    PeerReady,
    SendBytes,
    SplitClaimed,
    TransactionReceived,
    VoteReceived,
)
from node.p2p.limits import PeerLimits
from node.p2p.manager import PeerManager
from node.p2p.peer_database import PeerDatabase
from protocol.p2p.framing import MAX_FRAME_BYTES, FrameReader, encode_frame
from protocol.p2p.message_codec import decode_message, encode_message
from protocol.p2p.messages import Goodbye, Hello, HelloAccepted, Message
from protocol.p2p.noise import NodeKey
from protocol.p2p.noise_transport import NoiseTransport
from protocol.p2p.transport import PlainTransport, Transport, TransportMaker
from tests.support.fake_chain import CHAIN_ID, FakeChain

START_MS = 1_700_000_000_000
TICK_MS = 100


def node_id_of(name: str) -> bytes:
    """The node id of a name."""
    return sha256(name.encode()).digest()


@dataclass
class FakeNode:
    """A manager with its chain, and a record of what it wanted done."""

    name: str
    address: PeerAddress
    chain: FakeChain
    manager: PeerManager
    links: dict[PeerKey, Link] = field(default_factory=dict)
    closed: list[ClosePeer] = field(default_factory=list)
    penalties: list[PeerPenalised] = field(default_factory=list)
    blocks_received: Counter[bytes] = field(default_factory=Counter)
    transactions_received: Counter[bytes] = field(default_factory=Counter)
    dials: list[tuple[int, PeerAddress]] = field(default_factory=list)
    is_silent: bool = False
    """What it sends is lost, and its connections stay open."""


@dataclass
class Link:
    """One connection; its ends have keys, so that a node may even dial itself."""

    owners: dict[PeerKey, str]
    arrivals_ms: dict[PeerKey, int]
    is_open: bool = True

    def other(self, key: PeerKey) -> PeerKey:
        """The key of the other end."""
        (found,) = (item for item in self.owners if item != key)
        return found


class FakeNetwork:
    """Nodes and links; `run` lets simulated time pass."""

    def __init__(self, seed: int = 1, break_rate: float = 0.0) -> None:
        self.rng = Random(seed)
        self.break_rate = break_rate
        """Chance that a link breaks when bytes are sent over it."""
        self.now_ms = START_MS
        self.nodes: dict[str, FakeNode] = {}
        self.event_count = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._sequence = 0
        self._next_key = 0

    def add_node(
        self,
        name: str,
        chain: FakeChain | None = None,
        *,
        seeds: tuple[str, ...] = (),
        limits: PeerLimits | None = None,
        key: NodeKey | None = None,
    ) -> FakeNode:
        """A node that listens on its own address and dials the seeds, given by their names.

        With a key it speaks encrypted.
        """
        number = len(self.nodes) + 1
        address = PeerAddress(f"10.{number}.0.1", 1776)
        addresses = tuple(self.nodes[seed].address for seed in seeds)
        config = PeerConfig(
            node_id=node_id_of(name) if key is None else key.public,
            user_agent=f"test/{name}",
            listen_port=1776,
            seeds=addresses,
            limits=limits or PeerLimits(),
        )
        chain = chain or FakeChain()
        make_transport: TransportMaker = PlainTransport
        if key is not None:
            make_transport = partial(NoiseTransport, key, chain.chain_id, Random(name).randbytes)
        manager = PeerManager(
            chain, config, Random(name), PeerDatabase(addresses), make_transport=make_transport
        )
        self.nodes[name] = FakeNode(name, address, chain, manager)
        return self.nodes[name]

    def connect(self, dialler: str, listener: str) -> Link:
        """Open a connection as if the one had dialled the other."""
        here, there = self.nodes[dialler], self.nodes[listener]
        near, far = self._key(), self._key()
        link = Link({near: dialler, far: listener}, {near: 0, far: 0})
        here.links[near] = link
        there.links[far] = link
        came_from = PeerAddress(here.address.host, 50_000)
        there.manager.connected(far, came_from, outbound=False, now_ms=self.now_ms)
        here.manager.connected(near, there.address, outbound=True, now_ms=self.now_ms)
        self.carry_out(there)
        self.carry_out(here)
        return link

    def break_link(self, link: Link) -> None:
        """Both ends lose the connection."""
        if not link.is_open:
            return
        link.is_open = False
        for key, name in link.owners.items():
            node = self.nodes[name]
            node.manager.disconnected(key, self.now_ms)
            self.carry_out(node)

    def run(self, duration_ms: int, max_events: int = 200_000) -> None:
        """Deliver bytes and tick all nodes for a while; fails on more than `max_events`."""
        end_ms = self.now_ms + duration_ms
        while self.now_ms < end_ms:
            self.now_ms += TICK_MS
            while self._queue and self._queue[0][0] <= self.now_ms:
                action = heapq.heappop(self._queue)[2]
                action()
                self.event_count += 1
                assert self.event_count <= max_events, "message storm"
            for node in self.nodes.values():
                node.manager.tick(self.now_ms)
                self.carry_out(node)

    def carry_out(self, node: FakeNode) -> None:
        """Do what a manager wants, until it wants no more."""
        while effects := node.manager.take_effects():
            for effect in effects:
                self._carry_out(node, effect)

    def _carry_out(self, node: FakeNode, effect: Effect) -> None:
        match effect:
            case SendBytes():
                node.manager.written(effect.peer, len(effect.data), self.now_ms)
                self._send(node, effect.peer, effect.data)
            case ClosePeer():
                node.closed.append(effect)
                link = node.links[effect.peer]
                self._later(self._arrival_ms(effect.peer, link), lambda: self.break_link(link))
            case OpenConnection():
                node.dials.append((self.now_ms, effect.address))
                self._later(self.now_ms + 1, lambda: self._dial(node, effect.address))
            case BlockReceived():
                self._judge_block(node, effect)
            case TransactionReceived():
                self._judge_transaction(node, effect)
            case PeerPenalised():
                node.penalties.append(effect)
            case PeerReady() | VoteReceived() | BlockRefetched() | SplitClaimed():
                pass
            case _:
                assert_never(effect)

    def _judge_block(self, node: FakeNode, effect: BlockReceived) -> None:
        block_id = effect.front.id
        node.blocks_received[block_id] += 1
        before = set(node.chain.main)
        refusal = node.chain.push(effect.data)
        if refusal is None:
            applied = [new for new in node.chain.main if new not in before]
            node.manager.block_accepted(block_id, applied, self.now_ms)
        else:
            node.manager.block_rejected(effect.peer, block_id, refusal, self.now_ms)

    def _judge_transaction(self, node: FakeNode, effect: TransactionReceived) -> None:
        node.transactions_received[effect.envelope.id] += 1
        node.chain.add_transaction(effect.envelope)
        node.manager.announce_transaction(effect.envelope, self.now_ms)

    def _dial(self, node: FakeNode, address: PeerAddress) -> None:
        for name, other in self.nodes.items():
            if other.address == address:
                self.connect(node.name, name)
                return
        node.manager.connection_failed(address, self.now_ms)
        self.carry_out(node)

    def _send(self, node: FakeNode, key: PeerKey, data: bytes) -> None:
        link = node.links[key]
        if node.is_silent:
            return
        if self.rng.random() < self.break_rate:
            self._later(self.now_ms + 1, lambda: self.break_link(link))
            return
        other = link.other(key)
        self._later(self._arrival_ms(key, link), lambda: self._deliver(link, other, data))

    def _arrival_ms(self, key: PeerKey, link: Link) -> int:
        """Bytes of one direction arrive in order."""
        arrival_ms = max(link.arrivals_ms[key], self.now_ms + self.rng.randrange(5, 60))
        link.arrivals_ms[key] = arrival_ms
        return arrival_ms

    def _deliver(self, link: Link, key: PeerKey, data: bytes) -> None:
        if not link.is_open:
            return
        node = self.nodes[link.owners[key]]
        cut = self.rng.randrange(len(data) + 1)
        for part in (data[:cut], data[cut:]):
            node.manager.received(key, part, self.now_ms)
        self.carry_out(node)

    def _later(self, at_ms: int, action: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._queue, (at_ms, self._sequence, action))

    def _key(self) -> PeerKey:
        self._next_key += 1
        return PeerKey(self._next_key)


class Stranger:
    """The other end of one connection, played by the test message by message."""

    def __init__(
        self,
        manager: PeerManager,
        *,
        key: int = 1,
        host: str = "10.9.0.1",
        outbound: bool = False,
        now_ms: int = START_MS,
        transport: Transport | None = None,
    ) -> None:
        self.manager = manager
        self.transport = transport or PlainTransport(outbound=not outbound)
        self.key = PeerKey(key)
        self.now_ms = now_ms
        self.is_slow = False
        """Whether what it is sent waits in the node's queue until the test says that it left."""
        self.effects: list[Effect] = []
        self._frames = FrameReader(MAX_FRAME_BYTES)
        address = PeerAddress(host, 1776 if outbound else 50_000)
        manager.connected(self.key, address, outbound=outbound, now_ms=now_ms)
        opening = self.transport.opening()
        if opening:
            manager.received(self.key, opening, now_ms)

    def send(self, *messages: Message) -> list[Message]:
        """Send messages in one piece; what the manager answers."""
        data = b"".join(encode_frame(encode_message(message)) for message in messages)
        return self.send_bytes(self.transport.send(data))

    def send_bytes(self, data: bytes) -> list[Message]:
        """Send raw bytes; what the manager answers."""
        self.manager.received(self.key, data, self.now_ms)
        return self.take()

    def tick(self, after_ms: int) -> list[Message]:
        """Let time pass at the manager; what it says."""
        self.now_ms += after_ms
        self.manager.tick(self.now_ms)
        return self.take()

    def take(self) -> list[Message]:
        """What the manager has sent to this end since the last call."""
        while effects := self.manager.take_effects():
            for effect in effects:
                self.effects.append(effect)
                if isinstance(effect, SendBytes) and effect.peer == self.key:
                    if not self.is_slow:
                        self.manager.written(self.key, len(effect.data), self.now_ms)
                    opened = self.transport.receive(effect.data)
                    self._frames.feed(opened.plain)
                    if opened.reply:
                        self.manager.received(self.key, opened.reply, self.now_ms)
        messages: list[Message] = []
        while (payload := self._frames.next_frame()) is not None:
            messages.append(decode_message(payload))
        return messages

    def greet(self, hello: Hello | None = None) -> list[Message]:
        """Finish the handshake of an inbound connection; what the manager says after it."""
        answers = self.send(hello or make_hello())
        assert [type(answer) for answer in answers] == [Hello], answers
        return self.send(HelloAccepted())

    @property
    def closing(self) -> ClosePeer | None:
        """How the manager closed this connection; None while it is open."""
        for effect in self.effects:
            if isinstance(effect, ClosePeer) and effect.peer == self.key:
                return effect
        return None


def peer_of(
    manager: PeerManager, key: int, *, outbound: bool = False, now_ms: int = START_MS
) -> Stranger:
    """An active peer from a network of its own."""
    host = f"10.{key % 250}.{key // 250}.1"
    stranger = Stranger(manager, key=key, host=host, outbound=outbound, now_ms=now_ms)
    hello = make_hello(f"peer {key}", time_ms=now_ms)
    if outbound:
        stranger.send(hello)
    else:
        stranger.greet(hello)
    return stranger


def make_hello(name: str = "stranger", /, **changes: object) -> Hello:
    """An acceptable greeting, with changed fields."""
    fields: dict[str, object] = {
        "protocol_version": 1,
        "chain_id": CHAIN_ID,
        "node_id": node_id_of(name),
        "head_num": 0,
        "head_id": bytes(20),
        "head_time": 0,
        "lib_num": 0,
        "lib_id": bytes(20),
        "user_agent": f"test/{name}",
        "listen_port": 0,
        "time_ms": START_MS,
    }
    make: Callable[..., Hello] = Hello
    return make(**{**fields, **changes})


def make_manager(
    chain: FakeChain | None = None,
    limits: PeerLimits | None = None,
    make_transport: TransportMaker = PlainTransport,
    node_id: bytes = node_id_of("manager"),
    **changes: object,
) -> PeerManager:
    """A manager for tests that play its peers themselves."""
    make: Callable[..., PeerConfig] = PeerConfig
    config = make(
        node_id=node_id,
        user_agent="test/manager",
        listen_port=1776,
        limits=limits or PeerLimits(),
        **changes,
    )
    return PeerManager(chain or FakeChain(), config, Random(7), make_transport=make_transport)


def goodbyes(messages: list[Message]) -> list[int]:
    """The codes of the goodbyes among some messages."""
    return [message.code for message in messages if isinstance(message, Goodbye)]
