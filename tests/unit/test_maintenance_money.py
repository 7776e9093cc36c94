"""Budget, pay, fees and parameters at maintenance, by numbers worked out by hand (R8.7-R8.21)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.chain.budget import total_budget
from node.chain.maintenance import next_maintenance_after
from node.state.objects.governance import BurnWorker, RefundWorker
from node.state.objects.vesting import CddVesting
from protocol.asset import NO_FEE, AssetAmount
from protocol.authority import key_authority
from protocol.chain_parameters import WITNESS_PAY_VESTING_S
from protocol.constants import CORE_ASSET, NULL_ACCOUNT
from protocol.crypto.keys import public_key
from protocol.fees import DEFAULT_FEE_SCHEDULE
from protocol.genesis import InitialAccount, InitialAccountBalance, InitialWorker
from protocol.ids import (
    AccountId,
    AssetBitassetDataId,
    BudgetRecordId,
    VestingBalanceId,
    WitnessId,
    WorkerId,
)
from protocol.operations.account import AccountCreate, AccountUpdate
from protocol.operations.transfer import Transfer
from tests.support.chain import TestChain, make_genesis, make_parameters, supply_of
from tests.support.world import GENESIS_TIME, secret_of

PAY = 1_000_000
RESERVE = 10**15 - 10**10
ELAPSED_S = 1995
"""From block 1, 5 s after the genesis, to the next whole hour of 3600 s."""


def maintain(chain: TestChain) -> None:
    """Make the next maintenance block."""
    chain.block_at(chain.state.dynamic.next_maintenance_time)
    assert chain.state.dynamic.maintenance_flag


@pytest.fixture
def chain() -> TestChain:
    chain = TestChain("alice", core=10**10)
    chain.block()
    return chain


def test_the_first_maintenance_has_no_budget(chain: TestChain) -> None:
    """R8.10, R8.14: block 1 is a maintenance block, and no time has passed before it."""
    record = chain.state.budget_records.get(BudgetRecordId(0)).record
    assert (record.time_since_last_budget, record.total_budget, record.supply_delta) == (0, 0, 0)
    assert chain.state.dynamic.witness_budget == 0
    assert chain.state.dynamic.next_maintenance_time == GENESIS_TIME + 2000
    assert chain.state.dynamic.last_budget_time == GENESIS_TIME + 5


def test_the_budget_by_hand(chain: TestChain) -> None:
    """R8.14: ceil(reserve * 1995 s * 17 / 2**32); of it 720 blocks' pay; workers an hour."""
    before = supply_of(chain)
    maintain(chain)
    record = chain.state.budget_records.get(BudgetRecordId(1)).record
    assert record.time_since_last_budget == ELAPSED_S
    assert record.from_initial_reserve == RESERVE
    assert record.total_budget == 7_896_372_316
    assert record.requested_witness_budget == record.witness_budget == 720 * PAY
    assert record.worker_budget == record.leftover_worker_funds == 50_000_000_000 // 24
    assert record.supply_delta == 720 * PAY
    assert supply_of(chain) == before + 720 * PAY
    assert chain.state.dynamic.witness_budget == 720 * PAY


def test_witnesses_are_paid_until_the_budget_ends(chain: TestChain) -> None:
    """R8.7: a block's pay goes to a coin-days balance that vests in a day."""
    applied = chain.block()
    assert chain.state.witnesses.get(applied.envelope.header.witness).pay_vb is None
    maintain(chain)
    paid: dict[int, int] = {}
    for _ in range(6):
        witness = chain.block().envelope.header.witness
        paid[witness] = paid.get(witness, 0) + PAY
    assert chain.state.dynamic.witness_budget == 714 * PAY
    for number, amount in paid.items():
        item = chain.state.witnesses.get(WitnessId(number))
        assert item.pay_vb is not None
        vesting = chain.state.vesting_balances.get(item.pay_vb)
        assert vesting.owner == item.witness_account
        assert vesting.balance == AssetAmount(amount, CORE_ASSET)
        assert isinstance(vesting.policy, CddVesting)
        assert vesting.policy.vesting_seconds == WITNESS_PAY_VESTING_S
    with chain.chain.head_state() as state:
        state.dynamic.witness_budget = PAY // 2
        state.figures_of(CORE_ASSET).current_supply -= 714 * PAY - PAY // 2
    chain.block()
    assert chain.state.dynamic.witness_budget == 0
    chain.block()
    assert chain.state.dynamic.witness_budget == 0


