"""Proposals: operations that wait until their authorities have approved (R8.23)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from node.evaluators.authority import verify_authority
from node.evaluators.samet_fund import check_all_repaid
from node.state.context import Context
from node.state.errors import ProposalRefused
from node.state.objects.transactions import Proposal
from protocol.constants import COMMITTEE_ACCOUNT
from protocol.errors import SECONDS, TIME, PegboardError
from protocol.ids import AccountId, ObjectId, ProposalId, account_text, proposal_text
from protocol.operations.authorities import required_authorities
from protocol.operations.base import Operation
from protocol.operations.proposal import ProposalCreate, ProposalDelete, ProposalUpdate
from protocol.operations.results import VoidResult
from protocol.schema import PublicKey, Record
from protocol.transaction import Transaction

MAX_EXECUTION_DEPTH = 8
"""Proposals may approve, and so execute, each other no deeper."""

Approval = TypeVar("Approval", AccountId, PublicKey)


class RequiredApprovals(Record):
    """The accounts that must approve; none is in both."""

    active: tuple[AccountId, ...]
    owner: tuple[AccountId, ...]


def evaluate_proposal_create(ctx: Context, op: ProposalCreate) -> RequiredApprovals:
    """Who must approve, once the times and the proposed operations pass."""
    parameters = ctx.state.parameters
    operations = [proposed.op for proposed in op.proposed_ops]

    lifetime, longest = op.expiration_time - ctx.now, parameters.maximum_proposal_lifetime
    review = op.review_period_seconds
    if not 0 < lifetime <= longest:
        raise ProposalRefused(
            "expiration is past or too far ahead",
            rule="R8.23",
            value=lifetime,
            limit=longest,
            unit=SECONDS,
        )
    if review is not None and review >= lifetime:
        raise ProposalRefused(
            "review period is not shorter than the lifetime",
            rule="R8.23",
            value=review,
            limit=lifetime - 1,
            unit=SECONDS,
        )
    _check_nested_updates(op, ctx.state.proposals.next_id)
    required = _required_approvals(operations)
    if COMMITTEE_ACCOUNT in required.active or COMMITTEE_ACCOUNT in required.owner:
        shortest = parameters.committee_proposal_review_period
        if review is None or review < shortest:
            raise ProposalRefused(
                "the committee needs a longer review period",
                rule="R8.23",
                value=review or 0,
                limit=shortest,
                unit=SECONDS,
            )
    return required


def _required_approvals(operations: list[Operation]) -> RequiredApprovals:
    active: set[AccountId] = set()
    owner: set[AccountId] = set()
    for op in operations:
        required = required_authorities(op)
        if required.other:
            raise ProposalRefused(
                "a proposal is approved by accounts, not by keys alone", rule="R8.23"
            )
        active.update(required.active)
        owner.update(required.owner)
    return RequiredApprovals(tuple(sorted(active - owner)), tuple(sorted(owner)))


def _check_nested_updates(op: ProposalCreate, proposal_id: ProposalId) -> None:
    """One proposal_update a level, and none that names a proposal that does not exist yet.

    Otherwise a proposal could approve or delete itself while it executes (T-C5).
    """
    for level in _levels(op):
        updates = [inner for inner in level if isinstance(inner, ProposalUpdate)]
        if len(updates) > 1:
            raise ProposalRefused(
                "more than one proposal_update in a proposal",
                rule="R8.23",
                value=len(updates),
                limit=1,
            )
        for inner in level:
            if isinstance(inner, ProposalUpdate | ProposalDelete) and inner.proposal >= proposal_id:
                raise ProposalRefused(
                    "names a proposal that does not exist yet",
                    rule="R8.23",
                    value=proposal_text(inner.proposal),
                    limit=proposal_text(ProposalId(proposal_id - 1)),
                )


def _levels(op: ProposalCreate) -> Iterator[list[Operation]]:
    """The operations of a proposal, and of every proposal inside it."""
    waiting = [op]
    while waiting:
        inner = [proposed.op for proposed in waiting.pop().proposed_ops]
        waiting.extend(item for item in inner if isinstance(item, ProposalCreate))
        yield inner


def apply_proposal_create(
    ctx: Context, op: ProposalCreate, required: RequiredApprovals
) -> ObjectId:
    """Keep the proposal until it is approved or expires."""
    state = ctx.state
    proposal_id = state.proposals.next_id
    review = op.review_period_seconds
    operations = tuple(proposed.op for proposed in op.proposed_ops)
    state.proposals.create(
        Proposal(
            id=proposal_id,
            expiration_time=op.expiration_time,
            review_period_time=None if review is None else op.expiration_time - review,
            proposed_transaction=Transaction(0, 0, op.expiration_time, operations),
            required_active_approvals=required.active,
            available_active_approvals=(),
            required_owner_approvals=required.owner,
            available_owner_approvals=(),
            available_key_approvals=(),
            proposer=op.fee_paying_account,
            fail_reason="",
        )
    )
    return state.proposals.object_id(proposal_id)


def evaluate_proposal_update(ctx: Context, op: ProposalUpdate) -> Proposal:
    """The proposal, once no account approves under review or takes back what it never gave.

    Keys may approve until the end, and to remove one that did not approve changes nothing.
    """
    proposal = ctx.state.proposals.get(op.proposal)

    added = (*op.active_approvals_to_add, *op.owner_approvals_to_add)
    review_time = proposal.review_period_time
    if added and review_time is not None and ctx.now >= review_time:
        raise ProposalRefused(
            "no account may approve during the review period",
            rule="R8.23",
            value=ctx.now,
            limit=review_time,
            unit=TIME,
        )
    _check_removal(op.active_approvals_to_remove, proposal.available_active_approvals)
    _check_removal(op.owner_approvals_to_remove, proposal.available_owner_approvals)
    return proposal


def _check_removal(removed: tuple[AccountId, ...], present: tuple[AccountId, ...]) -> None:
    for account in removed:
        if account not in present:
            raise ProposalRefused(
                "an approval that was never given is removed",
                rule="R8.23",
                value=account_text(account),
            )


def apply_proposal_update(ctx: Context, op: ProposalUpdate, proposal: Proposal) -> VoidResult:
    """Change the approvals; without a review period, execute as soon as they suffice."""
    ctx.state.proposals.edit(proposal)
    proposal.available_active_approvals = _changed(
        proposal.available_active_approvals,
        op.active_approvals_to_add,
        op.active_approvals_to_remove,
    )
    proposal.available_owner_approvals = _changed(
        proposal.available_owner_approvals,
        op.owner_approvals_to_add,
        op.owner_approvals_to_remove,
    )
    proposal.available_key_approvals = _changed(
        proposal.available_key_approvals, op.key_approvals_to_add, op.key_approvals_to_remove
    )
    if proposal.review_period_time is None and is_authorized(ctx, proposal):
        execute_proposal(ctx, proposal)
    return VoidResult()


def _changed(
    present: tuple[Approval, ...], added: tuple[Approval, ...], removed: tuple[Approval, ...]
) -> tuple[Approval, ...]:
    approvals = set(present)
    approvals.update(added)
    approvals.difference_update(removed)
    return tuple(sorted(approvals))


def evaluate_proposal_delete(ctx: Context, op: ProposalDelete) -> Proposal:
    """The proposal, once an account whose authority it requires asks."""
    proposal = ctx.state.proposals.get(op.proposal)
    required = (
        proposal.required_owner_approvals
        if op.using_owner_authority
        else proposal.required_active_approvals
    )
    if op.fee_paying_account not in required:
        raise ProposalRefused(
            "the proposal does not require this authority",
            rule="R8.23",
            value=account_text(op.fee_paying_account),
        )
    return proposal


def apply_proposal_delete(ctx: Context, op: ProposalDelete, proposal: Proposal) -> VoidResult:
    """Drop the proposal."""
    ctx.state.proposals.remove(proposal)
    return VoidResult()


def is_authorized(ctx: Context, proposal: Proposal) -> bool:
    """Whether the approvals so far satisfy all that the proposed operations require (R9.5)."""
    try:
        verify_authority(
            ctx.state,
            proposal.proposed_transaction.operations,
            proposal.available_key_approvals,
            allow_committee=True,
            active_approvals=proposal.available_active_approvals,
            owner_approvals=proposal.available_owner_approvals,
        )
    except PegboardError:
        return False
    return True


def execute_proposal(ctx: Context, proposal: Proposal) -> bool:
    """Execute an authorised proposal and remove it; all of it or nothing (R8.23).

    Its loans end with it, and it does not execute amid somebody else's (U7). When an operation is
    refused the proposal stays with the reason, to be tried again at its
    expiration. Returns whether it was executed.
    """
    state, proposal_id = ctx.state, proposal.id
    ctx.proposal_depth += 1
    try:
        with ctx.session():
            if ctx.proposal_depth > MAX_EXECUTION_DEPTH:
                raise ProposalRefused(
                    "proposals execute each other too deep",
                    rule="R8.23",
                    value=ctx.proposal_depth,
                    limit=MAX_EXECUTION_DEPTH,
                )
            for op in proposal.proposed_transaction.operations:
                ctx.run_operation(ctx, op)
            check_all_repaid(state)
            state.proposals.remove(state.proposals.get(proposal_id))
    except PegboardError as refusal:
        state.proposals.edit(state.proposals.get(proposal_id)).fail_reason = str(refusal)
        return False
    finally:
        ctx.proposal_depth -= 1
    return True
