"""Positions: borrowing, adjusting and covering (R3)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.state.context import Context
from node.state.errors import (
    BelowRequiredRatio,
    GloballySettled,
    InsufficientBalance,
    InsufficientFeeds,
    MaxSupplyExceeded,
    MustClaimAllCollateral,
    NegativeSupply,
    NewSupplyDisabled,
    NonpositivePosition,
    NotAuthorized,
    NotMarketIssued,
    PredictionMarketUnequal,
    StrictRelease,
    WouldBlackSwan,
    WrongCollateralAsset,
)
from node.state.objects.market import CallOrder
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import CORE_ASSET
from protocol.errors import ValidationError
from protocol.ids import AccountId, AssetId, ObjectId
from protocol.operations.account import BLACK_LISTED, AccountWhitelist
from protocol.operations.asset_options import DISABLE_NEW_SUPPLY, WHITE_LIST
from protocol.operations.call_order import CallOrderUpdate, CallOrderUpdateExtensions
from protocol.operations.transfer import Transfer
from tests.support.state import (
    add_asset,
    add_bitasset,
    apply,
    bitasset,
    core,
    created,
    expect,
    issue,
    make_context,
    make_state,
    set_feed,
)
from tests.support.world import ALICE, BOB

USD = AssetId(1)


@pytest.fixture
def ctx() -> Context:
    """1 USD is worth 1 CORE; MCR 1.75, MSSR 1.5; 10,000 CORE each."""
    state = make_state("alice", "bob", core=10_000)
    assert add_bitasset(state, "USD") == USD
    set_feed(state, USD, 1, 1)
    return make_context(state)


def update(
    collateral: int, debt: int, *, tcr: int | None = None, account: AccountId = ALICE
) -> CallOrderUpdate:
    return CallOrderUpdate(
        NO_FEE, account, core(collateral), AssetAmount(debt, USD), CallOrderUpdateExtensions(tcr)
    )


def position(ctx: Context, account: AccountId = ALICE) -> CallOrder | None:
    return ctx.state.positions_of_account.find(account, USD)


def amounts(ctx: Context) -> tuple[int, int]:
    """Collateral and debt of alice's position."""
    found = position(ctx)
    assert found is not None
    return found.collateral, found.debt


def core_in_orders(ctx: Context, account: AccountId = ALICE) -> int:
    statistics = ctx.state.accounts.get(account).statistics
    return ctx.state.statistics.get(statistics).total_core_in_orders


def set_flags(ctx: Context, flags: int, **changes: object) -> None:
    asset = ctx.state.assets.edit(ctx.state.assets.get(USD))
    asset.options = replace(asset.options, flags=flags, **changes)


def test_borrowing_creates_units_against_collateral(ctx: Context) -> None:
    """R3.3: balance and supply grow by the debt, the collateral leaves the balance (I5)."""
    result = apply(ctx, update(2000, 1000, tcr=1800))
    assert result == ObjectId(1, 8, 0)
    found = position(ctx)
    assert found is not None
    assert (found.collateral, found.debt, found.target_collateral_ratio) == (2000, 1000, 1800)
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 8000
    assert ctx.state.balance_of(ALICE, USD) == 1000
    assert ctx.state.figures_of(USD).current_supply == 1000
    assert core_in_orders(ctx) == 2000
    assert ctx.dirty_assets == {USD}


def test_an_account_has_one_position_an_asset(ctx: Context) -> None:
    """R3.1: a second update changes the same position, which keeps its id."""
    first = created(apply(ctx, update(2000, 1000)))
    assert created(apply(ctx, update(2000, 1000))) == first
    assert amounts(ctx) == (4000, 2000)
    assert created(apply(ctx, update(2000, 1000, account=BOB))) != first


def test_the_target_ratio_is_replaced_on_every_update(ctx: Context) -> None:
    """R3.3: an update that does not give it takes it away."""
    apply(ctx, update(2000, 1000, tcr=1800))
    apply(ctx, update(1, 0))
    found = position(ctx)
    assert found is not None
    assert found.target_collateral_ratio is None


def test_covering_destroys_the_debt_and_frees_the_collateral(ctx: Context) -> None:
    """R3.3: closing deletes the position."""
    apply(ctx, update(2000, 1000))
    apply(ctx, update(-2000, -1000))
    assert position(ctx) is None
    assert ctx.state.balance_of(ALICE, CORE_ASSET) == 10_000
    assert ctx.state.balance_of(ALICE, USD) == 0
    assert ctx.state.figures_of(USD).current_supply == 0
    assert core_in_orders(ctx) == 0


def test_only_bitassets_are_borrowed(ctx: Context) -> None:
    """R3.2.1."""
    token = add_asset(ctx.state, "TOKEN")
    op = replace(update(2000, 1000), delta_debt=AssetAmount(1000, token))
    expect(ctx, NotMarketIssued, op)


