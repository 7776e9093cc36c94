"""BitAssets: options, feeds, settlement, collateral bids."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.evaluators.asset_rules import bitasset_data_of
from node.evaluators.bitasset import NEVER_PUBLISHED
from node.state.context import Context
from node.state.errors import (
    FeatureDisabled,
    GloballySettled,
    InsufficientBalance,
    InsufficientCollateral,
    InsufficientFeeds,
    LimitExceeded,
    NoSuchObject,
    NotAuthorized,
    NotGloballySettled,
    NotMarketIssued,
    PermissionDenied,
    TooSmall,
    WrongAccount,
    WrongAssetType,
    WrongCollateralAsset,
)
from node.state.objects.assets import NULL_FEED, BitassetData
from protocol.asset import NO_FEE, NULL_PRICE, AssetAmount, Price
from protocol.authority import Authority
from protocol.constants import COMMITTEE_ACCOUNT, CORE_ASSET, MAX_SUPPLY, WITNESS_ACCOUNT
from protocol.errors import ValidationError
from protocol.ids import AccountId, AssetId, ForceSettlementId, ObjectId
from protocol.operations.account import BLACK_LISTED, AccountWhitelist
from protocol.operations.asset_options import (
    COMMITTEE_FED_ASSET,
    DISABLE_BSRM_UPDATE,
    DISABLE_COLLATERAL_BIDDING,
    DISABLE_FORCE_SETTLE,
    DISABLE_ICR_UPDATE,
    DISABLE_MCR_UPDATE,
    DISABLE_MSSR_UPDATE,
    GLOBAL_SETTLE,
    WHITE_LIST,
    WITNESS_FED_ASSET,
)
from protocol.operations.bitasset import (
    AssetGlobalSettle,
    AssetPublishFeed,
    AssetPublishFeedExtensions,
    AssetSettle,
    AssetUpdateBitasset,
    AssetUpdateFeedProducers,
    BidCollateral,
)
from protocol.operations.bitasset_options import (
    BitassetOptions,
    BitassetOptionsExtensions,
    PriceFeed,
)
from protocol.operations.results import ExtendableOperationResult
from protocol.operations.transfer import Transfer
from protocol.schema import MAX_TIMESTAMP
from tests.support.state import (
    add_asset,
    add_bitasset,
    add_position,
    apply,
    bitasset,
    core,
    expect,
    make_context,
    make_state,
    set_feed,
)
from tests.support.world import ALICE, BOB, CAROL, GENESIS_TIME

USD = AssetId(1)


@pytest.fixture
def ctx() -> Context:
    """Alice issues USD, backed by CORE, without feeds or supply."""
    state = make_state("alice", "bob", "carol", core=10_000)
    assert add_bitasset(state, "USD", issuer=ALICE) == USD
    return make_context(state)


def data(ctx: Context) -> BitassetData:
    return bitasset(ctx.state, USD)


def usd(amount: int) -> AssetAmount:
    return AssetAmount(amount, USD)


def set_options(ctx: Context, asset_id: AssetId, **changes: object) -> None:
    asset = ctx.state.assets.edit(ctx.state.assets.get(asset_id))
    asset.options = replace(asset.options, **changes)


# Options.


def update(**changes: object) -> AssetUpdateBitasset:
    options = replace(BitassetOptions(), **changes)
    return AssetUpdateBitasset(NO_FEE, ALICE, USD, options)


def ratios(**ratio: int) -> BitassetOptionsExtensions:
    return BitassetOptionsExtensions(**ratio)


def test_options_of_a_bitasset_are_replaced(ctx: Context) -> None:
    """R1.18: by the issuer, of a BitAsset."""
    op = update(minimum_feeds=3, force_settlement_delay_sec=60)
    expect(ctx, WrongAccount, replace(op, issuer=BOB))
    token = add_asset(ctx.state, "TOKEN", issuer=ALICE)
    expect(ctx, NotMarketIssued, replace(op, asset_to_update=token))
    apply(ctx, op)
    assert data(ctx).options == op.new_options
    assert ctx.dirty_assets == {USD}


def test_the_median_follows_the_options(ctx: Context) -> None:
    """R1.18, BSIP75: more feeds than there are make it null, the issuer's ratio replaces it."""
    set_feed(ctx.state, USD, 1, 1)
    apply(ctx, update(extensions=ratios(maintenance_collateral_ratio=1900)))
    assert data(ctx).median_feed.maintenance_collateral_ratio == 1900
    apply(ctx, update(minimum_feeds=2))
    assert data(ctx).median_feed == data(ctx).current_feed == NULL_FEED


