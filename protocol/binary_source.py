"""Generates the source of one reader or writer from a tree of wire types.

Nested structs are written inline and neighbouring fixed-width fields share one `struct` call:
that makes a derived codec as fast as one written by hand.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from typing import Any

from protocol import schema
from protocol.crypto.hashes import address_of
from protocol.errors import DecodeError, EncodeError
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
    WireType,
)

_FORMATS = {(8, False): "B", (16, False): "H", (32, False): "I", (64, False): "Q", (64, True): "q"}
_CODEC_FILE = "<derived codec>"


def fixed_format(node: WireType) -> str | None:
    """The `struct` format of a type whose value is packed as it stands; None for all others."""
    if isinstance(node, IntegerType) and (node.bits, node.signed) in _FORMATS:
        return _FORMATS[node.bits, node.signed]
    if isinstance(node, FixedBytesType):
        return f"{node.length}s"
    if isinstance(node, ScalarType):
        return {"time": "I", "vote_id": "I"}.get(node.kind)
    return None


def sort_key_of(node: WireType) -> Callable[[Any], Any]:
    """How a set or map of this item orders: keys by their address, pairs by their first."""
    if isinstance(node, PairType):
        first = sort_key_of(node.first)
        return lambda pair: first(pair[0])
    if isinstance(node, FixedBytesType) and node.form == "key":
        return address_of
    if isinstance(node, VariantType):
        assert node.tagged, "only a union whose values carry their tags can be sorted"
        return lambda value: value.tag
    return lambda value: value


class _Source:
    """Lines of one function, the constants that it refers to, and fixed fields not yet written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, object] = {"DecodeError": DecodeError, "EncodeError": EncodeError}
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

    def build(self, head: str) -> Any:
        text = "\n".join([head, *self.lines])
        exec(compile(text, _CODEC_FILE, "exec"), self.names)
        return self.names["codec"]


class WriteSource(_Source):
    """A function `codec(out, value)` that appends the binary form of `value` to `out`."""

    def __init__(
        self,
        writer_of: Callable[[WireType], object],
        write_varint: object,
        pack_object_id: object,
        pack_variant_of: Callable[[VariantType], object],
    ) -> None:
        super().__init__()
        self.writer_of = writer_of
        self.pack_variant_of = pack_variant_of
        self.names |= {"write_varint": write_varint, "pack_object_id": pack_object_id}

    def compile(self, node: WireType) -> Any:
        if isinstance(node, VariantType):
            return self.pack_variant_of(node)
        self.write(node, "value")
        self.flush()
        self.line("return None")
        return self.build("def codec(out, value):")

    def flush(self) -> None:
        if self.pending:
            packer = struct.Struct("<" + "".join(form for form, _ in self.pending)).pack
            arguments = ", ".join(expression for _, expression in self.pending)
            self.line(f"out += {self.constant(packer, 'pack')}({arguments})")
            self.pending.clear()

    def varint(self, expression: str) -> None:
        self.flush()
        name = self.variable()
        self.line(f"{name} = {expression}")
        self.line(f"if 0 <= {name} < 128: out.append({name})")
        self.line(f"else: write_varint(out, {name})")

    def write(self, node: WireType, value: str) -> None:
        """Emit the lines that append the value of an expression."""
        form = fixed_format(node)
        if form is not None:
            if isinstance(node, FixedBytesType):
                self.check_length(value, node.length)
            self.pending.append((form, value))
        elif isinstance(node, IdType):
            self.varint(value)
        elif isinstance(node, StructType):
            self.write_struct(node, value)
        elif isinstance(node, OptionalType):
            self.write_optional(node.inner, value)
        elif isinstance(node, SequenceType):
            self.write_sequence(node, value)
        elif isinstance(node, PairType):
            self.write(node.first, f"{value}[0]")
            self.write(node.second, f"{value}[1]")
        elif isinstance(node, ExtensionType):
            self.write_extension(node, value)
        elif isinstance(node, VariantType):
            self.flush()
            self.line(f"{self.constant(self.writer_of(node), 'write')}(out, {value})")
        else:
            assert not isinstance(node, FixedBytesType)
            self.write_scalar(node, value)

    def check_length(self, value: str, length: int) -> None:
        self.line(f"if len({value}) != {length}:")
        self.line(f"    raise EncodeError('wrong length', value=len({value}), limit={length})")

    def write_scalar(self, node: ScalarType | IntegerType, value: str) -> None:
        if isinstance(node, IntegerType):
            self.flush()
            self.line(f"out += ({value}).to_bytes({node.bits // 8}, 'little')")
        elif node.kind == "varint":
            self.varint(value)
        elif node.kind == "bool":
            self.pending.append(("B", f"1 if {value} else 0"))
        elif node.kind == "object_id":
            self.pending.append(("Q", f"pack_object_id({value})"))
        elif node.kind == "empty":
            self.pending.append(("B", "0"))
        else:
            data = self.variable()
            self.line(f"{data} = {value}" + (".encode()" if node.kind == "string" else ""))
            self.varint(f"len({data})")
            self.line(f"out += {data}")

    def write_struct(self, node: StructType, value: str) -> None:
        if "." in value or "[" in value:
            name = self.variable()
            self.line(f"{name} = {value}")
            value = name
        for field in schema.schema_of(node.cls).fields:
            self.write(field.type, f"{value}.{field.name}")

    def write_optional(self, inner: WireType, value: str) -> None:
        self.flush()
        name = self.variable()
        self.line(f"{name} = {value}")
        self.line(f"if {name} is None: out.append(0)")
        self.line("else:")
        self.indent += 1
        self.line("out.append(1)")
        self.write(inner, name)
        self.flush()
        self.indent -= 1

    def write_sequence(self, node: SequenceType, value: str) -> None:
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
        self.write(node.inner, item)
        self.flush()
        self.line("pass")
        self.indent -= 1

    def write_extension(self, node: ExtensionType, value: str) -> None:
        self.flush()
        name = self.variable()
        fields = schema.schema_of(node.cls).fields
        self.line(f"{name} = {value}")
        present = " + ".join(f"({name}.{field.name} is not None)" for field in fields)
        self.line(f"out.append({present})")
        for index, field in enumerate(fields):
            assert isinstance(field.type, OptionalType), field
            self.line(f"if {name}.{field.name} is not None:")
            self.indent += 1
            self.line(f"out.append({index})")
            self.write(field.type.inner, f"{name}.{field.name}")
            self.flush()
            self.indent -= 1


