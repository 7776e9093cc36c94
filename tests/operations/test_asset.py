"""Assets of any kind: creation, options, issuer, supply, fee pool."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.chain.invariants import check_supplies
from node.state.context import Context
from node.state.errors import (
    FeatureDisabled,
    InsufficientBalance,
    LimitExceeded,
    MaxSupplyExceeded,
    NameTaken,
    NewSupplyDisabled,
    NoSuchObject,
    NotAuthorized,
    PermissionDenied,
    WrongAccount,
    WrongAssetType,
)
from node.state.objects.assets import NULL_FEED
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import COMMITTEE_ACCOUNT, CORE_ASSET, MAX_SUPPLY
from protocol.errors import ValidationError
from protocol.ids import AccountId, AssetId, ForceSettlementId, ObjectId
from protocol.operations.account import BLACK_LISTED, AccountWhitelist
from protocol.operations.asset import (
    NEW_ASSET,
    AssetClaimFees,
    AssetClaimFeesExtensions,
    AssetClaimPool,
    AssetCreate,
    AssetFundFeePool,
    AssetIssue,
    AssetReserve,
    AssetUpdate,
    AssetUpdateExtensions,
    AssetUpdateIssuer,
)
from protocol.operations.asset_options import (
    CHARGE_MARKET_FEE,
    DISABLE_FORCE_SETTLE,
    DISABLE_NEW_SUPPLY,
    GLOBAL_SETTLE,
    LOCK_MAX_SUPPLY,
    OVERRIDE_AUTHORITY,
    WHITE_LIST,
    AssetOptions,
)
from protocol.operations.bitasset import AssetSettle, AssetSettleCancel
from protocol.operations.bitasset_options import (
    BitassetOptions,
    BitassetOptionsExtensions,
    BlackSwanResponse,
)
from tests.support.state import (
    add_asset,
    add_bitasset,
    add_position,
    apply,
    bitasset,
    core,
    core_options,
    created,
    expect,
    issue,
    make_context,
    make_state,
    set_feed,
)
from tests.support.world import ALICE, BOB

UIA_ALL = 0x4F
"""Every permission of a user-issued asset that can be given away."""
BITASSET_ALL = 0x1FF
"""Every permission of a BitAsset that can be given away."""


@pytest.fixture
def ctx() -> Context:
    return make_context(make_state("alice", "bob", core=10_000))


def new_options(**changes: object) -> AssetOptions:
    rate = Price(AssetAmount(1, NEW_ASSET), core(1))
    options = replace(core_options(), core_exchange_rate=rate, issuer_permissions=UIA_ALL)
    return replace(options, **changes)


def create(symbol: str = "TOKEN", **changes: object) -> AssetCreate:
    op = AssetCreate(NO_FEE, ALICE, symbol, 4, new_options())
    return replace(op, **changes)


def create_bitasset(symbol: str = "USD", **changes: object) -> AssetCreate:
    options = new_options(issuer_permissions=BITASSET_ALL)
    op = create(symbol, common_options=options, bitasset_opts=BitassetOptions())
    return replace(op, **changes)


def update(ctx: Context, asset_id: AssetId, **changes: object) -> AssetUpdate:
    """Alice changes some options of an asset."""
    options = replace(ctx.state.assets.get(asset_id).options, **changes)
    return AssetUpdate(NO_FEE, ALICE, asset_id, None, options)


def token(ctx: Context, supply: int = 0, **options: object) -> AssetId:
    """A user-issued asset of alice, whose supply is in bob's balance."""
    asset_id = AssetId(created(apply(ctx, create(common_options=new_options(**options)))))
    issue(ctx.state, BOB, AssetAmount(supply, asset_id))
    return asset_id


# Creation.


def test_a_new_asset_has_no_supply(ctx: Context) -> None:
    """R2.19: the asset and its figures."""
    assert apply(ctx, create()) == ObjectId(1, 3, 1)
    asset = ctx.state.asset_named("TOKEN")
    assert (asset.issuer, asset.precision, asset.bitasset_data_id) == (ALICE, 4, None)
    figures = ctx.state.figures_of(asset.id)
    assert (figures.current_supply, figures.fee_pool, figures.accumulated_fees) == (0, 0, 0)