def test_unspent_budget_returns(chain: TestChain) -> None:
    """R8.14: what witnesses did not earn and network fees go back to the reserve first."""
    maintain(chain)
    chain.blocks(3)
    supply = supply_of(chain)
    maintain(chain)
    record = chain.state.budget_records.get(BudgetRecordId(2)).record
    assert record.from_unused_witness_budget == (720 - 4) * PAY
    assert record.supply_delta == 720 * PAY - 716 * PAY
    assert supply_of(chain) == supply + record.supply_delta


@pytest.mark.parametrize(
    ("reserve", "elapsed", "expected"),
    [(0, 100, 0), (100, 0, 0), (1, 1, 1), (2**32, 1, 17), (2**32 + 1, 1, 18), (5, 2**32, 5)],
)
def test_the_rate_is_rounded_up(reserve: int, elapsed: int, expected: int) -> None:
    """R8.14: never more than the reserve, and no reserve is out of reach."""
    assert total_budget(reserve, elapsed) == expected


def test_workers_are_paid_by_votes() -> None:
    """R8.14, R8.15: most votes first, each for the time passed, until the budget is used."""
    daily = 86_400
    genesis = make_genesis("alice", core=10**10)
    workers = tuple(InitialWorker(name, daily) for name in ("init0", "init1", "init2"))
    chain = TestChain(genesis=replace(genesis, initial_worker_candidates=workers))
    chain.block()
    with chain.chain.head_state() as state:
        state.workers.get(WorkerId(1)).worker = RefundWorker(0)
        state.workers.get(WorkerId(2)).worker = BurnWorker(0)
    options = chain.state.account_named("alice").options
    votes = tuple(sorted(worker.vote_for for worker in chain.state.workers.in_order()))
    chain.block(
        AccountUpdate(NO_FEE, chain.account("alice"), new_options=replace(options, votes=votes))
    )
    chain.set_parameters(worker_budget_per_day=24 * (2 * ELAPSED_S + 7))
    supply = supply_of(chain)
    maintain(chain)
    record = chain.state.budget_records.get(BudgetRecordId(1)).record
    assert record.worker_budget == 2 * ELAPSED_S + 7
    assert record.leftover_worker_funds == 0
    assert record.supply_delta == 720 * PAY + 2 * ELAPSED_S + 7
    vesting, refund, burn = chain.state.workers.in_order()
    assert chain.state.vesting_balances.get(VestingBalanceId(0)).balance.amount == ELAPSED_S
    assert refund.worker == RefundWorker(ELAPSED_S)
    assert burn.worker == BurnWorker(7)
    assert chain.state.balance_of(NULL_ACCOUNT, CORE_ASSET) == 7
    assert supply_of(chain) == supply + 720 * PAY + ELAPSED_S + 7
    assert vesting.total_votes_for == 10**10


def test_the_worker_with_most_votes_is_paid_first() -> None:
    """R8.14: the budget ends before the older, less wanted one."""
    genesis = make_genesis("alice", core=10**10)
    workers = tuple(InitialWorker(name, 86_400) for name in ("init0", "init1"))
    chain = TestChain(genesis=replace(genesis, initial_worker_candidates=workers))
    chain.block()
    options = chain.state.account_named("alice").options
    older, newer = (worker.vote_for for worker in chain.state.workers.in_order())
    chain.block(chain.transfer("alice", "init0", 10))
    for name, votes in (("alice", (newer,)), ("init0", (older,))):
        opinion = replace(options, votes=votes)
        chain.block(AccountUpdate(NO_FEE, chain.account(name), new_options=opinion))
    chain.set_parameters(worker_budget_per_day=24 * (ELAPSED_S + 1))
    maintain(chain)
    pay = [
        chain.state.vesting_balances.get(VestingBalanceId(number)).balance.amount
        for number in (0, 1)
    ]
    assert pay == [1, ELAPSED_S]


