"""BitAssets: options, feeds, settlement, collateral bids."""

from __future__ import annotations

from msgspec.structs import replace

from node.evaluators.asset_rules import (
    bitasset_data_of,
    check_bitasset_options,
    check_issuer,
    check_new_backing,
    check_new_response,
)
from node.evaluators.lists import check_authorized
from node.evaluators.permissions import check_ratio_permissions
from node.market.black_swan import cancel_bid, settle_globally_at
from node.market.feeds import update_median
from node.market.settlement import settle_from_fund, settle_from_pool
from node.state.balances import check_balance, debit
from node.state.context import Context
from node.state.database import State
from node.state.errors import (
    FeatureDisabled,
    GloballySettled,
    InsufficientCollateral,
    InsufficientFeeds,
    LimitExceeded,
    NoSuchObject,
    NotAuthorized,
    NotGloballySettled,
    PermissionDenied,
    TooSmall,
    WrongAssetType,
    WrongCollateralAsset,
)
from node.state.objects.assets import NULL_FEED, Asset, BitassetData, Feeds, FeedValues
from node.state.objects.market import CollateralBid, ForceSettlement
from protocol.asset import NULL_PRICE, AssetAmount, multiply_floor
from protocol.constants import COMMITTEE_ACCOUNT, CORE_ASSET, MAX_SUPPLY, WITNESS_ACCOUNT
from protocol.ids import AccountId, ObjectId, account_text, asset_text
from protocol.operations.asset_options import (
    COMMITTEE_FED_ASSET,
    DISABLE_COLLATERAL_BIDDING,
    DISABLE_FORCE_SETTLE,
    GLOBAL_SETTLE,
    WITNESS_FED_ASSET,
)
from protocol.operations.bitasset import (
    AssetGlobalSettle,
    AssetPublishFeed,
    AssetSettle,
    AssetUpdateBitasset,
    AssetUpdateFeedProducers,
    BidCollateral,
)
from protocol.operations.bitasset_options import BitassetOptions
from protocol.operations.results import ExtendableOperationResult, VoidResult
from protocol.schema import MAX_TIMESTAMP

NEVER_PUBLISHED = 0
"""Publication time of a named producer's empty entry; never live (R1.15)."""


def evaluate_asset_update_bitasset(ctx: Context, op: AssetUpdateBitasset) -> BitassetData:
    """The data, once ratios, response and backing change only as allowed (R1.18, BSIP48, BS11)."""
    state, options = ctx.state, op.new_options
    asset = state.assets.get(op.asset_to_update)
    data = bitasset_data_of(state, asset)

    check_issuer(asset, op.issuer)
    check_bitasset_options(state, options)
    if data.is_prediction_market and options.extensions.black_swan_response_method is not None:
        raise WrongAssetType("a prediction market has no black swan response", rule="BS1")
    check_ratio_permissions(asset, data.options, options)
    if options.extensions.response() is not data.options.extensions.response():
        check_new_response(state, asset, data)
    if options.short_backing_asset != data.options.short_backing_asset:
        check_new_backing(state, asset, data, options.short_backing_asset)
    return data


def apply_asset_update_bitasset(
    ctx: Context, op: AssetUpdateBitasset, data: BitassetData
) -> VoidResult:
    """Replace the options; the median follows, its consequences wait (R1.18, R1.22)."""
    state = ctx.state
    asset = state.assets.get(op.asset_to_update)
    is_backing_changed = op.new_options.short_backing_asset != data.options.short_backing_asset
    is_median_changed = _median_inputs(op.new_options) != _median_inputs(data.options)
    state.bitassets.edit(data).options = op.new_options
    if is_backing_changed:
        data.feeds = _dropped_feeds(asset, data.feeds)
    if is_median_changed:
        update_median(ctx, asset, data)
    ctx.mark_dirty(asset.id)
    return VoidResult()


def _median_inputs(options: BitassetOptions) -> tuple[object, ...]:
    """The options by which median and current feed are computed (R1.18)."""
    more = options.extensions
    return (
        options.minimum_feeds,
        options.feed_lifetime_sec,
        options.short_backing_asset,
        more.maintenance_collateral_ratio,
        more.maximum_short_squeeze_ratio,
        more.initial_collateral_ratio,
        more.response(),
    )


