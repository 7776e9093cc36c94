"""The derived functions as a module that mypyc compiles: the sources of `protocol.binary_source`.

Where Python runs the sources it makes a function of each when it is first needed. Here each stands
in a function of its own that takes the constants; `Source.build` finds it by the text.

Readers become two to three times as fast, and what looks at the fields of records a half. Writers
would gain 5 to 30 %, since mypyc knows little of `bytearray`, and are left as they are.
"""

from __future__ import annotations

import builtins
import re
import symtable
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from node.chain import chain  # noqa: F401  names every tagged union
from node.state.database import State
from protocol.binary import read_source_of
from protocol.binary_source import KNOWN, Source, digest_of, values_source_of
from protocol.block import BlockHeader, OperationResults, SignedBlockHeader
from protocol.schema import (
    ExtensionType,
    OptionalType,
    PairType,
    SequenceType,
    StructType,
    VariantType,
    WireType,
    schema_of,
    wire_type,
)
from protocol.transaction import SignedTransaction, Transaction
from protocol.widths import width_source_of

from .modules import REPO, compiled

MODULE = "protocol/compiled_codecs.py"
"""What `protocol.binary_source` asks, and is replaced."""
ROOTS = (SignedTransaction, Transaction, SignedBlockHeader, BlockHeader, OperationResults)
"""What peers send and blocks are made of, with every operation and result in it."""

HEAD = """
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from librt.strings import read_i16_le, read_i32_le, read_i64_le
from mypy_extensions import i64

from protocol.errors import DecodeError
from protocol.leb128 import read_varint

Reader: TypeAlias = Callable[[bytes, int, int], tuple[object, int]]


def read_signed(data: bytes, at: int) -> int:
    return read_i64_le(data, at)


def read_8(data: bytes, at: int) -> int:
    value: int = read_i64_le(data, at)
    return value if value >= 0 else value + 0x1_0000_0000_0000_0000


def read_4(data: bytes, at: int) -> int:
    value: i64 = i64(read_i32_le(data, at))
    return value & 0xFFFF_FFFF


def read_2(data: bytes, at: int) -> int:
    value: i64 = i64(read_i16_le(data, at))
    return value & 0xFFFF
"""
"""Numbers are read by what mypyc has for that; `struct` answers with a tuple of objects."""
TABLE = "\n\nFACTORIES: Mapping[str, Callable[[dict[str, Any]], object]] = {"
NUMBERS = {
    "B": (1, "data[{}]"),
    "H": (2, "read_2(data, {})"),
    "I": (4, "read_4(data, {})"),
    "Q": (8, "read_8(data, {})"),
    "q": (8, "read_signed(data, {})"),
}
TYPES = {"bodies": "list[Reader | None]", "read": "Reader", "MAX_DEPTH": "int"}
"""Of constants by their names without a number, where it is not `Any`."""


def sources() -> dict[str, str]:
    """Every source that is compiled, by its digest: of records that are compiled themselves, and of
    the values that need no record. Of all others it would be 20 MB of C, which is rarely run."""
    inner = {name.removesuffix(".py").replace("/", ".") for name in compiled(REPO)}
    roots = [wire_type(annotation) for annotation in ROOTS]
    outer = {*roots, *(member for root in roots for member in members_in(root))}
    wires = [
        node
        for node in reached(roots)
        if (node.cls.__module__ in inner if isinstance(node, _RECORDS) else node in outer)
    ]
    records = [table.cls for table in State().tables if table.cls.__module__ in inner]
    made: Iterable[Source] = (
        *map(read_source_of, wires),
        *map(values_source_of, records),
        *map(width_source_of, records),
    )
    return {digest_of(source.text): source.text for source in made}


_RECORDS = (StructType, ExtensionType)


def reached(roots: Iterable[WireType]) -> list[WireType]:
    """The roots and all that the tagged unions in them can hold: what has a reader of its own."""
    found: dict[WireType, None] = {}
    queue = list(roots)
    while queue:
        node = queue.pop()
        if node not in found:
            found[node] = None
            queue.extend(members_in(node))
    return [node for node in found if not isinstance(node, VariantType)]


def members_in(node: WireType) -> list[WireType]:
    """The members of the tagged unions in a wire type, without those in these members."""
    return [wire_type(member) for union in unions_in(node) for member in union.resolve().values()]


def unions_in(node: WireType) -> Iterator[VariantType]:
    """The tagged unions in a wire type, without those in their members."""
    match node:
        case VariantType():
            yield node
        case OptionalType() | SequenceType():
            yield from unions_in(node.inner)
        case PairType():
            yield from unions_in(node.first)
            yield from unions_in(node.second)
        case StructType() | ExtensionType():
            for field in schema_of(node.cls).fields:
                yield from unions_in(field.type)
        case _:
            pass


def write(tree: Path) -> str:
    """Write the module into a copy of the sources; its file."""
    (tree / MODULE).write_text(module_of(sources()))
    return MODULE


def module_of(texts: Mapping[str, str]) -> str:
    """A module whose `FACTORIES` has a function for each text, by its digest."""
    formats: set[str] = set()
    factories, table = [], []
    for number, (digest, text) in enumerate(texts.items()):
        names = constants_in(text)
        formats.update(filter(_is_of_struct, names))
        factories.append(_factory(number, text, names))
        table.append(f'    "{digest}": make_{number},')
    unpackers = map(_unpacker, sorted(formats))
    return "\n".join([HEAD, *unpackers, *factories, TABLE, *table, "}", ""])


def _is_of_struct(name: str) -> bool:
    return name.startswith("unpack_") and name != "unpack_object_id"


def _factory(number: int, text: str, names: Iterable[str]) -> str:
    lines = [
        f"{name}: {TYPES.get(name.rstrip('0123456789'), 'Any')} = names[{name!r}]"
        for name in names
        if not _is_of_struct(name)
    ]
    inner = [*lines, *text.splitlines(), "return codec"]
    body = "\n".join(f"    {line}" for line in inner)
    return f"\n\ndef make_{number}(names: dict[str, Any]) -> object:\n{body}\n"


def _unpacker(name: str) -> str:
    """What `struct` does for one format, which the name tells."""
    at, types, values = 0, [], []
    for count, form in re.findall("([0-9]*)(.)", name.removeprefix("unpack_")):
        if form == "s":
            size, value = int(count), f"data[at + {at} : at + {at + int(count)}]"
        else:
            size, value = NUMBERS[form][0], NUMBERS[form][1].format(f"at + {at}")
        types.append("bytes" if form == "s" else "int")
        values.append(value)
        at += size
    return f"""

def {name}(data: bytes, at: int) -> tuple[{", ".join(types)}]:
    if at + {at} > len(data):
        raise IndexError
    return ({", ".join(values)},)
"""


def constants_in(text: str) -> list[str]:
    """The names that a source refers to and does not explain, in order."""
    names = _globals_of(symtable.symtable(text, "codec", "exec").get_children()[0])
    return sorted(name for name in names if name not in KNOWN and not hasattr(builtins, name))


def _globals_of(scope: symtable.SymbolTable) -> set[str]:
    own = {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()}
    return own.union(*map(_globals_of, scope.get_children()))
