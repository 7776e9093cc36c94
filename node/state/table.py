"""One table of the object database: objects of one type by instance number, with indexes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cache
from heapq import nsmallest
from typing import Generic, NoReturn, TypeVar, cast

from node.state.errors import NoSuchObject
from node.state.indexes import Index, OrderedIndex
from node.state.objects.base import StateObject
from node.state.undo import CREATE, EDIT, REKEY, REMOVE, UndoLog, Values
from protocol.binary_source import values_of
from protocol.ids import ID_TYPES, ObjectId
from protocol.schema import schema_of
from protocol.widths import WidthCheck, width_check_of

K = TypeVar("K", bound=int)
"""The type of the table's ids, as `AccountId`."""
T = TypeVar("T", bound=StateObject)


@cache
def names_of(cls: type) -> tuple[str, ...]:
    """Names of the declared fields of a class, in order."""
    return tuple(field.name for field in schema_of(cls).fields)


class Rows(dict[int, T]):
    """Objects of one table by instance number; a number without one raises `NoSuchObject`."""

    __slots__ = ("space", "type")

    def __init__(self, space: int, type_: int) -> None:
        super().__init__()
        self.space, self.type = space, type_

    def __missing__(self, instance: int) -> NoReturn:
        missing = ObjectId(self.space, self.type, instance)
        raise NoSuchObject("no such object", rule="R0.1", value=str(missing))