def _dropped_feeds(asset: Asset, feeds: Feeds) -> Feeds:
    """Feeds once the backing asset has changed: only named producers keep their place (R1.18)."""
    if asset.has_flag(WITNESS_FED_ASSET | COMMITTEE_FED_ASSET):
        return ()
    return tuple(
        (publisher, (NEVER_PUBLISHED, replace(values, settlement_price=NULL_PRICE)))
        for publisher, (_, values) in feeds
    )


def evaluate_asset_update_feed_producers(ctx: Context, op: AssetUpdateFeedProducers) -> Asset:
    """The asset, once the producers exist, are not too many, and named at all (R1.14)."""
    state = ctx.state
    limit = state.parameters.maximum_asset_feed_publishers
    asset = state.assets.get(op.asset_to_update)
    bitasset_data_of(state, asset)

    if len(op.new_feed_producers) > limit:
        raise LimitExceeded(
            "too many feed producers", rule="R1.14", value=len(op.new_feed_producers), limit=limit
        )
    if asset.has_flag(WITNESS_FED_ASSET | COMMITTEE_FED_ASSET):
        raise WrongAssetType(
            f"{asset.symbol} is fed by witnesses or the committee",
            rule="R1.14",
            value=asset.symbol,
        )
    check_issuer(asset, op.issuer)
    for producer in op.new_feed_producers:
        state.accounts.get(producer)
    return asset


def apply_asset_update_feed_producers(
    ctx: Context, op: AssetUpdateFeedProducers, asset: Asset
) -> VoidResult:
    """Drop the feeds of those who left, give newcomers an empty place (R1.14)."""
    data = ctx.state.bitassets.edit(bitasset_data_of(ctx.state, asset))
    present = dict(data.feeds)
    empty = (NEVER_PUBLISHED, NULL_FEED)
    data.feeds = tuple(
        (producer, present.get(producer, empty)) for producer in op.new_feed_producers
    )
    update_median(ctx, asset, data)
    return VoidResult()


def evaluate_asset_publish_feed(ctx: Context, op: AssetPublishFeed) -> BitassetData:
    """The data, once the feed is about the right pair and by somebody who may (R1.12, R1.13)."""
    state, feed = ctx.state, op.feed
    asset = state.assets.get(op.asset_id)
    data = bitasset_data_of(state, asset)

    if data.is_prediction_market and data.is_globally_settled():
        raise GloballySettled(
            f"{asset.symbol} is globally settled", rule="R1.12", value=asset.symbol
        )
    for field, price, expected in (
        ("settlement_price", feed.settlement_price, data.options.short_backing_asset),
        ("core_exchange_rate", feed.core_exchange_rate, CORE_ASSET),
    ):
        if price.quote.asset_id != expected:
            raise WrongCollateralAsset(
                f"quote of {field} is another asset",
                rule="R1.12",
                value=asset_text(price.quote.asset_id),
                limit=asset_text(expected),
            )
    if op.publisher not in publishers_of(state, asset, data):
        raise NotAuthorized(
            f"the account may not publish feeds of {asset.symbol}",
            rule="R1.13",
            value=account_text(op.publisher),
        )
    return data


def publishers_of(state: State, asset: Asset, data: BitassetData) -> tuple[AccountId, ...]:
    """The accounts that may publish feeds of a BitAsset (R1.13)."""
    if asset.has_flag(WITNESS_FED_ASSET):
        members = state.accounts.get(WITNESS_ACCOUNT).active.account_auths
    elif asset.has_flag(COMMITTEE_FED_ASSET):
        members = state.accounts.get(COMMITTEE_ACCOUNT).active.account_auths
    else:
        return tuple(producer for producer, _ in data.feeds)
    return tuple(member for member, _ in members)


