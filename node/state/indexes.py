"""Secondary indexes of a table: by a unique key, by group, by time, and ordered inside groups.

An index whose key cannot change is told of creations and removals only. A *mutable* one also hears
of edits: the entry is taken out before the edit, and put back under its new key when somebody next
reads the index. So code edits an object and never thinks of indexes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, Protocol, TypeVar, cast

from sortedcontainers import SortedList

from node.state.undo import StateObject

T = TypeVar("T", bound=StateObject)
T_contra = TypeVar("T_contra", bound=StateObject, contravariant=True)
K = TypeVar("K", bound=Hashable)
"""What a unique index finds by, as an account's name or the pair of account and asset."""
G = TypeVar("G", bound=Hashable)
"""What the objects of a group have in common."""
Key = int | tuple[int, ...]
"""What the objects of a group are ordered by."""
M = TypeVar("M", bound=Key)
"""What tells the objects of one group apart."""
Entry = tuple[Key, int, T]


class Index(Protocol[T_contra]):
    """What a table tells an index."""

    def insert(self, item: T_contra) -> None: ...

    def remove(self, item: T_contra) -> None: ...


class UniqueIndex(Generic[K, T]):
    """Finds an object by a key that it keeps for life."""

    __slots__ = ("entries", "key_of")

    def __init__(self, key_of: Callable[[T], K]) -> None:
        self.key_of = key_of
        self.entries: dict[K, T] = {}

    def find(self, key: K) -> T | None:
        """The object with this key, or None."""
        return self.entries.get(key)

    def insert(self, item: T) -> None:
        key_of, entries = self.key_of, self.entries
        key = key_of(item)
        assert key not in entries, f"duplicate key {key!r}"
        entries[key] = item

    def remove(self, item: T) -> None:
        del self.entries[self.key_of(item)]


class GroupIndex(Generic[G, M, T]):
    """Finds the objects of a group, such as one account's, and each by its key within the group.

    Group and key of an object do not change. Most groups have one member, which stands alone, and
    few have many: a list in order takes a third of the bytes of a dict.
    """

    __slots__ = ("group_of", "groups", "key_of")

    def __init__(self, group_of: Callable[[T], G], key_of: Callable[[T], M]) -> None:
        self.group_of = group_of
        self.key_of = key_of
        self.groups: dict[G, T | list[T]] = {}

    def find(self, group: G, key: M) -> T | None:
        """The object of a group with this key, or None."""
        members = self.groups.get(group)
        if members is None:
            return None
        if isinstance(members, list):
            place = bisect_left(members, key, key=self.key_of)
            if place == len(members):
                return None
            members = members[place]
        key_of = self.key_of
        return members if key_of(members) == key else None

    def items(self, group: G) -> list[T]:
        """The objects of a group in ascending order of their keys."""
        members = self.groups.get(group)
        if members is None:
            return []
        return members.copy() if isinstance(members, list) else [members]

    def page(self, group: G, start: M, limit: int) -> list[T]:
        """The first objects of a group whose keys are at least `start`, in their order."""
        members = self.groups.get(group)
        if members is None:
            return []
        if not isinstance(members, list):
            members = [members]
        place = bisect_left(members, start, key=self.key_of)
        return members[place : place + limit]

    def insert(self, item: T) -> None:
        group = self.group_of(item)
        members = self.groups.get(group)
        if members is None:
            self.groups[group] = item
            return
        if not isinstance(members, list):
            members = self.groups[group] = [members]
        key = self.key_of(item)
        place = bisect_left(members, key, key=self.key_of)
        assert place == len(members) or self.key_of(members[place]) != key, f"duplicate {key!r}"
        members.insert(place, item)

    def remove(self, item: T) -> None:
        group = self.group_of(item)
        members = self.groups[group]
        if not isinstance(members, list):
            del self.groups[group]
            return
        del members[bisect_left(members, self.key_of(item), key=self.key_of)]
        if len(members) == 1:
            (self.groups[group],) = members


