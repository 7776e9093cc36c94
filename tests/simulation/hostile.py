"""A node that lies: the production core of any other, with a liar between it and the network.

What it lies in, and how long, comes with the schedule; how, it draws from a seed of its own. It
has the keys of its witnesses, comes from a new address with every connection, and sees the state
of all others, as if it had heard all their messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from random import Random

from msgspec.structs import replace

from node.core.core import NodeCore
from node.p2p.effects import PeerKey, SendBytes
from protocol.block import BlockEnvelope, HeaderEnvelope, block_num_of
from protocol.crypto.signatures import sign_digest
from protocol.errors import PegboardError
from protocol.finality import Vote, vote_digest
from protocol.p2p.framing import LENGTH_BYTES, encode_frame
from protocol.p2p.message_codec import decode_message, encode_message
from protocol.p2p.messages import (
    NODE_ID_BYTES,
    Addresses,
    BlockIds,
    BlockMessage,
    Hello,
    Inventory,
    ItemKind,
    KnownAddress,
    Message,
    NotAvailable,
)
from protocol.schema import BlockId, Digest
from tests.simulation import forgery
from tests.simulation.checkers import Unjudged
from tests.simulation.faults import LIES
from tests.simulation.machine import Duties, Machine, World
from tests.simulation.network import address_of

HEARD_VOTES = 200
"""So many of the last votes it may repeat."""
REDIAL_MS = 2_000
CONNECTIONS = 3
"""With fewer it dials again."""
FEED_LIE_MS = 5_000
FAR_AHEAD = 1_000
"""So many blocks it claims to have that nobody has."""


class Hostile(Machine):
    """A machine whose owner means harm."""

    def __init__(self, world: World, number: int, duties: Duties) -> None:
        super().__init__(world.unjudged(Unjudged(world.checkers)), number, duties)
        self.others: Sequence[Machine] = ()
        """The honest machines."""
        self._until_ms: dict[str, int] = {}
        self._sides: dict[BlockId, int] = {}
        """Blocks of which only every other peer is told: those with odd keys, or with even ones."""
        self._heard: deque[Vote] = deque(maxlen=HEARD_VOTES)
        self._cast: set[tuple[BlockId, BlockId]] = set()
        self._withheld: set[BlockId] = set()
        self._last_own: BlockId | None = None
        self._last_frame = b""
        self._last_feed_ms = 0
        self._faces_until_ms = 0
        world.network.disguise(number)
        world.loop.later(REDIAL_MS, self._redial)

    def look_around(self, core: NodeCore) -> None:
        """Nobody asks a liar."""

    # What the schedule says.

    def lie(self, kind: str, duration_ms: int) -> None:
        """Do so from now on, for a while."""
        assert kind in LIES, kind
        until_ms = self.world.loop.now_ms + duration_ms
        self._until_ms[kind] = max(until_ms, self._until_ms.get(kind, 0))

    def have_two_faces(self, duration_ms: int) -> None:
        """Tell nobody what others say, for a while: each hears one's own votes alone."""
        self._faces_until_ms = self.world.loop.now_ms + duration_ms

    @property
    def has_two_faces(self) -> bool:
        """Whether it stands between two sides that must not hear of each other."""
        return self._faces_until_ms > self.world.loop.now_ms

    def tell_the_truth(self) -> None:
        """Stop all that was planned."""
        self._until_ms.clear()
        self._faces_until_ms = 0

    def does(self, kind: str) -> bool:
        """Whether it lies in this way now."""
        return self._until_ms.get(kind, 0) > self.world.loop.now_ms

    def _count(self, what: str) -> None:
        self.world.checkers.counts[f"hostile {what}"] += 1

    # In its own time.

    def _tick(self) -> None:
        super()._tick()
        if self.core is None:
            return
        for kind, act in ACTS.items():
            if self.does(kind):
                act(self)
        if self._withheld and not self.does("withhold"):
            self._release()

    def _redial(self) -> None:
        """Come back under another name, whoever has banned the last one."""
        near = {node for _, node in self.world.network.neighbours(self.number)}
        far = [one.number for one in self.others if one.number not in near]
        if self.core is not None and far and len(near) < CONNECTIONS and self._until_ms:
            self.world.network.dial(self.number, address_of(self.rng.choice(far)))
        self.world.loop.later(REDIAL_MS, self._redial)

    def equivocate(self) -> None:
        """Sign more blocks of a slot that was one's own, and votes for the head of everybody."""
        own = self._new_own_block()
        if own is not None:
            is_split = self.rng.randrange(2) == 0
            twins = [forgery.make_twin(self, own, at) for at in range(self.rng.randrange(1, 4))]
            for at, block in enumerate((own, *twins)):
                if is_split:
                    self._sides[block.id] = at % 2
                if block is not own:
                    self._count("twins")
                    self._offer(block)
        for other in self.others:
            self._vote_for_head_of(other)

    def _vote_for_head_of(self, other: Machine) -> None:
        """Vote on a fork, whatever was voted before, towards those who are on it."""
        if other.core is None or other.core.chain.head_num == 0:
            return
        chain = other.core.chain
        source = chain.source_of(chain.head_id)
        if source is None or (source, chain.head_id) in self._cast:
            return
        self._cast.add((source, chain.head_id))
        digest = vote_digest(chain.chain_id, source, chain.head_id)
        for secret in self.duties.secrets:
            vote = Vote(source, chain.head_id, sign_digest(secret, digest))
            for key, node in self.world.network.neighbours(self.number):
                if node == other.number or self.rng.randrange(2):
                    self._count("votes")
                    self._say(key, vote)

    def make_bad_blocks(self) -> None:
        """Sign blocks that break a rule, now and then."""
        self._offer_forged("bad blocks", forgery.make_bad_block)

    def make_future_blocks(self) -> None:
        """Sign blocks for one's own slots that have not begun."""
        self._offer_forged("future blocks", forgery.make_future_block)

    def _offer_forged(
        self, what: str, make: Callable[[Hostile, Random], BlockEnvelope | None]
    ) -> None:
        block = make(self, self.rng) if self.rng.randrange(10) == 0 else None
        if block is not None:
            self._count(what)
            self._offer(block)

    def repeat_votes(self) -> None:
        """Say again what was heard before, and what is meant for another chain."""
        assert self.core is not None
        if not self._heard:
            return
        for key, _ in self.world.network.neighbours(self.number):
            vote = self.rng.choice(self._heard)
            if self.rng.randrange(4) == 0:
                vote = self._vote_of_another_chain(vote)
            self._count("stale votes")
            self._say(key, vote)

    def _vote_of_another_chain(self, vote: Vote) -> Vote:
        digest = vote_digest(Digest(self.rng.randbytes(32)), vote.source, vote.target)
        secret = self.rng.choice((*self.duties.secrets, forgery.STRANGER))
        return Vote(vote.source, vote.target, sign_digest(secret, digest))

    def send_junk(self) -> None:
        """Send bytes that are no message."""
        for key, _ in self.world.network.neighbours(self.number):
            if self.rng.randrange(40) == 0:
                self._count("junk frames")
                data = forgery.make_junk(self.rng, self._last_frame)
                self.world.network.send_raw(self.number, key, data)

    def lie_in_feeds(self) -> None:
        """Publish prices that are far from true."""
        now_ms = self.world.loop.now_ms
        if self.core is None or now_ms - self._last_feed_ms < FEED_LIE_MS:
            return
        self._last_feed_ms = now_ms
        for envelope in forgery.make_feeds(self, self.rng):
            try:
                self.broadcast(envelope)
            except PegboardError:
                continue
            self._count("feeds")

    def _new_own_block(self) -> BlockEnvelope | None:
        """The block that this node has just made, once."""
        assert self.core is not None
        chain = self.core.chain
        block = chain.block_envelope(chain.head_id)
        if block is None or block.id == self._last_own:
            return None
        if block.front.signing_key() not in self.own_keys:
            return None
        self._last_own = block.id
        return block

    def _offer(self, block: BlockEnvelope) -> None:
        """Announce a block that the core does not know, and have it at hand for who asks."""
        assert self.core is not None
        self.core.peers.announce_block(block, self.now_ms)

    def _release(self) -> None:
        """Tell at last of what was withheld."""
        assert self.core is not None
        for block_id in sorted(self._withheld):
            block = self.core.chain.block_envelope(block_id)
            if block is not None:
                self._count("late blocks")
                inventory = Inventory(ItemKind.BLOCK, (block_id,))
                for key, _ in self.world.network.neighbours(self.number):
                    self._say(key, inventory)
        self._withheld.clear()

    # Between the core and the network.

    def _say(self, key: PeerKey, message: Message) -> None:
        frame = encode_frame(encode_message(message))
        self._last_frame = frame
        sent = self.world.network.send(self.number, key, frame)
        if sent is not None:
            self.world.checkers.counts[f"sent {type(sent).__name__}"] += 1

    def _send(self, effect: SendBytes) -> None:
        """Say something else than the core would, or nothing."""
        message = decode_message(effect.data[LENGTH_BYTES:])
        for said in self._twist(effect.peer, message):
            self._say(effect.peer, said)

    def _twist(self, key: PeerKey, message: Message) -> Iterator[Message]:
        match message:
            case Vote() | Inventory() | BlockIds() if self.has_two_faces:
                return
            case Hello():
                yield self._twist_hello(message)
            case Vote():
                self._heard.append(message)
                if self.does("withhold"):
                    self._count("withheld votes")
                else:
                    yield message
            case Inventory() if message.kind == ItemKind.BLOCK:
                yield from self._twist_inventory(key, message)
            case BlockMessage():
                yield from self._twist_block(message)
            case BlockIds() if self.does("lie_in_sync"):
                yield from self._twist_block_ids(message)
            case Addresses() if self.does("lie_in_sync"):
                yield Addresses(tuple(self._false_address() for _ in range(20)))
            case _:
                yield message

    def _twist_hello(self, hello: Hello) -> Hello:
        """Nobody knows it again; and it claims a chain that nobody has."""
        hello = replace(hello, node_id=self.rng.randbytes(NODE_ID_BYTES))
        if not self.does("lie_in_sync"):
            return hello
        self._count("false heads")
        num = hello.head_num + FAR_AHEAD
        return replace(hello, head_num=num, head_id=self._false_id(num))

    def _twist_inventory(self, key: PeerKey, inventory: Inventory) -> Iterator[Message]:
        ids = [BlockId(one) for one in inventory.ids]
        if self.does("withhold"):
            self._count("withheld blocks")
            self._withheld.update(ids)
            return
        told = tuple(one for one in ids if self._sides.get(one, key % 2) == key % 2)
        if told:
            repeats = 2 if self.does("lie_in_sync") else 1
            yield Inventory(ItemKind.BLOCK, told * repeats)
        if self.does("lie_in_sync") and self.rng.randrange(3) == 0:
            self._count("false blocks")
            num = block_num_of(ids[-1]) + self.rng.randrange(3)
            yield Inventory(ItemKind.BLOCK, (self._false_id(num),))

    def _twist_block(self, message: BlockMessage) -> Iterator[Message]:
        if self.does("withhold"):
            self._count("missing bodies")
            return
        if not self.does("lie_in_sync"):
            yield message
            return
        self._count("false bodies")
        block_id = HeaderEnvelope.read(message.data).id
        match self.rng.randrange(4):
            case 0:
                yield NotAvailable(ItemKind.BLOCK, (block_id,))
            case 1:
                yield BlockMessage(forgery.flip_bit(self.rng, message.data))
            case 2:
                yield BlockMessage(message.data[: self.rng.randrange(1, len(message.data))])
            case _:
                return

    def _twist_block_ids(self, message: BlockIds) -> Iterator[Message]:
        """Answer with blocks that do not exist, with less than there is, without end, or not."""
        self._count("false answers")
        first = message.first_num
        match self.rng.randrange(4):
            case 0:
                yield BlockIds(first, tuple(map(self._false_id, range(first, first + 50))), 0)
            case 1:
                yield replace(message, remaining=FAR_AHEAD)
            case 2:
                yield BlockIds(first, message.ids[: len(message.ids) // 2], FAR_AHEAD)
            case _:
                return

    def _false_id(self, num: int) -> BlockId:
        return BlockId(num.to_bytes(4, "big") + self.rng.randbytes(16))

    def _false_address(self) -> KnownAddress:
        host = f"10.{self.rng.randrange(100, 250)}.{self.rng.randrange(250)}.1"
        return KnownAddress(host, 1776, self.now_ms // 1_000)


ACTS: dict[str, Callable[[Hostile], None]] = {
    "equivocate": Hostile.equivocate,
    "make_bad_blocks": Hostile.make_bad_blocks,
    "make_future_blocks": Hostile.make_future_blocks,
    "repeat_votes": Hostile.repeat_votes,
    "send_junk": Hostile.send_junk,
    "lie_in_feeds": Hostile.lie_in_feeds,
}
"""What it does in each moment of a lie; the others are in what it says."""
