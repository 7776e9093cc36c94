"""Liquidity pools: their making and ending, deposits and withdrawals, exchanges (L)."""

from __future__ import annotations

from node.evaluators.lists import check_authorized, check_market_lists
from node.evaluators.membership import check_owner
from node.market import pools
from node.market.fees import pay_market_fee
from node.state.balances import adjust_supply, credit, debit
from node.state.context import Context
from node.state.database import State
from node.state.errors import (
    AssetMismatch,
    LimitExceeded,
    MaxSupplyExceeded,
    NewSupplyDisabled,
    NotForPool,
    PermissionDenied,
    PoolEmpty,
    PoolNotEmpty,
    UnfillablePrice,
    ZeroOutcome,
)
from node.state.objects.assets import Asset
from node.state.objects.liquidity import LiquidityPool
from protocol.asset import AssetAmount
from protocol.errors import PERCENT
from protocol.ids import AccountId, AssetId, LiquidityPoolId, asset_text, pool_text
from protocol.operations.asset_options import DISABLE_NEW_SUPPLY
from protocol.operations.liquidity_pool import (
    LiquidityPoolCreate,
    LiquidityPoolDelete,
    LiquidityPoolDeposit,
    LiquidityPoolExchange,
    LiquidityPoolUpdate,
    LiquidityPoolWithdraw,
)
from protocol.operations.results import (
    GenericExchangeOperationResult,
    GenericOperationResult,
    VoidResult,
)
from protocol.schema import Record


class Members(Record):
    """A pool with its three assets."""

    pool: LiquidityPool
    asset_a: Asset
    asset_b: Asset
    share: Asset


class DepositTerms(Record):
    """A deposit that passes."""

    pool: LiquidityPool
    deposit: pools.Deposit


class WithdrawalTerms(Record):
    """A withdrawal that passes."""

    pool: LiquidityPool
    withdrawal: pools.Withdrawal


class ExchangeTerms(Record):
    """An exchange that passes."""

    members: Members
    exchange: pools.Exchange


def evaluate_liquidity_pool_create(ctx: Context, op: LiquidityPoolCreate) -> Asset:
    """The share asset, once it is the account's own and free for a pool (L3)."""
    state = ctx.state
    state.assets.get(op.asset_a)
    state.assets.get(op.asset_b)
    share = state.assets.get(op.share_asset)
    supply = state.figures_of(share.id).current_supply

    check_owner(op.account, share.issuer, "share asset", rule="L3")
    if share.is_market_issued():
        raise NotForPool("the share asset is a BitAsset", rule="L3", value=share.symbol)
    if share.for_liquidity_pool is not None:
        raise NotForPool(
            f"{share.symbol} is the share of another pool",
            rule="L3",
            value=pool_text(share.for_liquidity_pool),
        )
    if supply:
        raise NotForPool(
            f"there are units of {share.symbol} already",
            rule="L3",
            value=supply,
            limit=0,
            unit=asset_text(share.id),
        )
    return share


def apply_liquidity_pool_create(
    ctx: Context, op: LiquidityPoolCreate, share: Asset
) -> GenericOperationResult:
    """Make the pool, with nothing in it, and bind the share asset to it."""
    state = ctx.state
    pool = state.liquidity_pools.create(
        LiquidityPool(
            id=state.liquidity_pools.next_id,
            asset_a=op.asset_a,
            asset_b=op.asset_b,
            balance_a=0,
            balance_b=0,
            share_asset=share.id,
            taker_fee_percent=op.taker_fee_percent,
            withdrawal_fee_percent=op.withdrawal_fee_percent,
            virtual_value=0,
        )
    )
    state.assets.edit(share).for_liquidity_pool = pool.id
    return GenericOperationResult(
        new_objects=(state.liquidity_pools.object_id(pool.id),),
        updated_objects=(state.assets.object_id(share.id),),
    )


def evaluate_liquidity_pool_delete(ctx: Context, op: LiquidityPoolDelete) -> Members:
    """The pool, once it is empty and the account's own (L4)."""
    members = _members_of(ctx.state, op.pool)
    pool = members.pool
    if not pool.is_empty:
        raise PoolNotEmpty(
            "the pool is not empty",
            rule="L4",
            value=pool.balance_a,
            limit=0,
            unit=asset_text(pool.asset_a),
        )
    _check_owner(members, op.account, "L4")
    return members


def apply_liquidity_pool_delete(
    ctx: Context, op: LiquidityPoolDelete, members: Members
) -> GenericOperationResult:
    """Release the share asset and remove the pool."""
    state = ctx.state
    state.assets.edit(members.share).for_liquidity_pool = None
    state.liquidity_pools.remove(members.pool)
    return GenericOperationResult(
        updated_objects=(state.assets.object_id(members.share.id),),
        removed_objects=(state.liquidity_pools.object_id(op.pool),),
    )


