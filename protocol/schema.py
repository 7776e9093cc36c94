"""The one reader of declarations: a class with typed fields becomes a tree of wire types.

An operation, a block or a state object is a record whose annotations use the vocabulary below.
`schema_of` reads them once, and nobody else reflects on a class. A form (binary, JSON, MessagePack,
JSON Schema) is a `Visitor`: one method for each kind of wire type.

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
| a record | its fields in order | object |
| `Annotated[D, EXTENSION]` | LEB128 count; index and value of each field that is set | object |
| `NoExtensions` | 00 | [] |
| `Annotated[A | B, Variant({0: A, 1: B})]` | LEB128 tag and the value | [tag, value] |
| `Annotated[Operation, Variant("operation")]` | tags from a table defined later | [tag, value] |
"""

from __future__ import annotations

import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    TypeAlias,
    TypeVar,
    Union,
    assert_never,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from protocol import ids
from protocol.errors import DecodeError

R = TypeVar("R")


@dataclass_transform(frozen_default=True)
class Record(msgspec.Struct, frozen=True, gc=False):
    """Base of every immutable record: its annotated fields, compared and hashed by value.

    Its instances must not form cycles, for the garbage collector does not look at them.
    What holds a chain, its state or its servers, functions or exceptions says `gc=True`.
    """


class Mutable(msgspec.Struct, eq=False, gc=False):
    """Base of records whose fields may be set: none is another one, whatever their fields say."""


def are_equal(one: object, other: object) -> bool:
    """Whether two records say the same.

    For modules that are compiled: of two records of one class mypyc takes `==` for `is`.
    """
    return one == other


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


ScalarKind: TypeAlias = Literal[
    "varint", "bool", "time", "string", "bytes", "object_id", "vote_id", "empty"
]


# The tree of wire types.


class IntegerType(Record):
    """A little-endian integer of fixed width."""

    bits: int
    signed: bool

    @property
    def minimum(self) -> int:
        """The least value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """The largest value."""
        return (1 << (self.bits - (1 if self.signed else 0))) - 1


class Length(Record):
    """Marker of the fewest and most items of a sequence, or bytes of a byte string or text.

    `message_codec` keeps to it, before it allocates; bytes of one length are as fixed ones.
    """

    smallest: int
    largest: int


class ScalarType(Record):
    """A leaf."""

    kind: ScalarKind
    length: Length | None = None
    """Bounds of a text or byte string; None for none but those of what holds it."""


class FixedBytesType(Record):
    """Bytes of one known length."""

    length: int
    form: Literal["hex", "key", "address"] = "hex"


class IdType(Record):
    """An object id whose space and type the declaration gives."""

    space: int
    type: int


class OptionalType(Record):
    """A value that may be absent."""

    inner: WireType


class SequenceType(Record):
    """Any number of items of one type."""

    inner: WireType
    sorted: bool
    length: Length | None = None
    """How many there may be; None for any number."""


class PairType(Record):
    """Two values, one after the other."""

    first: WireType
    second: WireType


class StructType(Record):
    """A record: its fields in order."""

    cls: type


class ExtensionType(Record):
    """A record whose fields carry their index and may each be absent."""

    cls: type


class VariantType(Record):
    """A tagged union, by the key of its table of tags and classes."""

    key: str
    tagged: bool

    def resolve(self) -> Mapping[int, Any]:
        """The table tag -> class; that of a named union is defined later than it is used."""
        return _tables[self.key]

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


_tables: dict[str, Mapping[int, Any]] = {}
"""The tables of all tagged unions by their keys; a named one's key is its name."""


class Visitor(ABC, Generic[R]):
    """What one form makes of each kind of wire type."""

    def visit(self, node: WireType) -> R:
        """What this form makes of a wire type."""
        match node:
            case IntegerType():
                return self.integer(node)
            case ScalarType():
                return self.scalar(node)
            case FixedBytesType():
                return self.fixed_bytes(node)
            case IdType():
                return self.instance(node)
            case OptionalType():
                return self.optional(node)
            case SequenceType():
                return self.sequence(node)
            case PairType():
                return self.pair(node)
            case StructType():
                return self.struct(node)
            case ExtensionType():
                return self.extension(node)
            case VariantType():
                return self.variant(node)
            case _:
                assert_never(node)

    @abstractmethod
    def integer(self, node: IntegerType) -> R: ...

    @abstractmethod
    def scalar(self, node: ScalarType) -> R: ...

    @abstractmethod
    def fixed_bytes(self, node: FixedBytesType) -> R: ...

    @abstractmethod
    def instance(self, node: IdType) -> R: ...

    @abstractmethod
    def optional(self, node: OptionalType) -> R: ...

    @abstractmethod
    def sequence(self, node: SequenceType) -> R: ...

    @abstractmethod
    def pair(self, node: PairType) -> R: ...

    @abstractmethod
    def struct(self, node: StructType) -> R: ...

    @abstractmethod
    def extension(self, node: ExtensionType) -> R: ...

    @abstractmethod
    def variant(self, node: VariantType) -> R: ...


