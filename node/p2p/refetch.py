"""Blocks that this node had and has damaged: asked of one peer after the other (T-S3)."""

from __future__ import annotations

from collections.abc import Mapping

from node.p2p.effects import PeerKey
from node.p2p.limits import PeerLimits
from node.p2p.peer import Peer
from node.p2p.requests import Item, RequestTracker
from protocol.p2p.messages import Fetch, ItemKind
from protocol.schema import BlockId


class Refetch:
    """Each block is asked of every peer once, and of all of them again after a while."""

    def __init__(
        self,
        peers: Mapping[PeerKey, Peer],
        tracker: RequestTracker,
        limits: PeerLimits,
    ) -> None:
        self._peers = peers
        self._tracker = tracker
        self._limits = limits
        self._asked: dict[BlockId, set[PeerKey]] = {}
        self._again_ms = 0

    def want(self, block_id: BlockId) -> None:
        """Fetch a block again, from the next tick on."""
        self._asked.setdefault(block_id, set())

    def remove_peer(self, peer: PeerKey) -> None:
        """A peer is gone."""
        for asked in self._asked.values():
            asked.discard(peer)

    def take(self, block_id: BlockId) -> bool:
        """A requested block arrived; whether it was wanted here. It is no longer, then."""
        return self._asked.pop(block_id, None) is not None

    def tick(self, now_ms: int) -> None:
        """Ask for what nobody owes now."""
        if now_ms >= self._again_ms:
            self._again_ms = now_ms + self._limits.refetch_every_ms
            for asked in self._asked.values():
                asked.clear()
        for block_id, asked in self._asked.items():
            item = Item(ItemKind.BLOCK, block_id)
            if not self._tracker.holders(item):
                self._ask(item, asked, now_ms)

    def _ask(self, item: Item, asked: set[PeerKey], now_ms: int) -> None:
        for peer in self._peers.values():
            if peer.key in asked or not peer.is_active or not peer.may_send(Fetch, now_ms):
                continue
            if self._tracker.load(peer.key) < self._limits.max_requests_per_peer:
                asked.add(peer.key)
                self._tracker.begin(peer.key, [item], now_ms)
                peer.send(Fetch(item.kind, (item.id,)), now_ms)
                return
