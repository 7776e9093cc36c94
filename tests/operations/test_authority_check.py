"""Whether keys and approvals satisfy the authorities that operations require."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from node.evaluators.authority import ApprovalCheck, verify_authority
from node.state.database import State
from node.state.errors import (
    InvalidCommitteeApproval,
    IrrelevantSignature,
    MissingActiveAuthority,
    MissingOtherAuthority,
    MissingOwnerAuthority,
    NoSuchObject,
)
from protocol.asset import NO_FEE
from protocol.authority import Authority, key_authority
from protocol.constants import COMMITTEE_ACCOUNT, TEMP_ACCOUNT
from protocol.crypto.addresses import addresses_of
from protocol.ids import AccountId, AssetId, BalanceId, ProposalId
from protocol.operations.account import AccountUpdate
from protocol.operations.asset import AssetUpdateIssuer
from protocol.operations.balance import BalanceClaim
from protocol.operations.base import Operation
from protocol.operations.proposal import ProposalDelete, ProposalUpdate
from protocol.operations.transfer import Transfer
from protocol.schema import PublicKey
from tests.support.state import core, make_state
from tests.support.world import ALICE, BOB, CAROL, DAVE, key_of


@pytest.fixture
def state() -> State:
    return make_state("alice", "bob", "carol", "dave")


def pays(account: AccountId) -> Transfer:
    """An operation that needs the active authority of an account."""
    return Transfer(NO_FEE, account, AccountId(5), core(1))


def set_active(state: State, account: AccountId, rule: Authority) -> None:
    state.accounts.edit(state.accounts.get(account)).active = rule


def set_both(state: State, account: AccountId, rule: Authority) -> None:
    item = state.accounts.edit(state.accounts.get(account))
    item.active = item.owner = rule


def by_account(*accounts: AccountId, threshold: int = 1) -> Authority:
    return Authority(threshold, tuple((account, 1) for account in accounts))


def keys(*names: str) -> tuple[PublicKey, ...]:
    return tuple(key_of(name) for name in names)


def is_verified(state: State, ops: list[Operation], signed: Collection[PublicKey]) -> bool:
    try:
        verify_authority(state, ops, signed)
    except MissingActiveAuthority:
        return False
    return True


def test_the_active_key_signs_alone(state: State) -> None:
    """R9.5: everyday operations need the active authority."""
    verify_authority(state, [pays(ALICE)], keys("alice"))
    with pytest.raises(MissingActiveAuthority) as caught:
        verify_authority(state, [pays(ALICE)], ())
    assert caught.value.value == "1.2.6"
    with pytest.raises(MissingActiveAuthority):
        verify_authority(state, [pays(ALICE)], keys("bob"))


def test_an_unknown_account_cannot_sign(state: State) -> None:
    """R9.5: required accounts exist."""
    with pytest.raises(NoSuchObject):
        verify_authority(state, [pays(AccountId(99))], keys("alice"))


def test_the_owner_key_stands_in_for_the_active_one_and_not_the_reverse(state: State) -> None:
    """R9.5: an active requirement takes active or owner, an owner requirement only owner."""
    set_active(state, ALICE, key_authority(key_of("active")))
    verify_authority(state, [pays(ALICE)], keys("alice"))
    verify_authority(state, [pays(ALICE)], keys("active"))
    owner_change = AccountUpdate(NO_FEE, ALICE, owner=key_authority(key_of("new")))
    verify_authority(state, [owner_change], keys("alice"))
    with pytest.raises(MissingOwnerAuthority):
        verify_authority(state, [owner_change], keys("active"))


def test_the_issuer_changes_by_owner_authority(state: State) -> None:
    """R9.6: asset_update_issuer needs the issuer's owner authority."""
    set_active(state, ALICE, key_authority(key_of("active")))
    op = AssetUpdateIssuer(NO_FEE, ALICE, AssetId(1), BOB)
    verify_authority(state, [op], keys("alice"))
    with pytest.raises(MissingOwnerAuthority):
        verify_authority(state, [op], keys("active"))


