"""A campaign against finality: real chains and ballots, a network that is all attack, and liars.

Time goes in slots. In each, a partition says who hears whom; nodes of one group have the same
blocks, and votes reach each of them or do not. A liar is in every group at once: it signs blocks
and votes for every fork, two for one slot, withholds votes that it has seen, and repeats old ones.
Keys of witnesses move between two halves of the nodes, on some forks only. Records and blocks get
lost, clocks jump. What two honest nodes call irreversible at one height must be the same block,
always; and once all hear all again, it must move on (T-W4, F1 to F9).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from node.chain.chain import Chain
from node.chain.finality import quorum_of
from node.core.ballots import Ballots
from node.core.clock_watch import FUTURE_TOLERANCE_MS
from node.state.errors import BlockRejected, TransactionRejected
from protocol.asset import NO_FEE
from protocol.block import BlockEnvelope
from protocol.crypto.keys import PrivateKey, public_key
from protocol.crypto.signatures import sign_digest
from protocol.finality import Vote, vote_digest
from protocol.genesis import FINALITY_VOTES, Genesis
from protocol.operations.witness import WitnessUpdate
from protocol.schema import BlockId, PublicKey
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign
from tests.simulation.checkers import Violation, demand
from tests.support.chain import make_genesis, make_parameters, witness_names
from tests.support.world import BLOCK_INTERVAL_S, GENESIS_TIME, secret_of

MAINTENANCE_SLOTS = 8
ROUNDS_TO_HEAL = 3
"""After so many rounds without faults irreversibility has moved on."""
EARLY_MAX_S = BLOCK_INTERVAL_S + FUTURE_TOLERANCE_MS // 1_000
OLD_VOTES = 40
"""How many of the last votes a liar may repeat."""


@dataclass(frozen=True, slots=True)
class Attack:
    """What a run does; all of it is drawn from the seed."""

    seed: int
    witnesses: int = 4
    liars: int = 1
    slots: int = 60
    moving_keys: bool = True
    """Whether keys of all witnesses move to other nodes, on some forks."""
    finality: str = FINALITY_VOTES
    has_records: bool = True
    """False plants a bug: a restarted node takes a lost record for an empty one."""
    losers: int = 0
    """So many witnesses may lose records and blocks when they restart; all nodes with a bug there.

    What a fork had justified may be lost with them, so they count as liars do for the liveness.
    """
    clock_steps: bool = False
    """Whether clocks of nodes jump by up to three slots; never those of losers."""
    parts_sets: bool = False
    """Whether it begins with a new set, of which the old one hears nothing from its first block on.

    Nothing but that happens then.
    """

    @property
    def is_live(self) -> bool:
        """Whether fewer than a third of the members lie or lose what they knew (F5)."""
        return self.liars + self.losers < self.witnesses - quorum_of(self.witnesses) + 1


class Node:
    """A node that keeps the rules, with the keys of one witness."""

    def __init__(self, genesis: Genesis, secret: PrivateKey) -> None:
        self.genesis = genesis
        self.chain = Chain(genesis)
        self.secrets = {public_key(secret): secret}
        self.ballots = Ballots(self.chain, {})
        self.last_irreversible = 0
        self.ahead_s = 0
        """So far its clock is ahead."""

    def receive(self, block: BlockEnvelope, now_s: int) -> None:
        """Take a block in; one that its rules refuse changes nothing, also one that is early."""
        if block.header.timestamp > now_s + self.ahead_s + EARLY_MAX_S:
            return
        try:
            self.chain.push_block(block)
        except BlockRejected:
            return
        self.ballots.pool.forget_old()
        for sender, vote in self.ballots.pool.take_waiting(block.id):
            self.ballots.pool.add(vote, sender)

    def restart(self, *, is_wiped: bool, is_record_lost: bool, has_records: bool) -> None:
        """Start anew with the record of votes, without it, or with a wrong one."""
        last: dict[PublicKey, tuple[int, int]] | None = {
            key: (span.source_num, span.target_num) for key, span in self.ballots.last_votes.items()
        }
        if is_record_lost:
            last = None if has_records else {}
        if is_wiped:
            self.chain = Chain(self.genesis)
            self.last_irreversible = 0
        self.ballots = Ballots(self.chain, last)


class Campaign:
    """One run of one attack."""

    def __init__(self, attack: Attack) -> None:
        self.attack = attack
        self.rng = Random(f"{attack.seed}/finality")
        self.names = witness_names(attack.witnesses)
        parameters = make_parameters(maintenance_interval=MAINTENANCE_SLOTS * BLOCK_INTERVAL_S)
        self.genesis = make_genesis(
            witnesses=attack.witnesses, parameters=parameters, finality=attack.finality
        )
        halves = (" block", " next") if attack.moving_keys else (" block",)
        secrets = [secret_of(name + half) for half in halves for name in self.names]
        lies = [at % attack.witnesses < attack.liars for at in range(len(secrets))]
        self.liars = [one for one, is_liar in zip(secrets, lies, strict=True) if is_liar]
        honest = [one for one, is_liar in zip(secrets, lies, strict=True) if not is_liar]
        self.nodes = [Node(self.genesis, one) for one in honest]
        self.blocks: dict[BlockId, BlockEnvelope] = {}
        self.known: list[dict[BlockId, None]] = [{} for _ in self.nodes]
        self.votes: list[Vote] = []
        self.irreversible: dict[int, BlockId] = {}
        self.groups: list[list[int]] = [list(range(len(self.nodes)))]
        self.now_s = GENESIS_TIME
        self.serial = 0

    def run(self) -> int:
        """Attack, heal, and demand progress; the number of the last irreversible block."""
        if self.attack.parts_sets:
            self._part_sets()
        for _ in range(self.attack.slots):
            if self.attack.parts_sets:
                self._slot(is_healed=True)
            else:
                self._disturb()
                self._slot(is_healed=False)
        self.groups = [list(range(len(self.nodes)))]
        for node in self.nodes:
            node.ahead_s = 0
        before = max(node.chain.last_irreversible_num for node in self.nodes)
        top = max(self._highest_votes())
        healing = ROUNDS_TO_HEAL * self.attack.witnesses
        lag = max(0, top - min(node.chain.head_num for node in self.nodes))
        for _ in range(healing + lag * self.attack.witnesses):
            self._slot(is_healed=True)
        final = min(node.chain.last_irreversible_num for node in self.nodes)
        goes_on = final > before or not self.attack.is_live
        demand(goes_on, "liveness", self.attack, "irreversible", before, "and no more")
        return final

    def _highest_votes(self) -> Iterable[int]:
        yield 0
        for node in self.nodes:
            for span in node.ballots.last_votes.values():
                yield span.target_num

    # Faults.

    def _disturb(self) -> None:
        """Now and then another partition, a restart, or keys that move on one side."""
        rng = self.rng
        if rng.randrange(4) == 0:
            self._split()
        if rng.randrange(10) == 0:
            self._restart(rng.randrange(len(self.nodes)))
        if self.attack.clock_steps and rng.randrange(10) == 0:
            number = rng.randrange(len(self.nodes))
            if not self._may_lose(number):
                self.nodes[number].ahead_s = rng.randrange(-3, 4) * BLOCK_INTERVAL_S
        if self.attack.moving_keys and rng.randrange(12) == 0:
            self._move_keys(rng.choice(self.groups), (" next", " block")[rng.randrange(2)])

    def _part_sets(self) -> None:
        """All keys move; one block above their maintenance block the two halves part (F8)."""
        [everybody] = self.groups
        self._slot(is_healed=True)
        self._move_keys(everybody, " next")
        for _ in range(4 * MAINTENANCE_SLOTS):
            self._slot(is_healed=True)
            finality = self.nodes[0].chain.state.finality
            assert finality is not None
            if len(finality.sets) > 1:
                break
        self._slot(is_healed=True)
        half = len(self.nodes) // 2
        self.groups = [everybody[:half], everybody[half:]]

    def _may_lose(self, number: int) -> bool:
        """Whether a node belongs to a witness that may lose its disk."""
        return number % (self.attack.witnesses - self.attack.liars) < self.attack.losers

    def _restart(self, number: int) -> None:
        may_lose = self._may_lose(number)
        is_lost = self.rng.randrange(2) == 0 and (may_lose or not self.attack.has_records)
        is_wiped = self.rng.randrange(2) == 0 and may_lose
        if is_wiped:
            self.known[number] = {}
        self.nodes[number].restart(
            is_wiped=is_wiped, is_record_lost=is_lost, has_records=self.attack.has_records
        )

    def _split(self) -> None:
        rng, count = self.rng, len(self.nodes)
        mode = rng.randrange(5)
        if mode == 0:
            sides = [0] * count
        elif mode == 1:
            sides = [int(node >= count // 2) for node in range(count)]
            sides[rng.randrange(count)] ^= 1
        else:
            sides = [rng.randrange(2 if mode < 4 else 3) for _ in range(count)]
        groups = [[node for node in range(count) if sides[node] == side] for side in range(3)]
        self.groups = [group for group in groups if group]

    def _move_keys(self, group: Sequence[int], half: str) -> None:
        """All witnesses take the keys of one half, in what this group builds next."""
        for name in self.names:
            secret, state = secret_of(name + half), self.nodes[group[0]].chain.state
            owner = state.account_named(name).id
            witness = state.witness_by_account.find(owner)
            assert witness is not None
            update = WitnessUpdate(NO_FEE, witness.id, owner, None, public_key(secret))
            for node in group:
                self._push(self.nodes[node].chain, update, name)

    def _push(self, chain: Chain, update: WitnessUpdate, name: str) -> None:
        self.serial += 1
        number, prefix = reference_block(chain.head_id)
        expiration = chain.head_time + 60 + self.serial % 1_000
        transaction = Transaction(number, prefix, expiration, (update,))
        signed = sign(transaction, [secret_of(name)], chain.chain_id)
        try:
            chain.push_transaction(TransactionEnvelope.from_transaction(signed))
        except TransactionRejected:
            return

    # A slot.

    def _slot(self, *, is_healed: bool) -> None:
        self.now_s += BLOCK_INTERVAL_S
        for group in self.groups:
            self._share_blocks(group)
            made = [*self._honest_blocks(group), *self._lying_blocks(group)]
            for block in made:
                self.blocks[block.id] = block
                for node in group:
                    if is_healed or self.rng.randrange(8):
                        self._deliver(node, block)
            self._vote(group, is_healed=is_healed)
        self._check()

    def _share_blocks(self, group: Sequence[int]) -> None:
        """Everybody in a group gets what anybody in it ever had, oldest first.

        Also what it had and let go of: a real node fetches the parent of a block that it is sent.
        """
        everything = {block: None for node in group for block in self.known[node]}
        for node in group:
            chain = self.nodes[node].chain
            missing = [
                self.blocks[one]
                for one in everything
                if not chain.has_block(one) and self.blocks[one].num > chain.last_irreversible_num
            ]
            for block in sorted(missing, key=lambda block: block.num):
                self._deliver(node, block)

    def _deliver(self, node: int, block: BlockEnvelope) -> None:
        self.nodes[node].receive(block, self.now_s)
        if self.nodes[node].chain.has_block(block.id):
            self.known[node][block.id] = None

    def _honest_blocks(self, group: Sequence[int]) -> list[BlockEnvelope]:
        made = []
        for node in group:
            one = self.nodes[node]
            block = self._build(one, one.secrets, withholds=False)
            if block is not None:
                self._deliver(node, block)
                made.append(block)
        return made

    def _lying_blocks(self, group: Sequence[int]) -> list[BlockEnvelope]:
        """Liars build in every group at once, on what its first nodes have (T-W2)."""
        mine = {public_key(secret): secret for secret in self.liars}
        made: list[BlockEnvelope] = []
        for node in group[:2]:
            block = self._build(self.nodes[node], mine, withholds=self.rng.randrange(2) == 0)
            if block is not None:
                made.append(block)
        return made

    def _build(
        self, node: Node, secrets: dict[PublicKey, PrivateKey], *, withholds: bool
    ) -> BlockEnvelope | None:
        chain = node.chain
        slot = chain.slot_at(self.now_s + node.ahead_s)
        if slot == 0:
            return None
        witness = chain.scheduled_witness(slot)
        with chain.head_state() as state:  # keys that move are pending still
            secret = secrets.get(state.witnesses.get(witness).signing_key)
        if secret is None:
            return None
        certificate = None if withholds else node.ballots.pool.certificate()
        return chain.build_block(
            witness, chain.slot_time(slot), lambda digest: sign_digest(secret, digest), certificate
        )

    def _vote(self, group: Sequence[int], *, is_healed: bool) -> None:
        cast = []
        for node in group:
            one = self.nodes[node]
            own = one.ballots.cast(one.secrets, self.now_s + one.ahead_s)
            cast += [vote for found in own if (vote := found.vote) is not None]
            cast += self._lies(one.chain)
        self.votes = (self.votes + cast)[-OLD_VOTES:]
        if self.liars and self.votes:
            cast.append(self.rng.choice(self.votes))
        for vote in cast:
            for node in group:
                if is_healed or self.rng.randrange(8):
                    self.nodes[node].ballots.pool.add(vote, 1)

    def _lies(self, chain: Chain) -> list[Vote]:
        """A vote of each liar for the head of a chain, whatever it has voted before."""
        source = chain.source_of(chain.head_id)
        if source is None or chain.head_num == 0:
            return []
        digest = vote_digest(chain.chain_id, source, chain.head_id)
        return [Vote(source, chain.head_id, sign_digest(one, digest)) for one in self.liars]

    def _check(self) -> None:
        """One irreversible block a height, on all honest nodes and for ever (T-W4)."""
        for node in self.nodes:
            num = node.chain.last_irreversible_num
            demand(num >= node.last_irreversible, "monotonic", num)
            for height in range(node.last_irreversible + 1, num + 1):
                block = self._main_id(node, height)
                known = self.irreversible.setdefault(height, block)
                demand(known == block, "conflict", self.attack, "height", height)
            node.last_irreversible = num

    def _main_id(self, node: Node, height: int) -> BlockId:
        found = node.chain.id_at(height)
        if found is not None:
            return found
        block = node.chain.state.block_summary(height)
        assert block is not None
        return block.block_id


def run_seeds(attack: Attack, seeds: Iterable[int]) -> list[tuple[int, str]]:
    """The seeds in which an attack breaks a promise, and the checker that says so."""
    found = []
    for seed in seeds:
        try:
            Campaign(replace(attack, seed=seed)).run()
        except Violation as violation:
            found.append((seed, violation.checker))
    return found
