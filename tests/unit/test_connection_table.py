"""Which connection makes room for a newcomer: no sockets, no time (T-A3)."""

from __future__ import annotations

from collections.abc import Callable

from node.api.fair_queue import FairQueue
from node.services.connection_table import ConnectionTable, Entry

HERE, STRANGER = "127.0.0.1", "203.0.113.7"
LIMIT = 8


class Door:
    """Connections that come and work, and who was told to go."""

    def __init__(self) -> None:
        self.now = 0.0
        self.queue = FairQueue(lambda: self.now, lambda: self.now)
        self.table = ConnectionTable(LIMIT)
        self.ended: list[int] = []

    def enter(self, address: str, number: int) -> Entry:
        self.now += 1
        entry = Entry(address, self.queue.open_client(address), self._end(number))
        self.table.enter(entry)
        return entry

    def work(self, entry: Entry) -> None:
        self.now += 1
        entry.client.paused_at = self.now

    def _end(self, number: int) -> Callable[[], None]:
        return lambda: self.ended.append(number)


def test_there_is_room_up_to_the_limit() -> None:
    """T-A3: nobody goes before, nor after somebody left."""
    door = Door()
    entries = [door.enter(HERE, number) for number in range(LIMIT)]
    door.table.leave(entries[3])
    door.enter(HERE, LIMIT)
    assert door.ended == []
    assert len(door.table) == LIMIT


def test_who_has_most_makes_room() -> None:
    """T-A3: a single one of another address is never touched, however idle."""
    door = Door()
    door.enter(STRANGER, -1)
    for number in range(10 * LIMIT):
        door.enter(HERE, number)
    assert -1 not in door.ended
    assert len(door.table) == LIMIT
    assert len(door.ended) == 9 * LIMIT + 1


def test_who_asks_for_nothing_goes_first() -> None:
    """T-A3: of those that came last; one that works stays while they come."""
    door = Door()
    entries = [door.enter(HERE, number) for number in range(LIMIT)]
    for number in (4, 6, 7):
        door.work(entries[number])
    door.enter(HERE, LIMIT)
    assert door.ended == [5]


def test_what_is_open_for_long_stays() -> None:
    """T-A3: a wallet that only listens is not ended by a flood of newcomers."""
    door = Door()
    for number in range(1_000):
        door.enter(HERE, number)
    assert set(range(LIMIT // 2)).isdisjoint(door.ended)
