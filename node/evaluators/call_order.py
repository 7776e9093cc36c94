"""Positions: borrowing a BitAsset against collateral (R3)."""

from __future__ import annotations

from msgspec.structs import replace

from node.evaluators.asset_rules import bitasset_data_of
from node.evaluators.lists import check_authorized
from node.market.current_feed import refresh_current_feed
from node.market.pricing import (
    collateral_ratio,
    compare_collateralization,
    initial_collateralization,
    owes_more_than,
    squeeze_protection_price,
)
from node.state.balances import adjust_balance, adjust_core_in_orders, adjust_supply, check_balance
from node.state.context import Context
from node.state.creation import create_position
from node.state.database import State
from node.state.errors import (
    BelowRequiredRatio,
    GloballySettled,
    InsufficientFeeds,
    MaxSupplyExceeded,
    MustClaimAllCollateral,
    NegativeSupply,
    NewSupplyDisabled,
    NonpositivePosition,
    PredictionMarketUnequal,
    StrictRelease,
    WouldBlackSwan,
    WrongCollateralAsset,
)
from node.state.objects.assets import Asset, BitassetData
from node.state.objects.market import CallOrder
from protocol.asset import AssetAmount
from protocol.errors import RATIO
from protocol.ids import ObjectId, asset_text
from protocol.operations.asset_options import DISABLE_NEW_SUPPLY
from protocol.operations.call_order import CallOrderUpdate
from protocol.schema import Record


class NewPosition(Record):
    """What the position will be; both amounts 0 when it closes."""

    position: CallOrder | None
    """The present one; None when it opens."""
    collateral: int
    debt: int


def evaluate_call_order_update(ctx: Context, op: CallOrderUpdate) -> NewPosition:
    """The new position, once every rule of R3.2 to R3.6 holds, in that order."""
    state = ctx.state
    asset = state.assets.get(op.delta_debt.asset_id)
    data = bitasset_data_of(state, asset)
    backing = state.assets.get(data.options.short_backing_asset)
    borrower = state.accounts.get(op.funding_account)

    _check_supply(state, asset, op.delta_debt.amount)
    if data.is_globally_settled():
        raise GloballySettled(
            f"{asset.symbol} is globally settled", rule="R3.2.5", value=asset.symbol
        )
    if op.delta_collateral.asset_id != backing.id:
        raise WrongCollateralAsset(
            "collateral is not in the backing asset",
            rule="R3.2.6",
            value=asset_text(op.delta_collateral.asset_id),
            limit=asset_text(backing.id),
        )
    new = _new_position(state, op)
    _check_feed(data, op, is_closing=new.debt == 0)
    check_authorized(borrower, asset)
    check_authorized(borrower, backing)
    if state.chain.strict_release and op.delta_collateral.amount < 0 <= op.delta_debt.amount:
        raise StrictRelease(
            "collateral leaves only as debt is paid back",
            rule="R3.6",
            value=op.delta_debt.amount,
            limit=-1,
            unit=asset_text(asset.id),
        )
    repaid = AssetAmount(-op.delta_debt.amount, asset.id)
    check_balance(state, borrower.id, repaid, rule="R3.3")
    check_balance(state, borrower.id, op.delta_collateral, rule="R3.3")
    if new.debt and not data.is_prediction_market:
        check_ratio(data, new)
    return new


def _check_supply(state: State, asset: Asset, delta_debt: int) -> None:
    if delta_debt > 0 and asset.has_flag(DISABLE_NEW_SUPPLY):
        raise NewSupplyDisabled(
            f"new supply of {asset.symbol} is disabled",
            rule="R3.2.2",
            value=delta_debt,
            limit=0,
            unit=asset_text(asset.id),
        )
    supply = state.figures_of(asset.id).current_supply + delta_debt
    if supply > asset.options.max_supply:
        raise MaxSupplyExceeded(
            f"supply of {asset.symbol} would exceed max_supply",
            rule="R3.2.3",
            value=supply,
            limit=asset.options.max_supply,
            unit=asset_text(asset.id),
        )
    if supply < 0:
        raise NegativeSupply(
            f"more {asset.symbol} is paid back than exists",
            rule="R3.2.4",
            value=supply,
            limit=0,
            unit=asset_text(asset.id),
        )


