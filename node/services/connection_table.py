"""Which connections of the API are open, and which one makes room for a newcomer (T-A3).

Whoever holds all of them must not shut others out. So the next one is taken in, and of the address
that has most one has to go, since programs of this machine share theirs: the one that has asked for
nothing for longest, among the half of them that came last. What is open for long stays open,
however many come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from node.api.answer_room import AnswerShare
from node.api.fair_queue import Client
from protocol.schema import Mutable

CONNECTIONS_MAX = 200


class Entry(Mutable, gc=True):
    """An open connection."""

    address: str
    client: Client
    end: Callable[[], None]
    """Closes it."""
    share: AnswerShare | None = None
    """What its requests, answers and notices take."""

    @property
    def size(self) -> int:
        """Bytes that are kept for it."""
        return 0 if self.share is None else self.share.size


class ConnectionTable:
    """At most `limit` open connections, in the order in which they came."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: dict[Entry, None] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def enter(self, entry: Entry) -> None:
        """Take a connection in, and end another one if there is no room."""
        if len(self) >= self.limit:
            self._end(self._victim())
        self._entries[entry] = None

    def end_largest(self) -> None:
        """End the connection for which most is kept, of equal ones the oldest (T-R1)."""
        if self._entries:
            self._end(max(self._entries, key=lambda entry: entry.size))

    def _end(self, entry: Entry) -> None:
        self.leave(entry)
        entry.end()

    def leave(self, entry: Entry) -> None:
        """A connection is gone, or as good as gone."""
        self._entries.pop(entry, None)

    def _victim(self) -> Entry:
        """Which one asked for nothing for longest, of those of the largest address's last half."""
        [(address, count)] = Counter(entry.address for entry in self._entries).most_common(1)
        entries = [entry for entry in self._entries if entry.address == address]
        return min(entries[count // 2 :], key=lambda entry: entry.client.paused_at)