def test_a_new_bitasset_has_no_feed(ctx: Context) -> None:
    """R1.16: null until enough feeds are live."""
    opts = BitassetOptions(minimum_feeds=3)
    asset_id = AssetId(created(apply(ctx, create_bitasset(bitasset_opts=opts))))
    data = bitasset(ctx.state, asset_id)
    assert (data.asset_id, data.options) == (asset_id, opts)
    assert data.median_feed == data.current_feed == NULL_FEED
    assert not data.is_globally_settled()
    assert not data.is_prediction_market


@pytest.mark.parametrize("is_base", [True, False])
def test_the_exchange_rate_is_given_the_new_id(ctx: Context, is_base: bool) -> None:
    """R8.17: clients write 1.3.1 for the asset that does not exist yet, on either side."""
    add_asset(ctx.state, "OTHER")
    mine, theirs = AssetAmount(3, NEW_ASSET), core(2)
    rate = Price(mine, theirs) if is_base else Price(theirs, mine)
    op = create(common_options=new_options(core_exchange_rate=rate))
    asset_id = AssetId(created(apply(ctx, op)))
    assert asset_id == 2
    stored = ctx.state.assets.get(asset_id).options.core_exchange_rate
    expected = Price(AssetAmount(3, asset_id), core(2))
    assert stored == (expected if is_base else expected.inverse())


@pytest.mark.parametrize(("fee", "pool", "pending"), [(10, 5, 5), (11, 5, 6), (1, 0, 1)])
def test_half_the_fee_fills_the_pool(ctx: Context, fee: int, pool: int, pending: int) -> None:
    """R8.19: floor(fee / 2) seeds the pool, the rest is shared out."""
    asset_id = created(apply(ctx, create(fee=core(fee))))
    assert ctx.state.figures_of(AssetId(asset_id)).fee_pool == pool
    statistics = ctx.state.statistics_of(ALICE)
    assert statistics.pending_vested_fees == pending
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 10_000 - fee


def test_a_symbol_is_used_once(ctx: Context) -> None:
    """R2.19."""
    apply(ctx, create())
    expect(ctx, NameTaken, create(issuer=BOB))


def test_a_sub_asset_belongs_to_the_issuer_of_its_parent(ctx: Context) -> None:
    """R2.19: TOKEN.SUB needs TOKEN, of the same issuer."""
    expect(ctx, NoSuchObject, create("TOKEN.SUB"))
    apply(ctx, create())
    expect(ctx, WrongAccount, create("TOKEN.SUB", issuer=BOB))
    apply(ctx, create("TOKEN.SUB"))


def test_flags_fit_the_kind_of_asset(ctx: Context) -> None:
    """BSIP48: force settlement is no matter of a user-issued asset."""
    expect(ctx, ValidationError, create(common_options=new_options(flags=DISABLE_FORCE_SETTLE)))
    options = new_options(flags=DISABLE_FORCE_SETTLE, issuer_permissions=BITASSET_ALL)
    apply(ctx, create_bitasset(common_options=options))


def test_list_authorities_exist_and_are_bounded(ctx: Context) -> None:
    """R2.20: at most maximum_asset_whitelist_authorities."""
    options = new_options(flags=WHITE_LIST, whitelist_authorities=(AccountId(99),))
    expect(ctx, NoSuchObject, create(common_options=options))
    ctx.state.global_properties.edit(ctx.state.properties).parameters = replace(
        ctx.state.parameters, maximum_asset_whitelist_authorities=1
    )
    for field in ("whitelist_authorities", "blacklist_authorities"):
        options = new_options(flags=WHITE_LIST, **{field: (ALICE, BOB)})
        error = expect(ctx, LimitExceeded, create(common_options=options))
        assert (error.value, error.limit) == (2, 1)
    apply(ctx, create(common_options=new_options(flags=WHITE_LIST, whitelist_authorities=(BOB,))))


@pytest.mark.parametrize("field", ["feed_lifetime_sec", "force_settlement_delay_sec"])
def test_times_of_a_bitasset_exceed_a_block(ctx: Context, field: str) -> None:
    """R1.12: longer than the block interval of 5 s."""

    def with_time(seconds: int) -> AssetCreate:
        options = replace(BitassetOptions(), **{field: seconds})
        return create_bitasset(bitasset_opts=options)

    error = expect(ctx, LimitExceeded, with_time(5))
    assert (error.value, error.limit) == (5, 6)
    apply(ctx, with_time(6))


