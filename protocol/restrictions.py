"""What restrictions of custom authorities mean for the operations that they are about (C3).

`compile_restrictions` walks the declared fields of a class in their order (C3.2), so that no
operation needs a line of its own; which function and argument a field takes is the table of C3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from operator import attrgetter, eq, ge, gt, le, lt, ne
from typing import cast

from protocol.errors import ValidationError
from protocol.ids import ID_TYPES
from protocol.operations.restriction import Restriction, RestrictionFunction, argument_type
from protocol.schema import (
    ExtensionType,
    FixedBytesType,
    IdType,
    IntegerType,
    OptionalType,
    Record,
    ScalarType,
    SequenceType,
    StructType,
    Tagged,
    VariantType,
    WireType,
    schema_of,
    wire_type,
)

RESTRICTED = (0, 1, 2, 3, 5, 6, 10, 13, 14, 15, 19, 21, 32, 33, 38, 49, 50, 52)
"""Operations that a custom authority may be for, as in BitShares (C3.1)."""

Path = tuple[int, ...]
"""Places of restrictions, one inside the other, down to one that does not hold."""
Test = Callable[[object], Path | None]
"""None where all holds."""
HOLDS: Path | None = None
FAILS: Path = ()

F = RestrictionFunction
INT64, STRING, KEY = 2, 3, 5
SET_OF = 19
"""What the tag of a set of values is above that of one value."""

ABSENT_HOLDS = frozenset((F.NE, F.NOT_IN, F.LE, F.GE))
"""Functions that hold for an optional field that is absent (C3.5)."""

_ORDERS: dict[RestrictionFunction, Callable[[object, object], bool]] = {
    F.EQ: eq,
    F.NE: ne,
    F.LT: cast("Callable[[object, object], bool]", lt),
    F.LE: cast("Callable[[object, object], bool]", le),
    F.GT: cast("Callable[[object, object], bool]", gt),
    F.GE: cast("Callable[[object, object], bool]", ge),
}
_EQUALITIES = (F.EQ, F.NE)


class _Unfit(Exception):
    """The field does not take the function with this argument."""


class Scalar(Record, gc=True):
    """How values of a type are compared with one value."""

    tag: int
    """The kind of argument."""
    is_ordered: bool
    key: Callable[[object], object] = lambda value: value
    """What is compared."""


def restricted_class(operation_type: int) -> type:
    """The class of an operation that may be restricted; raises `ValidationError` (C3.1)."""
    if operation_type not in RESTRICTED:
        raise ValidationError(
            "no custom authority can be for this operation",
            rule="C3.1",
            value=operation_type,
            limit=", ".join(map(str, RESTRICTED)),
        )
    return cast(type, VariantType("operation", tagged=False).resolve()[operation_type])


@lru_cache(1_024)
def predicate_of(operation_type: int, restrictions: tuple[tuple[int, Restriction], ...]) -> Test:
    """What tells the first of numbered restrictions that does not hold for an operation (C3.7)."""
    numbers = tuple(number for number, _ in restrictions)
    cls = restricted_class(operation_type)
    test = compile_restrictions(cls, tuple(one for _, one in restrictions))

    def numbered(operation: object) -> Path | None:
        path = test(operation)
        return None if path is None else (numbers[path[0]], *path[1:])

    return numbered


def compile_restrictions(
    cls: type, restrictions: Sequence[Restriction], at: Path = (), *, allow_empty: bool = True
) -> Test:
    """The conjunction of restrictions on the fields of a class; raises `ValidationError` (C3.3).

    `at` is where the restrictions stand, for the error.
    """
    if not restrictions and not allow_empty:
        raise _unfit(at, "an empty list of restrictions")
    tests = [_compile(cls, one, (*at, place)) for place, one in enumerate(restrictions)]

    def conjunction(value: object) -> Path | None:
        for place, test in enumerate(tests):
            path = test(value)
            if path is not None:
                return (place, *path)
        return HOLDS

    return conjunction


def _unfit(at: Path, what: str, value: object = None, limit: object = None) -> ValidationError:
    where = ".".join(map(str, at)) or "none"
    return ValidationError(f"restriction {where}: {what}", rule="C3.3", value=value, limit=limit)


def _compile(cls: type, restriction: Restriction, at: Path) -> Test:
    restriction.validate()
    function = RestrictionFunction(restriction.restriction_type)
    if function is F.LOGICAL_OR:
        return _alternatives(cls, restriction, at)
    fields = schema_of(cls).fields
    if restriction.member_index >= len(fields):
        limit = len(fields) - 1
        raise _unfit(at, f"{cls.__name__} has no such field", restriction.member_index, limit)
    field = fields[restriction.member_index]
    try:
        test = _test_of(field.type, function, restriction.argument, at)
    except _Unfit:
        tag = restriction.argument.tag
        what = f"{field.json_name} does not take {function.name} with such an argument"
        raise _unfit(at, what, tag) from None
    get = attrgetter(field.name)
    return lambda value: test(get(value))


def _alternatives(cls: type, restriction: Restriction, at: Path) -> Test:
    """At least two lists, of which one holds entirely; of the same object (C3.6)."""
    branches = restriction.inner()
    if len(branches) < 2:
        raise _unfit(at, "fewer than two alternatives", len(branches), 2)
    tests = [
        compile_restrictions(cls, branch, (*at, place), allow_empty=False)
        for place, branch in enumerate(branches)
    ]
    return lambda value: HOLDS if any(test(value) is None for test in tests) else FAILS


def _test_of(node: WireType, function: F, argument: Tagged, at: Path) -> Test:
    """What tests a field of a type; raises `_Unfit`."""
    match node:
        case OptionalType(inner):
            return _optional(inner, function, argument, at)
        case StructType(cls) | ExtensionType(cls) if function is F.ATTR:
            (restrictions,) = Restriction(0, function, argument).inner()
            return compile_restrictions(cls, restrictions, at, allow_empty=False)
        case VariantType() if function is F.VARIANT_ASSERT:
            return _member(node, argument, at)
        case _:
            return _compared(node, function, argument)


def _optional(inner: WireType, function: F, argument: Tagged, at: Path) -> Test:
    """A field that may be absent (C3.5)."""
    if argument.tag == 0:
        if function not in _EQUALITIES:
            raise _Unfit
        wanted = function is F.EQ
        return lambda value: HOLDS if (value is None) == wanted else FAILS
    scalar = _scalar(inner)
    if function in _EQUALITIES and (scalar is None or argument.tag != scalar.tag):
        raise _Unfit
    if function in (F.IN, F.NOT_IN) and scalar is None:
        raise _Unfit
    if function in (F.HAS_ALL, F.HAS_NONE) and scalar is not None:
        raise _Unfit
    test = _test_of(inner, function, argument, at)
    absent = HOLDS if function in ABSENT_HOLDS else FAILS
    return lambda value: absent if value is None else test(value)


def _member(node: VariantType, argument: Tagged, at: Path) -> Test:
    """A tagged union holds the stated member, and restrictions hold for it (C3.6)."""
    tag, restrictions = cast("tuple[int, tuple[Restriction, ...]]", argument.value)
    table = node.resolve()
    if tag not in table:
        raise _unfit(at, "no such member of the union", tag, max(table))
    member = wire_type(table[tag])
    if isinstance(member, StructType | ExtensionType):
        test = compile_restrictions(member.cls, restrictions, at)
    elif restrictions:
        raise _unfit(at, "this member of the union has no fields", len(restrictions), 0)
    else:
        test = compile_restrictions(Restriction, (), at)
    tags = {} if node.tagged else node.tags()

    def holds(value: object) -> Path | None:
        if isinstance(value, Tagged):
            return test(value.value) if value.tag == tag else FAILS
        return test(value) if tags[type(value)] == tag else FAILS

    return holds


def _compared(node: WireType, function: F, argument: Tagged) -> Test:
    """A field that is compared with a value or a set (C3.3, C3.4)."""
    tag, wanted = argument
    scalar = _scalar(node)
    if scalar is not None:
        if tag == scalar.tag and (scalar.is_ordered or function in _EQUALITIES):
            return _ordered(function, scalar.key, scalar.key(wanted))
        if tag == scalar.tag + SET_OF and function in (F.IN, F.NOT_IN):
            return _among(function, scalar.key, _set(wanted, scalar.key))
    element = _element(node)
    if tag == INT64 and function in _EQUALITIES and _has_size(node):
        return _ordered(function, _size, wanted)
    if element is None:
        raise _Unfit
    if function in _EQUALITIES:
        if not (isinstance(node, SequenceType) and node.sorted and tag == element.tag + SET_OF):
            raise _Unfit
        key = element.key
        return _ordered(function, lambda values: _set(values, key), _set(wanted, key))
    if function in _MEMBERS and tag == element.tag + SET_OF:
        return _of_elements(function, element.key, _set(wanted, element.key))
    raise _Unfit


def _set(values: object, key: Callable[[object], object]) -> frozenset[object]:
    return frozenset(map(key, cast("Collection[object]", values)))


def _ordered(function: F, key: Callable[[object], object], wanted: object) -> Test:
    compare = _ORDERS.get(function)
    if compare is None:
        raise _Unfit
    return lambda value: HOLDS if compare(key(value), wanted) else FAILS


def _among(function: F, key: Callable[[object], object], wanted: frozenset[object]) -> Test:
    is_in = function is F.IN
    return lambda value: HOLDS if (key(value) in wanted) == is_in else FAILS


_MEMBERS: dict[F, Callable[[frozenset[object], frozenset[object]], bool]] = {
    F.IN: frozenset.issubset,
    F.NOT_IN: frozenset.isdisjoint,
    F.HAS_ALL: frozenset.issuperset,
    F.HAS_NONE: frozenset.isdisjoint,
}
"""Of the elements of a field and those of the argument (C3.4)."""


def _of_elements(function: F, key: Callable[[object], object], wanted: frozenset[object]) -> Test:
    holds = _MEMBERS[function]
    return lambda value: HOLDS if holds(_set(_elements(value), key), wanted) else FAILS


def _elements(value: object) -> object:
    """The elements of a container; bytes, also those of a text, as BitShares' signed numbers."""
    data = value.encode() if isinstance(value, str) else value
    if isinstance(data, bytes):
        return [byte - 256 if byte > 127 else byte for byte in data]
    return data


