"""Maps that forget: the oldest entry makes room for the newest, at the same cost whatever the size.

A plain dict would walk over all that was taken from its front before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class RecentSet(Generic[K]):
    """A set of at most `limit` items that forgets those added longest ago."""

    __slots__ = ("_items", "_limit")

    def __init__(self, limit: int) -> None:
        assert limit > 0
        self._limit = limit
        self._items: OrderedDict[K, None] = OrderedDict()

    def __contains__(self, item: K) -> bool:
        return item in self._items

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: K) -> bool:
        """Add an item, or make it the newest again; True when it was new."""
        is_new = item not in self._items
        self._items[item] = None
        self._items.move_to_end(item)
        if len(self._items) > self._limit:
            self._items.popitem(last=False)
        return is_new

    def discard(self, item: K) -> None:
        """Forget an item, if it is there."""
        self._items.pop(item, None)


class ByteCache(Generic[K]):
    """Byte strings by key, at most `limit_bytes` of them together; the oldest go first."""

    __slots__ = ("_items", "_limit_bytes", "_total_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._total_bytes = 0
        self._items: OrderedDict[K, bytes] = OrderedDict()

    @property
    def total_bytes(self) -> int:
        """Sum of the sizes of what is kept."""
        return self._total_bytes

    def get(self, key: K) -> bytes | None:
        """The bytes kept for a key."""
        return self._items.get(key)

    def put(self, key: K, data: bytes) -> None:
        """Keep the bytes; the first ones given for a key stay."""
        if key in self._items or not 0 < len(data) <= self._limit_bytes:
            return
        self._items[key] = data
        self._total_bytes += len(data)
        while self._total_bytes > self._limit_bytes:
            self._total_bytes -= len(self._items.popitem(last=False)[1])
