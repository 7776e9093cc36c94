"""`NodeCore`: bytes, ticks and calls go in, effects come out; no I/O, no clock, no threads.

`now_ms` is the timers' time, which never steps; what slots need is `clock.slot_ms` of it (T-K1).

The shell carries effects out in their order, and `ReserveSlot` and `StoreBlocks` durably before
whatever was produced after them. So what this node announces it still has after a crash, and no
block leaves it before its slot is recorded as signed. Answers to clients are no effects: they wait
until `durability` says that what they rest on is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import assert_never

from msgspec.structs import asdict

from node.api.durability import Durability
from node.chain.apply_block import AppliedBlock, check_merkle_root
from node.chain.chain import Chain, PushResult
from node.chain.pending import AppliedTransaction
from node.chain.vote_pool import Equivocation, Judgement
from node.core.ballots import Ballots
from node.core.chain_reader import ChainReader
from node.core.clock_watch import FUTURE_TOLERANCE_MS, ClockWatch
from node.core.effects import (
    Effect,
    FlushSessions,
    Report,
    ReserveSlot,
    ReserveVote,
    StopNode,
    StoreBlocks,
    StoreHistory,
    report_of_blocks,
)
from node.core.inbox import BlockInbox, block_refusal, transaction_refusal
from node.core.observer import ChainObserver
from node.core.own_blocks import NoSigningKey, OwnBlocks
from node.core.settings import CoreSettings
from node.core.snapshot_slices import SnapshotSlices
from node.core.stall_watch import StallWatch
from node.exit_codes import Exit
from node.p2p.effects import (
    BlockReceived,
    BlockRefetched,
    ClosePeer,
    OpenConnection,
    PeerAddress,
    PeerKey,
    PeerPenalised,
    PeerReady,
    SendBytes,
    SplitClaimed,
    TransactionReceived,
    VoteReceived,
)
from node.p2p.effects import Effect as PeerEffect
from node.p2p.manager import PeerManager
from node.p2p.verdicts import TransactionRefusal
from node.state.errors import BlockRejected, FutureBlock, InvariantViolated
from node.witness.feed_publisher import FeedPublisher
from node.witness.producer import Production
from node.witness.undo_reserve import standstill
from node.witness.voter import may_pass_over
from protocol.block import BlockEnvelope, HeaderEnvelope
from protocol.crypto.keys import PrivateKey
from protocol.errors import PegboardError, ProtocolError
from protocol.finality import Vote
from protocol.ids import WitnessId
from protocol.schema import BlockId, PublicKey, Record
from protocol.transaction import TransactionEnvelope

OFFERED_MAX = 200
"""Pending transactions that a new peer is told of."""
BROKEN = (InvariantViolated, AssertionError)
"""The state or the code contradicts itself: the block is not kept, and the node must end (T-R4)."""


class MadeBlock(Record, gc=True):
    """A block of this node that is the head, of which nobody has been told yet."""

    envelope: BlockEnvelope
    result: PushResult


class NodeCore:
    """One node: chain, peers, production and feeds behind a handful of inputs."""

    def __init__(
        self,
        chain: Chain,
        peers: PeerManager,
        settings: CoreSettings,
        *,
        reader: ChainReader | None = None,
        secrets: Sequence[PrivateKey] = (),
        last_signed: Mapping[WitnessId, int] | None = None,
        last_votes: Mapping[PublicKey, tuple[int, int]] | None = None,
        feeds: FeedPublisher | None = None,
        proofs: Sequence[Equivocation] = (),
    ) -> None:
        """`last_votes` is None where no record proves how the keys have voted (F5)."""
        self.chain = chain
        self.peers = peers
        self.settings = settings
        self.own = OwnBlocks(chain, settings, secrets, last_signed or {})
        self.ballots = Ballots(chain, last_votes, proofs)
        self._watch = ClockWatch(chain, self.own)
        self.clock = self._watch.clock
        self.stalls = StallWatch(chain, self.ballots.pool, self.own, self._watch)
        self.feeds = feeds
        self.observers: list[ChainObserver] = []
        self.effects: list[Effect] = []
        self.durability = Durability()
        self._reader = reader
        self.inbox = BlockInbox(chain.chain_id)
        self._last_refusal = self._refusal = ""
        self.is_paused = False
        """Whether neither blocks are made by the clock nor prices published; see `TimeTravel`."""
        self._snapshot: SnapshotSlices | None = None

    def observe(self, observer: ChainObserver) -> None:
        """Tell somebody of all that changes from now on."""
        self.observers.append(observer)

    # Inputs.

    def peer_connected(
        self, peer: PeerKey, address: PeerAddress, now_ms: int, *, outbound: bool
    ) -> None:
        """A connection is open."""
        self.peers.connected(peer, address, outbound=outbound, now_ms=now_ms)
        self._follow_peers(now_ms)

    def peer_received(self, peer: PeerKey, data: bytes, now_ms: int) -> None:
        """Bytes arrived on a connection."""
        self.peers.received(peer, data, now_ms)
        self._follow_peers(now_ms)

    def peer_written(self, peer: PeerKey, size: int, now_ms: int) -> None:
        """So many bytes of what was to be sent to a peer are on their way."""
        self.peers.written(peer, size, now_ms)
        self._follow_peers(now_ms)

    def peer_disconnected(self, peer: PeerKey, now_ms: int) -> None:
        """A connection is gone."""
        self.peers.disconnected(peer, now_ms)
        self._follow_peers(now_ms)

    def dial_failed(self, address: PeerAddress, now_ms: int) -> None:
        """An `OpenConnection` came to nothing."""
        self.peers.connection_failed(address, now_ms)
        self._follow_peers(now_ms)

    def add_peer(self, address: PeerAddress, now_ms: int) -> bool:
        """Dial an address that the operator named; see `PeerManager.add_address`."""
        is_kept = self.peers.add_address(address, now_ms)
        self._follow_peers(now_ms)
        return is_kept

    def keys_recovered(self, token: int, keys: bytes, now_ms: int) -> None:
        """The answer to `RecoverKeys`, as `protocol.crypto.recovery.recover_keys` gives it."""
        self.inbox.set_keys(token, keys)
        self._drain_inbox(now_ms)
        self._follow_peers(now_ms)

    def read_clock(self, wall_ms: int, now_ms: int) -> None:
        """What the machine's clock shows, before each tick; without it that is `now_ms` (T-K1)."""
        self.effects += self._watch.read(wall_ms, now_ms)
        self.peers.clock_offset_ms = self.clock.offset_ms

    def tick(self, now_ms: int) -> None:
        """Time passes; to be called a few times in every slot."""
        self.peers.tick(now_ms)
        self._follow_peers(now_ms)
        self._advance_snapshot()
        self._look_for_damage()
        if self.settings.by_the_clock and not self.is_paused:
            self._produce(now_ms)
            self.effects += self.stalls.look(now_ms, self.peers, self._refusal)
        if self.settings.instant and self.chain.pending:
            self._make(partial(self._make_instant_block, now_ms), now_ms)
        if self.feeds is not None and not self.is_paused:
            for envelope in self.feeds.due(self.chain, self.clock.slot_ms(now_ms) // 1_000):
                try:
                    self.broadcast(envelope, now_ms)
                except PegboardError as error:
                    self._report("feed_refused", reason=str(error))

    def broadcast(self, envelope: TransactionEnvelope, now_ms: int) -> AppliedTransaction:
        """Accept a transaction of this node's own user; raises the refusal.

        An instant node that cannot make the block refuses the transaction: nothing is pending then
        (T-D2).
        """
        if self.settings.instant:
            self.own.on_demand()
        applied = self.chain.push_transaction(envelope)
        made = None
        if self.settings.instant:
            try:
                made = self._make_instant_block(now_ms)
            except PegboardError:
                self.chain.withdraw_transaction(envelope.id)
                raise
        self.peers.announce_transaction(envelope, now_ms)
        self._tell_pending(envelope)
        self._follow_peers(now_ms)
        if made is not None:
            self._follow_own(made, now_ms)
        return applied

    def push_block(self, envelope: BlockEnvelope, now_ms: int) -> None:
        """Take a block of this node's own user and offer it to peers; raises the refusal.

        While time stands still, it is the user's to say what time it is.
        """
        if not self.is_paused:
            self._refuse_future(envelope.front, now_ms)
        try:
            result = self.chain.push_block(envelope)
        except BROKEN as error:
            self._stop(str(error) or repr(error))
            raise
        self.follow_push(result)
        if result.applied:
            self.peers.announce_block(envelope, now_ms)
        self._follow_peers(now_ms)

    def generate_blocks(
        self,
        count: int,
        now_ms: int,
        secret: PrivateKey | None = None,
        *,
        earliest_s: int = 0,
        made: int = 0,
        to_come: int = 0,
    ) -> list[BlockEnvelope]:
        """Make blocks at the next slots whose witness keys are here, whatever the clock says.

        Slots that begin before `earliest_s` are left out. The same demand has `made` blocks before
        these, and as many more are `to_come`. Raises `NoSigningKey`, which says how many blocks
        were made if the keys were missing only after some.
        """
        applied: list[AppliedBlock] = []
        # One move stores all of them, before anything that follows from any of them.
        before, self.effects = self.effects, []
        try:
            for done in range(count):
                production = self.own.on_demand(secret, earliest_s=earliest_s, made=made + done)
                own = self._push_own(production, secret)
                if not applied:
                    self.durability.make()
                applied += own.result.applied
                self._tell(own.result)
                self._pass_on(own.envelope, now_ms, to_come + count - done - 1)
        finally:
            followed, self.effects = self.effects, before
            if applied:
                self._store_applied(applied)
            self.effects += followed
        self._follow_peers(now_ms)
        return [block.envelope for block in applied]

    def make_first_block(self, now_ms: int) -> None:
        """Give a development chain its first block, if a key for it is here.

        Clients refer to the block after the last irreversible one, and there must be one (T-D3).
        """
        if not self.chain.has_begun:
            earliest_s = self.own.present_slot_s(self.clock.slot_ms(now_ms))
            with suppress(NoSigningKey):
                self.generate_blocks(1, now_ms, earliest_s=earliest_s)

    def moves_stored(self, serial: int) -> None:
        """The moves of the chain up to a number are durable: `StoreBlocks.serial`."""
        if self._reader is not None:
            self._reader.unstored.drop(serial)
        self.durability.store(serial)

    def take_effects(self) -> list[Effect]:
        """What there is to do, in order; empties the list."""
        effects, self.effects = self.effects, []
        return effects

    # Peers.

    def _follow_peers(self, now_ms: int) -> None:
        while effects := self.peers.take_effects():
            for effect in effects:
                self._follow_peer_effect(effect, now_ms)

    def _follow_peer_effect(self, effect: PeerEffect, now_ms: int) -> None:
        match effect:
            case SendBytes() | ClosePeer() | OpenConnection():
                self.effects.append(effect)
            case BlockReceived():
                self._receive_block(effect, now_ms)
            case BlockRefetched():
                self._mend(effect, now_ms)
            case TransactionReceived():
                self._receive_transaction(effect, now_ms)
            case VoteReceived():
                self._receive_vote(effect.peer, effect.vote, now_ms)
            case PeerReady():
                hello = effect.hello
                node_id = hello.node_id.hex()
                self._report("peer_ready", peer=effect.peer, node_id=node_id, head=hello.head_num)
                self._offer_pending(now_ms)
            case PeerPenalised():
                self._report("peer_penalised", **asdict(effect))
            case SplitClaimed():
                self._report("split_claimed", peer=effect.peer, host=effect.host, num=effect.num)
            case _:
                assert_never(effect)

    def _offer_pending(self, now_ms: int) -> None:
        """Tell a new peer of what waits here: it may know who makes blocks, and nobody else here.

        Of so many at most, since who comes again is told again (T-P11).
        """
        for applied in islice(self.chain.pending, OFFERED_MAX):
            self.peers.announce_transaction(applied.envelope, now_ms)

    def _receive_transaction(self, received: TransactionReceived, now_ms: int) -> None:
        envelope = received.envelope
        try:
            self.chain.push_transaction(envelope)
        except PegboardError as error:
            refusal = transaction_refusal(error)
        except AssertionError as error:
            self._report("transaction_bug", id=envelope.id.hex(), error=repr(error))
            refusal = TransactionRefusal.REFUSED
        else:
            self.peers.announce_transaction(envelope, now_ms)
            self._tell_pending(envelope)
            return
        self.peers.transaction_rejected(received.peer, envelope, refusal, now_ms)

    def _tell_pending(self, envelope: TransactionEnvelope) -> None:
        for observer in self.observers:
            observer.transaction_pending(envelope)
        self.effects.append(FlushSessions())

    # Votes.

    def _receive_vote(self, peer: PeerKey, vote: Vote, now_ms: int) -> None:
        match self.ballots.pool.add(vote, peer):
            case Judgement.TAKEN:
                self.peers.announce_vote(vote, peer, now_ms)
                self.effects += self.ballots.find_twin(vote, self.own)
            case Judgement.LIE:
                self.effects += self.ballots.take_news(self.own)
            case Judgement.DROPPED:
                self.peers.vote_passed_over(peer, now_ms)
            case Judgement.MALFORMED:
                self.peers.vote_refused(peer, now_ms)

    def _follow_block(self, block: BlockEnvelope, now_ms: int, to_come: int = 0) -> None:
        """Judge the votes that waited for a block, and vote for the head if it is new (F5, F7).

        `to_come` blocks follow at once, as somebody has demanded them.
        """
        pool = self.ballots.pool
        pool.forget_old()
        pool.note_block(block.id, block.signing_key())
        self.effects += self.ballots.take_news(self.own)
        if pool.conflict is not None:
            self.effects += self.ballots.tell_conflict(pool.conflict)
            self._stop(str(pool.conflict))
            return
        for peer, vote in pool.take_waiting(block.id):
            self._receive_vote(PeerKey(peer), vote, now_ms)
        if not may_pass_over(self.chain, self.own.secrets, to_come):
            self.vote_for_head(now_ms)

    def vote_for_head(self, now_ms: int) -> None:
        """Cast the votes of this node's witnesses for the head, as far as the rules allow (F5)."""
        slot_s = self.clock.slot_ms(now_ms) // 1_000
        is_here = not (self.inbox or self.peers.is_syncing or self.own.is_listening(now_ms))
        if is_here and slot_s >= self.own.held_until_s:
            for cast in self.ballots.cast(self.own.secrets, slot_s):
                self.effects.append(ReserveVote(cast.key, *cast.span))
                if cast.vote is not None:
                    self.own.has_signed = True
                    self.peers.announce_vote(cast.vote, None, now_ms)

    # Blocks.

    def _receive_block(self, received: BlockReceived, now_ms: int) -> None:
        """Judge the header first, then whether the body is the header's, then queue it (T-P6)."""
        front = received.front
        try:
            self._refuse_future(front, now_ms)
            parent = self.inbox.header_of(front.header.previous)
            verdict = self.chain.judge_header(front, len(received.data), parent)
            envelope = self.chain.read_block(front, received.data)
            question = self.inbox.add(received.peer, envelope, verdict)
        except PegboardError as error:
            self._reject_block(received.peer, front.id, error, now_ms)
            return
        if question is not None:
            self.effects.append(question)
        self._drain_inbox(now_ms)

    def _look_for_damage(self) -> None:
        """Say which stored blocks were found damaged, and ask peers for them (T-S3)."""
        if self._reader is None:
            return
        for damage in self._reader.damaged.take_news():
            wanted = damage.block if damage.is_new else None
            self._report("block_damaged", reason=damage.reason, fetching=int(wanted is not None))
            if wanted is not None:
                self.peers.refetch_block(wanted)

    def _mend(self, received: BlockRefetched, now_ms: int) -> None:
        """Store a block that was damaged once more, if these are its bytes (T-S3)."""
        front = received.front
        try:
            envelope = BlockEnvelope.read(front, received.data)
            check_merkle_root(envelope)
        except PegboardError as error:
            self.peers.refetch_block(front.id)
            self._reject_block(received.peer, front.id, error, now_ms)
            return
        if self._reader is None or not self._reader.damaged.mend(front.id):
            return
        kept = ((envelope.id, envelope.num, envelope.packed),)
        head_id, lib = self.chain.head_id, self.chain.last_irreversible_num
        self.store(StoreBlocks(kept, head_id, (), lib, self.durability.make()))
        self._report("block_mended", num=front.num, id=front.id.hex(), peer=received.peer)

    def store(self, move: StoreBlocks) -> None:
        """Have a move of the chain stored."""
        self.effects.append(move)
        if self._reader is not None:
            self._reader.unstored.add(move)

    def _reject_block(
        self, peer: PeerKey, block_id: BlockId, error: PegboardError, now_ms: int
    ) -> None:
        self._report("block_rejected", id=block_id.hex(), peer=peer, reason=str(error))
        self.peers.block_rejected(peer, block_id, block_refusal(error), now_ms)

    def _refuse_future(self, front: HeaderEnvelope, now_ms: int) -> None:
        interval_ms = self.chain.state.parameters.block_interval * 1_000
        limit_ms = self.clock.slot_ms(now_ms) + interval_ms + FUTURE_TOLERANCE_MS
        if front.header.timestamp * 1_000 > limit_ms:
            self._watch.note_block(front, now_ms)
            raise FutureBlock(
                "block lies in the future",
                rule="R8.1",
                value=front.header.timestamp,
                limit=limit_ms // 1_000,
            )

    def _drain_inbox(self, now_ms: int) -> None:
        while (queued := self.inbox.take_ready()) is not None:
            try:
                result = self.chain.push_block(queued.envelope, verdict=queued.verdict)
            except BROKEN as error:
                self._stop(str(error) or repr(error))
                return
            except (BlockRejected, ProtocolError) as error:
                self._reject_block(queued.peer, queued.envelope.id, error, now_ms)
                continue
            self.follow_push(result)
            if not self.peers.is_syncing:
                self._watch.note_block(queued.envelope.front, now_ms)
            self.effects += self.ballots.find_twins(result.applied, self.own)
            applied = tuple(block.envelope.id for block in result.applied)
            self.peers.block_accepted(queued.envelope.id, applied, now_ms)
            self._follow_block(queued.envelope, now_ms)

    def follow_push(self, result: PushResult) -> None:
        """Store, report and tell what pushing a block changed.

        Nothing if it only grew a fork: what was never applied takes no disk, and is told to nobody
        (T-P6).
        """
        if result.applied:
            self.durability.make()
            self._store_applied(result.applied)
            self._tell(result)

    def _store_applied(self, applied: Sequence[AppliedBlock]) -> None:
        """Store the newest blocks of the main chain as one move, which was made before anybody was
        told of them; then send what observers made of them."""
        blocks = [block.envelope for block in applied]
        lib = self.chain.last_irreversible_num
        self.store(StoreBlocks.of_main_chain(blocks, lib, self.durability.made))
        self.effects.append(FlushSessions())
        self.effects.append(StoreHistory(self.chain.lowest_undoable_num))
        self.effects.append(report_of_blocks(blocks, lib))

    def _tell(self, result: PushResult) -> None:
        """Tell observers of blocks, the last of which is the head; begin a snapshot in its turn."""
        if result.popped:
            self._report(
                "fork_switch",
                popped=len(result.popped),
                applied=len(result.applied),
                head=self.chain.head_num,
            )
        for observer in self.observers:
            for popped in result.popped:
                observer.block_popped(popped)
            for block in result.applied:
                observer.block_applied(block)
            for transaction_id, reason in result.dropped:
                observer.transaction_dropped(transaction_id, reason)
        for block in result.applied:
            self.ballots.pool.note_certificate(block.envelope.id)
        for transaction_id, reason in result.dropped:
            self._report("transaction_dropped", id=transaction_id.hex(), reason=str(reason))
        if self.chain.head_num % self.settings.snapshot_interval == 0:
            self._snapshot = self._snapshot or SnapshotSlices(self.chain)

    def _advance_snapshot(self) -> None:
        if self._snapshot is not None:
            saved = self._snapshot.advance()
            if saved is not None:
                self.effects.append(saved)
            if self._snapshot.is_over:
                self._snapshot = None

    # Production.

    def _produce(self, now_ms: int) -> None:
        """Make the block of the present slot if it is this node's."""
        if not self.own.secrets or self.inbox or self.peers.is_syncing:
            return
        slot_ms = self.clock.slot_ms(now_ms)
        decision = self._watch.refusal(now_ms) or self.own.by_the_clock(slot_ms, now_ms)
        if isinstance(decision, Production):
            pool = self.ballots.pool
            decision = standstill(self.chain, decision, pool.certificate) or decision
        if isinstance(decision, Production):
            self._make(partial(self._push_own, decision), now_ms)
        elif decision.worth_telling:
            self._report_refusal(decision.name, decision.detail)
        else:
            self._last_refusal = decision.name

    def _make(self, make: Callable[[], MadeBlock | None], now_ms: int) -> None:
        """Make a block, or report why not."""
        try:
            made = make()
        except BROKEN:
            return
        except PegboardError as error:
            self._report_refusal(error.name, str(error))
            return
        if made is not None:
            self._follow_own(made, now_ms)
            self._last_refusal = self._refusal = ""

    def _make_instant_block(self, now_ms: int) -> MadeBlock | None:
        """The block that an instant node owes what is pending, if the clock lets it."""
        production = self.own.for_pending(self.clock.slot_ms(now_ms))
        return None if production is None else self._push_own(production)

    def _push_own(self, production: Production, more: PrivateKey | None = None) -> MadeBlock:
        """Make a block the head; nobody is told yet."""
        envelope = self.own.build(production, self.ballots.pool.certificate(), more)
        self.effects.append(ReserveSlot(production.witness, production.slot_time_s, envelope.num))
        try:
            return MadeBlock(envelope, self.chain.push_block(envelope))
        except BROKEN as error:
            self._stop(str(error) or repr(error))
            raise

    def _follow_own(self, made: MadeBlock, now_ms: int) -> None:
        """Store, tell and announce a block of this node."""
        self.follow_push(made.result)
        self._pass_on(made.envelope, now_ms)
        self._follow_peers(now_ms)

    def _pass_on(self, block: BlockEnvelope, now_ms: int, to_come: int = 0) -> None:
        """Announce a block of this node and vote, before `to_come` more of one demand."""
        self.peers.announce_block(block, now_ms)
        self._follow_block(block, now_ms, to_come)

    def _report_refusal(self, name: str, detail: str) -> None:
        """Report why no block is made, once until something else happens."""
        if name != self._last_refusal:
            self._report("not_producing", reason=name, detail=detail)
        self._last_refusal, self._refusal = name, f"{name}: {detail}"

    def _stop(self, why: str) -> None:
        self.inbox.clear()
        self.effects.append(StopNode(Exit.BROKEN, why))

    def _report(self, name: str, **fields: str | int) -> None:
        self.effects.append(Report(name, fields))
