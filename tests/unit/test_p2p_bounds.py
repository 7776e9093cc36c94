"""T-P7, P12: every table of the peer layer has a bound, and keeps it whatever peers say.

The table below names each collection that can be reached from the manager, with the most that it
may hold: one that is not named fails the test.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count
from random import Random

import pytest
from msgspec.structs import replace

from node.p2p import peer_database
from node.p2p.charges import CHARGES
from node.p2p.effects import BlockReceived, SendBytes, TransactionReceived
from node.p2p.limits import PeerLimits
from node.p2p.manager import PeerManager
from node.p2p.serving import ITEMS_GIVEN
from node.p2p.verdicts import BlockRefusal, TransactionRefusal
from protocol.p2p.messages import (
    MAX_ADDRESSES,
    MAX_SYNOPSIS_IDS,
    Addresses,
    BlockIds,
    BlockMessage,
    Fetch,
    GetBlockIds,
    Inventory,
    ItemKind,
    Message,
    NotAvailable,
    Ping,
    TransactionMessage,
)
from protocol.schema import BlockId
from tests.support.fake_chain import FakeChain, id_of_block, make_block, make_transaction
from tests.support.fake_network import START_MS, Stranger, make_hello, make_manager, peer_of

LIMITS = replace(
    PeerLimits(),
    max_inbound=6,
    max_known_ids=50,
    max_wanted=40,
    max_wanted_blocks=30,
    max_judged=60,
    max_sources=3,
    max_requests_per_peer=20,
    max_announcements=20,
    serve_queue_items=30,
    serve_burst_bytes=100,
    serve_bytes_per_s=10,
    item_cache_bytes=4_000,
    waiting_transactions_bytes=4_000,
    sync_requests_per_peer=20,
    sync_blocks_per_fetch=10,
    sync_buffer_bytes=4_000,
    sync_unjudged=4,
    max_rejected=10,
    max_bans=8,
    max_rated_hosts=8,
    work_per_s=10**9,
    work_cap=10**9,
    all_intake_per_s=10**9,
    all_serving_per_s=10**9,
)
PEERS = LIMITS.max_inbound
ADDRESSES_MAX = 50
LEAST_ITEM_BYTES = 30
KINDS = len(ItemKind)
LISTED = 68
"""Ids in a list of blocks, of which a message may have 2,000."""
FAULTS = 0.02
"""Of what is said; and connections that break."""

EACH = {
    "Account": 0,
    "AddressRelay._questions": LIMITS.target_outbound,
    "Bans._bans": LIMITS.max_bans,
    "BlockSync._arrived": 3 * LIMITS.sync_buffer_bytes // LEAST_ITEM_BYTES,
    "BlockSync._listed": PEERS * LISTED,
    "BlockSync._rounds": PEERS,
    "BlockSync._unjudged": LIMITS.sync_unjudged,
    "ByteCache._items": LIMITS.item_cache_bytes // LEAST_ITEM_BYTES,
    "Connections._dialling": LIMITS.max_dialling + 1,
    "Connections._trusted_hosts": 2,
    "Gossip._announcements": LIMITS.max_announcements,
    "Gossip._known": PEERS,
    "Gossip._others": LIMITS.max_wanted_blocks,
    "Gossip._unasked": PEERS,
    "Gossip._unasked[]": KINDS,
    "Gossip._unasked[][]": LIMITS.max_wanted,
    "HandshakeRate._full_ms": LIMITS.max_rated_hosts,
    "ItemServer._queues": PEERS,
    "Peer._inbound_rates": len(CHARGES),
    "Peer._outbound_rates": len(CHARGES),
    "PeerDatabase._own": MAX_ADDRESSES,
    "PeerDatabase._records": ADDRESSES_MAX,
    "PeerDatabase.anchors": peer_database.ANCHORS,
    "PeerDatabase.seeds": 0,
    "PeerManager._effects": 0,
    "PeerManager._peers": PEERS,
    "PeerManager._ready": PEERS,
    "RecentSet._items": max(LIMITS.max_known_ids, LIMITS.max_judged, ITEMS_GIVEN),
    "Refetch._asked": 3,
    "Refetch._asked[]": PEERS,
    "RequestTracker._answered": PEERS,
    "RequestTracker._by_item": PEERS * LIMITS.max_requests_per_peer,
    "RequestTracker._by_item[]": PEERS,
    "RequestTracker._by_peer": PEERS,
    "RequestTracker._by_peer[]": LIMITS.max_requests_per_peer,
    "RequestTracker._late": PEERS,
    "SyncRound.ids": LISTED,
    "SyncRound.offered": MAX_SYNOPSIS_IDS,
    "Wanted.sources": PEERS,
    "WantedItems._asked_ms": KINDS,
    "WantedItems._asked_ms[]": LIMITS.max_wanted,
    "WantedItems._items": LIMITS.max_wanted + LIMITS.max_wanted_blocks,
    "WantedItems._limit": KINDS,
    "WantedItems._owned": KINDS,
    "WantedItems._owned[]": PEERS + 1,
    "WantedItems._owned[][]": LIMITS.max_wanted,
    "WantedItems._total": KINDS,
    "WaitingTransactions._queues": PEERS,
    "WaitingTransactions._queues[]": LIMITS.waiting_transactions_bytes // LEAST_ITEM_BYTES,
    "_Queue.items": LIMITS.serve_queue_items,
    "_Queue.late": LIMITS.serve_queue_items,
}
"""The most entries of each table; "[]" for those of the tables in it."""

OF_OPERATOR = frozenset(("PeerConfig", "PeerLimits", "HandshakePolicy"))
"""What settings say; peers add nothing to it."""
TABLES = (dict, set, frozenset, list, deque, tuple)


def tables_of(thing: object, seen: set[int]) -> Iterator[tuple[str, int]]:
    """Names and sizes of all collections that belong to an object of the peer layer."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    cls = type(thing)
    names = [name for base in cls.__mro__ for name in getattr(base, "__slots__", ())]
    for name in dict.fromkeys([*names, *getattr(thing, "__dict__", ())]):
        value = getattr(thing, name)
        yield from inside(f"{cls.__name__}.{name}", value, seen)


