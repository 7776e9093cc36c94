"""The way of a peer's block to the chain: judged, queued until its turn, pushed, and answered."""

from __future__ import annotations

from node.chain.chain import Chain
from node.core.breakdown import BROKEN, Breakdown
from node.core.chain_moves import ChainMoves
from node.core.clock_watch import ClockWatch
from node.core.effect_list import EffectList
from node.core.inbox import BlockInbox, block_refusal
from node.core.voting import Voting
from node.p2p.effects import BlockReceived, PeerKey
from node.p2p.manager import PeerManager
from node.state.errors import BlockRejected
from protocol.errors import PegboardError, ProtocolError
from protocol.schema import BlockId


class BlockIntake:
    """Takes blocks of peers through the inbox to the chain, and lets all know who go by it."""

    def __init__(
        self,
        chain: Chain,
        inbox: BlockInbox,
        watch: ClockWatch,
        moves: ChainMoves,
        voting: Voting,
        peers: PeerManager,
        breakdown: Breakdown,
        effects: EffectList,
    ) -> None:
        self._chain = chain
        self._inbox = inbox
        self._watch = watch
        self._moves = moves
        self._voting = voting
        self._peers = peers
        self._breakdown = breakdown
        self._effects = effects

    def receive(self, received: BlockReceived, now_ms: int) -> None:
        """Judge the header first, then whether the body is the header's, then queue it (T-P6).

        A block of few transactions waits for what comes with it, until `let_go`.
        """
        front = received.front
        try:
            self._watch.check(front, now_ms)
            parent = self._inbox.header_of(front.header.previous)
            verdict = self._chain.judge_header(front, len(received.data), parent)
            envelope = self._chain.read_block(front, received.data)
            question = self._inbox.add(received.peer, envelope, verdict)
        except PegboardError as error:
            self.reject(received.peer, front.id, error, now_ms)
            return
        if question is not None:
            self._effects.add(question)
        if not self._inbox.is_gathering:
            self.drain(now_ms)

    def let_go(self, now_ms: int) -> None:
        """No more comes now: go on with blocks that wait for others alone."""
        if self._inbox.is_gathering:
            self._inbox.let_go()
            self.drain(now_ms)

    def drain(self, now_ms: int) -> None:
        """Push what waits neither for its keys nor for its parent."""
        while (queued := self._inbox.take_ready()) is not None:
            envelope = queued.envelope
            try:
                with self._breakdown.if_broken():
                    result = self._chain.push_block(envelope, verdict=queued.verdict)
            except BROKEN:
                return
            except (BlockRejected, ProtocolError) as error:
                self.reject(queued.peer, envelope.id, error, now_ms)
                continue
            self._moves.follow(result)
            if not self._peers.is_syncing:
                self._watch.note_block(envelope.front, now_ms)
            self._voting.look_for_twins(result.applied)
            applied = tuple(block.envelope.id for block in result.applied)
            self._peers.block_accepted(envelope.id, applied, now_ms)
            self._voting.follow_block(envelope, now_ms)

    def reject(self, peer: PeerKey, block_id: BlockId, error: PegboardError, now_ms: int) -> None:
        """Say what is wrong with a block, to the log and to whoever has sent it."""
        self._effects.report("block_rejected", id=block_id.hex(), peer=peer, reason=str(error))
        self._peers.block_rejected(peer, block_id, block_refusal(error), now_ms)
