"""Force settlement: due requests at the boundary, and redemption from a fund (R5)."""

from __future__ import annotations

from node.market.current_feed import refresh_current_feed
from node.market.fees import pay_market_fee
from node.market.matching import match_settlement
from node.market.positions import fill_position
from node.market.pricing import (
    affordable_price,
    forced_settlement_price,
    is_above,
    margin_call_order_price,
    pool_of,
)
from node.state.balances import adjust_balance, adjust_supply
from node.state.context import Context
from node.state.database import State
from node.state.errors import TooSmall
from node.state.objects.assets import BitassetData
from node.state.objects.market import ForceSettlement
from protocol.asset import (
    NO_FEE,
    AssetAmount,
    Price,
    multiply_ceil,
    multiply_floor,
)
from protocol.constants import HUNDRED_PERCENT
from protocol.errors import PriceOverflow
from protocol.ids import AccountId, AssetId, ForceSettlementId, asset_text, object_id
from protocol.operations.bitasset import AssetSettleCancel
from protocol.operations.limit_order import FillOrder
from protocol.schema import Record


class FundPayout(Record):
    """The result of a redemption from a settlement fund or a pool."""

    paid: AssetAmount
    """BitAsset that was taken and destroyed; at most what was offered."""
    received: AssetAmount
    """Backing that was credited."""
    fee: AssetAmount
    """Market fee of the backing asset."""
    collateral_fee: AssetAmount | None
    """What was beyond MCOP and joined the accumulated collateral fees; None for nothing (BS10)."""

    @property
    def fees(self) -> tuple[AssetAmount, ...]:
        """The fees as an operation answers them."""
        return (self.fee,) if self.collateral_fee is None else (self.collateral_fee, self.fee)


def settle_from_fund(
    ctx: Context, bitasset: BitassetData, account: AccountId, amount: int
) -> FundPayout:
    """Redeem units of a globally settled BitAsset from its fund at once (R5.3, R7.3).

    The last holder takes the whole fund; before, the payout is rounded down and only the units
    that buy it are taken. Raises `TooSmall` or `InsufficientBalance`.
    """
    fund = bitasset.settlement_fund
    is_last = amount == ctx.state.figures_of(bitasset.asset_id).current_supply
    pays, gross = _redeemed(bitasset, amount, fund, bitasset.settlement_price, is_last=is_last)
    ctx.state.bitassets.edit(bitasset).settlement_fund -= gross
    return _pay_out(ctx, bitasset, account, pays, gross)


def settle_from_pool(
    ctx: Context, bitasset: BitassetData, account: AccountId, amount: int
) -> FundPayout:
    """Redeem units from the pool of individually settled debt at once, as far as it goes (BS9).

    Whoever offers all of its debt or more takes the whole fund. Raises `TooSmall` or
    `InsufficientBalance`.
    """
    pool = pool_of(bitasset)
    price = pool.price(bitasset)
    taken = min(amount, pool.debt)
    is_last = taken == pool.debt
    pays, gross = _redeemed(bitasset, taken, pool.fund, price, is_last=is_last)
    bitasset = ctx.state.bitassets.edit(bitasset)
    bitasset.individual_settlement_debt -= pays
    bitasset.individual_settlement_fund -= gross
    payout = _pay_out(ctx, bitasset, account, pays, gross)
    refresh_current_feed(ctx, bitasset)
    ctx.mark_dirty(bitasset.asset_id)
    return payout


def _redeemed(
    bitasset: BitassetData, amount: int, fund: int, price: Price, *, is_last: bool
) -> tuple[int, int]:
    """Units that are taken, and the backing that they are worth; raises `TooSmall`."""
    pays = AssetAmount(amount, bitasset.asset_id)
    gross = fund if is_last else multiply_floor(pays, price).amount
    if gross == 0 and not bitasset.is_prediction_market:
        raise TooSmall(
            "amount is worth nothing",
            rule="R5.3",
            value=amount,
            limit=str(price),
            unit=asset_text(bitasset.asset_id),
        )
    if gross and not is_last:
        backing = bitasset.options.short_backing_asset
        pays = multiply_ceil(AssetAmount(gross, backing), price)
    return pays.amount, gross


