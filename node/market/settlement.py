"""Force settlement: due requests at the boundary, and redemption from a fund (R5)."""

from __future__ import annotations

from typing import NamedTuple

from node.market.fees import pay_market_fee
from node.market.matching import match_settlement
from node.market.positions import fill_position
from node.market.pricing import affordable_price, forced_settlement_price
from node.state.balances import adjust_balance, adjust_supply
from node.state.context import Context
from node.state.errors import TooSmall
from node.state.objects.assets import BitassetData
from node.state.objects.market import ForceSettlement
from protocol.asset import NO_FEE, AssetAmount, Price, multiply_ceil, multiply_floor
from protocol.constants import HUNDRED_PERCENT
from protocol.ids import AccountId, AssetId, ForceSettlementId, asset_text, object_id
from protocol.operations.bitasset import AssetSettleCancel
from protocol.operations.limit_order import FillOrder


class FundPayout(NamedTuple):
    """The result of a redemption from the settlement fund."""

    paid: AssetAmount
    """BitAsset that was taken and destroyed; at most what was offered."""
    received: AssetAmount
    """Backing that was credited."""
    fee: AssetAmount
    """Market fee of the backing asset."""


def settle_from_fund(
    ctx: Context, bitasset: BitassetData, account: AccountId, amount: int
) -> FundPayout:
    """Redeem units of a globally settled BitAsset from its fund at once (R5.3, R7.3).

    The last holder takes the whole fund; before, the payout is rounded down and only the units
    that buy it are taken. Raises `TooSmall` or `InsufficientBalance`.
    """
    state, asset_id = ctx.state, bitasset.asset_id
    price, backing = bitasset.settlement_price, bitasset.options.short_backing_asset
    pays = AssetAmount(amount, asset_id)
    if amount == state.figures_of(asset_id).current_supply:
        payout = AssetAmount(bitasset.settlement_fund, backing)
    else:
        payout = multiply_floor(pays, price)
        if payout.amount:
            pays = multiply_ceil(payout, price)
    if payout.amount == 0 and not bitasset.is_prediction_market:
        raise TooSmall(
            "amount is worth nothing",
            rule="R5.3",
            value=amount,
            limit=str(price),
            unit=asset_text(asset_id),
        )
    adjust_balance(state, account, asset_id, -pays.amount)
    adjust_supply(state, asset_id, -pays.amount)
    state.bitassets.edit(bitasset).settlement_fund -= payout.amount
    fee = pay_market_fee(ctx, account, payout, is_maker=False)
    received = AssetAmount(payout.amount - fee, backing)
    adjust_balance(state, account, backing, received.amount)
    return FundPayout(pays, received, AssetAmount(fee, backing))


def cancel_settlements(ctx: Context, asset_id: AssetId) -> None:
    """Cancel and refund all requests of a BitAsset, earliest first (R5.9)."""
    while (request := ctx.state.settlements.first(asset_id)) is not None:
        cancel_settlement(ctx, request)


def cancel_settlement(ctx: Context, request: ForceSettlement) -> None:
    """Refund a request and remove it, with a record (R5.2)."""
    refund = request.balance
    adjust_balance(ctx.state, request.owner, refund.asset_id, refund.amount)
    ctx.emit(
        AssetSettleCancel(fee=NO_FEE, settlement=request.id, account=request.owner, amount=refund)
    )
    ctx.state.force_settlements.remove(request)


def execute_due_settlements(ctx: Context) -> None:
    """Settle requests whose date has come, by (asset, date, id), within the volume (R5.4, R5.8)."""
    asset_ids = ctx.state.settlements.group_keys()
    for asset_id in sorted(asset_ids):
        bitasset = ctx.state.bitasset_of(asset_id)
        assert bitasset is not None, asset_id
        _execute_asset(ctx, bitasset)


def _execute_asset(ctx: Context, bitasset: BitassetData) -> None:
    """Settle requests of one BitAsset until one waits: for its date, volume or a bigger match."""
    state, asset_id, options = ctx.state, bitasset.asset_id, bitasset.options
    while (request := state.settlements.first(asset_id)) is not None:
        if bitasset.is_globally_settled():
            cancel_settlement(ctx, request)
            continue
        if request.settlement_date > ctx.now:
            return
        offset = options.force_settlement_offset_percent
        if not bitasset.has_feed() or offset == HUNDRED_PERCENT:
            cancel_settlement(ctx, request)
            continue
        volume = bitasset.max_settlement_volume(state.figures_of(asset_id).current_supply)
        price = forced_settlement_price(bitasset.current_feed.settlement_price, offset)
        if not _execute_request(ctx, bitasset, request, volume, price):
            return


def _execute_request(
    ctx: Context, bitasset: BitassetData, request: ForceSettlement, volume: int, price: Price
) -> bool:
    """Settle one request with the least collateralised positions; returns whether it is gone.

    `volume` is the most that may be settled in this maintenance interval, in all.
    """
    state = ctx.state
    while bitasset.force_settled_volume < volume:
        position = state.positions.first(bitasset.asset_id)
        if position is None:
            cancel_settlement(ctx, request)
            return True
        paid_price = affordable_price(position, price)
        match = match_settlement(
            request.balance.amount,
            volume - bitasset.force_settled_volume,
            position.debt,
            position.collateral,
            paid_price,
        )
        settled, pays, is_request_dust = match
        if settled == 0:
            if is_request_dust:
                cancel_settlement(ctx, request)
            return is_request_dust
        fill_position(ctx, position, pays, settled, paid_price, fee=0, is_maker=True)
        is_gone = _fill_settlement(ctx, bitasset, request, settled, pays, paid_price)
        state.bitassets.edit(bitasset).force_settled_volume += settled
        if is_request_dust:
            cancel_settlement(ctx, request)
        if is_gone or is_request_dust:
            return True
    return False


def _fill_settlement(
    ctx: Context,
    bitasset: BitassetData,
    request: ForceSettlement,
    settled: int,
    receives: int,
    price: Price,
) -> bool:
    """Pay a settler, less market fee and settlement fee; returns whether the request is done.

    The settlement fee, a share of what the market fee leaves, is the BitAsset's (BSIP87).
    """
    state, owner, balance = ctx.state, request.owner, request.balance
    received = AssetAmount(receives, bitasset.options.short_backing_asset)
    fee = pay_market_fee(ctx, owner, received, is_maker=False)
    percent = bitasset.options.extensions.force_settle_fee_percent or 0
    settle_fee = (receives - fee) * percent // HUNDRED_PERCENT
    if settle_fee:
        figures = state.asset_dynamic_data.edit(state.figures_of(bitasset.asset_id))
        figures.accumulated_collateral_fees += settle_fee
    fee += settle_fee
    adjust_balance(state, owner, received.asset_id, receives - fee)
    ctx.emit(
        FillOrder(
            fee=AssetAmount(fee, received.asset_id),
            order_id=object_id(ForceSettlementId, request.id),
            account_id=owner,
            pays=AssetAmount(settled, balance.asset_id),
            receives=received,
            fill_price=price,
            is_maker=False,
        )
    )
    if settled == balance.amount:
        state.force_settlements.remove(request)
        return True
    request = state.force_settlements.edit(request)
    request.balance = AssetAmount(balance.amount - settled, balance.asset_id)
    return False
