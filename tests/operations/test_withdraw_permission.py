"""Withdraw permissions: periods, limits, and whose they are."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.chain.expirations import remove_expired_permissions
from node.chain.invariants import check_all
from node.state.context import Context
from node.state.errors import (
    InsufficientBalance,
    LimitExceeded,
    NoSuchObject,
    NotAuthorized,
    PermissionExpired,
    WrongAccount,
    WrongAssetType,
)
from node.state.objects.permissions import WithdrawPermission
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET
from protocol.errors import ValidationError
from protocol.ids import AccountId, AssetId, ObjectId, WithdrawPermissionId
from protocol.operations.account import BLACK_LISTED, NO_LISTING, AccountWhitelist
from protocol.operations.asset_options import TRANSFER_RESTRICTED, WHITE_LIST
from protocol.operations.results import VoidResult
from protocol.operations.withdraw_permission import (
    WithdrawPermissionClaim,
    WithdrawPermissionCreate,
    WithdrawPermissionDelete,
    WithdrawPermissionUpdate,
)
from protocol.schema import MAX_TIMESTAMP
from tests.support.chain import TestChain
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
from tests.support.world import ALICE, BOB, CAROL, GENESIS_TIME

FIRST = WithdrawPermissionId(0)
START = GENESIS_TIME + 100
PERIOD = 60


@pytest.fixture
def ctx() -> Context:
    """Everybody has 1000 CORE; alice gives bob 100 in each of 3 periods of 60 s, from 100 s on."""
    ctx = make_context(make_state("alice", "bob", "carol", core=1000))
    assert apply(ctx, give()) == ObjectId(1, 12, 0)
    return ctx


def give(**changes: object) -> WithdrawPermissionCreate:
    op = WithdrawPermissionCreate(NO_FEE, ALICE, BOB, core(100), PERIOD, 3, START)
    return replace(op, **changes)


def change(**changes: object) -> WithdrawPermissionUpdate:
    op = WithdrawPermissionUpdate(NO_FEE, ALICE, BOB, FIRST, core(50), PERIOD, START, 2)
    return replace(op, **changes)


def claim(amount: int, **changes: object) -> WithdrawPermissionClaim:
    op = WithdrawPermissionClaim(NO_FEE, FIRST, ALICE, BOB, core(amount))
    return replace(op, **changes)


def permission(ctx: Context) -> WithdrawPermission:
    return ctx.state.withdraw_permissions.get(FIRST)


def test_a_permission_lasts_for_its_periods(ctx: Context) -> None:
    """R9.6: its end is that of the last period."""
    given = permission(ctx)
    assert (given.withdraw_from_account, given.authorized_account) == (ALICE, BOB)
    assert (given.period_start_time, given.expiration) == (START, START + 3 * PERIOD)
    assert (given.withdrawal_limit, given.claimed_this_period) == (core(100), 0)
    assert ctx.state.permissions_given.items(ALICE) == [given]
    assert ctx.state.permissions_received.items(BOB) == [given]


def test_the_limit_is_for_each_period(ctx: Context) -> None:
    """R9.6: any number of withdrawals in a period; what is left does not add up."""
    ctx.now = START
    assert apply(ctx, claim(60)) == VoidResult()
    error = expect(ctx, LimitExceeded, claim(41))
    assert (error.value, error.limit) == (41, 40)
    apply(ctx, claim(40))
    ctx.now = START + PERIOD - 1
    expect(ctx, LimitExceeded, claim(1))
    ctx.now = START + 2 * PERIOD
    assert expect(ctx, LimitExceeded, claim(101)).limit == 100
    apply(ctx, claim(70))
    assert permission(ctx).period_start_time == START + 2 * PERIOD
    assert permission(ctx).claimed_this_period == 70
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 1000 - 170
    assert ctx.state.balance_of(BOB, CORE_ASSET) == 1000 + 170
    check_all(ctx.state)


def test_nothing_is_withdrawn_outside_the_periods(ctx: Context) -> None:
    """R8.3 step 15: the end itself is too late."""
    ctx.now = START - 1
    error = expect(ctx, LimitExceeded, claim(1))
    assert (error.value, error.limit) == (START - 1, START)
    ctx.now = START + 3 * PERIOD
    expect(ctx, PermissionExpired, claim(1))
    ctx.now -= 1
    apply(ctx, claim(1))


def test_only_the_two_accounts_use_it(ctx: Context) -> None:
    """R9.6: giver and receiver are those of the permission, in every operation."""
    ctx.now = START
    expect(ctx, WrongAccount, claim(1, withdraw_to_account=CAROL))
    expect(ctx, WrongAccount, claim(1, withdraw_from_account=CAROL))
    expect(ctx, WrongAccount, change(withdraw_from_account=CAROL))
    expect(ctx, WrongAccount, change(authorized_account=CAROL))
    expect(ctx, WrongAccount, WithdrawPermissionDelete(NO_FEE, CAROL, BOB, FIRST))
    expect(ctx, WrongAccount, WithdrawPermissionDelete(NO_FEE, ALICE, CAROL, FIRST))
    expect(ctx, NoSuchObject, claim(1, withdraw_permission=WithdrawPermissionId(1)))
    expect(ctx, NoSuchObject, give(authorized_account=AccountId(99)))


def test_what_is_withdrawn_must_be_there_and_of_the_asset(ctx: Context) -> None:
    """R2.1: a permission reserves nothing."""
    token = add_asset(ctx.state, "TOKEN")
    ctx.now = START
    expect(ctx, WrongAssetType, claim(1, amount_to_withdraw=AssetAmount(1, token)))
    apply(ctx, change(withdrawal_limit=AssetAmount(9, token)))
    error = expect(ctx, InsufficientBalance, claim(1, amount_to_withdraw=AssetAmount(1, token)))
    assert (error.value, error.limit) == (0, 1)


def test_the_asset_may_keep_both_from_it(ctx: Context) -> None:
    """R2.20: the whitelist test for both, and transfer_restricted."""
    options = replace(core_options(), flags=WHITE_LIST, blacklist_authorities=(CAROL,))
    token = add_asset(ctx.state, "TOKEN", issuer=CAROL, options=options)
    issue(ctx.state, ALICE, AssetAmount(10, token))
    apply(ctx, change(withdrawal_limit=AssetAmount(10, token)))
    ctx.now = START
    op = claim(1, amount_to_withdraw=AssetAmount(1, token))
    for account in (ALICE, BOB):
        apply(ctx, AccountWhitelist(NO_FEE, CAROL, account, BLACK_LISTED))
        expect(ctx, NotAuthorized, op)
        apply(ctx, AccountWhitelist(NO_FEE, CAROL, account, NO_LISTING))
    apply(ctx, op)
    asset = ctx.state.assets.edit(ctx.state.assets.get(token))
    asset.options = replace(core_options(), flags=TRANSFER_RESTRICTED)
    expect(ctx, NotAuthorized, op)
    asset.issuer = BOB
    apply(ctx, op)


def test_an_update_replaces_limit_and_periods(ctx: Context) -> None:
    """R9.6: what was claimed counts on in the first new period."""
    ctx.now = START
    apply(ctx, claim(30))
    apply(
        ctx, change(period_start_time=START, withdrawal_period_sec=10, periods_until_expiration=5)
    )
    changed = permission(ctx)
    assert (changed.period_start_time, changed.expiration) == (START, START + 50)
    assert expect(ctx, LimitExceeded, claim(21)).limit == 20
    apply(ctx, change(withdrawal_limit=core(10)))
    assert expect(ctx, LimitExceeded, claim(1)).limit == 0
    ctx.now += PERIOD
    apply(ctx, claim(10))


@pytest.mark.parametrize(
    ("changes", "value", "limit"),
    [
        ({"period_start_time": GENESIS_TIME - 1}, GENESIS_TIME - 1, GENESIS_TIME),
        ({"withdrawal_period_sec": 4}, 4, 5),
        ({"periods_until_expiration": 2**32 - 1}, START + PERIOD * (2**32 - 1), MAX_TIMESTAMP),
    ],
)
def test_periods_are_possible(
    ctx: Context, changes: dict[str, int], value: int, limit: int
) -> None:
    """R8.4: the first begins ahead, none is shorter than a block interval, the last one ends."""
    error = expect(ctx, LimitExceeded, change(**changes))
    assert (error.value, error.limit) == (value, limit)
    expect(ctx, LimitExceeded, give(**changes))


def test_a_new_permission_begins_later_and_an_update_may_begin_now(ctx: Context) -> None:
    """R9.6: as in BitShares."""
    error = expect(ctx, LimitExceeded, give(period_start_time=GENESIS_TIME))
    assert error.limit == GENESIS_TIME + 1
    apply(ctx, give(period_start_time=GENESIS_TIME + 1))
    apply(ctx, change(period_start_time=GENESIS_TIME))


def test_a_permission_is_taken_back(ctx: Context) -> None:
    """R9.6."""
    apply(ctx, WithdrawPermissionDelete(NO_FEE, ALICE, BOB, FIRST))
    assert len(ctx.state.withdraw_permissions) == 0
    ctx.now = START
    expect(ctx, NoSuchObject, claim(1))


def test_permissions_end_at_the_boundary(ctx: Context) -> None:
    """R8.3 step 15: those whose end has come, by the time of the block; an update counts."""
    apply(ctx, give())
    ctx.state.log.begin()
    apply(ctx, change(periods_until_expiration=1))
    ctx.now = START + PERIOD
    remove_expired_permissions(ctx)
    assert [item.id for item in ctx.state.withdraw_permissions.in_order()] == [1]
    ctx.state.log.undo()
    ctx.now = START + 3 * PERIOD - 1
    remove_expired_permissions(ctx)
    assert len(ctx.state.withdraw_permissions) == 2
    ctx.now += 1
    remove_expired_permissions(ctx)
    assert len(ctx.state.withdraw_permissions) == 0


def test_a_block_ends_permissions() -> None:
    """R8.3 step 15: in a chain, and back when the block is popped."""
    chain = TestChain("alice", "bob")
    chain.block()
    alice, bob = (chain.state.account_named(name).id for name in ("alice", "bob"))
    start = chain.state.dynamic.time + 1
    chain.block(WithdrawPermissionCreate(NO_FEE, alice, bob, core(100), 5, 1, start))
    assert len(chain.state.withdraw_permissions) == 1
    chain.block(WithdrawPermissionClaim(NO_FEE, FIRST, alice, bob, core(100)))
    assert chain.state.balance_of(bob, CORE_ASSET) == 10**10 + 100
    assert len(chain.state.withdraw_permissions) == 0


@pytest.mark.parametrize(
    "op",
    [
        give(authorized_account=ALICE),
        give(withdrawal_limit=core(0)),
        give(withdrawal_period_sec=0),
        give(periods_until_expiration=0),
        give(fee=core(-1)),
        change(authorized_account=ALICE),
        change(withdrawal_limit=core(0)),
        change(withdrawal_period_sec=0),
        change(periods_until_expiration=0),
        claim(0),
        claim(1, withdraw_to_account=ALICE),
        WithdrawPermissionDelete(NO_FEE, ALICE, ALICE, FIRST),
        WithdrawPermissionDelete(AssetAmount(-1, AssetId(0)), ALICE, BOB, FIRST),
    ],
    ids=str,
)
def test_senseless_permissions_are_refused_without_looking_at_the_chain(
    op: WithdrawPermissionCreate,
) -> None:
    """R9.3."""
    with pytest.raises(ValidationError):
        op.validate()
