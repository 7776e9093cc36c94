"""Dealings in BitAssets whose price falls often, one of each black swan response (BS, SM)."""

from __future__ import annotations

from fractions import Fraction

from msgspec.structs import replace

from node.state.objects.assets import BitassetData
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import CORE_ASSET
from protocol.operations import Operation
from protocol.operations.bitasset import (
    AssetPublishFeed,
    AssetSettle,
    AssetUpdateBitasset,
    AssetUpdateFeedProducers,
    BidCollateral,
)
from protocol.operations.bitasset_options import BlackSwanResponse, PriceFeed
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.transfer import Transfer
from tests.simulation.dealings import ISSUER, OTHERS, SWANS, Desk, Move

JUMPS = ("0.6", "0.8", "0.95", "1.05", "1.1", "1.3")
"""By what the price is multiplied; it falls more often far than it rises."""
LOW, HIGH = Fraction(1, 20), Fraction(20)
"""Where it turns round."""
LOT = 10**6


def swans(desk: Desk) -> Move:
    """Publish, borrow, bid, settle and take over what has fallen."""
    symbol = desk.rng.choice([*SWANS])
    bitasset = desk.state.bitasset_of(desk.asset(symbol))
    assert bitasset is not None
    return Move([_next(desk, bitasset)])


def _next(desk: Desk, bitasset: BitassetData) -> Operation:
    issuer, asset = desk.account(ISSUER), bitasset.asset_id
    if not any(publisher == issuer for publisher, _ in bitasset.feeds):
        return AssetUpdateFeedProducers(NO_FEE, issuer, asset, (issuer,))
    if bitasset.median_feed.settlement_price.is_null() or desk.is_rare(4):
        return _publish(desk, bitasset)
    who = desk.account(desk.rng.choice(OTHERS))
    if bitasset.is_globally_settled() and desk.is_rare(2):
        bid = desk.some(CORE_ASSET, LOT), desk.some(asset, LOT)
        return BidCollateral(NO_FEE, who, *bid)
    if desk.is_rare(20):
        return _change_response(desk, bitasset)
    act = desk.rng.randrange(8)
    if act < 3:
        return _borrow(desk, bitasset)
    if act < 5:
        return _offer(desk, bitasset)
    if act == 5:
        return Transfer(NO_FEE, who, issuer, desk.part(who, asset, 1), None)
    holder = issuer if desk.is_rare(2) else who
    return AssetSettle(NO_FEE, holder, desk.part(holder, asset, 2))


def _price(bitasset: BitassetData) -> Fraction:
    """BitAsset for one unit of CORE."""
    found = bitasset.median_feed.settlement_price
    return Fraction(1) if found.is_null() else Fraction(found.base.amount, found.quote.amount)


def _publish(desk: Desk, bitasset: BitassetData) -> AssetPublishFeed:
    wanted = _price(bitasset) * Fraction(desk.rng.choice(JUMPS))
    if not LOW < wanted < HIGH:
        wanted = Fraction(1)
    asset = bitasset.asset_id
    base = max(1, int(wanted * LOT))
    price = Price(AssetAmount(base, asset), AssetAmount(LOT, CORE_ASSET))
    feed = PriceFeed(price, 1_500, desk.rng.choice((1_100, 1_250)), price)
    return AssetPublishFeed(NO_FEE, desk.account(ISSUER), asset, feed)


def _borrow(desk: Desk, bitasset: BitassetData) -> CallOrderUpdate:
    """Borrow at ratios from the edge up, add collateral, or cover a part."""
    who, asset = desk.account(desk.rng.choice(OTHERS)), bitasset.asset_id
    if desk.state.positions_of_account.find(who, asset) is not None and desk.is_rare(3):
        paid = desk.part(who, asset, 2)
        back = AssetAmount(0, CORE_ASSET)
        return CallOrderUpdate(NO_FEE, who, back, AssetAmount(-paid.amount, asset))
    owed = desk.some(asset, LOT)
    ratio = Fraction(desk.rng.randrange(151, 250), 100)
    locked = AssetAmount(1 + int(owed.amount / _price(bitasset) * ratio), CORE_ASSET)
    return CallOrderUpdate(NO_FEE, who, locked, owed)


def _offer(desk: Desk, bitasset: BitassetData) -> LimitOrderCreate:
    """Sell some around the feed, which calls positions, or buy some, also from a pool."""
    who, asset = desk.account(desk.rng.choice((ISSUER, *OTHERS))), bitasset.asset_id
    price = _price(bitasset) * Fraction(desk.rng.randrange(70, 120), 100)
    end = desk.now + desk.rng.randrange(5, 120)
    if desk.rng.randrange(2):
        sold = desk.part(who, asset, 2)
        least = AssetAmount(max(1, int(sold.amount / price)), CORE_ASSET)
    else:
        sold = desk.some(CORE_ASSET, LOT)
        least = AssetAmount(max(1, int(sold.amount * price)), asset)
    return LimitOrderCreate(NO_FEE, who, sold, least, end)


def _change_response(desk: Desk, bitasset: BitassetData) -> AssetUpdateBitasset:
    method = desk.rng.choice([*BlackSwanResponse]).value
    extensions = replace(bitasset.options.extensions, black_swan_response_method=method)
    options = replace(bitasset.options, extensions=extensions)
    return AssetUpdateBitasset(NO_FEE, desk.account(ISSUER), bitasset.asset_id, options)
