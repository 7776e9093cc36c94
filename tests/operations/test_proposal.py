"""Proposals: operations that wait until their authorities have approved (R8.23)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.evaluators.proposal import MAX_EXECUTION_DEPTH, execute_proposal, is_authorized
from node.state.context import Context
from node.state.errors import NoSuchObject, ProposalRefused
from node.state.objects.transactions import Proposal
from protocol.asset import NO_FEE
from protocol.authority import Authority, key_authority
from protocol.constants import COMMITTEE_ACCOUNT, CORE_ASSET
from protocol.errors import ValidationError
from protocol.ids import AccountId, BalanceId, ObjectId, ProposalId
from protocol.operations.account import AccountUpdate
from protocol.operations.balance import BalanceClaim
from protocol.operations.base import Operation
from protocol.operations.committee import CommitteeMemberUpdateGlobalParameters
from protocol.operations.proposal import (
    ProposalCreate,
    ProposalDelete,
    ProposalUpdate,
    ProposedOperation,
)
from protocol.operations.transfer import Transfer
from tests.support.state import apply, core, created, expect, make_context, make_state
from tests.support.world import ALICE, BOB, CAROL, GENESIS_TIME, key_of

DAY = 86_400


@pytest.fixture
def ctx() -> Context:
    return make_context(make_state("alice", "bob", "carol", core=1000))


def pay(sender: AccountId, receiver: AccountId, amount: int) -> Transfer:
    return Transfer(NO_FEE, sender, receiver, core(amount))


def propose(*ops: Operation, lifetime: int = DAY, review: int | None = None) -> ProposalCreate:
    """Carol proposes."""
    proposed = tuple(ProposedOperation(op) for op in ops)
    return ProposalCreate(NO_FEE, CAROL, GENESIS_TIME + lifetime, proposed, review)


def approve(proposal: int, *accounts: AccountId, **changes: object) -> ProposalUpdate:
    op = ProposalUpdate(NO_FEE, CAROL, ProposalId(proposal), active_approvals_to_add=accounts)
    return replace(op, **changes)


def get(ctx: Context, proposal: int) -> Proposal:
    return ctx.state.proposals.get(ProposalId(proposal))


def balance(ctx: Context, account: AccountId) -> int:
    return ctx.state.balance_of(account, CORE_ASSET)


def test_a_proposal_waits_for_those_it_concerns(ctx: Context) -> None:
    """R8.23: it names who must approve; owner approval includes active."""
    change = AccountUpdate(NO_FEE, BOB, owner=key_authority(key_of("new")))
    op = propose(pay(ALICE, BOB, 1), pay(BOB, ALICE, 1), change, review=60)
    assert apply(ctx, op) == ObjectId(1, 10, 0)
    proposal = get(ctx, 0)
    assert proposal.required_active_approvals == (ALICE,)
    assert proposal.required_owner_approvals == (BOB,)
    assert proposal.proposer == CAROL
    assert proposal.review_period_time == proposal.expiration_time - 60
    operations = proposal.proposed_transaction.operations
    assert operations == tuple(item.op for item in op.proposed_ops)
    assert balance(ctx, ALICE) == 1000


def test_a_proposal_expires_within_the_longest_lifetime(ctx: Context) -> None:
    """R8.23: later than now, at most maximum_proposal_lifetime ahead."""
    longest = ctx.state.parameters.maximum_proposal_lifetime
    for lifetime in (0, longest + 1):
        expect(ctx, ProposalRefused, propose(pay(ALICE, BOB, 1), lifetime=lifetime))
    for lifetime in (1, longest):
        apply(ctx, propose(pay(ALICE, BOB, 1), lifetime=lifetime))


def test_the_review_period_is_shorter_than_the_lifetime(ctx: Context) -> None:
    """R8.23."""
    expect(ctx, ProposalRefused, propose(pay(ALICE, BOB, 1), review=DAY))
    apply(ctx, propose(pay(ALICE, BOB, 1), review=DAY - 1))


def test_the_committee_needs_time_for_review(ctx: Context) -> None:
    """R8.23: mandatory, and at least committee_proposal_review_period."""
    shortest = ctx.state.parameters.committee_proposal_review_period
    op = propose(pay(COMMITTEE_ACCOUNT, BOB, 1), lifetime=shortest + 2)
    assert expect(ctx, ProposalRefused, op).limit == shortest
    expect(ctx, ProposalRefused, replace(op, review_period_seconds=shortest - 1))
    apply(ctx, replace(op, review_period_seconds=shortest))


def test_nothing_and_nonsense_are_not_proposed(ctx: Context) -> None:
    """R8.23: proposed operations are checked like any other; keys alone cannot approve."""
    expect(ctx, ValidationError, propose())
    expect(ctx, ValidationError, propose(pay(ALICE, BOB, 0)))
    claim = BalanceClaim(NO_FEE, ALICE, BalanceId(0), key_of("x"), core(1))
    expect(ctx, ProposalRefused, propose(claim))


def test_it_executes_as_soon_as_it_is_authorised(ctx: Context) -> None:
    """R8.23: without a review period, inside the update; then it is gone."""
    apply(ctx, propose(pay(ALICE, BOB, 10), pay(BOB, ALICE, 3)))
    apply(ctx, approve(0, ALICE))
    assert get(ctx, 0).available_active_approvals == (ALICE,)
    assert balance(ctx, ALICE) == 1000
    apply(ctx, approve(0, BOB))
    assert ctx.state.proposals.find(ProposalId(0)) is None
    assert (balance(ctx, ALICE), balance(ctx, BOB)) == (993, 1007)
    assert [entry.op for entry in ctx.applied] == [pay(ALICE, BOB, 10), pay(BOB, ALICE, 3)]


def test_approvals_of_members_satisfy_an_account(ctx: Context) -> None:
    """R9.5: alice's authority is bob and carol together."""
    alice = ctx.state.accounts.edit(ctx.state.accounts.get(ALICE))
    alice.active = Authority(2, ((BOB, 1), (CAROL, 1)))
    apply(ctx, propose(pay(ALICE, BOB, 10)))
    apply(ctx, approve(0, BOB))
    assert not is_authorized(ctx, get(ctx, 0))
    apply(ctx, approve(0, CAROL))
    assert balance(ctx, BOB) == 1010


