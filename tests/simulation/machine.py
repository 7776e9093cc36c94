"""One simulated machine: a clock, a disk, and the production `NodeCore` with a shell around it.

The shell carries effects out as `node.services.node_service` does: what waits makes one batch,
slots and blocks of a batch go to disk first, the rest follows in order. Only here every wait is
an event, so that a crash can fall between any two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import assert_never

from node.api.durability import Durability
from node.chain.chain import AppliedTransaction
from node.core.chain_reader import ChainReader
from node.core.core import NodeCore
from node.core.effects import (
    FlushSessions,
    RecoverKeys,
    Report,
    ReserveSlot,
    ReserveVote,
    SaveSnapshot,
    StopNode,
    StoreEvidence,
    StoreHistory,
)
from node.core.settings import CoreSettings
from node.core.startup import Started, start_chain
from node.p2p.config import PeerConfig
from node.p2p.effects import ClosePeer, OpenConnection, PeerAddress, PeerKey, SendBytes
from node.p2p.manager import PeerManager
from node.p2p.peer_database import PeerDatabase
from node.services.effect_queue import Batch, EffectQueue
from node.services.node_service import TICK_MS
from node.state.objects.finality import VotingSet
from node.storage.errors import DiskError
from node.storage.interface import SignedSlot, SignedVote
from node.witness.feed_publisher import FeedPlan, FeedPublisher
from protocol.block import BlockEnvelope
from protocol.crypto.keys import PrivateKey, public_key
from protocol.crypto.recovery import recover_keys
from protocol.crypto.signatures import recover_key
from protocol.errors import DamagedData
from protocol.finality import Vote, vote_digest
from protocol.genesis_form import Genesis
from protocol.p2p.messages import BlockMessage, Hello, Inventory, ItemKind, Message
from protocol.p2p.transport import PlainTransport
from protocol.schema import BlockId
from protocol.transaction import TransactionEnvelope
from tests.simulation.bounds import check_bounds, check_prices
from tests.simulation.checkers import Checkers, NodeObserver, Violation
from tests.simulation.disk import Disk
from tests.simulation.event_loop import EventLoop
from tests.simulation.network import Network, address_of
from tests.simulation.options import Options

SAVE_PEERS_MS = 20_000
"""Sooner than a real node saves them, since a run is short."""
RESTART_MS = 2_000
"""After so long somebody starts a process again that ended because of its disk."""
STATE_HASH_EVERY = 10
"""States are compared between nodes at multiples of this height."""


@dataclass(frozen=True, slots=True)
class World:
    """What all machines of a simulation share."""

    loop: EventLoop
    network: Network
    checkers: Checkers
    options: Options
    genesis: Genesis

    def unjudged(self, checkers: Checkers) -> World:
        """The same world for one of whom other checkers think."""
        return replace(self, checkers=checkers)


@dataclass(frozen=True, slots=True)
class Duties:
    """What a node does beside following the chain."""

    secrets: Sequence[PrivateKey]
    """Signing keys of its witnesses."""
    feeds: Callable[[], Sequence[FeedPlan]]
    """Its witnesses' feeds, made anew for each process."""


