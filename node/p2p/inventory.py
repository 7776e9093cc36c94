"""Gossip: ids first, and each item fetched once (T-P7, T-P8).

A node that gets a new item announces its id to every peer that is not known to have it; a peer
that lacks it fetches it from the first that announced it, and from another one when that takes
long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from node.p2p.chain_view import ChainView
from node.p2p.effects import PeerKey
from node.p2p.limits import PeerLimits
from node.p2p.peer import Peer
from node.p2p.recent import RecentSet
from node.p2p.requests import Item, RequestTracker
from protocol.p2p.messages import (
    MAX_FETCH_IDS,
    MAX_INVENTORY_IDS,
    Fetch,
    Inventory,
    ItemId,
    ItemKind,
)
from protocol.schema import BlockId, TransactionId


class Gossip:
    """What each peer knows, what this node wants, and what it will announce."""

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
        self._known: dict[PeerKey, RecentSet[Item]] = {}
        self._wanted: dict[Item, list[PeerKey]] = {}
        """Items to fetch, each with the peers that announced it and were not asked yet."""
        self._judged: RecentSet[Item] = RecentSet(limits.max_judged)
        self._announcements: dict[ItemId, None] = {}

    @property
    def wanted_count(self) -> int:
        """Items announced to this node that have not arrived yet."""
        return len(self._wanted)

    def add_peer(self, peer: PeerKey) -> None:
        """Begin to gossip with a peer."""
        self._known[peer] = RecentSet(self._limits.max_known_ids)

    def remove_peer(self, peer: PeerKey, now_ms: int) -> None:
        """Forget a peer and ask others for what it owed."""
        self._known.pop(peer, None)
        self.retry(now_ms)

    def note_known(self, peer: PeerKey, items: Iterable[Item]) -> None:
        """The peer has these items."""
        known = self._known[peer]
        for item in items:
            known.add(item)

    def want(self, peer: Peer, items: Iterable[Item], now_ms: int) -> None:
        """The peer announced these items: fetch those that are new."""
        fresh = []
        for item in items:
            if self._has(item):
                continue
            sources = self._wanted.get(item)
            if sources is None:
                if len(self._wanted) >= self._limits.max_wanted:
                    continue
                sources = self._wanted[item] = []
                fresh.append(item)
            if len(sources) < self._limits.max_sources and peer.key not in sources:
                sources.append(peer.key)
        self._ask(peer, fresh, now_ms)

    def take(self, item: Item) -> bool:
        """A requested item arrived; False when it came before and need not be judged again."""
        self._wanted.pop(item, None)
        return self._judged.add(item)

    def forget(self, item: Item) -> None:
        """Let an item be fetched again, such as a block whose predecessor was missing."""
        self._judged.discard(item)

    def retry(self, now_ms: int) -> None:
        """Ask another peer for what the one asked first does not deliver."""
        asked: dict[tuple[PeerKey, ItemKind], list[Item]] = {}
        for item, sources in list(self._wanted.items()):
            if self._has(item):
                del self._wanted[item]
                continue
            holders = self._tracker.holders(item)
            if holders and not self._is_late(item, now_ms):
                continue
            source = self._next_source(item, sources)
            if source is not None:
                asked.setdefault((source, item.kind), []).append(item)
            elif holders == 0 and not sources:
                del self._wanted[item]
        for (key, _), items in asked.items():
            self._ask(self._peers[key], items, now_ms)

    def announce(self, item: Item, now_ms: int) -> None:
        """Tell of a new item: a block at once, a transaction with the next `flush`."""
        self._judged.add(item)
        if item.kind is ItemKind.TRANSACTION:
            if len(self._announcements) < self._limits.max_announcements:
                self._announcements[item.id] = None
            if len(self._announcements) >= MAX_INVENTORY_IDS:
                self.flush(now_ms)
            return
        for peer in self._peers.values():
            self._announce_to(peer, [item], now_ms)

    def flush(self, now_ms: int) -> None:
        """Send the transaction ids that were collected."""
        items = [Item(ItemKind.TRANSACTION, item_id) for item_id in self._announcements]
        self._announcements.clear()
        for peer in self._peers.values():
            self._announce_to(peer, items, now_ms)

    def _announce_to(self, peer: Peer, items: list[Item], now_ms: int) -> None:
        known = self._known.get(peer.key)
        if known is None or not peer.is_active:
            return
        news = [item for item in items if item not in known]
        for start in range(0, len(news), MAX_INVENTORY_IDS):
            if not peer.may_send(Inventory, now_ms):
                return
            batch = news[start : start + MAX_INVENTORY_IDS]
            self.note_known(peer.key, batch)
            peer.send(Inventory(batch[0].kind, tuple(item.id for item in batch)), now_ms)

    def _ask(self, peer: Peer, items: list[Item], now_ms: int) -> None:
        room = self._limits.max_requests_per_peer - self._tracker.load(peer.key)
        items = [item for item in items if not self._tracker.is_asked_of(peer.key, item)]
        items = items[: max(0, room)]
        for start in range(0, len(items), MAX_FETCH_IDS):
            if not peer.may_send(Fetch, now_ms):
                return
            batch = items[start : start + MAX_FETCH_IDS]
            for item in batch:
                sources = self._wanted[item]
                if peer.key in sources:
                    sources.remove(peer.key)
            self._tracker.begin(peer.key, batch, now_ms)
            peer.send(Fetch(batch[0].kind, tuple(item.id for item in batch)), now_ms)

    def _next_source(self, item: Item, sources: list[PeerKey]) -> PeerKey | None:
        while sources:
            peer = self._peers.get(sources[0])
            gone = peer is None or not peer.is_active
            if gone or self._tracker.is_asked_of(sources[0], item):
                del sources[0]
                continue
            if self._tracker.load(sources[0]) < self._limits.max_requests_per_peer:
                return sources[0]
            return None
        return None

    def _is_late(self, item: Item, now_ms: int) -> bool:
        hedge_ms = self._limits.hedge_ms
        if item.kind is ItemKind.BLOCK:
            hedge_ms = min(hedge_ms, self._chain.block_interval_s * 1000)
        return now_ms - self._tracker.last_asked_ms(item) >= hedge_ms

    def _has(self, item: Item) -> bool:
        if item in self._judged:
            return True
        if item.kind is ItemKind.BLOCK:
            return self._chain.has_block(BlockId(item.id))
        return self._chain.has_transaction(TransactionId(item.id))
