"""Fees: what is owed, in which asset, where the CORE goes, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from node.evaluators import EVALUATORS
from node.evaluators.base import apply_operation, run_proposed_operation
from node.evaluators.fees import shift_basic_account_fee
from node.state.context import Context
from node.state.errors import (
    FeatureNotBuilt,
    InsufficientBalance,
    InsufficientFee,
    InsufficientFeePool,
    LimitExceeded,
    NotAuthorized,
)
from node.state.objects.accounts import AccountStatistics
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.chain_parameters import ChainParameters
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.fee_schedule import AccountCreateFee, FlatFee, SizedFee
from protocol.fees import ZERO_FEE_SCHEDULE, with_parameters
from protocol.ids import AccountId, AssetId, LimitOrderId
from protocol.operations import ENTRY_OF, OPERATIONS, Operation, OperationEntry
from protocol.operations.account import BLACK_LISTED, AccountTransfer, AccountWhitelist
from protocol.operations.asset_options import WHITE_LIST
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.operations.proposal import ProposalCreate, ProposedOperation
from protocol.operations.transfer import Transfer
from tests.support.declared import instances
from tests.support.state import (
    add_asset,
    apply,
    core,
    core_options,
    created,
    expect,
    issue,
    make_context,
    make_state,
)
from tests.support.world import ALICE, BOB, CAROL, OPERATION_COUNT

TRANSFER_FEE = 20
UNBUILT = {9, 39, 40, 41}
"""The account transfer, which BitShares never built either (C16), and stealth."""
THRESHOLD = 50


@pytest.fixture
def ctx() -> Context:
    """A transfer costs 20, an order 30; fees above 50 vest."""
    schedule = replace(ZERO_FEE_SCHEDULE, scale=10_000)
    schedule = with_parameters(schedule, 0, SizedFee(TRANSFER_FEE, 0))
    schedule = with_parameters(schedule, 1, FlatFee(30))
    parameters = ChainParameters(schedule, cashback_vesting_threshold=THRESHOLD)
    return make_context(make_state("alice", "bob", "carol", core=1000, parameters=parameters))


def transfer(fee: AssetAmount, amount: int = 100) -> Transfer:
    return Transfer(fee, ALICE, BOB, core(amount))


def statistics(ctx: Context, account: AccountId) -> AccountStatistics:
    return ctx.state.statistics_of(account)


def fee_asset(ctx: Context, *, pool: int, flags: int = 0) -> AssetId:
    """An asset of which 3 units are worth 2 CORE, with 500 units at alice."""
    asset_id = add_asset(
        ctx.state, "FEE", issuer=CAROL, options=replace(core_options(), flags=flags)
    )
    asset = ctx.state.assets.edit(ctx.state.assets.get(asset_id))
    rate = Price(AssetAmount(3, asset_id), core(2))
    asset.options = replace(asset.options, core_exchange_rate=rate)
    issue(ctx.state, ALICE, AssetAmount(500, asset_id))
    figures = ctx.state.asset_dynamic_data
    figures.edit(ctx.state.figures_of(asset_id)).fee_pool = pool
    return asset_id


def test_the_table_is_complete() -> None:
    """R9.6: every operation but the virtual and the unbuilt ones has an evaluator."""
    executed = {ENTRY_OF[cls].id for cls in EVALUATORS}
    virtual = {entry.id for entry in OPERATIONS.values() if entry.virtual}
    assert executed | virtual | UNBUILT == set(range(OPERATION_COUNT))
    assert not executed & (virtual | UNBUILT)


@pytest.mark.parametrize(
    "entry",
    [entry for entry in OPERATIONS.values() if entry.cls not in EVALUATORS],
    ids=lambda entry: entry.name,
)
@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_not_executed_is_refused_by_name(
    entry: OperationEntry, data: st.DataObject
) -> None:
    """R9.6, R2.18, Y4, C16: virtual operations are the chain's; others are known and not built."""
    ctx = make_context(make_state("alice"))
    operation = data.draw(instances(entry.cls))
    with pytest.raises(FeatureNotBuilt, match=entry.name) as caught:
        apply_operation(ctx, operation)
    assert caught.value.value == entry.name
    assert ("virtual" if entry.virtual else "not executed by this node") in caught.value.what


def test_what_is_not_executed_is_not_proposed_either(ctx: Context) -> None:
    """R2.18, Y4, R8.23: refused when it is proposed, however deep inside, not when it is due."""
    inner: Operation = AccountTransfer(NO_FEE, ALICE, AccountId(0))
    for _ in range(2):
        inner = ProposalCreate(NO_FEE, ALICE, ctx.now + 60, (ProposedOperation(inner),))
        assert expect(ctx, FeatureNotBuilt, inner).value == "account_transfer"


@pytest.mark.parametrize("fee", [TRANSFER_FEE, TRANSFER_FEE + 1])
def test_the_payer_pays_what_is_stated(ctx: Context, fee: int) -> None:
    """R8.17: the schedule's fee is the least; what is stated is paid."""
    apply(ctx, transfer(core(fee)))
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 1000 - 100 - fee
    assert statistics(ctx, ALICE).pending_vested_fees == fee


def test_less_than_the_schedule_asks_is_refused(ctx: Context) -> None:
    """R8.17: insufficient_fee carries both numbers."""
    error = expect(ctx, InsufficientFee, transfer(core(TRANSFER_FEE - 1)))
    assert (error.value, error.limit) == (TRANSFER_FEE - 1, TRANSFER_FEE)


