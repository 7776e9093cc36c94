"""T-P1, T-P7, T-P10: everything that one connection may bring to the peer layer.

The first byte says who dialled and whether the other greets first. Then come steps: a byte for
what happens, one for a length, and so many bytes.
"""

from __future__ import annotations

from node.p2p.effects import (
    BlockReceived,
    ClosePeer,
    Effect,
    PeerAddress,
    PeerKey,
    SendBytes,
    TransactionReceived,
)
from node.p2p.manager import PeerManager
from protocol.p2p.framing import MAX_FRAME_BYTES, FrameReader, encode_frame
from protocol.p2p.message_codec import decode_message, encode_message
from protocol.p2p.messages import Goodbye, Hello, HelloAccepted, Inventory, ItemKind
from tests.fuzz.targets import Refused, accepted
from tests.support.fake_chain import FakeChain
from tests.support.fake_network import START_MS, make_hello, make_manager
from tests.unit.test_p2p_messages import EXAMPLES

MAX_BYTES = 2_048
PEER = PeerKey(1)
HOST = "10.9.0.1"
BLOCKS = 5
RAW, FRAMED, WAIT, KINDS = 0, 1, 2, 3
EFFECTS_MAX = 5_000
"""That one input may cause; more is a storm."""


def seeds() -> list[bytes]:
    """Each message after a greeting, all of them, and the honest course of a sync."""
    payloads = [encode_message(message) for message in EXAMPLES]
    steps = [bytes((FRAMED, len(payload))) + payload for payload in payloads if len(payload) < 256]
    chain = FakeChain()
    chain.extend(BLOCKS + 1)
    offer = encode_message(Inventory(ItemKind.BLOCK, (chain.head_id,)))
    offered = bytes((FRAMED, len(offer))) + offer + bytes((WAIT, 1))
    starts = [b"\2", b"\3"]
    return [start + step for start in starts for step in steps] + [
        b"\0" + b"".join(steps[:2]),
        *(b"\0" + step for step in steps[2:]),
        b"\2" + offered + bytes((WAIT, 200)),
        b"\1" + b"".join(steps) + bytes((WAIT, 255)),
    ]


class Connection:
    """A manager with one connection, and what it did because of it."""

    def __init__(self, *, outbound: bool) -> None:
        self.chain = FakeChain()
        self.chain.extend(BLOCKS)
        self.manager: PeerManager = make_manager(self.chain)
        self.now_ms = START_MS
        self.frames = FrameReader(MAX_FRAME_BYTES)
        self.is_open = True
        self.was_greeted = False
        self.effects = 0
        address = PeerAddress(HOST, 1776 if outbound else 50_000)
        self.manager.connected(PEER, address, outbound=outbound, now_ms=self.now_ms)
        self.carry_out()

    def bring(self, data: bytes) -> None:
        """Bytes of the other end."""
        self.manager.received(PEER, data, self.now_ms)
        self.carry_out()

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        for _ in range(seconds):
            self.now_ms += 1_000
            self.manager.tick(self.now_ms)
            self.carry_out()

    def carry_out(self) -> None:
        """Do what the manager wants, and check that it may want it."""
        while effects := self.manager.take_effects():
            self.effects += len(effects)
            assert self.effects <= EFFECTS_MAX, "a storm of effects"
            for effect in effects:
                self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case SendBytes():
                assert self.is_open, "sent after the connection was closed"
                self.manager.written(effect.peer, len(effect.data), self.now_ms)
                self.frames.feed(effect.data)
                while (payload := self.frames.next_frame()) is not None:
                    message = decode_message(payload)
                    self.was_greeted |= isinstance(message, Hello)
                    assert self.was_greeted or isinstance(message, Goodbye), "told a stranger"
            case ClosePeer():
                assert self.is_open, "closed twice"
                assert effect.reason.isprintable()
                self.is_open = False
            case BlockReceived():
                before = set(self.chain.main)
                refusal = self.chain.push(effect.data)
                block_id = effect.front.id
                if refusal is None:
                    applied = [new for new in self.chain.main if new not in before]
                    self.manager.block_accepted(block_id, applied, self.now_ms)
                else:
                    self.manager.block_rejected(effect.peer, block_id, refusal, self.now_ms)
            case TransactionReceived():
                self.chain.add_transaction(effect.envelope)
                self.manager.announce_transaction(effect.envelope, self.now_ms)


@accepted
def check(data: bytes) -> None:
    """Whatever comes, the manager goes on; who breaks a rule is closed, once."""
    if not data:
        raise Refused
    connection = Connection(outbound=bool(data[0] & 1))
    if data[0] & 2:
        messages = (make_hello(),) if data[0] & 1 else (make_hello(), HelloAccepted())
        connection.bring(b"".join(encode_frame(encode_message(item)) for item in messages))
        assert connection.is_open, "an honest greeting refused"
    at = 1
    while at + 1 < len(data) and connection.is_open:
        kind, length = data[at] % KINDS, data[at + 1]
        body = data[at + 2 : at + 2 + length]
        at += 2
        if kind == WAIT:
            connection.wait(length)
            continue
        at += len(body)
        if body:
            connection.bring(encode_frame(body) if kind == FRAMED else body)
    statistics = connection.manager.statistics()
    assert len(statistics.peers) == connection.is_open
    connection.manager.disconnected(PEER, connection.now_ms)
    connection.wait(5)
    statistics = connection.manager.statistics()
    assert statistics.peers == ()
    assert statistics.wanted_items == 0, "items wanted of nobody"
    if not connection.was_greeted:
        raise Refused
