"""Elections at maintenance: whose stake counts, how many win, with what weight (R8.11-R8.13)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.chain import maintenance
from node.chain.votes import elected_authority, wanted_count
from node.state.errors import InsufficientBalance
from node.state.objects.governance import Witness
from node.state.objects.vesting import BALANCE_CASHBACK, CddVesting, VestingBalance
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import COMMITTEE_ACCOUNT, CORE_ASSET, PROXY_TO_SELF_ACCOUNT, WITNESS_ACCOUNT
from protocol.ids import AccountId, VoteId, WitnessId
from protocol.operations.account import AccountOptions, AccountUpdate
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.witness import WitnessCreate
from tests.support.chain import TestChain, make_genesis


def votes_of(chain: TestChain, *witnesses: int) -> list[VoteId]:
    return [chain.state.witnesses.get(WitnessId(number)).vote_id for number in witnesses]


def voting(
    chain: TestChain,
    name: str,
    votes: Sequence[VoteId] = (),
    *,
    num_witness: int = 0,
    num_committee: int = 0,
    proxy: str | None = None,
) -> AccountUpdate:
    """An account's new opinion."""
    account = chain.state.account_named(name)
    options = AccountOptions(
        memo_key=account.options.memo_key,
        voting_account=PROXY_TO_SELF_ACCOUNT if proxy is None else chain.account(proxy),
        num_witness=num_witness,
        num_committee=num_committee,
        votes=tuple(sorted(votes)),
    )
    return AccountUpdate(NO_FEE, account.id, new_options=options)


def maintain(chain: TestChain) -> None:
    """Make the next maintenance block."""
    chain.block_at(chain.state.dynamic.next_maintenance_time)
    assert chain.state.dynamic.maintenance_flag


def total_votes(chain: TestChain) -> dict[int, int]:
    return {witness.id: witness.total_votes for witness in chain.state.witnesses.in_order()}


@pytest.fixture
def chain() -> TestChain:
    genesis = make_genesis("alice", "bob", "carol", core=1000, witnesses=5)
    limits = replace(genesis.immutable_parameters, min_witness_count=1)
    chain = TestChain(genesis=replace(genesis, immutable_parameters=limits))
    chain.block()
    return chain


def test_votes_count_at_the_next_maintenance(chain: TestChain) -> None:
    """R8.10, R8.11: balance is stake, and nothing changes before maintenance."""
    chain.block(voting(chain, "alice", votes_of(chain, 4)))
    assert total_votes(chain)[4] == 0
    maintain(chain)
    assert total_votes(chain) == {1: 0, 2: 0, 3: 0, 4: 1000, 5: 0}
    statistics = chain.state.statistics.get(chain.state.account_named("alice").statistics)
    assert (statistics.core_in_balance, statistics.voting_stake) == (1000, 1000)
    assert chain.state.properties.active_witnesses == (4,)


def test_a_proxy_speaks_for_others_one_hop_far(chain: TestChain) -> None:
    """R8.11: bob's stake follows carol's opinion; alice's goes no further than to bob."""
    chain.block(
        voting(chain, "carol", votes_of(chain, 3)),
        voting(chain, "bob", votes_of(chain, 5), proxy="carol"),
        voting(chain, "alice", proxy="bob"),
    )
    maintain(chain)
    assert total_votes(chain) == {1: 0, 2: 0, 3: 2000, 4: 0, 5: 1000}


def test_orders_count_as_stake(chain: TestChain) -> None:
    """R8.11: CORE in orders and in collateral votes too."""
    order = LimitOrderCreate(
        NO_FEE,
        chain.account("alice"),
        chain.amount(400),
        chain.amount(400, "USD"),
        chain.chain.head_time + 86_400,
        False,
    )
    chain.block(order, voting(chain, "alice", votes_of(chain, 2)))
    maintain(chain)
    statistics = chain.state.statistics.get(chain.state.account_named("alice").statistics)
    assert (statistics.core_in_balance, statistics.total_core_in_orders) == (600, 400)
    assert total_votes(chain)[2] == 1000


def test_members_only(chain: TestChain) -> None:
    """R8.11: with count_non_member_votes off, stake of basic accounts is silent."""
    chain.block(voting(chain, "alice", votes_of(chain, 2)))
    with chain.chain.head_state() as state:
        state.account_named("alice").membership_expiration_date = 0
    chain.set_parameters(count_non_member_votes=False)
    maintain(chain)
    assert total_votes(chain)[2] == 0
    chain.set_parameters(count_non_member_votes=True)
    maintain(chain)
    assert total_votes(chain)[2] == 1000


