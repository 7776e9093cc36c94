"""Secondary indexes of a table: by a unique key, by group, by time, and ordered inside groups.

An index whose key cannot change is told of creations and removals only. A *mutable* one also hears
of edits: the entry is taken out before the edit, and put back under its new key when somebody next
reads the index. So code edits an object and never thinks of indexes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from sortedcontainers import SortedList

from node.state.objects.base import StateObject

T = TypeVar("T", bound=StateObject)
K = TypeVar("K", bound=Hashable)
"""What a unique index finds by, as an account's name or the pair of account and asset."""
G = TypeVar("G", bound=Hashable)
"""What the objects of a group have in common."""
Key = int | tuple[int, ...]
"""What the objects of a group are ordered by; all keys of one index are of one kind."""
M = TypeVar("M", bound=Key)
"""What tells the objects of one group apart."""
FEW = 6
"""So many members of a group are looked through; among more, a search is quicker."""


class Index(ABC, Generic[T]):
    """What a table tells an index."""

    __slots__ = ()

    @abstractmethod
    def insert(self, item: T) -> None: ...

    @abstractmethod
    def remove(self, item: T) -> None: ...


class UniqueIndex(Index[T], Generic[K, T]):
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
        found = entries.setdefault(key, item)
        assert found is item, f"duplicate key {key!r}"

    def remove(self, item: T) -> None:
        del self.entries[self.key_of(item)]


class GroupIndex(Index[T], Generic[G, M, T]):
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
        key_of = self.key_of
        if not isinstance(members, list):
            return members if key_of(members) == key else None
        if len(members) > FEW:
            place = bisect_left(members, key, key=key_of)
            members = members[place : place + 1]
        for item in members:
            if key_of(item) == key:
                return item
        return None

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
        key_of = self.key_of
        key = key_of(item)
        if key_of(members[-1]) < key:  # type: ignore[operator]
            members.append(item)
            return
        place = bisect_left(members, key, key=key_of)
        assert key_of(members[place]) != key, f"duplicate {key!r}"
        members.insert(place, item)

    def remove(self, item: T) -> None:
        group = self.group_of(item)
        members = self.groups[group]
        if not isinstance(members, list):
            del self.groups[group]
            return
        if len(members) > FEW:
            del members[bisect_left(members, self.key_of(item), key=self.key_of)]
        else:
            members.remove(item)
        if len(members) == 1:
            (self.groups[group],) = members


class TimeIndex(Index[T]):
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
        if not self.buckets or self.times[0] > time:
            return found
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


class Ladder(Generic[T]):
    """The objects of one group: a level for each key, least first, by instance within a level.

    Many orders share a price: they come and go without a search, but for the first of a level and
    the last. A level of one object is that object.
    """

    __slots__ = ("keys", "least", "levels")

    def __init__(self, key: Key, item: T) -> None:
        self.keys: SortedList | None = None
        """The keys in order, once there were two: most ladders have one, and many not for long."""
        self.least = key
        """The least key; of a ladder without objects, which nobody keeps, an old one."""
        self.levels: dict[Key, T | list[T]] = {key: item}

    def first(self) -> T:
        """The least object."""
        level = self.levels[self.least]
        return level[0] if isinstance(level, list) else level

    def up_to(self, key: Key | None) -> Iterator[T]:
        """The objects whose key is at most `key`, or all, in order."""
        for one in self._keys_up_to(key):
            yield from self._level(one)

    def place_of(self, key: Key, instance: int) -> int:
        """How many objects come before the one of a key and an instance number."""
        before = sum(len(self._level(one)) for one in self._keys_up_to(key))
        return before - sum(item.id >= instance for item in self._level(key))

    def __len__(self) -> int:
        return sum(map(len, map(self._level, self.levels)))

    def _keys_up_to(self, key: Key | None) -> Iterable[Key]:
        if self.keys is not None:
            found: Iterator[Key] = self.keys.irange(maximum=key)
            return found
        return () if key is not None and self.least > key else (self.least,)  # type: ignore[operator]

    def _level(self, key: Key) -> list[T]:
        level = self.levels[key]
        return level if isinstance(level, list) else [level]

    def add(self, key: Key, item: T) -> None:
        """Put an object on the level of its key."""
        levels = self.levels
        level = levels.get(key)
        if level is None:
            levels[key] = item
            if self.keys is None:
                self.keys = SortedList(levels)
            else:
                self.keys.add(key)
            if key < self.least:  # type: ignore[operator]
                self.least = key
        elif not isinstance(level, list):
            levels[key] = [level, item] if level.id < item.id else [item, level]
        elif level[-1].id < item.id:
            level.append(item)
        else:
            level.insert(bisect_left(level, item.id, key=_instance_of), item)

    def remove(self, key: Key, item: T) -> bool:
        """Take an object from the level of its key; returns whether it was the last of all."""
        levels = self.levels
        level = levels[key]
        if isinstance(level, list):
            del level[0 if level[0] is item else bisect_left(level, item.id, key=_instance_of)]
            if len(level) == 1:
                (levels[key],) = level
            return False
        del levels[key]
        keys = self.keys
        if not levels:
            return True
        assert keys is not None, "there were two levels"
        if key == self.least:
            keys.pop(0)
            self.least = keys[0]
        else:
            keys.remove(key)
        return False


