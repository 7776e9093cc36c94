"""The fields of an operation, each with a way to put another value in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from msgspec.structs import replace

from protocol.asset import AssetAmount
from protocol.operations.base import Operation
from protocol.schema import (
    ExtensionType,
    OptionalType,
    PairType,
    Record,
    SequenceType,
    StructType,
    WireType,
    schema_of,
)

ITEMS_MAX = 20
"""Items of a list that are looked into."""


class Leaf(Record, gc=True):
    """A value inside an operation: an amount with its asset, a number, an id, a text, a list."""

    path: tuple[str, ...]
    """Names of the fields that lead to it, as in JSON."""
    type: WireType
    value: object
    put: Callable[[object], Operation]
    """The operation with another value in this place."""

    @property
    def name(self) -> str:
        """The path in one word: "new_options.max_supply"."""
        return ".".join(self.path)


def leaves(operation: Operation) -> Iterator[Leaf]:
    """All values of an operation but its fee; what it proposes is not looked into."""
    node = StructType(type(operation))
    for leaf in _leaves((), node, operation, lambda whole: cast(Operation, whole)):
        if leaf.path[0] != "fee":
            yield leaf


def _leaves(
    path: tuple[str, ...], node: WireType, value: object, put: Callable[[object], Operation]
) -> Iterator[Leaf]:
    match node:
        case StructType(cls) | ExtensionType(cls):
            if cls is AssetAmount:
                yield Leaf(path, node, value, put)
                return
            if path:
                yield Leaf(path, node, value, put)
            for field in schema_of(cls).fields:
                inner = getattr(value, field.name)
                if inner is not None or not isinstance(node, ExtensionType):
                    where = (*path, field.json_name)
                    yield from _leaves(where, field.type, inner, _into(put, value, field.name))
        case OptionalType(inner_type):
            if value is not None:
                yield from _leaves(path, inner_type, value, put)
        case SequenceType(inner_type):
            items = cast(tuple[object, ...], value)
            yield Leaf(path, node, items, put)
            for place, item in enumerate(items[:ITEMS_MAX]):
                where = (*path, str(place))
                yield from _leaves(where, inner_type, item, _at(put, items, place))
        case PairType(first, second):
            pair = cast(tuple[object, ...], value)
            for place, inner_type in enumerate((first, second)):
                where = (*path, str(place))
                yield from _leaves(where, inner_type, pair[place], _at(put, pair, place))
        case _:
            yield Leaf(path, node, value, put)


def _into(put: Callable[[object], Operation], whole: object, name: str) -> Callable[[Any], Any]:
    return lambda new: put(replace(cast(Any, whole), **{name: new}))


def _at(
    put: Callable[[object], Operation], items: tuple[object, ...], place: int
) -> Callable[[Any], Any]:
    return lambda new: put((*items[:place], new, *items[place + 1 :]))