def test_every_response_is_accepted_but_none_that_is_unknown(ctx: Context) -> None:
    """R6.9, BS1: 0 to 3."""
    for method in BlackSwanResponse:
        extensions = BitassetOptionsExtensions(black_swan_response_method=method)
        options = BitassetOptions(extensions=extensions)
        symbol = f"SWAN{'ABCD'[method]}"
        apply(ctx, replace(create_bitasset(bitasset_opts=options), symbol=symbol))
    extensions = BitassetOptionsExtensions(black_swan_response_method=4)
    with pytest.raises(ValidationError):
        BitassetOptions(extensions=extensions).validate()


def backed_by(asset_id: AssetId) -> BitassetOptions:
    return BitassetOptions(short_backing_asset=asset_id)


def test_backing_rests_on_core_or_a_user_issued_asset_in_the_end(ctx: Context) -> None:
    """R1.18: one BitAsset may lie between, not two."""
    expect(ctx, NoSuchObject, create_bitasset(bitasset_opts=backed_by(AssetId(9))))
    apply(ctx, create_bitasset("ONE"))
    apply(ctx, create_bitasset("TWO", bitasset_opts=backed_by(AssetId(1))))
    expect(ctx, WrongAssetType, create_bitasset("THREE", bitasset_opts=backed_by(AssetId(2))))


def test_what_the_committee_issues_rests_on_core(ctx: Context) -> None:
    """R1.18: directly, or through one BitAsset."""
    uia = token(ctx)
    on_uia = AssetId(created(apply(ctx, create_bitasset("ONUIA", bitasset_opts=backed_by(uia)))))
    on_core = AssetId(created(apply(ctx, create_bitasset("ONCORE"))))
    for backing in (uia, on_uia):
        op = create_bitasset(issuer=COMMITTEE_ACCOUNT, bitasset_opts=backed_by(backing))
        expect(ctx, WrongAssetType, op)
    for symbol, backing in (("USD", CORE_ASSET), ("EUR", on_core)):
        op = create_bitasset(symbol, issuer=COMMITTEE_ACCOUNT, bitasset_opts=backed_by(backing))
        apply(ctx, op)


def test_a_prediction_market_has_the_precision_of_its_backing(ctx: Context) -> None:
    """R7.1: CORE has 5 decimal places."""
    op = create_bitasset("BET", is_prediction_market=True)
    error = expect(ctx, WrongAssetType, op)
    assert (error.value, error.limit) == (4, 5)
    apply(ctx, replace(op, precision=5))


# Options.


def test_options_are_replaced_as_a_whole(ctx: Context) -> None:
    """BSIP48."""
    asset = token(ctx)
    op = update(ctx, asset, description="new", flags=CHARGE_MARKET_FEE, max_supply=7)
    apply(ctx, op)
    assert ctx.state.assets.get(asset).options == op.new_options


def test_only_the_issuer_updates_and_never_the_issuer(ctx: Context) -> None:
    """R9.6: the issuer changes by asset_update_issuer."""
    op = update(ctx, token(ctx))
    expect(ctx, WrongAccount, replace(op, issuer=BOB))
    expect(ctx, FeatureDisabled, replace(op, new_issuer=BOB))


def test_a_flag_changes_only_with_its_permission(ctx: Context) -> None:
    """BSIP48: in both directions."""
    asset = token(ctx, issuer_permissions=WHITE_LIST, flags=OVERRIDE_AUTHORITY)
    expect(ctx, PermissionDenied, update(ctx, asset, flags=0))
    expect(ctx, PermissionDenied, update(ctx, asset, flags=OVERRIDE_AUTHORITY | CHARGE_MARKET_FEE))
    apply(ctx, update(ctx, asset, flags=OVERRIDE_AUTHORITY | WHITE_LIST))


