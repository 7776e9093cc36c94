"""What a liquidity pool gives for what it takes: exact integers, rounded in its favour (L6-L8)."""

from __future__ import annotations

from node.market.fees import market_fee
from node.state.objects.assets import Asset
from node.state.objects.liquidity import LiquidityPool
from protocol.asset import ceil_div
from protocol.constants import HUNDRED_PERCENT
from protocol.schema import Record


class Deposit(Record):
    """What a pool takes of both assets, and the shares that it gives for it."""

    amount_a: int
    amount_b: int
    shares: int


class Withdrawal(Record):
    """What a pool pays of both assets for shares, and what it keeps of that first."""

    amount_a: int
    amount_b: int
    fee_a: int
    fee_b: int


class Exchange(Record):
    """What becomes of an amount that is sold to a pool; `in` is the asset sold, `out` the other."""

    maker_fee: int
    """Market fee of `in`, as the pool is the maker (R2.14)."""
    pool_receives: int
    """Of `in`, after that fee."""
    pool_fee: int
    """Of `out`, kept by the pool."""
    pool_pays: int
    """Of `out`, after the pool's fee."""
    taker_fee: int
    """Market fee of `out`, as the seller is the taker."""

    @property
    def received(self) -> int:
        """What the seller gets."""
        return self.pool_pays - self.taker_fee


def first_deposit(amount_a: int, amount_b: int) -> Deposit:
    """What fills an empty pool: everything, for as many shares as the larger amount (L6)."""
    return Deposit(amount_a, amount_b, max(amount_a, amount_b))


def deposit(
    pool: LiquidityPool, supply: int, max_supply: int, amount_a: int, amount_b: int
) -> Deposit:
    """What a pool with shares takes of two amounts at most, at the ratio of its balances (L6).

    The shares are rounded down, what is taken for them up; no shares mean that nothing comes of it.
    """
    shares = min(
        supply * amount_a // pool.balance_a,
        supply * amount_b // pool.balance_b,
        max_supply - supply,
    )
    taken_a = ceil_div(shares * pool.balance_a, supply)
    taken_b = ceil_div(shares * pool.balance_b, supply)
    assert taken_a <= amount_a, pool
    assert taken_b <= amount_b, pool
    return Deposit(taken_a, taken_b, shares)


def withdrawal(pool: LiquidityPool, supply: int, shares: int) -> Withdrawal:
    """What a pool pays for shares; for all of them everything, without a fee (L7)."""
    if shares == supply:
        return Withdrawal(pool.balance_a, pool.balance_b, 0, 0)
    due_a, due_b = shares * pool.balance_a // supply, shares * pool.balance_b // supply
    fee_a = due_a * pool.withdrawal_fee_percent // HUNDRED_PERCENT
    fee_b = due_b * pool.withdrawal_fee_percent // HUNDRED_PERCENT
    return Withdrawal(due_a - fee_a, due_b - fee_b, fee_a, fee_b)


def exchange(pool: LiquidityPool, sold: Asset, bought: Asset, amount: int) -> Exchange:
    """What a pool pays for an amount, so that the product of its balances does not fall (L8).

    Where the market fee of the asset sold leaves nothing to the pool, it pays nothing.
    """
    maker_fee = market_fee(sold, amount, is_maker=True)
    pool_receives = amount - maker_fee
    balance_in, balance_out = pool.holds(sold.id), pool.holds(bought.id)
    paid = balance_out - ceil_div(pool.virtual_value, balance_in + pool_receives)
    assert 0 <= paid < balance_out, pool
    pool_fee = paid * pool.taker_fee_percent // HUNDRED_PERCENT
    pool_pays = paid - pool_fee
    taker_fee = market_fee(bought, pool_pays, is_maker=False)
    return Exchange(maker_fee, pool_receives, pool_fee, pool_pays, taker_fee)