@pytest.mark.parametrize(
    ("field", "bit"),
    [
        ("maintenance_collateral_ratio", DISABLE_MCR_UPDATE),
        ("initial_collateral_ratio", DISABLE_ICR_UPDATE),
        ("maximum_short_squeeze_ratio", DISABLE_MSSR_UPDATE),
    ],
)
def test_a_ratio_changes_only_with_its_permission(ctx: Context, field: str, bit: int) -> None:
    """BSIP75, BSIP77: setting, changing and removing are changes, keeping is none."""
    set_options(ctx, USD, issuer_permissions=bit)
    expect(ctx, PermissionDenied, update(extensions=ratios(**{field: 1800})))
    set_options(ctx, USD, issuer_permissions=0)
    apply(ctx, update(extensions=ratios(**{field: 1800})))
    set_options(ctx, USD, issuer_permissions=bit)
    expect(ctx, PermissionDenied, update())
    apply(ctx, update(minimum_feeds=2, extensions=ratios(**{field: 1800})))


def test_short_times_and_responses_of_prediction_markets_are_refused(ctx: Context) -> None:
    """BS1, R1.12."""
    assert expect(ctx, LimitExceeded, update(feed_lifetime_sec=5)).limit == 6
    bet = add_bitasset(ctx.state, "BET", issuer=ALICE, is_prediction_market=True)
    op = replace(update(extensions=ratios(black_swan_response_method=0)), asset_to_update=bet)
    expect(ctx, WrongAssetType, op)


def test_a_response_changes_only_by_permission_and_without_a_pool(ctx: Context) -> None:
    """BS11: nor after a global settlement; to name the present one changes nothing."""
    state, asset = ctx.state, ctx.state.assets.get(USD)
    to_fund = update(extensions=ratios(black_swan_response_method=2))
    asset = state.assets.edit(asset)
    allowed = asset.options
    asset.options = replace(
        allowed, issuer_permissions=allowed.issuer_permissions | DISABLE_BSRM_UPDATE
    )
    expect(ctx, PermissionDenied, to_fund)
    apply(ctx, update(extensions=ratios(black_swan_response_method=0)))
    asset.options = allowed
    apply(ctx, to_fund)
    data = state.bitassets.edit(bitasset_data_of(state, asset))
    data.individual_settlement_debt = data.individual_settlement_fund = 1
    error = expect(ctx, LimitExceeded, update())
    assert (error.rule, error.value, error.limit) == ("BS11", 1, 0)
    data.individual_settlement_debt = data.individual_settlement_fund = 0
    apply(ctx, update())


def test_the_backing_asset_changes_only_while_nothing_rests_on_it(ctx: Context) -> None:
    """R1.18: no supply, no unclaimed collateral fees, not globally settled."""
    token = add_asset(ctx.state, "TOKEN")
    op = update(short_backing_asset=token)
    figures = ctx.state.asset_dynamic_data.edit(ctx.state.figures_of(USD))
    figures.current_supply = 1
    expect(ctx, LimitExceeded, op)
    figures.current_supply, figures.accumulated_collateral_fees = 0, 1
    expect(ctx, LimitExceeded, op)
    figures.accumulated_collateral_fees = 0
    item = ctx.state.bitassets.edit(data(ctx))
    item.settlement_price = Price(usd(1), core(1))
    expect(ctx, GloballySettled, op)
    item.settlement_price = NULL_PRICE
    apply(ctx, op)
    assert data(ctx).options.short_backing_asset == token