def evaluate_liquidity_pool_update(ctx: Context, op: LiquidityPoolUpdate) -> LiquidityPool:
    """The pool, once it is the account's own and its fees may be those (L5)."""
    members = _members_of(ctx.state, op.pool)
    pool = members.pool
    _check_owner(members, op.account, "L5")
    kept = pool.withdrawal_fee_percent
    if op.taker_fee_percent is not None and kept and op.withdrawal_fee_percent != 0:
        raise PermissionDenied(
            "taker_fee_percent changes only once withdrawal_fee_percent is 0",
            rule="L5",
            value=kept,
            limit=0,
            unit=PERCENT,
        )
    return pool


def apply_liquidity_pool_update(
    ctx: Context, op: LiquidityPoolUpdate, pool: LiquidityPool
) -> VoidResult:
    """Set the fees that are given."""
    ctx.state.liquidity_pools.edit(pool)
    if op.taker_fee_percent is not None:
        pool.taker_fee_percent = op.taker_fee_percent
    if op.withdrawal_fee_percent is not None:
        pool.withdrawal_fee_percent = op.withdrawal_fee_percent
    return VoidResult()


def evaluate_liquidity_pool_deposit(ctx: Context, op: LiquidityPoolDeposit) -> DepositTerms:
    """What is taken, and the shares for it (L6)."""
    state = ctx.state
    members = _members_of(state, op.pool)
    pool, share = members.pool, members.share
    supply, max_supply = state.figures_of(share.id).current_supply, share.options.max_supply
    _check_asset(op.amount_a, pool.asset_a, "amount_a", "L6")
    _check_asset(op.amount_b, pool.asset_b, "amount_b", "L6")
    if share.has_flag(DISABLE_NEW_SUPPLY):
        raise NewSupplyDisabled("new shares are disabled", rule="L6", value=share.symbol)
    if pool.is_empty:
        _check_owner(members, op.account, "L6")
    _check_max_supply(share, supply + 1)
    _check_lists(state, op.account, share, members.asset_a, members.asset_b)
    amounts = op.amount_a.amount, op.amount_b.amount
    if pool.is_empty:
        terms = pools.first_deposit(*amounts)
        _check_max_supply(share, terms.shares)
    else:
        terms = pools.deposit(pool, supply, max_supply, *amounts)
        if terms.shares == 0:
            raise ZeroOutcome("the amounts are worth no share", rule="L6", value=0, limit=1)
    return DepositTerms(pool, terms)


def apply_liquidity_pool_deposit(
    ctx: Context, op: LiquidityPoolDeposit, terms: DepositTerms
) -> GenericExchangeOperationResult:
    """Move both amounts into the pool and create the shares."""
    state, pool, deposit = ctx.state, terms.pool, terms.deposit
    paid = (
        AssetAmount(deposit.amount_a, pool.asset_a),
        AssetAmount(deposit.amount_b, pool.asset_b),
    )
    shares = AssetAmount(deposit.shares, pool.share_asset)
    for amount in paid:
        debit(state, op.account, amount)
    credit(state, op.account, shares)
    adjust_supply(state, pool.share_asset, deposit.shares)
    state.liquidity_pools.edit(pool).change(deposit.amount_a, deposit.amount_b)
    return GenericExchangeOperationResult(paid=paid, received=(shares,))


def evaluate_liquidity_pool_withdraw(ctx: Context, op: LiquidityPoolWithdraw) -> WithdrawalTerms:
    """What the shares pay of both assets (L7)."""
    state = ctx.state
    members = _members_of(state, op.pool)
    pool, share, amount = members.pool, members.share, op.share_amount.amount
    supply = state.figures_of(share.id).current_supply
    _check_asset(op.share_amount, share.id, "share_amount", "L7")
    _check_filled(pool, "L7")
    _check_lists(state, op.account, share, members.asset_a, members.asset_b)
    if amount > supply:
        raise LimitExceeded(
            "more shares than there are",
            rule="L7",
            value=amount,
            limit=supply,
            unit=asset_text(share.id),
        )
    terms = pools.withdrawal(pool, supply, amount)
    if terms.amount_a == terms.amount_b == 0:
        raise ZeroOutcome("the shares pay nothing", rule="L7", value=0, limit=1)
    return WithdrawalTerms(pool, terms)


def apply_liquidity_pool_withdraw(
    ctx: Context, op: LiquidityPoolWithdraw, terms: WithdrawalTerms
) -> GenericExchangeOperationResult:
    """Destroy the shares and pay for them; the fee stays in the pool."""
    state, pool, paid = ctx.state, terms.pool, terms.withdrawal
    debit(state, op.account, op.share_amount)
    received = (AssetAmount(paid.amount_a, pool.asset_a), AssetAmount(paid.amount_b, pool.asset_b))
    for amount in received:
        credit(state, op.account, amount)
    adjust_supply(state, pool.share_asset, -op.share_amount.amount)
    state.liquidity_pools.edit(pool).change(-paid.amount_a, -paid.amount_b)
    return GenericExchangeOperationResult(
        paid=(op.share_amount,),
        received=received,
        fees=(AssetAmount(paid.fee_a, pool.asset_a), AssetAmount(paid.fee_b, pool.asset_b)),
    )