class ReadSource(_Source):
    """A function `codec(data, at, depth)` that returns a value and the offset behind it."""

    def __init__(
        self,
        reader_of: Callable[[WireType], object],
        read_varint: object,
        unpack_object_id: object,
        unpack_variant_of: Callable[[VariantType], object],
    ) -> None:
        super().__init__()
        self.reader_of = reader_of
        self.unpack_variant_of = unpack_variant_of
        self.names |= {
            "read_varint": read_varint,
            "unpack_object_id": unpack_object_id,
            "new": object.__new__,
        }

    def compile(self, node: WireType) -> Any:
        if isinstance(node, VariantType):
            return self.unpack_variant_of(node)
        result = self.read(node)
        self.flush()
        self.line(f"return {result}, at")
        return self.build("def codec(data, at, depth):")

    def flush(self) -> None:
        if self.pending:
            unpacker = struct.Struct("<" + "".join(form for form, _ in self.pending))
            targets = ", ".join(name for _, name in self.pending)
            reader = self.constant(unpacker.unpack_from, "unpack")
            self.line(f"{targets}, = {reader}(data, at)")
            self.line(f"at += {unpacker.size}")
            self.pending.clear()

    def varint(self) -> str:
        self.flush()
        name = self.variable()
        self.line(f"{name} = data[at]")
        self.line("at += 1")
        self.line(f"if {name} > 127: {name}, at = read_varint(data, at - 1)")
        return name

    def read(self, node: WireType) -> str:
        """Emit the lines that read a value; returns the variable that will hold it."""
        form = fixed_format(node)
        if form is not None:
            name = self.variable()
            self.pending.append((form, name))
            return name
        if isinstance(node, IdType):
            return self.varint()
        if isinstance(node, StructType):
            return self.read_struct(node)
        if isinstance(node, OptionalType):
            return self.read_optional(node.inner)
        if isinstance(node, SequenceType):
            return self.read_sequence(node)
        if isinstance(node, PairType):
            first, second = self.read(node.first), self.read(node.second)
            self.flush()
            name = self.variable()
            self.line(f"{name} = ({first}, {second})")
            return name
        if isinstance(node, ExtensionType):
            return self.read_extension(node)
        if isinstance(node, VariantType):
            self.flush()
            name = self.variable()
            reader = self.constant(self.reader_of(node), "read")
            self.line(f"{name}, at = {reader}(data, at, depth)")
            return name
        assert not isinstance(node, FixedBytesType)
        return self.read_scalar(node)

    def read_scalar(self, node: ScalarType | IntegerType) -> str:
        name = self.variable()
        if isinstance(node, IntegerType):
            self.pending.append((f"{node.bits // 8}s", name))
            self.flush()
            self.line(f"{name} = int.from_bytes({name}, 'little')")
        elif node.kind == "varint":
            return self.varint()
        elif node.kind in ("bool", "empty"):
            self.pending.append(("B", name))
            self.flush()
            largest = 1 if node.kind == "bool" else 0
            self.line(f"if {name} > {largest}:")
            refusal = f"DecodeError('byte of {node.kind}', value={name}, limit={largest})"
            self.line(f"    raise {refusal}")
            self.line(f"{name} = " + (f"{name} == 1" if node.kind == "bool" else "()"))
        elif node.kind == "object_id":
            self.pending.append(("Q", name))
            self.flush()
            self.line(f"{name} = unpack_object_id({name})")
        else:
            length = self.varint()
            self.line(f"{name} = data[at:at + {length}]")
            self.line(f"if len({name}) != {length}: raise IndexError")
            self.line(f"at += {length}")
            if node.kind == "string":
                self.line(f"{name} = {name}.decode()")
        return name

    def construct(self, cls: type, values: list[tuple[str, str]]) -> str:
        """Emit the creation of an instance from (field, variable) pairs, past its `__init__`."""
        name = self.variable()
        self.line(f"{name} = new({self.constant(cls, 'cls')})")
        for field, value in values:
            setter = self.constant(vars(cls)[field].__set__, "set")
            self.line(f"{setter}({name}, {value})")
        return name

    def read_struct(self, node: StructType) -> str:
        values = [(f.name, self.read(f.type)) for f in schema.schema_of(node.cls).fields]
        self.flush()
        return self.construct(node.cls, values)

    def read_optional(self, inner: WireType) -> str:
        flag = self.read_scalar(ScalarType("bool"))
        name = self.variable()
        self.line(f"{name} = None")
        self.line(f"if {flag}:")
        self.indent += 1
        value = self.read(inner)
        self.flush()
        self.line(f"{name} = {value}")
        self.indent -= 1
        return name

    def read_sequence(self, node: SequenceType) -> str:
        count = self.varint()
        items = self.variable()
        self.line(f"if {count} > len(data) - at: raise IndexError")
        self.line(f"{items} = []")
        self.line(f"for _ in range({count}):")
        self.indent += 1
        item = self.read(node.inner)
        self.flush()
        self.line(f"{items}.append({item})")
        self.indent -= 1
        if node.sorted:
            key = self.constant(sort_key_of(node.inner), "key")
            keys = self.variable()
            self.line(f"if {count} > 1:")
            self.line(f"    {keys} = [{key}(item) for item in {items}]")
            self.line(f"    for i in range({count} - 1):")
            self.line(f"        if not {keys}[i] < {keys}[i + 1]:")
            self.line("            raise DecodeError('set is not ascending', value=i + 1)")
        self.line(f"{items} = tuple({items})")
        return items

    def read_extension(self, node: ExtensionType) -> str:
        fields = schema.schema_of(node.cls).fields
        count, last = self.varint(), self.variable()
        names = [self.variable() for _ in fields]
        for name in names:
            self.line(f"{name} = None")
        self.line(f"{last} = -1")
        self.line(f"for _ in range({count}):")
        self.indent += 1
        index = self.varint()
        self.line(f"if not {last} < {index} < {len(fields)}:")
        self.line(f"    raise DecodeError('index of an extension field', value={index})")
        self.line(f"{last} = {index}")
        for position, (field, name) in enumerate(zip(fields, names, strict=True)):
            assert isinstance(field.type, OptionalType), field
            self.line(f"{'el' if position else ''}if {index} == {position}:")
            self.indent += 1
            value = self.read(field.type.inner)
            self.flush()
            self.line(f"{name} = {value}")
            self.indent -= 1
        self.indent -= 1
        return self.construct(
            node.cls, [(field.name, name) for field, name in zip(fields, names, strict=True)]
        )