def test_a_key_approves_too(ctx: Context) -> None:
    """R8.23: approvals by key count like signatures."""
    apply(ctx, propose(pay(ALICE, BOB, 10)))
    apply(ctx, approve(0, key_approvals_to_add=(key_of("alice"),)))
    assert balance(ctx, BOB) == 1010


def test_an_owner_approval_counts_for_both(ctx: Context) -> None:
    """R9.5: an active approval is not enough where the owner must approve."""
    change = AccountUpdate(NO_FEE, BOB, owner=key_authority(key_of("new")))
    apply(ctx, propose(change))
    apply(ctx, approve(0, BOB))
    assert not is_authorized(ctx, get(ctx, 0))
    apply(ctx, approve(0, owner_approvals_to_add=(BOB,)))
    assert ctx.state.accounts.get(BOB).owner == change.owner


def test_approvals_can_be_taken_back(ctx: Context) -> None:
    """R8.23, C16: only those that were given; a key that did not approve may be removed."""
    apply(ctx, propose(pay(ALICE, BOB, 10), pay(BOB, ALICE, 3)))
    apply(ctx, approve(0, ALICE))
    expect(ctx, ProposalRefused, approve(0, active_approvals_to_remove=(BOB,)))
    expect(ctx, ProposalRefused, approve(0, owner_approvals_to_remove=(ALICE,)))
    apply(ctx, approve(0, key_approvals_to_remove=(key_of("alice"),)))
    assert get(ctx, 0).available_key_approvals == ()
    apply(ctx, approve(0, active_approvals_to_remove=(ALICE,)))
    assert get(ctx, 0).available_active_approvals == ()
    apply(ctx, approve(0, BOB))
    assert balance(ctx, BOB) == 1000


def test_an_approval_that_is_there_may_be_given_again(ctx: Context) -> None:
    """R8.23: as on BitShares it changes nothing."""
    apply(ctx, propose(pay(ALICE, BOB, 10), pay(BOB, ALICE, 3)))
    for _ in range(2):
        apply(ctx, approve(0, ALICE))
        apply(ctx, approve(0, key_approvals_to_add=(key_of("carol"),)))
    proposal = get(ctx, 0)
    assert proposal.available_active_approvals == (ALICE,)
    assert proposal.available_key_approvals == (key_of("carol"),)


def test_no_account_approves_during_the_review_period(ctx: Context) -> None:
    """R8.23, Y5, C16: accounts may only take back, keys may approve as well; and it does not
    execute before it expires."""
    apply(ctx, propose(pay(ALICE, BOB, 10), review=60))
    apply(ctx, approve(0, ALICE))
    proposal = get(ctx, 0)
    assert is_authorized(ctx, proposal)
    ctx.now = GENESIS_TIME + DAY - 61
    apply(ctx, approve(0, BOB))
    ctx.now += 1
    for changes in (
        {"active_approvals_to_add": (CAROL,)},
        {"owner_approvals_to_add": (CAROL,)},
    ):
        expect(ctx, ProposalRefused, approve(0, **changes))
    apply(ctx, approve(0, active_approvals_to_remove=(BOB,)))
    apply(ctx, approve(0, key_approvals_to_remove=(key_of("nobody"),)))
    assert proposal.available_active_approvals == (ALICE,)
    apply(ctx, approve(0, key_approvals_to_add=(key_of("carol"),)))
    assert proposal.available_key_approvals == (key_of("carol"),)


