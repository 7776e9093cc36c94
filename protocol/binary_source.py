"""Generates the source of one reader or writer from a tree of wire types.

Nested structs are written inline and neighbouring fixed-width fields share one `struct` call:
that makes a derived codec as fast as one written by hand. The lines of readers carry the types with
which mypyc compiles them: `scripts/compile` has it do so, and `Source.build` takes what it made.
"""

from __future__ import annotations
import __future__

import hashlib
import itertools
import linecache
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, Protocol, Self, TypeAlias, assert_never, cast

from protocol.compiled_codecs import FACTORIES
from protocol.crypto.hashes import address_of
from protocol.errors import DecodeError, EncodeError
from protocol.leb128 import read_varint, write_varint
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
    VariantType,
    Visitor,
    WireType,
    schema_of,
)

Emit: TypeAlias = Callable[[str], None]
"""Emits the lines that append the value of an expression."""

_FORMATS = {(8, False): "B", (16, False): "H", (32, False): "I", (64, False): "Q", (64, True): "q"}


class VariantReader(Protocol):
    """What derived source needs from the reader of a tagged union."""

    @property
    def bodies(self) -> Sequence[object]:
        """By the first byte of a value: the reader of its class, or None to ask `read`."""

    def read(self, data: bytes, offset: int, depth: int) -> tuple[object, int]:
        """Read a tag and a value."""


_numbers_of_codecs = itertools.count(1)


def sort_key_of(node: WireType) -> Callable[[Any], Any]:
    """How a set or map of this item orders: keys by their address, pairs by their first."""
    match node:
        case PairType():
            first = sort_key_of(node.first)
            return lambda pair: first(pair[0])
        case FixedBytesType(form="key"):
            return address_of
        case VariantType():
            assert node.tagged, "only a union whose values carry their tags can be sorted"
            return lambda value: value.tag
        case _:
            return lambda value: value


KNOWN: Mapping[str, object] = {
    "DecodeError": DecodeError,
    "EncodeError": EncodeError,
    "read_varint": read_varint,
    "write_varint": write_varint,
}
"""What every derived function may refer to, by a name that means nothing else."""


