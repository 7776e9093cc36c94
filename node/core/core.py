"""`NodeCore`: bytes, ticks and calls go in, effects come out; no I/O, no clock, no threads.

`now_ms` is the timers' time, which never steps; what slots need is `clock.slot_ms` of it (T-K1).

The shell carries effects out in their order, and `ReserveSlot` and `StoreBlocks` durably before
whatever was produced after them. So what this node announces it still has after a crash, and no
block leaves it before its slot is recorded as signed. Answers to clients are no effects: they wait
until `durability` says that what they rest on is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import assert_never

from msgspec.structs import asdict

from node.chain.chain import Chain
from node.chain.pending import AppliedTransaction
from node.chain.vote_pool import Equivocation
from node.core.ballots import Ballots
from node.core.block_maker import BlockMaker, MadeBlock
from node.core.breakdown import Breakdown
from node.core.chain_moves import ChainMoves
from node.core.chain_reader import ChainReader
from node.core.clock_watch import ClockWatch
from node.core.effect_list import EffectList
from node.core.effects import Effect
from node.core.inbox import BlockInbox, transaction_refusal
from node.core.intake import BlockIntake
from node.core.mending import Mending
from node.core.observer import ChainObserver
from node.core.own_blocks import NoSigningKey, OwnBlocks
from node.core.settings import CoreSettings
from node.core.snapshot_slices import SnapshotTurns
from node.core.stall_watch import StallWatch
from node.core.voting import Voting
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
from node.witness.feed_publisher import FeedPublisher
from protocol.block import BlockEnvelope
from protocol.crypto.keys import PrivateKey
from protocol.errors import PegboardError
from protocol.ids import WitnessId
from protocol.schema import PublicKey
from protocol.transaction import TransactionEnvelope

OFFERED_MAX = 200
"""Pending transactions that a new peer is told of."""


class NodeCore:
    """One node: what arrives goes to the parts that it concerns, and what they want comes out."""

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
        self.effects = effects = EffectList()
        self.inbox = inbox = BlockInbox(chain.chain_id)
        self._breakdown = breakdown = Breakdown(inbox, effects)
        self.own = own = OwnBlocks(chain, settings, secrets, last_signed or {})
        self.watch = watch = ClockWatch(chain, own)
        self.clock = clock = watch.clock
        self.ballots = ballots = Ballots(chain, last_votes, proofs)
        self.voting = Voting(ballots, own, clock, inbox, peers, breakdown, effects)
        self.stalls = StallWatch(chain, ballots.pool, own, watch)
        self._snapshots = SnapshotTurns(chain, settings.snapshot_interval)
        unstored = None if reader is None else reader.unstored
        self.moves = ChainMoves(chain, ballots.pool, effects, self._snapshots, unstored)
        self.durability = self.moves.durability
        self._maker = BlockMaker(chain, own, ballots.pool, watch, breakdown, effects)
        self._intake = BlockIntake(
            chain, inbox, watch, self.moves, self.voting, peers, breakdown, effects
        )
        self._mending = (
            None if reader is None else Mending(reader.damaged, peers, self.moves, effects)
        )
        self.feeds = feeds
        self.is_paused = False
        """Whether neither blocks are made by the clock nor prices published; see `TimeTravel`."""

    def observe(self, observer: ChainObserver) -> None:
        """Tell somebody of all that changes from now on."""
        self.moves.observe(observer)

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
        self._intake.drain(now_ms)
        self._follow_peers(now_ms)

    def read_clock(self, wall_ms: int, now_ms: int) -> None:
        """What the machine's clock shows, before each tick; without it that is `now_ms` (T-K1)."""
        self.effects.add(*self.watch.read(wall_ms, now_ms))
        self.peers.clock_offset_ms = self.clock.offset_ms

    def tick(self, now_ms: int) -> None:
        """Time passes; to be called a few times in every slot."""
        self.peers.tick(now_ms)
        self._follow_peers(now_ms)
        saved = self._snapshots.advance()
        if saved is not None:
            self.effects.add(saved)
        if self._mending is not None:
            self._mending.look()
        if self.settings.by_the_clock and not self.is_paused:
            if not (self.inbox or self.peers.is_syncing):
                self._follow_own(self._maker.by_the_clock(now_ms), now_ms)
            self.effects.add(*self.stalls.look(now_ms, self.peers, self._maker.refusal))
        if self.settings.instant:
            self._follow_own(self._maker.if_pending(now_ms), now_ms)
        if self.feeds is not None and not self.is_paused:
            self._publish_prices(self.feeds, now_ms)

    def _publish_prices(self, feeds: FeedPublisher, now_ms: int) -> None:
        for envelope in feeds.due(self.chain, self.clock.slot_ms(now_ms) // 1_000):
            try:
                self.broadcast(envelope, now_ms)
            except PegboardError as error:
                self.effects.report("feed_refused", reason=str(error))

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
                made = self._maker.for_pending(now_ms)
            except PegboardError:
                self.chain.withdraw_transaction(envelope.id)
                raise
        self.peers.announce_transaction(envelope, now_ms)
        self.moves.tell_pending(envelope)
        self._follow_peers(now_ms)
        self._follow_own(made, now_ms)
        return applied

    def push_block(self, envelope: BlockEnvelope, now_ms: int) -> None:
        """Take a block of this node's own user and offer it to peers; raises the refusal.

        While time stands still, it is the user's to say what time it is.
        """
        if not self.is_paused:
            self.watch.check(envelope.front, now_ms)
        with self._breakdown.if_broken():
            result = self.chain.push_block(envelope)
        self.moves.follow(result)
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
        blocks: list[BlockEnvelope] = []
        with self.moves.joined() as follow:
            for done in range(count):
                own = self._maker.on_demand(secret, earliest_s=earliest_s, made=made + done)
                follow(own.result)
                blocks.append(own.envelope)
                self._pass_on(own.envelope, now_ms, to_come + count - done - 1)
        self._follow_peers(now_ms)
        return blocks

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
        self.moves.stored(serial)

    def take_effects(self) -> list[Effect]:
        """What there is to do, in order; empties the list."""
        return self.effects.take()

    # Peers.

    def _follow_peers(self, now_ms: int) -> None:
        while effects := self.peers.take_effects():
            for effect in effects:
                self._follow_peer_effect(effect, now_ms)
            self._intake.let_go(now_ms)

    def _follow_peer_effect(self, effect: PeerEffect, now_ms: int) -> None:
        match effect:
            case SendBytes() | ClosePeer() | OpenConnection():
                self.effects.add(effect)
            case BlockReceived():
                self._intake.receive(effect, now_ms)
            case BlockRefetched():
                self._mend(effect, now_ms)
            case TransactionReceived():
                self._receive_transaction(effect, now_ms)
            case VoteReceived():
                self.voting.receive(effect.peer, effect.vote, now_ms)
            case PeerReady():
                node_id, head = effect.hello.node_id.hex(), effect.hello.head_num
                self.effects.report("peer_ready", peer=effect.peer, node_id=node_id, head=head)
                self._offer_pending(now_ms)
            case PeerPenalised():
                self.effects.report("peer_penalised", **asdict(effect))
            case SplitClaimed():
                host, num = effect.host, effect.num
                self.effects.report("split_claimed", peer=effect.peer, host=host, num=num)
            case _:
                assert_never(effect)

    def _offer_pending(self, now_ms: int) -> None:
        """Tell a new peer of what waits here: it may know who makes blocks, and nobody else here.

        Of so many at most, since who comes again is told again (T-P11).
        """
        oldest = islice(self.chain.pending, OFFERED_MAX)
        self.peers.offer_transactions((applied.envelope for applied in oldest), now_ms)

    def _receive_transaction(self, received: TransactionReceived, now_ms: int) -> None:
        self._intake.let_go(now_ms)  # it may rest on a block that came before it
        envelope = received.envelope
        try:
            self.chain.push_transaction(envelope)
        except PegboardError as error:
            refusal = transaction_refusal(error)
        except AssertionError as error:
            self.effects.report("transaction_bug", id=envelope.id.hex(), error=repr(error))
            refusal = TransactionRefusal.REFUSED
        else:
            self.peers.announce_transaction(envelope, now_ms)
            self.moves.tell_pending(envelope)
            return
        self.peers.transaction_rejected(received.peer, envelope, refusal, now_ms)

    def _mend(self, received: BlockRefetched, now_ms: int) -> None:
        if self._mending is not None:
            try:
                self._mending.mend(received)
            except PegboardError as error:
                self._intake.reject(received.peer, received.front.id, error, now_ms)

    # Own blocks.

    def _follow_own(self, made: MadeBlock | None, now_ms: int) -> None:
        """Store, tell and announce a block of this node, if it has made one."""
        if made is not None:
            self.moves.follow(made.result)
            self._pass_on(made.envelope, now_ms)
            self._follow_peers(now_ms)

    def _pass_on(self, block: BlockEnvelope, now_ms: int, to_come: int = 0) -> None:
        """Announce a block of this node and vote, before `to_come` more of one demand."""
        self.peers.announce_block(block, now_ms)
        self.voting.follow_block(block, now_ms, to_come)