@pytest.mark.parametrize(("fee", "vests"), [(THRESHOLD, False), (THRESHOLD + 1, True)])
def test_fees_above_the_threshold_vest(ctx: Context, fee: int, vests: bool) -> None:
    """R8.20: the threshold itself does not vest yet."""
    apply(ctx, transfer(core(fee)))
    payer = statistics(ctx, ALICE)
    assert payer.pending_fees == (fee if vests else 0)
    assert payer.pending_vested_fees == (0 if vests else fee)


def test_the_fee_is_debited_after_the_effect(ctx: Context) -> None:
    """R8.18: a transfer that leaves less than its fee is refused."""
    apply(ctx, transfer(core(TRANSFER_FEE), 1000 - TRANSFER_FEE - 1))
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 1
    ctx = make_context(make_state("alice", "bob", core=1000, parameters=ctx.state.parameters))
    expect(ctx, InsufficientBalance, transfer(core(TRANSFER_FEE), 1000 - TRANSFER_FEE + 1))


def test_a_fee_in_another_asset_is_bought_from_its_pool(ctx: Context) -> None:
    """R8.17: the pool gives floor(fee at the exchange rate); the asset keeps the fee."""
    asset = fee_asset(ctx, pool=25)
    apply(ctx, transfer(AssetAmount(31, asset)))
    figures = ctx.state.figures_of(asset)
    assert figures.fee_pool == 25 - 20
    assert figures.accumulated_fees == 31
    assert ctx.state.balance_of(ALICE, asset) == 500 - 31
    assert statistics(ctx, ALICE).pending_vested_fees == 20


def test_a_fee_in_another_asset_must_be_worth_enough(ctx: Context) -> None:
    """R8.17: 29 units are worth floor(29 * 2 / 3) = 19 CORE; 30 are worth 20."""
    asset = fee_asset(ctx, pool=25)
    error = expect(ctx, InsufficientFee, transfer(AssetAmount(29, asset)))
    assert error.value == 19
    apply(ctx, transfer(AssetAmount(30, asset)))


def test_the_pool_must_hold_what_the_fee_is_worth(ctx: Context) -> None:
    """R8.17: insufficient_fee_pool at one CORE too little."""
    asset = fee_asset(ctx, pool=19)
    error = expect(ctx, InsufficientFeePool, transfer(AssetAmount(30, asset)))
    assert (error.value, error.limit) == (19, 20)


def test_the_payer_must_be_allowed_to_hold_the_fee_asset(ctx: Context) -> None:
    """R2.20: a blacklisted payer cannot use the asset for fees either."""
    asset = fee_asset(ctx, pool=1000, flags=WHITE_LIST)
    item = ctx.state.assets.edit(ctx.state.assets.get(asset))
    item.options = replace(item.options, blacklist_authorities=(CAROL,))
    apply(ctx, AccountWhitelist(NO_FEE, CAROL, ALICE, BLACK_LISTED))
    expect(ctx, NotAuthorized, transfer(AssetAmount(60, asset)))


def test_an_order_keeps_its_fee(ctx: Context) -> None:
    """R2.12: neither pending nor accumulated while the order rests, whatever it was paid in."""
    asset = fee_asset(ctx, pool=100)
    own = LimitOrderCreate(core(30), ALICE, core(10), AssetAmount(10, asset))
    other = replace(own, fee=AssetAmount(47, asset))
    first = ctx.state.limit_orders.get(LimitOrderId(created(apply(ctx, own))))
    second = ctx.state.limit_orders.get(LimitOrderId(created(apply(ctx, other))))
    assert (first.deferred_fee, first.deferred_paid_fee) == (30, NO_FEE)
    assert (second.deferred_fee, second.deferred_paid_fee) == (31, AssetAmount(47, asset))
    payer, figures = statistics(ctx, ALICE), ctx.state.figures_of(asset)
    assert payer.pending_fees == payer.pending_vested_fees == figures.accumulated_fees == 0
    assert figures.fee_pool == 100 - 31
    apply(ctx, LimitOrderCancel(NO_FEE, ALICE, second.id))
    assert ctx.state.figures_of(asset).fee_pool == 100
    assert ctx.state.balance_of(ALICE, asset) == 500


def test_a_proposed_operation_owes_nothing_and_pays_what_it_states(ctx: Context) -> None:
    """R8.23: inside a proposal the schedule asks for nothing."""
    run_proposed_operation(ctx, transfer(NO_FEE))
    run_proposed_operation(ctx, transfer(core(7)))
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 1000 - 200 - 7
    assert statistics(ctx, ALICE).pending_vested_fees == 7
    assert [entry.is_virtual for entry in ctx.applied] == [True, True]


def basic_fee(ctx: Context) -> int:
    for entry in ctx.state.parameters.current_fees.parameters:
        if isinstance(entry.value, AccountCreateFee):
            return entry.value.basic_fee
    raise AssertionError("no fee for accounts")


def test_the_basic_account_fee_scales_both_ways(ctx: Context) -> None:
    """R8.21: shifted left by the registrations, and back at maintenance."""
    parameters = ctx.state.parameters
    schedule = with_parameters(parameters.current_fees, 5, AccountCreateFee(3, 9, 0))
    ctx.state.global_properties.edit(ctx.state.properties).parameters = replace(
        parameters, current_fees=schedule
    )
    shift_basic_account_fee(ctx.state, 4)
    shift_basic_account_fee(ctx.state, 4)
    assert basic_fee(ctx) == 3 * 256
    shift_basic_account_fee(ctx.state, -8)
    assert basic_fee(ctx) == 3
    with pytest.raises(LimitExceeded) as caught:
        shift_basic_account_fee(ctx.state, 50)
    assert caught.value.limit == MAX_SUPPLY
    assert basic_fee(ctx) == 3
