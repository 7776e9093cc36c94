"""Synopsis sync: ids of what follows the last block in common, then the blocks, in order (S5).

One round with a peer is: a synopsis goes out, block ids come back, the blocks are fetched from
every peer that listed them and handed to the core in the order of that peer's chain. Rounds with
several peers run side by side and share what arrives, so a silent peer costs nothing but its own
round.

A round that brings nothing doubles the wait before the next one with that peer: however many
unlinkable blocks arrive, a peer is asked at most once per wait (no message storm).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice

from node.p2p.chain_view import ChainView
from node.p2p.effects import BlockReceived, PeerKey
from node.p2p.errors import ForkBelowIrreversible, InvalidItem, LyingSync, PeerError
from node.p2p.limits import PeerLimits
from node.p2p.peer import Peer, unasked_answer
from node.p2p.recent import RecentSet
from node.p2p.requests import Item, RequestTracker
from node.p2p.sync_round import SyncRound
from node.p2p.synopsis import build_synopsis
from node.p2p.verdicts import BlockRefusal
from protocol.block import NO_BLOCK, block_num_of
from protocol.p2p.messages import BlockIds, Fetch, GetBlockIds, ItemKind
from protocol.schema import BlockId, Record

STRAYS_MAX = 3
"""So many answers in a row, with the waits between them, may show a fork below our irreversible
block: whoever was dropped at the first could never come over to us while its fork is longer."""


class _Handed(Record):
    """A block that was handed to the core."""

    owner: PeerKey
    """The peer on whose list it was."""
    follows: bool
    """Whether it follows the block that the list has before it."""
    size: int
    """Its bytes."""


class BlockSync:
    """Rounds with all peers, and the blocks that they share."""

    def __init__(
        self,
        chain: ChainView,
        peers: Mapping[PeerKey, Peer],
        tracker: RequestTracker,
        limits: PeerLimits,
    ) -> None:
        self._chain = chain
        self._peers = peers
        self._tracker = tracker
        self._limits = limits
        self._rounds: dict[PeerKey, SyncRound] = {}
        self._listed: dict[BlockId, int] = {}
        """How many rounds list a block that was not handed to the core yet."""
        self._arrived: dict[BlockId, BlockReceived] = {}
        self._arrived_bytes = 0
        self._unjudged: dict[BlockId, _Handed] = {}
        """Blocks that the core has not judged yet."""
        self._rejected: RecentSet[BlockId] = RecentSet(limits.max_rejected)
        self._now_ms = 0
        self._accepted_ms: int | None = None
        """When the core last accepted a block of a round."""
        self._handed_over = 0
        """Blocks handed to the core since the windows were last looked at."""
        self.rounds_started = 0
        """Rounds asked for since the start."""

    @property
    def is_syncing(self) -> bool:
        """Whether blocks of a peer's chain are coming in: some are not judged yet, or more are
        listed and one was accepted within `hedge_ms`. A peer that lists blocks and delivers none
        does not count, or it could keep a witness from producing."""
        if self._unjudged:
            return True
        if self._accepted_ms is None or self._now_ms - self._accepted_ms >= self._limits.hedge_ms:
            return False
        return any(found.ids for found in self._rounds.values())

    @property
    def pending_count(self) -> int:
        """Blocks listed by peers that were not handed to the core yet."""
        return len(self._listed)

    def add_peer(self, peer: Peer, head_num: int, now_ms: int) -> None:
        """Begin with a peer; a round starts when it is ahead of us, or sure of another chain."""
        self._rounds[peer.key] = SyncRound(head_num)
        if head_num > self._chain.head_num or self._is_sure_of_another(peer):
            self.request_round(peer.key, now_ms)

    def _is_sure_of_another(self, peer: Peer) -> bool:
        """Whether a peer calls irreversible what is not on our main chain, long as ours may be.

        What this node makes alone, or with liars, can be longer than the chain that wins (F6).
        """
        hello, chain = peer.hello, self._chain
        return (
            hello is not None
            and hello.lib_num > chain.last_irreversible_num
            and chain.id_at(hello.lib_num) != hello.lib_id
        )

    def remove_peer(self, peer: PeerKey, now_ms: int) -> None:
        """Forget a peer; others that listed its blocks deliver them."""
        gone = self._rounds.pop(peer, None)
        if gone is None:
            return
        self._unlist(gone)
        self._start_waiting(now_ms)
        self.fetch(now_ms)

    def request_round(self, peer: PeerKey, now_ms: int) -> None:
        """Ask the peer how its chain goes on: now, or when its wait is over."""
        self._rounds[peer].is_wanted = True
        self._start_waiting(now_ms)

    def note_head(self, peer: PeerKey, num: int) -> None:
        """The peer has spoken of a block at this height."""
        found = self._rounds[peer]
        found.head_num = max(found.head_num, num)

    def is_running_with(self, peer: PeerKey) -> bool:
        """Whether a round with the peer is going on."""
        return self._rounds[peer].is_running

    def wants(self, block_id: BlockId) -> bool:
        """Whether a round fetches this block."""
        return block_id in self._listed

    def is_rejected(self, block_id: BlockId) -> bool:
        """Whether the core found this block invalid lately."""
        return block_id in self._rejected

    def on_block_ids(self, peer: PeerKey, message: BlockIds, now_ms: int) -> None:
        """Take the answer to a synopsis.

        Raises `ForkBelowIrreversible` when the peer has had its time to come over to us,
        `LyingSync` when it does not continue the synopsis,
        `InvalidItem` when it lists a block known to be invalid, and the fault of an answer
        that nobody asked for.
        """
        found = self._rounds[peer]
        if found.asked_ms is None:
            raise unasked_answer("BlockIds", was_answered=found.was_answered)
        found.asked_ms = None
        found.was_answered = True
        if message.ids:
            try:
                found.previous = self._check_continues(found, message)
            except ForkBelowIrreversible as error:
                found.strayed += 1
                if found.strayed == STRAYS_MAX:
                    raise error
                found.is_wanted = True
                self._fail(found, now_ms)
                return
            found.strayed = 0
        for block_id in message.ids:
            if block_id in self._rejected:
                raise InvalidItem("peer's chain holds an invalid block", value=block_id.hex())
        ids = deque(message.ids)
        while ids and self._chain.has_block(ids[0]):
            found.previous = ids.popleft()
        found.ids = ids
        found.remaining = message.remaining
        found.has_progressed = False
        self.note_head(peer, message.first_num + len(message.ids) - 1)
        for block_id in ids:
            self._listed[block_id] = self._listed.get(block_id, 0) + 1
        if ids:
            self.fetch(now_ms)
        else:
            self._finish(peer, now_ms)

    def on_block(self, received: BlockReceived, now_ms: int) -> None:
        """Take a block that a round wants; the first bytes of two equal deliveries stay.

        One that finds the buffer twice full and is not the next to be judged is let go, and any
        one that finds it full three times; it will be asked for again.
        """
        block_id = received.front.id
        is_wanted = block_id not in self._arrived and block_id not in self._unjudged
        if is_wanted and self._has_room_for(received):
            self._arrived[block_id] = received
            self._arrived_bytes += len(received.data)
        if self._tracker.load(received.peer) % self._limits.sync_blocks_per_fetch == 0:
            self.fetch(now_ms)

    def on_unavailable(
        self, peer: PeerKey, block_ids: Sequence[BlockId], now_ms: int
    ) -> LyingSync | None:
        """The peer lacks some blocks; its fault when it listed one of them itself (T-N5)."""
        found = self._rounds[peer]
        listed = set(found.ids).intersection(block_ids)
        if not listed:
            return None
        self._fail(found, now_ms)
        self.fetch(now_ms)
        return LyingSync("peer lacks a block that it listed", value=min(listed).hex())

    def take_ready(self, now_ms: int) -> list[BlockReceived]:
        """Blocks whose predecessors were handed to the core before, in order."""
        ready: list[BlockReceived] = []
        for key, found in list(self._rounds.items()):
            if found.ids:
                self._take_from(key, found, ready)
                if not found.ids:
                    self._finish(key, now_ms)
        self._handed_over += len(ready)
        if self._handed_over >= self._limits.sync_blocks_per_fetch:
            self.fetch(now_ms)
        return ready

    def accepted(self, block_id: BlockId, now_ms: int) -> bool:
        """The core took a block; False when it did not come from a round."""
        handed = self._unjudged.pop(block_id, None)
        if handed is None:
            return False
        self._now_ms = self._accepted_ms = now_ms
        if handed.owner in self._rounds:
            self._finish(handed.owner, now_ms)
        return True

    def rejected(
        self, block_id: BlockId, refusal: BlockRefusal, now_ms: int
    ) -> tuple[PeerKey, PeerError] | None:
        """The core refused a block; the peer whose list misled us, and its fault.

        What was handed over after it on the same list falls with it and is nobody's fault; nor is
        it one when the block before it is gone that the list has there, too.
        """
        if refusal is BlockRefusal.INVALID:
            self._rejected.add(block_id)
        handed = self._unjudged.pop(block_id, None)
        if handed is None:
            return self._spoiled(block_id, now_ms) if refusal is BlockRefusal.INVALID else None
        owner = handed.owner
        self._unjudged = {
            key: other for key, other in self._unjudged.items() if other.owner != owner
        }
        found = self._rounds.get(owner)
        if found is None:
            return None
        self._fail(found, now_ms)
        self.fetch(now_ms)
        if refusal is BlockRefusal.UNLINKABLE and not handed.follows:
            return owner, LyingSync("listed block does not link", value=block_id.hex())
        if refusal is BlockRefusal.INVALID:
            return owner, InvalidItem("listed block is invalid", value=block_id.hex())
        found.is_wanted = True
        return None

    def tick(self, now_ms: int) -> None:
        """Start the rounds whose wait is over, and ask others for what is late."""
        self._now_ms = now_ms
        patience_ms = 2 * self._chain.block_interval_s * 1000
        head_num = self._chain.head_num
        for found in self._rounds.values():
            if found.is_running or found.head_num <= head_num:
                found.behind_since_ms = None
            elif found.behind_since_ms is None:
                found.behind_since_ms = now_ms
            elif now_ms - found.behind_since_ms >= patience_ms:
                found.is_wanted = True
        self._start_waiting(now_ms)
        self.fetch(now_ms)

    def peers_overdue(self, now_ms: int) -> list[PeerKey]:
        """Peers that left a synopsis unanswered for `request_timeout_ms` (T-P5)."""
        deadline_ms = now_ms - self._limits.request_timeout_ms
        return [
            key
            for key, found in self._rounds.items()
            if found.asked_ms is not None and found.asked_ms <= deadline_ms
        ]

    def fetch(self, now_ms: int) -> None:
        """Ask each peer in a round for blocks of its window that nobody was asked for."""
        limits = self._limits
        self._handed_over = 0
        for _ in range(limits.sync_requests_per_peer // limits.sync_blocks_per_fetch):
            for key, found in self._rounds.items():
                if found.ids:
                    self._fetch_from(key, found, now_ms)

    def _fetch_from(self, key: PeerKey, found: SyncRound, now_ms: int) -> None:
        peer = self._peers.get(key)
        if peer is None or not peer.is_active or not peer.may_send(Fetch, now_ms):
            return
        load = self._tracker.load(key)
        if load and self._tracker.lateness(key):
            return  # it owes what others deliver meanwhile
        room = self._limits.sync_requests_per_peer - load
        if room < self._limits.sync_blocks_per_fetch:
            return
        items = self._choose(key, found, now_ms)
        if items:
            self._tracker.begin(key, items, now_ms)
            peer.send(Fetch(ItemKind.BLOCK, tuple(item.id for item in items)), now_ms)

    def _choose(self, key: PeerKey, found: SyncRound, now_ms: int) -> list[Item]:
        window = self._limits.sync_window
        if self._arrived_bytes >= self._limits.sync_buffer_bytes:
            window = 1
        hedge_before_ms = now_ms - self._limits.hedge_ms
        items: list[Item] = []
        for block_id in islice(found.ids, window):
            item = Item(ItemKind.BLOCK, block_id)
            if block_id in self._arrived or block_id in self._unjudged:
                continue
            if self._tracker.holders(item):
                if self._tracker.is_asked_of(key, item):
                    continue
                if self._tracker.last_asked_ms(item) > hedge_before_ms:
                    continue
                self._tracker.note_late(item)
            items.append(item)
            if len(items) == self._limits.sync_blocks_per_fetch:
                break
        return items

    def _has_room_for(self, received: BlockReceived) -> bool:
        total_bytes = self._arrived_bytes + len(received.data)
        if total_bytes <= 2 * self._limits.sync_buffer_bytes:
            return True
        if total_bytes > 3 * self._limits.sync_buffer_bytes:
            return False
        block_id = received.front.id
        return any(found.ids and found.ids[0] == block_id for found in self._rounds.values())

    def _take_from(self, key: PeerKey, found: SyncRound, ready: list[BlockReceived]) -> None:
        while found.ids:
            block_id = found.ids[0]
            if block_id in self._unjudged or self._chain.has_block(block_id):
                found.previous = found.ids.popleft()
                if self._release(block_id):
                    self._drop_arrived(block_id)
            elif block_id in self._arrived and self._may_hand_over(self._arrived[block_id]):
                arrived = self._arrived[block_id]
                found.ids.popleft()
                self._release(block_id)
                self._drop_arrived(block_id)
                follows = arrived.front.header.previous == found.previous
                self._unjudged[block_id] = _Handed(key, follows, len(arrived.data))
                found.previous = block_id
                ready.append(arrived)
            else:
                return
            found.has_progressed = True

    def _may_hand_over(self, arrived: BlockReceived) -> bool:
        """Whether the core, which still has to judge others, has room for a block."""
        if not self._unjudged:
            return True
        size = len(arrived.data) + sum(handed.size for handed in self._unjudged.values())
        limits = self._limits
        return len(self._unjudged) < limits.sync_unjudged and size <= limits.sync_unjudged_bytes

    def _check_continues(self, found: SyncRound, message: BlockIds) -> BlockId:
        """The block of the synopsis that an answer goes on from."""
        common_num = message.first_num - 1
        for block_id in found.offered:
            if block_num_of(block_id) == common_num:
                return block_id
        if common_num == 0 and found.offered_lib == 0:
            return NO_BLOCK
        if common_num < found.offered_lib:
            raise ForkBelowIrreversible(
                "peer's chain leaves ours below the last irreversible block",
                value=common_num,
                limit=found.offered_lib,
            )
        raise LyingSync("block ids do not continue the synopsis", value=message.first_num)

    def _start_waiting(self, now_ms: int) -> None:
        running = sum(
            found.is_running and not self._is_stalled(key, found, now_ms)
            for key, found in self._rounds.items()
        )
        wanted = [
            (key, found, peer)
            for key, found in self._rounds.items()
            if found.is_wanted and not found.is_running and now_ms >= found.next_round_ms
            if (peer := self._peers.get(key)) is not None and peer.is_active
        ]
        wanted.sort(key=lambda row: not row[2].outbound)
        for _, found, peer in wanted:
            if running >= self._limits.sync_peers:
                return
            if not peer.may_send(GetBlockIds, now_ms):
                continue
            running += 1
            self.rounds_started += 1
            found.is_wanted = False
            found.asked_ms = now_ms
            found.offered = build_synopsis(self._chain)
            found.offered_lib = self._chain.last_irreversible_num
            peer.send(GetBlockIds(found.offered), now_ms)

    def _is_stalled(self, key: PeerKey, found: SyncRound, now_ms: int) -> bool:
        """Whether a peer leaves its round where it is: then it takes the place of no other (P10).

        A silent peer costs its own round and a single wait, however many of them there are.
        """
        if found.asked_ms is not None:
            return now_ms - found.asked_ms >= self._limits.hedge_ms
        return self._tracker.lateness(key) > 0

    def _finish(self, key: PeerKey, now_ms: int) -> None:
        """End a round once its last block is judged; go on when more follows."""
        found = self._rounds[key]
        if found.is_running or any(handed.owner == key for handed in self._unjudged.values()):
            return
        if not found.has_progressed:
            self._wait_longer(found, now_ms)
        else:
            found.backoff_ms = 0
            found.is_wanted = found.is_wanted or found.remaining > 0
        found.has_progressed = False
        found.remaining = 0
        self._start_waiting(now_ms)

    def _spoiled(self, block_id: BlockId, now_ms: int) -> tuple[PeerKey, PeerError] | None:
        """A block that came by itself is invalid: end a round that lists it, too."""
        if block_id not in self._listed:
            return None
        for key, found in self._rounds.items():
            if block_id in found.ids:
                self._fail(found, now_ms)
                return key, InvalidItem("listed block is invalid", value=block_id.hex())
        return None

    def _fail(self, found: SyncRound, now_ms: int) -> None:
        self._unlist(found)
        found.has_progressed = False
        found.remaining = 0
        self._wait_longer(found, now_ms)

    def _wait_longer(self, found: SyncRound, now_ms: int) -> None:
        limits = self._limits
        doubled = max(limits.sync_backoff_ms, 2 * found.backoff_ms)
        found.backoff_ms = min(doubled, limits.max_sync_backoff_ms)
        found.next_round_ms = now_ms + found.backoff_ms

    def _unlist(self, found: SyncRound) -> None:
        for block_id in found.ids:
            if self._release(block_id):
                self._drop_arrived(block_id)
        found.ids = deque()

    def _release(self, block_id: BlockId) -> bool:
        """One list fewer holds the block; True when none does any more."""
        left = self._listed[block_id] - 1
        if left:
            self._listed[block_id] = left
            return False
        del self._listed[block_id]
        return True

    def _drop_arrived(self, block_id: BlockId) -> None:
        arrived = self._arrived.pop(block_id, None)
        if arrived is not None:
            self._arrived_bytes -= len(arrived.data)