class Source:
    """Lines of one function, the constants that it refers to, and fixed fields not yet written.

    The text alone says what the function does with its constants, so that one compiled function
    may stand for several of the same text.
    """

    def __init__(self, constants: Mapping[str, object]) -> None:
        self.text = ""
        """The whole function, once it is finished."""
        self.lines: list[str] = []
        self.names = {**KNOWN, **constants}
        self.indent = 1
        self.pending: list[tuple[str, str]] = []
        self.numbers = itertools.count()

    def line(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def constant(self, value: object, prefix: str) -> str:
        name = f"{prefix}{len(self.names)}"
        self.names[name] = value
        return name

    def variable(self) -> str:
        return f"v{next(self.numbers)}"

    def finish(self, head: str) -> Self:
        """Put the head above the lines; nothing may be added from now on."""
        self.text = "\n".join([head, *self.lines, ""])
        return self

    def build(self) -> Any:
        """The function, which no input reaches (T-X2); a traceback shows the lines."""
        make = FACTORIES.get(digest_of(self.text))
        if make is not None:
            return make(self.names)
        file = f"<derived codec {next(_numbers_of_codecs)}>"
        lines = self.text.splitlines(keepends=True)
        linecache.cache[file] = (len(self.text), None, lines, file)
        exec(compile(self.text, file, "exec", _ANNOTATIONS), self.names)
        return self.names["codec"]


_ANNOTATIONS = __future__.annotations.compiler_flag
"""Has the types in the text not evaluated."""


def digest_of(text: str) -> str:
    """What a compiled function is found by: SHA256 of its source, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def values_source_of(cls: type) -> Source:
    """The source of `values_of` of a class."""
    source = Source({})
    source.line(f"return {''.join(f'value.{field.name}, ' for field in schema_of(cls).fields)}")
    return source.finish("def codec(value: Any) -> tuple[object, ...]:")


@cache
def values_of(cls: type) -> Callable[[Any], tuple[object, ...]]:
    """A function that gives the declared fields of an object of a class, in order."""
    return cast("Callable[[Any], tuple[object, ...]]", values_source_of(cls).build())


class WriteSource(Source, Visitor[Emit]):
    """A function `codec(out, value)` that appends the binary form of `value` to `out`.

    `writer_of` gives the function of a tagged union; it is called, all else is written inline.
    """

    def __init__(
        self, writer_of: Callable[[WireType], object], constants: Mapping[str, object]
    ) -> None:
        super().__init__(constants)
        self.writer_of = writer_of

    def derive(self, node: WireType) -> Self:
        """Write the whole function."""
        self.visit(node)("value")
        self.flush()
        self.line("return None")
        return self.finish("def codec(out, value):")

    def flush(self) -> None:
        if self.pending:
            packer = struct.Struct("<" + "".join(form for form, _ in self.pending)).pack
            arguments = ", ".join(expression for _, expression in self.pending)
            self.line(f"out += {self.constant(packer, 'pack')}({arguments})")
            self.pending.clear()

    def fixed(self, form: str, expression: str) -> None:
        self.pending.append((form, expression))

    def varint(self, expression: str) -> None:
        self.flush()
        name = self.variable()
        self.line(f"{name} = {expression}")
        self.line(f"if 0 <= {name} < 128: out.append({name})")
        self.line(f"else: write_varint(out, {name})")

    def integer(self, node: IntegerType) -> Emit:
        form = _FORMATS.get((node.bits, node.signed))
        if form is not None:
            return partial(self.fixed, form)

        def emit(value: str) -> None:
            self.flush()
            self.line(f"out += ({value}).to_bytes({node.bits // 8}, 'little')")

        return emit

    def scalar(self, node: ScalarType) -> Emit:
        match node.kind:
            case "varint":
                return self.varint
            case "time" | "vote_id":
                return partial(self.fixed, "I")
            case "bool":
                return lambda value: self.fixed("B", f"1 if {value} else 0")
            case "object_id":
                return lambda value: self.fixed("Q", f"pack_object_id({value})")
            case "empty":
                return lambda value: self.fixed("B", "0")
            case "string":
                return lambda value: self.write_bytes(f"{value}.encode()")
            case "bytes":
                return self.write_bytes
            case _:
                assert_never(node.kind)

    def write_bytes(self, expression: str) -> None:
        data = self.variable()
        self.line(f"{data} = {expression}")
        self.varint(f"len({data})")
        self.line(f"out += {data}")

    def fixed_bytes(self, node: FixedBytesType) -> Emit:
        def emit(value: str) -> None:
            length = node.length
            self.line(f"if len({value}) != {length}:")
            self.line(f"    raise EncodeError('wrong length', value=len({value}), limit={length})")
            self.fixed(f"{length}s", value)

        return emit

    def instance(self, node: IdType) -> Emit:
        return self.varint

    def variant(self, node: VariantType) -> Emit:
        def emit(value: str) -> None:
            self.flush()
            self.line(f"{self.constant(self.writer_of(node), 'write')}(out, {value})")

        return emit

    def pair(self, node: PairType) -> Emit:
        def emit(value: str) -> None:
            self.visit(node.first)(f"{value}[0]")
            self.visit(node.second)(f"{value}[1]")

        return emit

    def struct(self, node: StructType) -> Emit:
        def emit(value: str) -> None:
            if "." in value or "[" in value:
                name = self.variable()
                self.line(f"{name} = {value}")
                value = name
            for field in schema_of(node.cls).fields:
                self.visit(field.type)(f"{value}.{field.name}")

        return emit

    def optional(self, node: OptionalType) -> Emit:
        def emit(value: str) -> None:
            self.flush()
            name = self.variable()
            self.line(f"{name} = {value}")
            self.line(f"if {name} is None: out.append(0)")
            self.line("else:")
            self.indent += 1
            self.line("out.append(1)")
            self.visit(node.inner)(name)
            self.flush()
            self.indent -= 1

        return emit

    def sequence(self, node: SequenceType) -> Emit:
        def emit(value: str) -> None:
            self.flush()
            items = self.variable()
            self.line(f"{items} = {value}")
            if node.sorted:
                key = self.constant(sort_key_of(node.inner), "key")
                self.line(f"if len({items}) > 1: {items} = sorted({items}, key={key})")
            self.varint(f"len({items})")
            item = self.variable()
            self.line(f"for {item} in {items}:")
            self.indent += 1
            self.visit(node.inner)(item)
            self.flush()
            self.line("pass")
            self.indent -= 1

        return emit

    def extension(self, node: ExtensionType) -> Emit:
        def emit(value: str) -> None:
            self.flush()
            name = self.variable()
            fields = schema_of(node.cls).fields
            self.line(f"{name} = {value}")
            present = " + ".join(f"({name}.{field.name} is not None)" for field in fields)
            self.line(f"out.append({present})")
            for index, field in enumerate(fields):
                assert isinstance(field.type, OptionalType), field
                self.line(f"if {name}.{field.name} is not None:")
                self.indent += 1
                self.line(f"out.append({index})")
                self.visit(field.type.inner)(f"{name}.{field.name}")
                self.flush()
                self.indent -= 1

        return emit


class ReadSource(Source, Visitor[str]):
    """A function `codec(data, at, depth)` that returns a value and the offset behind it.

    Visiting a wire type emits the lines that read a value; the result is the variable that will
    hold it. `variant_reader_of` gives the reader of a tagged union; the readers of classes that it
    has met are called, all else is inline. What was read since `at` was last moved is known here
    as `ahead`, so that the lines seldom have to move it.
    """

    def __init__(
        self,
        variant_reader_of: Callable[[VariantType], VariantReader],
        constants: Mapping[str, object],
    ) -> None:
        super().__init__(constants)
        self.variant_reader_of = variant_reader_of
        self.ahead = 0

    def derive(self, node: WireType) -> Self:
        """Write the whole function."""
        result = self.visit(node)
        self.flush()
        self.line(f"return {result}, {self.here()}")
        return self.finish("def codec(data: bytes, at: int, depth: int) -> tuple[object, int]:")

    def flush(self) -> None:
        if len(self.pending) == 1 and self.pending[0][0] == "B":
            self.line(f"{self.pending.pop()[1]} = data[{self.here()}]")
            self.ahead += 1
        elif self.pending:
            form = "".join(form for form, _ in self.pending)
            unpacker = struct.Struct(f"<{form}")
            targets = ", ".join(name for _, name in self.pending)
            reader = f"unpack_{form}"
            self.names[reader] = unpacker.unpack_from
            self.line(f"{targets}, = {reader}(data, {self.here()})")
            self.ahead += unpacker.size
            self.pending.clear()

    def here(self, beyond: int = 0) -> str:
        """The offset of what is read next, or of what stands some bytes beyond."""
        ahead = self.ahead + beyond
        return f"at + {ahead}" if ahead else "at"

    def settle(self, ahead: int = 0) -> None:
        """Move `at` until what is read next stands so far ahead of it, as on another branch."""
        if self.ahead != ahead:
            self.line(f"at += {self.ahead - ahead}")
            self.ahead = ahead

    def fixed(self, form: str) -> str:
        name = self.variable()
        self.pending.append((form, name))
        return name

    def fixed_now(self, form: str) -> str:
        name = self.fixed(form)
        self.flush()
        return name

    def varint(self) -> str:
        name = self.fixed_now("B")
        self.line(f"if {name} > 127:")
        self.line(f"    more = data[{self.here()}]")
        self.line(f"    if 0 < more < 128: {name} += (more << 7) - 128; at += 1")
        self.line(f"    else: {name}, at = read_varint(data, {self.here(-1)}); at -= {self.ahead}")
        return name

    def integer(self, node: IntegerType) -> str:
        form = _FORMATS.get((node.bits, node.signed))
        if form is not None:
            return self.fixed(form)
        return self.made("int.from_bytes({}, 'little')", self.fixed_now(f"{node.bits // 8}s"))

    def made(self, expression: str, source: str) -> str:
        """A variable of its own, and so of its own type, for what is made of another one."""
        name = self.variable()
        self.line(f"{name} = {expression.format(source)}")
        return name

    def scalar(self, node: ScalarType) -> str:
        match node.kind:
            case "varint":
                return self.varint()
            case "time" | "vote_id":
                return self.fixed("I")
            case "bool":
                return self.flag()
            case "empty":
                self.byte_up_to(0, "empty")
                return "()"
            case "object_id":
                return self.made("unpack_object_id({})", self.fixed_now("Q"))
            case "string":
                return self.made("{}.decode()", self.read_bytes())
            case "bytes":
                return self.read_bytes()
            case _:
                assert_never(node.kind)

    def byte_up_to(self, largest: int, kind: str) -> str:
        name = self.fixed_now("B")
        self.line(f"if {name} > {largest}:")
        self.line(f"    raise DecodeError('byte of {kind}', value={name}, limit={largest})")
        return name

    def flag(self) -> str:
        return self.made("{} == 1", self.byte_up_to(1, "bool"))

    def read_bytes(self) -> str:
        length, name = self.varint(), self.variable()
        self.settle()
        self.line(f"{name} = data[at:at + {length}]")
        self.line(f"if len({name}) != {length}: raise IndexError")
        self.line(f"at += {length}")
        return name

    def fixed_bytes(self, node: FixedBytesType) -> str:
        return self.fixed(f"{node.length}s")

    def instance(self, node: IdType) -> str:
        return self.varint()

    def variant(self, node: VariantType) -> str:
        self.flush()
        name = self.variable()
        reader = self.variant_reader_of(node)
        bodies = self.constant(reader.bodies, "bodies")
        self.line(f"{name}: object")
        self.line(f"tag = data[{self.here()}]")
        self.line(f"read = {bodies}[tag]")
        self.line("if read is None or depth > MAX_DEPTH:")
        read = self.constant(reader.read, "read")
        self.line(f"    {name}, at = {read}(data, {self.here()}, depth)")
        self.line("else:")
        self.line(f"    {name}, at = read(data, {self.here(1)}, depth + 1)")
        self.ahead = 0
        if node.tagged:
            self.line(f"    {name} = Tagged(tag, {name})")
        return name

    def pair(self, node: PairType) -> str:
        first, second = self.visit(node.first), self.visit(node.second)
        self.flush()
        name = self.variable()
        self.line(f"{name} = ({first}, {second})")
        return name

    def construct(self, cls: type, values: list[str]) -> str:
        if not values:
            return self.constant(cls(), "only")
        name = self.variable()
        self.line(f"{name} = {self.constant(cls, 'cls')}({', '.join(values)})")
        return name

    def struct(self, node: StructType) -> str:
        values = [self.visit(field.type) for field in schema_of(node.cls).fields]
        self.flush()
        return self.construct(node.cls, values)

    def optional(self, node: OptionalType) -> str:
        flag, name = self.flag(), self.variable()
        ahead = self.ahead
        self.line(f"{name}: object = None")
        self.line(f"if {flag}:")
        self.indent += 1
        value = self.visit(node.inner)
        self.flush()
        self.settle(ahead)
        self.line(f"{name} = {value}")
        self.indent -= 1
        return name

    def sequence(self, node: SequenceType) -> str:
        count = self.varint()
        items = self.variable()
        if isinstance(node.inner, VariantType | FixedBytesType):
            # One item, without a loop: the operation of most transactions, and its signature.
            ahead = self.ahead
            self.line(f"{items}: tuple[object, ...]")
            self.line(f"if {count} == 1:")
            self.indent += 1
            item = self.visit(node.inner)
            self.flush()
            self.settle()
            self.line(f"{items} = ({item},)")
            self.indent -= 1
            self.line("else:")
            self.indent += 1
            self.ahead = ahead
            self.read_items(node, count, items)
            self.indent -= 1
        else:
            self.read_items(node, count, items)
        return items

    def read_items(self, node: SequenceType, count: str, items: str) -> None:
        self.settle()
        self.line(f"if {count} > len(data) - at: raise IndexError")
        listed = self.variable()
        self.line(f"{listed}: list[object] = []")
        self.line(f"for _ in range({count}):")
        self.indent += 1
        item = self.visit(node.inner)
        self.flush()
        self.settle()
        self.line(f"{listed}.append({item})")
        self.indent -= 1
        if node.sorted:
            self.refuse_unsorted(node, count, listed)
        self.line(f"{items} = tuple({listed})")

    def refuse_unsorted(self, node: SequenceType, count: str, items: str) -> None:
        key = self.constant(sort_key_of(node.inner), "key")
        keys = self.variable()
        self.line(f"if {count} > 1:")
        self.line(f"    {keys} = [{key}(item) for item in {items}]")
        self.line(f"    for i in range({count} - 1):")
        self.line(f"        if not {keys}[i] < {keys}[i + 1]:")
        self.line("            raise DecodeError('set is not ascending', value=i + 1)")

    def extension(self, node: ExtensionType) -> str:
        fields = schema_of(node.cls).fields
        count, last = self.varint(), self.variable()
        names = [self.variable() for _ in fields]
        for name in names:
            self.line(f"{name}: object = None")
        self.settle()
        self.line(f"{last} = -1")
        self.line(f"for _ in range({count}):")
        self.indent += 1
        index = self.varint()
        self.settle()
        self.line(f"if not {last} < {index} < {len(fields)}:")
        self.line(f"    raise DecodeError('index of an extension field', value={index})")
        self.line(f"{last} = {index}")
        for position, (field, name) in enumerate(zip(fields, names, strict=True)):
            assert isinstance(field.type, OptionalType), field
            self.line(f"{'el' if position else ''}if {index} == {position}:")
            self.indent += 1
            value = self.visit(field.type.inner)
            self.flush()
            self.settle()
            self.line(f"{name} = {value}")
            self.indent -= 1
        self.indent -= 1
        return self.construct(node.cls, names)
