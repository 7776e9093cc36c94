"""Vesting balances: linear, coin days, instant, and deposits that share one (R8.16)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.market import vesting
from node.state.context import Context
from node.state.objects.vesting import (
    BALANCE_CASHBACK,
    BALANCE_MARKET_FEE_SHARING,
    BALANCE_WITNESS,
    CddVesting,
    InstantVesting,
    LinearVesting,
    VestingBalance,
    VestingPolicy,
)
from protocol.asset import AssetAmount
from protocol.ids import AssetId
from tests.support.market import CORE
from tests.support.state import make_context, make_state
from tests.support.world import ALICE, BOB


@pytest.fixture
def ctx() -> Context:
    return make_context(make_state("alice", "bob"), 1000)


def balance_of(ctx: Context, policy: VestingPolicy, amount: int = 600) -> VestingBalance:
    table = ctx.state.vesting_balances
    return table.create(
        VestingBalance(
            id=table.next_id,
            owner=ALICE,
            balance=AssetAmount(amount, CORE),
            policy=policy,
            balance_type=BALANCE_CASHBACK,
        )
    )


@pytest.mark.parametrize(
    ("now", "expected"),
    [(999, 0), (1000, 0), (1019, 0), (1020, 120), (1033, 198), (1099, 594), (1100, 600)],
)
def test_linear_vesting(ctx: Context, now: int, expected: int) -> None:
    """R8.16: nothing before the cliff of 20 s, then a hundredth of 600 a second, floored."""
    balance = balance_of(ctx, LinearVesting(1000, 20, 100, 600))
    assert vesting.withdrawable(balance, now) == expected


def test_what_was_withdrawn_counts_against_linear_vesting(ctx: Context) -> None:
    """R8.16: half of it after half the time, less the 100 that are gone."""
    balance = balance_of(ctx, LinearVesting(1000, 0, 100, 600))
    ctx.now = 1050
    vesting.withdraw(ctx, balance, 100)
    assert balance.balance.amount == 500
    assert vesting.withdrawable(balance, 1050) == 200
    assert vesting.withdrawable(balance, 2000) == 500


def test_an_instant_balance_is_withdrawable(ctx: Context) -> None:
    """R8.16: everything, at any time."""
    balance = balance_of(ctx, InstantVesting())
    vesting.withdraw(ctx, balance, 250)
    assert vesting.withdrawable(balance, 0) == 350


@pytest.mark.parametrize(
    ("now", "expected"), [(1000, 0), (1001, 6), (1050, 300), (1100, 600), (5000, 600)]
)
def test_coin_days(ctx: Context, now: int, expected: int) -> None:
    """R8.16: 600 units earn 600 coin seconds a second, up to 100 s of them."""
    balance = balance_of(ctx, CddVesting(100, 0, 0, 1000))
    assert vesting.withdrawable(balance, now) == expected


def test_nothing_can_be_claimed_before_the_start(ctx: Context) -> None:
    """R8.16: now > start_claim; coin seconds accumulate meanwhile."""
    balance = balance_of(ctx, CddVesting(100, 1060, 0, 1000))
    assert vesting.withdrawable(balance, 1060) == 0
    assert vesting.withdrawable(balance, 1061) == 366


def test_a_withdrawal_spends_coin_seconds(ctx: Context) -> None:
    """R8.16: 100 units cost 10,000 coin seconds; 20,000 of 30,000 are left."""
    balance = balance_of(ctx, CddVesting(100, 0, 0, 1000))
    ctx.now = 1050
    vesting.withdraw(ctx, balance, 100)
    assert balance.policy == CddVesting(100, 0, 20_000, 1050)
    assert vesting.withdrawable(balance, 1050) == 200
    assert vesting.withdrawable(balance, 1060) == 250


def test_a_deposit_updates_coin_seconds_first(ctx: Context) -> None:
    """R8.16: 50 s of 600 count, the new 400 begin at nothing; vested ones are there at once."""
    balance = balance_of(ctx, CddVesting(100, 0, 0, 1000))
    ctx.now = 1050
    vesting.deposit(ctx, balance, 400)
    assert vesting.withdrawable(balance, 1050) == 300
    assert vesting.withdrawable(balance, 1051) == 310
    vesting.deposit(ctx, balance, 400, vested=True)
    assert vesting.withdrawable(balance, 1050) == 700


def test_no_time_to_vest_is_one_second(ctx: Context) -> None:
    """R8.16: max(v, 1)."""
    balance = balance_of(ctx, CddVesting(0, 0, 0, 1000))
    assert vesting.withdrawable(balance, 1000) == 0
    assert vesting.withdrawable(balance, 1001) == 600


def test_lazy_deposits_share_a_balance_of_the_same_time(ctx: Context) -> None:
    """R8.16: reused while owner and vesting_seconds are the same, else a new one is linked."""
    first = vesting.deposit_lazy(ctx, None, ALICE, 100, 60, BALANCE_WITNESS)
    assert first is not None
    assert vesting.deposit_lazy(ctx, first, ALICE, 50, 60, BALANCE_WITNESS) is None
    balance = ctx.state.vesting_balances.get(first)
    assert balance.balance == AssetAmount(150, CORE)
    assert balance.policy == CddVesting(60, 0, 0, 1000)
    assert (balance.owner, balance.balance_type) == (ALICE, BALANCE_WITNESS)
    other_time = vesting.deposit_lazy(ctx, first, ALICE, 7, 61, BALANCE_WITNESS)
    other_owner = vesting.deposit_lazy(ctx, first, BOB, 7, 60, BALANCE_WITNESS)
    assert None not in (other_time, other_owner)
    assert len({first, other_time, other_owner}) == 3
    assert vesting.deposit_lazy(ctx, None, ALICE, 0, 60, BALANCE_WITNESS) is None
    assert len(ctx.state.vesting_balances) == 3


def test_a_lazy_deposit_may_be_vested(ctx: Context) -> None:
    """R8.20: small fees are withdrawable at once, in a new balance and in an old one."""
    made = vesting.deposit_lazy(ctx, None, ALICE, 100, 60, BALANCE_CASHBACK, vested=True)
    assert made is not None
    balance = ctx.state.vesting_balances.get(made)
    assert vesting.withdrawable(balance, 1000) == 100
    vesting.deposit_lazy(ctx, made, ALICE, 50, 60, BALANCE_CASHBACK, vested=True)
    vesting.deposit_lazy(ctx, made, ALICE, 25, 60, BALANCE_CASHBACK)
    assert vesting.withdrawable(balance, 1000) == 150


def test_shares_of_market_fees_gather_by_owner_and_asset(ctx: Context) -> None:
    """R2.15: one instant balance each."""
    gold = AssetId(5)
    for owner, amount, asset in (
        (ALICE, 1, CORE),
        (ALICE, 2, gold),
        (ALICE, 4, CORE),
        (BOB, 8, CORE),
    ):
        vesting.deposit_fee_share(ctx, owner, AssetAmount(amount, asset))
    found = [(b.owner, b.balance) for b in ctx.state.vesting_balances.in_order()]
    assert found == [
        (ALICE, AssetAmount(5, CORE)),
        (ALICE, AssetAmount(2, gold)),
        (BOB, AssetAmount(8, CORE)),
    ]
    balances = ctx.state.vesting_balances.in_order()
    assert {b.balance_type for b in balances} == {BALANCE_MARKET_FEE_SHARING}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(1, 100))))
def test_coin_days_never_give_more_than_there_is(steps: list[tuple[int, int, int]]) -> None:
    """R8.16: whatever is deposited and withdrawn, and whenever."""
    ctx = make_context(make_state("alice"), 1000)
    balance = balance_of(ctx, CddVesting(30, 0, 0, 1000))
    for kind, wait, amount in steps:
        ctx.now += wait
        available = vesting.withdrawable(balance, ctx.now)
        assert 0 <= available <= balance.balance.amount
        if kind == 0:
            vesting.deposit(ctx, balance, amount)
            assert vesting.withdrawable(balance, ctx.now) == available
        elif kind == 1:
            vesting.deposit(ctx, balance, amount, vested=True)
            assert vesting.withdrawable(balance, ctx.now) == available + amount
        else:
            taken = min(amount, available)
            vesting.withdraw(ctx, balance, taken)
            assert vesting.withdrawable(balance, ctx.now) == available - taken
