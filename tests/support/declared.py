"""Random instances of any declared class, drawn from its wire types."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from hypothesis import strategies as st

from protocol.crypto.keys import PrivateKey, public_key
from protocol.ids import MAX_INSTANCE, ObjectId, vote_id
from protocol.schema import (
    MAX_TIMESTAMP,
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
    WireType,
    schema_of,
    wire_type,
)

KEYS = [public_key(PrivateKey(bytes([n]) * 32)) for n in range(1, 9)]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)

_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "varint": st.integers(0, 2**32 - 1),
    "bool": st.booleans(),
    "time": st.integers(0, MAX_TIMESTAMP),
    "string": TEXT,
    "bytes": st.binary(max_size=12),
    "object_id": st.builds(
        ObjectId, st.integers(0, 255), st.integers(0, 255), st.integers(0, MAX_INSTANCE)
    ),
    "vote_id": st.builds(vote_id, st.integers(0, 2), st.integers(0, 2**24 - 1)),
    "empty": st.just(()),
}


def instances(cls: type, depth: int = 2) -> st.SearchStrategy[Any]:
    """Instances of a declared class, well-formed on the wire but of random meaning."""
    return values(wire_type(cls), depth)


def values(node: WireType, depth: int) -> st.SearchStrategy[Any]:
    """Values of a wire type; tagged unions nest at most `depth` deep."""
    if isinstance(node, IntegerType):
        low = -(1 << (node.bits - 1)) if node.signed else 0
        return st.integers(low, (1 << (node.bits - (1 if node.signed else 0))) - 1)
    if isinstance(node, ScalarType):
        return _SCALARS[node.kind]
    if isinstance(node, FixedBytesType):
        if node.form == "key":
            return st.sampled_from(KEYS)
        return st.binary(min_size=node.length, max_size=node.length)
    if isinstance(node, IdType):
        return st.integers(0, 2**32 - 1)
    if isinstance(node, OptionalType):
        return st.none() | values(node.inner, depth)
    if isinstance(node, SequenceType):
        return _sequences(node, depth)
    if isinstance(node, PairType):
        return st.tuples(values(node.first, depth), values(node.second, depth))
    if isinstance(node, VariantType):
        return _members(node, depth)
    assert isinstance(node, StructType | ExtensionType)
    return _structs(node.cls, depth)


@cache
def _structs(cls: type, depth: int) -> st.SearchStrategy[Any]:
    return st.builds(cls, **{f.name: values(f.type, depth) for f in schema_of(cls).fields})


def _sequences(node: SequenceType, depth: int) -> st.SearchStrategy[Any]:
    if isinstance(node.inner, StructType | VariantType) and depth == 0:
        return st.just(())
    items = st.lists(values(node.inner, depth), max_size=3)
    if not node.sorted:
        return items.map(tuple)
    return items.map(lambda found: tuple({_sort_name(item): item for item in found}.values()))


def _sort_name(item: object) -> object:
    if isinstance(item, Tagged):
        return item.tag
    return cast("tuple[object, ...]", item)[0] if isinstance(item, tuple) else item


def _members(node: VariantType, depth: int) -> st.SearchStrategy[Any]:
    def member(tag: int) -> st.SearchStrategy[Any]:
        value = instances(node.resolve()[tag], depth - 1)
        return value.map(lambda found: Tagged(tag, found)) if node.tagged else value

    tags = sorted(node.resolve())
    if depth <= 0:
        tags = tags[:1]
    return st.sampled_from(tags).flatmap(member)
