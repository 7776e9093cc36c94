"""Reads the MessagePack form. Equal parts of what is read are one object, for a snapshot repeats
itself: a number stands in five fields of an account, a key in both authorities and the options,
most options in most accounts.

A record is read one level deep: what stands deeper is bytes first, and what was made of the same
bytes before is not made again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from functools import cache
from operator import itemgetter
from types import GenericAlias
from typing import Any, Final, NamedTuple, TypeVar, assert_never, cast

import msgspec
from msgspec import Raw
from msgspec.structs import astuple

from protocol.errors import DecodeError
from protocol.ids import ObjectId
from protocol.schema import (
    ExtensionType,
    FixedBytesType,
    IdType,
    IntegerType,
    OptionalType,
    PairType,
    ScalarType,
    SequenceType,
    StructType,
    Tagged,
    VariantType,
    Visitor,
    WireType,
    schema_of,
    wire_type,
)

T = TypeVar("T")
Packed = bytes | Raw
Members = tuple[Any, ...]
Finish = Callable[[Any], object]
"""Makes a value of what msgspec gives."""

MAX_DOCUMENT_BYTES = 1 << 31
"""Largest document that is read."""
REMEMBERED = 1 << 13
"""So many values of one type are known at once: most that are equal stand close together."""
NUMBERS = 1 << 23
"""Ids above it, of which no chain has so many that are used often, stay as they are."""
NONE: Final = b"\xc0"
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError)
MISSING: Final = object()


class Part(NamedTuple):
    """How values of a wire type are read."""

    read_as: Any
    """The type that msgspec reads; `Raw` for what stays bytes at first."""
    finish: Finish | None = None
    """What makes a value of that; None where it is one."""
    is_numbered: bool = False

    @property
    def is_shared(self) -> bool:
        """Whether the first of equal numbers or bytes stands for all that are near."""
        return self.read_as in _SHARED and self.finish is None and not self.is_numbered


_SHARED: Final = (int, bytes, int | None, bytes | None)


def read_list(data: Packed, item: Any) -> list[Any]:
    """A list whose items are of a type of msgspec; raises `DecodeError`."""
    size = len(memoryview(data))
    if size > MAX_DOCUMENT_BYTES:
        raise DecodeError("document too large", value=size, limit=MAX_DOCUMENT_BYTES)
    try:
        return cast(list[Any], _decode(GenericAlias(list, (item,)))(data))
    except UNREADABLE as error:
        raise DecodeError(f"not this MessagePack: {error}", value=size) from error


class MsgpackReader(Visitor[Part]):
    """Reads instances of declared classes; lives as long as what they share is to be known.

    Values of two types are never taken for each other, for 1 equals True.
    """

    def __init__(self, numbered: Collection[WireType] = ()) -> None:
        """Each number of a `numbered` type is one object, however far apart it stands."""
        self._numbered = numbered
        self._numbers: list[int] = []
        self._leaves: dict[Hashable, Hashable] = {}
        """Integers and bytes, of which none equals one of the other."""
        self._parts: dict[WireType, Part] = {}
        self._makers: dict[type, Callable[[Packed], object]] = {}

    def read(self, cls: type[T], data: Packed) -> T:
        """An instance of a declared class; raises `DecodeError`."""
        make = self._makers.get(cls)
        if make is None:
            make = self._makers[cls] = self._maker(cls)
        if len(self._leaves) > REMEMBERED:
            self._leaves.clear()
        try:
            return cast(T, make(data))
        except UNREADABLE as error:
            raise DecodeError(f"no {cls.__name__}: {error}") from error

    def integer(self, node: IntegerType) -> Part:
        if node.bits > 64:
            return Part(bytes, lambda data: int.from_bytes(data, "little"))
        return Part(int)

    def scalar(self, node: ScalarType) -> Part:
        match node.kind:
            case "varint" | "time" | "vote_id":
                return Part(int)
            case "bool":
                return Part(bool)
            case "string":
                return Part(str)
            case "bytes":
                return Part(bytes)
            case "object_id":
                return Part(tuple[int, int, int], lambda parts: ObjectId(*parts))
            case "empty":
                return Part(tuple[()])
            case _:
                assert_never(node.kind)

    def fixed_bytes(self, node: FixedBytesType) -> Part:
        return Part(bytes)

    def instance(self, node: IdType) -> Part:
        return Part(int, is_numbered=node in self._numbered)

    def optional(self, node: OptionalType) -> Part:
        read_as, finish, _ = self._part(node.inner)
        if finish is None:
            return Part(read_as | None)
        make = finish
        if read_as is Raw:
            return self._later(lambda data: None if data == NONE else make(data))
        return Part(read_as | None, lambda data: None if data is None else make(data))

    def sequence(self, node: SequenceType) -> Part:
        read_as, finish, _ = self._part(node.inner)
        if finish is None:
            return Part(_tuple(read_as, ...))
        make, decode = finish, _decode(_tuple(read_as, ...))
        return self._later(lambda data: tuple(map(make, decode(data))))

    def pair(self, node: PairType) -> Part:
        parts = [self._part(node.first), self._part(node.second)]
        read_as, finish = _tuple(*(part.read_as for part in parts)), self._finisher(parts)
        if not any(part.finish for part in parts):
            return Part(read_as, finish)
        decode = _decode(read_as)
        return self._later(lambda data: finish(decode(data)))

    def struct(self, node: StructType | ExtensionType) -> Part:
        return self._later(self._maker(node.cls))

    def extension(self, node: ExtensionType) -> Part:
        return self.struct(node)

    def variant(self, node: VariantType) -> Part:
        decode = _decode(tuple[int, Raw])

        def make(data: bytes) -> object:
            tag, body = decode(data)
            table = node.resolve()
            if tag not in table:
                raise node.refusal(tag)
            read_as, finish, _ = self._part(wire_type(table[tag]))
            value = body if read_as is Raw else _decode(read_as)(body)
            value = value if finish is None else finish(value)
            return Tagged(tag, value) if node.tagged else value

        return self._later(make)

    def _part(self, node: WireType) -> Part:
        found = self._parts.get(node)
        if found is None:
            found = self._parts[node] = self.visit(node)
        return found

    def _later(self, make: Finish) -> Part:
        """What stays bytes until it is asked for, and is made once."""
        known: dict[bytes, object] = {}

        def first_equal(data: Packed) -> object:
            packed = bytes(data)
            found = known.get(packed, MISSING)
            if found is MISSING:
                if len(known) >= REMEMBERED:
                    known.clear()
                found = known[packed] = make(packed)
            return found

        return Part(Raw, first_equal)

    def _maker(self, cls: type) -> Callable[[Packed], object]:
        parts = [self._part(field.type) for field in schema_of(cls).fields]
        decode = _decode(_twin(cls.__name__, tuple(part.read_as for part in parts)))
        finish = self._finisher(parts)
        return lambda data: cls(*finish(astuple(decode(data))))

    def _finisher(self, parts: Sequence[Part]) -> Callable[[Members], Members]:
        """What makes values of the members of a record or pair: each kind of them all at once."""
        places = range(len(parts))
        first_equal = self._leaves.setdefault
        if all(part.is_shared for part in parts):
            return lambda members: tuple(map(first_equal, members, members))
        numbered = [at for at in places if parts[at].is_numbered]
        shared = [at for at in places if parts[at].is_shared]
        made = [at for at in places if parts[at].finish is not None]
        kept = [at for at in places if at not in {*numbered, *shared, *made}]
        makes = [cast(Finish, parts[at].finish) for at in made]
        of_kept, of_numbered = _picker(kept), _picker(numbered)
        of_shared, of_made = _picker(shared), _picker(made)
        order = [*kept, *numbered, *shared, *made]
        in_order = _picker([order.index(at) for at in places])
        number = self._number

        def finish(members: Members) -> Members:
            again = of_shared(members)
            values = [make(member) for make, member in zip(makes, of_made(members), strict=True)]
            equal = map(first_equal, again, again)
            return in_order((*of_kept(members), *number(of_numbered(members)), *equal, *values))

        return finish

    def _number(self, found: Members) -> Iterable[object]:
        """The first of each number."""
        if not found or min(found) < 0 or max(found) >= NUMBERS:
            return found
        numbers, highest = self._numbers, max(found)
        if highest >= len(numbers):
            numbers.extend(range(len(numbers), highest + 1))
        return map(numbers.__getitem__, found)


def _tuple(*members: Any) -> GenericAlias:
    """The type of tuples of such members."""
    return GenericAlias(tuple, members)


def _picker(places: Sequence[int]) -> Callable[[Members], Members]:
    """What gives the members at these places."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda members: tuple(members[at] for at in places)


@cache
def _decode(read_as: Any) -> Callable[[Packed], Any]:
    return msgspec.msgpack.Decoder(read_as).decode


@cache
def _twin(name: str, members: Members) -> type[msgspec.Struct]:
    """A record that msgspec reads from a list."""
    fields = [(f"member{at}", member) for at, member in enumerate(members)]
    return msgspec.defstruct(name, fields, array_like=True, forbid_unknown_fields=True, gc=False)