def test_a_failed_execution_leaves_only_its_reason(ctx: Context) -> None:
    """R8.23: all or nothing; the proposal stays and is tried again when it expires."""
    apply(ctx, propose(pay(ALICE, BOB, 10), pay(ALICE, BOB, 991)))
    apply(ctx, approve(0, ALICE))
    proposal = get(ctx, 0)
    assert "insufficient_balance" in proposal.fail_reason
    assert balance(ctx, ALICE) == 1000
    assert (ctx.applied, ctx.virtual_op, ctx.proposal_depth) == ([], 0, 0)
    apply(ctx, pay(BOB, ALICE, 1))
    ctx.state.log.begin()
    assert execute_proposal(ctx, proposal)
    ctx.state.log.finish()
    assert balance(ctx, ALICE) == 0
    assert ctx.state.proposals.find(ProposalId(0)) is None


def test_chain_parameters_change_through_a_proposal(ctx: Context) -> None:
    """R8.23: the committee's members approve; at expiry the parameters become pending."""
    committee = ctx.state.accounts.edit(ctx.state.accounts.get(COMMITTEE_ACCOUNT))
    committee.active = Authority(1, ((ALICE, 1),))
    parameters = replace(ctx.state.parameters, block_interval=3)
    review = parameters.committee_proposal_review_period
    op = CommitteeMemberUpdateGlobalParameters(NO_FEE, parameters)
    apply(ctx, propose(op, lifetime=review + DAY, review=review))
    apply(ctx, approve(0, ALICE))
    assert ctx.state.properties.pending_parameters is None
    ctx.state.log.begin()
    assert execute_proposal(ctx, get(ctx, 0))
    ctx.state.log.finish()
    assert ctx.state.properties.pending_parameters == parameters


def test_who_must_approve_may_also_refuse(ctx: Context) -> None:
    """R8.23: required-authority holders delete the proposal, by the authority it requires."""
    change = AccountUpdate(NO_FEE, BOB, owner=key_authority(key_of("new")))
    apply(ctx, propose(pay(ALICE, BOB, 10), change))
    veto = ProposalDelete(NO_FEE, ALICE, using_owner_authority=False, proposal=ProposalId(0))
    expect(ctx, ProposalRefused, replace(veto, fee_paying_account=CAROL))
    expect(ctx, ProposalRefused, replace(veto, using_owner_authority=True))
    expect(ctx, ProposalRefused, replace(veto, fee_paying_account=BOB))
    expect(ctx, NoSuchObject, replace(veto, proposal=ProposalId(1)))
    apply(ctx, veto)
    assert ctx.state.proposals.find(ProposalId(0)) is None


def test_a_proposal_cannot_name_itself_or_a_later_one(ctx: Context) -> None:
    """T-C5: neither approve nor delete, at any level."""
    veto = ProposalDelete(NO_FEE, ALICE, using_owner_authority=False, proposal=ProposalId(1))
    apply(ctx, propose(pay(ALICE, BOB, 10)))
    expect(ctx, ProposalRefused, propose(approve(1, ALICE)))
    expect(ctx, ProposalRefused, propose(veto))
    expect(ctx, ProposalRefused, propose(pay(ALICE, BOB, 1), propose(veto)))
    apply(ctx, propose(approve(0, ALICE)))


def test_one_proposal_approves_one_other(ctx: Context) -> None:
    """T-C5: two updates in one proposal are refused, at any level."""
    for _ in range(2):
        apply(ctx, propose(pay(ALICE, BOB, 10)))
    expect(ctx, ProposalRefused, propose(approve(0, ALICE), approve(1, ALICE)))
    expect(ctx, ProposalRefused, propose(propose(approve(0, ALICE), approve(1, ALICE))))
    apply(ctx, propose(approve(0, ALICE), propose(approve(1, ALICE))))


def test_a_chain_of_proposals_executes_to_a_bounded_depth(ctx: Context) -> None:
    """T-C5: each approves the one before; too deep a one fails alone, with its reason."""
    apply(ctx, propose(pay(CAROL, BOB, 10)))
    length = MAX_EXECUTION_DEPTH + 2
    for number in range(1, length):
        apply(ctx, propose(approve(number - 1, CAROL)))
    apply(ctx, approve(length - 1, CAROL))
    left = [item.id for item in ctx.state.proposals.in_order()]
    assert left == [0, 1]
    assert "too deep" in get(ctx, 1).fail_reason
    assert balance(ctx, BOB) == 1000
    apply(ctx, approve(1, CAROL))
    assert balance(ctx, BOB) == 1010


def test_a_proposal_inside_a_proposal(ctx: Context) -> None:
    """T-C5: executing the outer one makes the inner one wait for its own approvals."""
    apply(ctx, propose(propose(pay(ALICE, BOB, 10))))
    apply(ctx, approve(0, CAROL))
    inner = [item.id for item in ctx.state.proposals.in_order()]
    assert inner == [1]
    apply(ctx, approve(1, ALICE))
    assert balance(ctx, BOB) == 1010


def test_ids_start_at_zero(ctx: Context) -> None:
    """R8.23: the answer is the proposal's id."""
    assert created(apply(ctx, propose(pay(ALICE, BOB, 1)))) == 0