def apply_asset_publish_feed(ctx: Context, op: AssetPublishFeed, data: BitassetData) -> VoidResult:
    """Store the feed under the parent block's time, and the new median (R1.15, R1.22)."""
    feed = op.feed
    initial_ratio = op.extensions.initial_collateral_ratio
    values = FeedValues(
        settlement_price=feed.settlement_price,
        maintenance_collateral_ratio=feed.maintenance_collateral_ratio,
        maximum_short_squeeze_ratio=feed.maximum_short_squeeze_ratio,
        core_exchange_rate=feed.core_exchange_rate,
        initial_collateral_ratio=feed.maintenance_collateral_ratio
        if initial_ratio is None
        else initial_ratio,
    )
    others = [entry for entry in data.feeds if entry[0] != op.publisher]
    others.append((op.publisher, (ctx.now, values)))
    ctx.state.bitassets.edit(data).feeds = tuple(sorted(others, key=lambda entry: entry[0]))
    update_median(ctx, ctx.state.assets.get(op.asset_id), data)
    return VoidResult()


def evaluate_asset_settle(ctx: Context, op: AssetSettle) -> BitassetData:
    """The data, once the asset can be settled and the account holds the amount (R5.1, BS9)."""
    state = ctx.state
    asset = state.assets.get(op.amount.asset_id)
    data = bitasset_data_of(state, asset)
    account = state.accounts.get(op.account)
    backing = state.assets.get(data.options.short_backing_asset)

    if not data.is_globally_settled() and not data.has_pool_as_fund():
        if asset.has_flag(DISABLE_FORCE_SETTLE):
            raise FeatureDisabled(
                f"force settlement of {asset.symbol} is disabled", rule="R5.1", value=asset.symbol
            )
        if data.is_prediction_market:
            raise NotGloballySettled(
                "a prediction market is settled by its issuer first",
                rule="R5.1",
                value=asset.symbol,
            )
        if not data.has_feed():
            raise InsufficientFeeds("no price feed", rule="R5.1", value=asset.symbol)
    check_balance(state, op.account, op.amount, rule="R5.1")
    check_authorized(account, asset)
    check_authorized(account, backing)
    return data


def apply_asset_settle(
    ctx: Context, op: AssetSettle, data: BitassetData
) -> ExtendableOperationResult:
    """Redeem from the fund at once (R5.3), or make a request that falls due later (R5.2).

    Units are first redeemed from a pool, and a request is made for the rest where there is one,
    settlement is not disabled, and there is a feed (BS9).
    """
    state, amount = ctx.state, op.amount
    if data.is_globally_settled():
        payout = settle_from_fund(ctx, data, op.account, amount.amount)
        return ExtendableOperationResult(
            paid=(payout.paid,), received=(payout.received,), fees=payout.fees
        )
    if not data.has_pool_as_fund():
        made = _make_request(ctx, data, op.account, amount)
        return ExtendableOperationResult(new_objects=(made,))
    payout = settle_from_pool(ctx, data, op.account, amount.amount)
    rest = replace(amount, amount=amount.amount - payout.paid.amount)
    is_disabled = state.assets.get(amount.asset_id).has_flag(DISABLE_FORCE_SETTLE)
    is_over = data.has_pool() or is_disabled or rest.amount == 0 or not data.has_feed()
    return ExtendableOperationResult(
        paid=(payout.paid,),
        received=(payout.received,),
        fees=payout.fees,
        new_objects=None if is_over else (_make_request(ctx, data, op.account, rest),),
    )


def _make_request(
    ctx: Context, data: BitassetData, account: AccountId, amount: AssetAmount
) -> ObjectId:
    """Take the amount for a request that falls due later; its id (R5.2)."""
    state = ctx.state
    debit(state, account, amount)
    request_id = state.force_settlements.next_id
    state.force_settlements.create(
        ForceSettlement(
            id=request_id,
            owner=account,
            balance=amount,
            settlement_date=min(ctx.now + data.options.force_settlement_delay_sec, MAX_TIMESTAMP),
        )
    )
    ctx.requests_made.add(request_id)
    ctx.mark_dirty(amount.asset_id)
    return state.force_settlements.object_id(request_id)


