"""Balances of the genesis that belong to a key until they are claimed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.state.balances import adjust_supply
from node.state.context import Context
from node.state.errors import (
    InsufficientBalance,
    LimitExceeded,
    NoSuchObject,
    WrongAccount,
    WrongAssetType,
)
from node.state.objects.vesting import GenesisBalance, LinearVesting
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET, SECONDS_PER_DAY
from protocol.crypto.addresses import addresses_of
from protocol.errors import ValidationError
from protocol.ids import AccountId, AssetId, BalanceId
from protocol.operations.balance import BalanceClaim
from protocol.operations.results import VoidResult
from tests.support.state import apply, core, expect, make_context, make_state
from tests.support.world import ALICE, GENESIS_TIME, key_of

WALLET = key_of("wallet")
FIRST = BalanceId(0)


@pytest.fixture
def ctx() -> Context:
    return make_context(make_state("alice"))


def give(ctx: Context, *, form: int = 0, vesting: LinearVesting | None = None) -> None:
    """1000 CORE of the wallet's key, under one of its addresses."""
    table = ctx.state.genesis_balances
    adjust_supply(ctx.state, CORE_ASSET, 1000)
    table.create(
        GenesisBalance(
            id=table.next_id,
            owner=addresses_of(WALLET)[form],
            balance=core(1000),
            vesting_policy=vesting,
            last_claim_date=GENESIS_TIME,
        )
    )


def claim(amount: int, **changes: object) -> BalanceClaim:
    op = BalanceClaim(NO_FEE, ALICE, FIRST, WALLET, core(amount))
    return replace(op, **changes)


@pytest.mark.parametrize("form", range(5))
def test_a_balance_is_claimed_as_a_whole(ctx: Context, form: int) -> None:
    """R9.6: under any address of the key; it is gone afterwards."""
    give(ctx, form=form)
    for wrong in (999, 1001, 0):
        assert expect(ctx, LimitExceeded, claim(wrong)).limit == 1000
    assert apply(ctx, claim(1000)) == VoidResult()
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 1000
    expect(ctx, NoSuchObject, claim(1000))


def test_only_the_key_of_the_address_claims(ctx: Context) -> None:
    """R9.6."""
    give(ctx)
    expect(ctx, WrongAccount, claim(1000, balance_owner_key=key_of("alice")))
    expect(ctx, WrongAssetType, claim(1000, total_claimed=AssetAmount(1000, AssetId(1))))
    expect(ctx, NoSuchObject, claim(1000, deposit_to_account=AccountId(99)))


def test_a_claim_is_free(ctx: Context) -> None:
    """R8.17: nobody who has no account yet could pay."""
    give(ctx)
    expect(ctx, ValidationError, claim(1000, fee=core(1)))


def test_a_vesting_balance_is_claimed_in_parts_once_a_day(ctx: Context) -> None:
    """R8.16: linear over four days from the genesis; 250 a day."""
    give(ctx, vesting=LinearVesting(GENESIS_TIME, 0, 4 * SECONDS_PER_DAY, 1000))
    ctx.now = GENESIS_TIME + SECONDS_PER_DAY - 1
    assert expect(ctx, InsufficientBalance, claim(250)).value == 249
    assert expect(ctx, LimitExceeded, claim(249)).value == SECONDS_PER_DAY - 1
    ctx.now += 1
    assert expect(ctx, InsufficientBalance, claim(251)).value == 250
    expect(ctx, InsufficientBalance, claim(0))
    expect(ctx, InsufficientBalance, claim(-1))
    apply(ctx, claim(100))
    assert ctx.state.genesis_balances.get(FIRST).balance == core(900)
    ctx.now += SECONDS_PER_DAY - 1
    expect(ctx, LimitExceeded, claim(100))
    ctx.now += 1
    assert expect(ctx, InsufficientBalance, claim(401)).value == 400
    ctx.now += 2 * SECONDS_PER_DAY
    apply(ctx, claim(900))
    assert ctx.state.genesis_balances.find(FIRST) is None
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 1000