class Machine:
    """A host of the network on which processes of one node live, one after the other."""

    def __init__(self, world: World, number: int, duties: Duties) -> None:
        self.world = world
        self.number = number
        self.duties = duties
        self.own_keys = {public_key(secret) for secret in duties.secrets}
        seed = world.options.seed
        disk_rng = Random(f"{seed}/disk/{number}")
        tears = bool(world.options.torn)
        self.disk = Disk(world.loop, world.checkers, disk_rng, tears=tears)
        self.core: NodeCore | None = None
        self.observer = NodeObserver(number, world.checkers, Durability())
        self.is_up = True
        self.rng = Random(f"{seed}/machine/{number}")
        skew_ms = world.options.skew_ms
        self.clock_offset_ms = self.rng.randrange(-skew_ms, skew_ms + 1)
        ppm = world.options.drift_ppm
        self._drift_ppm = Random(f"{seed}/drift/{number}").randrange(-ppm, ppm + 1)
        self._start_offset_ms = self.clock_offset_ms
        """How far the clock was ahead when the process started."""
        self.last_state_num = 0
        self._looked_at: BlockId | None = None
        self._newest_set: VotingSet | None = None
        self.required_participation = world.options.required_participation
        self._life = 0
        self._paused: list[Callable[[], None]] | None = None
        self.queue = EffectQueue()
        self._is_carrying = False
        self._known_peers: object = None

    @property
    def now_ms(self) -> int:
        """The time of the timers, which no step of the clock reaches."""
        return self._read(self._start_offset_ms)

    @property
    def wall_ms(self) -> int:
        """The time on this machine's clock."""
        return self._read(self.clock_offset_ms)

    def _read(self, offset_ms: int) -> int:
        found = self.world.loop.now_ms + offset_ms + self._drifted_ms()
        self.world.checkers.clock_read(self.number, found, self.world.loop.now_ms)
        return found

    def _drifted_ms(self) -> int:
        return self.world.loop.elapsed_ms * self._drift_ppm // 1_000_000

    @property
    def is_listening(self) -> bool:
        """Whether a process accepts connections."""
        return self.core is not None

    # Life and death.

    def start(self) -> None:
        """Start a process from what the disk holds, by the production path."""
        world = self.world
        self._life += 1
        self._start_offset_ms = self.clock_offset_ms
        started = self._start_chain()
        world.checkers.restarted(self.number, started.chain, self.disk.blocks)
        reader = ChainReader(started.chain, self.disk.blocks)
        self.core = NodeCore(
            started.chain,
            self._make_peers(reader),
            CoreSettings(
                enable_stale=self.number < world.options.stale_starters,
                required_participation=self.required_participation,
                snapshot_interval=world.options.snapshot_interval,
            ),
            reader=reader,
            secrets=self.duties.secrets,
            last_signed=self.disk.guard.load(),
            last_votes=self.disk.guard.load_votes(),
            feeds=FeedPublisher(self.duties.feeds()),
        )
        self.observer = NodeObserver(self.number, world.checkers, self.core.durability)
        self.core.observe(self.observer)
        self.is_up = True
        world.loop.record("started", self.number, started.chain.head_num, started.replayed)
        if started.replayed < started.chain.head_num:
            world.checkers.counts["started from a snapshot"] += 1
        self._in_this_life(self._tick)()
        self._in_this_life(self._save_peers)()

    def _start_chain(self) -> Started:
        """The chain on the disk; or, if that is damaged, none, as the operator is told to do."""
        world = self.world
        start = partial(start_chain, world.genesis, paranoid=bool(world.options.paranoid))
        try:
            started = start(self.disk.blocks, self.disk.snapshots)
        except DamagedData:
            world.checkers.counts["started anew"] += 1
            self.wipe()
            return start(self.disk.blocks, self.disk.snapshots)
        if started.skipped_snapshots:
            world.checkers.counts["snapshots passed over"] += 1
        return started

    def crash(self, *, silently: bool) -> None:
        """The process dies; what was not durable is lost."""
        if self.core is None:
            return
        self.world.loop.record("crash", self.number, silently)
        self._life += 1
        self.core = None
        self._paused = None
        self.queue = EffectQueue()
        self._is_carrying = False
        self.disk.crash()
        self.is_up = not silently
        self.world.network.cut_off(self.number, silently=silently)

    def mend(self) -> None:
        """The disk is sound again, and the clock goes as fast as the others."""
        self.disk.mend()
        drifted_ms = self._drifted_ms()
        self._drift_ppm = 0
        self.clock_offset_ms += drifted_ms
        self._start_offset_ms += drifted_ms

    def _stop_for_disk(self) -> None:
        """The process ends, as `NodeService` does; somebody starts it again (T-S4)."""
        self.world.checkers.counts["disk stops"] += 1
        self.crash(silently=False)
        self.world.loop.later(RESTART_MS, self._start_again)

    def _start_again(self) -> None:
        if self.core is None:
            self.start()

    def wipe(self) -> None:
        """Lose blocks and snapshots; the record of signed slots is kept apart from them."""
        if self.core is None:
            self.disk.lose_chain()
            self.world.checkers.wiped(self.number)

    def silence(self, *, is_silent: bool) -> None:
        """Take the signing keys out of the running process, or put them back."""
        if self.core is not None:
            keys = () if is_silent else self.duties.secrets
            self.core.own.secrets = {public_key(key): key for key in keys}

    def pause(self, duration_ms: int) -> None:
        """The process stands still; what arrives waits."""
        if self.core is None or self._paused is not None:
            return
        self.world.loop.record("pause", self.number, duration_ms)
        self._paused = []
        life = self._life
        self.world.loop.later(duration_ms, lambda: self._resume(life))

    def _resume(self, life: int) -> None:
        if life != self._life:
            return
        waiting, self._paused = self._paused or [], None
        for action in waiting:
            action()

    def _in_this_life(self, action: Callable[[], None]) -> Callable[[], None]:
        """The action, unless the process is gone by then; later while it stands still."""
        life = self._life

        def act() -> None:
            if life != self._life:
                return
            if self._paused is not None:
                self._paused.append(act)
                return
            action()

        return act

    def _make_peers(self, reader: ChainReader) -> PeerManager:
        """The peer layer of a new process; it knows a few seeds and what was saved."""
        count = self.world.options.nodes
        seeds = tuple(
            address_of(node) for node in sorted({0, (self.number + 1) % count} - {self.number})
        )
        database = PeerDatabase(seeds)
        if self._known_peers is not None:
            database.load_json(self._known_peers)
            self.world.checkers.counts["started with anchors"] += bool(database.anchors)
        config = PeerConfig(
            node_id=self.rng.randbytes(32),
            user_agent=f"simulated/{self.number}",
            listen_port=address_of(self.number).port,
            seeds=seeds,
        )
        return PeerManager(
            reader,
            config,
            Random(self.rng.getrandbits(64)),
            database,
            make_transport=PlainTransport,
        )

    # Inputs.

    def connected(self, key: PeerKey, address: PeerAddress, *, outbound: bool) -> None:
        """A connection is open."""
        self._input(lambda core: core.peer_connected(key, address, self.now_ms, outbound=outbound))

    def received(self, key: PeerKey, data: bytes) -> None:
        """Bytes arrived."""
        self._input(lambda core: core.peer_received(key, data, self.now_ms))

    def disconnected(self, key: PeerKey) -> None:
        """A connection is gone."""
        self._input(lambda core: core.peer_disconnected(key, self.now_ms))

    def dial_failed(self, address: PeerAddress) -> None:
        """Nobody answered."""
        self._input(lambda core: core.dial_failed(address, self.now_ms))

    def broadcast(self, envelope: TransactionEnvelope) -> AppliedTransaction:
        """A client's transaction; raises the refusal."""
        assert self.core is not None
        try:
            return self.core.broadcast(envelope, self.now_ms)
        finally:
            self._after_input()

    def _tick(self) -> None:
        assert self.core is not None
        self.core.read_clock(self.wall_ms, self.now_ms)
        self.core.tick(self.now_ms)
        self._after_input()
        wait_ms = TICK_MS - self.core.clock.slot_ms(self.now_ms) % TICK_MS
        self.world.loop.later(wait_ms, self._in_this_life(self._tick))

    def _save_peers(self) -> None:
        assert self.core is not None
        self._known_peers = self.core.peers.remembered()
        self.world.loop.later(SAVE_PEERS_MS, self._in_this_life(self._save_peers))

    def _input(self, give: Callable[[NodeCore], None]) -> None:
        def act() -> None:
            assert self.core is not None
            give(self.core)
            self._after_input()

        if self.core is not None:
            self._in_this_life(act)()

    def _after_input(self) -> None:
        """Take the effects; let the checkers look at the chain."""
        assert self.core is not None
        chain = self.core.chain
        self.queue.put(self.core.take_effects())
        checkers = self.world.checkers
        checkers.observe(self.number, chain)
        if chain.head_id != self._looked_at:
            self._looked_at = chain.head_id
            self.look_around(self.core)
        finality = chain.state.finality
        if finality is not None and finality.sets[-1] != self._newest_set:
            if self._newest_set is not None:
                self.world.checkers.happened("another voting set")
            self._newest_set = finality.sets[-1]
        if chain.head_num % STATE_HASH_EVERY == 0 and chain.head_num != self.last_state_num:
            self.last_state_num = chain.head_num
            checkers.check_state(chain)
        self._carry_on()

    def look_around(self, core: NodeCore) -> None:
        """On a new head: whether memory and prices are within their bounds."""
        check_bounds(self.number, core)
        checkers = self.world.checkers
        checkers.counts["prices among lies"] += check_prices(
            core.chain.state, checkers.lying_publishers
        )

    # Effects.

    def _carry_on(self) -> None:
        batch = None if self._is_carrying else self.queue.take_batch()
        if batch is not None:
            for question in batch.questions:
                self._recover_keys(question)
            self._is_carrying = True
            self._step(self.carry(batch))

    def _step(self, steps: Iterator[int]) -> None:
        """Go on with a batch until it waits for the disk, or to the next batch."""
        try:
            wait_ms = next(steps, None)
        except DiskError:
            self.world.loop.later(0, self._in_this_life(self._stop_for_disk))
            return
        if wait_ms is not None:
            self.world.loop.later(wait_ms, self._in_this_life(lambda: self._step(steps)))
            return
        self._is_carrying = False
        self._carry_on()

    def carry(self, batch: Batch) -> Iterator[int]:
        """Carry out a batch; yields how long to wait before going on."""
        yield from self.persist(batch)
        yield from self.carry_rest(batch)

    def carry_rest(self, batch: Batch) -> Iterator[int]:
        """Carry out what may only follow the durable part."""
        for effect in batch.rest:
            match effect:
                case SaveSnapshot():
                    self.disk.check(is_flush=False)
                    self.disk.snapshots.save(effect.num, effect.block_id, *effect.payload)
                    self.prune(effect)
                    yield self.flush_ms()
                    self.disk.snapshots.flush()
                    self.flush_blocks()
                case SendBytes():
                    self._note_written(effect)
                    self._send(effect)
                case ClosePeer():
                    self.world.loop.record("close", self.number, effect.peer, effect.reason)
                    self.world.checkers.counts[f"closed {effect.code.name}"] += 1
                    self.world.network.close(self.number, effect.peer)
                case OpenConnection():
                    self.world.network.dial(self.number, effect.address)
                case FlushSessions():
                    self.observer.flush()
                case Report():
                    self._note(effect)
                case StoreHistory() | StoreEvidence():
                    pass
                case StopNode():
                    raise Violation("stopped", f"node {self.number}: {effect.reason}")
                case _:
                    assert_never(effect)

    def persist(self, batch: Batch) -> Iterator[int]:
        """Bring the blocks, slots and votes of a batch to disk, in two writes."""
        if batch.slots or batch.votes or batch.moves:
            self.disk.check(is_flush=False)
        for move in batch.moves:
            self.disk.blocks.append(move.blocks, move.head, move.main_chain, move.irreversible_num)
        if batch.moves:
            yield self.flush_ms()
            self.disk.check(is_flush=True)
            self.flush_blocks()
        for slot in batch.slots:
            self.reserve(slot)
        for vote in batch.votes:
            self.reserve_vote(vote)
        if batch.slots or batch.votes:
            yield self.flush_ms()
            self.disk.check(is_flush=True)
            self.flush_guard()
        if batch.moves:
            assert self.core is not None
            self.core.moves_stored(batch.moves[-1].serial)

    def reserve(self, slot: ReserveSlot) -> None:
        """Note that a slot is signed; a second block for it stops the node."""
        self.disk.guard.reserve([SignedSlot(slot.witness, slot.slot_time_s, slot.block_num)])

    def reserve_vote(self, vote: ReserveVote) -> None:
        """Note that a key votes; going back on an earlier vote stops the node."""
        self.disk.guard.reserve([], [SignedVote(vote.key, vote.source_num, vote.target_num)])

    def prune(self, snapshot: SaveSnapshot) -> None:
        """Forget forks that can win no more."""
        self.disk.blocks.prune_forks(snapshot.irreversible_num)

    def flush_guard(self) -> None:
        """Make what was noted of slots and votes durable."""
        self.disk.guard.flush()

    def flush_blocks(self) -> None:
        """Make the blocks that were written durable."""
        self.disk.blocks.flush()

    def flush_ms(self) -> int:
        """How long the disk takes this time."""
        return self.rng.randrange(self.world.options.flush_ms + 1)

    def _note_written(self, effect: SendBytes) -> None:
        """No connection of this network is slow enough to let much wait."""
        if self.core is not None:
            self.core.peer_written(effect.peer, len(effect.data), self.now_ms)
            self.queue.put(self.core.take_effects())

    def _send(self, effect: SendBytes) -> None:
        message = self.world.network.send(self.number, effect.peer, effect.data)
        if message is not None:
            self._follow_sent(message)

    def _follow_sent(self, message: Message) -> None:
        checkers = self.world.checkers
        checkers.counts[f"sent {type(message).__name__}"] += 1
        match message:
            case BlockMessage():
                checkers.block_sent(self.number, BlockEnvelope.from_bytes(message.data))
            case Inventory() if message.kind == ItemKind.BLOCK:
                for block_id in message.ids:
                    checkers.tell(self.number, BlockId(block_id))
            case Vote():
                self._follow_vote(message)
            case Hello():
                checkers.tell(self.number, message.head_id)
                checkers.tell_irreversible(self.number, message.lib_num)
            case _:
                pass

    def _follow_vote(self, vote: Vote) -> None:
        """Look at a vote that leaves, if it is this node's own."""
        assert self.core is not None
        key = recover_key(
            vote_digest(self.core.chain.chain_id, vote.source, vote.target), vote.signature
        )
        if key in self.own_keys:
            self.world.checkers.vote_sent(self.number, key, vote)

    def _note(self, effect: Report) -> None:
        fields = effect.fields
        self.world.checkers.counts[effect.name] += 1
        self.world.loop.record(
            effect.name, self.number, *(f"{name}={fields[name]}" for name in fields)
        )

    def _recover_keys(self, question: RecoverKeys) -> None:
        """The worker processes answer after a while, in the order of its own."""

        def answer() -> None:
            self._input(lambda core: core.keys_recovered(question.token, keys, self.now_ms))

        self.world.checkers.counts["keys recovered"] += 1
        keys = recover_keys(question.questions)
        self.world.loop.later(self.rng.randrange(1, 300), self._in_this_life(answer))