def test_the_new_backing_asset_keeps_the_tower_low(ctx: Context) -> None:
    """R1.18: exists, is not the asset itself, and nothing comes to rest on a third BitAsset."""
    expect(ctx, NoSuchObject, update(short_backing_asset=AssetId(9)))
    expect(ctx, WrongAssetType, update(short_backing_asset=USD))
    on_usd = BitassetOptions(short_backing_asset=USD)
    child = add_bitasset(ctx.state, "CHILD", issuer=ALICE, bitasset_options=on_usd)
    expect(ctx, WrongAssetType, update(short_backing_asset=child))
    eur = add_bitasset(ctx.state, "EUR")
    expect(ctx, WrongAssetType, update(short_backing_asset=eur))
    token = add_asset(ctx.state, "TOKEN")
    apply(ctx, update(short_backing_asset=token))
    apply(ctx, update())
    ctx.state.assets.edit(ctx.state.assets.get(child)).issuer = COMMITTEE_ACCOUNT
    expect(ctx, WrongAssetType, update(short_backing_asset=token))
    ctx.state.assets.edit(ctx.state.assets.get(USD)).issuer = COMMITTEE_ACCOUNT
    expect(ctx, WrongAssetType, replace(update(short_backing_asset=token), issuer=AccountId(0)))


def test_a_new_backing_asset_drops_the_feeds(ctx: Context) -> None:
    """R1.18: named producers keep their place, witnesses are forgotten."""
    token = add_asset(ctx.state, "TOKEN")
    set_feed(ctx.state, USD, 1, 1, publisher=BOB)
    apply(ctx, update(short_backing_asset=token))
    (producer, (published, values)) = data(ctx).feeds[0]
    assert (producer, published) == (BOB, NEVER_PUBLISHED)
    assert values.settlement_price.is_null()
    assert data(ctx).median_feed == NULL_FEED
    apply(ctx, update())
    set_options(ctx, USD, flags=WITNESS_FED_ASSET)
    set_feed(ctx.state, USD, 1, 1, publisher=BOB)
    apply(ctx, update(short_backing_asset=token))
    assert data(ctx).feeds == ()


# Feeds.


def producers(*accounts: AccountId) -> AssetUpdateFeedProducers:
    return AssetUpdateFeedProducers(NO_FEE, ALICE, USD, accounts)


def publish(
    publisher: AccountId, debt: int, backing: int, *, icr: int | None = None, mcr: int = 1750
) -> AssetPublishFeed:
    price = Price(usd(debt), core(backing))
    feed = PriceFeed(price, mcr, 1500, price)
    return AssetPublishFeed(NO_FEE, publisher, USD, feed, AssetPublishFeedExtensions(icr))


def test_named_producers_keep_lose_and_get_their_place(ctx: Context) -> None:
    """R1.14: and the median follows."""
    apply(ctx, producers(ALICE, BOB))
    assert data(ctx).feeds == (
        (ALICE, (NEVER_PUBLISHED, NULL_FEED)),
        (BOB, (NEVER_PUBLISHED, NULL_FEED)),
    )
    assert not data(ctx).has_feed()
    apply(ctx, publish(ALICE, 1, 1))
    apply(ctx, publish(BOB, 1, 3))
    kept = data(ctx).feeds[1]
    apply(ctx, producers(BOB, CAROL))
    assert data(ctx).feeds == (kept, (CAROL, (NEVER_PUBLISHED, NULL_FEED)))
    assert data(ctx).median_feed.settlement_price == Price(usd(1), core(3))


def test_producers_are_named_by_the_issuer_within_the_limit(ctx: Context) -> None:
    """R1.14: not where witnesses or the committee feed."""
    expect(ctx, WrongAccount, replace(producers(BOB), issuer=BOB))
    expect(ctx, NoSuchObject, producers(AccountId(99)))
    expect(ctx, NotMarketIssued, replace(producers(BOB), asset_to_update=CORE_ASSET))
    ctx.state.global_properties.edit(ctx.state.properties).parameters = replace(
        ctx.state.parameters, maximum_asset_feed_publishers=1
    )
    error = expect(ctx, LimitExceeded, producers(ALICE, BOB))
    assert (error.value, error.limit) == (2, 1)
    apply(ctx, producers(ALICE))
    for flag in (WITNESS_FED_ASSET, COMMITTEE_FED_ASSET):
        set_options(ctx, USD, flags=flag)
        expect(ctx, WrongAssetType, producers(ALICE))


