"""Custom authorities: who else may act for an account, in one kind of operation (BSIP40).

Not executed by this node. `validate` checks that a restriction has the kind of argument that its
function takes; whether it fits the fields of the restricted operation, only a node that executes
custom authorities can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Annotated, cast

from protocol import ids
from protocol.asset import AssetAmount
from protocol.authority import Authority
from protocol.checks import check_fee, require
from protocol.constants import (
    COMMITTEE_ACCOUNT,
    RELAXED_COMMITTEE_ACCOUNT,
    TEMP_ACCOUNT,
    WITNESS_ACCOUNT,
)
from protocol.errors import TIME
from protocol.ids import AccountId, CustomAuthorityId, account_text
from protocol.operations.base import OPERATION_COUNT, Void
from protocol.schema import (
    SORTED,
    Digest,
    Int64,
    NoExtensions,
    PublicKey,
    Record,
    Tagged,
    Timestamp,
    UInt16,
    Variant,
    VarUInt32,
    define_variant,
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
    """A condition on one field of an operation."""

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
        for restrictions in self._inner():
            _check_restrictions(restrictions)

    def _inner(self) -> Sequence[Sequence[Restriction]]:
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
    RestrictionFunction.IN: _SETS,
    RestrictionFunction.NOT_IN: _SETS,
    RestrictionFunction.HAS_ALL: _SETS,
    RestrictionFunction.HAS_NONE: _SETS,
    RestrictionFunction.ATTR: _RESTRICTIONS,
    RestrictionFunction.LOGICAL_OR: _ALTERNATIVES,
    RestrictionFunction.VARIANT_ASSERT: _MEMBER,
}
"""Function -> tags of the arguments that it takes; all others compare with one value."""


class CustomAuthorityCreate(Record):
    """Let an authority approve one kind of operation of the account, within restrictions."""

    fee: AssetAmount
    account: AccountId
    """Account that is acted for; pays the fee."""
    enabled: bool
    valid_from: Timestamp
    """Time from which the authority counts."""
    valid_to: Timestamp
    """Time at which it ends."""
    operation_type: VarUInt32
    """Id of the operation that it may approve."""
    auth: Authority
    """Who may act; an authority without entries and with threshold 0 is everybody."""
    restrictions: tuple[Restriction, ...]
    """All of them must hold; charged by size."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        _check_account(self.account)
        _check_period(self.valid_from, self.valid_to)
        require(
            self.operation_type < OPERATION_COUNT,
            "no such operation",
            rule="BSIP40",
            value=self.operation_type,
            limit=OPERATION_COUNT - 1,
        )
        _check_authority(self.auth)
        _check_restrictions(self.restrictions)


class CustomAuthorityUpdate(Record):
    """Change a custom authority; what is absent stays."""

    fee: AssetAmount
    account: AccountId
    """Account that is acted for; pays the fee."""
    authority_to_update: CustomAuthorityId
    new_enabled: bool | None = None
    new_valid_from: Timestamp | None = None
    new_valid_to: Timestamp | None = None
    new_auth: Authority | None = None
    restrictions_to_remove: Annotated[tuple[UInt16, ...], SORTED] = ()
    """Numbers of the restrictions that go."""
    restrictions_to_add: tuple[Restriction, ...] = ()
    """Charged by size."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        _check_account(self.account)
        if self.new_valid_from is not None and self.new_valid_to is not None:
            _check_period(self.new_valid_from, self.new_valid_to)
        if self.new_auth is not None:
            _check_authority(self.new_auth)
        changes = (self.new_enabled, self.new_valid_from, self.new_valid_to, self.new_auth)
        require(
            any(change is not None for change in changes)
            or len(self.restrictions_to_remove) > 0
            or len(self.restrictions_to_add) > 0,
            "nothing to update",
            rule="BSIP40",
        )
        _check_restrictions(self.restrictions_to_add)


class CustomAuthorityDelete(Record):
    """Take a custom authority back."""

    fee: AssetAmount
    account: AccountId
    """Account that is acted for; pays the fee."""
    authority_to_delete: CustomAuthorityId
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        _check_account(self.account)


def _check_account(account: AccountId) -> None:
    special = (TEMP_ACCOUNT, COMMITTEE_ACCOUNT, WITNESS_ACCOUNT, RELAXED_COMMITTEE_ACCOUNT)
    require(
        account not in special,
        "special accounts have no custom authorities",
        rule="R9.8",
        value=account_text(account),
    )


def _check_period(valid_from: int, valid_to: int) -> None:
    require(
        valid_from < valid_to,
        "valid_from is not before valid_to",
        rule="BSIP40",
        value=valid_from,
        limit=valid_to,
        unit=TIME,
    )


def _check_authority(authority: Authority) -> None:
    require(
        len(authority.address_auths) == 0,
        "authority holds addresses",
        rule="R9.5",
        value=len(authority.address_auths),
        limit=0,
    )
    require(
        not authority.is_impossible(),
        "authority can never be satisfied",
        rule="R9.5",
        value=authority.weight_threshold,
        limit=authority.total_weight(),
    )


def _check_restrictions(restrictions: Sequence[Restriction]) -> None:
    for restriction in restrictions:
        restriction.validate()
