"""Custom authorities: made, changed and taken back by the account that is acted for (C2)."""

from __future__ import annotations

from collections.abc import Sequence

from node.evaluators.membership import check_owner
from node.state.context import Context
from node.state.database import ALL, State
from node.state.errors import LimitExceeded
from node.state.lock_errors import (
    CustomAuthoritiesNotEnabled,
    CustomAuthorityUnchanged,
    NoSuchRestriction,
)
from node.state.objects.custom_authorities import CustomAuthority
from protocol.authority import Authority
from protocol.chain_parameters import CustomAuthorityOptions
from protocol.errors import SECONDS, TIME
from protocol.ids import AccountId, ObjectId, custom_authority_text
from protocol.operations.custom_authority import (
    CustomAuthorityCreate,
    CustomAuthorityDelete,
    CustomAuthorityUpdate,
)
from protocol.operations.restriction import Restriction
from protocol.operations.results import VoidResult
from protocol.restrictions import compile_restrictions, restricted_class

COUNTER_MAX = 0xFFFF
DONE = VoidResult()


def custom_authority_options(state: State) -> CustomAuthorityOptions:
    """The limits that the committee has set; raises `CustomAuthoritiesNotEnabled` (C1.1)."""
    options = state.parameters.extensions.custom_authority_options
    if options is None:
        raise CustomAuthoritiesNotEnabled(
            "this chain has no custom authorities: its parameters have no custom_authority_options",
            rule="C1.1",
        )
    return options


def evaluate_custom_authority_create(ctx: Context, op: CustomAuthorityCreate) -> None:
    """Within the limits of the chain: of time, of restrictions, of how many there are (C2.2)."""
    state = ctx.state
    state.accounts.get(op.account)
    options = custom_authority_options(state)
    _check_end(ctx, op.valid_to)
    _check_count(state, sum(restriction.count() for restriction in op.restrictions))
    _check_members(state, op.auth)
    for what, found, limit in (
        (
            "of the account",
            state.custom_authorities_of_account.items(op.account),
            options.max_custom_authorities_per_account,
        ),
        (
            "of the account for this operation",
            state.custom_authorities_for.items((op.account, op.operation_type)),
            options.max_custom_authorities_per_account_op,
        ),
    ):
        count = len(found) + 1
        if count > limit:
            raise LimitExceeded(
                f"too many custom authorities {what}",
                rule="C2.2",
                value=count,
                limit=limit,
            )


def apply_custom_authority_create(
    ctx: Context, op: CustomAuthorityCreate, checked: None
) -> ObjectId:
    """Keep it until its time is over; its restrictions are numbered from 0 (C2.2)."""
    table = ctx.state.custom_authorities
    made = table.create(
        CustomAuthority(
            id=table.next_id,
            account=op.account,
            enabled=op.enabled,
            valid_from=op.valid_from,
            valid_to=op.valid_to,
            operation_type=op.operation_type,
            auth=op.auth,
            restrictions=tuple(enumerate(op.restrictions)),
            restriction_counter=len(op.restrictions),
        )
    )
    return table.object_id(made.id)


def evaluate_custom_authority_update(ctx: Context, op: CustomAuthorityUpdate) -> CustomAuthority:
    """The custom authority, once what is to change is another, and within the limits (C2.3)."""
    state = ctx.state
    found = state.custom_authorities.get(op.authority_to_update)
    check_owner(op.account, found.account, "custom authority", rule="C2.3")
    _check_changes(found, op)
    if op.new_valid_to is not None:
        _check_end(ctx, op.new_valid_to)
    begin = found.valid_from if op.new_valid_from is None else op.new_valid_from
    end = found.valid_to if op.new_valid_to is None else op.new_valid_to
    if begin >= end:
        raise LimitExceeded(
            "valid_from is not before valid_to", rule="C2.3", value=begin, limit=end - 1, unit=TIME
        )
    if op.new_auth is not None:
        _check_members(state, op.new_auth)
    _check_restrictions(state, found, op)
    return found