def test_a_feed_is_stamped_with_the_parent_s_time(ctx: Context) -> None:
    """R1.15, R1.12: an absent ICR is the MCR; the median changes in the operation (R1.22)."""
    apply(ctx, producers(BOB))
    ctx.dirty_assets.clear()
    ctx.now += 60
    apply(ctx, publish(BOB, 1, 2, mcr=1800))
    (_, (published, values)) = data(ctx).feeds[0]
    assert published == GENESIS_TIME + 60
    assert values.initial_collateral_ratio == values.maintenance_collateral_ratio == 1800
    assert data(ctx).median_feed == data(ctx).current_feed == values
    assert ctx.dirty_assets == {USD}
    apply(ctx, publish(BOB, 1, 2, icr=2000))
    assert data(ctx).median_feed.initial_collateral_ratio == 2000
    assert len(data(ctx).feeds) == 1


@pytest.mark.parametrize(
    ("flag", "group"),
    [(WITNESS_FED_ASSET, WITNESS_ACCOUNT), (COMMITTEE_FED_ASSET, COMMITTEE_ACCOUNT)],
)
def test_members_of_the_group_publish(ctx: Context, flag: int, group: AccountId) -> None:
    """R1.13: those in the active authority of the witness or committee account."""
    set_options(ctx, USD, flags=flag)
    item = ctx.state.accounts.edit(ctx.state.accounts.get(group))
    item.active = Authority(1, ((BOB, 1),))
    expect(ctx, NotAuthorized, publish(ALICE, 1, 1))
    apply(ctx, publish(BOB, 1, 1))
    assert data(ctx).has_feed()


def test_only_named_producers_publish(ctx: Context) -> None:
    """R1.13: not even the issuer."""
    expect(ctx, NotAuthorized, publish(ALICE, 1, 1))
    apply(ctx, producers(BOB))
    expect(ctx, NotAuthorized, publish(ALICE, 1, 1))
    apply(ctx, publish(BOB, 1, 1))


def test_a_feed_is_about_the_pair_and_core(ctx: Context) -> None:
    """R1.12: quote is the backing asset, the exchange rate's quote is CORE."""
    apply(ctx, producers(BOB))
    op = publish(BOB, 1, 1)
    token = add_asset(ctx.state, "TOKEN")
    other = Price(usd(1), AssetAmount(1, token))
    expect(ctx, WrongCollateralAsset, replace(op, feed=replace(op.feed, settlement_price=other)))
    expect(ctx, WrongCollateralAsset, replace(op, feed=replace(op.feed, core_exchange_rate=other)))
    expect(ctx, ValidationError, replace(op, asset_id=token))
    about_token = PriceFeed(other.inverse(), 1750, 1500, other.inverse())
    expect(ctx, NotMarketIssued, replace(op, asset_id=token, feed=about_token))


def test_a_settled_prediction_market_takes_no_feed(ctx: Context) -> None:
    """R1.12: other BitAssets do, and may revive (R6.7)."""
    apply(ctx, producers(BOB))
    item = ctx.state.bitassets.edit(data(ctx))
    item.settlement_price = Price(usd(1), core(1))
    apply(ctx, publish(BOB, 1, 1))
    item.is_prediction_market = True
    expect(ctx, GloballySettled, publish(BOB, 1, 1))


# Settlement.


def settle(amount: int, account: AccountId = BOB) -> AssetSettle:
    return AssetSettle(NO_FEE, account, usd(amount))


def give_usd(ctx: Context, debt: int = 1000, collateral: int = 3000) -> None:
    """Bob borrows at a feed of 1."""
    set_feed(ctx.state, USD, 1, 1)
    add_position(ctx.state, BOB, USD, debt, collateral)


def test_a_request_waits_for_its_delay(ctx: Context) -> None:
    """R5.2: the amount leaves the balance; the answer carries the new id."""
    give_usd(ctx)
    result = apply(ctx, settle(400))
    assert result == ExtendableOperationResult(new_objects=(ObjectId(1, 4, 0),))
    request = ctx.state.force_settlements.get(ForceSettlementId(0))
    assert (request.owner, request.balance) == (BOB, usd(400))
    assert request.settlement_date == GENESIS_TIME + 86_400
    assert ctx.state.balance_of(BOB, USD) == 600
    assert ctx.state.figures_of(USD).current_supply == 1000


def test_the_longest_delay_ends_with_time_itself(ctx: Context) -> None:
    """R5.2: a date that the wire cannot hold is the last one it can."""
    apply(ctx, update(force_settlement_delay_sec=0xFFFF_FFFF))
    give_usd(ctx)
    apply(ctx, settle(1))
    assert ctx.state.force_settlements.get(ForceSettlementId(0)).settlement_date == MAX_TIMESTAMP
    ctx.state.state_hash()


