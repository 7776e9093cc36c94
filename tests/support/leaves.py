"""The numbers inside a record: where each stands, what it may be, and the record with another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from protocol.schema import (
    MAX_TIMESTAMP,
    ExtensionType,
    IntegerType,
    OptionalType,
    PairType,
    ScalarType,
    SequenceType,
    StructType,
    Tagged,
    VariantType,
    WireType,
    schema_of,
    wire_type,
)


class Leaf(NamedTuple):
    """A number inside a record."""

    path: str
    smallest: int
    largest: int
    """What its width holds."""
    value: Any
    change: Callable[[int], Any]
    """The whole record with another number there."""


def leaves(record: object) -> Iterator[Leaf]:
    """Each number and time of a record, at any depth."""
    return _leaves(wire_type(type(record)), record, "")


def _leaves(node: WireType, value: Any, path: str) -> Iterator[Leaf]:
    match node:
        case IntegerType():
            yield Leaf(path, node.minimum, node.maximum, value, _itself)
        case ScalarType("time"):
            yield Leaf(path, 0, MAX_TIMESTAMP, value, _itself)
        case OptionalType() if value is not None:
            yield from _leaves(node.inner, value, path)
        case StructType() | ExtensionType():
            for field in schema_of(node.cls).fields:
                for leaf in _leaves(field.type, getattr(value, field.name), f"{path}.{field.name}"):
                    yield _inside(leaf, partial(_with_field, value, field.name))
        case SequenceType() | PairType():
            for number, item in enumerate(value):
                inner = node.inner if isinstance(node, SequenceType) else _side(node, number)
                for leaf in _leaves(inner, item, f"{path}[{number}]"):
                    yield _inside(leaf, partial(_with_item, value, number))
        case VariantType() if isinstance(value, Tagged):
            member = wire_type(node.resolve()[value.tag])
            for leaf in _leaves(member, value.value, f"{path}<{value.tag}>"):
                yield _inside(leaf, partial(Tagged, value.tag))
        case VariantType():
            yield from _leaves(wire_type(type(value)), value, path)


def _side(node: PairType, number: int) -> WireType:
    return (node.first, node.second)[number]


def _inside(leaf: Leaf, put: Callable[[Any], Any]) -> Leaf:
    return leaf._replace(change=partial(_changed, leaf.change, put))


def _changed(change: Callable[[int], Any], put: Callable[[Any], Any], new: int) -> Any:
    return put(change(new))


def _itself(new: int) -> int:
    return new


def _with_field(record: Any, name: str, value: object) -> Any:
    return replace(record, **{name: value})


def _with_item(items: Any, number: int, value: object) -> Any:
    return (*items[:number], value, *items[number + 1 :])


def bounds_of(leaf: Leaf, accepts: Callable[[Any], bool]) -> list[int]:
    """The ends of the width, those of what is accepted, and some around zero; ascending."""
    found = {leaf.smallest, -1, 0, 1, leaf.largest - 1, leaf.largest}
    if not accepts(leaf.change(leaf.largest)):
        found.add(_edge(leaf, accepts, leaf.value, leaf.largest))
    if not accepts(leaf.change(leaf.smallest)):
        found.add(_edge(leaf, accepts, leaf.value, leaf.smallest))
    return sorted(value for value in found if leaf.smallest <= value <= leaf.largest)


def _edge(leaf: Leaf, accepts: Callable[[Any], bool], inside: int, outside: int) -> int:
    """The last value that is accepted on the way to one that is not."""
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        if accepts(leaf.change(middle)):
            inside = middle
        else:
            outside = middle
    return inside