class TimeIndex(Generic[T]):
    """Finds the objects whose time has come.

    Objects of one time share a bucket, so most come and go without a search. An object's time
    does not change.
    """

    __slots__ = ("buckets", "time_of", "times")

    def __init__(self, time_of: Callable[[T], int]) -> None:
        self.time_of = time_of
        self.buckets: dict[int, dict[int, T]] = {}
        self.times = SortedList()

    def earliest(self) -> int | None:
        """The least time of any object, or None."""
        return self.times[0] if self.buckets else None

    def up_to(self, time: int) -> list[T]:
        """The objects whose time is at most `time`, by time and instance, as a list of its own."""
        found: list[T] = []
        for due in self.times.irange(maximum=time):
            bucket = self.buckets[due]
            found += [bucket[instance] for instance in sorted(bucket)]
        return found

    def insert(self, item: T) -> None:
        time_of = self.time_of
        time = time_of(item)
        bucket = self.buckets.get(time)
        if bucket is None:
            self.buckets[time] = {item.id: item}
            self.times.add(time)
        else:
            bucket[item.id] = item

    def remove(self, item: T) -> None:
        time = self.time_of(item)
        bucket = self.buckets[time]
        del bucket[item.id]
        if not bucket:
            del self.buckets[time]
            self.times.remove(time)


class OrderedIndex(Generic[G, T]):
    """Keeps the objects of each group in ascending order of (key, instance)."""

    __slots__ = ("group_of", "groups", "key_of", "mutable", "places", "suspended")

    def __init__(
        self,
        group_of: Callable[[T], G],
        key_of: Callable[[T], Key],
        *,
        mutable: bool = False,
    ) -> None:
        self.group_of = group_of
        self.key_of = key_of
        self.mutable = mutable
        self.groups: dict[G, SortedList] = {}
        """Entries of key, instance and object; no two are equal in the first two."""
        self.places: dict[int, tuple[G, Entry[T]]] = {}
        """Where the objects of a mutable index stand; their keys may have changed since."""
        self.suspended: dict[int, T] = {}

    def first(self, group: G) -> T | None:
        """The least object of a group, or None."""
        if self.suspended:
            self.refresh()
        entries = self.groups.get(group)
        return None if entries is None else cast(T, entries[0][2])

    def items(self, group: G) -> Iterator[T]:
        """The objects of a group in order; the group must not change meanwhile."""
        self.refresh()
        for entry in self.groups.get(group, ()):
            yield entry[2]

    def up_to(self, group: G, key: Key) -> list[T]:
        """The objects of a group whose key is at most `key`, in order, as a list of its own."""
        self.refresh()
        entries = self.groups.get(group)
        if entries is None or entries[0][0] > key:
            return []
        end = entries.bisect_right((key, 1 << 62))
        return [entry[2] for entry in entries.islice(0, end)]

    def count(self, group: G) -> int:
        """Number of objects in a group."""
        self.refresh()
        return len(self.groups.get(group, ()))

    def place_of(self, group: G, item: T) -> int:
        """How many objects of a group stand before one of it."""
        self.refresh()
        return int(self.groups[group].bisect_left((self.key_of(item), item.id)))

    def group_keys(self) -> list[G]:
        """The groups that have objects; in no particular order."""
        self.refresh()
        return list(self.groups)

    def insert(self, item: T) -> None:
        if self.mutable:
            self.suspended[item.id] = item
        else:
            self._place(item)

    def suspend(self, item: T) -> None:
        """Take the object out until the next read; called before it is edited."""
        if item.id not in self.suspended:
            self._displace(item)
            self.suspended[item.id] = item

    def remove(self, item: T) -> None:
        if self.suspended.pop(item.id, None) is None:
            self._displace(item)

    def refresh(self) -> None:
        """Put suspended objects back under their present keys."""
        if self.suspended:
            for item in self.suspended.values():
                self._place(item)
            self.suspended.clear()

    def _place(self, item: T) -> None:
        group, entry = self.group_of(item), (self.key_of(item), item.id, item)
        entries = self.groups.get(group)
        if entries is None:
            entries = self.groups[group] = SortedList()
        entries.add(entry)
        if self.mutable:
            self.places[item.id] = (group, entry)

    def _displace(self, item: T) -> None:
        """Take the object out; the first one of its group, the usual case, without a search."""
        place = self.places.pop(item.id) if self.mutable else None
        group = self.group_of(item) if place is None else place[0]
        entries = self.groups[group]
        if entries[0][2] is item:
            entries.pop(0)
        else:
            entry = (self.key_of(item), item.id, item) if place is None else place[1]
            entries.remove(entry)
        if not entries:
            del self.groups[group]