def test_what_can_be_settled(ctx: Context) -> None:
    """R5.1: a BitAsset with a feed, not disabled, of which the account holds enough."""
    add_position(ctx.state, BOB, USD, 1000, 3000)
    expect(ctx, InsufficientFeeds, settle(1))
    set_feed(ctx.state, USD, 1, 1)
    expect(ctx, ValidationError, settle(0))
    expect(ctx, NotMarketIssued, AssetSettle(NO_FEE, BOB, core(1)))
    error = expect(ctx, InsufficientBalance, settle(1001))
    assert (error.value, error.limit) == (1000, 1001)
    set_options(ctx, USD, flags=DISABLE_FORCE_SETTLE)
    expect(ctx, FeatureDisabled, settle(1))
    set_options(ctx, USD, flags=0)
    apply(ctx, settle(1000))


def test_the_settler_may_hold_both_assets(ctx: Context) -> None:
    """R5.1, R2.20."""
    give_usd(ctx)
    apply(ctx, AccountWhitelist(NO_FEE, CAROL, BOB, BLACK_LISTED))
    for asset in (USD, CORE_ASSET):
        set_options(ctx, asset, flags=WHITE_LIST, blacklist_authorities=(CAROL,))
        op = replace(settle(1), fee=AssetAmount(0, CORE_ASSET if asset == USD else USD))
        expect(ctx, NotAuthorized, op)
        set_options(ctx, asset, flags=0, blacklist_authorities=())
    apply(ctx, settle(1))


def test_after_global_settlement_the_fund_pays_at_once(ctx: Context) -> None:
    """R5.3: 1000 USD rest on a fund of 500; 3 USD buy floor(1.5) = 1, so 2 are taken."""
    give_usd(ctx)
    apply(ctx, AssetGlobalSettle(NO_FEE, ALICE, USD, Price(usd(2), core(1))))
    assert data(ctx).settlement_fund == 500
    set_options(ctx, USD, flags=DISABLE_FORCE_SETTLE)
    result = apply(ctx, settle(3))
    assert result == ExtendableOperationResult(paid=(usd(2),), received=(core(1),), fees=(core(0),))
    assert ctx.state.balance_of(BOB, USD) == 998
    assert data(ctx).settlement_fund == 499
    expect(ctx, TooSmall, settle(1))
    apply(ctx, settle(998))
    assert (data(ctx).settlement_fund, ctx.state.figures_of(USD).current_supply) == (0, 0)


def test_a_prediction_market_is_settled_by_its_issuer_first(ctx: Context) -> None:
    """R5.1, R7.2: at any price a position can pay, even nothing."""
    ctx.state.bitassets.edit(data(ctx)).is_prediction_market = True
    add_position(ctx.state, BOB, USD, 1000, 1000)
    expect(ctx, NotGloballySettled, settle(1))
    apply(ctx, AssetGlobalSettle(NO_FEE, ALICE, USD, Price(usd(1), core(0))))
    assert data(ctx).settlement_fund == 0
    assert ctx.state.balance_of(BOB, CORE_ASSET) == 11_000
    apply(ctx, settle(10))
    assert ctx.state.balance_of(BOB, USD) == 990
    assert ctx.state.balance_of(BOB, CORE_ASSET) == 11_000


def test_the_issuer_settles_at_a_price_everybody_can_pay(ctx: Context) -> None:
    """R6.3: the least collateralised position owes 1000 against 3000."""
    give_usd(ctx)

    def at(debt: int, backing: int) -> AssetGlobalSettle:
        return AssetGlobalSettle(NO_FEE, ALICE, USD, Price(usd(debt), core(backing)))

    error = expect(ctx, InsufficientCollateral, at(1000, 3001))
    assert (error.value, error.limit) == (3000, 3001)
    expect(ctx, InsufficientCollateral, at(1, 0))
    expect(ctx, ValidationError, at(0, 1))
    expect(ctx, ValidationError, at(1, -1))
    apply(ctx, at(1, 3))
    assert len(ctx.state.call_orders) == 0
    assert data(ctx).settlement_price == Price(usd(1000), core(3000))
    expect(ctx, GloballySettled, at(1, 3))


