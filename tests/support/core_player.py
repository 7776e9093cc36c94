"""A peer of a node core that a test plays itself, message by message."""

from __future__ import annotations

from collections.abc import Iterable

from node.core.effects import Report
from node.p2p.effects import PeerAddress, PeerKey, SendBytes
from protocol.block import BlockEnvelope
from protocol.p2p.framing import MAX_FRAME_BYTES, FrameReader, encode_frame
from protocol.p2p.message_codec import decode_message, encode_message
from protocol.p2p.messages import (
    BlockMessage,
    Fetch,
    HelloAccepted,
    Inventory,
    ItemKind,
    Message,
)
from tests.support.core_nodes import START_MS, CoreNode
from tests.support.fake_network import make_hello


class End:
    """A test's end of a connection to a node core; the node's effects are somebody else's."""

    def __init__(self, node: CoreNode, key: int, now_ms: int = START_MS) -> None:
        self.node = node
        self.key = PeerKey(key)
        self.now_ms = now_ms
        self._frames = FrameReader(MAX_FRAME_BYTES)
        address = PeerAddress(f"10.{key % 250}.{key // 250 % 250}.1", 50_000)
        node.core.peer_connected(self.key, address, now_ms, outbound=False)
        hello = make_hello(f"player {key}", chain_id=node.chain.chain_id, time_ms=now_ms)
        self.say(hello, HelloAccepted())

    def say(self, *messages: Message) -> None:
        """Send messages."""
        data = b"".join(encode_frame(encode_message(message)) for message in messages)
        self.node.core.peer_received(self.key, data, self.now_ms)

    def hear(self, effects: Iterable[object]) -> list[Message]:
        """What the node says to this end with some effects."""
        for effect in effects:
            if isinstance(effect, SendBytes) and effect.peer == self.key:
                self._frames.feed(effect.data)
        messages: list[Message] = []
        while (payload := self._frames.next_frame()) is not None:
            messages.append(decode_message(payload))
        return messages


class Player(End):
    """One peer of a node, played message by message."""

    def __init__(self, node: CoreNode, key: int, now_ms: int = START_MS) -> None:
        self.effects: list[object] = []
        super().__init__(node, key, now_ms)
        self.take()

    def send(self, message: Message) -> list[Message]:
        """Send a message; what the node answers this peer."""
        self.say(message)
        return self.take()

    def take(self) -> list[Message]:
        """What the node has done since the last call, and says to this peer."""
        taken = self.node.core.take_effects()
        self.effects += taken
        for effect in taken:
            if isinstance(effect, SendBytes):
                self.node.core.peer_written(effect.peer, len(effect.data), self.now_ms)
        return self.hear(taken)

    def deliver(self, made: BlockEnvelope, data: bytes) -> str:
        """Announce a block and deliver these bytes for it; why the node refused them, or ""."""
        wanted = (made.id,)
        answers = self.send(Inventory(ItemKind.BLOCK, wanted))
        assert answers == [Fetch(ItemKind.BLOCK, wanted)]
        self.effects.clear()
        self.send(BlockMessage(data))
        refused = [item for item in self.effects if isinstance(item, Report)]
        reasons = [str(item.fields["reason"]) for item in refused if item.name == "block_rejected"]
        return "".join(reasons)