OWNER_OPERATIONS: list[Operation] = [
    AccountUpdate(NO_FEE, ALICE, owner=key_authority(key_of("new"))),
    AssetUpdateIssuer(NO_FEE, ALICE, AssetId(1), BOB),
    ProposalDelete(NO_FEE, ALICE, True, ProposalId(0)),
    ProposalUpdate(NO_FEE, ALICE, ProposalId(0), owner_approvals_to_add=(ALICE,)),
    ProposalUpdate(NO_FEE, ALICE, ProposalId(0), owner_approvals_to_remove=(ALICE,)),
]
"""Each that requires the owner authority of the account that pays its fee."""


@pytest.mark.parametrize("operation", OWNER_OPERATIONS, ids=lambda op: type(op).__name__)
def test_active_keys_may_sign_beside_the_owner(state: State, operation: Operation) -> None:
    """C16, R9.5: the active authority pays the fee; the owner authority alone is enough, too."""
    set_active(state, ALICE, key_authority(key_of("active")))
    verify_authority(state, [operation], keys("alice"))
    verify_authority(state, [operation], keys("alice", "active"))
    with pytest.raises(MissingOwnerAuthority):
        verify_authority(state, [operation], keys("active"))
    with pytest.raises(IrrelevantSignature):
        verify_authority(state, [operation], keys("alice", "active", "bob"))


def test_active_keys_of_others_stay_irrelevant(state: State) -> None:
    """C16, R9.5: of an account whose owner authority approves, and which pays nothing."""
    set_active(state, BOB, key_authority(key_of("active")))
    update = ProposalUpdate(NO_FEE, ALICE, ProposalId(0), owner_approvals_to_add=(BOB,))
    verify_authority(state, [update], keys("alice", "bob"))
    with pytest.raises(IrrelevantSignature):
        verify_authority(state, [update], keys("alice", "bob", "active"))


def test_the_committee_does_not_sign_as_owner_either(state: State) -> None:
    """C16, R9.5: it pays for what its owner authority does, and acts by proposals only."""
    operation = AccountUpdate(NO_FEE, COMMITTEE_ACCOUNT, owner=key_authority(key_of("new")))
    with pytest.raises(InvalidCommitteeApproval):
        verify_authority(state, [operation], ())


def test_weights_add_up_to_the_threshold(state: State) -> None:
    """R9.5: keys and accounts count by weight."""
    mixed = Authority(3, ((BOB, 1),), ((key_of("x"), 1), (key_of("y"), 2)))
    set_both(state, ALICE, mixed)
    verify_authority(state, [pays(ALICE)], keys("x", "y"))
    verify_authority(state, [pays(ALICE)], keys("bob", "y"))
    with pytest.raises(MissingActiveAuthority):
        verify_authority(state, [pays(ALICE)], keys("x", "bob"))


def test_a_signature_that_nobody_needs_is_refused(state: State) -> None:
    """R9.5: irrelevant_sig; the threshold is reached before the second key is looked at."""
    with pytest.raises(IrrelevantSignature):
        verify_authority(state, [pays(ALICE)], keys("alice", "bob"))
    first, second = sorted(keys("x", "y"))
    set_both(state, ALICE, Authority(1, key_auths=((first, 1), (second, 1))))
    verify_authority(state, [pays(ALICE)], (second,))
    with pytest.raises(IrrelevantSignature) as caught:
        verify_authority(state, [pays(ALICE)], (first, second))
    assert caught.value.value == second.hex()


def test_several_operations_need_the_keys_of_all(state: State) -> None:
    """R9.5: one verification for the whole transaction."""
    ops = [pays(ALICE), pays(BOB), pays(ALICE)]
    verify_authority(state, ops, keys("alice", "bob"))
    with pytest.raises(MissingActiveAuthority):
        verify_authority(state, ops, keys("alice"))


def test_accounts_are_followed_to_depth_two(state: State) -> None:
    """R9.5: alice by bob by carol passes, alice by bob by carol by dave is too deep."""
    set_both(state, ALICE, by_account(BOB))
    set_both(state, BOB, by_account(CAROL))
    verify_authority(state, [pays(ALICE)], keys("carol"))
    set_both(state, CAROL, by_account(DAVE))
    verify_authority(state, [pays(BOB)], keys("dave"))
    with pytest.raises(MissingActiveAuthority):
        verify_authority(state, [pays(ALICE)], keys("dave"))


