"""Answers to `Fetch` and `GetBlockIds`: at bounded rates of bytes and of work (P4, T-P11).

A peer that never reads cannot fill memory, and no number of peers takes the node's time: what is
asked beyond the accounts waits, and comes in turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from node.p2p.chain_view import ChainView
from node.p2p.charges import CHARGES, KIB, Account
from node.p2p.effects import PeerKey
from node.p2p.errors import RateExceeded
from node.p2p.limits import PeerLimits
from node.p2p.peer import Peer
from node.p2p.recent import ByteCache, RecentSet
from node.p2p.requests import Item
from node.p2p.synopsis import continue_synopsis
from protocol.p2p.messages import (
    MAX_FETCH_IDS,
    BlockMessage,
    Fetch,
    GetBlockIds,
    ItemId,
    ItemKind,
    Message,
    NotAvailable,
    TransactionMessage,
)
from protocol.schema import BlockId, TransactionId

ITEMS_GIVEN = 256
"""Items of each peer that are remembered as given to it."""


class _Queue:
    """What one peer waits for, and how many bytes it may be sent now."""

    __slots__ = ("allowance", "given", "items", "late", "question", "refilled_ms")

    def __init__(self, allowance: int, now_ms: int) -> None:
        self.items: deque[Item] = deque()
        self.late: dict[Item, int] = {}
        """Blocks that are being fetched again, and since when the peer waits for each."""
        self.question: GetBlockIds | None = None
        self.given: RecentSet[Item] = RecentSet(ITEMS_GIVEN)
        self.allowance = allowance
        self.refilled_ms = now_ms

    def is_waiting(self) -> bool:
        """Whether there is anything to answer."""
        return bool(self.items or self.late or self.question)


class ItemServer:
    """Serves blocks and transactions from the announced ones and from the chain."""

    def __init__(self, chain: ChainView, limits: PeerLimits, account: Account) -> None:
        """`account` pays for the answers to all peers together."""
        self._chain = chain
        self._account = account
        self._turn = 0
        self._limits = limits
        self._cache: ByteCache[Item] = ByteCache(limits.item_cache_bytes)
        self._queues: dict[PeerKey, _Queue] = {}

    def add_peer(self, peer: PeerKey, now_ms: int) -> None:
        """Begin to serve a peer."""
        self._queues[peer] = _Queue(self._limits.serve_burst_bytes, now_ms)

    def remove_peer(self, peer: PeerKey) -> None:
        """Forget what the peer waited for."""
        self._queues.pop(peer, None)

    def keep(self, item: Item, data: bytes) -> None:
        """Keep an announced item for peers that fetch it after the chain let go of it."""
        self._cache.put(item, data)

    def request(self, peer: Peer, fetch: Fetch, now_ms: int) -> None:
        """Queue what a peer asks for and serve what its allowance permits.

        Raises `RateExceeded` when more than `serve_queue_items` wait (T-P7).
        """
        queue = self._queues[peer.key]
        waiting = len(queue.items) + len(queue.late) + len(fetch.ids)
        if waiting > self._limits.serve_queue_items:
            raise RateExceeded(
                "too many items asked for at a time",
                rule="T-P7",
                value=waiting,
                limit=self._limits.serve_queue_items,
            )
        queue.items.extend(Item(ItemKind(fetch.kind), item_id) for item_id in fetch.ids)
        self.serve(peer, now_ms)

    def answer_synopsis(self, peer: Peer, question: GetBlockIds, now_ms: int) -> None:
        """Tell how our chain goes on, when it is the peer's turn.

        Raises `RateExceeded` while the question before is not answered (T-P7).
        """
        queue = self._queues[peer.key]
        if queue.question is not None:
            raise RateExceeded("asked again before the answer", rule="T-P7")
        queue.question = question
        self.serve(peer, now_ms)

    def tick(self, peers: Mapping[PeerKey, Peer], now_ms: int) -> None:
        """Go on with what waits, each time beginning with another peer."""
        waiting = [key for key, queue in self._queues.items() if queue.is_waiting()]
        if waiting:
            self._turn = (self._turn + 1) % len(waiting)
        for key in waiting[self._turn :] + waiting[: self._turn]:
            self.serve(peers[key], now_ms)

    def go_on(self, peer: Peer, now_ms: int) -> None:
        """Serve a peer that has taken some of what it was sent."""
        if self._queues[peer.key].is_waiting():
            self.serve(peer, now_ms)

    def serve(self, peer: Peer, now_ms: int) -> None:
        """Send queued items as far as the allowance reaches; one item may overdraw it.

        A peer that reads slowly is served at its own pace: nothing more while much waits to be
        written to it (T-P5).
        What was announced lately is at hand, and the first time waits for no other peer's work.
        A block that this node listed and has damaged is waited for a while (T-S3).
        """
        queue = self._queues[peer.key]
        self._refill(queue, now_ms)
        self._take_late(queue, now_ms)
        missing: dict[ItemKind, list[ItemId]] = {}
        if queue.question is not None and self._may_work(peer, now_ms):
            answer = continue_synopsis(self._chain, queue.question.synopsis)
            queue.question = None
            self._charge(peer, GetBlockIds, len(answer.ids), 0, now_ms)
            peer.send(answer, now_ms)
        most = self._limits.unwritten_bytes
        while queue.items and queue.allowance > 0 and peer.unwritten_bytes < most:
            item = queue.items[0]
            data = None if item in queue.given else self._cache.get(item)
            if data is None and not self._may_work(peer, now_ms):
                break
            queue.items.popleft()
            if data is None:
                data = self._cache.get(item) or self._bytes_of(item)
                self._charge(peer, Fetch, 1, len(data or b""), now_ms)
            queue.given.add(item)
            if data is None:
                if item not in queue.late and self._may_come(item):
                    queue.late[item] = now_ms
                else:
                    queue.late.pop(item, None)
                    missing.setdefault(item.kind, []).append(item.id)
                continue
            queue.late.pop(item, None)
            queue.allowance -= len(data)
            if item.kind is ItemKind.BLOCK:
                peer.send(BlockMessage(data), now_ms)
            else:
                peer.send(TransactionMessage(data), now_ms)
        for kind, ids in missing.items():
            for start in range(0, len(ids), MAX_FETCH_IDS):
                batch = tuple(ids[start : start + MAX_FETCH_IDS])
                peer.send(NotAvailable(kind, batch), now_ms)

    def _may_work(self, peer: Peer, now_ms: int) -> bool:
        return peer.work.has_left(now_ms) and self._account.has_left(now_ms)

    def _charge(
        self, peer: Peer, question: type[Message], count: int, size: int, now_ms: int
    ) -> None:
        charge = CHARGES[question]
        work = charge.answer * count + charge.answer_per_kib * size // KIB
        peer.work.charge(work, now_ms)
        self._account.charge(work, now_ms)

    def _take_late(self, queue: _Queue, now_ms: int) -> None:
        """Look again at blocks that have come meanwhile, or were waited for long enough."""
        queue.items.extendleft(
            item
            for item, since_ms in queue.late.items()
            if item not in queue.items
            and (not self._may_come(item) or now_ms - since_ms >= self._limits.mend_patience_ms)
        )

    def _may_come(self, item: Item) -> bool:
        return item.kind is ItemKind.BLOCK and self._chain.is_mending(BlockId(item.id))

    def _refill(self, queue: _Queue, now_ms: int) -> None:
        gained = max(0, now_ms - queue.refilled_ms) * self._limits.serve_bytes_per_s // 1000
        queue.refilled_ms = now_ms
        queue.allowance = min(self._limits.serve_burst_bytes, queue.allowance + gained)

    def _bytes_of(self, item: Item) -> bytes | None:
        if item.kind is ItemKind.BLOCK:
            return self._chain.block_bytes(BlockId(item.id))
        return self._chain.transaction_bytes(TransactionId(item.id))
