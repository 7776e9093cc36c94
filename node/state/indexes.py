"""Secondary indexes of a table: by a unique key, and ordered inside groups.

An index whose key cannot change is told of creations and removals only. A *mutable* one also hears
of edits: the entry is taken out before the edit, and put back under its new key when somebody next
reads the index. So code edits an object and never thinks of indexes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from sortedcontainers import SortedList

from node.state.undo import StateObject

T = TypeVar("T", bound=StateObject)
Key = int | tuple[int, ...]


class UniqueIndex(Generic[T]):
    """Finds an object by a key that it keeps for life."""

    __slots__ = ("entries", "key_of")

    def __init__(self, key_of: Callable[[T], Hashable]) -> None:
        self.key_of = key_of
        self.entries: dict[Hashable, T] = {}

    def find(self, key: Hashable) -> T | None:
        """The object with this key, or None."""
        return self.entries.get(key)

    def insert(self, item: T) -> None:
        key = self.key_of(item)
        assert key not in self.entries, f"duplicate key {key!r}"
        self.entries[key] = item

    def remove(self, item: T) -> None:
        del self.entries[self.key_of(item)]


class OrderedIndex(Generic[T]):
    """Keeps the objects of each group in ascending order of (key, instance)."""

    __slots__ = ("group_of", "groups", "key_of", "mutable", "places", "rows", "suspended")

    def __init__(
        self,
        group_of: Callable[[T], Hashable],
        key_of: Callable[[T], Key],
        *,
        mutable: bool = False,
    ) -> None:
        self.group_of = group_of
        self.key_of = key_of
        self.mutable = mutable
        self.rows: dict[int, T] = {}
        self.groups: dict[Hashable, SortedList] = {}
        self.places: dict[int, tuple[Hashable, tuple[Key, int]]] = {}
        self.suspended: dict[int, T] = {}

    def first(self, group: Hashable) -> T | None:
        """The least object of a group, or None."""
        self.refresh()
        entries = self.groups.get(group)
        return self.rows[entries[0][1]] if entries else None

    def items(self, group: Hashable) -> Iterator[T]:
        """The objects of a group in order; the group must not change meanwhile."""
        self.refresh()
        for _, instance in self.groups.get(group, ()):
            yield self.rows[instance]

    def up_to(self, group: Hashable, key: Key) -> list[T]:
        """The objects of a group whose key is at most `key`, in order, as a list of its own."""
        self.refresh()
        entries = self.groups.get(group)
        if not entries or entries[0][0] > key:
            return []
        end = entries.bisect_right((key, 1 << 62))
        return [self.rows[instance] for _, instance in entries.islice(0, end)]

    def count(self, group: Hashable) -> int:
        """Number of objects in a group."""
        self.refresh()
        return len(self.groups.get(group, ()))

    def group_keys(self) -> list[Hashable]:
        """The groups that have objects; in no particular order."""
        self.refresh()
        return [group for group, entries in self.groups.items() if entries]

    def is_first(self, item: T) -> bool:
        """Whether the object is the least of its group."""
        return self.first(self.group_of(item)) is item

    def insert(self, item: T) -> None:
        instance = item.id
        self.rows[instance] = item
        if self.mutable:
            self.suspended[instance] = item
        else:
            self._place(item, instance)

    def suspend(self, item: T) -> None:
        """Take the object out until the next read; called before it is edited."""
        instance = item.id
        if instance not in self.suspended:
            self._displace(item, instance)
            self.suspended[instance] = item

    def remove(self, item: T) -> None:
        instance = item.id
        if self.suspended.pop(instance, None) is None:
            self._displace(item, instance)
        del self.rows[instance]

    def refresh(self) -> None:
        """Put suspended objects back under their present keys."""
        if self.suspended:
            for instance, item in self.suspended.items():
                self._place(item, instance)
            self.suspended.clear()

    def _place(self, item: T, instance: int) -> None:
        group, entry = self.group_of(item), (self.key_of(item), instance)
        entries = self.groups.get(group)
        if entries is None:
            entries = self.groups[group] = SortedList()
        entries.add(entry)
        if self.mutable:
            self.places[instance] = (group, entry)

    def _displace(self, item: T, instance: int) -> None:
        if self.mutable:
            group, entry = self.places.pop(instance)
        else:
            group, entry = self.group_of(item), (self.key_of(item), instance)
        entries = self.groups[group]
        entries.remove(entry)
        if not entries:
            del self.groups[group]
