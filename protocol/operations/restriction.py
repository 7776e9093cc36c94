"""Restrictions of custom authorities: conditions on the fields of an operation (BSIP40, C1.3).

`validate` checks that a restriction has the kind of argument that its function takes; whether it
fits the fields of an operation `protocol.restrictions` finds out.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Annotated, cast

from protocol import ids
from protocol.checks import require
from protocol.operations.base import Void
from protocol.schema import (
    SORTED,
    Digest,
    Int64,
    NoExtensions,
    PublicKey,
    Record,
    Tagged,
    Timestamp,
    Variant,
    VariantType,
    VarUInt32,
    WireType,
    define_variant,
    wire_type,
)


class RestrictionFunction(IntEnum):
    """How a restriction compares a field with its argument."""

    EQ = 0
    NE = 1
    LT = 2
    LE = 3
    GT = 4
    GE = 5
    IN = 6
    NOT_IN = 7
    HAS_ALL = 8
    HAS_NONE = 9
    ATTR = 10
    """All restrictions of the argument hold for the fields of the field."""
    LOGICAL_OR = 11
    """All restrictions of at least one list of the argument hold."""
    VARIANT_ASSERT = 12
    """The field is the stated member of a tagged union, and the restrictions hold for it."""


class Restriction(Record):
    """A condition on one field of an operation (C1.3)."""

    member_index: VarUInt32
    """Number of the field, in the order of the declaration."""
    restriction_type: VarUInt32
    """A `RestrictionFunction`."""
    argument: Annotated[Tagged, Variant("restriction argument")]
    """What the field is compared with: one value, a set, or more restrictions."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        """Raise `ValidationError` for an unknown function or an argument that it does not take."""
        require(
            self.restriction_type < len(RestrictionFunction),
            "unknown function of a restriction",
            rule="BSIP40",
            value=self.restriction_type,
            limit=len(RestrictionFunction) - 1,
        )
        function = RestrictionFunction(self.restriction_type)
        taken = _ARGUMENTS.get(function, _SCALARS)
        require(
            self.argument.tag in taken,
            f"argument that {function.name} does not take",
            rule="BSIP40",
            value=self.argument.tag,
            limit=f"{taken.start}..{taken.stop - 1}",
        )
        for restrictions in self.inner():
            for restriction in restrictions:
                restriction.validate()

    def count(self) -> int:
        """How many restrictions it is, with all those inside it (C1.4)."""
        return 1 + sum(inner.count() for branch in self.inner() for inner in branch)

    def inner(self) -> Sequence[Sequence[Restriction]]:
        """The lists of restrictions that its argument holds."""
        tag, value = self.argument
        if tag == _RESTRICTIONS.start:
            return (cast("tuple[Restriction, ...]", value),)
        if tag == _ALTERNATIVES.start:
            return cast("tuple[tuple[Restriction, ...], ...]", value)
        if tag == _MEMBER.start:
            return (cast("tuple[int, tuple[Restriction, ...]]", value)[1],)
        return ()


_SCALAR_ARGUMENTS = (
    Void,
    bool,
    Int64,
    str,
    Timestamp,
    PublicKey,
    Digest,
    ids.AccountId,
    ids.AssetId,
    ids.ForceSettlementId,
    ids.CommitteeMemberId,
    ids.WitnessId,
    ids.LimitOrderId,
    ids.CallOrderId,
    ids.CustomId,
    ids.ProposalId,
    ids.WithdrawPermissionId,
    ids.VestingBalanceId,
    ids.WorkerId,
    ids.BalanceId,
)

_SET_ARGUMENTS = (
    Annotated[tuple[bool, ...], SORTED],
    Annotated[tuple[Int64, ...], SORTED],
    Annotated[tuple[str, ...], SORTED],
    Annotated[tuple[Timestamp, ...], SORTED],
    Annotated[tuple[PublicKey, ...], SORTED],
    Annotated[tuple[Digest, ...], SORTED],
    Annotated[tuple[ids.AccountId, ...], SORTED],
    Annotated[tuple[ids.AssetId, ...], SORTED],
    Annotated[tuple[ids.ForceSettlementId, ...], SORTED],
    Annotated[tuple[ids.CommitteeMemberId, ...], SORTED],
    Annotated[tuple[ids.WitnessId, ...], SORTED],
    Annotated[tuple[ids.LimitOrderId, ...], SORTED],
    Annotated[tuple[ids.CallOrderId, ...], SORTED],
    Annotated[tuple[ids.CustomId, ...], SORTED],
    Annotated[tuple[ids.ProposalId, ...], SORTED],
    Annotated[tuple[ids.WithdrawPermissionId, ...], SORTED],
    Annotated[tuple[ids.VestingBalanceId, ...], SORTED],
    Annotated[tuple[ids.WorkerId, ...], SORTED],
    Annotated[tuple[ids.BalanceId, ...], SORTED],
)

_NESTED_ARGUMENTS = (
    tuple[Restriction, ...],
    tuple[tuple[Restriction, ...], ...],
    tuple[Int64, tuple[Restriction, ...]],
)

define_variant(
    "restriction argument",
    dict(enumerate((*_SCALAR_ARGUMENTS, *_SET_ARGUMENTS, *_NESTED_ARGUMENTS))),
)

_SCALARS = range(20)
_SETS = range(20, 39)
_RESTRICTIONS = range(39, 40)
_ALTERNATIVES = range(40, 41)
_MEMBER = range(41, 42)

_ARGUMENTS = {
    RestrictionFunction.EQ: range(_SETS.stop),
    RestrictionFunction.NE: range(_SETS.stop),
    RestrictionFunction.IN: _SETS,
    RestrictionFunction.NOT_IN: _SETS,
    RestrictionFunction.HAS_ALL: _SETS,
    RestrictionFunction.HAS_NONE: _SETS,
    RestrictionFunction.ATTR: _RESTRICTIONS,
    RestrictionFunction.LOGICAL_OR: _ALTERNATIVES,
    RestrictionFunction.VARIANT_ASSERT: _MEMBER,
}
"""Function -> tags of the arguments that it takes; all others compare with one value, and equality
with a whole set as well."""


def argument_type(tag: int) -> WireType:
    """What kind of value an argument of a tag is."""
    return wire_type(VariantType("restriction argument", tagged=True).resolve()[tag])
