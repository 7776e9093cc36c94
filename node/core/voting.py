"""Votes between the peers and the ballots of a node: heard, judged, cast and passed on (F5, F7)."""

from __future__ import annotations

from collections.abc import Iterable

from node.chain.apply_block import AppliedBlock
from node.chain.vote_pool import Judgement
from node.core.ballots import Ballots
from node.core.breakdown import Breakdown
from node.core.effect_list import EffectList
from node.core.effects import ReserveVote
from node.core.inbox import BlockInbox
from node.core.own_blocks import OwnBlocks
from node.p2p.effects import PeerKey
from node.p2p.manager import PeerManager
from node.witness.slot_clock import SlotClock
from node.witness.voter import may_pass_over
from protocol.block import BlockEnvelope
from protocol.finality import Vote


class Voting:
    """Takes peers' votes, and casts those of this node's witnesses for each new head."""

    def __init__(
        self,
        ballots: Ballots,
        own: OwnBlocks,
        clock: SlotClock,
        inbox: BlockInbox,
        peers: PeerManager,
        breakdown: Breakdown,
        effects: EffectList,
    ) -> None:
        self._ballots = ballots
        self._own = own
        self._clock = clock
        self._inbox = inbox
        self._peers = peers
        self._breakdown = breakdown
        self._effects = effects

    def receive(self, peer: PeerKey, vote: Vote, now_ms: int) -> None:
        """Judge a peer's vote, and pass it on if it is good."""
        match self._ballots.pool.add(vote, peer):
            case Judgement.TAKEN:
                self._peers.announce_vote(vote, peer, now_ms)
                self._effects.add(*self._ballots.find_twin(vote, self._own))
            case Judgement.LIE:
                self._effects.add(*self._ballots.take_news(self._own))
            case Judgement.DROPPED:
                self._peers.vote_passed_over(peer, now_ms)
            case Judgement.MALFORMED:
                self._peers.vote_refused(peer, now_ms)

    def follow_block(self, block: BlockEnvelope, now_ms: int, to_come: int = 0) -> None:
        """Judge the votes that waited for a block, and vote for the head if it is new.

        `to_come` blocks follow at once, as somebody has demanded them.
        """
        pool = self._ballots.pool
        pool.forget_old()
        pool.note_block(block.id, block.signing_key())
        self._effects.add(*self._ballots.take_news(self._own))
        if pool.conflict is not None:
            self._effects.add(*self._ballots.tell_conflict(pool.conflict))
            self._breakdown.stop(str(pool.conflict))
            return
        for peer, vote in pool.take_waiting(block.id):
            self.receive(PeerKey(peer), vote, now_ms)
        if not may_pass_over(self._own.chain, self._own.secrets, to_come):
            self.vote_for_head(now_ms)

    def look_for_twins(self, applied: Iterable[AppliedBlock]) -> None:
        """Say so if somebody else has signed new blocks with a key of this node (T-W1)."""
        self._effects.add(*self._ballots.find_twins(applied, self._own))

    def vote_for_head(self, now_ms: int) -> None:
        """Cast the votes of this node's witnesses for the head, as far as the rules allow (F5)."""
        slot_s = self._clock.slot_ms(now_ms) // 1_000
        is_behind = self._inbox or self._peers.is_syncing
        if is_behind or not self._own.may_vote(slot_s, now_ms):
            return
        for cast in self._ballots.cast(self._own.secrets, slot_s):
            self._effects.add(ReserveVote(cast.key, *cast.span))
            if cast.vote is not None:
                self._own.has_signed = True
                self._peers.announce_vote(cast.vote, None, now_ms)