def _size(value: object) -> int:
    data = value.encode() if isinstance(value, str) else value
    return len(cast("Collection[object]", data))


def _has_size(node: WireType) -> bool:
    if isinstance(node, ScalarType):
        return node.kind in ("string", "bytes", "empty")
    return isinstance(node, SequenceType)


def _encoded(value: object) -> object:
    return cast(str, value).encode()


def _scalar(node: WireType) -> Scalar | None:
    """How a field of one value is compared; None for what is none, or cannot be."""
    match node:
        case IntegerType():
            return Scalar(INT64, is_ordered=True)
        case ScalarType("bool"):
            return Scalar(1, is_ordered=False)
        case ScalarType("string"):
            return Scalar(STRING, is_ordered=True, key=_encoded)
        case ScalarType("time"):
            return Scalar(4, is_ordered=True)
        case FixedBytesType(form="key"):
            return Scalar(KEY, is_ordered=False)
        case IdType():
            tag = _ID_TAGS.get((node.space, node.type))
            return None if tag is None else Scalar(tag, is_ordered=True)
        case _:
            return None


def _element(node: WireType) -> Scalar | None:
    """How the elements of a container are compared; None where only its size can be."""
    match node:
        case ScalarType("string") | ScalarType("bytes"):
            return Scalar(INT64, is_ordered=True)
        case SequenceType(inner):
            scalar = _scalar(inner)
            return None if scalar is not None and scalar.tag in (1, 4) else scalar
        case _:
            return None


_ID_TAGS = {
    place: tag
    for tag in range(7, 20)
    for place in ID_TYPES.values()
    if argument_type(tag) == IdType(*place)
}
"""The kind of argument of each id that can be compared, by space and type."""
