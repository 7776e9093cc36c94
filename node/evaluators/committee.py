"""The committee: standing for election, and the chain parameters that it decides."""

from __future__ import annotations

from node.evaluators.membership import check_lifetime_member, check_owner
from node.state.context import Context
from node.state.creation import create_committee_member
from node.state.errors import InvalidCommitteeApproval, NameTaken
from node.state.objects.governance import CommitteeMember
from protocol.fees import check_parameters
from protocol.ids import ObjectId, account_text
from protocol.operations.committee import (
    CommitteeMemberCreate,
    CommitteeMemberUpdate,
    CommitteeMemberUpdateGlobalParameters,
)
from protocol.operations.results import VoidResult


def evaluate_committee_member_create(ctx: Context, op: CommitteeMemberCreate) -> None:
    """A lifetime member that is no committee member yet."""
    state, account = ctx.state, op.committee_member_account
    check_lifetime_member(state.accounts.get(account))
    if state.committee_member_by_account.find(account) is not None:
        raise NameTaken(
            "the account is a committee member already", rule="R8.12", value=account_text(account)
        )


def apply_committee_member_create(
    ctx: Context, op: CommitteeMemberCreate, checked: None
) -> ObjectId:
    """Create the candidate under a new vote id."""
    state = ctx.state
    member = create_committee_member(state, op.committee_member_account, op.url)
    return state.committee_members.object_id(member.id)


def evaluate_committee_member_update(ctx: Context, op: CommitteeMemberUpdate) -> CommitteeMember:
    """The committee member, once it belongs to the account."""
    member = ctx.state.committee_members.get(op.committee_member)
    check_owner(op.committee_member_account, member.committee_member_account, "committee member")
    return member


def apply_committee_member_update(
    ctx: Context, op: CommitteeMemberUpdate, member: CommitteeMember
) -> VoidResult:
    """Replace what the operation gives."""
    ctx.state.committee_members.edit(member)
    if op.new_url is not None:
        member.url = op.new_url
    return VoidResult()


def evaluate_update_global_parameters(
    ctx: Context, op: CommitteeMemberUpdateGlobalParameters
) -> None:
    """Only as part of a proposal that executes (R8.23), and only such as a chain goes on with."""
    if ctx.proposal_depth == 0:
        raise InvalidCommitteeApproval(
            "chain parameters change by a proposal only", rule="R8.23", value=0, limit=1
        )
    check_parameters(op.new_parameters)


def apply_update_global_parameters(
    ctx: Context, op: CommitteeMemberUpdateGlobalParameters, checked: None
) -> VoidResult:
    """Keep the parameters until the next maintenance, which puts them in force (R8.10)."""
    state = ctx.state
    state.global_properties.edit(state.properties).pending_parameters = op.new_parameters
    return VoidResult()
