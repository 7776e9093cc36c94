"""Balances of the genesis that belong to a key until they are claimed."""

from __future__ import annotations

from node.market.vesting import linear_vested
from node.state.balances import credit
from node.state.context import Context
from node.state.errors import InsufficientBalance, LimitExceeded, WrongAccount, WrongAssetType
from node.state.objects.vesting import GenesisBalance
from protocol.asset import AssetAmount
from protocol.constants import SECONDS_PER_DAY
from protocol.crypto.addresses import addresses_of
from protocol.errors import SECONDS
from protocol.ids import asset_text
from protocol.operations.balance import BalanceClaim
from protocol.operations.results import VoidResult


def evaluate_balance_claim(ctx: Context, op: BalanceClaim) -> GenesisBalance:
    """The balance, once the key owns it and the claim is all of it, or what has vested.

    That the key has signed is an authority of the operation (R9.6).
    """
    balance = ctx.state.genesis_balances.get(op.balance_to_claim)
    ctx.state.accounts.get(op.deposit_to_account)
    held, claimed = balance.balance, op.total_claimed

    if balance.owner not in addresses_of(op.balance_owner_key):
        raise WrongAccount(
            "the balance belongs to another key",
            rule="R9.6",
            value=op.balance_owner_key.hex(),
            limit=balance.owner.hex(),
        )
    if claimed.asset_id != held.asset_id:
        raise WrongAssetType(
            "the balance holds another asset",
            rule="R8.16",
            value=asset_text(claimed.asset_id),
            limit=asset_text(held.asset_id),
        )
    if balance.vesting_policy is not None:
        _check_vested_claim(ctx, balance, claimed.amount)
    elif claimed.amount != held.amount:
        raise LimitExceeded(
            "a balance is claimed as a whole",
            rule="R9.6",
            value=claimed.amount,
            limit=held.amount,
            unit=asset_text(held.asset_id),
        )
    return balance


def _check_vested_claim(ctx: Context, balance: GenesisBalance, claimed: int) -> None:
    available = claimable(balance, ctx.now)
    if not 0 < claimed <= available:
        raise InsufficientBalance(
            "not within what has vested",
            rule="R8.16",
            value=available,
            limit=claimed,
            unit=asset_text(balance.balance.asset_id),
        )
    waited = ctx.now - balance.last_claim_date
    if waited < SECONDS_PER_DAY:
        raise LimitExceeded(
            "a vesting balance is claimed once a day",
            rule="R8.16",
            value=waited,
            limit=SECONDS_PER_DAY,
            unit=SECONDS,
        )


def claimable(balance: GenesisBalance, now: int) -> int:
    """How much of a balance may be claimed, apart from the wait between two claims (R8.16)."""
    policy, held = balance.vesting_policy, balance.balance.amount
    if policy is None:
        return held
    withdrawn = policy.begin_balance - held
    return linear_vested(policy, now) - withdrawn


def apply_balance_claim(ctx: Context, op: BalanceClaim, balance: GenesisBalance) -> VoidResult:
    """Move the claim to the account; a balance that is claimed wholly disappears."""
    state, held, claimed = ctx.state, balance.balance, op.total_claimed
    if claimed.amount == held.amount:
        state.genesis_balances.remove(balance)
    else:
        state.genesis_balances.edit(balance)
        balance.balance = AssetAmount(held.amount - claimed.amount, held.asset_id)
        balance.last_claim_date = ctx.now
    credit(state, op.deposit_to_account, claimed)
    return VoidResult()
