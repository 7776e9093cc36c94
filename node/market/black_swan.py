"""Black swan, global settlement, and the ways back: bids and a recovered feed (R6)."""

from __future__ import annotations

from msgspec.structs import replace

from node.market.positions import fill_position, open_position
from node.market.pricing import (
    CallTerms,
    compare_collateralization,
    debt_per_collateral,
    initial_collateralization,
    is_above,
    maintenance_collateralization,
    owes_more_than,
)
from node.market.settled_debt import find_settled_debt_order
from node.state.balances import adjust_balance
from node.state.context import Context
from node.state.events import GloballySettledEvent, RevivedEvent
from node.state.objects.assets import BitassetData
from node.state.objects.market import CallOrder, CollateralBid
from protocol.asset import NO_FEE, NULL_PRICE, AssetAmount, Price, scale_price
from protocol.constants import RATIO_DENOMINATOR
from protocol.ids import AssetId
from protocol.operations.bitasset import BidCollateral, ExecuteBid
from protocol.operations.bitasset_options import BlackSwanResponse
from protocol.schema import Record


def is_black_swan(terms: CallTerms, position: CallOrder, pays_price: Price | None) -> bool:
    """Whether the least collateralised position can be paid for at no acceptable price (R6.1, BS4).

    It owes more than its collateral fetches at the SQP, and at the best bid if there is one;
    `pays_price` is what it would pay at that bid. With individual settlement to a fund the SQP is
    that of the median, and counts only where the bid is below the SQP of the capped feed. Without
    a response that settles nothing is a black swan.
    """
    collateral, debt = position.collateral, position.debt
    match terms.response:
        case BlackSwanResponse.NO_SETTLEMENT:
            return False
        case BlackSwanResponse.INDIVIDUAL_SETTLEMENT_TO_FUND:
            if pays_price is None or is_above(terms.squeeze_protection_price, pays_price):
                pays_price = terms.median_protection_price
            return owes_more_than(collateral, debt, pays_price)
        case _:
            return owes_more_than(collateral, debt, terms.squeeze_protection_price) and (
                pays_price is None or owes_more_than(collateral, debt, pays_price)
            )


def settle_globally(ctx: Context, bitasset: BitassetData) -> None:
    """Settle a whole BitAsset at debt / collateral of its worst position (R6.2, BS4a).

    Positions at or below the MCR pay that price, of which the squeeze premium is a fee to the
    issuer; the others pay the price less the premium. All can pay, since none has a lower ratio.
    Where no position is at or below the MCR nobody pays a premium, and all pay that price.
    """
    state, asset_id = ctx.state, bitasset.asset_id
    worst = state.positions.first(asset_id)
    assert worst is not None, asset_id
    limit = maintenance_collateralization(bitasset.median_feed)
    terms = swan_terms(worst, limit, bitasset.current_feed.maximum_short_squeeze_ratio)
    fund = 0
    while (position := state.positions.first(asset_id)) is not None:
        pays, received = terms.owed_by(position)
        fund += received
        _close(ctx, position, pays, terms.fund_price, fee=pays - received)
    _enter_settlement(ctx, bitasset, fund)


class SwanTerms(Record):
    """What positions pay in a black swan; prices are debt per backing (R6.2)."""

    called_price: Price
    """Debt / collateral of the least collateralised position."""
    fund_price: Price
    """The same less the squeeze premium, or itself where nobody pays one."""
    maintenance_collateralization: Price

    def owed_by(self, position: CallOrder) -> tuple[int, int]:
        """What a position pays, the premium included, and what of it the fund gets."""
        received = pays = _owed(position.debt, self.fund_price)
        limit = self.maintenance_collateralization
        if compare_collateralization(position.collateral, position.debt, limit) <= 0:
            pays = _owed(position.debt, self.called_price)
        return pays, received


