"""Transfers, by the holder and by the issuer."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.state.context import Context
from node.state.errors import (
    InsufficientBalance,
    NoSuchObject,
    NotAuthorized,
    PermissionDenied,
    WrongAccount,
)
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import COMMITTEE_ACCOUNT, CORE_ASSET
from protocol.errors import ValidationError
from protocol.ids import AccountId, AssetId, account_text
from protocol.operations.account import BLACK_LISTED, WHITE_LISTED, AccountWhitelist
from protocol.operations.asset_options import (
    OVERRIDE_AUTHORITY,
    TRANSFER_RESTRICTED,
    WHITE_LIST,
    AssetOptions,
)
from protocol.operations.results import VoidResult
from protocol.operations.transfer import OverrideTransfer, Transfer
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
from tests.support.world import ALICE, BOB, CAROL


@pytest.fixture
def ctx() -> Context:
    return make_context(make_state("alice", "bob", "carol", core=1000))


def transfer(sender: AccountId, receiver: AccountId, amount: AssetAmount) -> Transfer:
    return Transfer(NO_FEE, sender, receiver, amount)


def token(ctx: Context, **changes: object) -> AssetId:
    """A user-issued asset of alice with 100 units in bob's balance."""
    options: AssetOptions = replace(core_options(), **changes)
    asset_id = add_asset(ctx.state, "TOKEN", issuer=ALICE, options=options)
    issue(ctx.state, BOB, AssetAmount(100, asset_id))
    return asset_id


def test_the_amount_moves(ctx: Context) -> None:
    """R9.6: what the sender loses the receiver gains, to the last unit."""
    assert apply(ctx, transfer(ALICE, BOB, core(300))) == VoidResult()
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 700
    assert ctx.state.balance_of(BOB, CORE_ASSET) == 1300


def test_a_balance_can_be_emptied_but_not_exceeded(ctx: Context) -> None:
    """R2.1: the whole balance is the limit."""
    error = expect(ctx, InsufficientBalance, transfer(ALICE, BOB, core(1001)))
    assert (error.value, error.limit) == (1000, 1001)
    apply(ctx, transfer(ALICE, BOB, core(1000)))
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 0


@pytest.mark.parametrize("amount", [0, -1])
def test_only_positive_amounts_move(ctx: Context, amount: int) -> None:
    """R9.3: a stateless check."""
    expect(ctx, ValidationError, transfer(ALICE, BOB, core(amount)))


def test_unknown_accounts_and_assets_are_refused(ctx: Context) -> None:
    """R9.3: every object that is named exists."""
    expect(ctx, NoSuchObject, transfer(ALICE, AccountId(99), core(1)))
    expect(ctx, NoSuchObject, transfer(AccountId(99), ALICE, core(1)))
    expect(ctx, NoSuchObject, transfer(ALICE, BOB, AssetAmount(1, AssetId(9))))


@pytest.mark.parametrize("listed", [ALICE, BOB])
def test_a_blacklisted_account_neither_sends_nor_receives(ctx: Context, listed: AccountId) -> None:
    """R2.20: the black list of one of the asset's authorities excludes."""
    asset = token(ctx, flags=WHITE_LIST, blacklist_authorities=(CAROL,))
    issue(ctx.state, ALICE, AssetAmount(100, asset))
    apply(ctx, transfer(BOB, ALICE, AssetAmount(1, asset)))
    apply(ctx, AccountWhitelist(NO_FEE, CAROL, listed, BLACK_LISTED))
    error = expect(ctx, NotAuthorized, transfer(BOB, ALICE, AssetAmount(1, asset)))
    assert error.value == account_text(listed)


def test_a_white_list_admits_only_who_is_on_it(ctx: Context) -> None:
    """R2.20: with white list authorities, both ends must be on one of the lists."""
    asset = token(ctx, flags=WHITE_LIST, whitelist_authorities=(CAROL,))
    op = transfer(BOB, ALICE, AssetAmount(1, asset))
    expect(ctx, NotAuthorized, op)
    apply(ctx, AccountWhitelist(NO_FEE, CAROL, BOB, WHITE_LISTED))
    expect(ctx, NotAuthorized, op)
    apply(ctx, AccountWhitelist(NO_FEE, CAROL, ALICE, WHITE_LISTED))
    apply(ctx, op)


def test_the_committee_passes_every_list(ctx: Context) -> None:
    """R2.20, BSIP86: the committee account may hold anything."""
    asset = token(ctx, flags=WHITE_LIST, whitelist_authorities=(CAROL,))
    apply(ctx, AccountWhitelist(NO_FEE, CAROL, BOB, WHITE_LISTED))
    apply(ctx, transfer(BOB, COMMITTEE_ACCOUNT, AssetAmount(5, asset)))
    assert ctx.state.balance_of(COMMITTEE_ACCOUNT, asset) == 5


def test_a_restricted_asset_moves_only_from_and_to_its_issuer(ctx: Context) -> None:
    """R2.20: transfer_restricted."""
    asset = token(ctx, flags=TRANSFER_RESTRICTED)
    expect(ctx, NotAuthorized, transfer(BOB, CAROL, AssetAmount(1, asset)))
    apply(ctx, transfer(BOB, ALICE, AssetAmount(2, asset)))
    apply(ctx, transfer(ALICE, CAROL, AssetAmount(1, asset)))
    assert ctx.state.balance_of(CAROL, asset) == 1


def test_the_issuer_may_override(ctx: Context) -> None:
    """R9.6: with the flag, the issuer's signature moves anybody's balance."""
    asset = token(ctx, flags=OVERRIDE_AUTHORITY)
    op = OverrideTransfer(NO_FEE, ALICE, BOB, CAROL, AssetAmount(100, asset))
    assert apply(ctx, op) == VoidResult()
    assert ctx.state.balance_of(BOB, asset) == 0
    assert ctx.state.balance_of(CAROL, asset) == 100


def test_override_needs_flag_issuer_balance_and_an_authorized_receiver(ctx: Context) -> None:
    """R9.6, R2.20: only the receiver has to pass the whitelist test."""
    plain = add_asset(ctx.state, "PLAIN", issuer=ALICE)
    expect(
        ctx,
        PermissionDenied,
        OverrideTransfer(NO_FEE, ALICE, BOB, CAROL, AssetAmount(1, plain)),
    )
    asset = token(ctx, flags=OVERRIDE_AUTHORITY | WHITE_LIST, blacklist_authorities=(ALICE,))
    amount = AssetAmount(100, asset)
    expect(ctx, WrongAccount, OverrideTransfer(NO_FEE, CAROL, BOB, ALICE, amount))
    more = AssetAmount(101, asset)
    error = expect(ctx, InsufficientBalance, OverrideTransfer(NO_FEE, ALICE, BOB, CAROL, more))
    assert (error.value, error.limit) == (100, 101)
    apply(ctx, AccountWhitelist(NO_FEE, ALICE, BOB, BLACK_LISTED))
    apply(ctx, AccountWhitelist(NO_FEE, ALICE, CAROL, BLACK_LISTED))
    expect(ctx, NotAuthorized, OverrideTransfer(NO_FEE, ALICE, BOB, CAROL, amount))
    apply(ctx, OverrideTransfer(NO_FEE, ALICE, BOB, COMMITTEE_ACCOUNT, amount))
