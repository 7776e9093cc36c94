"""Every operation that BitShares knows, in bytes that its JavaScript library made.

`scripts/make_vectors` makes them. Where that library's declaration differs from bitshares-core's,
which is right then, a vector is "declared": the same library wrote it, in bitshares-core's order.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from protocol.binary import pack, pack_as, unpack
from protocol.errors import ProtocolError, ValidationError
from protocol.json_form import from_json_as, to_json_as
from protocol.msgpack_form import pack_document, to_plain
from protocol.msgpack_read import MsgpackReader
from protocol.operations import OPERATIONS, Operation
from protocol.operations.base import TaggedOperation
from protocol.operations.proposal import ProposedOperation
from tests.support.world import OPERATION_COUNT

Vector = dict[str, Any]

VECTORS: list[Vector] = json.loads(
    (Path(__file__).parent / "operations.json").read_text(encoding="utf-8")
)

each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])


def declared(vector: Vector) -> Operation:
    """The operation of a vector, read from its JSON."""
    return cast(Operation, from_json_as(TaggedOperation, vector["operation"], "TEST"))


def test_every_operation_has_a_vector_and_every_vector_a_source() -> None:
    assert {vector["operation"][0] for vector in VECTORS} == set(range(OPERATION_COUNT))
    names = [vector["name"] for vector in VECTORS]
    assert len(set(names)) == len(names)
    for vector in VECTORS:
        assert vector["name"].startswith(OPERATIONS[vector["operation"][0]].name)
        assert vector["source"] in ("bitsharesjs 6.0.3", "declared")
        assert (vector["source"] == "declared") == ("note" in vector)


@each_vector
def test_json_becomes_the_bytes_of_the_library(vector: Vector) -> None:
    """R9.7: and the bytes the same operation again."""
    operation = declared(vector)
    packed = pack_as(TaggedOperation, operation)
    assert packed.hex() == vector["serialized_hex"]
    assert unpack(ProposedOperation, packed).op == operation
    assert type(operation) is OPERATIONS[vector["operation"][0]].cls


@each_vector
def test_json_and_message_pack_give_the_operation_back(vector: Vector) -> None:
    """R9.7: the JSON to the letter, as bitshares-core would answer with it."""
    operation = declared(vector)
    assert to_json_as(TaggedOperation, operation, "TEST") == vector["operation"]
    document = pack_document(to_plain(operation))
    assert MsgpackReader().read(type(operation), document) == operation


ALL_FORMS = {f"custom_authority_create_{form}" for form in ("scalars", "sets", "nested")}
"""Restrictions of every form, on fields that do not take them (C3.3)."""


@each_vector
def test_operations_that_are_not_virtual_are_valid(vector: Vector) -> None:
    """R9.3, C3.3: bytes may be read of what no chain takes."""
    if vector["name"] in ALL_FORMS:
        with pytest.raises(ValidationError, match="restriction 0"):
            declared(vector).validate()
    elif not OPERATIONS[vector["operation"][0]].virtual:
        assert declared(vector).validate() is None  # type: ignore[func-returns-value]


@each_vector
def test_shortened_bytes_are_refused(vector: Vector) -> None:
    """T-P3: at every place."""
    cls = type(declared(vector))
    packed = pack(declared(vector))
    for cut in range(len(packed)):
        with pytest.raises(ProtocolError):
            unpack(cls, packed[:cut])