def swan_terms(worst: CallOrder, maintenance: Price, squeeze_ratio: int) -> SwanTerms:
    """The terms by the least collateralised position, the MC and the MSSR."""
    called_price = debt_per_collateral(worst)
    if compare_collateralization(worst.collateral, worst.debt, maintenance) > 0:
        return SwanTerms(called_price, called_price, maintenance)
    fund_price = scale_price(called_price, squeeze_ratio, RATIO_DENOMINATOR)
    return SwanTerms(called_price, fund_price, maintenance)


def settle_globally_at(ctx: Context, bitasset: BitassetData, price: Price) -> None:
    """Settle a whole BitAsset at its issuer's price, debt per backing (R6.3, R7.2).

    Every position pays its debt at the price, rounded up, into the fund, or all it has where only
    the rounding exceeds it. The caller has checked that each can, and that there is supply. The
    price of a prediction market may be 0 backing.
    """
    fund = 0
    while (position := ctx.state.positions.first(bitasset.asset_id)) is not None:
        pays = min(_owed(position.debt, price), position.collateral)
        fund += pays
        _close(ctx, position, pays, price, fee=0)
    _enter_settlement(ctx, bitasset, fund)


def _owed(debt: int, price: Price) -> int:
    return -(-debt * price.quote.amount // price.base.amount)


def _close(ctx: Context, position: CallOrder, pays: int, price: Price, *, fee: int) -> None:
    """Close a position into the fund; its debt stays in circulation."""
    fill_position(
        ctx, position, pays, position.debt, price, fee=fee, is_maker=True, destroys_debt=False
    )


def _enter_settlement(ctx: Context, bitasset: BitassetData, fund: int) -> None:
    """Fix the price of what positions have paid, with the pool if there is one (BS12)."""
    asset_id, backing = bitasset.asset_id, bitasset.options.short_backing_asset
    supply = ctx.state.figures_of(asset_id).current_supply
    bitasset = ctx.state.bitassets.edit(bitasset)
    fund += bitasset.individual_settlement_fund
    order = find_settled_debt_order(ctx.state, asset_id)
    if order is not None:
        ctx.state.limit_orders.remove(order)
    bitasset.individual_settlement_debt = bitasset.individual_settlement_fund = 0
    extensions = replace(bitasset.options.extensions, black_swan_response_method=None)
    bitasset.options = replace(bitasset.options, extensions=extensions)
    price = Price(AssetAmount(supply, asset_id), AssetAmount(fund, backing))
    bitasset.settlement_price = price
    bitasset.settlement_fund = fund
    bitasset.current_feed = bitasset.median_feed
    bitasset.median_updated = False
    ctx.mark_dirty(asset_id)
    ctx.events.append(GloballySettledEvent(asset_id, price, fund))


def revive_by_feed(ctx: Context, bitasset: BitassetData) -> None:
    """Bring a globally settled BitAsset back when its fund is worth enough (R6.7).

    Above the initial collateralization the issuer takes over all debt with the whole fund; a
    BitAsset without supply needs no position. To be called when the median has changed.
    """
    if not bitasset.is_globally_settled() or not _can_revive(bitasset):
        return
    state, asset_id = ctx.state, bitasset.asset_id
    supply, fund = state.figures_of(asset_id).current_supply, bitasset.settlement_fund
    if supply:
        limit = initial_collateralization(bitasset.median_feed)
        if compare_collateralization(fund, supply, limit) <= 0:
            return
        issuer = state.assets.get(asset_id).issuer
        debt = AssetAmount(supply, asset_id)
        collateral = AssetAmount(fund, bitasset.options.short_backing_asset)
        open_position(ctx, issuer, debt, collateral)
        ctx.emit(ExecuteBid(fee=NO_FEE, bidder=issuer, debt=debt, collateral=collateral))
    _revive(ctx, bitasset, by_bids=False)


def _can_revive(bitasset: BitassetData) -> bool:
    return not bitasset.is_prediction_market and bitasset.has_feed()


def process_bids(ctx: Context, bitasset: BitassetData) -> None:
    """At maintenance: revive a globally settled BitAsset if bids cover its debt (R6.6).

    All or nothing. Does nothing for any other BitAsset.
    """
    if not bitasset.is_globally_settled() or not _can_revive(bitasset):
        return
    supply = ctx.state.figures_of(bitasset.asset_id).current_supply
    if supply:
        winners = _winning_bids(ctx, bitasset, supply)
        if not winners:
            return
        _execute_bids(ctx, bitasset, winners, supply)
    _revive(ctx, bitasset, by_bids=True)


def _winning_bids(ctx: Context, bitasset: BitassetData, supply: int) -> list[CollateralBid]:
    """The best bids that together cover the supply; none when they do not."""
    feed = bitasset.current_feed
    price = feed.settlement_price
    winners: list[CollateralBid] = []
    uncovered = supply
    for bid in ctx.state.bids.items(bitasset.asset_id):
        if uncovered <= 0:
            break
        debt = min(bid.debt_covered.amount, supply)
        collateral = _share_of_fund(bitasset, debt) + bid.additional_collateral.amount
        called_debt = debt * feed.initial_collateral_ratio * price.quote.amount
        if called_debt >= price.base.amount * collateral * RATIO_DENOMINATOR:
            break
        winners.append(bid)
        uncovered -= debt
    return winners if uncovered <= 0 else []


def _share_of_fund(bitasset: BitassetData, debt: int) -> int:
    price = bitasset.settlement_price
    return debt * price.quote.amount // price.base.amount


def _execute_bids(
    ctx: Context, bitasset: BitassetData, winners: list[CollateralBid], supply: int
) -> None:
    """Turn bids into positions; the last takes what is left of debt and fund."""
    fund, uncovered = bitasset.settlement_fund, supply
    for bid in winners:
        debt = min(bid.debt_covered.amount, supply)
        share = _share_of_fund(bitasset, debt)
        if debt >= uncovered:
            debt, share = uncovered, fund
        uncovered -= debt
        fund -= share
        covered = AssetAmount(debt, bitasset.asset_id)
        added = bid.additional_collateral
        collateral = AssetAmount(added.amount + share, added.asset_id)
        open_position(ctx, bid.bidder, covered, collateral)
        ctx.emit(ExecuteBid(fee=NO_FEE, bidder=bid.bidder, debt=covered, collateral=collateral))
        ctx.state.collateral_bids.remove(bid)
    assert uncovered == 0 == fund, (bitasset, uncovered, fund)


def _revive(ctx: Context, bitasset: BitassetData, *, by_bids: bool) -> None:
    cancel_bids(ctx, bitasset.asset_id)
    bitasset = ctx.state.bitassets.edit(bitasset)
    bitasset.settlement_price = NULL_PRICE
    bitasset.settlement_fund = 0
    ctx.mark_dirty(bitasset.asset_id)
    ctx.events.append(RevivedEvent(bitasset.asset_id, by_bids))


def cancel_bids(ctx: Context, asset_id: AssetId) -> None:
    """Cancel all collateral bids on a BitAsset, best first, with a record each (R6.8)."""
    while (bid := ctx.state.bids.first(asset_id)) is not None:
        cancel_bid(ctx, bid, virtual=True)


def cancel_bid(ctx: Context, bid: CollateralBid, *, virtual: bool) -> None:
    """Return a bid's collateral and remove it; `virtual` emits the record of R6.8."""
    added = bid.additional_collateral
    adjust_balance(ctx.state, bid.bidder, added.asset_id, added.amount)
    if virtual:
        nothing = AssetAmount(0, bid.debt_covered.asset_id)
        ctx.emit(
            BidCollateral(
                fee=NO_FEE,
                bidder=bid.bidder,
                additional_collateral=added,
                debt_covered=nothing,
            )
        )
    ctx.state.collateral_bids.remove(bid)