# The vocabulary of declarations.


class Sorted(Record):
    """Marker of a set or map: ascending by the item or by the first of each pair, no duplicates."""


class Extension(Record):
    """Marker of an extension struct: a record whose fields are all optional."""


class Local(Record):
    """Marker of a field that belongs to this process alone and to no form."""


class Variant:
    """Marker of a tagged union: a table tag -> class, or the name of one defined later.

    Where several tags share one class, the field holds a `Tagged` instead of the plain value.
    A member may be an annotation of a class, such as `Annotated[D, EXTENSION]`.
    """

    __slots__ = ("key",)

    def __init__(self, table: Mapping[int, Any] | str) -> None:
        if isinstance(table, str):
            self.key = table
        else:
            self.key = "|".join(f"{tag}:{class_of(member)}" for tag, member in table.items())
            _tables[self.key] = table


class Tagged(NamedTuple):
    """A member of a tagged union whose class alone does not tell its tag."""

    tag: int
    value: object


SORTED = Sorted()
EXTENSION = Extension()
LOCAL = Local()

Int64 = Annotated[int, IntegerType(64, True)]
UInt8 = Annotated[int, IntegerType(8, False)]
UInt16 = Annotated[int, IntegerType(16, False)]
UInt32 = Annotated[int, IntegerType(32, False)]
UInt64 = Annotated[int, IntegerType(64, False)]
UInt128 = Annotated[int, IntegerType(128, False)]
VarUInt32 = Annotated[int, ScalarType("varint")]
Timestamp = Annotated[int, ScalarType("time")]
NoExtensions = Annotated[tuple[()], ScalarType("empty")]

MAX_TIMESTAMP = 0xFFFF_FFFF
"""The largest point in time on the wire, 2106-02-07; "never"."""


class Field(Record):
    """One declared field. `json_name` is `name` without a trailing underscore."""

    name: str
    json_name: str
    type: WireType


class Schema(Record):
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


def define_variant(name: str, table: Mapping[int, Any]) -> None:
    """Give a named tagged union its table; called once, where the table is written down."""
    assert name not in _tables, name
    _tables[name] = table


def class_of(member: Any) -> type:
    """The class of a member of a tagged union, its annotation taken off."""
    cls: type = get_args(member)[0] if get_origin(member) is Annotated else member
    return cls


@cache
def schema_of(cls: type) -> Schema:
    """The wire fields of a record, read once from its annotations."""
    hints = get_type_hints(cls, include_extras=True)
    return Schema(
        cls,
        tuple(
            Field(name, name.rstrip("_"), wire_type(hints[name]))
            for name in cast("type[msgspec.Struct]", cls).__struct_fields__
            if LOCAL not in get_args(hints[name])
        ),
    )


@cache
def defaults_of(cls: type) -> Mapping[str, Callable[[], object]]:
    """What makes the values of the fields of a record that may be left out, by their names."""
    defaults = ((item.name, _default(item)) for item in msgspec.structs.fields(cls))
    return {name: default for name, default in defaults if default is not None}


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
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return StructType(annotation)
    raise TypeError(f"no wire form for {annotation!r}")


def _annotated_type(inner: Any, marker: object) -> WireType:
    match marker:
        case Sorted():
            return _tuple_type(get_args(inner), is_sorted=True)
        case Extension():
            return ExtensionType(inner)
        case Variant():
            return VariantType(marker.key, tagged=inner is Tagged)
        case Length():
            return _bounded_type(wire_type(inner), marker)
        case IntegerType() | ScalarType():
            return marker
        case _:
            raise TypeError(f"unknown marker {marker!r}")


def _bounded_type(node: WireType, length: Length) -> WireType:
    match node:
        case ScalarType("bytes") if length.smallest == length.largest:
            return FixedBytesType(length.largest)
        case ScalarType("bytes" | "string") | SequenceType():
            return msgspec.structs.replace(node, length=length)
        case _:
            raise TypeError(f"no length of a {node!r}")


def _tuple_type(arguments: tuple[Any, ...], *, is_sorted: bool) -> WireType:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return SequenceType(wire_type(arguments[0]), is_sorted)
    if len(arguments) == 2:
        return PairType(wire_type(arguments[0]), wire_type(arguments[1]))
    raise TypeError(f"no wire form for a tuple of {arguments!r}")


def _default(item: msgspec.structs.FieldInfo) -> Callable[[], object] | None:
    if item.default_factory is not msgspec.NODEFAULT:
        factory: Callable[[], object] = item.default_factory
        return factory
    if item.default is not msgspec.NODEFAULT:
        value: object = item.default
        return lambda: value
    return None