@pytest.mark.parametrize("bit", [CHARGE_MARKET_FEE, OVERRIDE_AUTHORITY])
def test_a_permission_given_away_comes_back_only_without_supply(ctx: Context, bit: int) -> None:
    """BSIP48: holders rely on what the issuer has given up."""
    asset = token(ctx, supply=1)
    apply(ctx, update(ctx, asset, issuer_permissions=UIA_ALL & ~bit))
    error = expect(ctx, PermissionDenied, update(ctx, asset, issuer_permissions=UIA_ALL))
    assert error.value == f"{bit:#x}"
    apply(ctx, AssetReserve(NO_FEE, BOB, AssetAmount(1, asset)))
    apply(ctx, update(ctx, asset, issuer_permissions=UIA_ALL))


@pytest.mark.parametrize("bit", [LOCK_MAX_SUPPLY, DISABLE_NEW_SUPPLY])
def test_a_disabling_permission_is_given_away_by_setting_it(ctx: Context, bit: int) -> None:
    """BSIP48: for these bits, 1 means that the issuer may not use the flag."""
    asset = token(ctx, supply=1)
    apply(ctx, update(ctx, asset, issuer_permissions=UIA_ALL | bit))
    expect(ctx, PermissionDenied, update(ctx, asset, flags=bit))
    expect(ctx, PermissionDenied, update(ctx, asset, issuer_permissions=UIA_ALL))


def test_permissions_fit_the_kind_of_asset(ctx: Context) -> None:
    """BSIP48, R7.1: no BitAsset permission on others; a prediction market stays settleable."""
    expect(ctx, PermissionDenied, update(ctx, token(ctx), issuer_permissions=GLOBAL_SETTLE))
    bet = add_bitasset(ctx.state, "BET", issuer=ALICE, is_prediction_market=True)
    expect(ctx, PermissionDenied, update(ctx, bet, issuer_permissions=0))
    apply(ctx, update(ctx, bet, issuer_permissions=GLOBAL_SETTLE))


def test_the_maximum_stays_above_the_supply_and_can_be_locked(ctx: Context) -> None:
    """BSIP48."""
    asset = token(ctx, supply=100)
    error = expect(ctx, MaxSupplyExceeded, update(ctx, asset, max_supply=99))
    assert (error.value, error.limit) == (99, 100)
    apply(ctx, update(ctx, asset, max_supply=100, flags=LOCK_MAX_SUPPLY))
    expect(ctx, FeatureDisabled, update(ctx, asset, max_supply=101))
    apply(ctx, update(ctx, asset, flags=0))
    apply(ctx, update(ctx, asset, max_supply=101))


def with_precision(op: AssetUpdate, precision: int) -> AssetUpdate:
    return replace(op, extensions=AssetUpdateExtensions(new_precision=precision))


def test_precision_changes_only_while_nothing_depends_on_it(ctx: Context) -> None:
    """BSIP48: no supply, no prediction market, nothing backed by the asset."""
    asset = token(ctx)
    op = update(ctx, asset)
    expect(ctx, LimitExceeded, with_precision(op, 4))
    apply(ctx, with_precision(op, 6))
    assert ctx.state.assets.get(asset).precision == 6
    issue(ctx.state, BOB, AssetAmount(1, asset))
    expect(ctx, PermissionDenied, with_precision(op, 5))
    apply(ctx, AssetReserve(NO_FEE, BOB, AssetAmount(1, asset)))
    apply(ctx, create_bitasset(bitasset_opts=backed_by(asset)))
    assert expect(ctx, WrongAssetType, with_precision(op, 5)).value == "USD"
    bet = add_bitasset(ctx.state, "BET", issuer=ALICE, is_prediction_market=True)
    expect(ctx, WrongAssetType, with_precision(update(ctx, bet), 4))


def test_the_exchange_rate_can_be_left_alone(ctx: Context) -> None:
    """BSIP48: skip_core_exchange_rate; otherwise a BitAsset notes the change (R1.21)."""
    usd = AssetId(created(apply(ctx, create_bitasset())))
    before = ctx.state.assets.get(usd).options.core_exchange_rate
    op = update(ctx, usd, core_exchange_rate=Price(AssetAmount(5, usd), core(1)))
    skip = AssetUpdateExtensions(skip_core_exchange_rate=True)
    apply(ctx, replace(op, extensions=skip))
    assert ctx.state.assets.get(usd).options.core_exchange_rate == before
    assert not bitasset(ctx.state, usd).asset_cer_updated
    apply(ctx, op)
    assert ctx.state.assets.get(usd).options == op.new_options
    assert bitasset(ctx.state, usd).asset_cer_updated


