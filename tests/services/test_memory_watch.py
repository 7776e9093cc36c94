"""What a node gives up when its memory runs short, and what strangers can make it keep (T-R1)."""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from node.api import answer_room
from node.api.fair_queue import FairQueue
from node.p2p.effects import PeerKey
from node.p2p.limits import PeerLimits
from node.p2p.recent import RecentSet
from node.p2p.requests import Item, RequestTracker
from node.p2p.wanted import WantedItems
from node.services import memory_bound
from node.services.connection_table import ConnectionTable, Entry
from node.services.memory_bound import in_mib, kept_for_strangers, kept_for_witnesses
from node.services.memory_watch import (
    CACHES_EVERY_S,
    COPIES,
    MEBIBYTE,
    PRESSURE,
    MemoryWatch,
    give_back,
    resident_bytes,
)
from protocol.p2p.messages import ItemKind
from protocol.transaction import TransactionEnvelope
from tests.support.api import ChainBackend
from tests.support.chain import TestChain
from tests.support.core_nodes import transfer
from tests.support.logs import captured_log

LIMIT_MIB = 512
ENOUGH = int(PRESSURE * LIMIT_MIB) - 1
SHORT = ENOUGH + 2
PAGE = Path(memory_bound.__file__).with_name("THREATS.md")


class Desk:
    """Clients for which more or less is kept, and a process that takes what it is told to."""

    def __init__(self) -> None:
        self.api = ChainBackend(TestChain("alice")).api
        self.taken_mib: list[int] = []
        """At each reading from now on; the last one stays."""
        self.ended: list[int] = []
        self.table = ConnectionTable(10)
        queue = FairQueue(lambda: 0.0, lambda: 0.0)
        for number, size in enumerate((10, 70_000, 500_000)):
            entry = Entry("127.0.0.1", queue.open_client("127.0.0.1"), self._end(number))
            session = self.api.open_session()
            session.share.grow(size)
            entry.share = session.share
            self.table.enter(entry)
        self.watch = MemoryWatch(LIMIT_MIB, self.api, self.table, self._read)

    def look(self, now_s: float, *taken_mib: int) -> list[str]:
        """One look at what is taken; what is told of it."""
        self.taken_mib = list(taken_mib)
        with captured_log() as logs:
            self.watch.look(now_s)
        return [str(line["event"]) for line in logs]

    def keep_something(self) -> None:
        """An answer that is kept to be quick."""
        self.api.kept.find(self.api.backend.state, "a key", lambda: "an answer")
        assert self.api.kept.size

    def _end(self, number: int) -> Callable[[], None]:
        return lambda: self.ended.append(number)

    def _read(self) -> int:
        taken = self.taken_mib.pop(0) if len(self.taken_mib) > 1 else self.taken_mib[0]
        return taken * MEBIBYTE


