"""Whether each field of a record is within its declared width: derived straight-line checks.

The binary writer finds the same when it packs a record. This finds it when the record changes, at
the cost of the comparisons alone, and looks only at what a computation can make too wide: numbers,
times, votes and bytes of one length. Object ids, texts and flags are never computed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeAlias, cast

from protocol.binary_source import Source
from protocol.errors import EncodeError
from protocol.ids import MAX_INSTANCE
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
    Visitor,
    WireType,
    schema_of,
    wire_type,
)

WidthCheck = Callable[[object, tuple[object, ...]], None]
"""Raises `EncodeError` that names the field. Takes a record and its fields as they were when they
were in width; those that are still the same objects are not entered again. () looks at all."""

_Emit: TypeAlias = Callable[[str, str], None]
"""Emits the lines that check the value of an expression, and the name of the field."""

_RANGES = {"time": MAX_TIMESTAMP, "vote_id": MAX_TIMESTAMP, "varint": MAX_INSTANCE}


@cache
def width_check_of(cls: type) -> WidthCheck:
    """The check of a declared class."""
    return cast(WidthCheck, width_source_of(cls).build())


def width_source_of(cls: type) -> Source:
    """The source of the check of a declared class."""
    return _WidthSource().derive(cls)


def check_width(value: object) -> None:
    """Raise `EncodeError` unless each field of a declared record is within its width."""
    cls: type = type(value)
    width_check_of(cls)(value, ())


def _refuse(field: str, value: object, smallest: int, largest: int) -> None:
    limit = f"{smallest}..{largest}"
    raise EncodeError(f"{field} does not fit its width", value=value, limit=limit)


class _WidthSource(Source, Visitor[_Emit | None]):
    """A function `codec(value, old)`; None stands for a type whose values always fit."""

    def __init__(self) -> None:
        super().__init__({"refuse": _refuse, "check_member": _check_member})

    def derive(self, cls: type) -> Source:
        for position, field in enumerate(schema_of(cls).fields):
            emit = self.visit(field.type)
            if emit is None:
                continue
            expression = f"value.{field.name}"
            if isinstance(field.type, IntegerType | ScalarType):
                emit(expression, field.name)
                continue
            self.line(f"if not old or {expression} is not old[{position}]:")
            self.indent += 1
            emit(expression, field.name)
            self.indent -= 1
        self.line("return None")
        return self.finish("def codec(value: Any, old: tuple[object, ...]) -> None:")

    def derive_type(self, node: WireType) -> Source:
        """Write the check of a value that is no record."""
        emit = self.visit(node)
        if emit is not None:
            emit("value", "value")
        self.line("return None")
        return self.finish("def codec(value: Any, old: tuple[object, ...]) -> None:")

    def number(self, smallest: int, largest: int) -> _Emit:
        def emit(value: str, field: str) -> None:
            self.line(f"if not {smallest} <= {value} <= {largest}:")
            self.line(f"    refuse({field!r}, {value}, {smallest}, {largest})")

        return emit

    def integer(self, node: IntegerType) -> _Emit:
        return self.number(node.minimum, node.maximum)

    def scalar(self, node: ScalarType) -> _Emit | None:
        largest = _RANGES.get(node.kind)
        return None if largest is None else self.number(0, largest)

    def fixed_bytes(self, node: FixedBytesType) -> _Emit:
        def emit(value: str, field: str) -> None:
            self.line(f"if len({value}) != {node.length}:")
            self.line(f"    refuse({field!r}, {value}, {node.length}, {node.length})")

        return emit

    def instance(self, node: IdType) -> None:
        return None

    def optional(self, node: OptionalType) -> _Emit | None:
        inner = self.visit(node.inner)
        if inner is None:
            return None

        def emit(value: str, field: str) -> None:
            name = self.variable_of(value)
            self.line(f"if {name} is not None:")
            self.indent += 1
            inner(name, field)
            self.indent -= 1

        return emit

    def sequence(self, node: SequenceType) -> _Emit | None:
        inner = self.visit(node.inner)
        if inner is None:
            return None

        def emit(value: str, field: str) -> None:
            item = self.variable()
            self.line(f"for {item} in {value}:")
            self.indent += 1
            inner(item, field)
            self.indent -= 1

        return emit

    def pair(self, node: PairType) -> _Emit | None:
        return self.members([("[0]", self.visit(node.first)), ("[1]", self.visit(node.second))])

    def struct(self, node: StructType) -> _Emit | None:
        return self.fields(node.cls)

    def extension(self, node: ExtensionType) -> _Emit | None:
        return self.fields(node.cls)

    def variant(self, node: VariantType) -> _Emit:
        def emit(value: str, field: str) -> None:
            self.line(f"check_member({value}, {field!r}, {node.key!r})")

        return emit

    def fields(self, cls: type) -> _Emit | None:
        return self.members(
            [(f".{field.name}", self.visit(field.type)) for field in schema_of(cls).fields]
        )

    def members(self, members: list[tuple[str, _Emit | None]]) -> _Emit | None:
        """All that can be too wide of a record or pair, each by what follows its expression."""
        checked = [(suffix, emit) for suffix, emit in members if emit is not None]
        if not checked:
            return None

        def emit(value: str, field: str) -> None:
            name = self.variable_of(value)
            for suffix, check in checked:
                check(f"{name}{suffix}", f"{field}{suffix}")

        return emit

    def variable_of(self, value: str) -> str:
        """A variable of the value of an expression."""
        if value.isidentifier():
            return value
        name = self.variable()
        self.line(f"{name} = {value}")
        return name


@cache
def _check_of_tag(key: str, tag: int) -> WidthCheck:
    """The check of the values of one tag of a union."""
    node = wire_type(VariantType(key, tagged=True).resolve()[tag])
    if isinstance(node, StructType | ExtensionType):
        return width_check_of(node.cls)
    return cast(WidthCheck, _WidthSource().derive_type(node).build())


def _check_member(value: object, field: str, key: str) -> None:
    """Check a member of a tagged union; the checks of its classes are made when first met."""
    try:
        if isinstance(value, Tagged):
            _check_of_tag(key, value.tag)(value.value, ())
        else:
            check_width(value)
    except EncodeError as error:
        what = f"{field}.{error.what}"
        raise EncodeError(what, value=error.value, limit=error.limit) from None