def _check_changes(found: CustomAuthority, op: CustomAuthorityUpdate) -> None:
    """What is given differs from what is stored."""
    for field, new, old in (
        ("enabled", op.new_enabled, found.enabled),
        ("valid_from", op.new_valid_from, found.valid_from),
        ("valid_to", op.new_valid_to, found.valid_to),
        ("auth", op.new_auth, found.auth),
    ):
        if new is not None and new == old:
            raise CustomAuthorityUnchanged(
                f"new_{field} is what it was", rule="C2.3", value=custom_authority_text(found.id)
            )


def _check_restrictions(state: State, found: CustomAuthority, op: CustomAuthorityUpdate) -> None:
    """What goes is there, and what stays and comes is not too much, and fits the operation."""
    numbers = {number for number, _ in found.restrictions}
    for number in op.restrictions_to_remove:
        if number not in numbers:
            raise NoSuchRestriction("no such restriction", rule="C2.3", value=str(number))
    if not op.restrictions_to_add:
        return
    left = _left(found, op)
    _check_count(state, sum(one.count() for one in (*left, *op.restrictions_to_add)))
    compile_restrictions(restricted_class(found.operation_type), op.restrictions_to_add)
    count, limit = found.restriction_counter + len(op.restrictions_to_add), COUNTER_MAX
    if count > limit:
        raise LimitExceeded(
            "all numbers of restrictions are taken", rule="C1.2", value=count, limit=limit
        )


def _left(found: CustomAuthority, op: CustomAuthorityUpdate) -> Sequence[Restriction]:
    return [one for number, one in found.restrictions if number not in op.restrictions_to_remove]


def apply_custom_authority_update(
    ctx: Context, op: CustomAuthorityUpdate, found: CustomAuthority
) -> VoidResult:
    """Set what is given; remove restrictions, then add the new ones under fresh numbers (C2.3)."""
    ctx.state.custom_authorities.edit(found)
    if op.new_enabled is not None:
        found.enabled = op.new_enabled
    if op.new_valid_from is not None:
        found.valid_from = op.new_valid_from
    if op.new_valid_to is not None:
        found.valid_to = op.new_valid_to
    if op.new_auth is not None:
        found.auth = op.new_auth
    found.restrictions = (
        *(pair for pair in found.restrictions if pair[0] not in op.restrictions_to_remove),
        *enumerate(op.restrictions_to_add, found.restriction_counter),
    )
    found.restriction_counter += len(op.restrictions_to_add)
    return DONE


def evaluate_custom_authority_delete(ctx: Context, op: CustomAuthorityDelete) -> CustomAuthority:
    """The custom authority, once it is the account's own (C2.4)."""
    found = ctx.state.custom_authorities.get(op.authority_to_delete)
    check_owner(op.account, found.account, "custom authority", rule="C2.4")
    return found


def apply_custom_authority_delete(
    ctx: Context, op: CustomAuthorityDelete, found: CustomAuthority
) -> VoidResult:
    """Remove it (C2.4)."""
    ctx.state.custom_authorities.remove(found)
    return DONE


def remove_expired_custom_authorities(ctx: Context) -> None:
    """Remove those whose time was over before this maintenance block (C2.6)."""
    state = ctx.state
    for found in state.custom_authority_ends.up_to(ALL, ctx.now - 1):
        state.custom_authorities.remove(found)


def _check_end(ctx: Context, valid_to: int) -> None:
    if valid_to <= ctx.now:
        raise LimitExceeded(
            "valid_to is past", rule="C2.2", value=valid_to, limit=ctx.now + 1, unit=TIME
        )
    longest = custom_authority_options(ctx.state).max_custom_authority_lifetime_seconds
    if valid_to - ctx.now > longest:
        raise LimitExceeded(
            "valid_to is too far ahead",
            rule="C2.2",
            value=valid_to - ctx.now,
            limit=longest,
            unit=SECONDS,
        )


def _check_count(state: State, count: int) -> None:
    limit = custom_authority_options(state).max_custom_authority_restrictions
    if count > limit:
        raise LimitExceeded("too many restrictions", rule="C2.2", value=count, limit=limit)


def _check_members(state: State, authority: Authority) -> None:
    for account, _ in authority.account_auths:
        state.accounts.get(AccountId(account))