def test_caches_go_first() -> None:
    """T-R1: at four fifths of the limit; if that is enough, no client loses anything."""
    desk = Desk()
    desk.keep_something()
    assert desk.look(0, ENOUGH) == []
    assert desk.api.kept.size
    assert desk.look(1, SHORT, ENOUGH // 2) == []
    assert desk.api.kept.size == 0
    assert desk.ended == []
    assert desk.api.room.limit == answer_room.ANSWERS_BYTES_MAX


def test_then_clients_go_and_the_largest_first() -> None:
    """T-R1: with each look one, and long answers are refused; once there is room, all is as before,
    and each change is told once."""
    desk = Desk()
    assert desk.look(0, SHORT) == ["memory_short"]
    assert desk.ended == [2]
    assert not desk.api.open_session().share.has_room(70_000)
    assert desk.look(0.1, SHORT) == []
    assert desk.ended == [2, 1]
    assert desk.look(0.2, ENOUGH) == [], "it would be short again at once"
    assert desk.look(0.3, ENOUGH // 2) == ["memory_enough"]
    assert desk.ended == [2, 1]
    assert desk.api.room.limit == answer_room.ANSWERS_BYTES_MAX


def test_clients_have_room_for_what_is_left() -> None:
    """T-R1: they cannot fill more than that between two looks, however quick they are."""
    desk = Desk()
    for left_mib in (0, 3, 30):
        desk.look(0, ENOUGH - left_mib)
        room = desk.api.room
        assert 0 < (room.limit - room.taken) * COPIES <= (left_mib + 2) * MEBIBYTE


def test_without_clients_nothing_is_left_to_give_up() -> None:
    """T-R1: a chain that needs more than the limit goes on."""
    desk = Desk()
    for second in range(9):
        desk.look(second * CACHES_EVERY_S, SHORT)
    assert len(desk.ended) == 3
    assert desk.api.backend.state.dynamic.head_block_number >= 0


def test_this_process_knows_what_it_takes() -> None:
    """T-R1: as the system sees it; what is freed goes back to it."""
    before = resident_bytes()
    ballast = [bytes(1_000) for _ in range(50_000)]
    assert resident_bytes() > before + 40 * MEBIBYTE
    ballast.clear()
    give_back()
    assert resident_bytes() < before + 20 * MEBIBYTE


def test_the_caps_have_a_sum() -> None:
    """T-R1: what others can make a node keep, as the page says, beside the chain itself."""
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    limits = PeerLimits()
    assert f"{in_mib(kept_for_strangers(limits))} MiB in all" in page
    assert f"{in_mib(kept_for_witnesses())} MiB more" in page
    more = kept_for_strangers(replace(limits, max_known_ids=10_000))
    assert in_mib(more) > in_mib(kept_for_strangers(limits)) + 200


def test_things_take_no_more_than_the_sum_says() -> None:
    """T-R1: in tables of peers and among pending transactions, as this Python keeps them."""
    chain = TestChain("alice", "bob").chain
    limits = PeerLimits()
    packed = [transfer(chain, 1 + number).packed() for number in range(300)]

    def items(count: int) -> list[Item]:
        return [Item(ItemKind.TRANSACTION, os.urandom(20)) for _ in range(count)]

    def known() -> object:
        found: RecentSet[bytes] = RecentSet(limits.max_known_ids)
        for item in items(limits.max_known_ids):
            found.add(item.id)
        return found

    def judged() -> object:
        found: RecentSet[Item] = RecentSet(2_000)
        for item in items(2_000):
            found.add(item)
        return found

    def owed() -> object:
        tracker = RequestTracker(limits)
        tracker.add_peer(PeerKey(1))
        for item in items(limits.max_requests_per_peer):
            tracker.begin(PeerKey(1), [item], 10**9)
            tracker.settle(PeerKey(1), item)
        tracker.begin(PeerKey(1), items(limits.max_requests_per_peer), 10**9)
        return tracker

    def wanted() -> object:
        found = WantedItems(limits, lambda item, sources: None)
        for number, item in enumerate(items(2_000)):
            one = found.add(item, PeerKey(number % limits.max_inbound))
            assert one is not None
            one.sources.update({PeerKey(peer): None for peer in range(8)})
            found.note_asked(item, number)
        return found

    def pending() -> object:
        read = [TransactionEnvelope.from_bytes(data) for data in packed]
        return [chain.push_transaction(envelope) for envelope in read]

    size = sum(map(len, packed))
    for make, most in (
        (known, limits.max_known_ids * memory_bound.KNOWN_BYTES),
        (judged, 2_000 * memory_bound.ITEM_BYTES),
        (owed, limits.max_requests_per_peer * memory_bound.OWED_BYTES),
        (wanted, 2_000 * memory_bound.WANTED_BYTES),
        (pending, len(packed) * memory_bound.PENDING_BYTES + 3 * size),
    ):
        taken = taken_by(make)
        assert most // 3 < taken <= most, make.__name__


def taken_by(make: Callable[[], object]) -> int:
    """Bytes of what a function makes."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = make()
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert kept is not None
    return taken