def evaluate_liquidity_pool_exchange(ctx: Context, op: LiquidityPoolExchange) -> ExchangeTerms:
    """What the pool pays, once that is no less than is accepted (L8)."""
    state, sold, wanted = ctx.state, op.amount_to_sell, op.min_to_receive
    members = _members_of(state, op.pool)
    pool, asset_a, asset_b = members.pool, members.asset_a, members.asset_b
    _check_filled(pool, "L8")
    is_a = sold.asset_id != pool.asset_b and wanted.asset_id != pool.asset_a
    asset_in, asset_out = (asset_a, asset_b) if is_a else (asset_b, asset_a)
    _check_asset(sold, asset_in.id, "amount_to_sell", "L8")
    _check_asset(wanted, asset_out.id, "min_to_receive", "L8")
    _check_lists(state, op.account, asset_a, asset_b)
    check_market_lists(asset_a, asset_b.id)
    check_market_lists(asset_b, asset_a.id)
    terms = pools.exchange(pool, asset_in, asset_out, sold.amount)
    if terms.pool_receives == 0:
        raise ZeroOutcome(
            f"the market fee of {asset_in.symbol} takes all that is sold",
            rule="L8",
            value=terms.maker_fee,
            limit=sold.amount - 1,
            unit=asset_text(asset_in.id),
        )
    if terms.received < wanted.amount:
        raise UnfillablePrice(
            "the pool pays less than min_to_receive",
            rule="L8",
            value=terms.received,
            limit=wanted.amount,
            unit=asset_text(asset_out.id),
        )
    return ExchangeTerms(members, terms)


def apply_liquidity_pool_exchange(
    ctx: Context, op: LiquidityPoolExchange, terms: ExchangeTerms
) -> GenericExchangeOperationResult:
    """Move both amounts, and share out the market fees of both assets (R2.15).

    The owner of the pool is the payer of the fee on what the pool receives. No order, fill or price
    of a market comes of it (L10).
    """
    state, exchange, members = ctx.state, terms.exchange, terms.members
    pool, sold = members.pool, op.amount_to_sell
    asset_out = op.min_to_receive.asset_id

    def paid_out(amount: int) -> AssetAmount:
        return AssetAmount(amount, asset_out)

    received = paid_out(exchange.received)
    debit(state, op.account, sold)
    credit(state, op.account, received)
    pay_market_fee(ctx, members.share.issuer, sold, is_maker=True)
    pay_market_fee(ctx, op.account, paid_out(exchange.pool_pays), is_maker=False)
    came, went = exchange.pool_receives, -exchange.pool_pays
    is_a = sold.asset_id == pool.asset_a
    state.liquidity_pools.edit(pool).change(*((came, went) if is_a else (went, came)))
    return GenericExchangeOperationResult(
        paid=(sold,),
        received=(received,),
        fees=(
            AssetAmount(exchange.maker_fee, sold.asset_id),
            paid_out(exchange.taker_fee),
            paid_out(exchange.pool_fee),
        ),
    )


def _members_of(state: State, pool_id: LiquidityPoolId) -> Members:
    pool = state.liquidity_pools.get(pool_id)
    assets = state.assets.at
    return Members(pool, assets[pool.asset_a], assets[pool.asset_b], assets[pool.share_asset])


def _check_owner(members: Members, account: AccountId, rule: str) -> None:
    """Raise `WrongAccount` unless the account issues the share asset (L1)."""
    check_owner(account, members.share.issuer, "pool", rule=rule)


def _check_asset(amount: AssetAmount, expected: AssetId, field: str, rule: str) -> None:
    if amount.asset_id != expected:
        raise AssetMismatch(
            f"{field} is of another asset",
            rule=rule,
            value=asset_text(amount.asset_id),
            limit=asset_text(expected),
        )


def _check_filled(pool: LiquidityPool, rule: str) -> None:
    if pool.is_empty:
        raise PoolEmpty("nothing was deposited yet", rule=rule, value=pool_text(pool.id))


def _check_lists(state: State, account: AccountId, *assets: Asset) -> None:
    """Raise `NotAuthorized` unless the account may hold all of these (R2.20)."""
    holder = state.accounts.at[account]
    for asset in assets:
        check_authorized(holder, asset)


def _check_max_supply(share: Asset, supply: int) -> None:
    if supply > share.options.max_supply:
        raise MaxSupplyExceeded(
            "more shares than max_supply allows",
            rule="L6",
            value=supply,
            limit=share.options.max_supply,
            unit=asset_text(share.id),
        )
