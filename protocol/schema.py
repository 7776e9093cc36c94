"""The one reader of declarations: a class with typed fields becomes a tree of wire types.

An operation, a block or a state object is a dataclass whose annotations use the vocabulary below.
`schema_of` reads them once; `protocol.binary`, `protocol.json_form` and `protocol.msgpack_form`
derive their codecs from the tree, and nobody else reflects on a class.

| annotation | binary (BitShares) | JSON |
|---|---|---|
| `Int8 … UInt64`, `Int64` | little endian, fixed width | number, or a string when wide |
| `VarUInt32` | LEB128 | number |
| `bool` | one byte, 0 or 1 | true, false |
| `Timestamp` | seconds, 4 bytes | "2026-11-21T20:12:37" |
| `str`, `bytes` | LEB128 length and the bytes | text; hexadecimal |
| `Fixed20`, `Fixed32`, `Signature`, `BlockId` … | the bytes | hexadecimal |
| `PublicKey`, `Address` | 33, 20 bytes | prefix and base58 |
| an id type of `protocol.ids` | LEB128 of the instance | "1.2.17" |
| `ObjectId` | 8 bytes | "1.2.17" |
| `X | None` | 00, or 01 and the value | the value; absent when None |
| `tuple[X, ...]` | LEB128 count and the items | list |
| `Annotated[tuple[X, ...] or str or bytes, Length(1, 9)]` | as without; bounds a peer message | |
| `Annotated[tuple[X, ...], SORTED]` | ascending, no duplicates | list, any order accepted |
| `tuple[X, Y]` | one after the other | list of two |
| a dataclass | its fields in order | object |
| `Annotated[D, EXTENSION]` | LEB128 count; index and value of each field that is set | object |
| `NoExtensions` | 00 | [] |
| `Annotated[A | B, Variant({0: A, 1: B})]` | LEB128 tag and the value | [tag, value] |
| `Annotated[Operation, Variant("operation")]` | tags from a table defined later | [tag, value] |
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NewType,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from protocol import ids
from protocol.errors import DecodeError

PublicKey = NewType("PublicKey", bytes)
"""A compressed secp256k1 public key, 33 bytes."""

Address = NewType("Address", bytes)
"""RIPEMD160(SHA512(key)), 20 bytes; sorts keys and owns genesis balances."""

Signature = NewType("Signature", bytes)
"""A compact recoverable signature: 27 + 4 + recovery id, r, s; 65 bytes."""

BlockId = NewType("BlockId", bytes)
"""20 bytes; the first four are the block number, big endian (R9.7)."""

TransactionId = NewType("TransactionId", bytes)
"""First 20 bytes of SHA256 of the transaction without signatures (R9.7)."""

Digest = NewType("Digest", bytes)
"""A SHA256 digest, 32 bytes."""

Ripemd160 = NewType("Ripemd160", bytes)
"""A RIPEMD160 digest, 20 bytes; also BitShares' Merkle root."""

Sha1 = NewType("Sha1", bytes)
"""A SHA1 digest, 20 bytes."""

Hash160 = NewType("Hash160", bytes)
"""RIPEMD160 of SHA256, 20 bytes."""

Commitment = NewType("Commitment", bytes)
"""A Pedersen commitment to a hidden amount, 33 bytes."""

BlindingFactor = NewType("BlindingFactor", bytes)
"""The random number that hides an amount in a commitment, 32 bytes."""


