"""P2, T-P6, T-P8, T-W2: who passes on in good faith is never punished for what it could not know.

Two honest witnesses, each with its own clock and pool, parted now and then, and a liar who has the
key of a third: it says all that there is to say, to the one what the other must not hear. Whatever
comes of it, neither of the two takes anything for a fault of the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from node.core.effects import Report
from node.core.settings import CoreSettings
from node.p2p.effects import ClosePeer, PeerKey
from protocol.block import BlockBody, BlockEnvelope, pack_results
from protocol.constants import CORE_ASSET
from protocol.crypto.keys import public_key
from protocol.crypto.signatures import sign_digest
from protocol.finality import Vote, vote_digest
from protocol.p2p.messages import (
    BlockIds,
    BlockMessage,
    Fetch,
    GetAddresses,
    GetBlockIds,
    Inventory,
    ItemKind,
    Message,
    NotAvailable,
    Ping,
    TransactionMessage,
)
from protocol.schema import BlockId, Signature
from tests.support.bad_blocks import BAD, Maker
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode, transfer
from tests.support.core_player import End
from tests.support.world import secret_of

TICK_MS = 500
LIES_S = 120
QUIET_S = 60
PARTED_MAX_MS = 25_000
EARLY_MS = 7_000
"""Before its time the liar shows a block: who has the faster clock takes it."""
LINK = PeerKey(1)
"""What both honest nodes call their connection."""
NAMES = witness_names(3)
LIAR = secret_of(f"{NAMES[2]} block")


class PartedNode(CoreNode):
    """A node whose words to the other wait while the two are parted."""

    is_parted = False
    held = b""

    def _pass_on(self, peer: PeerKey, data: bytes, now_ms: int) -> None:
        if peer == LINK:
            self.held += data
            data = b"" if self.is_parted else self.held
            self.held = self.held[len(data) :]
        super()._pass_on(peer, data, now_ms)


class Quarrel:
    """The three of them; `run` lets time pass and looks for faults of the honest."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        genesis = make_genesis("alice", "bob")
        settings = CoreSettings(enable_stale=True, start_grace_ms=0)
        self.nodes = [PartedNode(genesis, [NAMES[at]], settings, name=5 + at) for at in (0, 1)]
        self.nodes[1].chain.pending.transactions_max = 3
        self.skews_ms = [self.rng.randrange(-900, 900) for _ in self.nodes]
        self.now_ms = self.again_ms = START_MS
        self.nodes[0].connect(self.nodes[1], self.now_ms)
        self.last_key = 9
        self.ends = [self.come(node) for node in self.nodes]
        self.made: dict[bytes, Message] = {}
        """What the liar can deliver."""
        self.told: Counter[str] = Counter()

    def come(self, node: CoreNode) -> End:
        self.last_key += 1
        return End(node, self.last_key, self.now_ms)

    def run(self, seconds: int, *, lies: bool) -> None:
        for _ in range(seconds * 1_000 // TICK_MS):
            self.now_ms += TICK_MS
            if self.now_ms >= self.again_ms:
                self.part(lies and self.rng.random() < 0.6)
                self.again_ms = self.now_ms + self.rng.randrange(1_000, PARTED_MAX_MS)
            for at, node in enumerate(self.nodes):
                node.core.read_clock(self.now_ms + self.skews_ms[at], self.now_ms)
                node.core.tick(self.now_ms)
                self.ends[at].now_ms = self.now_ms
                for act in self.rng.sample(ACTS, 2) if lies else ():
                    act(self, self.ends[at])
            while sum(node.carry(self.now_ms) for node in self.nodes):
                self.follow()

    def part(self, are_parted: bool) -> None:
        """Part the two, or join them."""
        for node in self.nodes:
            node.is_parted = are_parted
            node._pass_on(LINK, b"", self.now_ms)

    def follow(self) -> None:
        """Look at what both did, and let the liar answer."""
        for at, node in enumerate(self.nodes):
            seen, node.seen = node.seen, []
            for effect in seen:
                if isinstance(effect, Report):
                    self.told[effect.name] += 1
                    assert effect.fields.get("peer") != LINK or effect.name != "peer_penalised", (
                        effect
                    )
                assert not isinstance(effect, ClosePeer) or effect.peer != LINK, effect
            for message in self.ends[at].hear(seen):
                self.answer(self.ends[at], message)
            if any(isinstance(one, ClosePeer) and one.peer == self.ends[at].key for one in seen):
                self.ends[at] = self.come(node)

    def answer(self, end: End, message: Message) -> None:
        match message:
            case Fetch():
                for item in message.ids:
                    if self.rng.random() < 0.9:
                        lack = NotAvailable(message.kind, (item,))
                        end.say(self.made.get(item, lack))
            case GetBlockIds() if self.rng.random() < 0.5:
                end.say(BlockIds(1, (), 0))
            case _:
                pass

    def offer(self, end: End, block: BlockEnvelope) -> None:
        """Announce a block and have it at hand."""
        self.made[block.id] = BlockMessage(block.packed)
        end.say(Inventory(ItemKind.BLOCK, (block.id,)))

    # What the liar does.

    def own_block(self, end: End) -> None:
        """A block in a turn of its own, another one for each, at times a moment too early."""
        maker = Maker(end.node.chain)
        for slot in range(1, 5):
            witness = maker.chain.scheduled_witness(slot)
            time_ms = maker.chain.slot_time(slot) * 1_000
            if maker.chain.signing_key(witness) == LIAR_KEY and time_ms < self.now_ms + EARLY_MS:
                body = BlockBody()
                if self.rng.randrange(2):
                    envelope = transfer(maker.chain, self.rng.randrange(1, 10**6))
                    body.append(envelope, (), envelope.packed() + pack_results(()))
                self.offer(end, maker.make(slot=slot, secret=LIAR, body=body))
                return

    def bad_block(self, end: End) -> None:
        self.offer(end, self.rng.choice(BAD)(Maker(end.node.chain), self.rng))

    def vote(self, end: End) -> None:
        """For the head of whoever hears it, whatever was said to the other; or with no key."""
        chain = end.node.chain
        source = chain.source_of(chain.head_id) or BlockId(bytes(20))
        signature = sign_digest(LIAR, vote_digest(chain.chain_id, source, chain.head_id))
        if self.rng.randrange(4) == 0:
            signature = Signature(b"\x1f" + self.rng.randbytes(64))
        end.say(Vote(source, chain.head_id, signature))

    def pay(self, end: End) -> None:
        """A transfer that the other refuses, for alice cannot pay twice, or one that is late."""
        chain = end.node.chain
        alice = chain.state.account_named("alice").id
        amount = max(1, chain.state.balance_of(alice, CORE_ASSET) - self.rng.randrange(100))
        until = chain.head_time + self.rng.choice((1, 6, 60))
        envelope = transfer(chain, amount, until)
        self.made[envelope.id] = TransactionMessage(envelope.packed())
        end.say(Inventory(ItemKind.TRANSACTION, (envelope.id,)))

    def promise(self, end: End) -> None:
        """Ids of nothing, and questions."""
        kind = self.rng.choice(list(ItemKind))
        num = (end.node.chain.head_num + self.rng.randrange(3)).to_bytes(4, "big")
        ids = tuple(num + self.rng.randbytes(16) for _ in range(2))
        end.say(Inventory(kind, ids), Fetch(kind, ids), Ping(1))

    def ask(self, end: End) -> None:
        end.say(self.rng.choice((GetBlockIds(()), Ping(2), GetAddresses())))


LIAR_KEY = public_key(LIAR)
ACTS: tuple[Callable[[Quarrel, End], None], ...] = (
    Quarrel.own_block,
    Quarrel.own_block,
    Quarrel.bad_block,
    Quarrel.vote,
    Quarrel.pay,
    Quarrel.promise,
    Quarrel.ask,
)


@pytest.mark.parametrize("seed", range(2))
def test_honest_nodes_never_fall_out(seed: int) -> None:
    """P2, T-P6, T-P8, T-W2: whatever a liar says to each of them; then they agree at once."""
    quarrel = Quarrel(seed)
    quarrel.run(LIES_S, lies=True)
    for kind in ("block_rejected", "peer_penalised", "equivocation", "fork_switch"):
        assert quarrel.told[kind], f"no {kind}: the liar has no teeth"
    quarrel.again_ms = 0
    quarrel.run(QUIET_S, lies=False)
    one, other = (node.chain for node in quarrel.nodes)
    assert one.head_id == other.head_id
    assert one.head_num > 10
