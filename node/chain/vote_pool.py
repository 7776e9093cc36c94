"""Votes that are not in a certificate yet, and what they prove of those who lie (F7, F11), and of a
network that has split for good (T-W4, S8)."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from node.chain.chain import Chain
from node.chain.finality import (
    choose_voters,
    id_of,
    missing_votes,
    needed_sets,
    signer_of_vote,
    voting_keys,
)
from node.state.objects.finality import VotingSet
from protocol.block import SignedBlockHeader, block_num_of, certificate_in
from protocol.finality import Certificate, Vote
from protocol.schema import BlockId, PublicKey, Record

WINDOW_BLOCKS = 128
"""Votes for targets further below the head are not kept: no honest member makes them any more."""

AHEAD_BLOCKS = 10
"""A vote for a block so little above the head may have overtaken its block, and waits for it."""

WAITING_MAX = 128
"""Votes of one sender that may wait for their blocks."""

ALL_WAITING_MAX = 4_096
"""Of all senders together; those for the block that was heard of first make room."""

EQUIVOCATIONS_MAX = 100
"""Proofs of lying that are kept: the newest (F11)."""


class Judgement(Enum):
    """What became of a vote."""

    TAKEN = "taken"
    """It is new and good: others are to be told."""
    WAITS = "waits"
    """Its block is not known yet."""
    PASSED_OVER = "passed over"
    """Not looked at: known, too old, too far ahead, or one too many that wait."""
    DROPPED = "dropped"
    """Of nobody in the voting sets, or of another link."""
    LIE = "lie"
    """It contradicts another vote of its key; both are kept as a proof (F11)."""
    MALFORMED = "malformed"
    """Its signature is none: nobody can have relayed it in good faith."""


class Equivocation(Record):
    """A proof that the holder of a key has lied (F11)."""

    kind: str
    """`votes` for two votes of which an honest member signs one, `blocks` for two of one slot."""
    key: PublicKey
    first: Vote | SignedBlockHeader
    second: Vote | SignedBlockHeader

    def is_of(self, other: Equivocation) -> bool:
        """Whether both prove the same, in whichever order it came about."""
        return self.key == other.key and (
            (self.first, self.second) in ((other.first, other.second), (other.second, other.first))
        )


class Conflict(Record):
    """Two blocks of one height with a quorum each, of which this node's is irreversible: more than
    a third of the voting set has lied, and whoever took the other one never comes back (T-W4)."""

    num: int
    ours: BlockId
    theirs: BlockId
    liars: frozenset[PublicKey]

    def __str__(self) -> str:
        return (
            f"conflict at block {self.num}: {self.ours.hex()} is irreversible here, and"
            f" {self.theirs.hex()} has a quorum, too; {len(self.liars)} members of the voting set"
            " have voted for both (T-W4)"
        )


class VotePool:
    """Good votes for the blocks between the last irreversible one and the head, of all forks."""

    def __init__(self, chain: Chain, proofs: Iterable[Equivocation] = ()) -> None:
        """`proofs` are those that an earlier process has kept."""
        self._chain = chain
        self._votes: dict[int, dict[PublicKey, Vote]] = {}
        """By the number of the target and the voter's key: one each."""
        self._heard: dict[int, dict[BlockId, dict[PublicKey, Vote]]] = {}
        """By number and id of the target and the voter's key, the lies among them."""
        self._is_rewritten = False
        self.conflict: Conflict | None = None
        """The first proof that the network has split for good."""
        self._waiting: dict[BlockId, list[tuple[int, Vote]]] = {}
        """By the target's id, with their senders."""
        self._waiting_of: Counter[int] = Counter()
        self.equivocations: deque[Equivocation] = deque(proofs, maxlen=EQUIVOCATIONS_MAX)
        """The newest proofs of lying, oldest first."""
        self._news: list[Equivocation] = []

    def add(self, vote: Vote, sender: int) -> Judgement:
        """Judge a vote; `sender` is a number that tells apart from whom votes come."""
        chain, num = self._chain, block_num_of(vote.target)
        if not self._lowest() <= num <= chain.head_num + AHEAD_BLOCKS:
            return Judgement.PASSED_OVER
        if not chain.has_block(vote.target):
            return self._wait(vote, sender)
        if vote in self._votes.get(num, {}).values():
            return Judgement.PASSED_OVER
        key = signer_of_vote(chain.chain_id, vote.source, vote.target, vote.signature)
        if key is None:
            return Judgement.MALFORMED
        finality = chain.state.finality
        if finality is None or key not in voting_keys(finality.sets):
            return Judgement.DROPPED
        self._heard.setdefault(num, {}).setdefault(vote.target, {})[key] = vote
        if self._is_lie(key, vote):
            return Judgement.LIE
        if vote.source != chain.source_of(vote.target):
            return Judgement.DROPPED
        self._votes.setdefault(num, {})[key] = vote
        return Judgement.TAKEN

    def take_waiting(self, block: BlockId) -> list[tuple[int, Vote]]:
        """The votes that waited for a block, with their senders; they wait no more."""
        if not self._waiting:
            return []
        taken = self._waiting.pop(block, [])
        self._waiting_of.subtract(sender for sender, _ in taken)
        return taken

    def forget_old(self) -> None:
        """Let go of what no certificate can need any more; to be called when the head has moved."""
        if not (self._heard or self._waiting_of):
            return
        lowest = self._lowest()
        for old in [old for old in self._heard if old < lowest]:
            self.conflict = self.conflict or self._find_conflict(old)
            del self._heard[old]
        for num in [num for num in self._votes if num < lowest]:
            del self._votes[num]
        if self._waiting_of:
            for block in [block for block in self._waiting if block_num_of(block) < lowest]:
                self.take_waiting(block)
            self._waiting_of = +self._waiting_of

    def forget_above_head(self) -> None:
        """Let go of the votes for blocks that a development chain has taken back on purpose.

        Their voters may vote again for other blocks of those numbers: it is no lie then, and no
        conflict either, so none is looked for from now on.
        """
        self._is_rewritten = True
        head_num = self._chain.head_num
        for num in [num for num in self._heard if num > head_num]:
            del self._heard[num]
        for num in [num for num in self._votes if num > head_num]:
            del self._votes[num]
        for block in [block for block in self._waiting if block_num_of(block) > head_num]:
            self.take_waiting(block)

    def certificate(self) -> Certificate | None:
        """The certificate of the highest block that the next block can justify (F3).

        Votes that travel for longer than a slot may be there for several blocks at once. Whoever
        passes over some leaves a gap, and nothing becomes irreversible across it (F4): up to then
        the lowest comes first, or there would be a new gap each time.
        """
        chain = self._chain
        finality = chain.state.finality
        if finality is None:
            return None
        justified = finality.justified
        has_gap = justified[-1] - justified[0] >= len(justified)
        for num in sorted(self._votes, reverse=not has_gap):
            target = chain.id_at(num)
            if target is None or num <= justified[-1]:
                continue
            source = chain.source_of(target)
            assert source is not None, "blocks of the main chain are in the fork database"
            votes = {
                key: vote.signature
                for key, vote in self._votes[num].items()
                if vote.target == target
            }
            source_num = block_num_of(source)
            voters = choose_voters(needed_sets(finality, num), votes)
            if voters is not None and source_num in justified:
                return Certificate(source_num, num, tuple([votes[key] for key in voters]))
        return None

    def voters(self) -> frozenset[PublicKey]:
        """Whose good votes are kept: who votes at present."""
        return frozenset(key for votes in self._votes.values() for key in votes)

    def note_certificate(self, block: BlockId) -> None:
        """Hear the votes that a block on the main chain carries: a node that fetched it later than
        they travelled has the proof of what is irreversible all the same (T-W4)."""
        chain = self._chain
        header = chain.header_of(block)
        certificate = None if header is None else certificate_in(header)
        if certificate is None:
            return
        num = certificate.target_num
        source = chain.ancestor_of(block, certificate.source_num)
        target = chain.ancestor_of(block, num)
        if source is None or target is None:
            return
        heard = self._heard.setdefault(num, {}).setdefault(target, {})
        good = self._votes.get(num, {})
        for signature in certificate.signatures:
            vote = Vote(source, target, signature)
            key = signer_of_vote(chain.chain_id, source, target, signature)
            assert key is not None, "it was checked when the block was applied"
            heard[key] = vote
            if good.get(key) != vote:  # all good ones were held against each other
                self._is_lie(key, vote)

    def note_block(self, block: BlockId, key: PublicKey) -> None:
        """Keep the proof, if there is one, that a key has signed another block of the slot."""
        twin = self._chain.twin_of(block)
        first = None if twin is None else self._chain.header_of(twin)
        second = self._chain.header_of(block)
        if first is not None and second is not None:
            self._keep(Equivocation("blocks", key, first, second))

    def take_news(self) -> list[Equivocation]:
        """The proofs that were found since the last call; each once."""
        news, self._news = self._news, []
        return news

    def _keep(self, found: Equivocation) -> None:
        if not any(map(found.is_of, self.equivocations)):
            self.equivocations.append(found)
            self._news.append(found)

    def _lowest(self) -> int:
        chain = self._chain
        return max(chain.last_irreversible_num, chain.head_num - WINDOW_BLOCKS) + 1

    def _wait(self, vote: Vote, sender: int) -> Judgement:
        if self._waiting_of[sender] >= WAITING_MAX:
            return Judgement.PASSED_OVER
        if (sender, vote) in self._waiting.get(vote.target, ()):
            return Judgement.PASSED_OVER
        if self._waiting_of.total() >= ALL_WAITING_MAX:
            self.take_waiting(next(iter(self._waiting)))
            self._waiting_of = +self._waiting_of
        self._waiting.setdefault(vote.target, []).append((sender, vote))
        self._waiting_of[sender] += 1
        return Judgement.WAITS

    def _find_conflict(self, num: int) -> Conflict | None:
        """The proof that another block has a quorum where ours is irreversible by one (T-W4)."""
        chain = self._chain
        finality = chain.state.finality
        if finality is None or self._is_rewritten or num > chain.last_irreversible_num:
            return None
        if len(self._heard[num]) == 1 and not self._waiting:
            return None
        sets = needed_sets(finality, num)
        ours = id_of(chain.state, num)
        own = self._heard[num].get(ours, {})
        if not _is_quorum(sets, own):
            return None
        for theirs, votes in self._rivals(num, ours).items():
            if _is_quorum(sets, votes):
                liars = frozenset(own.keys() & votes.keys())
                for key in sorted(liars):
                    self._keep(Equivocation("votes", key, own[key], votes[key]))
                return Conflict(num, ours, theirs, liars)
        return None

    def _rivals(self, num: int, ours: BlockId) -> dict[BlockId, Mapping[PublicKey, Vote]]:
        """The votes for other blocks of a number, also for those that never came."""
        found: dict[BlockId, Mapping[PublicKey, Vote]] = {**self._heard[num]}
        for block, waiting in self._waiting.items():
            if block_num_of(block) == num:
                chain_id = self._chain.chain_id
                signed = {
                    signer_of_vote(chain_id, vote.source, block, vote.signature): vote
                    for _, vote in waiting
                }
                found[block] = {key: vote for key, vote in signed.items() if key is not None}
        found.pop(ours, None)
        return found

    def _is_lie(self, key: PublicKey, vote: Vote) -> bool:
        """Whether an earlier vote of the key contradicts this one; then both are kept (F5, F11)."""
        for votes in self._votes.values():
            other = votes.get(key)
            if other is not None and contradict(other, vote):
                self._keep(Equivocation("votes", key, other, vote))
                return True
        return False


def _is_quorum(sets: Sequence[VotingSet], votes: Mapping[PublicKey, Vote]) -> bool:
    """Whether each of some voting sets has its quorum among those who voted (F2, F8)."""
    return bool(sets) and not any(missing_votes(one, votes.keys()) for one in sets)


def contradict(one: Vote, other: Vote) -> bool:
    """Whether no honest member signs both: two of one height, or one around the other (F5)."""
    source, target = block_num_of(one.source), block_num_of(one.target)
    other_source, other_target = block_num_of(other.source), block_num_of(other.target)
    if target == other_target:
        return (one.source, one.target) != (other.source, other.target)
    return (source < other_source) == (target > other_target) and source != other_source
