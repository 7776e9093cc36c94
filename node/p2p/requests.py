"""Which items were asked of which peer: the one judge of "unasked" (T-P7, S1)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from node.p2p.effects import PeerKey
from node.p2p.limits import PeerLimits
from node.p2p.recent import RecentSet
from protocol.p2p.messages import ItemId, ItemKind
from protocol.schema import Record


class Item(Record):
    """A block or transaction by its id."""

    kind: ItemKind
    id: ItemId


class Delivery(Enum):
    """What the arrival of an item means."""

    REQUESTED = "requested"
    REPEATED = "repeated"
    UNREQUESTED = "unrequested"


class RequestTracker:
    """Requests in flight, by item and by peer; a late item may be asked of several peers."""

    __slots__ = ("_answered", "_by_item", "_by_peer", "_late", "_limits")

    def __init__(self, limits: PeerLimits) -> None:
        self._limits = limits
        self._by_item: dict[Item, dict[PeerKey, int]] = {}
        self._by_peer: dict[PeerKey, dict[Item, int]] = {}
        self._answered: dict[PeerKey, RecentSet[Item]] = {}
        self._late: dict[PeerKey, int] = {}

    def add_peer(self, peer: PeerKey) -> None:
        """Begin to track a peer."""
        self._by_peer[peer] = {}
        self._answered[peer] = RecentSet(self._limits.max_requests_per_peer)

    def remove_peer(self, peer: PeerKey) -> list[Item]:
        """Forget a peer; returns what it still owed."""
        owed = list(self._by_peer.pop(peer, {}))
        self._answered.pop(peer, None)
        self._late.pop(peer, None)
        for item in owed:
            self._forget(peer, item)
        return owed

    def begin(self, peer: PeerKey, items: Iterable[Item], now_ms: int) -> None:
        """Note that the items were asked of the peer."""
        for item in items:
            assert item not in self._by_peer[peer], item
            self._by_peer[peer][item] = now_ms
            self._by_item.setdefault(item, {})[peer] = now_ms

    def finish(self, peer: PeerKey, item: Item) -> Delivery:
        """The peer delivered the item."""
        if self.settle(peer, item):
            return Delivery.REQUESTED
        if item in self._answered[peer]:
            return Delivery.REPEATED
        return Delivery.UNREQUESTED

    def settle(self, peer: PeerKey, item: Item) -> bool:
        """The peer answered for the item, be it that it lacks it; False when it was not asked."""
        if self._by_peer[peer].pop(item, None) is None:
            return False
        self._forget(peer, item)
        self._answered[peer].add(item)
        self._late.pop(peer, None)
        return True

    def was_answered(self, peer: PeerKey, item: Item) -> bool:
        """Whether the peer answered a request for the item lately."""
        return item in self._answered[peer]

    def is_asked_of(self, peer: PeerKey, item: Item) -> bool:
        """Whether the peer owes the item."""
        return item in self._by_peer[peer]

    def note_late(self, item: Item) -> None:
        """Whoever owes the item has had it for too long."""
        for peer in self._by_item[item]:
            self._late[peer] = self._late.get(peer, 0) + 1

    def lateness(self, peer: PeerKey) -> int:
        """How often the peer was late since it last answered: others are asked before it."""
        return self._late.get(peer, 0)

    def holders(self, item: Item) -> int:
        """How many peers owe the item."""
        return len(self._by_item.get(item, ()))

    def last_asked_ms(self, item: Item) -> int:
        """When the item was asked for the last time; it must be in flight."""
        return max(self._by_item[item].values())

    def load(self, peer: PeerKey) -> int:
        """How many items the peer owes."""
        return len(self._by_peer[peer])

    def peers_overdue(self, now_ms: int) -> list[PeerKey]:
        """Peers whose oldest unanswered request is older than `request_timeout_ms` (T-P5)."""
        deadline_ms = now_ms - self._limits.request_timeout_ms
        return [
            peer
            for peer, owed in self._by_peer.items()
            if owed and next(iter(owed.values())) <= deadline_ms
        ]

    def _forget(self, peer: PeerKey, item: Item) -> None:
        asked = self._by_item[item]
        del asked[peer]
        if not asked:
            del self._by_item[item]