class Table(Generic[K, T]):
    """Objects `space.type.n`; instance numbers rise and are never reused within one history."""

    __slots__ = (
        "at",
        "check_width",
        "cls",
        "index_list",
        "log",
        "mutable_indexes",
        "next_id",
        "rows",
        "space",
        "touched_sets",
        "type",
        "values_of",
    )

    def __init__(self, cls: type[T], id_type: Callable[[int], K], log: UndoLog) -> None:
        self.cls = cls
        self.space, self.type = ID_TYPES[id_type]
        self.log = log
        self.rows: dict[int, T] = Rows(self.space, self.type)
        self.at = cast("Mapping[K, T]", self.rows)
        """What `get` reads, by the same ids: for what is asked once a transaction or oftener."""
        self.next_id = cast(K, 0)
        """The id of the next object to be created."""
        self.values_of: Callable[[T], Values] = self._first_values
        """Gives the declared fields of an object, in order."""
        self.check_width: WidthCheck = self._first_check_width
        self.index_list: list[Index[T]] = []
        self.mutable_indexes: list[OrderedIndex[Hashable, T]] = []
        self.touched_sets: list[set[int]] = []
        """Each takes the number of every object that is created, edited, removed or taken back."""

    # What is derived from the declaration is derived when it is first needed: most chains use few
    # tables, and one that starts should not wait for the others.

    def _first_values(self, item: T) -> Values:
        self.values_of = values_of(cast(type, self.cls))
        return self.values_of(item)

    def _first_check_width(self, item: object, old: Values) -> None:
        self.check_width = width_check_of(cast(type, self.cls))
        self.check_width(item, old)

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of the declared fields, in order."""
        return names_of(cast(type, self.cls))

    def add_index(self, index: Index[T]) -> None:
        """Attach an index; the table must still be empty."""
        assert not self.rows
        self.index_list.append(index)
        if isinstance(index, OrderedIndex) and index.mutable:
            self.mutable_indexes.append(index)

    def __len__(self) -> int:
        return len(self.rows)

    def find(self, instance: K) -> T | None:
        """The object with this instance number, or None."""
        return self.rows.get(instance)

    def get(self, instance: K) -> T:
        """The object with this instance number; raises `NoSuchObject`."""
        return self.at[instance]

    def object_id(self, instance: K) -> ObjectId:
        """The full id of an instance of this table."""
        return ObjectId(self.space, self.type, instance)

    def id_of(self, item: StateObject) -> ObjectId:
        """The full id of an object of this table."""
        return ObjectId(self.space, self.type, item.id)

    def in_order(self) -> Iterator[T]:
        """All objects by ascending id; the table may change meanwhile."""
        for instance in sorted(self.rows):
            item = self.rows.get(instance)
            if item is not None:
                yield item

    def page(self, start: K, limit: int) -> list[T]:
        """The first objects whose ids are at least `start`, by ascending id."""
        found = nsmallest(limit, (instance for instance in self.rows if instance >= start))
        return [self.rows[instance] for instance in found]

    def reserve(self, count: int) -> None:
        """Leave the instance numbers below `count` unused; not undoable."""
        self.next_id = cast(K, max(count, self.next_id))

    def create(self, item: T) -> T:
        """Add an object whose id is `next_id`."""
        instance = item.id
        assert instance == self.next_id, (self.cls, instance, self.next_id)
        self.next_id = cast(K, instance + 1)
        self.rows[instance] = item
        log = self.log
        item.stamp = log.serial
        for index in self.index_list:
            index.insert(item)
        log.records.append((CREATE, self, item, ()))
        for touched in self.touched_sets:
            touched.add(instance)
        return item

    def edit(self, item: T) -> T:
        """Save the object for undo, so that its fields may be changed; returns it."""
        log = self.log
        if item.stamp != log.serial:
            values_of = self.values_of
            log.records.append((EDIT, self, item, values_of(item)))
            item.stamp = log.serial
            for touched in self.touched_sets:
                touched.add(item.id)
        for index in self.mutable_indexes:
            index.suspend(item)
        return item

    def _touch(self, instance: int) -> None:
        for touched in self.touched_sets:
            touched.add(instance)

    def rekey(self, item: T, change: Callable[[T], None]) -> None:
        """Edit an object by `change`, which may set fields that immutable indexes are keyed by.

        For the rare change of what most objects keep for life. `change` must not raise.
        """
        self.edit(item)
        self.log.records.append((REKEY, self, item, self.values_of(item)))
        self._move(item, change)

    def remove(self, item: T) -> None:
        """Remove an object for good; its instance number stays used."""
        del self.rows[item.id]
        for index in self.index_list:
            index.remove(item)
        self.log.records.append((REMOVE, self, item, ()))
        for touched in self.touched_sets:
            touched.add(item.id)

    def current_values(self, item: StateObject) -> Values:
        """The declared fields of an object of this table, in order."""
        return self.values_of(cast(T, item))

    def detached(self, values: Values) -> T:
        """An object of these fields that is not in the table."""
        return cast(Callable[..., T], self.cls)(*values)

    def load(self, item: T) -> None:
        """Add an object of a snapshot; not undoable."""
        self.rows[item.id] = item
        item.stamp = 0
        for index in self.index_list:
            index.insert(item)

    def undo_create(self, item: StateObject) -> None:
        """Take a creation back, and with it the use of its instance number."""
        instance = item.id
        for index in self.index_list:
            index.remove(cast(T, item))
        del self.rows[instance]
        self.next_id = cast(K, instance)
        self._touch(instance)

    def undo_edit(self, item: StateObject, values: Values) -> None:
        """Give the object its old fields back."""
        for index in self.mutable_indexes:
            index.suspend(cast(T, item))
        self._set_fields(cast(T, item), values)
        self._touch(item.id)

    def undo_rekey(self, item: StateObject, values: Values) -> None:
        """Give the object its old fields back, and its old place in every index."""
        self._move(cast(T, item), lambda moved: self._set_fields(moved, values))
        self._touch(item.id)

    def _move(self, item: T, change: Callable[[T], None]) -> None:
        for index in self.index_list:
            index.remove(item)
        change(item)
        for index in self.index_list:
            index.insert(item)

    def _set_fields(self, item: T, values: Values) -> None:
        for name, value in zip(self.field_names, values, strict=True):
            setattr(item, name, value)

    def undo_remove(self, item: StateObject) -> None:
        """Put a removed object back."""
        self.rows[item.id] = cast(T, item)
        for index in self.index_list:
            index.insert(cast(T, item))
        self._touch(item.id)