def test_new_supply_can_be_disabled(ctx: Context) -> None:
    """R3.2.2: only borrowing is forbidden."""
    apply(ctx, update(2000, 1000))
    set_flags(ctx, DISABLE_NEW_SUPPLY)
    expect(ctx, NewSupplyDisabled, update(2000, 1))
    apply(ctx, update(2000, 0))
    apply(ctx, update(0, -1))


def test_the_supply_stays_within_its_maximum(ctx: Context) -> None:
    """R3.2.3: max_supply itself may be reached."""
    set_flags(ctx, 0, max_supply=1000)
    error = expect(ctx, MaxSupplyExceeded, update(5000, 1001))
    assert (error.value, error.limit) == (1001, 1000)
    apply(ctx, update(5000, 1000))


def test_more_than_the_supply_is_never_paid_back(ctx: Context) -> None:
    """R3.2.4."""
    apply(ctx, update(2000, 1000))
    expect(ctx, NegativeSupply, update(0, -1001))


def test_a_globally_settled_asset_takes_no_positions(ctx: Context) -> None:
    """R3.2.5, R6.4."""
    data = ctx.state.bitassets.edit(bitasset(ctx.state, USD))
    data.settlement_price = Price(AssetAmount(1, USD), core(1))
    expect(ctx, GloballySettled, update(2000, 1000))


def test_collateral_is_in_the_backing_asset(ctx: Context) -> None:
    """R3.2.6."""
    token = add_asset(ctx.state, "TOKEN")
    op = replace(update(2000, 1000), delta_collateral=AssetAmount(2000, token))
    expect(ctx, WrongCollateralAsset, op)


def test_a_position_without_debt_gives_everything_back(ctx: Context) -> None:
    """R3.2.7."""
    apply(ctx, update(2000, 1000))
    error = expect(ctx, MustClaimAllCollateral, update(-1999, -1000))
    assert error.value == 1


@pytest.mark.parametrize(("collateral", "debt"), [(0, 1000), (2000, 0), (-1, 1000), (-1, -1)])
def test_a_new_position_has_debt_and_collateral(ctx: Context, collateral: int, debt: int) -> None:
    """R3.2.7: both deltas of a first update are positive."""
    apply(ctx, update(2000, 1000, account=BOB))
    expect(ctx, NonpositivePosition, update(collateral, debt))


@pytest.mark.parametrize(("collateral", "debt"), [(-2000, 0), (-2001, 0), (0, -1001)])
def test_an_open_position_keeps_debt_and_collateral(
    ctx: Context, collateral: int, debt: int
) -> None:
    """R3.2.7."""
    apply(ctx, update(2000, 1000))
    apply(ctx, update(9000, 1000, account=BOB))
    expect(ctx, NonpositivePosition, update(collateral, debt))


def test_nothing_to_update_is_refused(ctx: Context) -> None:
    """R3.1."""
    expect(ctx, ValidationError, update(0, 0))


def test_without_a_feed_a_position_can_only_be_closed(ctx: Context) -> None:
    """R3.2.8: insufficient_feeds."""
    apply(ctx, update(2000, 1000))
    data = ctx.state.bitassets.edit(bitasset(ctx.state, USD))
    data.median_feed = data.current_feed = bitasset(
        ctx.state, add_bitasset(ctx.state, "EUR")
    ).median_feed
    expect(ctx, InsufficientFeeds, update(2000, 1000, account=BOB))
    expect(ctx, InsufficientFeeds, update(1, 0))
    apply(ctx, update(-2000, -1000))


def test_a_prediction_market_holds_as_much_as_it_owes(ctx: Context) -> None:
    """R7.1: debt and collateral change by the same amount, without a feed."""
    bet = add_bitasset(ctx.state, "BET", is_prediction_market=True)
    op = CallOrderUpdate(NO_FEE, ALICE, core(100), AssetAmount(100, bet))
    apply(ctx, op)
    error = expect(ctx, PredictionMarketUnequal, replace(op, delta_collateral=core(101)))
    assert (error.value, error.limit) == (core(101), AssetAmount(100, bet))
    apply(ctx, replace(op, delta_collateral=core(-40), delta_debt=AssetAmount(-40, bet)))
    assert ctx.state.balance_of(ALICE, bet) == 60


def test_both_assets_pass_the_whitelist_test(ctx: Context) -> None:
    """R2.20: checked last of R3.2."""
    set_flags(ctx, WHITE_LIST, blacklist_authorities=(BOB,))
    apply(ctx, AccountWhitelist(NO_FEE, BOB, ALICE, BLACK_LISTED))
    expect(ctx, NotAuthorized, update(2000, 1000))
    set_flags(ctx, 0, blacklist_authorities=())
    backing = ctx.state.assets.edit(ctx.state.assets.get(CORE_ASSET))
    backing.options = replace(backing.options, flags=WHITE_LIST, blacklist_authorities=(BOB,))
    op = replace(update(2000, 1000), fee=AssetAmount(0, USD))
    expect(ctx, NotAuthorized, op)


