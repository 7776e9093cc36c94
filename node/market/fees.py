"""Fees of trading: market fees and the deferred fees of orders (R2.12-R2.17, R8.20)."""

from __future__ import annotations

from node.market.holders import is_authorized
from node.market.vesting import deposit_fee_share
from node.state.balances import adjust_balance
from node.state.context import Context
from node.state.database import State
from node.state.objects.assets import Asset
from node.state.objects.market import LimitOrder
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import COMMITTEE_ACCOUNT, CORE_ASSET, HUNDRED_PERCENT, TEMP_ACCOUNT
from protocol.fees import required_fee
from protocol.ids import AccountId
from protocol.operations.asset_options import CHARGE_MARKET_FEE
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate, LimitOrderUpdate


def add_pending_fee(state: State, payer: AccountId, amount: int) -> None:
    """Have CORE shared out at maintenance; small fees need not vest (R8.20)."""
    if amount:
        statistics = state.statistics.edit(state.statistics_of(payer))
        if amount > state.parameters.cashback_vesting_threshold:
            statistics.pending_fees += amount
        else:
            statistics.pending_vested_fees += amount


def market_fee(asset: Asset, amount: int, *, is_maker: bool) -> int:
    """The market fee on an amount of an asset that is received in a trade (R2.14)."""
    options = asset.options
    if not options.flags & CHARGE_MARKET_FEE:
        return 0
    percent = options.market_fee_percent
    taker_percent = options.extensions.taker_fee_percent
    if not is_maker and taker_percent is not None:
        percent = taker_percent
    return min(amount * percent // HUNDRED_PERCENT, options.max_market_fee)


def pay_market_fee(ctx: Context, payer: AccountId, received: AssetAmount, *, is_maker: bool) -> int:
    """Take the market fee off what an account receives and share it out (R2.15).

    Returns the fee; the caller credits the rest. The network's share and the rewards of registrar
    and referrer go to vesting balances, what is left to the asset's accumulated fees.
    """
    state, asset_id = ctx.state, received.asset_id
    asset = state.assets.at[asset_id]
    fee = market_fee(asset, received.amount, is_maker=is_maker)
    if fee == 0:
        return 0
    network = fee * state.parameters.market_fee_network_percent() // HUNDRED_PERCENT
    if network:
        deposit_fee_share(ctx, COMMITTEE_ACCOUNT, AssetAmount(network, asset_id))
    issuers = fee - network
    issuers -= _reward_referrals(ctx, payer, asset, issuers)
    if issuers:
        state.asset_dynamic_data.edit(state.figures_of(asset_id)).accumulated_fees += issuers
    return fee


def _reward_referrals(ctx: Context, payer: AccountId, asset: Asset, fee: int) -> int:
    """Pay registrar and referrer of the payer their part of a market fee; returns it (R2.15)."""
    state, extensions = ctx.state, asset.options.extensions
    reward = fee * (extensions.reward_percent or 0) // HUNDRED_PERCENT
    if reward == 0:
        return 0
    account = state.accounts.get(payer)
    sharers = extensions.whitelist_market_fee_sharing
    if sharers and account.registrar not in sharers:
        return 0
    if not is_authorized(state.accounts.get(account.registrar), asset):
        return 0
    registrar, referrer = _payee(account.registrar), _payee(account.referrer)
    referrers = 0
    if referrer != registrar and is_authorized(state.accounts.get(referrer), asset):
        referrers = reward * account.referrer_rewards_percentage // HUNDRED_PERCENT
    for payee, share in ((referrer, referrers), (registrar, reward - referrers)):
        if share:
            deposit_fee_share(ctx, payee, AssetAmount(share, asset.id))
    return reward


def _payee(account: AccountId) -> AccountId:
    """Nobody owns the temp account, so its share is the committee's."""
    return COMMITTEE_ACCOUNT if account == TEMP_ACCOUNT else account


def consume_deferred_fee(ctx: Context, order: LimitOrder, *, is_maker: bool) -> None:
    """Distribute an order's creation fee at its first fill; a maker may get a part back (R2.12).

    The caller clears the fee of an order that stays.
    """
    state, core, paid = ctx.state, order.deferred_fee, order.deferred_paid_fee
    discount = state.parameters.maker_fee_discount_percent() if is_maker else 0
    if paid.amount:
        refund = paid.amount * discount // HUNDRED_PERCENT
        pool_refund = core * discount // HUNDRED_PERCENT if refund else 0
        adjust_balance(state, order.seller, paid.asset_id, refund)
        figures = state.asset_dynamic_data.edit(state.figures_of(paid.asset_id))
        figures.accumulated_fees += paid.amount - refund
        figures.fee_pool += pool_refund
        core -= pool_refund
    else:
        refund = core * discount // HUNDRED_PERCENT
        adjust_balance(state, order.seller, CORE_ASSET, refund)
        core -= refund
    add_pending_fee(state, order.seller, core)


def refund_deferred_fee(ctx: Context, order: LimitOrder, *, charge_cancel: bool) -> AssetAmount:
    """Give an order's unused creation fee back, less the fee of an involuntary cancel (R2.13).

    Returns the cancel fee as it was paid: CORE, or the asset of the deferred fee.
    """
    charged = _cancel_fee(ctx.state, order) if charge_cancel else 0
    return _refund(ctx, order, min(charged, order.deferred_fee))


def settle_old_fee(ctx: Context, order: LimitOrder) -> None:
    """Give an order's unused fee back before an update defers its own; a part is charged (R2.17).

    The cancel fee is due in the proportion of update fee to creation fee. The caller sets the
    new fee.
    """
    state = ctx.state
    charged, create = _cancel_fee(state, order), _create_fee(state, order)
    if create:
        charged = charged * _update_fee(state, order) // create
    _refund(ctx, order, min(charged, order.deferred_fee))


def _refund(ctx: Context, order: LimitOrder, charged: int) -> AssetAmount:
    """Refund the deferred fee but for CORE that is charged; returns the charge as it was paid."""
    state, core, paid = ctx.state, order.deferred_fee, order.deferred_paid_fee
    add_pending_fee(state, order.seller, charged)
    if not paid.amount:
        adjust_balance(state, order.seller, CORE_ASSET, core - charged)
        return AssetAmount(charged, CORE_ASSET)
    charged_paid = -(-paid.amount * charged // core) if charged else 0
    adjust_balance(state, order.seller, paid.asset_id, paid.amount - charged_paid)
    figures = state.asset_dynamic_data.edit(state.figures_of(paid.asset_id))
    figures.accumulated_fees += charged_paid
    figures.fee_pool += core - charged
    return AssetAmount(charged_paid, paid.asset_id) if charged else NO_FEE


def _cancel_fee(state: State, order: LimitOrder) -> int:
    cancel = LimitOrderCancel(fee=NO_FEE, fee_paying_account=order.seller, order=order.id)
    return required_fee(cancel, state.parameters.current_fees)


def _create_fee(state: State, order: LimitOrder) -> int:
    price = order.sell_price
    create = LimitOrderCreate(NO_FEE, order.seller, price.base, price.quote)
    return required_fee(create, state.parameters.current_fees)


def _update_fee(state: State, order: LimitOrder) -> int:
    update = LimitOrderUpdate(NO_FEE, order.seller, order.id)
    return required_fee(update, state.parameters.current_fees)
