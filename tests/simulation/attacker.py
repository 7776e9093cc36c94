"""An attacker that looks at the whole network and does what hurts most at this moment.

It reads the state of every node and delays what is sent, for a few slots at most; liars serve it.
What it aims at is the next irreversible block: it holds back the vote or the certificate that is
missing, keeps apart who knows of it and who does not, cuts off whose turn it is, and has liars sign
for both sides of what it has split.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from random import Random

from node.chain.finality import quorum_of
from protocol.block import HeaderEnvelope, block_num_of, certificate_in
from protocol.crypto.keys import public_key
from protocol.errors import ProtocolError
from protocol.finality import Vote
from protocol.p2p.messages import BlockMessage, Message
from protocol.schema import BlockId, Signature
from tests.simulation.hostile import Hostile
from tests.simulation.machine import Machine, World

LOOK_MS = 200
"""How often it looks."""
HOLD_SLOTS = 2
"""So long it holds something back."""


class Attacker:
    """At most one scheme at a time."""

    def __init__(self, world: World, honest: Sequence[Machine], hostile: Sequence[Hostile]) -> None:
        self.world = world
        self.honest = honest
        self.hostile = hostile
        self.rng = Random(f"{world.options.seed}/attacker")
        self._until_ms = 0
        self._is_running = False
        self._parted_until_ms = 0
        self._signed: dict[BlockId, set[Signature]] = defaultdict(set)
        """Signatures of votes that were let through or held back, by their targets."""
        self._first: dict[BlockId, int] = {}
        """Who gets a block with a certificate at once."""
        world.network.interceptor = self._hold_back

    @property
    def hold_ms(self) -> int:
        """How long something is held back."""
        return 1_000 * HOLD_SLOTS * self.world.options.block_interval_s

    def scheme(self, duration_ms: int) -> None:
        """Do harm for a while."""
        self._until_ms = max(self._until_ms, self.world.loop.now_ms + duration_ms)
        if not self._is_running:
            self._is_running = True
            self._look()

    def give_up(self) -> None:
        """Do no more harm."""
        self._until_ms = 0

    def _count(self, what: str) -> None:
        self.world.checkers.counts[f"scheme {what}"] += 1

    def _look(self) -> None:
        """Choose, from what all nodes know, what keeps them from agreeing."""
        now_ms = self.world.loop.now_ms
        self._is_running = now_ms < self._until_ms
        if not self._is_running:
            return
        self.world.loop.later(LOOK_MS, self._look)
        if self.world.network.is_parted or now_ms < self._parted_until_ms:
            self._sign_twice()
        if now_ms < self._parted_until_ms:
            return
        final = {
            one.number: one.core.chain.last_irreversible_num for one in self.honest if one.core
        }
        knowing = [node for node, num in final.items() if num == max(final.values())]
        if len(knowing) < len(final):
            self._count("who knows cut off")
            self._part(knowing, self.hold_ms)
        elif self.hostile and (self._can_have_both() or self.rng.randrange(10) == 0):
            self._count("split")
            numbers = [one.number for one in self.honest]
            long_ms = self._until_ms - now_ms if self._can_have_both() else 2 * self.hold_ms
            self._part(numbers[: len(numbers) // 2], long_ms)
        elif self.rng.randrange(4) == 0:
            self._cut_leader()

    def _can_have_both(self) -> bool:
        """Whether liars make a quorum of either half of the others."""
        count = self.world.options.witnesses
        liars = sum(len(one.duties.secrets) for one in self.hostile)
        return (count - liars) // 2 + liars >= quorum_of(count)

    def _part(self, some: Sequence[int], duration_ms: int) -> None:
        """Honest nodes hear nothing of each other across a line, and liars on both sides of it."""
        self._parted_until_ms = self.world.loop.now_ms + duration_ms
        for one in some:
            for other in self.honest:
                if other.number not in some:
                    self.world.network.deafen(one, other.number, duration_ms)
                    self.world.network.deafen(other.number, one, duration_ms)
        for liar in self.hostile:
            liar.have_two_faces(duration_ms)

    def _sign_twice(self) -> None:
        for liar in self.hostile:
            if not liar.does("equivocate"):
                self._count("double signs")
                liar.lie("equivocate", self.hold_ms)

    def _cut_leader(self) -> None:
        """Whoever makes the next block is not heard until its slot is over."""
        best = max(
            (one.core.chain for one in self.honest if one.core is not None),
            key=lambda chain: chain.head_num,
            default=None,
        )
        if best is None:
            return
        slot = best.slot_at(self.world.loop.now_ms // 1_000) + 1
        key = best.signing_key(best.scheduled_witness(slot))
        for leader in self.honest:
            if any(public_key(secret) == key for secret in leader.duties.secrets):
                self._count("leader cut off")
                duration_ms = 1_000 * self.world.options.block_interval_s
                for other in self.honest:
                    if other is not leader:
                        self.world.network.deafen(leader.number, other.number, duration_ms)

    def _hold_back(self, source: int, target: int, message: Message) -> int:
        """For how long a message is held back, in milliseconds."""
        if not self._is_running or self.rng.randrange(4) == 0:
            return 0
        match message:
            case Vote():
                return self._hold_vote(message)
            case BlockMessage():
                return self._hold_block(target, message)
            case _:
                return 0

    def _hold_vote(self, vote: Vote) -> int:
        """All but the votes that are one short of a quorum."""
        seen = self._signed[vote.target]
        if vote.signature in seen:
            return 0
        if len(seen) < quorum_of(self.world.options.witnesses) - 1:
            seen.add(vote.signature)
            return 0
        self._count("votes held back")
        return self.hold_ms

    def _hold_block(self, target: int, message: BlockMessage) -> int:
        """A certificate comes to one node at once, and to the others late."""
        try:
            front = HeaderEnvelope.read(message.data)
        except ProtocolError:
            return 0  # a liar has cut it
        certificate = certificate_in(front.header)
        if certificate is None or certificate.target_num < block_num_of(front.id) - 1:
            return 0
        if self._first.setdefault(front.id, target) == target:
            return 0
        self._count("certificates held back")
        return self.hold_ms
