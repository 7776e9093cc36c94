"""Proposals in a chain: executed when approved, or at their expiration, or removed (R8.23)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.state.errors import ProposalRefused
from node.state.objects.transactions import Proposal
from protocol.asset import NO_FEE
from protocol.constants import COMMITTEE_ACCOUNT
from protocol.ids import ProposalId
from protocol.operations.account import AccountUpdate
from protocol.operations.base import Operation
from protocol.operations.committee import CommitteeMemberUpdateGlobalParameters
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from tests.support.chain import TestChain, make_parameters


@pytest.fixture
def chain() -> TestChain:
    chain = TestChain("alice", "bob", "carol", core=1000)
    chain.block()
    return chain


def propose(
    chain: TestChain, *operations: Operation, lifetime: int = 100, review: int | None = None
) -> ProposalCreate:
    return ProposalCreate(
        NO_FEE,
        chain.account("carol"),
        chain.chain.head_time + lifetime,
        tuple(ProposedOperation(operation) for operation in operations),
        review,
    )


def approve(chain: TestChain, *names: str, proposal: int = 0) -> ProposalUpdate:
    accounts = tuple(sorted(chain.account(name) for name in names))
    return ProposalUpdate(
        NO_FEE, chain.account("carol"), ProposalId(proposal), active_approvals_to_add=accounts
    )


def waiting(chain: TestChain) -> list[Proposal]:
    return list(chain.state.proposals.in_order())


def test_without_a_review_period_the_last_approval_executes(chain: TestChain) -> None:
    """R8.23: both senders have to approve; the second one sets it off, inside its transaction."""
    chain.block(
        propose(chain, chain.transfer("alice", "bob", 5), chain.transfer("bob", "carol", 7))
    )
    chain.block(approve(chain, "alice"))
    assert chain.balance("carol") == 1000
    applied = chain.block(approve(chain, "bob"))
    assert (chain.balance("alice"), chain.balance("bob"), chain.balance("carol")) == (
        995,
        998,
        1007,
    )
    assert waiting(chain) == []
    assert [entry.is_virtual for entry in applied.operations] == [False, True, True]


def test_a_review_period_delays_to_the_expiration(chain: TestChain) -> None:
    """R8.23: approved in time, executed at the boundary of the block that expires it."""
    chain.block(propose(chain, chain.transfer("alice", "bob", 5), lifetime=100, review=50))
    expiration = waiting(chain)[0].expiration_time
    chain.block(approve(chain, "alice"))
    chain.block_at(expiration - 5)
    assert chain.balance("alice") == 1000
    applied = chain.block()
    assert chain.chain.head_time == expiration
    assert chain.balance("alice") == 995
    assert waiting(chain) == []
    assert [entry.trx_in_block for entry in applied.operations] == [0]


def test_no_approval_during_the_review(chain: TestChain) -> None:
    """R8.23: the review period is for objections."""
    chain.block(propose(chain, chain.transfer("alice", "bob", 5), lifetime=100, review=50))
    chain.block_at(waiting(chain)[0].expiration_time - 50)
    chain.expect(ProposalRefused, approve(chain, "alice"))


def test_an_unapproved_proposal_just_ends(chain: TestChain) -> None:
    """R8.3 step 9: removed at its expiration, and not a block earlier."""
    chain.block(propose(chain, chain.transfer("alice", "bob", 5)))
    expiration = waiting(chain)[0].expiration_time
    chain.block_at(expiration - 5)
    assert len(waiting(chain)) == 1
    chain.block()
    assert waiting(chain) == []
    assert chain.balance("alice") == 1000


def test_a_failed_execution_is_tried_again_at_the_expiration(chain: TestChain) -> None:
    """R8.23: all or nothing; the reason is kept, the last trial comes with the expiration."""
    chain.block(
        propose(chain, chain.transfer("bob", "carol", 1), chain.transfer("alice", "bob", 1500))
    )
    expiration = waiting(chain)[0].expiration_time
    chain.block(approve(chain, "alice", "bob"))
    assert "insufficient_balance" in waiting(chain)[0].fail_reason
    assert chain.balance("bob") == 1000
    chain.block(chain.transfer("carol", "alice", 600))
    chain.block_at(expiration)
    assert (chain.balance("alice"), chain.balance("bob")) == (100, 2499)
    assert waiting(chain) == []


def test_a_proposal_that_fails_for_good_is_removed(chain: TestChain) -> None:
    """R8.23: at the expiration it goes in any case, and leaves no trace."""
    chain.block(propose(chain, chain.transfer("alice", "bob", 1500)))
    chain.block(approve(chain, "alice"))
    applied = chain.block_at(waiting(chain)[0].expiration_time)
    assert waiting(chain) == []
    assert applied.operations == []
    assert chain.balance("alice") == 1000


def test_several_expire_in_their_order(chain: TestChain) -> None:
    """R8.3 step 9: by expiration, then id; the first one's effect is seen by the second."""
    chain.block(
        propose(chain, chain.transfer("bob", "carol", 2000), lifetime=100, review=60),
        propose(chain, chain.transfer("alice", "bob", 1000), lifetime=95, review=60),
    )
    chain.block(approve(chain, "bob", proposal=0), approve(chain, "alice", proposal=1))
    chain.block_at(waiting(chain)[0].expiration_time)
    assert (chain.balance("alice"), chain.balance("bob"), chain.balance("carol")) == (0, 0, 3000)


def test_the_committee_changes_parameters_through_a_proposal() -> None:
    """R8.23: reviewed, executed at its expiration, in force from the next maintenance."""
    chain = TestChain("alice", core=1000)
    chain.block()
    members = tuple(member.vote_id for member in chain.state.committee_members.in_order())
    options = replace(chain.state.account_named("alice").options, votes=members, num_committee=3)
    chain.block(AccountUpdate(NO_FEE, chain.account("alice"), new_options=options))
    chain.block_at(chain.state.dynamic.next_maintenance_time)
    assert chain.state.properties.active_committee_members == (0, 1, 2)
    assert chain.state.accounts.get(COMMITTEE_ACCOUNT).active.account_auths

    chain.set_parameters(committee_proposal_review_period=50)
    parameters = replace(chain.state.parameters, block_interval=10)
    assert parameters != make_parameters()
    change = CommitteeMemberUpdateGlobalParameters(NO_FEE, parameters)
    proposal = ProposalCreate(
        NO_FEE,
        chain.account("alice"),
        chain.chain.head_time + 100,
        (ProposedOperation(change),),
        60,
    )
    chain.block(proposal)
    names = ("init0", "init1")
    accounts = tuple(chain.account(name) for name in names)
    chain.block(
        ProposalUpdate(
            NO_FEE, chain.account("alice"), ProposalId(0), active_approvals_to_add=accounts
        )
    )
    assert len(waiting(chain)) == 1
    chain.block_at(waiting(chain)[0].expiration_time)
    assert waiting(chain) == []
    assert chain.state.properties.pending_parameters == parameters
    assert chain.state.parameters.block_interval == 5
    chain.block_at(chain.state.dynamic.next_maintenance_time)
    assert chain.state.parameters.block_interval == 10
    first = chain.chain.slot_time(1)
    assert chain.chain.slot_time(2) - first == 10
    chain.blocks(3)
