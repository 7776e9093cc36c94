"""JSON Schema of what the API takes, derived from the declarations that the codecs come from.

It describes the form that clients are asked to send. The node takes a little more, such as fields
that it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeAlias

from protocol.json_form import JsonValue
from protocol.schema import (
    ExtensionType,
    FixedBytesType,
    IdType,
    IntegerType,
    OptionalType,
    PairType,
    ScalarKind,
    ScalarType,
    SequenceType,
    StructType,
    VariantType,
    Visitor,
    defaults_of,
    schema_of,
    wire_type,
)

JsonSchema: TypeAlias = "dict[str, JsonValue]"

STRINGS_FROM_BITS = 32
"""Wider integers may be decimal strings, for JavaScript has no such numbers."""

DECIMAL = r"^-?[0-9]{1,39}$"
TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$"

_SCALARS: dict[ScalarKind, JsonSchema] = {
    "varint": {"type": "integer", "minimum": 0},
    "bool": {"type": "boolean"},
    "time": {"type": "string", "pattern": TIME},
    "string": {"type": "string"},
    "bytes": {"type": "string", "pattern": "^([0-9a-f]{2})*$"},
    "object_id": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
    "vote_id": {"type": "string", "pattern": "^[0-9]+:[0-9]+$"},
    "empty": {"type": ["array", "object"], "maxItems": 0, "maxProperties": 0},
}


class Definitions(Visitor[JsonSchema]):
    """Schemas of declared classes, collected while schemas that refer to them are made."""

    def __init__(self) -> None:
        self.schemas: dict[str, JsonValue] = {}
        self._classes: dict[str, type] = {}

    def of(self, annotation: Hashable) -> JsonSchema:
        """The schema of a value of any annotation of the vocabulary."""
        return self.visit(wire_type(annotation))

    def scalar(self, node: ScalarType) -> JsonSchema:
        return dict(_SCALARS[node.kind])

    def integer(self, node: IntegerType) -> JsonSchema:
        if node.bits >= STRINGS_FROM_BITS:
            return integer_schema(node.minimum, node.maximum)
        return {"type": "integer", "minimum": node.minimum, "maximum": node.maximum}

    def fixed_bytes(self, node: FixedBytesType) -> JsonSchema:
        if node.form == "hex":
            return {"type": "string", "pattern": f"^[0-9a-f]{{{2 * node.length}}}$"}
        what = "public key" if node.form == "key" else "address"
        return {"type": "string", "description": f"{what}: the chain's prefix, then base 58"}

    def instance(self, node: IdType) -> JsonSchema:
        return id_schema(node.space, node.type)

    def optional(self, node: OptionalType) -> JsonSchema:
        return {"anyOf": [self.visit(node.inner), {"type": "null"}]}

    def sequence(self, node: SequenceType) -> JsonSchema:
        return {"type": "array", "items": self.visit(node.inner)}

    def pair(self, node: PairType) -> JsonSchema:
        return _tuple_of(self.visit(node.first), self.visit(node.second))

    def struct(self, node: StructType) -> JsonSchema:
        return self._class(node.cls, is_extension=False)

    def extension(self, node: ExtensionType) -> JsonSchema:
        return {"anyOf": [self._class(node.cls, is_extension=True), dict(_SCALARS["empty"])]}

    def variant(self, node: VariantType) -> JsonSchema:
        return {"oneOf": [self._member(tag, at) for tag, at in sorted(node.resolve().items())]}

    def _member(self, tag: int, annotation: Hashable) -> JsonSchema:
        return _tuple_of({"const": tag}, self.of(annotation))

    def _class(self, cls: type, *, is_extension: bool) -> JsonSchema:
        """A reference to the schema of a class, which is made when it is first met."""
        name = cls.__name__
        if name not in self._classes:
            self._classes[name] = cls
            self.schemas[name] = self._describe(cls, is_extension=is_extension)
        assert self._classes[name] is cls, f"two classes are called {name}"
        return {"$ref": f"#/components/schemas/{name}"}

    def _describe(self, cls: type, *, is_extension: bool) -> JsonSchema:
        fields, defaults = schema_of(cls).fields, defaults_of(cls)
        required: list[JsonValue] = [
            field.json_name
            for field in fields
            if not (is_extension or field.name in defaults or isinstance(field.type, OptionalType))
        ]
        return {
            "title": cls.__name__,
            "description": summary_of(cls),
            "type": "object",
            "properties": {field.json_name: self.visit(field.type) for field in fields},
            "required": required,
        }


Describe = Callable[[Definitions], JsonSchema]
"""Makes a schema, and whatever definitions it refers to."""


def plain(schema: JsonSchema) -> Describe:
    """A schema that refers to nothing."""
    return lambda definitions: dict(schema)


def described_as(annotation: Hashable) -> Describe:
    """The schema of an annotation of the wire vocabulary."""
    return lambda definitions: definitions.of(annotation)


def array_of(items: Describe, maximum: int) -> Describe:
    """A list of bounded length."""
    return lambda definitions: {
        "type": "array",
        "items": items(definitions),
        "maxItems": maximum,
    }


def id_schema(space: int, type_: int) -> JsonSchema:
    """The id of an object of one type."""
    return {"type": "string", "pattern": rf"^{space}\.{type_}\.[0-9]+$"}


def integer_schema(low: int, high: int) -> JsonSchema:
    """An integer within bounds, which a client may also send as a decimal string."""
    number: JsonSchema = {"type": "integer", "minimum": low, "maximum": high}
    return {"anyOf": [number, {"type": "string", "pattern": DECIMAL}]}


def summary_of(declared: object) -> str:
    """The first paragraph of a docstring, on one line."""
    paragraph = (declared.__doc__ or "").strip().partition("\n\n")[0]
    return " ".join(paragraph.split())


def _tuple_of(first: JsonSchema, second: JsonSchema) -> JsonSchema:
    return {"type": "array", "prefixItems": [first, second], "minItems": 2, "maxItems": 2}
