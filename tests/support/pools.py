"""A chain with liquidity pools, for tests above single operations."""

from __future__ import annotations

from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import CORE_ASSET
from protocol.ids import LiquidityPoolId
from protocol.operations.asset import NEW_ASSET, AssetCreate
from protocol.operations.asset_options import AssetOptions
from protocol.operations.base import Operation
from protocol.operations.liquidity_pool import (
    LiquidityPoolCreate,
    LiquidityPoolDeposit,
    LiquidityPoolExchange,
    LiquidityPoolWithdraw,
)
from tests.support.chain import TestChain


def share_asset(chain: TestChain, issuer: str, symbol: str) -> AssetCreate:
    """An asset that can become a share."""
    rate = Price(AssetAmount(1, NEW_ASSET), AssetAmount(1, CORE_ASSET))
    options = AssetOptions(10**15, 0, 0, 0, 0, rate)
    return AssetCreate(NO_FEE, chain.account(issuer), symbol, 4, options)


def new_pool(
    chain: TestChain,
    owner: str,
    pair: tuple[str, str],
    share: str,
    taker_fee: int = 0,
    withdrawal_fee: int = 0,
) -> LiquidityPoolCreate:
    """A pool of two assets, whichever has the lower id."""
    a, b = sorted(map(chain.asset, pair))
    return LiquidityPoolCreate(
        NO_FEE, chain.account(owner), a, b, chain.asset(share), taker_fee, withdrawal_fee
    )


def deposit(chain: TestChain, name: str, pool: int, a: int, b: int) -> Operation:
    """Both assets of a pool, in the order of their ids."""
    found = chain.state.liquidity_pools.get(LiquidityPoolId(pool))
    return LiquidityPoolDeposit(
        NO_FEE,
        chain.account(name),
        found.id,
        AssetAmount(a, found.asset_a),
        AssetAmount(b, found.asset_b),
    )


def withdraw(chain: TestChain, name: str, pool: int, shares: int) -> Operation:
    """Shares of a pool."""
    found = chain.state.liquidity_pools.get(LiquidityPoolId(pool))
    amount = AssetAmount(shares, found.share_asset)
    return LiquidityPoolWithdraw(NO_FEE, chain.account(name), found.id, amount)


def exchange(
    chain: TestChain, name: str, pool: int, sold: tuple[int, str], wanted: tuple[int, str]
) -> Operation:
    """One asset of a pool for at least so much of the other."""
    amounts = chain.amount(*sold), chain.amount(*wanted)
    return LiquidityPoolExchange(NO_FEE, chain.account(name), LiquidityPoolId(pool), *amounts)
