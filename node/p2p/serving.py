"""Answers to `Fetch`: at a bounded rate, so that a peer that never reads cannot fill memory."""

from __future__ import annotations

from collections import deque

from node.p2p.chain_view import ChainView
from node.p2p.effects import PeerKey
from node.p2p.errors import RateExceeded
from node.p2p.limits import PeerLimits
from node.p2p.peer import Peer
from node.p2p.recent import ByteCache
from node.p2p.requests import Item
from protocol.p2p.messages import (
    MAX_FETCH_IDS,
    BlockMessage,
    Fetch,
    ItemId,
    ItemKind,
    NotAvailable,
    TransactionMessage,
)
from protocol.schema import BlockId, TransactionId


class _Queue:
    """What one peer waits for, and how many bytes it may be sent now."""

    __slots__ = ("allowance", "items", "refilled_ms")

    def __init__(self, allowance: int, now_ms: int) -> None:
        self.items: deque[Item] = deque()
        self.allowance = allowance
        self.refilled_ms = now_ms


class ItemServer:
    """Serves blocks and transactions from the announced ones and from the chain."""

    def __init__(self, chain: ChainView, limits: PeerLimits) -> None:
        self._chain = chain
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
        if len(queue.items) + len(fetch.ids) > self._limits.serve_queue_items:
            raise RateExceeded(
                "too many items asked for at a time",
                rule="T-P7",
                value=len(queue.items) + len(fetch.ids),
                limit=self._limits.serve_queue_items,
            )
        queue.items.extend(Item(ItemKind(fetch.kind), item_id) for item_id in fetch.ids)
        self.serve(peer, now_ms)

    def serve(self, peer: Peer, now_ms: int) -> None:
        """Send queued items as far as the allowance reaches; one item may overdraw it."""
        queue = self._queues[peer.key]
        self._refill(queue, now_ms)
        missing: dict[ItemKind, list[ItemId]] = {}
        while queue.items and queue.allowance > 0:
            item = queue.items.popleft()
            data = self._bytes_of(item)
            if data is None:
                missing.setdefault(item.kind, []).append(item.id)
                continue
            queue.allowance -= len(data)
            if item.kind is ItemKind.BLOCK:
                peer.send(BlockMessage(data), now_ms)
            else:
                peer.send(TransactionMessage(data), now_ms)
        for kind, ids in missing.items():
            for start in range(0, len(ids), MAX_FETCH_IDS):
                batch = tuple(ids[start : start + MAX_FETCH_IDS])
                peer.send(NotAvailable(kind, batch), now_ms)

    def _refill(self, queue: _Queue, now_ms: int) -> None:
        gained = max(0, now_ms - queue.refilled_ms) * self._limits.serve_bytes_per_s // 1000
        queue.refilled_ms = now_ms
        queue.allowance = min(self._limits.serve_burst_bytes, queue.allowance + gained)

    def _bytes_of(self, item: Item) -> bytes | None:
        kept = self._cache.get(item)
        if kept is not None:
            return kept
        if item.kind is ItemKind.BLOCK:
            return self._chain.block_bytes(BlockId(item.id))
        return self._chain.transaction_bytes(TransactionId(item.id))
