"""Gossip: ids first, and each item fetched once (T-P7, T-P8, S4).

A node that gets a new item announces its id to every peer that is not known to have it; a peer
that lacks it fetches it from the first that announced it, and from another one when that takes
long. Each event costs in proportion to the items that it is about, never to all that are wanted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from itertools import chain as chained
from itertools import islice

from node.p2p.accounts import SharedAccounts
from node.p2p.chain_view import ChainView
from node.p2p.effects import PeerKey
from node.p2p.limits import PeerLimits
from node.p2p.peer import Peer
from node.p2p.recent import RecentSet
from node.p2p.requests import Item, RequestTracker
from node.p2p.wanted import Wanted, WantedItems
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
        accounts: SharedAccounts,
        limits: PeerLimits,
    ) -> None:
        self._chain = chain
        self._accounts = accounts
        self._peers = peers
        self._tracker = tracker
        self._limits = limits
        self._known: dict[PeerKey, RecentSet[ItemId]] = {}
        self._wanted = WantedItems(limits, self._let_turns_go)
        self._unasked: dict[PeerKey, dict[ItemKind, OrderedDict[Item, None]]] = {}
        """Items for which a peer's turn has come, once it may be asked for more; they are wanted,
        and it is one of their sources."""
        self._others: OrderedDict[Item, Wanted] = OrderedDict()
        """Blocks that are judged, of which more peers have told than were asked."""
        self._judged: RecentSet[Item] = RecentSet(limits.max_judged)
        self._announcements: dict[ItemId, None] = {}

    @property
    def wanted_count(self) -> int:
        """Items announced to this node that have not arrived yet."""
        return len(self._wanted)

    def add_peer(self, peer: PeerKey) -> None:
        """Begin to gossip with a peer."""
        self._known[peer] = RecentSet(self._limits.max_known_ids)
        self._unasked[peer] = {kind: OrderedDict() for kind in ItemKind}

    def remove_peer(self, peer: PeerKey, owed: Iterable[Item], now_ms: int) -> None:
        """Forget a peer and ask others for what it owed, or would have been asked for."""
        self._known.pop(peer, None)
        waiting = self._unasked.pop(peer, {})
        self._wanted.disown(peer)
        self._move_on((*owed, *chained.from_iterable(waiting.values())), now_ms)

    def note_known(self, peer: PeerKey, items: Iterable[Item]) -> None:
        """The peer has these items."""
        known = self._known[peer]
        for item in items:
            known.add(item.id)

    def want(self, peer: Peer, items: Iterable[Item], now_ms: int) -> None:
        """The peer announced these items: fetch those that nobody else is about to deliver.

        One that it names twice is asked for once.
        """
        fresh = []
        for item in dict.fromkeys(items):
            if self._has(item) or self._tracker.is_asked_of(peer.key, item):
                continue
            wanted = self._wanted.add(item, peer.key)
            if wanted is None:
                continue
            self._note_source(wanted, item, peer.key)
            if not self._tracker.holders(item) or self._is_late(item, now_ms):
                fresh.append(item)
        self._ask(peer, fresh, now_ms)

    def is_wanted(self, item: Item) -> bool:
        """Whether some peer has announced an item that has not arrived yet."""
        return item in self._wanted

    def take(self, item: Item) -> bool:
        """A requested item arrived; False when it came before and need not be judged again."""
        wanted = self._wanted.remove(item)
        is_new = self._judged.add(item)
        if is_new and item.kind is ItemKind.BLOCK and wanted is not None and wanted.sources:
            self._others[item] = wanted
            if len(self._others) > self._limits.max_wanted_blocks:
                self._others.popitem(last=False)
        return is_new

    def judged(self, item: Item) -> None:
        """An item is good, or wrong for good: nobody need send it."""
        self._others.pop(item, None)

    def forget(self, item: Item) -> None:
        """Let an item be fetched again, such as a block whose predecessor was missing."""
        self._judged.discard(item)
        self._others.pop(item, None)

    def retry(self, item: Item, now_ms: int) -> None:
        """What a peer delivered was not the item: whoever told of it, too, may have it (P10)."""
        others = self._others.pop(item, None)
        self._judged.discard(item)
        for peer in others.sources if others is not None else ():
            wanted = self._wanted.add(item, peer) if peer in self._known else None
            if wanted is not None:
                wanted.sources[peer] = None
        self._move_on([item], now_ms)

    def missed(self, items: Iterable[Item], now_ms: int) -> None:
        """Whoever was asked for these items lacks them: turn to the next who announced them."""
        self._move_on(items, now_ms)

    def go_on(self, peer: Peer, now_ms: int) -> None:
        """Ask a peer that has answered for what waits for its turn."""
        for kind, waiting in self._unasked[peer.key].items():
            room = self._room(peer, kind, now_ms)
            items: list[Item] = []
            while waiting and len(items) < room:
                item = waiting.popitem(last=False)[0]
                if self._has(item):
                    self._wanted.remove(item)
                elif not self._tracker.holders(item) or self._is_late(item, now_ms):
                    items.append(item)
            self._ask(peer, items, now_ms)

    def tick(self, now_ms: int) -> None:
        """Turn to the next peer for what is late, and to those whose rates allow more."""
        for kind in ItemKind:
            late: list[Item] = []
            for item in self._wanted.take_late(kind, now_ms - self._hedge_ms(kind)):
                if self._tracker.holders(item):
                    self._tracker.note_late(item)
                    late.append(item)
            self._move_on(late, now_ms)
        for key, waiting in self._unasked.items():
            if any(waiting.values()):
                self.go_on(self._peers[key], now_ms)

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

    def offer(self, items: Iterable[Item], now_ms: int) -> None:
        """Tell of transactions that have long waited before those that were announced since the
        last `flush`, which may rest on them."""
        later, self._announcements = self._announcements, {}
        for item in items:
            self.announce(item, now_ms)
        room = self._limits.max_announcements - len(self._announcements)
        self._announcements |= dict.fromkeys(islice(later, max(0, room)))

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
        news = [item for item in items if item.id not in known]
        for start in range(0, len(news), MAX_INVENTORY_IDS):
            if not peer.may_send(Inventory, now_ms):
                return
            batch = news[start : start + MAX_INVENTORY_IDS]
            self.note_known(peer.key, batch)
            peer.send(Inventory(batch[0].kind, tuple(item.id for item in batch)), now_ms)

    def _note_source(self, wanted: Wanted, item: Item, peer: PeerKey) -> None:
        """Remember who can deliver; of too many the one that owes most is left out."""
        wanted.sources[peer] = None
        if item.kind is ItemKind.TRANSACTION and len(wanted.sources) > self._limits.max_sources:
            latest = max(wanted.sources, key=self._tracker.lateness)
            del wanted.sources[latest]
            self._unasked[latest][item.kind].pop(item, None)

    def _move_on(self, items: Iterable[Item], now_ms: int) -> None:
        """Ask the next peer for items, or forget those that nobody is left to be asked for.

        One that two peers owe may be named twice, and is asked of one more.
        """
        chosen: dict[PeerKey, list[Item]] = {}
        for item in dict.fromkeys(items):
            wanted = self._wanted.find(item)
            if wanted is None:
                continue
            source = self._best_source(wanted, item)
            if source is not None:
                chosen.setdefault(source, []).append(item)
            elif not self._tracker.holders(item):
                self._wanted.remove(item)
        for key, asked in chosen.items():
            self._ask(self._peers[key], asked, now_ms)

    def _best_source(self, wanted: Wanted, item: Item) -> PeerKey | None:
        """Who keeps its promises, then whom we dialled, then who announced it first."""
        for key in list(wanted.sources):
            peer = self._peers.get(key)
            if peer is None or not peer.is_active or self._tracker.is_asked_of(key, item):
                del wanted.sources[key]
                self._let_turns_go(item, [key])
        return min(
            wanted.sources,
            key=lambda key: (self._tracker.lateness(key), not self._peers[key].outbound),
            default=None,
        )

    def _ask(self, peer: Peer, items: list[Item], now_ms: int) -> None:
        by_kind: dict[ItemKind, list[Item]] = {}
        for item in items:
            by_kind.setdefault(item.kind, []).append(item)
        for kind, found in by_kind.items():
            room = self._room(peer, kind, now_ms)
            self._let_wait(peer.key, kind, found[room:])
            for start in range(0, min(room, len(found)), MAX_FETCH_IDS):
                batch = found[start : min(room, start + MAX_FETCH_IDS)]
                for item in batch:
                    wanted = self._wanted.find(item)
                    assert wanted is not None, item
                    wanted.sources.pop(peer.key, None)
                    self._unasked[peer.key][kind].pop(item, None)
                    self._wanted.note_asked(item, now_ms)
                self._tracker.begin(peer.key, batch, now_ms)
                peer.send(Fetch(kind, tuple(item.id for item in batch)), now_ms)

    def _let_wait(self, peer: PeerKey, kind: ItemKind, items: Iterable[Item]) -> None:
        """Ask the peer for these later."""
        self._unasked[peer][kind].update(dict.fromkeys(items))

    def _let_turns_go(self, item: Item, sources: Iterable[PeerKey]) -> None:
        """An item is not wanted any more: nobody is asked for it."""
        for peer in sources:
            if peer in self._unasked:
                self._unasked[peer][item.kind].pop(item, None)

    def _room(self, peer: Peer, kind: ItemKind, now_ms: int) -> int:
        """How many items the peer may be asked for now; of transactions none that it cannot pay.

        Another that announces them will be asked instead (P5).
        """
        if not peer.is_active or not peer.may_send(Fetch, now_ms):
            return 0
        if kind is ItemKind.TRANSACTION and not self._accounts.admits(peer, now_ms):
            return 0
        return max(0, self._limits.max_requests_per_peer - self._tracker.load(peer.key))

    def _is_late(self, item: Item, now_ms: int) -> bool:
        return now_ms - self._tracker.last_asked_ms(item) >= self._hedge_ms(item.kind)

    def _hedge_ms(self, kind: ItemKind) -> int:
        limits = self._limits
        return limits.block_hedge_ms if kind is ItemKind.BLOCK else limits.hedge_ms

    def _has(self, item: Item) -> bool:
        if item in self._judged:
            return True
        if item.kind is ItemKind.BLOCK:
            return self._chain.has_block(BlockId(item.id))
        return self._chain.has_transaction(TransactionId(item.id))