def test_how_many_is_decided_by_half_of_the_stake(chain: TestChain) -> None:
    """R8.12: one abstains; 1001 of the other 2000 want no more than 3."""
    chain.block(
        chain.transfer("carol", "bob", 1),
        voting(chain, "alice", votes_of(chain, 2), num_witness=1),
        voting(chain, "bob", votes_of(chain, 2, 3, 4), num_witness=3),
        voting(chain, "carol", votes_of(chain, 1, 2, 3, 4, 5), num_witness=5),
    )
    maintain(chain)
    assert total_votes(chain) == {1: 999, 2: 3000, 3: 2000, 4: 2000, 5: 999}
    assert chain.state.properties.active_witnesses == (2, 3, 4)

    chain.block(chain.transfer("bob", "carol", 1))
    maintain(chain)
    assert len(chain.state.properties.active_witnesses) == 5


def test_the_elected_make_the_witness_accounts_authority(chain: TestChain) -> None:
    """R8.13: weights are votes, zero votes weigh nothing, more than half is needed."""
    chain.block(
        voting(chain, "alice", votes_of(chain, 2, 3, 5), num_witness=3),
        voting(chain, "bob", votes_of(chain, 2, 3), num_witness=2),
    )
    maintain(chain)
    authority = chain.state.accounts.get(WITNESS_ACCOUNT).active
    accounts = [chain.state.witnesses.get(WitnessId(n)).witness_account for n in (2, 3, 5)]
    assert authority.account_auths == tuple(zip(accounts, (2000, 2000, 1000), strict=True))
    assert authority.weight_threshold == 2501


def test_committee_members_are_elected_too(chain: TestChain) -> None:
    """R8.12, R8.13: with the relaxed committee following."""
    members = [member.vote_id for member in chain.state.committee_members.in_order()]
    chain.block(voting(chain, "alice", members[1:4], num_committee=3))
    maintain(chain)
    assert chain.state.properties.active_committee_members == (1, 2, 3)
    committee = chain.state.accounts.get(COMMITTEE_ACCOUNT).active
    assert [weight for _, weight in committee.account_auths] == [1000] * 3
    assert chain.state.account_named("relaxed-committee-account").active == committee


def test_without_votes_authorities_stay(chain: TestChain) -> None:
    """R8.13: all zero leaves the authority as it was; the first by vote id are active."""
    before = chain.state.accounts.get(WITNESS_ACCOUNT).active
    maintain(chain)
    assert chain.state.accounts.get(WITNESS_ACCOUNT).active == before
    assert chain.state.properties.active_witnesses == (1,)


def test_a_newly_elected_witness_produces(chain: TestChain) -> None:
    """R8.6: at the end of the round the schedule holds the elected ones."""
    key = chain.state.witnesses.get(WitnessId(1)).signing_key
    chain.block(WitnessCreate(NO_FEE, chain.account("alice"), "", key))
    vote = chain.state.witnesses.get(WitnessId(6)).vote_id
    chain.block(voting(chain, "bob", [vote], num_witness=1))
    maintain(chain)
    assert chain.state.properties.active_witnesses == (6,)
    assert chain.state.witness_schedules.rows[0].current_shuffled_witnesses == (6,)
    assert chain.chain.scheduled_witness(1) == 6


@pytest.mark.parametrize(
    ("counts", "total", "minimum", "expected"),
    [
        ([0, 0, 0], 0, 1, 1),
        ([0, 0, 0], 0, 11, 11),
        ([100, 0, 0], 100, 1, 1),
        ([0, 10, 10, 10], 30, 1, 5),
        ([0, 16, 10, 5], 31, 1, 3),
        ([0, 15, 10, 5], 30, 1, 5),
        ([1000, 0, 0, 1], 1001, 1, 1),
        ([1000, 0, 0, 2], 1002, 1, 7),
        ([0, 0, 0, 30], 30, 1, 7),
        ([0, 0, 0, 0], 30, 1, 7),
    ],
)
def test_the_count_by_hand(counts: list[int], total: int, minimum: int, expected: int) -> None:
    """R8.12: tally until it exceeds half of the stake that does not abstain."""
    assert wanted_count(counts, total, minimum) == expected


@given(st.lists(st.integers(0, 2**60), min_size=1, max_size=20))
def test_weights_fit_and_keep_their_order(votes: list[int]) -> None:
    """R8.13: weights of 16 bits, at least one each, in the order of the votes."""
    authority = elected_authority([(AccountId(n), count) for n, count in enumerate(votes)])
    if not any(votes):
        assert authority is None
        return
    assert authority is not None
    weights = dict(authority.account_auths)
    assert set(weights) == {n for n, count in enumerate(votes) if count}
    assert all(1 <= weight < 2**16 for weight in weights.values())
    assert authority.weight_threshold == sum(weights.values()) // 2 + 1
    ordered = sorted(weights, key=lambda account: votes[account])
    assert [weights[AccountId(a)] for a in ordered] == sorted(weights.values())