def test_owner_authorities_count_below_the_top(state: State) -> None:
    """R9.5: an account inside an authority is satisfied by its owner authority too."""
    set_active(state, BOB, key_authority(key_of("active")))
    set_both(state, ALICE, by_account(BOB))
    verify_authority(state, [pays(ALICE)], keys("bob"))


def test_a_cycle_ends(state: State) -> None:
    """R9.5: accounts that wait for each other are not satisfied."""
    set_both(state, ALICE, by_account(BOB))
    set_both(state, BOB, by_account(ALICE))
    with pytest.raises(MissingActiveAuthority):
        verify_authority(state, [pays(ALICE)], keys("carol"))


def test_a_diamond_counts_its_tip_once_for_each_side(state: State) -> None:
    """R9.5: alice needs bob and carol, both controlled by dave."""
    set_both(state, ALICE, by_account(BOB, CAROL, threshold=2))
    set_both(state, BOB, by_account(DAVE))
    set_both(state, CAROL, by_account(DAVE))
    verify_authority(state, [pays(ALICE)], keys("dave"))


def test_an_approval_on_the_way_gives_a_failed_account_another_chance(state: State) -> None:
    """R9.5: bob needs carol and dave; carol, by dave, lies too deep until dave is approved.

    Alice's active authority fails for that reason; her owner authority, the same, then passes.
    """
    set_both(state, ALICE, by_account(BOB))
    set_active(state, BOB, by_account(CAROL, DAVE, threshold=2))
    set_both(state, CAROL, by_account(DAVE))
    verify_authority(state, [pays(ALICE)], keys("dave"))


def test_anybody_acts_for_the_temp_account(state: State) -> None:
    """R9.5, R9.8: the temp account counts as approved, so no signature is needed or allowed."""
    verify_authority(state, [pays(TEMP_ACCOUNT)], ())
    set_both(state, ALICE, by_account(TEMP_ACCOUNT))
    verify_authority(state, [pays(ALICE)], ())


def test_a_threshold_of_zero_is_always_satisfied(state: State) -> None:
    """R9.5: an authority without a threshold asks for nothing."""
    set_both(state, ALICE, Authority(0))
    verify_authority(state, [pays(ALICE)], ())


def test_the_committee_acts_only_through_proposals(state: State) -> None:
    """R9.5: invalid_committee_approval, unless a proposal speaks for it."""
    set_both(state, COMMITTEE_ACCOUNT, by_account(ALICE))
    with pytest.raises(InvalidCommitteeApproval):
        verify_authority(state, [pays(COMMITTEE_ACCOUNT)], keys("alice"))
    verify_authority(
        state, [pays(COMMITTEE_ACCOUNT)], (), allow_committee=True, active_approvals=(ALICE,)
    )


def test_a_claim_needs_the_key_of_the_balance(state: State) -> None:
    """R9.6: missing_other_auth names an authority that is no account's."""
    op = BalanceClaim(NO_FEE, ALICE, BalanceId(0), key_of("old wallet"), core(1))
    verify_authority(state, [op], keys("alice", "old wallet"))
    with pytest.raises(MissingOtherAuthority):
        verify_authority(state, [op], keys("alice"))


def test_approvals_stand_in_for_signatures(state: State) -> None:
    """R8.23: an owner approval satisfies both requirements, an active one only its own."""
    owner_change = AccountUpdate(NO_FEE, ALICE, owner=key_authority(key_of("new")))
    verify_authority(state, [pays(ALICE)], (), owner_approvals=(ALICE,))
    verify_authority(state, [pays(ALICE)], (), active_approvals=(ALICE,))
    verify_authority(state, [owner_change], (), owner_approvals=(ALICE,))
    with pytest.raises(MissingOwnerAuthority):
        verify_authority(state, [owner_change], (), active_approvals=(ALICE,))


def test_a_key_approval_that_an_account_approval_makes_needless_is_irrelevant(
    state: State,
) -> None:
    """R9.5: alice's key adds nothing to alice's approval."""
    with pytest.raises(IrrelevantSignature):
        verify_authority(state, [pays(ALICE)], keys("alice"), active_approvals=(ALICE,))


