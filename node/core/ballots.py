"""The votes of a node: those that it knows, and those that its own witnesses cast (F5, F7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain
from node.chain.finality import signer_of_vote, voting_keys
from node.chain.vote_pool import Conflict, Equivocation, VotePool
from node.core.effects import Report, StoreEvidence
from node.core.own_blocks import OwnBlocks
from node.core.proofs import CONFLICT_FILE, PROOFS_FILE, dump_conflict, dump_proofs
from node.witness.voter import Cast, VoteSpan, cast_votes, floor_without_record
from protocol.binary import pack
from protocol.block import block_num_of
from protocol.crypto.keys import PrivateKey
from protocol.finality import Vote
from protocol.schema import PublicKey

OWN = 0
"""The sender of this node's own votes; peers have other numbers."""


class Ballots:
    """The pool of votes, and what each key of this node has voted last."""

    def __init__(
        self,
        chain: Chain,
        last_votes: Mapping[PublicKey, tuple[int, int]] | None,
        proofs: Iterable[Equivocation] = (),
    ) -> None:
        """`last_votes` are sources and targets from the durable record; None if there is none."""
        self.pool = VotePool(chain, proofs)
        self.last_votes = {key: VoteSpan(*span) for key, span in (last_votes or {}).items()}
        self._chain = chain
        self._has_record = last_votes is not None
        self._doubted: set[PublicKey] = set()
        """Keys that somebody else has, too: the record does not tell how they have voted last."""

    def cast(self, secrets: Mapping[PublicKey, PrivateKey], now_s: int) -> list[Cast]:
        """The votes that the rules allow at this head; they are taken as recorded from now on."""
        doubted, floor_num = self._doubted & secrets.keys(), None
        if not self._has_record:
            doubted |= secrets.keys() - self.last_votes.keys()
        if doubted:
            floor_num = floor_without_record(self._chain, secrets, now_s)
        found = cast_votes(
            self._chain, secrets, self.last_votes, doubted=doubted, floor_num=floor_num
        )
        finality = self._chain.state.finality
        if finality is not None and floor_num is not None:
            self._doubted -= doubted & voting_keys(finality.sets)
        for cast in found:
            self.last_votes[cast.key] = cast.span
            if cast.vote is not None:
                self.pool.add(cast.vote, OWN)
        return found

    def take_news(self, own: OwnBlocks) -> list[Report | StoreEvidence]:
        """Proofs of lying that nobody was told of, and with any new one all that are to be kept."""
        news: list[Report | StoreEvidence] = []
        for found in self.pool.take_news():
            own.note_lie(found.key)
            signed = {"first": pack(found.first).hex(), "second": pack(found.second).hex()}
            news.append(
                Report("equivocation", {"kind": found.kind, "key": found.key.hex(), **signed})
            )
        if news:
            news.append(StoreEvidence(PROOFS_FILE, dump_proofs(self.pool.equivocations)))
        return news

    @staticmethod
    def tell_conflict(found: Conflict) -> list[Report | StoreEvidence]:
        """What a node that has the proof that its network has split says and keeps (T-W4)."""
        return [
            Report("conflict", {"num": found.num, "liars": len(found.liars)}),
            StoreEvidence(CONFLICT_FILE, dump_conflict(found)),
        ]

    def find_twin(self, vote: Vote, own: OwnBlocks) -> list[Report]:
        """What to say of a good vote of a peer if somebody else votes with a key of this node
        (T-W1)."""
        key, num = self._key_elsewhere(vote, own.secrets), block_num_of(vote.target)
        if key is None or not own.note_vote(key, num):
            return []
        self._doubted.add(key)
        return [Report("key_elsewhere", {"key": key.hex(), "num": num})]

    def find_twins(self, applied: Iterable[AppliedBlock], own: OwnBlocks) -> list[Report]:
        """What to say of new blocks if somebody else signs with a key of this node (T-W1)."""
        found = []
        for block in applied:
            key = own.note_applied(block.envelope)
            if key is not None:
                self._doubted.add(key)
                of: dict[str, str | int] = {
                    "witness": block.envelope.header.witness,
                    "num": block.envelope.num,
                }
                found.append(Report("key_elsewhere", of))
        return found

    def _key_elsewhere(self, vote: Vote, secrets: Collection[PublicKey]) -> PublicKey | None:
        """The key behind a vote, if it is this node's and the vote is not: those that it cast stand
        in the record before they leave."""
        key = signer_of_vote(self._chain.chain_id, vote.source, vote.target, vote.signature)
        if key is None or key not in secrets:
            return None
        last = self.last_votes.get(key)
        return key if last is None or block_num_of(vote.target) > last.target_num else None

    def go_back(self) -> None:
        """A development chain was taken back on purpose: what was voted for there is forgotten."""
        self.pool.forget_above_head()
        self.last_votes.clear()