def _new_position(state: State, op: CallOrderUpdate) -> NewPosition:
    position = state.positions_of_account.find(op.funding_account, op.delta_debt.asset_id)
    collateral, debt = op.delta_collateral.amount, op.delta_debt.amount
    if position is not None:
        collateral += position.collateral
        debt += position.debt
        if debt == 0:
            if collateral != 0:
                raise MustClaimAllCollateral(
                    "a position without debt gives all collateral back",
                    rule="R3.2.7",
                    value=collateral,
                    limit=0,
                    unit=asset_text(op.delta_collateral.asset_id),
                )
            return NewPosition(position, 0, 0)
    if collateral <= 0 or debt <= 0:
        raise NonpositivePosition(
            "debt and collateral of a position are positive",
            rule="R3.2.7",
            value=f"{replace(op.delta_debt, amount=debt)}"
            f" and {replace(op.delta_collateral, amount=collateral)}",
        )
    return NewPosition(position, collateral, debt)


def _check_feed(data: BitassetData, op: CallOrderUpdate, *, is_closing: bool) -> None:
    if data.is_prediction_market:
        if op.delta_collateral.amount != op.delta_debt.amount:
            raise PredictionMarketUnequal(
                "debt and collateral of a prediction market change by the same amount",
                rule="R3.2.8",
                value=op.delta_collateral,
                limit=op.delta_debt,
            )
    elif not data.has_feed() and not is_closing:
        raise InsufficientFeeds("no price feed", rule="R3.2.8", value=asset_text(data.asset_id))


def check_ratio(data: BitassetData, new: NewPosition) -> None:
    """R3.4: unless the ratio rises without more debt, it must clear SQP and max(MCR, ICR)."""
    old, collateral, debt = new.position, new.collateral, new.debt
    if old is not None and debt <= old.debt and collateral * old.debt > old.collateral * debt:
        return
    feed = data.median_feed
    if owes_more_than(collateral, debt, squeeze_protection_price(feed)):
        raise WouldBlackSwan(
            "the position could not pay the squeeze protection price",
            rule="R3.4a",
            value=collateral_ratio(collateral, debt, feed.settlement_price),
            limit=feed.maximum_short_squeeze_ratio,
            unit=RATIO,
        )
    if compare_collateralization(collateral, debt, initial_collateralization(feed)) <= 0:
        raise BelowRequiredRatio(
            "the position would not stay above max(MCR, ICR)",
            rule="R3.4b",
            value=collateral_ratio(collateral, debt, feed.settlement_price),
            limit=max(feed.initial_collateral_ratio, feed.maintenance_collateral_ratio),
            unit=RATIO,
        )


def apply_call_order_update(ctx: Context, op: CallOrderUpdate, new: NewPosition) -> ObjectId:
    """Move debt and collateral, write the position (R3.3); its margin call waits (R3.5)."""
    state, borrower = ctx.state, op.funding_account
    delta_debt, delta_collateral = op.delta_debt, op.delta_collateral
    adjust_balance(state, borrower, delta_debt.asset_id, delta_debt.amount)
    adjust_supply(state, delta_debt.asset_id, delta_debt.amount)
    adjust_balance(state, borrower, delta_collateral.asset_id, -delta_collateral.amount)
    adjust_core_in_orders(state, borrower, delta_collateral.asset_id, delta_collateral.amount)
    ctx.mark_dirty(delta_debt.asset_id)

    position = new.position
    if position is None:
        position = create_position(
            state,
            borrower,
            AssetAmount(new.debt, delta_debt.asset_id),
            AssetAmount(new.collateral, delta_collateral.asset_id),
            op.extensions.target_collateral_ratio,
        )
    elif new.debt == 0:
        state.call_orders.remove(position)
    else:
        state.call_orders.edit(position)
        position.collateral = new.collateral
        position.debt = new.debt
        position.target_collateral_ratio = op.extensions.target_collateral_ratio
    data = state.bitasset_of(delta_debt.asset_id)
    assert data is not None, op
    refresh_current_feed(ctx, data)
    return state.call_orders.object_id(position.id)