def test_disabling_force_settlement_cancels_the_requests(ctx: Context) -> None:
    """R5.9: at once, with a refund and a record each."""
    usd = AssetId(created(apply(ctx, create_bitasset())))
    set_feed(ctx.state, usd, 1, 1)
    add_position(ctx.state, BOB, usd, 100, 300)
    apply(ctx, AssetSettle(NO_FEE, BOB, AssetAmount(40, usd)))
    apply(ctx, update(ctx, usd, description="something else"))
    assert ctx.state.balance_of(BOB, usd) == 60
    apply(ctx, update(ctx, usd, flags=DISABLE_FORCE_SETTLE))
    assert ctx.state.balance_of(BOB, usd) == 100
    assert len(ctx.state.force_settlements) == 0
    assert [entry.op for entry in ctx.applied] == [
        AssetSettleCancel(NO_FEE, ForceSettlementId(0), BOB, AssetAmount(40, usd))
    ]


def test_the_issuer_hands_the_asset_over(ctx: Context) -> None:
    """R9.6: to an account that exists; to the committee only what rests on CORE (R1.18)."""
    asset = token(ctx)
    op = AssetUpdateIssuer(NO_FEE, ALICE, asset, BOB)
    expect(ctx, WrongAccount, replace(op, issuer=BOB, new_issuer=ALICE))
    expect(ctx, NoSuchObject, replace(op, new_issuer=AccountId(99)))
    usd = AssetId(created(apply(ctx, create_bitasset(bitasset_opts=backed_by(asset)))))
    to_committee = AssetUpdateIssuer(NO_FEE, ALICE, usd, COMMITTEE_ACCOUNT)
    expect(ctx, WrongAssetType, to_committee)
    apply(ctx, op)
    assert ctx.state.assets.get(asset).issuer == BOB


# Supply.


def test_issuing_creates_supply_up_to_the_maximum(ctx: Context) -> None:
    """R3.2.3 for user-issued assets."""
    asset = token(ctx, max_supply=100)
    op = AssetIssue(NO_FEE, ALICE, AssetAmount(100, asset), BOB)
    error = expect(ctx, MaxSupplyExceeded, replace(op, asset_to_issue=AssetAmount(101, asset)))
    assert (error.value, error.limit) == (101, 100)
    apply(ctx, op)
    assert ctx.state.balance_of(BOB, asset) == 100
    assert ctx.state.figures_of(asset).current_supply == 100
    expect(ctx, MaxSupplyExceeded, replace(op, asset_to_issue=AssetAmount(1, asset)))


def test_who_and_what_may_be_issued(ctx: Context) -> None:
    """R9.6, R3.3, BSIP48, R2.20."""
    asset = token(ctx)
    op = AssetIssue(NO_FEE, ALICE, AssetAmount(1, asset), BOB)
    expect(ctx, WrongAccount, replace(op, issuer=BOB))
    expect(ctx, NoSuchObject, replace(op, issue_to_account=AccountId(99)))
    usd = AssetId(created(apply(ctx, create_bitasset())))
    expect(ctx, WrongAssetType, replace(op, asset_to_issue=AssetAmount(1, usd)))
    apply(ctx, update(ctx, asset, flags=WHITE_LIST, blacklist_authorities=(ALICE,)))
    apply(ctx, AccountWhitelist(NO_FEE, ALICE, BOB, BLACK_LISTED))
    expect(ctx, NotAuthorized, op)
    apply(ctx, update(ctx, asset, flags=DISABLE_NEW_SUPPLY, blacklist_authorities=()))
    expect(ctx, NewSupplyDisabled, op)


