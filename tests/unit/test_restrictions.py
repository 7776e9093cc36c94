"""Restrictions of custom authorities: what fits which field, and what each form means (C3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol.asset import NO_FEE, AssetAmount
from protocol.binary import MAX_DEPTH, pack, unpack
from protocol.crypto.keys import NULL_KEY
from protocol.errors import DecodeError, ValidationError
from protocol.ids import AccountId, AssetId, HtlcId, WitnessId
from protocol.operations.account import AccountCreate, AccountOptions
from protocol.operations.asset_options import AssetOptions
from protocol.operations.htlc import HtlcCreate, HtlcRedeem, hash_of_preimage
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.memo import Memo
from protocol.operations.restriction import Restriction
from protocol.operations.restriction import RestrictionFunction as F
from protocol.operations.transfer import Transfer
from protocol.operations.witness import WitnessUpdate
from protocol.restrictions import RESTRICTED, compile_restrictions, predicate_of, restricted_class
from protocol.schema import (
    ExtensionType,
    FixedBytesType,
    IdType,
    IntegerType,
    OptionalType,
    ScalarType,
    SequenceType,
    StructType,
    Tagged,
    VariantType,
    schema_of,
)
from tests.support.world import key_of

ALICE, BOB = AccountId(6), AccountId(7)
CORE, OTHER = AssetId(0), AssetId(1)
SEND = Transfer(NO_FEE, ALICE, BOB, AssetAmount(100, CORE))
MEMO = Memo(key_of("a"), key_of("b"), 5, b"hi")
SELL = LimitOrderCreate(NO_FEE, ALICE, AssetAmount(1, CORE), AssetAmount(2, OTHER), 1000, True)
LOCK = HtlcCreate(NO_FEE, ALICE, BOB, AssetAmount(1, CORE), hash_of_preimage(2, b""), 3, 60)
SHOW = HtlcRedeem(NO_FEE, HtlcId(0), ALICE, b"\x01\xff")
URL = WitnessUpdate(NO_FEE, WitnessId(1), ALICE, "url", key_of("x"))
BARE = WitnessUpdate(NO_FEE, WitnessId(1), ALICE)


def r(member: int, function: F, tag: int, value: object) -> Restriction:
    return Restriction(member, function, Tagged(tag, value))


def holds(operation: Any, *restrictions: Restriction) -> bool:
    return compile_restrictions(type(operation), restrictions)(operation) is None


VOID = r(0, F.EQ, 0, None).argument.value

CASES: list[tuple[str, Any, Restriction, bool]] = [
    ("id eq", SEND, r(2, F.EQ, 7, BOB), True),
    ("id ne", SEND, r(2, F.NE, 7, BOB), False),
    ("id lt", SEND, r(2, F.LT, 7, BOB), False),
    ("id le", SEND, r(2, F.LE, 7, BOB), True),
    ("id gt", SEND, r(2, F.GT, 7, ALICE), True),
    ("id ge", SEND, r(2, F.GE, 7, AccountId(8)), False),
    ("id in", SEND, r(2, F.IN, 26, (ALICE, BOB)), True),
    ("id not in", SEND, r(2, F.NOT_IN, 26, (ALICE, BOB)), False),
    ("integer", LOCK, r(6, F.LE, 2, 60), True),
    ("integer below", LOCK, r(6, F.LT, 2, 60), False),
    ("integer in", LOCK, r(5, F.IN, 21, (1, 3)), True),
    ("integer not in", LOCK, r(5, F.NOT_IN, 21, (1, 2)), True),
    ("bool", SELL, r(5, F.EQ, 1, True), True),
    ("bool in", SELL, r(5, F.IN, 20, (False,)), False),
    ("time", SELL, r(4, F.GE, 4, 1000), True),
    ("time in", SELL, r(4, F.IN, 23, (999,)), False),
    ("attr", SEND, r(3, F.ATTR, 39, (r(0, F.LE, 2, 100), r(1, F.EQ, 8, CORE))), True),
    ("attr fails", SEND, r(3, F.ATTR, 39, (r(0, F.LE, 2, 100), r(1, F.EQ, 8, OTHER))), False),
    ("or", SEND, r(9, F.LOGICAL_OR, 40, ((r(2, F.EQ, 7, ALICE),), (r(2, F.EQ, 7, BOB),))), True),
    ("or fails", SEND, r(0, F.LOGICAL_OR, 40, ((r(2, F.EQ, 7, ALICE),), (r(1, F.EQ, 7, BOB),))),
     False),
    ("variant", LOCK, r(4, F.VARIANT_ASSERT, 41, (2, ())), True),
    ("another variant", LOCK, r(4, F.VARIANT_ASSERT, 41, (1, ())), False),
    ("bytes length", SHOW, r(3, F.EQ, 2, 2), True),
    ("bytes in", SHOW, r(3, F.IN, 21, (-1, 1, 7)), True),
    ("bytes not in", SHOW, r(3, F.NOT_IN, 21, (-1,)), False),
    ("bytes has all", SHOW, r(3, F.HAS_ALL, 21, (-1,)), True),
    ("bytes has none", SHOW, r(3, F.HAS_NONE, 21, (255,)), True),
    ("no memo", SEND, r(4, F.EQ, 0, VOID), True),
    ("some memo", replace(SEND, memo=MEMO), r(4, F.NE, 0, VOID), True),
    ("no memo, attr", SEND, r(4, F.ATTR, 39, (r(2, F.EQ, 2, 5),)), False),
    ("memo, attr", replace(SEND, memo=MEMO), r(4, F.ATTR, 39, (r(2, F.EQ, 2, 5),)), True),
    ("memo bytes", replace(SEND, memo=MEMO), r(4, F.ATTR, 39, (r(3, F.NE, 2, 2),)), False),
    ("no extensions", SEND, r(5, F.EQ, 2, 0), True),
    ("extensions", LOCK, r(7, F.ATTR, 39, (r(0, F.EQ, 0, VOID),)), True),
    ("optional text", URL, r(3, F.EQ, 3, "url"), True),
    ("optional text in", URL, r(3, F.IN, 22, ("", "url")), True),
    ("optional key", URL, r(4, F.NE, 5, key_of("x")), False),
    ("absent eq", BARE, r(3, F.EQ, 3, ""), False),
    ("absent ne", BARE, r(3, F.NE, 3, ""), True),
    ("absent lt", BARE, r(3, F.LT, 3, "z"), False),
    ("absent le", BARE, r(3, F.LE, 3, ""), True),
    ("absent gt", BARE, r(3, F.GT, 3, ""), False),
    ("absent ge", BARE, r(3, F.GE, 3, "z"), True),
    ("absent in", BARE, r(4, F.IN, 24, (key_of("x"),)), False),
    ("absent not in", BARE, r(4, F.NOT_IN, 24, (key_of("x"),)), True),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_what_a_restriction_means(case: tuple[str, Any, Restriction, bool]) -> None:
    """C3.2, C3.4, C3.5, C3.6: on real operations; also after a journey through bytes."""
    _, operation, restriction, expected = case
    restriction = unpack(Restriction, pack(restriction))
    assert holds(operation, restriction) == expected


def test_sets_and_lists() -> None:
    """C3.3, C3.4: whole sets, elements, sizes; an empty field is in everything."""
    lists = AssetOptions(1, 0, 0, 0, 0, None, (BOB, ALICE), ())  # type: ignore[arg-type]
    fields = [field.name for field in schema_of(AssetOptions).fields]
    some, none = fields.index("whitelist_authorities"), fields.index("blacklist_authorities")
    for restriction, expected in (
        (r(some, F.EQ, 26, (ALICE, BOB)), True),
        (r(some, F.NE, 26, (ALICE,)), True),
        (r(some, F.EQ, 2, 2), True),
        (r(some, F.IN, 26, (ALICE,)), False),
        (r(some, F.NOT_IN, 26, (AccountId(8),)), True),
        (r(some, F.NOT_IN, 26, (ALICE,)), False),
        (r(some, F.HAS_ALL, 26, (ALICE,)), True),
        (r(some, F.HAS_ALL, 26, (ALICE, AccountId(8))), False),
        (r(some, F.HAS_NONE, 26, (ALICE,)), False),
        (r(none, F.IN, 26, (ALICE,)), True),
        (r(none, F.HAS_ALL, 26, (ALICE,)), False),
    ):
        assert holds(lists, restriction) == expected, restriction
    options = AccountOptions(NULL_KEY)
    assert holds(options, r(4, F.EQ, 2, 0)), "votes by their number alone"
    with pytest.raises(ValidationError):
        compile_restrictions(AccountOptions, (r(4, F.HAS_ALL, 21, (1,)),))


SCALARS = {"bool": 1, "string": 3, "time": 4}
IDS = {(1, 2): 7, (1, 3): 8, (1, 4): 9, (1, 5): 10, (1, 6): 11, (1, 7): 12, (1, 8): 13,
       (1, 9): 14, (1, 10): 15, (1, 12): 16, (1, 13): 17, (1, 14): 18, (1, 15): 19}  # fmt: skip
ORDER = (F.LT, F.LE, F.GT, F.GE)


def scalar_tag(node: Any) -> int | None:
    """The kind of argument of a single value, by the table of the rules."""
    if isinstance(node, IntegerType):
        return 2
    if isinstance(node, ScalarType):
        return SCALARS.get(node.kind)
    if isinstance(node, FixedBytesType):
        return 5 if node.length == 33 and node.form == "key" else None
    return IDS.get((node.space, node.type)) if isinstance(node, IdType) else None


def table_of(node: Any) -> set[tuple[F, int]]:
    """The row of a field in the table of C3.3: every function with every kind of argument."""
    found: set[tuple[F, int]] = set()
    tag = scalar_tag(node)
    if isinstance(node, OptionalType):
        inner = table_of(node.inner)
        is_scalar = scalar_tag(node.inner) is not None
        sizes = {(F.EQ, 2), (F.NE, 2)} if scalar_tag(node.inner) != 2 else set()
        sets = {(function, tag) for function, tag in inner if function < F.LT and tag > 19}
        lists = {one for one in inner if one[0] in (F.HAS_ALL, F.HAS_NONE)} if is_scalar else set()
        ins = set() if is_scalar else {one for one in inner if one[0] in (F.IN, F.NOT_IN)}
        return inner - sizes - sets - lists - ins | {(F.EQ, 0), (F.NE, 0)}
    if tag is not None:
        found |= {(F.EQ, tag), (F.NE, tag), (F.IN, tag + 19), (F.NOT_IN, tag + 19)}
        found |= {(function, tag) for function in ORDER if tag not in (1, 5)}
    if isinstance(node, ScalarType) and node.kind in ("string", "bytes"):
        found |= {(F.EQ, 2), (F.NE, 2)}
        found |= {(function, 21) for function in (F.IN, F.NOT_IN, F.HAS_ALL, F.HAS_NONE)}
    if isinstance(node, ScalarType) and node.kind == "empty":
        found |= {(F.EQ, 2), (F.NE, 2)}
    if isinstance(node, SequenceType):
        found |= {(F.EQ, 2), (F.NE, 2)}
        inner_tag = scalar_tag(node.inner)
        if inner_tag is not None and inner_tag not in (1, 4):
            whole = (F.EQ, F.NE) if node.sorted else ()
            functions = (F.IN, F.NOT_IN, F.HAS_ALL, F.HAS_NONE, *whole)
            found |= {(function, inner_tag + 19) for function in functions}
    if isinstance(node, StructType | ExtensionType) and schema_of(node.cls).fields:
        found.add((F.ATTR, 39))
    if isinstance(node, VariantType):
        found.add((F.VARIANT_ASSERT, 41))
    return found


def arguments_for(node: Any, tag: int) -> object:
    """A value of an argument that is good in itself, for a field."""
    if tag == 39:
        inner = node.inner if isinstance(node, OptionalType) else node
        cls = getattr(inner, "cls", Transfer)
        return (first_fitting(cls),)
    if tag == 40:
        return ((r(0, F.EQ, 2, 0),), (r(0, F.EQ, 2, 0),))
    if tag == 41:
        inner = node.inner if isinstance(node, OptionalType) else node
        return (min(inner.resolve()) if isinstance(inner, VariantType) else 0, ())
    values: dict[int, object] = {0: VOID, 1: True, 2: 1, 3: "a", 4: 5, 5: key_of("a"), 6: bytes(32)}
    return values.get(tag, 1) if tag < 20 else (values.get(tag - 19, 1),)


def first_fitting(cls: type) -> Restriction:
    """Some restriction that a class takes."""
    for place, field in enumerate(schema_of(cls).fields):
        for function, tag in sorted(table_of(field.type)):
            if tag < 39:
                return r(place, function, tag, arguments_for(field.type, tag))
    if not schema_of(cls).fields:
        return r(0, F.EQ, 2, 0)
    return r(0, F.ATTR, 39, arguments_for(schema_of(cls).fields[0].type, 39))


def classes_of(cls: type, seen: set[type]) -> Iterator[type]:
    """A class and all the records inside it."""
    if cls in seen:
        return
    seen.add(cls)
    yield cls
    for field in schema_of(cls).fields:
        node = field.type.inner if isinstance(field.type, OptionalType) else field.type
        if isinstance(node, StructType | ExtensionType):
            yield from classes_of(node.cls, seen)


def test_every_field_takes_what_the_table_says() -> None:
    """C3.1, C3.2, C3.3: each function with each kind of argument on each field of each operation
    and of the records inside it."""
    seen: set[type] = set()
    tried = accepted = 0
    for number in RESTRICTED:
        for cls in classes_of(restricted_class(number), seen):
            for place, field in enumerate(schema_of(cls).fields):
                row = table_of(field.type)
                for function in F:
                    for tag in range(42):
                        if function is F.LOGICAL_OR:
                            continue
                        tried += 1
                        restriction = r(place, function, tag, arguments_for(field.type, tag))
                        try:
                            compile_restrictions(cls, (restriction,))
                        except ValidationError:
                            assert (function, tag) not in row, (cls, field.name, function, tag)
                        else:
                            accepted += 1
                            assert (function, tag) in row, (cls, field.name, function, tag)
            with pytest.raises(ValidationError, match="no such field"):
                compile_restrictions(cls, (r(len(schema_of(cls).fields), F.EQ, 0, VOID),))
    assert tried > 40_000
    assert accepted > 800


def test_only_eighteen_operations() -> None:
    """C3.1: all others are refused by their number."""
    assert len(RESTRICTED) == 18
    for number in set(range(80)) - set(RESTRICTED):
        with pytest.raises(ValidationError):
            restricted_class(number)


@pytest.mark.parametrize(
    "restriction",
    [
        r(3, F.ATTR, 39, ()),
        r(0, F.LOGICAL_OR, 40, ((r(2, F.EQ, 7, BOB),),)),
        r(0, F.LOGICAL_OR, 40, ((r(2, F.EQ, 7, BOB),), ())),
        r(3, F.ATTR, 39, (r(7, F.EQ, 2, 1),)),
        r(3, F.EQ, 2, 1),
    ],
)
def test_lists_that_say_nothing(restriction: Restriction) -> None:
    """C3.6: attr and each branch of logical_or say something, and there are two branches."""
    with pytest.raises(ValidationError) as found:
        compile_restrictions(Transfer, (restriction,))
    assert found.value.rule == "C3.3"


def test_members_without_fields() -> None:
    """C3.6: nothing can be asked of a hash; no list at all allows every operation."""
    asked = r(4, F.VARIANT_ASSERT, 41, (2, (r(0, F.EQ, 2, 1),)))
    with pytest.raises(ValidationError):
        compile_restrictions(HtlcCreate, (asked,))
    with pytest.raises(ValidationError, match="no such member"):
        compile_restrictions(HtlcCreate, (r(4, F.VARIANT_ASSERT, 41, (4, ())),))
    assert holds(SEND)


def test_counts_and_paths() -> None:
    """C1.3, C1.4, C3.7, C4.4: all inside count; the first that fails is told by its number."""
    inner = r(3, F.ATTR, 39, (r(1, F.EQ, 8, CORE), r(0, F.LT, 2, 100)))
    either = r(0, F.LOGICAL_OR, 40, ((r(2, F.EQ, 7, BOB),), (inner,)))
    assert (inner.count(), either.count()) == (3, 5)
    assert predicate_of(0, ((4, either), (9, inner)))(SEND) == (9, 1)
    assert predicate_of(0, ((4, either),))(SEND) is None
    assert predicate_of(0, ((4, either),))(replace(SEND, to=ALICE)) == (4,)


def test_depth() -> None:
    """C3.8: four alternatives inside each other and an attr are read; endless ones are not."""
    tree = r(3, F.ATTR, 39, (r(0, F.LT, 2, 100),))
    for _ in range(4):
        tree = r(0, F.LOGICAL_OR, 40, ((tree,), (r(2, F.EQ, 7, BOB),)))
    assert tree.count() == 10
    assert unpack(Restriction, pack(tree)) == tree
    assert holds(SEND, tree)
    for _ in range(MAX_DEPTH):
        tree = r(3, F.ATTR, 39, (tree,))
    with pytest.raises(DecodeError, match="too deep"):
        unpack(Restriction, pack(tree))


NUMBERS = st.integers(0, 5)


@settings(max_examples=60)
@given(value=NUMBERS, limit=NUMBERS, some=st.sets(NUMBERS), text=st.text("aé", max_size=3))
def test_scalars_of_any_value(value: int, limit: int, some: set[int], text: str) -> None:
    """C3.3, C3.4: as Python's own operators say it."""
    op = replace(LOCK, claim_period_seconds=value)
    expected = {F.EQ: value == limit, F.NE: value != limit, F.LT: value < limit,
                F.LE: value <= limit, F.GT: value > limit, F.GE: value >= limit}  # fmt: skip
    for function, result in expected.items():
        assert holds(op, r(6, function, 2, limit)) == result
    assert holds(op, r(6, F.IN, 21, tuple(sorted(some)))) == (value in some)
    assert holds(op, r(6, F.NOT_IN, 21, tuple(sorted(some)))) == (value not in some)
    options = AccountOptions(NULL_KEY)
    named = AccountCreate(NO_FEE, ALICE, ALICE, 0, text, None, None, options)  # type: ignore[arg-type]
    place = [field.name for field in schema_of(AccountCreate).fields].index("name")
    data = [byte - 256 if byte > 127 else byte for byte in text.encode()]
    assert holds(named, r(place, F.EQ, 2, len(data)))
    assert holds(named, r(place, F.EQ, 3, text))
    assert holds(named, r(place, F.LT, 3, "b")) == (text.encode() < b"b")
    for wanted in ((97,), (-61, -87), (-87, -61, 97)):
        assert holds(named, r(place, F.HAS_ALL, 21, wanted)) == (set(wanted) <= set(data))
        assert holds(named, r(place, F.HAS_NONE, 21, wanted)) == (not set(wanted) & set(data))
        assert holds(named, r(place, F.NOT_IN, 21, wanted)) == (not set(wanted) & set(data))
        is_member = set(data) <= set(wanted)
        assert holds(named, r(place, F.IN, 21, wanted)) == is_member
