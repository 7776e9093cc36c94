"""Custom authorities: who else may act for an account, in one kind of operation (BSIP40, C2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

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
from protocol.operations.restriction import Restriction
from protocol.restrictions import compile_restrictions, restricted_class
from protocol.schema import (
    SORTED,
    NoExtensions,
    Record,
    Timestamp,
    UInt16,
    VarUInt32,
)


class CustomAuthorityCreate(Record):
    """Let an authority approve one kind of operation of the account, within restrictions (C2.1)."""

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
        _check_authority(self.auth)
        _check_restrictions(self.restrictions)
        compile_restrictions(restricted_class(self.operation_type), self.restrictions)


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
