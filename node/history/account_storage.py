"""What accounts store with custom operations: a map that nodes derive, and consensus knows nothing
of (Y3.1, Y3.2).

It follows from the chain alone, ids included, so a block that is taken back takes its changes with
it. The state hash does not cover it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from itertools import islice
from typing import Annotated, NamedTuple

import msgspec

from protocol.binary import unpack_from
from protocol.errors import ProtocolError
from protocol.ids import AccountId, AccountStorageId
from protocol.operations.base import Operation
from protocol.operations.custom import Custom
from protocol.schema import Record, Variant

CATALOG_BYTES_MAX = 200
KEY_BYTES_MAX = 200


class AccountStorageMap(Record):
    """Values to keep under keys of a catalog, or keys to forget."""

    remove: bool
    catalog: str
    key_values: tuple[tuple[str, str | None], ...]
    """Each value is a JSON text; none leaves the key without one."""


class CustomData(Record):
    """What the data of a custom operation begins with, if it is meant for nodes."""

    content: Annotated[AccountStorageMap, Variant({0: AccountStorageMap})]


class StoredItem(NamedTuple):
    """Something that an account stores (7.0.n)."""

    instance: AccountStorageId
    account: AccountId
    catalog: str
    key: str
    value: str | None
    """A JSON text, as it was written."""


class Undo(Record):
    """What a block changed: each item as it was before, None for one that was not there."""

    block_num: int
    next_instance: int
    before: list[tuple[int, StoredItem | None]]


class AccountStorage:
    """The map of all accounts, at the head."""

    def __init__(self, first_block: int = 1) -> None:
        """`first_block` is the first one of which anything is kept (Y3.1)."""
        self.first_block = first_block
        self._items: dict[int, StoredItem] = {}
        self._by_place: dict[tuple[AccountId, str, str], int] = {}
        self._groups: dict[Hashable, list[int]] = {}
        """Ascending numbers of the items of an account, a catalog, a key, and both together."""
        self._next = 0
        self._undo: deque[Undo] = deque()

    def apply_block(self, num: int, operations: Iterable[Operation]) -> None:
        """Take in what a block that became the head stores."""
        if num < self.first_block:
            return
        undo = Undo(num, self._next, [])
        for op in operations:
            if type(op) is Custom:
                self._apply(op, undo)
        if undo.before:
            self._undo.append(undo)

    def revert_block(self, num: int) -> None:
        """Take the newest block back."""
        if not self._undo or self._undo[-1].block_num != num:
            return
        undo = self._undo.pop()
        for instance, item in reversed(undo.before):
            self._put(instance, item)
        self._next = undo.next_instance

    def forget(self, num: int) -> None:
        """Blocks up to a number are not taken back any more."""
        while self._undo and self._undo[0].block_num <= num:
            self._undo.popleft()

    def item(self, instance: int) -> StoredItem | None:
        """What has an id (7.0.n)."""
        return self._items.get(instance)

    def items(
        self,
        account: AccountId | None,
        catalog: str | None,
        key: str | None,
        *,
        start: int,
        limit: int,
    ) -> list[StoredItem]:
        """At most `limit` items of an account, of a catalog, of a key, by id from one on."""
        numbers = self._groups.get((account, catalog, key), [])
        found = islice(numbers, bisect_left(numbers, start), None)
        return [self._items[instance] for instance in islice(found, limit)]

    def _apply(self, op: Custom, undo: Undo) -> None:
        written = read_stored(op.data)
        if written is None:
            return
        for key, value in sorted(dict(written.key_values).items(), key=lambda pair: pair[0]):
            place = (op.payer, written.catalog, key)
            instance = self._by_place.get(place)
            if written.remove:
                if instance is not None:
                    self._change(instance, None, undo)
                continue
            if len(key.encode()) > KEY_BYTES_MAX or not is_json(value):
                continue
            if instance is None:
                instance = self._next
                self._next += 1
            self._change(instance, StoredItem(AccountStorageId(instance), *place, value), undo)

    def _change(self, instance: int, item: StoredItem | None, undo: Undo) -> None:
        undo.before.append((instance, self._items.get(instance)))
        self._put(instance, item)

    def _put(self, instance: int, item: StoredItem | None) -> None:
        """Have an item under its number, or none."""
        before = self._items.get(instance)
        if before is not None and item is None:
            del self._items[instance], self._by_place[before[1:4]]
            for group in _groups_of(before):
                self._groups[group].remove(instance)
                if not self._groups[group]:
                    del self._groups[group]
        elif item is not None:
            self._items[instance] = item
            if before is None:
                self._by_place[item[1:4]] = instance
                for group in _groups_of(item):
                    insort(self._groups.setdefault(group, []), instance)


def read_stored(data: bytes) -> AccountStorageMap | None:
    """What a custom operation's data stores; None for data that is something else."""
    try:
        written = unpack_from(CustomData, data, 0)[0].content
    except ProtocolError:
        return None
    return written if 0 < len(written.catalog.encode()) <= CATALOG_BYTES_MAX else None


def is_json(text: str | None) -> bool:
    """Whether a value may be stored: none, or exactly one JSON value."""
    if text is None:
        return True
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return False
    return True


def _groups_of(item: StoredItem) -> Iterator[Hashable]:
    """The questions that an item is an answer to."""
    for account in (item.account, None):
        yield account, None, None
        yield account, item.catalog, None
        yield account, item.catalog, item.key
