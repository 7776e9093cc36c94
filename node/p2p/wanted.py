"""The items that this node has heard of and lacks; each peer that tells of them has its share.

What else is remembered of an item ends with it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping

from node.p2p.effects import PeerKey
from node.p2p.limits import PeerLimits
from node.p2p.requests import Item
from protocol.p2p.messages import ItemKind


class Wanted:
    """One item."""

    __slots__ = ("owner", "sources")

    def __init__(self, owner: PeerKey) -> None:
        self.owner: PeerKey | None = owner
        """The peer that told of it first; None once that is gone."""
        self.sources: dict[PeerKey, None] = {}
        """Peers that announced it and were not asked yet."""


class WantedItems:
    """At most `max_wanted` transactions and `max_wanted_blocks` blocks (T-P7).

    Where there is no room, the oldest item of the peer that told of most is given up: whoever
    announces what does not exist keeps nobody else's announcements out.
    """

    __slots__ = ("_asked_ms", "_items", "_limit", "_on_removed", "_owned", "_total")

    def __init__(
        self, limits: PeerLimits, on_removed: Callable[[Item, Iterable[PeerKey]], None]
    ) -> None:
        """`on_removed` is told of each item that leaves, with those who were not asked for it."""
        self._on_removed = on_removed
        self._items: dict[Item, Wanted] = {}
        self._limit: Mapping[ItemKind, int] = {
            ItemKind.TRANSACTION: limits.max_wanted,
            ItemKind.BLOCK: limits.max_wanted_blocks,
        }
        self._owned: dict[ItemKind, dict[PeerKey | None, OrderedDict[Item, None]]] = {
            kind: {} for kind in ItemKind
        }
        self._total: dict[ItemKind, int] = dict.fromkeys(ItemKind, 0)
        self._asked_ms: dict[ItemKind, OrderedDict[Item, int]] = {
            kind: OrderedDict() for kind in ItemKind
        }
        """When each was asked for last, the one of longest ago first."""

    def __contains__(self, item: Item) -> bool:
        return item in self._items

    def __len__(self) -> int:
        return len(self._items)

    def find(self, item: Item) -> Wanted | None:
        """An item that is wanted."""
        return self._items.get(item)

    def add(self, item: Item, peer: PeerKey) -> Wanted | None:
        """An item that a peer announced; None when the peer has told of too many."""
        found = self._items.get(item)
        if found is not None:
            return found
        if self._total[item.kind] >= self._limit[item.kind]:
            owned = self._owned[item.kind]
            fattest = max(owned, key=lambda key: len(owned[key]))
            if fattest == peer:
                return None
            self.remove(next(iter(owned[fattest])))
        wanted = self._items[item] = Wanted(peer)
        self._owned[item.kind].setdefault(peer, OrderedDict())[item] = None
        self._total[item.kind] += 1
        return wanted

    def remove(self, item: Item) -> Wanted | None:
        """The item has arrived, or nobody has it; what was known of it."""
        wanted = self._items.pop(item, None)
        if wanted is None:
            return None
        owned = self._owned[item.kind]
        del owned[wanted.owner][item]
        if not owned[wanted.owner]:
            del owned[wanted.owner]
        self._total[item.kind] -= 1
        self._asked_ms[item.kind].pop(item, None)
        self._on_removed(item, wanted.sources)
        return wanted

    def note_asked(self, item: Item, now_ms: int) -> None:
        """Somebody was asked for an item that is wanted."""
        asked = self._asked_ms[item.kind]
        asked[item] = now_ms
        asked.move_to_end(item)

    def take_late(self, kind: ItemKind, before_ms: int) -> Iterator[Item]:
        """The items that were asked for last at a time or earlier; each is told of once."""
        asked = self._asked_ms[kind]
        while asked and next(iter(asked.values())) <= before_ms:
            yield asked.popitem(last=False)[0]

    def disown(self, peer: PeerKey) -> None:
        """A peer is gone; what it told of first is nobody's from now on, and given up first."""
        for owned in self._owned.values():
            for item in owned.pop(peer, ()):
                self._items[item].owner = None
                owned.setdefault(None, OrderedDict())[item] = None
