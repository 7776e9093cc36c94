"""Vesting balances: putting funds aside, withdrawing what has become available (R8.16)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.state.context import Context
from node.state.errors import (
    InsufficientBalance,
    NoSuchObject,
    NotAuthorized,
    WrongAccount,
    WrongAssetType,
)
from node.state.objects.vesting import BALANCE_UNSPECIFIED, CddVesting, LinearVesting
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET
from protocol.ids import AccountId, AssetId, ObjectId, VestingBalanceId
from protocol.operations.account import BLACK_LISTED, AccountWhitelist
from protocol.operations.asset_options import TRANSFER_RESTRICTED, WHITE_LIST
from protocol.operations.vesting import (
    CddVestingPolicy,
    InstantVestingPolicy,
    LinearVestingPolicy,
    VestingBalanceCreate,
    VestingBalanceWithdraw,
    VestingPolicy,
)
from tests.support.state import (
    add_asset,
    apply,
    core,
    core_options,
    expect,
    issue,
    make_context,
    make_state,
)
from tests.support.world import ALICE, BOB, GENESIS_TIME

FIRST = VestingBalanceId(0)


@pytest.fixture
def ctx() -> Context:
    return make_context(make_state("alice", "bob", core=1000))


def create(policy: VestingPolicy, amount: AssetAmount | None = None) -> VestingBalanceCreate:
    """Alice puts CORE aside for bob."""
    return VestingBalanceCreate(NO_FEE, ALICE, BOB, amount or core(1000), policy)


def withdraw(amount: int) -> VestingBalanceWithdraw:
    return VestingBalanceWithdraw(NO_FEE, FIRST, BOB, core(amount))


def check_available(ctx: Context, elapsed: int, amount: int) -> None:
    """Exactly `amount` can be withdrawn at a time."""
    ctx.now = GENESIS_TIME + elapsed
    error = expect(ctx, InsufficientBalance, withdraw(amount + 1))
    assert (error.value, error.limit) == (amount, amount + 1)
    if amount:
        apply(ctx, withdraw(amount))


def test_the_amount_moves_into_a_new_balance(ctx: Context) -> None:
    """R8.16."""
    assert apply(ctx, create(InstantVestingPolicy())) == ObjectId(1, 13, 0)
    balance = ctx.state.vesting_balances.get(VestingBalanceId(0))
    assert (balance.owner, balance.balance) == (BOB, core(1000))
    assert balance.balance_type == BALANCE_UNSPECIFIED
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 0
    expect(ctx, InsufficientBalance, create(InstantVestingPolicy(), core(1)))


def test_a_linear_balance_vests_evenly_after_its_cliff(ctx: Context) -> None:
    """R8.16: floor(1000 * 33 / 100) = 330 at 33 s, then the difference."""
    apply(ctx, create(LinearVestingPolicy(GENESIS_TIME, 30, 100)))
    assert ctx.state.vesting_balances.get(VestingBalanceId(0)).policy == LinearVesting(
        GENESIS_TIME, 30, 100, 1000
    )
    check_available(ctx, 29, 0)
    check_available(ctx, 33, 330)
    check_available(ctx, 50, 170)
    check_available(ctx, 100, 500)
    assert ctx.state.balance_of(BOB, CORE_ASSET) == 2000
    assert ctx.state.vesting_balances.get(VestingBalanceId(0)).balance == core(0)


def test_a_cdd_balance_earns_coin_seconds(ctx: Context) -> None:
    """R8.16: a tenth of the vesting time frees a tenth; the rest goes on earning."""
    apply(ctx, create(CddVestingPolicy(GENESIS_TIME + 5, 100)))
    policy = ctx.state.vesting_balances.get(VestingBalanceId(0)).policy
    assert policy == CddVesting(100, GENESIS_TIME + 5, 0, GENESIS_TIME)
    check_available(ctx, 5, 0)
    check_available(ctx, 10, 100)
    check_available(ctx, 20, 90)
    check_available(ctx, 500, 810)


def test_an_instant_balance_is_free_at_once(ctx: Context) -> None:
    """R8.16."""
    apply(ctx, create(InstantVestingPolicy()))
    check_available(ctx, 0, 1000)


def test_only_the_owner_withdraws_only_what_it_holds(ctx: Context) -> None:
    """R9.6."""
    apply(ctx, create(InstantVestingPolicy()))
    expect(ctx, WrongAccount, replace(withdraw(1), owner=ALICE))
    expect(ctx, NoSuchObject, replace(withdraw(1), vesting_balance=VestingBalanceId(1)))
    expect(ctx, WrongAssetType, replace(withdraw(1), amount=AssetAmount(1, AssetId(1))))


def test_both_accounts_may_hold_the_asset_and_it_moves_freely(ctx: Context) -> None:
    """R2.20."""
    options = replace(core_options(), flags=WHITE_LIST, blacklist_authorities=(ALICE,))
    token = add_asset(ctx.state, "TOKEN", options=options)
    issue(ctx.state, ALICE, AssetAmount(10, token))
    op = create(InstantVestingPolicy(), AssetAmount(10, token))
    apply(ctx, AccountWhitelist(NO_FEE, ALICE, BOB, BLACK_LISTED))
    expect(ctx, NotAuthorized, op)
    expect(ctx, NotAuthorized, replace(op, creator=BOB, owner=ALICE))
    apply(ctx, replace(op, owner=ALICE, amount=AssetAmount(5, token)))
    asset = ctx.state.assets.edit(ctx.state.assets.get(token))
    asset.options = replace(core_options(), flags=TRANSFER_RESTRICTED)
    expect(ctx, NotAuthorized, replace(op, owner=ALICE, amount=AssetAmount(5, token)))
    expect(ctx, NoSuchObject, replace(op, owner=AccountId(99), amount=core(1)))