def _instance_of(item: StateObject) -> int:
    return item.id


class OrderedIndex(Index[T], Generic[G, T]):
    """Keeps the objects of each group in ascending order of (key, instance).

    The newest object of an immutable one is put in its place when somebody looks at its group, or
    when the next one comes: many an order goes before that.
    """

    __slots__ = (
        "group_of",
        "groups",
        "key_of",
        "mutable",
        "newest",
        "newest_group",
        "places",
        "suspended",
    )

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
        self.groups: dict[G, Ladder[T]] = {}
        self.places: dict[int, tuple[G, Key]] = {}
        """Where the objects of a mutable index stand; their keys may have changed since."""
        self.suspended: dict[int, T] = {}
        self.newest: T | None = None
        self.newest_group: G | None = None

    def first(self, group: G) -> T | None:
        """The least object of a group, or None."""
        if self.suspended or (self.newest is not None and self.newest_group == group):
            self.refresh()
        ladder = self.groups.get(group)
        return None if ladder is None else ladder.first()

    def items(self, group: G) -> Iterator[T]:
        """The objects of a group in order; the group must not change meanwhile."""
        self.refresh()
        ladder = self.groups.get(group)
        return iter(()) if ladder is None else ladder.up_to(None)

    def up_to(self, group: G, key: Key) -> list[T]:
        """The objects of a group whose key is at most `key`, in order, as a list of its own."""
        self.refresh()
        ladder = self.groups.get(group)
        return [] if ladder is None else list(ladder.up_to(key))

    def count(self, group: G) -> int:
        """Number of objects in a group."""
        self.refresh()
        ladder = self.groups.get(group)
        return 0 if ladder is None else len(ladder)

    def place_of(self, group: G, item: T) -> int:
        """How many objects of a group stand before one of it."""
        self.refresh()
        return self.groups[group].place_of(self.key_of(item), item.id)

    def group_keys(self) -> list[G]:
        """The groups that have objects; in no particular order."""
        self.refresh()
        return list(self.groups)

    def insert(self, item: T) -> None:
        if self.mutable:
            self.suspended[item.id] = item
        else:
            group = self.group_of(item)
            self.refresh()
            self.newest, self.newest_group = item, group

    def suspend(self, item: T) -> None:
        """Take the object out until the next read; called before it is edited."""
        if item.id not in self.suspended:
            self._displace(item)
            self.suspended[item.id] = item

    def remove(self, item: T) -> None:
        if item is self.newest:
            self.newest = self.newest_group = None
        elif self.suspended.pop(item.id, None) is None:
            self._displace(item)

    def refresh(self) -> None:
        """Put suspended objects back under their present keys, and the newest in its place."""
        newest, group = self.newest, self.newest_group
        if newest is not None and group is not None:
            self.newest = self.newest_group = None
            self._place(newest, group)
        if self.suspended:
            for item in self.suspended.values():
                self._place(item, self.group_of(item))
            self.suspended.clear()

    def _place(self, item: T, group: G) -> None:
        key = self.key_of(item)
        ladder = self.groups.get(group)
        if ladder is None:
            self.groups[group] = Ladder(key, item)
        else:
            ladder.add(key, item)
        if self.mutable:
            self.places[item.id] = (group, key)

    def _displace(self, item: T) -> None:
        """Take the object out; the key of the first one, the usual case, need not be computed."""
        if self.mutable:
            group, key = self.places.pop(item.id)
            ladder = self.groups[group]
        else:
            group = self.group_of(item)
            ladder = self.groups[group]
            key = ladder.least if ladder.first() is item else self.key_of(item)
        if ladder.remove(key, item):
            del self.groups[group]
