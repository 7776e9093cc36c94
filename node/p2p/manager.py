"""The peer layer's door: bytes, ticks and verdicts in; effects out.

No clock, socket or randomness of its own: `now_ms` comes with every call and is milliseconds by a
clock that never steps, chance comes from the `Random` given at the start. The same calls give the
same effects.

After each call the owner takes the effects and carries them out in order. Every `BlockReceived`
and `TransactionReceived` must be answered with a verdict, in the order of the effects: at most
`sync_unjudged` synced blocks are out at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from msgspec.structs import replace

from node.p2p.accounts import work_to_judge
from node.p2p.chain_view import ChainView
from node.p2p.charges import RECOVERY, REFUSED_FACTOR
from node.p2p.config import PeerConfig
from node.p2p.connections import Connections
from node.p2p.effects import (
    ClosePeer,
    Effect,
    PeerAddress,
    PeerKey,
    PeerPenalised,
    PeerReady,
    SplitClaimed,
)
from node.p2p.errors import ForkBelowIrreversible, InvalidItem, PeerError
from node.p2p.limits import BAN_SCORE
from node.p2p.peer import Peer
from node.p2p.peer_database import MAX_RETRY_MS, PeerDatabase, wide_group
from node.p2p.relay import Relay
from node.p2p.requests import Item
from node.p2p.statistics import PeerLayerStatistics, PeerStatistics
from node.p2p.verdicts import BlockRefusal, TransactionRefusal
from protocol.block import NO_BLOCK, BlockEnvelope
from protocol.finality import Vote
from protocol.p2p.handshake import (
    HandshakePolicy,
    HelloRefused,
    SelfConnection,
    check_hello,
    check_not_connected,
    keeps_new_connection,
)
from protocol.p2p.messages import (
    PROTOCOL_VERSION,
    Goodbye,
    GoodbyeCode,
    Hello,
    HelloAccepted,
    ItemKind,
    Message,
    is_ip_address,
)
from protocol.p2p.transport import TransportMaker
from protocol.schema import BlockId
from protocol.transaction import TransactionEnvelope

SHORT_BYTES = 64 * 1024
"""An unfinished message below it is left alone."""
STABLE_MS = 60_000
"""A connection that lived so long clears the failures of its address."""
SPLIT_CLAIM_MS = 2 * MAX_RETRY_MS
"""A claim that nobody repeats for so long is forgotten; whoever is dialled again repeats it."""


class PeerManager:
    """All connections of one node."""

    def __init__(
        self,
        chain: ChainView,
        config: PeerConfig,
        rng: Random,
        database: PeerDatabase | None = None,
        *,
        make_transport: TransportMaker,
    ) -> None:
        self.database = PeerDatabase(config.seeds) if database is None else database
        self._chain = chain
        self._config = config
        self._limits = config.limits
        self._rng = rng
        self._make_transport = make_transport
        self._policy = HandshakePolicy(chain.chain_id, config.node_id, config.allowed_keys)
        self._is_paused = False
        self.clock_offset_ms = 0
        """Added to `now_ms` it is the time that greetings tell."""
        self.split: SplitClaimed | None = None
        """The newest claim that the network has split."""
        self._effects: list[Effect] = []
        self._peers: dict[PeerKey, Peer] = {}
        self._ready: dict[bytes, PeerKey] = {}
        """Active connections by node id."""
        self._relay = Relay(chain, self._peers, self.database, self._limits, rng, self._effects)
        self._connections = Connections(
            self._peers, self.database, self._limits, config.trusted_hosts, rng, self._effects
        )

    @property
    def config(self) -> PeerConfig:
        """What this node is towards others."""
        return self._config

    @property
    def is_syncing(self) -> bool:
        """Whether blocks of some peer's chain are coming in; no peer can feign it by promises."""
        return self._relay.sync.is_syncing

    @property
    def ready_count(self) -> int:
        """Peers that may talk."""
        return len(self._ready)

    def take_effects(self) -> list[Effect]:
        """What is to be done since the last call, in order."""
        taken = self._effects[:]
        self._effects.clear()
        return taken

    def connected(self, key: PeerKey, address: PeerAddress, *, outbound: bool, now_ms: int) -> None:
        """A connection exists. `address` is where we dialled, or where the other came from."""
        assert key not in self._peers, key
        if outbound:
            self._connections.dialled(address)
        refusal = None if outbound else self._admit(address, now_ms)
        if self._is_paused:
            refusal = GoodbyeCode.SHUTTING_DOWN
        if refusal is not None:
            self._effects.append(ClosePeer(key, refusal, "connection not admitted", address.host))
            return
        peer = Peer(
            key,
            address,
            outbound=outbound,
            transport=self._make_transport(outbound=outbound),
            policy=self._policy_towards(address) if outbound else self._policy,
            effects=self._effects,
            limits=self._limits,
            now_ms=now_ms,
        )
        self._peers[key] = peer
        peer.open()
        if outbound:
            peer.send(self._own_hello(now_ms), now_ms)

    def _admit(self, address: PeerAddress, now_ms: int) -> GoodbyeCode | None:
        """Why an inbound connection is not admitted; another one may have to go for it (P11)."""
        refusal = self._connections.refusal(address, now_ms)
        if refusal is not None:
            return refusal
        match self._connections.make_room():
            case Peer() as victim:
                code = GoodbyeCode.TOO_MANY_CONNECTIONS
                self._drop(victim, code, "makes room for another", now_ms)
                return None
            case found:
                return found

    def connection_failed(self, address: PeerAddress, now_ms: int) -> None:
        """An `OpenConnection` came to nothing."""
        self._connections.failed(address, now_ms)

    def received(self, key: PeerKey, data: bytes, now_ms: int) -> None:
        """Bytes of a connection; those of one that is closed already are ignored."""
        peer = self._peers.get(key)
        if peer is None:
            return
        try:
            peer.feed(data, now_ms)
        except PeerError as error:
            self._penalise(peer, error, now_ms)
        except HelloRefused as error:
            self._refuse(peer, error, now_ms)
        while not peer.is_closed:
            try:
                message = peer.next_message(now_ms)
                if message is None:
                    self._bound_unfinished(peer, now_ms)
                    return
                self._handle(peer, message, now_ms)
            except PeerError as error:
                self._penalise(peer, error, now_ms)

    def written(self, key: PeerKey, size: int, now_ms: int) -> None:
        """So many of the bytes that were to be sent are on their way; the peer may have more."""
        peer = self._peers.get(key)
        if peer is not None:
            peer.unwritten_bytes -= size
            if peer.ready_ms is not None:
                self._relay.server.go_on(peer, now_ms)

    def disconnected(self, key: PeerKey, now_ms: int) -> None:
        """The connection has ended, by the other side or by an error."""
        peer = self._peers.get(key)
        if peer is not None:
            self._remove(peer, now_ms)

    def tick(self, now_ms: int) -> None:
        """Let time pass; some ten times a second is enough."""
        for peer in list(self._peers.values()):
            missed = peer.tick(now_ms)
            if missed is not None:
                self._drop(peer, *missed, now_ms)
        relay = self._relay
        overdue = relay.tracker.peers_overdue(now_ms) + relay.sync.peers_overdue(now_ms)
        for key in overdue:
            if key in self._peers:
                self._drop(self._peers[key], GoodbyeCode.TIMEOUT, "request not answered", now_ms)
        relay.server.tick(self._peers, now_ms)
        relay.addresses.tick(now_ms)
        relay.gossip.tick(now_ms)
        relay.gossip.flush(now_ms)
        relay.sync.tick(now_ms)
        relay.refetch.tick(now_ms)
        relay.begin_turn()
        relay.deliver_ready(now_ms)
        if self.split is not None and now_ms - self.split.at_ms >= SPLIT_CLAIM_MS:
            self.split = None
        self._dial(now_ms)

    def _dial(self, now_ms: int) -> None:
        if not self._is_paused:
            self._connections.dial(now_ms)

    def announce_block(self, envelope: BlockEnvelope, now_ms: int) -> None:
        """Tell all peers of a block that this node made, or got other than from a peer."""
        item = Item(ItemKind.BLOCK, envelope.id)
        self._relay.server.keep(item, envelope.packed)
        self._relay.gossip.announce(item, now_ms)

    def refetch_block(self, block_id: BlockId) -> None:
        """Ask peers for a block that is damaged here, until one sends it (T-S3)."""
        self._relay.refetch.want(block_id)

    def announce_transaction(self, envelope: TransactionEnvelope, now_ms: int) -> None:
        """The core took a transaction of a client or a peer; all that lack it are told.

        They are told with the next tick.
        """
        self._relay.gossip.announce(self._keep(envelope), now_ms)

    def offer_transactions(self, envelopes: Iterable[TransactionEnvelope], now_ms: int) -> None:
        """A new peer is told of what waits here, oldest first, as are all that lack it."""
        self._relay.gossip.offer([self._keep(envelope) for envelope in envelopes], now_ms)

    def _keep(self, envelope: TransactionEnvelope) -> Item:
        """Have a transaction at hand for those who are told of it."""
        item = Item(ItemKind.TRANSACTION, envelope.id)
        self._relay.server.keep(item, envelope.packed())
        return item

    def announce_vote(self, vote: Vote, sender: PeerKey | None, now_ms: int) -> None:
        """Tell all peers but the one it came from of a new vote, as far as their rates allow (F7).

        A vote that a peer misses for its rate does no harm: with the next block come new ones.
        """
        for peer in self._peers.values():
            if peer.is_active and peer.key != sender and peer.may_send(Vote, now_ms):
                peer.send(vote, now_ms)

    def vote_passed_over(self, sender: PeerKey, now_ms: int) -> None:
        """The key behind a vote was recovered, and it is nobody's who may vote (F7, P5)."""
        self._charge_refused(sender, RECOVERY, now_ms)

    def _charge_refused(self, key: PeerKey, work: int, now_ms: int) -> None:
        peer = self._peers.get(key)
        if peer is not None:
            peer.work.charge((REFUSED_FACTOR - 1) * work, now_ms)

    def vote_refused(self, sender: PeerKey, now_ms: int) -> None:
        """A vote bears no signature at all: nobody can have relayed it in good faith (F7)."""
        error = InvalidItem("vote without a signature", rule="F7")
        self._penalise_key(sender, error, now_ms)

    def block_accepted(self, block_id: BlockId, applied: Sequence[BlockId], now_ms: int) -> None:
        """The core took a block, or had it already; `applied` has joined the main chain with it.

        That is announced to the other peers, and nothing else: whoever is told of a block may hold
        this node to it (T-P6). Of a sync only the head is, when its round is over.
        """
        sync = self._relay.sync
        self._relay.gossip.judged(Item(ItemKind.BLOCK, block_id))
        was_synced = sync.accepted(block_id, now_ms)
        self._relay.deliver_ready(now_ms)
        if was_synced:
            applied = () if sync.is_syncing else (self._chain.head_id,)
        for new in applied:
            self._relay.server.keep(Item(ItemKind.BLOCK, new), self._chain.block_bytes(new) or b"")
            self._relay.gossip.announce(Item(ItemKind.BLOCK, new), now_ms)

    def block_rejected(
        self, peer: PeerKey, block_id: BlockId, refusal: BlockRefusal, now_ms: int
    ) -> None:
        """The core refused a block that the peer delivered."""
        relay = self._relay
        misled = relay.sync.rejected(block_id, refusal, now_ms)
        item = Item(ItemKind.BLOCK, block_id)
        if refusal is BlockRefusal.CORRUPT:
            relay.gossip.retry(item, now_ms)
        elif refusal is BlockRefusal.INVALID:
            relay.gossip.judged(item)
        else:
            relay.gossip.forget(item)
        if refusal in (BlockRefusal.INVALID, BlockRefusal.CORRUPT):
            error = InvalidItem(f"block is {refusal.value}", rule="T-P6", value=block_id.hex())
            self._penalise_key(peer, error, now_ms)
        elif refusal is BlockRefusal.OTHER_FORK:
            fork = ForkBelowIrreversible("block is on another fork", value=block_id.hex())
            self._penalise_key(peer, fork, now_ms)
        elif refusal is BlockRefusal.UNLINKABLE and misled is None and self.is_active(peer):
            relay.sync.request_round(peer, now_ms)
        if misled is not None:
            self._penalise_key(*misled, now_ms)
        relay.deliver_ready(now_ms)

    def transaction_rejected(
        self,
        peer: PeerKey,
        envelope: TransactionEnvelope,
        refusal: TransactionRefusal,
        now_ms: int,
    ) -> None:
        """The core refused a transaction; it is not fetched again soon.

        Honest peers have taken what they pass on, so it costs its sender more than a good one; what
        the state refuses may still be sent in good faith, and ends no connection (P5).
        """
        if refusal is TransactionRefusal.INVALID:
            error = InvalidItem("transaction is invalid", rule="T-P4", value=envelope.id.hex())
            self._penalise_key(peer, error, now_ms)
        elif refusal is TransactionRefusal.REFUSED:
            self._charge_refused(peer, work_to_judge(envelope), now_ms)

    def add_address(self, address: PeerAddress, now_ms: int) -> bool:
        """Dial an address that the operator named: now, or when there is room for a connection.

        False when it is this node's own, or when no more addresses can be remembered.
        """
        is_kept = self.database.want(address, self._rng)
        self._dial(now_ms)
        return is_kept

    def shut_down(self, now_ms: int) -> None:
        """Say goodbye to all peers."""
        for peer in list(self._peers.values()):
            self._drop(peer, GoodbyeCode.SHUTTING_DOWN, "shutting down", now_ms)

    def pause(self, now_ms: int) -> None:
        """Have no peers until `resume`: a development chain is about to go through time."""
        self._is_paused = True
        self.shut_down(now_ms)

    def resume(self) -> None:
        """Have peers again, those that the pause has ended at once."""
        if self._is_paused:
            self._is_paused = False
            self.database.forget_failures()

    def remembered(self) -> dict[str, object]:
        """What survives a restart; see `PeerDatabase.to_json` and `Connections.anchors`."""
        self.database.set_anchors(self._connections.anchors())
        return self.database.to_json()

    def statistics(self) -> PeerLayerStatistics:
        """The connections and queues as they are now."""
        relay = self._relay
        rows = tuple(self._describe(peer) for peer in self._peers.values())
        return PeerLayerStatistics(
            peers=rows,
            active_count=len(self._ready),
            dialling_count=self._connections.dialling_count,
            known_addresses=len(self.database),
            bans=len(self._connections.bans),
            wanted_items=relay.gossip.wanted_count,
            sync_pending=relay.sync.pending_count,
            sync_rounds=relay.sync.rounds_started,
            is_syncing=relay.sync.is_syncing,
        )

    def _describe(self, peer: Peer) -> PeerStatistics:
        hello = peer.hello
        return PeerStatistics(
            key=peer.key,
            address=peer.address,
            outbound=peer.outbound,
            state=peer.state.value,
            node_id=peer.node_key or (hello.node_id if hello else b""),
            user_agent=hello.user_agent if hello else "",
            head_num=hello.head_num if hello else 0,
            received_bytes=peer.received_bytes,
            sent_bytes=peer.sent_bytes,
            requests_in_flight=self._relay.tracker.load(peer.key) if peer.is_active else 0,
        )

    def _policy_towards(self, address: PeerAddress) -> HandshakePolicy:
        return replace(self._policy, pinned_key=self._config.pinned_keys.get(address))

    def _own_hello(self, now_ms: int) -> Hello:
        chain = self._chain
        return Hello(
            protocol_version=PROTOCOL_VERSION,
            chain_id=chain.chain_id,
            node_id=self._config.node_id,
            head_num=chain.head_num,
            head_id=chain.head_id,
            head_time=chain.head_time,
            lib_num=chain.last_irreversible_num,
            lib_id=chain.id_at(chain.last_irreversible_num) or NO_BLOCK,
            user_agent=self._config.user_agent,
            listen_port=self._config.listen_port,
            time_ms=now_ms + self.clock_offset_ms,
        )

    def _handle(self, peer: Peer, message: Message, now_ms: int) -> None:
        match message:
            case Hello():
                self._on_hello(peer, message, now_ms)
            case HelloAccepted():
                self._welcome(peer, now_ms)
            case Goodbye():
                self._on_goodbye(peer, message, now_ms)
            case _:
                self._relay.handle(peer, message, now_ms)

    def _on_hello(self, peer: Peer, hello: Hello, now_ms: int) -> None:
        peer.hello = hello
        try:
            check_hello(hello, peer.policy, peer.node_key, now_ms + self.clock_offset_ms)
            if not self._replaces_old(peer, hello):
                check_not_connected(hello, self._ready)
        except HelloRefused as error:
            if isinstance(error, SelfConnection) and peer.outbound:
                self.database.forget_own(peer.address)
            self._refuse(peer, error, now_ms)
            return
        if self._connections.bans.is_banned(hello.node_id.hex(), now_ms):
            self._drop(peer, GoodbyeCode.BANNED, "banned", now_ms)
            return
        self._check_fork(peer, hello, now_ms)
        if peer.outbound:
            peer.accept(now_ms)
            self._welcome(peer, now_ms)
        else:
            peer.send(self._own_hello(now_ms), now_ms)

    def _replaces_old(self, peer: Peer, hello: Hello) -> bool:
        old_key = self._ready.get(hello.node_id)
        return old_key is not None and keeps_new_connection(
            self._config.node_id,
            hello.node_id,
            old_is_outbound=self._peers[old_key].outbound,
            new_is_outbound=peer.outbound,
        )

    def _check_fork(self, peer: Peer, hello: Hello, now_ms: int) -> None:
        """Raises `ForkBelowIrreversible` when one of our final blocks contradicts the peer's.

        A head on another fork says nothing: such a peer may still switch to our chain.
        """
        if not 0 < hello.lib_num <= self._chain.last_irreversible_num:
            return
        known = self._chain.id_at(hello.lib_num)
        if known is not None and known != hello.lib_id:
            self._note_split(peer, hello.lib_num, now_ms)
            raise ForkBelowIrreversible(
                "peer's irreversible block contradicts ours",
                value=hello.lib_num,
                limit=self._chain.last_irreversible_num,
            )

    def _note_split(self, peer: Peer, num: int, now_ms: int) -> None:
        self.split = SplitClaimed(peer.key, peer.address.host, num, now_ms)
        self._effects.append(self.split)

    def _welcome(self, peer: Peer, now_ms: int) -> None:
        """The handshake is done on our side."""
        hello = peer.hello
        assert hello is not None
        old_key = self._ready.get(hello.node_id)
        if old_key is not None:
            replaces = self._replaces_old(peer, hello)
            loser = self._peers[old_key] if replaces else peer
            self._drop(loser, GoodbyeCode.ALREADY_CONNECTED, "already connected", now_ms)
            if not replaces:
                return
        self._ready[hello.node_id] = peer.key
        peer.ready_ms = now_ms
        address = peer.listen_address
        if address is not None:
            if not peer.outbound and is_ip_address(address.host):
                self.database.add(address, wide_group(address.host), self._rng)
                self.database.mark_seen(address, now_ms)
            elif peer.outbound:
                self.database.mark_connected(address, now_ms)
        self._effects.append(PeerReady(peer.key, hello))
        self._relay.add_peer(peer, now_ms)

    def _on_goodbye(self, peer: Peer, goodbye: Goodbye, now_ms: int) -> None:
        if goodbye.code == GoodbyeCode.SELF_CONNECTION and peer.outbound:
            self.database.forget_own(peer.address)
        if goodbye.code == GoodbyeCode.FORK_BELOW_IRREVERSIBLE and peer.ready_ms is None:
            self._note_split(peer, self._chain.last_irreversible_num, now_ms)
        reason = f"peer said goodbye: {goodbye.reason}"
        host = peer.address.host
        self._effects.append(ClosePeer(peer.key, GoodbyeCode(goodbye.code), reason, host))
        self._remove(peer, now_ms)

    def is_active(self, key: PeerKey) -> bool:
        """Whether both sides of a connection have accepted each other."""
        peer = self._peers.get(key)
        return peer is not None and peer.ready_ms is not None

    def _penalise_key(self, key: PeerKey, error: PeerError, now_ms: int) -> None:
        peer = self._peers.get(key)
        if peer is not None:
            self._penalise(peer, error, now_ms)

    def _penalise(self, peer: Peer, error: PeerError, now_ms: int) -> None:
        """Count a fault; at 100 points the peer is told why and dropped, and banned for most."""
        score = peer.add_points(error.points, now_ms)
        self._effects.append(PeerPenalised(peer.key, error.points, score, str(error)))
        if score >= BAN_SCORE and not peer.is_closed:
            if error.is_banned:
                self._connections.ban(peer, error.code, now_ms)
            self._drop(peer, error.code, error.what, now_ms)

    def _refuse(self, peer: Peer, error: HelloRefused, now_ms: int) -> None:
        """Tell the peer in a word why it is refused, and the log with the numbers."""
        peer.close(error.code, error.what, in_log=str(error))
        self._remove(peer, now_ms)

    def _bound_unfinished(self, peer: Peer, now_ms: int) -> None:
        """Let the peer go that has most of what all have sent in part, if that is too much (T-R1).

        Not each message is worth a look at all peers.
        """
        if peer.unfinished_bytes < SHORT_BYTES:
            return
        all_bytes = sum(one.unfinished_bytes for one in self._peers.values())
        if all_bytes > self.config.limits.unfinished_bytes:
            largest = max(self._peers.values(), key=lambda one: one.unfinished_bytes)
            self._drop(largest, GoodbyeCode.RATE_LIMIT, "too much is unfinished", now_ms)

    def _drop(self, peer: Peer, code: GoodbyeCode, reason: str, now_ms: int) -> None:
        peer.close(code, reason)
        self._remove(peer, now_ms)

    def _remove(self, peer: Peer, now_ms: int) -> None:
        """Forget a connection, and plan when its address is dialled again."""
        del self._peers[peer.key]
        ready_ms = peer.ready_ms
        if ready_ms is not None:
            assert peer.hello is not None
            del self._ready[peer.hello.node_id]
            self._relay.remove_peer(peer.key, now_ms)
            self._relay.deliver_ready(now_ms)
        if peer.outbound:
            if ready_ms is not None and now_ms - ready_ms >= STABLE_MS:
                self.database.clear_failures(peer.address, now_ms)
            self._connections.failed(peer.address, now_ms)
