"""The committee: standing for election, and the chain parameters that it decides."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.state.context import Context
from node.state.errors import (
    InvalidCommitteeApproval,
    NameTaken,
    NoSuchObject,
    NotAuthorized,
    WrongAccount,
)
from protocol.asset import NO_FEE
from protocol.errors import ValidationError
from protocol.ids import CommitteeMemberId, ObjectId, vote_id
from protocol.operations.committee import (
    CommitteeMemberCreate,
    CommitteeMemberUpdate,
    CommitteeMemberUpdateGlobalParameters,
)
from tests.support.state import add_account, apply, expect, make_context, make_state
from tests.support.world import ALICE, BOB


@pytest.fixture
def ctx() -> Context:
    return make_context(make_state("alice", "bob"))


def test_a_candidate_gets_the_next_vote_id(ctx: Context) -> None:
    """R8.12."""
    assert apply(ctx, CommitteeMemberCreate(NO_FEE, BOB, "b")) == ObjectId(1, 5, 0)
    apply(ctx, CommitteeMemberCreate(NO_FEE, ALICE, "a"))
    member = ctx.state.committee_members.get(CommitteeMemberId(1))
    assert (member.committee_member_account, member.vote_id) == (ALICE, vote_id(0, 1))
    assert (member.url, member.total_votes) == ("a", 0)


def test_only_lifetime_members_stand_and_only_once(ctx: Context) -> None:
    """R9.6, R8.12."""
    basic = add_account(ctx.state, "basic", lifetime=False)
    expect(ctx, NotAuthorized, CommitteeMemberCreate(NO_FEE, basic, ""))
    apply(ctx, CommitteeMemberCreate(NO_FEE, ALICE, ""))
    expect(ctx, NameTaken, CommitteeMemberCreate(NO_FEE, ALICE, ""))


def test_only_its_account_updates_a_member(ctx: Context) -> None:
    """R9.6."""
    apply(ctx, CommitteeMemberCreate(NO_FEE, ALICE, "old"))
    op = CommitteeMemberUpdate(NO_FEE, CommitteeMemberId(0), ALICE, new_url="new")
    expect(ctx, WrongAccount, replace(op, committee_member_account=BOB))
    expect(ctx, NoSuchObject, replace(op, committee_member=CommitteeMemberId(1)))
    apply(ctx, replace(op, new_url=None))
    assert ctx.state.committee_members.get(CommitteeMemberId(0)).url == "old"
    apply(ctx, op)
    assert ctx.state.committee_members.get(CommitteeMemberId(0)).url == "new"


def test_parameters_change_only_inside_a_proposal(ctx: Context) -> None:
    """R8.23, R8.10: and then they wait for the next maintenance."""
    parameters = replace(ctx.state.parameters, block_interval=3)
    op = CommitteeMemberUpdateGlobalParameters(NO_FEE, parameters)
    expect(ctx, InvalidCommitteeApproval, op)
    ctx.proposal_depth = 1
    apply(ctx, op)
    assert ctx.state.properties.pending_parameters == parameters
    assert ctx.state.parameters.block_interval == 5


def test_impossible_parameters_are_refused(ctx: Context) -> None:
    """R8.4: parameters with which the chain could not go on are never stored."""
    parameters = replace(ctx.state.parameters, block_interval=0)
    ctx.proposal_depth = 1
    expect(ctx, ValidationError, CommitteeMemberUpdateGlobalParameters(NO_FEE, parameters))
