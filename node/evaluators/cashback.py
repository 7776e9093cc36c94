"""Sharing out the fees that an account has paid: network, referrers, registrar (R8.20)."""

from __future__ import annotations

from node.market.vesting import deposit_lazy
from node.state.context import Context
from node.state.objects.accounts import Account
from node.state.objects.vesting import BALANCE_CASHBACK
from protocol.constants import CORE_ASSET, HUNDRED_PERCENT, MAX_AMOUNT, TEMP_ACCOUNT
from protocol.ids import AccountId


def share_out_fees(ctx: Context, account: Account) -> None:
    """Empty both buckets of an account's pending fees.

    Happens at maintenance, and when the account becomes a lifetime member: what it paid before
    still belongs to those who referred it. A referrer who is no member any more loses the role to
    the lifetime referrer first.
    """
    state = ctx.state
    statistics = state.statistics.get(account.statistics)
    if not (statistics.pending_fees or statistics.pending_vested_fees):
        return
    if not state.accounts.get(account.referrer).is_member(ctx.now):
        state.accounts.edit(account).referrer = account.lifetime_referrer

    _share_out(ctx, account, statistics.pending_fees, vested=False)
    _share_out(ctx, account, statistics.pending_vested_fees, vested=True)

    state.statistics.edit(statistics)
    paid = statistics.pending_fees + statistics.pending_vested_fees
    statistics.lifetime_fees_paid = min(statistics.lifetime_fees_paid + paid, MAX_AMOUNT)
    statistics.pending_fees = 0
    statistics.pending_vested_fees = 0


def _share_out(ctx: Context, account: Account, total: int, *, vested: bool) -> None:
    network = _share(total, account.network_fee_percentage)
    lifetime = _share(total, account.lifetime_referrer_fee_percentage)
    referral = total - network - lifetime
    referrer = _share(referral, account.referrer_rewards_percentage)
    if network:
        figures = ctx.state.asset_dynamic_data.edit(ctx.state.figures_of(CORE_ASSET))
        figures.accumulated_fees += network
    for receiver, amount in (
        (account.lifetime_referrer, lifetime),
        (account.referrer, referrer),
        (account.registrar, referral - referrer),
    ):
        deposit_cashback(ctx, receiver, amount, vested=vested)


def _share(total: int, percent: int) -> int:
    return total * percent // HUNDRED_PERCENT


def deposit_cashback(ctx: Context, receiver: AccountId, amount: int, *, vested: bool) -> None:
    """Credit a share to an account's cashback vesting balance; the chain's own burn theirs.

    With `vested` the share is withdrawable at once.
    """
    if amount == 0:
        return
    state = ctx.state
    if receiver <= TEMP_ACCOUNT:
        state.asset_dynamic_data.edit(state.figures_of(CORE_ASSET)).current_supply -= amount
        return
    account = state.accounts.get(receiver)
    created = deposit_lazy(
        ctx,
        account.cashback_vb,
        receiver,
        amount,
        state.parameters.cashback_vesting_period_seconds,
        BALANCE_CASHBACK,
        vested=vested,
    )
    if created is not None:
        state.accounts.edit(account).cashback_vb = created
