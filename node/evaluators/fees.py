"""Fees of operations: what is owed, what it is worth in CORE, and where it goes (R8.17-R8.21)."""

from __future__ import annotations

from msgspec.structs import replace

from node.evaluators.evaluator import FeeUse
from node.evaluators.lists import check_authorized
from node.market.fees import add_pending_fee
from node.state.context import Context
from node.state.database import State
from node.state.errors import InsufficientFee, InsufficientFeePool, LimitExceeded
from node.state.objects.accounts import Account
from protocol.asset import AssetAmount, multiply_floor
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.fee_schedule import AccountCreateFee
from protocol.fees import fee_table, with_parameters
from protocol.ids import asset_text
from protocol.operations import ENTRY_OF
from protocol.operations.account import AccountCreate
from protocol.operations.base import Operation

ACCOUNT_CREATE_ID = ENTRY_OF[AccountCreate].id
"""BitShares' number of account_create, whose basic fee scales (R8.21)."""


def core_worth_of(state: State, fee: AssetAmount) -> int:
    """CORE that the fee pool of the fee's asset gives for a fee, rounded down (R8.17).

    Raises `InsufficientFeePool` when the pool holds less.
    """
    if fee.asset_id == CORE_ASSET:
        return fee.amount
    asset = state.assets.get(fee.asset_id)
    worth = multiply_floor(fee, asset.options.core_exchange_rate)
    assert worth.asset_id == CORE_ASSET, asset.options
    pool = state.asset_dynamic_data.get(asset.dynamic_asset_data_id).fee_pool
    if worth.amount > pool:
        raise InsufficientFeePool(
            f"fee pool of {asset.symbol} holds too little CORE",
            rule="R8.17",
            value=pool,
            limit=worth.amount,
            unit=asset_text(CORE_ASSET),
        )
    return worth.amount


def check_fee(ctx: Context, op: Operation, payer: Account, fee_free: bool) -> int:
    """The CORE worth of an operation's fee, once all rules about it hold (R8.17, R2.20).

    Raises `NoSuchObject`, `NotAuthorized`, `InsufficientFeePool` or `InsufficientFee`.
    """
    state, fee = ctx.state, op.fee
    check_authorized(payer, state.assets.at[fee.asset_id])
    worth = fee.amount if fee.asset_id == CORE_ASSET else core_worth_of(state, fee)
    if not fee_free:
        required = fee_table(state.global_properties.rows[0].parameters.current_fees).required(op)
        if worth < required:
            unit = asset_text(CORE_ASSET)
            raise InsufficientFee(
                "fee is too low", rule="R8.17", value=worth, limit=required, unit=unit
            )
    return worth


def collect_fee(
    state: State, payer: Account, fee: AssetAmount, core_worth: int, use: FeeUse
) -> None:
    """Convert a fee to CORE and set the CORE aside (R8.18); the payer is debited later.

    A deferred fee leaves the pool but joins neither accumulated nor pending fees: the order
    holds it, in both assets (R2.12).
    """
    if fee.asset_id != CORE_ASSET:
        figures = state.asset_dynamic_data.edit(state.figures_of(fee.asset_id))
        figures.fee_pool -= core_worth
        if use is not FeeUse.DEFER:
            figures.accumulated_fees += fee.amount
    if use is FeeUse.DISTRIBUTE:
        add_pending_fee(state, payer.id, core_worth)
    elif use is FeeUse.SEED_POOL:
        add_pending_fee(state, payer.id, core_worth - pool_seed(core_worth))


def pool_seed(core_worth: int) -> int:
    """The part of an asset's creation fee that fills its fee pool (R8.19)."""
    return core_worth // 2


def shift_basic_account_fee(state: State, bits: int) -> None:
    """Multiply the basic fee of account_create by 2**bits; negative divides it again (R8.21).

    Raises `LimitExceeded` where the fee would exceed all CORE there can be: nobody could pay it,
    and it could not be scaled back.
    """
    properties = state.properties
    schedule = properties.parameters.current_fees
    fees = fee_table(schedule).parameters(ACCOUNT_CREATE_ID)
    assert isinstance(fees, AccountCreateFee)
    basic = fees.basic_fee << bits if bits > 0 else fees.basic_fee >> -bits
    if bits > 0 and basic > MAX_SUPPLY:
        raise LimitExceeded(
            "too many registrations before maintenance",
            rule="R8.21",
            value=basic,
            limit=MAX_SUPPLY,
            unit=asset_text(CORE_ASSET),
        )
    scaled = with_parameters(schedule, ACCOUNT_CREATE_ID, replace(fees, basic_fee=basic))
    state.global_properties.edit(properties).parameters = replace(
        properties.parameters, current_fees=scaled
    )