@pytest.mark.parametrize("form", range(5))
def test_every_address_of_a_key_counts(state: State, form: int) -> None:
    """R9.5: old authorities name addresses, of five formats."""
    key = key_of("alice")
    set_both(state, BOB, Authority(1, address_auths=((addresses_of(key)[form], 1),)))
    verify_authority(state, [pays(BOB)], (key,))
    with pytest.raises(MissingActiveAuthority):
        verify_authority(state, [pays(BOB)], keys("carol"))


@pytest.mark.usefixtures("interpreted")
def test_wide_graphs_are_checked_in_bounded_work(state: State) -> None:
    """T-C4: ten members on each of many levels, all failing, at the largest depth."""
    parameters = replace(state.parameters, max_authority_depth=60)
    state.global_properties.edit(state.properties).parameters = parameters
    wide = Authority(1, tuple((AccountId(n), 1) for n in range(6, 10)))
    for account in (ALICE, BOB, CAROL, DAVE):
        set_both(state, account, wide)
    check = CountingCheck(state, keys("nobody"))
    assert not check.is_account_satisfied(ALICE)
    assert check.lookups < 4 * 4 * 60 * 4


class CountingCheck(ApprovalCheck):
    """Counts how many authorities are looked at."""

    lookups = 0

    def is_satisfied(self, authority: Authority, depth: int = 0) -> bool:
        self.lookups += 1
        return super().is_satisfied(authority, depth)


SIGNERS = keys("k0", "k1", "k2")
GRAPH = (ALICE, BOB, CAROL, DAVE)
entries = st.lists(st.tuples(st.sampled_from(GRAPH), st.integers(1, 2)), max_size=3)
key_entries = st.lists(st.tuples(st.sampled_from(SIGNERS), st.integers(1, 2)), max_size=2)


@st.composite
def authorities(draw: st.DrawFn) -> Authority:
    """Any small authority over four accounts and three keys; cycles and diamonds included."""
    accounts = tuple(sorted(dict(draw(entries)).items()))
    signers = tuple(sorted(dict(draw(key_entries)).items()))
    return Authority(draw(st.integers(1, 4)), accounts, signers)


class SlowCheck:
    """R9.5 read aloud, without any memory of failures: the twin of `ApprovalCheck`."""

    def __init__(self, state: State, signed: Collection[PublicKey]) -> None:
        self.state = state
        self.signed = signed
        self.used: set[PublicKey] = set()
        self.approved = {TEMP_ACCOUNT}

    def is_satisfied(self, rule: Authority, depth: int) -> bool:
        total = 0
        for key, weight in rule.key_auths:
            if key in self.signed:
                self.used.add(key)
                total += weight
                if total >= rule.weight_threshold:
                    return True
        for account_id, weight in rule.account_auths:
            if account_id not in self.approved and depth < 2:
                account = self.state.accounts.get(account_id)
                if self.is_satisfied(account.active, depth + 1) or self.is_satisfied(
                    account.owner, depth + 1
                ):
                    self.approved.add(account_id)
            if account_id in self.approved:
                total += weight
                if total >= rule.weight_threshold:
                    return True
        return total >= rule.weight_threshold


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(authorities(), authorities()), min_size=4, max_size=4),
    st.sets(st.sampled_from(SIGNERS)),
)
def test_the_check_agrees_with_its_slow_twin_on_random_graphs(
    rules: list[tuple[Authority, Authority]], signed: set[PublicKey]
) -> None:
    """R9.5, T-C4: the memory of failures changes neither the answer nor the keys it took."""
    state = make_state("alice", "bob", "carol", "dave")
    for account, (active, owner) in zip(GRAPH, rules, strict=True):
        item = state.accounts.edit(state.accounts.get(account))
        item.active, item.owner = active, owner
    fast, slow = ApprovalCheck(state, signed), SlowCheck(state, signed)
    for account in GRAPH:
        item = state.accounts.get(account)
        expected = account in slow.approved or (
            slow.is_satisfied(item.active, 0) or slow.is_satisfied(item.owner, 0)
        )
        assert fast.is_account_satisfied(account) is expected
        assert (fast.used, fast.approved) == (slow.used, slow.approved)