def inside(name: str, value: object, seen: set[int]) -> Iterator[tuple[str, int]]:
    """A value and what is in it."""
    if hasattr(value, "_fields") or isinstance(value, ItemKind):
        return
    if isinstance(value, TABLES) and id(value) not in seen:
        seen.add(id(value))
        yield name, len(value)
        for item in list(value.values() if isinstance(value, dict) else value):
            yield from inside(f"{name}[]", item, seen)
    module, _, name = f"{type(value).__module__} {type(value).__name__}".partition(" ")
    if module.startswith("node.p2p.") and name not in OF_OPERATOR:
        yield from tables_of(value, seen)


class Flood:
    """Peers that say whatever may be said, and come back from elsewhere when they are dropped."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.chain = FakeChain(lib_distance=1_000)
        self.chain.extend(30, b"some bytes to serve")
        self.manager: PeerManager = make_manager(self.chain, LIMITS)
        self.keys = count(1)
        self.made: dict[bytes, bytes] = {}
        """Blocks that a peer has, and does not always deliver."""
        self.sent: dict[bytes, bytes] = {}
        """Transactions."""
        self.now_ms = START_MS
        self.peers = [self.come() for _ in range(PEERS)]
        self.most: dict[str, int] = {}

    def come(self) -> Stranger:
        key = next(self.keys)
        host = f"10.{key % 250}.{key // 250 % 250}.{1 + key // 62_500}"
        peer = Stranger(self.manager, key=key, host=host, now_ms=self.now_ms)
        head = BlockId(self.rng.randrange(60).to_bytes(4, "big") + bytes(16))
        hello = make_hello(f"peer {key}", time_ms=self.now_ms, head_num=head[3], head_id=head)
        self.answer(peer, peer.greet(replace(hello, listen_port=1776)))
        return peer

    def some_ids(self, kind: ItemKind) -> tuple[bytes, ...]:
        """Ids of nothing, near the head where they are blocks, and at times one that is there."""
        head = b"" if kind is ItemKind.TRANSACTION else bytes((0, 0, 0, self.rng.randrange(25, 40)))
        ids = [head + self.rng.randbytes(20 - len(head)) for _ in range(self.rng.randrange(1, 25))]
        known = [*self.chain.main[1:], *self.made] if kind is ItemKind.BLOCK else list(self.sent)
        return (*ids, *self.rng.sample(known, min(2, len(known))))

    def message(self) -> Message:
        """Something to say, true or not."""
        kind = self.rng.choice(list(ItemKind))
        ids = self.some_ids(kind)
        if self.rng.random() < FAULTS:
            return self.rng.choice((NotAvailable(kind, ids[:1]), BlockIds(1, (), 0), Addresses(())))
        return self.rng.choice(
            (
                *(Inventory(kind, ids),) * 4,
                Fetch(kind, ids),
                GetBlockIds(tuple(self.chain.main[1:4])),
                Ping(1),
            )
        )

    def step(self) -> None:
        """One peer says something or answers, or time passes."""
        rng = self.rng
        at = rng.randrange(PEERS)
        peer = self.peers[at]
        peer.now_ms = self.now_ms = self.now_ms + rng.choice((0, 0, 0, 5, 200))
        peer.effects.clear()
        self.answer(peer, peer.send(self.message()))
        if rng.random() < 0.1:
            self.manager.tick(self.now_ms)
            for _ in range(rng.randrange(2 * LIMITS.max_announcements)):
                self.manager.announce_transaction(make_transaction(rng.randbytes(9)), self.now_ms)
        if rng.random() < 0.01:
            self.manager.refetch_block(rng.choice(self.chain.main[1:4]))
        self.answer(peer, peer.take())
        self.judge(peer)
        if peer.key not in self.manager._peers or rng.random() < FAULTS:
            self.manager.disconnected(peer.key, self.now_ms)
            self.peers[at] = self.come()

    def answer(self, peer: Stranger, questions: Iterable[Message]) -> None:
        """Deliver, refuse, list what is not there, or keep silent."""
        rng = self.rng
        for question in questions:
            if isinstance(question, GetBlockIds) and rng.randrange(2):
                nums = range(31, 31 + LISTED)
                ids = tuple(BlockId(bytes((0, 0, 0, num)) + rng.randbytes(16)) for num in nums)
                self.answer(peer, peer.send(BlockIds(31, ids, 5)))
            if not isinstance(question, Fetch):
                continue
            for item_id in question.ids:
                match rng.randrange(12):
                    case 0:
                        peer.send(NotAvailable(question.kind, (item_id,)))
                    case 1 if item_id in self.made:
                        peer.send(BlockMessage(self.made[item_id]))
                    case 1 if item_id in self.sent:
                        peer.send(TransactionMessage(self.sent[item_id]))
                    case _:
                        pass

    def judge(self, peer: Stranger) -> None:
        """Verdicts of a core that likes nothing, at times late."""
        refusals = list(BlockRefusal)
        while waiting := [one for one in peer.effects if not isinstance(one, SendBytes)]:
            peer.effects.clear()
            for effect in waiting:
                if isinstance(effect, BlockReceived):
                    refusal = self.rng.choice(refusals)
                    block_id = effect.front.id
                    self.manager.block_rejected(effect.peer, block_id, refusal, self.now_ms)
                elif isinstance(effect, TransactionReceived):
                    self.manager.transaction_rejected(
                        effect.peer, effect.envelope, TransactionRefusal.REFUSED, self.now_ms
                    )
            peer.take()

    def prepare(self) -> None:
        """Have some blocks and transactions to deliver."""
        for number in range(40):
            data = make_block(self.chain.main[25 + number % 6], bytes((number,)))
            self.made[id_of_block(data)] = data
            transaction = make_transaction(bytes((number,)))
            self.sent[transaction.id] = transaction.packed()

    def look(self) -> None:
        """Note the size of every table."""
        self.manager.take_effects()
        for name, size in tables_of(self.manager, {id(self.chain)}):
            self.most[name] = max(size, self.most.get(name, 0))
        check_turns(self.manager)


def check_turns(manager: PeerManager) -> None:
    """Each turn is that of a source of something wanted, so that all together have a bound."""
    gossip = manager._relay.gossip
    for peer, by_kind in gossip._unasked.items():
        for item in (one for turns in by_kind.values() for one in turns):
            wanted = gossip._wanted.find(item)
            assert wanted is not None
            assert peer in wanted.sources


@pytest.fixture
def flood(monkeypatch: pytest.MonkeyPatch) -> Flood:
    monkeypatch.setattr(peer_database, "MAX_PEERS", ADDRESSES_MAX)
    found = Flood(7)
    found.prepare()
    return found


def test_every_table_has_a_bound_and_keeps_it(flood: Flood) -> None:
    """T-P7: floods of all messages at once, by peers that answer now and then."""
    for number in range(1_000):
        flood.step()
        if number % 25 == 0:
            flood.look()
    assert set(flood.most) - set(EACH) == set(), "tables without a bound"
    assert {name: size for name, size in flood.most.items() if size > EACH[name]} == {}
    full = {name for name, size in flood.most.items() if size >= EACH[name] > 0}
    assert {"Gossip._announcements", "WantedItems._items", "RequestTracker._by_peer[]"} <= full
    busy = {name for name, size in flood.most.items() if size > EACH[name] // 5}
    assert {"SyncRound.ids", "_Queue.items", "Gossip._unasked[][]"} <= busy
    for peer in flood.peers:
        flood.manager.disconnected(peer.key, flood.now_ms)
    flood.most.clear()
    flood.look()
    of_peers = [name for name in EACH if EACH[name] == PEERS or name == "WantedItems._items"]
    assert {name: flood.most[name] for name in of_peers if flood.most.get(name)} == {}


def test_turns_of_what_nobody_wants_any_more_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-P7: two peers that push out each other's announcements leave nothing behind."""
    manager = make_manager(limits=LIMITS)
    peers = [peer_of(manager, key) for key in (1, 2)]
    numbers = count(1)
    for _ in range(500):
        for peer in peers:
            ids = tuple(next(numbers).to_bytes(20, "big") for _ in range(2))
            peer.send(Inventory(ItemKind.TRANSACTION, ids))
    turns = [by_kind[ItemKind.TRANSACTION] for by_kind in manager._relay.gossip._unasked.values()]
    assert 0 < sum(map(len, turns)) <= LIMITS.max_wanted
    check_turns(manager)