def paying_chain() -> TestChain:
    """Default fees; dave is a basic account that init0 registered and init1 referred."""
    genesis = make_genesis(
        "alice", core=10**10, parameters=make_parameters(current_fees=DEFAULT_FEE_SCHEDULE)
    )
    dave = InitialAccount("dave", public_key(secret_of("dave")))
    genesis = replace(
        genesis,
        initial_accounts=(*genesis.initial_accounts, dave),
        pegboard=replace(
            genesis.pegboard,
            account_balances=(
                *(genesis.pegboard.account_balances or ()),
                InitialAccountBalance("dave", "TEST", 10**10),
            ),
        ),
    )
    chain = TestChain(genesis=genesis)
    chain.block()
    with chain.chain.head_state() as state:
        dave_account = state.account_named("dave")
        dave_account.registrar = state.account_named("init0").id
        dave_account.referrer = state.account_named("init1").id
        dave_account.lifetime_referrer = state.account_named("init2").id
        dave_account.referrer_rewards_percentage = 7_500
    return chain


def pay_fee(chain: TestChain, name: str, fee: int) -> None:
    receiver = AccountId(0)
    chain.block(Transfer(chain.amount(fee), chain.account(name), receiver, chain.amount(1), None))


def cashback(chain: TestChain, name: str) -> int:
    balance = chain.state.account_named(name).cashback_vb
    return 0 if balance is None else chain.state.vesting_balances.get(balance).balance.amount


def test_fees_are_shared_out_by_hand() -> None:
    """R8.20: of 2,000,003: network 400,000, lifetime 600,000, then 75 % of the 1,000,003 left."""
    chain = paying_chain()
    pay_fee(chain, "dave", 2_000_003)
    statistics = chain.state.statistics.get(chain.state.account_named("dave").statistics)
    assert (statistics.pending_fees, statistics.pending_vested_fees) == (0, 2_000_003)
    maintain(chain)
    assert (statistics.pending_vested_fees, statistics.lifetime_fees_paid) == (0, 2_000_003)
    record = chain.state.budget_records.get(BudgetRecordId(1)).record
    assert record.from_accumulated_fees == 400_000
    assert cashback(chain, "init2") == 600_000
    assert cashback(chain, "init1") == 750_002
    assert cashback(chain, "init0") == 2_000_003 - 400_000 - 600_000 - 750_002
    assert chain.state.figures_of(CORE_ASSET).accumulated_fees == 0


def test_small_fees_are_available_at_once_large_ones_vest() -> None:
    """R8.20: the threshold is 100 CORE; above it the shares vest in a year."""
    chain = paying_chain()
    threshold = chain.state.parameters.cashback_vesting_threshold
    pay_fee(chain, "dave", threshold)
    pay_fee(chain, "dave", threshold + 1)
    statistics = chain.state.statistics.get(chain.state.account_named("dave").statistics)
    assert (statistics.pending_fees, statistics.pending_vested_fees) == (threshold + 1, threshold)
    maintain(chain)
    balance_id = chain.state.account_named("init2").cashback_vb
    assert balance_id is not None
    vesting = chain.state.vesting_balances.get(balance_id)
    assert isinstance(vesting.policy, CddVesting)
    vested_share = threshold * 3 // 10
    assert vesting.balance.amount == vested_share + (threshold + 1) * 3 // 10
    seconds = chain.state.parameters.cashback_vesting_period_seconds
    assert vesting.policy.coin_seconds_earned == vested_share * seconds


def test_a_referrer_who_is_no_member_any_more_loses_the_role() -> None:
    """R8.20: the lifetime referrer takes it over, for good."""
    chain = paying_chain()
    with chain.chain.head_state() as state:
        state.account_named("init1").membership_expiration_date = 0
    pay_fee(chain, "dave", 2_000_000)
    maintain(chain)
    assert chain.state.account_named("dave").referrer == chain.account("init2")
    assert cashback(chain, "init1") == 0
    assert cashback(chain, "init2") == 600_000 + 750_000


