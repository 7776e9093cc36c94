"""A prediction market for tests of what nodes show: collateral one to one, and no feed (R7.2)."""

from __future__ import annotations

from pegboard.vocabulary import Market
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.operations.asset import NEW_ASSET, AssetCreate
from protocol.operations.asset_options import ENABLE_BITS_MASK, GLOBAL_SETTLE, AssetOptions
from protocol.operations.bitasset_options import BitassetOptions
from protocol.operations.call_order import CallOrderUpdate

CORE_DECIMALS = 5


def make_prediction_market(market: Market, name: str, symbol: str, units: int) -> None:
    """Have an account make one, and owe so many of its smallest units against as many of core."""
    owner = market.find(name).id
    options = AssetOptions(
        max_supply=MAX_SUPPLY,
        market_fee_percent=0,
        max_market_fee=MAX_SUPPLY,
        issuer_permissions=ENABLE_BITS_MASK | GLOBAL_SETTLE,
        flags=0,
        core_exchange_rate=Price(AssetAmount(1, CORE_ASSET), AssetAmount(1, NEW_ASSET)),
        description="",
    )
    market.ledger.send(
        AssetCreate(NO_FEE, owner, symbol, CORE_DECIMALS, options, BitassetOptions(), True)
    )
    debt = AssetAmount(units, market.ledger.asset(symbol).id)
    market.ledger.send(CallOrderUpdate(NO_FEE, owner, AssetAmount(units, CORE_ASSET), debt))
