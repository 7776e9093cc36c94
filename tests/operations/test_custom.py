"""Operations that change nothing: data for others to read, and assertions."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.state.context import Context
from node.state.errors import AssertionFailed, LimitExceeded, NoSuchObject
from node.state.objects.transactions import BlockSummary
from protocol.asset import NO_FEE
from protocol.constants import CORE_ASSET
from protocol.errors import ValidationError
from protocol.ids import AccountId, AssetId, BlockSummaryId
from protocol.operations.custom import (
    AccountNamePredicate,
    Assert,
    AssetSymbolPredicate,
    BlockIdPredicate,
    Custom,
    Predicate,
)
from protocol.operations.results import VoidResult
from protocol.schema import BlockId
from tests.support.state import apply, core, expect, make_context, make_state
from tests.support.world import ALICE


@pytest.fixture
def ctx() -> Context:
    """All three predicates are allowed."""
    state = make_state("alice", core=10)
    state.global_properties.edit(state.properties).parameters = replace(
        state.parameters, max_predicate_opcode=3
    )
    return make_context(state)


def check(*predicates: Predicate) -> Assert:
    return Assert(NO_FEE, ALICE, predicates)


def test_custom_data_costs_its_fee_and_nothing_else(ctx: Context) -> None:
    """R8.17: the fee must be positive whatever the schedule says."""
    op = Custom(core(1), ALICE, (), 7, b"data")
    assert apply(ctx, op) == VoidResult()
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 9
    expect(ctx, ValidationError, replace(op, fee=NO_FEE))


def test_predicates_are_true_or_refuse_the_transaction(ctx: Context) -> None:
    """R9.9: each kind of predicate, true and false."""
    apply(
        ctx, check(AccountNamePredicate(ALICE, "alice"), AssetSymbolPredicate(CORE_ASSET, "TEST"))
    )
    expect(ctx, AssertionFailed, check(AccountNamePredicate(ALICE, "bob")))
    expect(ctx, AssertionFailed, check(AssetSymbolPredicate(CORE_ASSET, "BTS")))
    expect(ctx, NoSuchObject, check(AccountNamePredicate(AccountId(99), "alice")))
    expect(ctx, NoSuchObject, check(AssetSymbolPredicate(AssetId(99), "TEST")))
    error = expect(
        ctx,
        AssertionFailed,
        check(AccountNamePredicate(ALICE, "alice"), AccountNamePredicate(ALICE, "bob")),
    )
    assert "predicate 1" in error.what


def test_a_block_is_known_for_65536_blocks(ctx: Context) -> None:
    """R9.3: by its place in the summaries, which the newest block with these bits takes over."""
    first = BlockId((1).to_bytes(4, "big") + bytes(16))
    later = BlockId((65_537).to_bytes(4, "big") + bytes(16))
    summaries = ctx.state.block_summaries
    summaries.create(BlockSummary(BlockSummaryId(0), BlockId(bytes(20))))
    expect(ctx, AssertionFailed, check(BlockIdPredicate(first)))
    summary = summaries.create(BlockSummary(BlockSummaryId(1), first))
    apply(ctx, check(BlockIdPredicate(first)))
    summaries.edit(summary).block_id = later
    expect(ctx, AssertionFailed, check(BlockIdPredicate(first)))
    apply(ctx, check(BlockIdPredicate(later)))


def test_predicates_are_allowed_by_their_number(ctx: Context) -> None:
    """R9.3: max_predicate_opcode; 1 allows account names only."""
    ctx.state.global_properties.edit(ctx.state.properties).parameters = replace(
        ctx.state.parameters, max_predicate_opcode=1
    )
    apply(ctx, check(AccountNamePredicate(ALICE, "alice")))
    error = expect(ctx, LimitExceeded, check(AssetSymbolPredicate(CORE_ASSET, "TEST")))
    assert (error.value, error.limit) == (1, 1)