def test_reserving_destroys_supply(ctx: Context) -> None:
    """R3.3: by any holder, never of a BitAsset."""
    asset = token(ctx, supply=100)
    op = AssetReserve(NO_FEE, BOB, AssetAmount(60, asset))
    apply(ctx, op)
    assert ctx.state.balance_of(BOB, asset) == 40
    assert ctx.state.figures_of(asset).current_supply == 40
    assert expect(ctx, LimitExceeded, op).limit == 40
    expect(
        ctx, InsufficientBalance, replace(op, payer=ALICE, amount_to_reserve=AssetAmount(1, asset))
    )
    usd = AssetId(created(apply(ctx, create_bitasset())))
    expect(ctx, WrongAssetType, replace(op, amount_to_reserve=AssetAmount(1, usd)))


def test_core_can_be_reserved(ctx: Context) -> None:
    """R8.14: what is destroyed returns to the reserve."""
    supply = ctx.state.figures_of(CORE_ASSET).current_supply
    apply(ctx, AssetReserve(NO_FEE, BOB, core(10)))
    assert ctx.state.figures_of(CORE_ASSET).current_supply == supply - 10


# Pools and fees.


def test_anybody_funds_a_fee_pool(ctx: Context) -> None:
    """R8.22, I13, C16: also that of CORE, as BitShares lets them."""
    asset = token(ctx)
    op = AssetFundFeePool(NO_FEE, BOB, asset, 300)
    apply(ctx, op)
    assert ctx.state.figures_of(asset).fee_pool == 300
    assert ctx.state.balance_of(BOB, CORE_ASSET) == 9700
    expect(ctx, InsufficientBalance, replace(op, amount=9701))
    expect(ctx, NoSuchObject, replace(op, asset_id=AssetId(9)))
    apply(ctx, replace(op, asset_id=CORE_ASSET))
    assert ctx.state.figures_of(CORE_ASSET).fee_pool == 300
    check_supplies(ctx.state)


def test_the_issuer_claims_the_pool(ctx: Context) -> None:
    """R8.22: up to all of it."""
    asset = token(ctx)
    apply(ctx, AssetFundFeePool(NO_FEE, BOB, asset, 300))
    op = AssetClaimPool(NO_FEE, ALICE, asset, core(300))
    expect(ctx, WrongAccount, replace(op, issuer=BOB))
    error = expect(ctx, LimitExceeded, replace(op, amount_to_claim=core(301)))
    assert (error.value, error.limit) == (301, 300)
    apply(ctx, op)
    assert ctx.state.figures_of(asset).fee_pool == 0
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 10_300


def test_the_issuer_claims_accumulated_fees(ctx: Context) -> None:
    """R8.22: of the asset itself."""
    asset = token(ctx)
    figures = ctx.state.asset_dynamic_data.edit(ctx.state.figures_of(asset))
    figures.accumulated_fees, figures.current_supply = 50, 50
    op = AssetClaimFees(NO_FEE, ALICE, AssetAmount(50, asset))
    expect(ctx, WrongAccount, replace(op, issuer=BOB))
    error = expect(ctx, LimitExceeded, replace(op, amount_to_claim=AssetAmount(51, asset)))
    assert (error.value, error.limit) == (51, 50)
    apply(ctx, op)
    assert figures.accumulated_fees == 0
    assert ctx.state.balance_of(ALICE, asset) == 50


def test_the_issuer_claims_collateral_fees(ctx: Context) -> None:
    """R8.22: in the backing asset, by naming the BitAsset that holds them."""
    usd = AssetId(created(apply(ctx, create_bitasset())))
    figures = ctx.state.asset_dynamic_data.edit(ctx.state.figures_of(usd))
    figures.accumulated_collateral_fees = 50
    naming = AssetClaimFeesExtensions(claim_from_asset_id=usd)
    op = AssetClaimFees(NO_FEE, ALICE, core(50), naming)
    expect(ctx, WrongAccount, replace(op, issuer=BOB))
    expect(ctx, LimitExceeded, replace(op, amount_to_claim=core(51)))
    expect(ctx, WrongAssetType, replace(op, amount_to_claim=AssetAmount(1, token(ctx))))
    apply(ctx, op)
    assert figures.accumulated_collateral_fees == 0
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 10_050


def test_the_largest_supply_is_the_limit_of_everything(ctx: Context) -> None:
    """R2.16."""
    expect(ctx, ValidationError, create(common_options=new_options(max_supply=MAX_SUPPLY + 1)))
    apply(ctx, create(common_options=new_options(max_supply=MAX_SUPPLY)))
