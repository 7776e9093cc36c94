"""One object for equal values of a state that is read: a third of what an account takes.

A snapshot repeats itself: a number stands in five fields of an account, a key in both authorities
and the options, most options in most accounts. What is read is made anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import cast

from msgspec.structs import force_setattr

from node.state.objects.base import StateObject
from protocol.ids import ID_TYPES, AccountId, AccountStatisticsId, AssetId
from protocol.schema import (
    ExtensionType,
    FixedBytesType,
    IdType,
    IntegerType,
    OptionalType,
    PairType,
    Record,
    ScalarType,
    SequenceType,
    StructType,
    VariantType,
    Visitor,
    WireType,
    schema_of,
)

Share = Callable[[Hashable], Hashable]
"""Answers with the first value that equals another one."""

REMEMBERED = 1 << 13
"""So many values of one type are known at once: most that are equal stand close together."""
NUMBERS = 1 << 23
"""Ids above it, of which no chain has so many that are used often, stay as they are."""
_USED_OFTEN = {IdType(*ID_TYPES[id_type]) for id_type in (AccountId, AccountStatisticsId, AssetId)}


class Sharing(Visitor[Share | None]):
    """What has been read so far; to be forgotten when the state is whole.

    None stands for a type of which nothing is gained. Values of two declared types are never taken
    for each other, for 1 equals True.
    """

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._integer, self._bytes = _first_equal(), _first_equal()
        self._parts: dict[type, list[tuple[str, Share]]] = {}
        self._shares: dict[WireType, Share | None] = {}
        """By type, so that an authority is found whichever of an account's it was."""

    def unify(self, item: StateObject) -> None:
        """Give an object that no table holds yet values that others have."""
        cls = type(item)
        parts = self._parts.get(cls)
        if parts is None:
            parts = self._parts[cls] = self._parts_of(cls)
        for name, share in parts:
            value = getattr(item, name)
            shared = share(value)
            if shared is not value:
                setattr(item, name, shared)

    def _parts_of(self, cls: type) -> list[tuple[str, Share]]:
        shares = [(field.name, self._share_of(field.type)) for field in schema_of(cls).fields]
        return [(name, share) for name, share in shares if share is not None]

    def _share_of(self, node: WireType) -> Share | None:
        if node not in self._shares:
            self._shares[node] = self.visit(node)
        return self._shares[node]

    def integer(self, node: IntegerType) -> Share:
        return self._integer

    def scalar(self, node: ScalarType) -> Share | None:
        if node.kind in ("time", "vote_id"):
            return self._integer
        return None

    def fixed_bytes(self, node: FixedBytesType) -> Share:
        return self._bytes

    def instance(self, node: IdType) -> Share | None:
        return cast(Share, self._number) if node in _USED_OFTEN else None

    def _number(self, number: int) -> int:
        numbers = self._numbers
        if number >= len(numbers):
            if number >= NUMBERS:
                return number
            numbers.extend(range(len(numbers), number + 1))
        return numbers[number]

    def optional(self, node: OptionalType) -> Share | None:
        inner = self._share_of(node.inner)
        if inner is None:
            return None
        return lambda value: None if value is None else inner(value)

    def sequence(self, node: SequenceType) -> Share:
        inner = self._share_of(node.inner)

        def anew(value: Hashable) -> Hashable:
            members = cast("tuple[Hashable, ...]", value)
            return members if inner is None else tuple(map(inner, members))

        return _first_equal(anew)

    def pair(self, node: PairType) -> Share:
        inners = self._share_of(node.first), self._share_of(node.second)

        def anew(value: Hashable) -> Hashable:
            members = zip(inners, cast("tuple[Hashable, Hashable]", value), strict=True)
            return tuple(one if inner is None else inner(one) for inner, one in members)

        return _first_equal(anew)

    def struct(self, node: StructType) -> Share:
        return self._record(node.cls)

    def extension(self, node: ExtensionType) -> Share:
        return self._record(node.cls)

    def _record(self, cls: type) -> Share:
        parts = self._parts_of(cls)

        def anew(value: Hashable) -> Hashable:
            for name, inner in parts:
                force_setattr(cast(Record, value), name, inner(getattr(value, name)))
            return value

        return _first_equal(anew)

    def variant(self, node: VariantType) -> None:
        return None


def _first_equal(anew: Share | None = None) -> Share:
    """What answers with the first of equal values; a new one is remembered as `anew` makes it."""
    known: dict[Hashable, Hashable] = {}
    find = known.get

    def first_equal(value: Hashable) -> Hashable:
        found = find(value)
        if found is not None:
            return found
        if len(known) >= REMEMBERED:
            known.clear()
        if anew is not None:
            value = anew(value)
        known[value] = value
        return value

    return first_equal