def test_collateral_and_repayment_come_from_the_balance(ctx: Context) -> None:
    """R3.3: insufficient_balance, before any ratio is looked at."""
    error = expect(ctx, InsufficientBalance, update(10_001, 9_000))
    assert (error.value, error.limit) == (10_000, 10_001)
    apply(ctx, update(10_000, 1000))
    apply(ctx, Transfer(NO_FEE, ALICE, BOB, AssetAmount(600, USD)))
    error = expect(ctx, InsufficientBalance, update(0, -401))
    assert (error.value, error.limit) == (400, 401)


def test_a_new_position_clears_the_maintenance_ratio(ctx: Context) -> None:
    """R3.4b: strictly above MCR 1.75; 1750 for 1000 is at it."""
    expect(ctx, BelowRequiredRatio, update(1750, 1000))
    apply(ctx, update(1751, 1000))


def test_a_new_position_clears_the_initial_ratio(ctx: Context) -> None:
    """R3.4b, BSIP77: an ICR above the MCR takes its place, a lower one does not."""
    set_feed(ctx.state, USD, 1, 1, icr=2000)
    expect(ctx, BelowRequiredRatio, update(2000, 1000))
    apply(ctx, update(2001, 1000))
    set_feed(ctx.state, USD, 1, 1, icr=1500)
    expect(ctx, BelowRequiredRatio, update(1750, 1000, account=BOB))
    apply(ctx, update(1751, 1000, account=BOB))


def test_a_position_that_could_not_pay_the_squeeze_price_is_named(ctx: Context) -> None:
    """R3.4a: collateral worth less than debt times MSSR 1.5 would be a black swan at once."""
    expect(ctx, WouldBlackSwan, update(1499, 1000))
    expect(ctx, BelowRequiredRatio, update(1500, 1000))


def test_a_weak_position_may_only_be_improved(ctx: Context) -> None:
    """R3.4, BSIP30: more ratio without more debt is allowed even below MCR and MSSR."""
    apply(ctx, update(2000, 1000))
    set_feed(ctx.state, USD, 100, 180)
    apply(ctx, update(1, 0))
    apply(ctx, update(0, -1))
    apply(ctx, update(-1, -10))
    expect(ctx, WouldBlackSwan, update(-1, 0))
    expect(ctx, WouldBlackSwan, update(10, 10))
    expect(ctx, WouldBlackSwan, update(300, 100))
    assert amounts(ctx) == (2000, 989)


def test_an_equal_ratio_is_no_improvement(ctx: Context) -> None:
    """R3.4: strictly higher; paying back a tenth for a tenth keeps the ratio."""
    apply(ctx, update(2000, 1000))
    set_feed(ctx.state, USD, 100, 120)
    expect(ctx, BelowRequiredRatio, update(-200, -100))
    apply(ctx, update(-199, -100))


def test_excess_collateral_can_be_withdrawn(ctx: Context) -> None:
    """R3.6: down to just above the required ratio, without repayment."""
    apply(ctx, update(4000, 1000))
    expect(ctx, BelowRequiredRatio, update(-2250, 0))
    apply(ctx, update(-2249, 0))
    assert amounts(ctx) == (1751, 1000)


def test_strict_release_ties_withdrawal_to_repayment() -> None:
    """R3.6: with the parameter, collateral leaves only as debt is paid back."""
    state = make_state("alice", core=10_000, strict_release=True)
    add_bitasset(state, "USD")
    set_feed(state, USD, 1, 1)
    ctx = make_context(state)
    apply(ctx, update(4000, 1000))
    expect(ctx, StrictRelease, update(-1, 0))
    apply(ctx, update(-1, -1))
    apply(ctx, update(-3999, -999))


def test_ratios_are_judged_by_the_median_feed(ctx: Context) -> None:
    """R1.20: a current feed that a black swan response caps does not lower the bar."""
    data = ctx.state.bitassets.edit(bitasset(ctx.state, USD))
    capped = data.current_feed
    set_feed(ctx.state, USD, 1, 2)
    data.current_feed = capped
    expect(ctx, WouldBlackSwan, update(2000, 1000))
    apply(ctx, update(3501, 1000))


def test_borrowed_units_are_ordinary_units(ctx: Context) -> None:
    """R3.9: others may hold them, and whoever holds them can pay a debt."""
    issue(ctx.state, BOB, AssetAmount(500, USD))
    apply(ctx, update(2000, 1000, account=BOB))
    apply(ctx, update(0, -1, account=BOB))
    assert ctx.state.balance_of(BOB, USD) == 1499