@dataclass(frozen=True, slots=True)
class Integer:
    """Marker of a fixed-width little-endian integer."""

    bits: int
    signed: bool

    @property
    def minimum(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        return (1 << (self.bits - (1 if self.signed else 0))) - 1


@dataclass(frozen=True, slots=True)
class Varint:
    """Marker of a LEB128 unsigned integer of at most 32 bits."""


@dataclass(frozen=True, slots=True)
class Time:
    """Marker of a point in time: seconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """Marker of a set or map: ascending by the item or by the first of each pair, no duplicates."""


@dataclass(frozen=True, slots=True)
class Extension:
    """Marker of an extension struct: a dataclass whose fields are all optional."""


@dataclass(frozen=True, slots=True)
class Empty:
    """Marker of BitShares' unused `extensions` set; must be empty."""


@dataclass(frozen=True, slots=True)
class Length:
    """Marker of the fewest and most items of a sequence, or bytes of a byte string or text.

    `message_codec` keeps to it, before it allocates; bytes of one length are as fixed ones.
    """

    smallest: int
    largest: int


class Variant:
    """Marker of a tagged union: a table tag -> class, or the name of one defined later.

    Where several tags share one class, the field holds a `Tagged` instead of the plain value.
    A member may be an annotation of a class, such as `Annotated[D, EXTENSION]`.
    """

    __slots__ = ("table",)

    def __init__(self, table: Mapping[int, Any] | str) -> None:
        self.table = table


class Tagged(NamedTuple):
    """A member of a tagged union whose class alone does not tell its tag."""

    tag: int
    value: object


SORTED = Sorted()
EXTENSION = Extension()

Int64 = Annotated[int, Integer(64, True)]
UInt8 = Annotated[int, Integer(8, False)]
UInt16 = Annotated[int, Integer(16, False)]
UInt32 = Annotated[int, Integer(32, False)]
UInt64 = Annotated[int, Integer(64, False)]
UInt128 = Annotated[int, Integer(128, False)]
VarUInt32 = Annotated[int, Varint()]
Timestamp = Annotated[int, Time()]
NoExtensions = Annotated[tuple[()], Empty()]

MAX_TIMESTAMP = 0xFFFF_FFFF
"""The largest point in time on the wire, 2106-02-07; "never"."""


# The tree of wire types.


@dataclass(frozen=True, slots=True)
class IntegerType:
    """A little-endian integer of fixed width."""

    bits: int
    signed: bool


@dataclass(frozen=True, slots=True)
class ScalarType:
    """A leaf."""

    kind: Literal["varint", "bool", "time", "string", "bytes", "object_id", "vote_id", "empty"]
    length: Length | None = None
    """Bounds of a text or byte string; None for none but those of what holds it."""


@dataclass(frozen=True, slots=True)
class FixedBytesType:
    """Bytes of one known length."""

    length: int
    form: Literal["hex", "key", "address"] = "hex"


@dataclass(frozen=True, slots=True)
class IdType:
    """An object id whose space and type the declaration gives."""

    space: int
    type: int


@dataclass(frozen=True, slots=True)
class OptionalType:
    """A value that may be absent."""

    inner: WireType


@dataclass(frozen=True, slots=True)
class SequenceType:
    """Any number of items of one type."""

    inner: WireType
    sorted: bool
    length: Length | None = None
    """How many there may be; None for any number."""


@dataclass(frozen=True, slots=True)
class PairType:
    """Two values, one after the other."""

    first: WireType
    second: WireType


@dataclass(frozen=True, slots=True)
class StructType:
    """A dataclass: its fields in order."""

    cls: type


@dataclass(frozen=True, slots=True)
class ExtensionType:
    """A dataclass whose fields carry their index and may each be absent."""

    cls: type


@dataclass(frozen=True, slots=True)
class VariantType:
    """Tags and classes of a tagged union; `table` of a named one is resolved when first used."""

    key: str
    tagged: bool
    resolve: Callable[[], Mapping[int, Any]] = field(compare=False)

    def tags(self) -> dict[type, int]:
        """Class -> tag; of use where no two tags share a class."""
        return {class_of(member): tag for tag, member in self.resolve().items()}

    def refusal(self, tag: int) -> DecodeError:
        """The error for a tag that is not in the table."""
        largest = max(self.resolve())
        return DecodeError("unknown tag of a tagged union", value=tag, limit=largest)


WireType = (
    IntegerType
    | ScalarType
    | FixedBytesType
    | IdType
    | OptionalType
    | SequenceType
    | PairType
    | StructType
    | ExtensionType
    | VariantType
)


@dataclass(frozen=True, slots=True)
class Field:
    """One declared field. `json_name` is `name` without a trailing underscore."""

    name: str
    json_name: str
    type: WireType
    default: Callable[[], object] | None


@dataclass(frozen=True, slots=True)
class Schema:
    """The declared fields of one class, in wire order."""

    cls: type
    fields: tuple[Field, ...]


_FIXED: dict[object, FixedBytesType] = {
    PublicKey: FixedBytesType(33, "key"),
    Address: FixedBytesType(20, "address"),
    Signature: FixedBytesType(65),
    BlockId: FixedBytesType(20),
    TransactionId: FixedBytesType(20),
    Digest: FixedBytesType(32),
    Ripemd160: FixedBytesType(20),
    Sha1: FixedBytesType(20),
    Hash160: FixedBytesType(20),
    Commitment: FixedBytesType(33),
    BlindingFactor: FixedBytesType(32),
}

_PLAIN: dict[object, ScalarType] = {
    bool: ScalarType("bool"),
    str: ScalarType("string"),
    bytes: ScalarType("bytes"),
    ids.ObjectId: ScalarType("object_id"),
    ids.VoteId: ScalarType("vote_id"),
}

_named_variants: dict[str, Mapping[int, Any]] = {}


def define_variant(name: str, table: Mapping[int, Any]) -> None:
    """Give a named tagged union its table; called once, where the table is written down."""
    assert name not in _named_variants, name
    _named_variants[name] = table


def class_of(member: Any) -> type:
    """The class of a member of a tagged union, its annotation taken off."""
    cls: type = get_args(member)[0] if get_origin(member) is Annotated else member
    return cls


@cache
def schema_of(cls: type) -> Schema:
    """The wire fields of a dataclass, read once from its annotations."""
    hints = get_type_hints(cls, include_extras=True)
    return Schema(
        cls,
        tuple(
            Field(item.name, item.name.rstrip("_"), wire_type(hints[item.name]), _default(item))
            for item in fields(cls)
        ),
    )


def wire_type(annotation: Any) -> WireType:
    """The wire type of one annotation; `TypeError` for one outside the vocabulary."""
    if annotation in _FIXED:
        return _FIXED[annotation]
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if annotation in ids.ID_TYPES:
        return IdType(*ids.ID_TYPES[annotation])
    origin = get_origin(annotation)
    if origin is Annotated:
        return _annotated_type(*get_args(annotation))
    if origin in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        if len(members) == 1:
            return OptionalType(wire_type(members[0]))
    if origin is tuple:
        return _tuple_type(get_args(annotation), is_sorted=False)
    if isinstance(annotation, type) and hasattr(annotation, "__dataclass_fields__"):
        return StructType(annotation)
    raise TypeError(f"no wire form for {annotation!r}")


def _annotated_type(inner: Any, marker: object) -> WireType:
    if isinstance(marker, Integer):
        return IntegerType(marker.bits, marker.signed)
    if isinstance(marker, Varint):
        return ScalarType("varint")
    if isinstance(marker, Time):
        return ScalarType("time")
    if isinstance(marker, Empty):
        return ScalarType("empty")
    if isinstance(marker, Sorted):
        return _tuple_type(get_args(inner), is_sorted=True)
    if isinstance(marker, Extension):
        return ExtensionType(inner)
    if isinstance(marker, Length):
        return _bounded_type(wire_type(inner), marker)
    if isinstance(marker, Variant):
        return _variant_type(marker.table, tagged=inner is Tagged)
    raise TypeError(f"unknown marker {marker!r}")


def _bounded_type(node: WireType, length: Length) -> WireType:
    match node:
        case ScalarType("bytes") if length.smallest == length.largest:
            return FixedBytesType(length.largest)
        case ScalarType("bytes" | "string") | SequenceType():
            return replace(node, length=length)
    raise TypeError(f"no length of a {node!r}")


def _variant_type(table: Mapping[int, Any] | str, *, tagged: bool) -> VariantType:
    if isinstance(table, str):
        return VariantType(table, tagged, lambda: _named_variants[table])
    key = "|".join(f"{tag}:{class_of(member)}" for tag, member in table.items())
    return VariantType(key, tagged, lambda: table)


def _tuple_type(arguments: tuple[Any, ...], *, is_sorted: bool) -> WireType:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return SequenceType(wire_type(arguments[0]), is_sorted)
    if len(arguments) == 2:
        return PairType(wire_type(arguments[0]), wire_type(arguments[1]))
    raise TypeError(f"no wire form for a tuple of {arguments!r}")


def _default(item: Any) -> Callable[[], object] | None:
    if item.default_factory is not MISSING:
        factory: Callable[[], object] = item.default_factory
        return factory
    if item.default is not MISSING:
        value: object = item.default
        return lambda: value
    return None