def test_who_may_settle_globally(ctx: Context) -> None:
    """R6.3: the issuer, with the permission, a BitAsset with supply, in its backing asset."""
    op = AssetGlobalSettle(NO_FEE, ALICE, USD, Price(usd(1), core(1)))
    expect(ctx, TooSmall, op)
    give_usd(ctx)
    expect(ctx, WrongAccount, replace(op, issuer=BOB))
    token = add_asset(ctx.state, "TOKEN", issuer=ALICE)
    in_token = replace(op, settle_price=Price(usd(1), AssetAmount(1, token)))
    expect(ctx, WrongCollateralAsset, in_token)
    of_token = Price(AssetAmount(1, token), core(1))
    expect(ctx, NotMarketIssued, replace(op, asset_to_settle=token, settle_price=of_token))
    set_options(ctx, USD, issuer_permissions=0x1FF & ~GLOBAL_SETTLE)
    expect(ctx, PermissionDenied, op)


# Collateral bids.


def bid(collateral: int, debt: int, bidder: AccountId = CAROL) -> BidCollateral:
    return BidCollateral(NO_FEE, bidder, core(collateral), usd(debt))


def settle_globally(ctx: Context) -> None:
    give_usd(ctx)
    apply(ctx, AssetGlobalSettle(NO_FEE, ALICE, USD, Price(usd(1), core(1))))


def test_a_bid_holds_its_collateral(ctx: Context) -> None:
    """R6.5: one an account, a new one replaces it; the old collateral counts for the new bid."""
    settle_globally(ctx)
    apply(ctx, bid(10_000, 100))
    first = ctx.state.bids_of_account.find(CAROL, USD)
    assert first is not None
    assert (first.additional_collateral, first.debt_covered) == (core(10_000), usd(100))
    assert ctx.state.balance_of(CAROL, CORE_ASSET) == 0
    apply(ctx, bid(9_000, 200))
    second = ctx.state.bids_of_account.find(CAROL, USD)
    assert second is not None
    assert (second.id, second.debt_covered) == (1, usd(200))
    assert len(ctx.state.collateral_bids) == 1
    assert ctx.state.balance_of(CAROL, CORE_ASSET) == 1000
    error = expect(ctx, InsufficientBalance, bid(10_001, 200))
    assert (error.value, error.limit) == (10_000, 10_001)
    apply(ctx, bid(0, 0))
    assert ctx.state.balance_of(CAROL, CORE_ASSET) == 10_000
    assert len(ctx.state.collateral_bids) == 0
    expect(ctx, NoSuchObject, bid(0, 0))
    assert not any(isinstance(entry.op, BidCollateral) for entry in ctx.applied)


def test_when_bids_are_taken(ctx: Context) -> None:
    """R6.5: a globally settled BitAsset, not a prediction market, bidding not disabled."""
    expect(ctx, NotGloballySettled, bid(1, 1))
    expect(ctx, NotMarketIssued, replace(bid(1, 1), debt_covered=core(1)))
    settle_globally(ctx)
    token = add_asset(ctx.state, "TOKEN")
    op = replace(bid(1, 1), additional_collateral=AssetAmount(1, token))
    expect(ctx, WrongCollateralAsset, op)
    expect(ctx, ValidationError, bid(0, 1))
    assert expect(ctx, LimitExceeded, bid(1, MAX_SUPPLY + 1)).limit == MAX_SUPPLY
    set_options(ctx, USD, flags=DISABLE_COLLATERAL_BIDDING)
    expect(ctx, FeatureDisabled, bid(1, 1))
    set_options(ctx, USD, flags=WHITE_LIST, blacklist_authorities=(BOB,))
    apply(ctx, AccountWhitelist(NO_FEE, BOB, CAROL, BLACK_LISTED))
    expect(ctx, NotAuthorized, bid(1, 1))
    set_options(ctx, USD, flags=0, blacklist_authorities=())
    ctx.state.bitassets.edit(data(ctx)).is_prediction_market = True
    expect(ctx, WrongAssetType, bid(1, 1))


def test_units_of_a_settled_asset_are_still_units(ctx: Context) -> None:
    """R6.4: only positions are closed."""
    settle_globally(ctx)
    apply(ctx, Transfer(NO_FEE, BOB, CAROL, usd(400)))
    assert ctx.state.balance_of(CAROL, USD) == 400