def _pay_out(
    ctx: Context, bitasset: BitassetData, account: AccountId, pays: int, gross: int
) -> FundPayout:
    """Destroy the units and credit the backing, less what MCOP does not allow and market fees."""
    state, asset_id = ctx.state, bitasset.asset_id
    backing = bitasset.options.short_backing_asset
    adjust_balance(state, account, asset_id, -pays)
    adjust_supply(state, asset_id, -pays)
    cut = _beyond_order_price(state, bitasset, pays, gross)
    if cut:
        figures = state.asset_dynamic_data.edit(state.figures_of(asset_id))
        figures.accumulated_collateral_fees += cut
    payout = AssetAmount(gross - cut, backing)
    fee = pay_market_fee(ctx, account, payout, is_maker=False)
    received = AssetAmount(payout.amount - fee, backing)
    adjust_balance(state, account, backing, received.amount)
    return FundPayout(
        AssetAmount(pays, asset_id),
        received,
        AssetAmount(fee, backing),
        AssetAmount(cut, backing) if cut else None,
    )


def _beyond_order_price(state: State, bitasset: BitassetData, pays: int, gross: int) -> int:
    """What of a payout exceeds the worth of the units at MCOP, where that is a limit (BS10)."""
    price = _most_paid(state, bitasset)
    if price is None:
        return 0
    try:
        most = multiply_ceil(AssetAmount(pays, bitasset.asset_id), price).amount
    except PriceOverflow:
        return 0
    return max(gross - most, 0)


def _most_paid(state: State, bitasset: BitassetData) -> Price | None:
    """MCOP where funds and pools pay no more than that (BS10)."""
    if not state.chain.pay_mcop or bitasset.is_prediction_market or not bitasset.has_feed():
        return None
    fee_ratio = bitasset.options.extensions.margin_call_fee_ratio
    return margin_call_order_price(bitasset.current_feed, fee_ratio)


def redemption_price(state: State, bitasset: BitassetData) -> Price | None:
    """What whoever settles now is paid at once, debt per backing: by the fund or the pool, at MCOP
    where that is a limit and less (R5.3, BS9, BS10). None where nothing is paid at once."""
    if bitasset.is_globally_settled():
        price = bitasset.settlement_price
    elif bitasset.has_pool_as_fund():
        price = pool_of(bitasset).price(bitasset)
    else:
        return None
    most = _most_paid(state, bitasset)
    return price if most is None or is_above(price, most) else most


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
        done = len(ctx.applied)
        _execute_asset(ctx, bitasset)
        if len(ctx.applied) > done:
            ctx.state.bitassets.edit(bitasset).were_requests_done = True


def _execute_asset(ctx: Context, bitasset: BitassetData) -> None:
    """Settle requests of one BitAsset until one waits: for its date, volume or a bigger match.

    The price is that of the first one that is due, for all of this block (BS16).
    """
    state, asset_id, options = ctx.state, bitasset.asset_id, bitasset.options
    price = None
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
        if price is None:
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
        percent = bitasset.options.extensions.force_settle_fee_percent or 0
        is_gone = fill_settlement(
            ctx, request, settled, pays, paid_price, is_maker=False, fee_percent=percent
        )
        refresh_current_feed(ctx, bitasset)
        state.bitassets.edit(bitasset).force_settled_volume += settled
        if is_request_dust:
            cancel_settlement(ctx, request)
        if is_gone or is_request_dust:
            return True
    return False


def fill_settlement(
    ctx: Context,
    request: ForceSettlement,
    settled: int,
    receives: int,
    price: Price,
    *,
    is_maker: bool,
    fee_percent: int = 0,
) -> bool:
    """Pay a settler, less market fee and settlement fee; returns whether the request is done.

    The settlement fee, a share of what the market fee leaves, is the BitAsset's (BSIP87); a request
    that a margin call takes pays none (SM5).
    """
    state, owner, balance, backing = ctx.state, request.owner, request.balance, price.quote.asset_id
    received = AssetAmount(receives, backing)
    fee = pay_market_fee(ctx, owner, received, is_maker=is_maker)
    settle_fee = (receives - fee) * fee_percent // HUNDRED_PERCENT
    if settle_fee:
        figures = state.asset_dynamic_data.edit(state.figures_of(balance.asset_id))
        figures.accumulated_collateral_fees += settle_fee
    fee += settle_fee
    adjust_balance(state, owner, backing, receives - fee)
    ctx.emit(
        FillOrder(
            fee=AssetAmount(fee, backing),
            order_id=object_id(ForceSettlementId, request.id),
            account_id=owner,
            pays=AssetAmount(settled, balance.asset_id),
            receives=received,
            fill_price=price,
            is_maker=is_maker,
        )
    )
    if settled == balance.amount:
        state.force_settlements.remove(request)
        return True
    request = state.force_settlements.edit(request)
    request.balance = AssetAmount(balance.amount - settled, balance.asset_id)
    return False