def test_shares_of_special_accounts_are_burned() -> None:
    """R8.20: what accounts 0 to 4 would get leaves the supply."""
    chain = paying_chain()
    with chain.chain.head_state() as state:
        dave = state.account_named("dave")
        dave.registrar, dave.referrer, dave.lifetime_referrer = (
            AccountId(4),
            AccountId(0),
            AccountId(0),
        )
    pay_fee(chain, "dave", 2_000_000)
    supply = supply_of(chain)
    maintain(chain)
    record = chain.state.budget_records.get(BudgetRecordId(1)).record
    assert supply_of(chain) == supply - 1_600_000 + record.supply_delta


def test_the_registration_fee_scales_and_falls_back() -> None:
    """R8.21: each n registrations shift the basic fee; maintenance takes it back."""
    chain = paying_chain()
    chain.set_parameters(accounts_per_fee_scale=2, account_fee_scale_bitshifts=3)
    basic = 500_000

    def basic_fee() -> int:
        schedule = chain.state.parameters.current_fees
        (entry,) = [item for item in schedule.parameters if item.tag == 5]
        return int(entry.value.basic_fee)  # type: ignore[attr-defined]

    assert basic_fee() == basic
    for number in range(4):
        key = key_authority(public_key(secret_of("new")))
        memo_key = public_key(secret_of("new"))
        alice = chain.account("alice")
        options = replace(chain.state.account_named("alice").options, memo_key=memo_key)
        chain.block(
            AccountCreate(chain.amount(10**9), alice, alice, 0, f"new-{number}", key, key, options)
        )
    assert basic_fee() == basic << 6
    maintain(chain)
    assert basic_fee() == basic
    assert chain.state.dynamic.accounts_registered_this_interval == 0


def test_pending_parameters_take_effect_at_maintenance(chain: TestChain) -> None:
    """R8.10: and they decide the next maintenance time already."""
    with chain.chain.head_state() as state:
        properties = state.properties
        properties.pending_parameters = replace(properties.parameters, maintenance_interval=60)
    chain.block()
    assert chain.state.parameters.maintenance_interval == 3600
    maintain(chain)
    assert chain.state.parameters.maintenance_interval == 60
    assert chain.state.properties.pending_parameters is None
    assert chain.state.dynamic.next_maintenance_time == chain.chain.head_time + 60


@pytest.mark.parametrize(
    ("previous", "now", "block_num", "expected"),
    [
        (0, 7205, 1, 10_800),
        (7200, 7200, 9, 10_800),
        (7200, 10_799, 9, 10_800),
        (7200, 10_800, 9, 14_400),
        (7200, 100_000, 9, 100_800),
    ],
)
def test_the_next_maintenance_time(previous: int, now: int, block_num: int, expected: int) -> None:
    """R8.10: the least time of the grid after the block; missed ones are not made up for."""
    assert next_maintenance_after(previous, now, 3600, block_num) == expected


def test_settled_volume_starts_again(chain: TestChain) -> None:
    """R8.10, I11: the volume of forced settlements counts from maintenance."""
    with chain.chain.head_state() as state:
        state.bitassets.get(AssetBitassetDataId(0)).force_settled_volume = 5
    chain.block()
    assert chain.state.bitassets.get(AssetBitassetDataId(0)).force_settled_volume == 5
    maintain(chain)
    assert chain.state.bitassets.get(AssetBitassetDataId(0)).force_settled_volume == 0


def test_old_feeds_are_erased(chain: TestChain) -> None:
    """R1.19: at maintenance the feeds of a witness-fed asset that outlived their time go."""
    chain.block(*chain.feed("USD", 1, 2))
    assert len(chain.state.bitassets.get(AssetBitassetDataId(0)).feeds) == 1
    maintain(chain)
    assert len(chain.state.bitassets.get(AssetBitassetDataId(0)).feeds) == 1
    chain.block_at(chain.chain.head_time + 90_000)
    assert chain.state.bitassets.get(AssetBitassetDataId(0)).feeds == ()