def evaluate_asset_global_settle(ctx: Context, op: AssetGlobalSettle) -> BitassetData:
    """The data, once the issuer may, and every position can pay the price (R6.3, R7.2)."""
    state, price = ctx.state, op.settle_price
    asset = state.assets.get(op.asset_to_settle)
    data = bitasset_data_of(state, asset)

    if not asset.options.issuer_permissions & GLOBAL_SETTLE:
        raise PermissionDenied(
            f"{asset.symbol} may not be globally settled", rule="R6.3", value=asset.symbol
        )
    check_issuer(asset, op.issuer)
    if state.figures_of(asset.id).current_supply == 0:
        raise TooSmall("there is no supply to settle", rule="R6.3", value=asset.symbol)
    if data.is_globally_settled():
        raise GloballySettled(
            f"{asset.symbol} is globally settled", rule="R6.3", value=asset.symbol
        )
    if price.quote.asset_id != data.options.short_backing_asset:
        raise WrongCollateralAsset(
            "quote of settle_price is not the backing asset",
            rule="R6.3",
            value=asset_text(price.quote.asset_id),
            limit=asset_text(data.options.short_backing_asset),
        )
    least_quote = 0 if data.is_prediction_market else 1
    if price.quote.amount < least_quote:
        raise InsufficientCollateral(
            "only a prediction market settles at nothing",
            rule="R7.2",
            value=price,
        )
    worst = state.positions.first(asset.id)
    if worst is not None:
        owed = multiply_floor(AssetAmount(worst.debt, asset.id), price).amount
        if owed > worst.collateral:
            raise InsufficientCollateral(
                "the least collateralised position cannot pay the price",
                rule="R6.3",
                value=worst.collateral,
                limit=owed,
                unit=asset_text(worst.collateral_asset),
            )
    return data


def apply_asset_global_settle(
    ctx: Context, op: AssetGlobalSettle, data: BitassetData
) -> VoidResult:
    """Close every position into the fund, in the operation itself (R6.3)."""
    settle_globally_at(ctx, data, op.settle_price)
    return VoidResult()


def evaluate_bid_collateral(ctx: Context, op: BidCollateral) -> CollateralBid | None:
    """The bidder's present bid, once the asset takes bids and the collateral is there (R6.5)."""
    state = ctx.state
    asset = state.assets.get(op.debt_covered.asset_id)
    data = bitasset_data_of(state, asset)
    bidder = state.accounts.get(op.bidder)
    backing = state.assets.get(data.options.short_backing_asset)
    bid = state.bids_of_account.find(op.bidder, asset.id)

    if asset.has_flag(DISABLE_COLLATERAL_BIDDING):
        raise FeatureDisabled(
            f"collateral bidding for {asset.symbol} is disabled", rule="R6.5", value=asset.symbol
        )
    if not data.is_globally_settled():
        raise NotGloballySettled(
            f"{asset.symbol} is not globally settled", rule="R6.5", value=asset.symbol
        )
    if op.additional_collateral.asset_id != backing.id:
        raise WrongCollateralAsset(
            "collateral is not in the backing asset",
            rule="R6.5",
            value=asset_text(op.additional_collateral.asset_id),
            limit=asset_text(backing.id),
        )
    if data.is_prediction_market:
        raise WrongAssetType("nobody bids for a prediction market", rule="R6.5", value=asset.symbol)
    if op.debt_covered.amount > MAX_SUPPLY:
        raise LimitExceeded(
            "debt_covered exceeds the largest supply",
            rule="R1.1",
            value=op.debt_covered.amount,
            limit=MAX_SUPPLY,
            unit=asset_text(asset.id),
        )
    if bid is None and op.debt_covered.amount == 0:
        raise NoSuchObject("there is no bid to cancel", rule="R6.5", value=account_text(op.bidder))
    if op.debt_covered.amount:
        held = 0 if bid is None else bid.additional_collateral.amount
        check_balance(state, op.bidder, op.additional_collateral, held, "R6.5")
    check_authorized(bidder, asset)
    check_authorized(bidder, backing)
    return bid


def apply_bid_collateral(ctx: Context, op: BidCollateral, bid: CollateralBid | None) -> VoidResult:
    """Return the old bid's collateral, then take the new one's; debt 0 only cancels (R6.5)."""
    state = ctx.state
    if bid is not None:
        cancel_bid(ctx, bid, virtual=False)
    if op.debt_covered.amount:
        debit(state, op.bidder, op.additional_collateral)
        state.collateral_bids.create(
            CollateralBid(
                id=state.collateral_bids.next_id,
                bidder=op.bidder,
                additional_collateral=op.additional_collateral,
                debt_covered=op.debt_covered,
            )
        )
    return VoidResult()
