"""The arithmetic of vesting balances (R8.16), and deposits that share one balance."""

from __future__ import annotations

from msgspec.structs import replace

from node.state.context import Context
from node.state.creation import create_vesting_balance
from node.state.objects.vesting import (
    BALANCE_MARKET_FEE_SHARING,
    CddVesting,
    InstantVesting,
    LinearVesting,
    VestingBalance,
)
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET
from protocol.ids import AccountId, VestingBalanceId


def withdrawable(balance: VestingBalance, now: int) -> int:
    """What the owner may withdraw at a time, in units of the balance's asset (R8.16)."""
    policy = balance.policy
    if isinstance(policy, InstantVesting):
        return balance.balance.amount
    if isinstance(policy, LinearVesting):
        withdrawn = policy.begin_balance - balance.balance.amount
        return max(linear_vested(policy, now) - withdrawn, 0)
    if now <= policy.start_claim:
        return 0
    earned = coin_seconds_earned(policy, balance.balance.amount, now)
    return earned // max(policy.vesting_seconds, 1)


def linear_vested(policy: LinearVesting, now: int) -> int:
    """How much of the first deposit has vested: nothing before the cliff (R8.16)."""
    elapsed = now - policy.begin_timestamp
    if elapsed <= 0 or elapsed < policy.vesting_cliff_seconds:
        return 0
    if elapsed >= policy.vesting_duration_seconds:
        return policy.begin_balance
    return policy.begin_balance * elapsed // policy.vesting_duration_seconds


def coin_seconds_earned(policy: CddVesting, amount: int, now: int) -> int:
    """Coin seconds at a time: they grow with the amount, up to all of it vested (R8.16)."""
    elapsed = now - policy.coin_seconds_earned_last_update
    assert elapsed >= 0, policy
    cap = amount * max(policy.vesting_seconds, 1)
    return min(policy.coin_seconds_earned + amount * elapsed, cap)


def deposit(ctx: Context, balance: VestingBalance, amount: int, *, vested: bool = False) -> None:
    """Add to a balance; what is `vested` can be withdrawn at once (R8.16, R8.20)."""
    policy = balance.policy
    assert not isinstance(policy, LinearVesting), "a linear balance is filled once"
    held = balance.balance
    state = ctx.state
    item = state.vesting_balances.edit(balance)
    if isinstance(policy, CddVesting):
        earned = coin_seconds_earned(policy, held.amount, ctx.now)
        if vested:
            earned += amount * max(policy.vesting_seconds, 1)
        item.policy = _updated(policy, earned, ctx.now)
    item.balance = AssetAmount(held.amount + amount, held.asset_id)


def withdraw(ctx: Context, balance: VestingBalance, amount: int) -> None:
    """Take from a balance what is withdrawable; the caller has checked, and pays out (R8.16)."""
    assert 0 <= amount <= withdrawable(balance, ctx.now), balance
    policy, held = balance.policy, balance.balance
    item = ctx.state.vesting_balances.edit(balance)
    if isinstance(policy, CddVesting):
        earned = coin_seconds_earned(policy, held.amount, ctx.now)
        spent = amount * max(policy.vesting_seconds, 1)
        item.policy = _updated(policy, earned - spent, ctx.now)
    item.balance = AssetAmount(held.amount - amount, held.asset_id)


def deposit_lazy(
    ctx: Context,
    existing_id: VestingBalanceId | None,
    owner: AccountId,
    amount: int,
    vesting_seconds: int,
    balance_type: int,
    *,
    vested: bool = False,
) -> VestingBalanceId | None:
    """Deposit CORE into an owner's coin-days balance, or into a new one (R8.16).

    The existing balance serves when it is the owner's and its time to vest is `vesting_seconds`.
    Returns the id of a new balance, which the caller links, or None when none was made.
    """
    if amount == 0:
        return None
    table = ctx.state.vesting_balances
    existing = None if existing_id is None else table.find(existing_id)
    if existing is not None and existing.owner == owner:
        policy = existing.policy
        if isinstance(policy, CddVesting) and policy.vesting_seconds == vesting_seconds:
            deposit(ctx, existing, amount, vested=vested)
            return None
    policy = CddVesting(
        vesting_seconds=vesting_seconds,
        start_claim=0,
        coin_seconds_earned=amount * max(vesting_seconds, 1) if vested else 0,
        coin_seconds_earned_last_update=ctx.now,
    )
    held = AssetAmount(amount, CORE_ASSET)
    created = create_vesting_balance(ctx.state, owner, held, policy, balance_type)
    return created.id


def deposit_fee_share(ctx: Context, owner: AccountId, amount: AssetAmount) -> None:
    """Deposit a share of market fees into the owner's instant balance of that asset (R2.15)."""
    state = ctx.state
    purpose = (owner, amount.asset_id, BALANCE_MARKET_FEE_SHARING)
    found = state.vesting_by_purpose.first(purpose)
    if found is not None:
        deposit(ctx, found, amount.amount)
        return
    create_vesting_balance(state, owner, amount, InstantVesting(), BALANCE_MARKET_FEE_SHARING)


def _updated(policy: CddVesting, earned: int, now: int) -> CddVesting:
    return replace(policy, coin_seconds_earned=earned, coin_seconds_earned_last_update=now)