def test_maintenance_looks_only_at_accounts_that_moved() -> None:
    """R8.11: however many accounts there are, a transfer of CORE moves two."""
    chain = TestChain(*(f"account{number}" for number in range(50)))
    chain.block()
    for _ in range(2):
        maintain(chain)
    chain.block(chain.transfer("account7", "account3", 5))
    with chain.chain.head_state() as state:
        moved = state.take_moved_statistics()
    expected = {chain.account("account7"), chain.account("account3")}
    people = {one.owner for one in moved} - {item.witness_account for item in witnesses(chain)}
    assert people == expected


def test_maintenance_counts_the_transactions_of_its_own_block(chain: TestChain) -> None:
    """R8.11: they come before it."""
    maintain(chain)
    other = chain.twin()
    other.follow(chain)
    chain.push(chain.transfer("alice", "bob", 70))
    maintain(chain)
    other.follow(chain)
    assert noted_balances(other) == [930, 1070, 1000]


def test_maintenance_that_was_taken_back_looks_again() -> None:
    """R9.1: also at who was not looked at any more in a later maintenance, taken back as well."""
    chain = TestChain("alice", "bob", "carol", core=1000, witnesses=11)
    maintain(chain)
    chain.block(chain.transfer("alice", "bob", 70))
    before = chain.chain.head_num
    for _ in range(3):
        maintain(chain)
    with chain.chain.head_state() as state:
        while chain.chain.head_num > before:
            chain.chain._pop_block()
        assert state.dynamic.head_block_number == before
    assert noted_balances(chain) == [1000, 1000, 1000]
    chain.block_at(chain.state.dynamic.next_maintenance_time + 30)
    assert noted_balances(chain) == [930, 1070, 1000]


def test_maintenance_that_failed_looks_again(
    chain: TestChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R9.1: a block that is refused at its very end leaves no trace."""
    maintain(chain)
    chain.block(chain.transfer("alice", "bob", 70))
    with monkeypatch.context() as patched:

        def fail(_: object) -> None:
            raise InsufficientBalance("for a test")

        patched.setattr(maintenance, "process_budget", fail)
        with pytest.raises(InsufficientBalance):
            maintain(chain)
    maintain(chain)
    assert noted_balances(chain) == [930, 1070, 1000]


def test_an_opinion_lasts_as_long_as_it_is_held(chain: TestChain) -> None:
    """R8.11: what those add who have it by proxy counts, with what they get back of fees."""
    votes = votes_of(chain, 4)
    chain.block(voting(chain, "alice", votes), voting(chain, "bob", proxy="alice"))
    maintain(chain)
    assert total_votes(chain)[4] == 2000
    chain.chain.paranoid = False
    with chain.chain.head_state() as state:
        state.log.begin()
        bob = state.account_named("bob")
        cashback = VestingBalance(
            id=state.vesting_balances.next_id,
            owner=bob.id,
            balance=AssetAmount(30, CORE_ASSET),
            policy=CddVesting(0, 0, 0, 0),
            balance_type=BALANCE_CASHBACK,
        )
        state.vesting_balances.create(cashback)
        state.accounts.edit(bob).cashback_vb = cashback.id
        state.asset_dynamic_data.edit(state.figures_of(CORE_ASSET)).current_supply += 35
        state.log.finish()
    maintain(chain)
    assert total_votes(chain)[4] == 2030
    maintain(chain)
    with chain.chain.head_state() as state:
        state.log.begin()
        state.vesting_balances.edit(cashback).balance = AssetAmount(35, CORE_ASSET)
        state.log.finish()
    maintain(chain)
    assert total_votes(chain)[4] == 2035
    counted_at = chain.state.dynamic.last_vote_tally_time
    chain.block(voting(chain, "alice"), voting(chain, "bob"))
    maintain(chain)
    assert total_votes(chain)[4] == 0
    alice = chain.state.statistics.get(chain.state.account_named("alice").statistics)
    assert alice.vote_tally_time == counted_at, "nobody has it any more"


def noted_balances(chain: TestChain) -> list[int]:
    """Of alice, bob and carol, as of the last maintenance."""
    accounts = [chain.state.account_named(name) for name in ("alice", "bob", "carol")]
    return [chain.state.statistics.get(one.statistics).core_in_balance for one in accounts]


def witnesses(chain: TestChain) -> list[Witness]:
    return list(chain.state.witnesses.in_order())
