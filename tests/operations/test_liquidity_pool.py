"""Liquidity pools: every check in its order, and the exact amounts of every effect."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from msgspec.structs import replace

from node.chain.invariants import check_all
from node.state.context import Context
from node.state.database import State
from node.state.errors import (
    AssetMismatch,
    InsufficientBalance,
    LimitExceeded,
    MarketBlacklisted,
    MarketNotWhitelisted,
    MaxSupplyExceeded,
    NewSupplyDisabled,
    NoSuchObject,
    NotAuthorized,
    NotForPool,
    PermissionDenied,
    PoolEmpty,
    PoolNotEmpty,
    SupplyIsDebt,
    TransactionRejected,
    UnfillablePrice,
    WrongAccount,
    WrongAssetType,
    ZeroOutcome,
)
from node.state.objects.development import Development
from node.state.objects.liquidity import LiquidityPool
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import COMMITTEE_ACCOUNT, CORE_ASSET, MAX_SUPPLY
from protocol.development import SetBalance, to_operation
from protocol.errors import ValidationError
from protocol.ids import (
    AccountId,
    AssetId,
    DevelopmentId,
    LimitOrderId,
    LiquidityPoolId,
    ObjectId,
    account_text,
    object_id,
)
from protocol.operations.account import BLACK_LISTED, AccountWhitelist
from protocol.operations.asset import AssetIssue, AssetReserve, AssetUpdateIssuer
from protocol.operations.asset_options import (
    CHARGE_MARKET_FEE,
    DISABLE_NEW_SUPPLY,
    TRANSFER_RESTRICTED,
    AssetOptionsExtensions,
)
from protocol.operations.base import Operation
from protocol.operations.limit_order import LimitOrderCreate
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
from protocol.operations.transfer import Transfer
from protocol.schema import MAX_TIMESTAMP
from tests.support.remedies import explained, refusal_of
from tests.support.state import (
    add_asset,
    add_bitasset,
    apply,
    core_options,
    created,
    expect,
    issue,
    make_context,
    make_state,
)
from tests.support.world import ALICE, BOB, CAROL

HELD = 10**14
POOL = LiquidityPoolId(0)


class Desk(NamedTuple):
    """Alice owns the pool 1.19.0 of COIN and SHELL with the share LP; all of them hold both."""

    ctx: Context
    coin: AssetId
    shell: AssetId
    share: AssetId

    @property
    def state(self) -> State:
        return self.ctx.state

    @property
    def pool(self) -> LiquidityPool:
        return self.state.liquidity_pools.get(POOL)

    def deposit(self, a: int, b: int, who: AccountId = ALICE) -> LiquidityPoolDeposit:
        return LiquidityPoolDeposit(
            NO_FEE, who, POOL, AssetAmount(a, self.coin), AssetAmount(b, self.shell)
        )

    def withdraw(self, shares: int, who: AccountId = ALICE) -> LiquidityPoolWithdraw:
        return LiquidityPoolWithdraw(NO_FEE, who, POOL, AssetAmount(shares, self.share))

    def sell(self, coins: int, least: int = 1, who: AccountId = BOB) -> LiquidityPoolExchange:
        """Coins for shells."""
        return LiquidityPoolExchange(
            NO_FEE, who, POOL, AssetAmount(coins, self.coin), AssetAmount(least, self.shell)
        )

    def buy(self, shells: int, least: int = 1, who: AccountId = BOB) -> LiquidityPoolExchange:
        """Shells for coins."""
        return LiquidityPoolExchange(
            NO_FEE, who, POOL, AssetAmount(shells, self.shell), AssetAmount(least, self.coin)
        )

    def supply(self) -> int:
        return self.state.figures_of(self.share).current_supply

    def balances(self) -> tuple[int, int, int]:
        """Of the pool, with the supply of its shares."""
        return self.pool.balance_a, self.pool.balance_b, self.supply()

    def option(self, asset: AssetId, **changes: object) -> None:
        """Change options around the rules, as if always so."""
        self.state.log.begin()
        item = self.state.assets.edit(self.state.assets.get(asset))
        item.options = replace(item.options, **changes)
        self.state.log.finish()


@pytest.fixture
def desk() -> Desk:
    return make_desk()


def make_desk(taker_fee: int = 0, withdrawal_fee: int = 0, max_supply: int = MAX_SUPPLY) -> Desk:
    state = make_state("alice", "bob", "carol", core=HELD)
    options = replace(core_options(), max_supply=max_supply)
    coin, shell = (add_asset(state, symbol, precision=0) for symbol in ("COIN", "SHELL"))
    share = add_asset(state, "LP", issuer=ALICE, options=options)
    for account in (ALICE, BOB, CAROL):
        for asset in (coin, shell):
            issue(state, account, AssetAmount(HELD, asset))
    ctx = make_context(state)
    apply(ctx, create(coin, shell, share, taker_fee, withdrawal_fee))
    return Desk(ctx, coin, shell, share)


def create(
    a: AssetId, b: AssetId, share: AssetId, taker_fee: int = 0, withdrawal_fee: int = 0
) -> LiquidityPoolCreate:
    return LiquidityPoolCreate(NO_FEE, ALICE, a, b, share, taker_fee, withdrawal_fee)


def filled(a: int, b: int, **fees: int) -> Desk:
    """A pool that alice has filled."""
    desk = make_desk(**fees)
    apply(desk.ctx, desk.deposit(a, b))
    return desk


def amounts(result: object) -> tuple[list[int], list[int], list[int]]:
    """The amounts of an exchange result: paid, received, fees."""
    assert isinstance(result, GenericExchangeOperationResult)
    paid, received, fees = (
        [item.amount for item in side] for side in (result.paid, result.received, result.fees)
    )
    return paid, received, fees


# Making, changing and ending (L3, L4, L5).


def test_a_pool_binds_its_share_asset(desk: Desk) -> None:
    """L1, L3, J2: with nothing in it; the result names both."""
    share = add_asset(desk.state, "MORE", issuer=ALICE)
    result = apply(desk.ctx, create(CORE_ASSET, desk.coin, share, 10_000, 9))
    assert result == GenericOperationResult((ObjectId(1, 19, 1),), (ObjectId(1, 3, share),))
    pool = desk.state.liquidity_pools.get(LiquidityPoolId(1))
    assert (pool.asset_a, pool.asset_b, pool.share_asset) == (CORE_ASSET, desk.coin, share)
    assert (pool.balance_a, pool.balance_b, pool.virtual_value) == (0, 0, 0)
    assert (pool.taker_fee_percent, pool.withdrawal_fee_percent) == (10_000, 9)
    assert desk.state.assets.get(share).for_liquidity_pool == 1
    check_all(desk.state)


def test_any_assets_and_any_number_of_pools(desk: Desk) -> None:
    """L3: CORE, a BitAsset and another pool's share; a second pool of the same pair."""
    peg = add_bitasset(desk.state, "PEG")
    for pair in ((CORE_ASSET, peg), (CORE_ASSET, peg), (desk.share, peg), (desk.coin, desk.shell)):
        share = add_asset(desk.state, f"S{len(desk.state.assets.rows)}", issuer=ALICE)
        apply(desk.ctx, create(*pair, share))
    assert len(desk.state.liquidity_pools) == 5


def test_what_cannot_be_a_share(desk: Desk) -> None:
    """L3: in this order: another's asset, a BitAsset, a bound one, one with supply."""
    coin, shell = desk.coin, desk.shell
    missing = AssetId(desk.state.assets.next_id)
    for op in (create(coin, missing, desk.share), create(coin, shell, missing)):
        expect(desk.ctx, NoSuchObject, op)
    peg = add_bitasset(desk.state, "PEG", issuer=BOB)
    error: TransactionRejected = expect(desk.ctx, WrongAccount, create(coin, shell, peg))
    assert (error.rule, error.value, error.limit) == ("L3", "1.2.6", "1.2.7")
    own = add_bitasset(desk.state, "OWN", issuer=ALICE)
    assert expect(desk.ctx, NotForPool, create(coin, shell, own)).value == "OWN"
    apply(desk.ctx, desk.deposit(5, 5))
    assert expect(desk.ctx, NotForPool, create(coin, shell, desk.share)).value == "1.19.0"
    sold = add_asset(desk.state, "SOLD", issuer=ALICE)
    issue(desk.state, BOB, AssetAmount(1, sold))
    error = expect(desk.ctx, NotForPool, create(coin, shell, sold))
    assert (error.value, error.limit) == (1, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"asset_a": 2, "asset_b": 1},
        {"asset_a": 1, "asset_b": 1},
        {"share_asset": 1},
        {"share_asset": 2},
        {"taker_fee_percent": 10_001},
        {"withdrawal_fee_percent": 10_001},
    ],
    ids=str,
)
def test_bad_fields_of_a_new_pool(changes: dict[str, int]) -> None:
    """L3: the lower id first, three assets, percents up to 100 %."""
    op = create(AssetId(1), AssetId(2), AssetId(3), 10_000, 10_000)
    op.validate()
    with pytest.raises(ValidationError) as caught:
        replace(op, **changes).validate()
    assert caught.value.rule == "L3"


def test_only_an_empty_pool_ends(desk: Desk) -> None:
    """L4: whether it is empty is looked at before whose it is; the share is free again."""
    delete = LiquidityPoolDelete(NO_FEE, ALICE, POOL)
    apply(desk.ctx, desk.deposit(7, 9))
    error = expect(desk.ctx, PoolNotEmpty, replace(delete, account=BOB))
    assert (error.rule, error.value, error.limit, error.unit) == ("L4", 7, 0, "1.3.1")
    apply(desk.ctx, desk.withdraw(9))
    expect(desk.ctx, WrongAccount, replace(delete, account=BOB))
    result = apply(desk.ctx, delete)
    share = object_id(AssetId, desk.share)
    assert result == GenericOperationResult((), (share,), (ObjectId(1, 19, 0),))
    assert desk.state.assets.get(desk.share).for_liquidity_pool is None
    expect(desk.ctx, NoSuchObject, delete)
    apply(desk.ctx, create(desk.coin, desk.shell, desk.share))
    assert list(desk.state.liquidity_pools.rows) == [1]
    check_all(desk.state)


def test_the_present_issuer_of_the_share_owns_the_pool(desk: Desk) -> None:
    """L1: a pool moves with its share asset."""
    apply(desk.ctx, AssetUpdateIssuer(NO_FEE, ALICE, desk.share, BOB))
    expect(desk.ctx, WrongAccount, LiquidityPoolDelete(NO_FEE, ALICE, POOL))
    expect(desk.ctx, WrongAccount, desk.deposit(5, 5))
    apply(desk.ctx, desk.deposit(5, 5, BOB))


def test_fees_of_a_pool_change(desk: Desk) -> None:
    """L5: the owner's; the same value again is allowed."""
    update = LiquidityPoolUpdate(NO_FEE, ALICE, POOL, 10_000)
    expect(desk.ctx, WrongAccount, replace(update, account=BOB))
    assert apply(desk.ctx, update) == VoidResult()
    apply(desk.ctx, update)
    assert desk.pool.taker_fee_percent == 10_000
    apply(desk.ctx, replace(update, taker_fee_percent=0))
    assert desk.pool.taker_fee_percent == 0


def test_the_withdrawal_fee_goes_first() -> None:
    """L5: it may only become 0, and the taker fee changes only with it or after it."""
    desk = make_desk(taker_fee=5, withdrawal_fee=7)
    update = LiquidityPoolUpdate(NO_FEE, ALICE, POOL, 6)
    error = expect(desk.ctx, PermissionDenied, update)
    assert (error.rule, error.value, error.limit) == ("L5", 7, 0)
    apply(desk.ctx, replace(update, withdrawal_fee_percent=0))
    assert (desk.pool.taker_fee_percent, desk.pool.withdrawal_fee_percent) == (6, 0)
    apply(desk.ctx, replace(update, taker_fee_percent=8))
    other = make_desk(taker_fee=5, withdrawal_fee=7)
    apply(other.ctx, LiquidityPoolUpdate(NO_FEE, ALICE, POOL, None, 0))
    assert (other.pool.taker_fee_percent, other.pool.withdrawal_fee_percent) == (5, 0)


@pytest.mark.parametrize("fees", [(None, None), (10_001, None), (None, 1), (5, 1)])
def test_bad_fields_of_an_update(fees: tuple[int | None, int | None]) -> None:
    """L5: something, at most 100 %, and no withdrawal fee."""
    with pytest.raises(ValidationError) as caught:
        LiquidityPoolUpdate(NO_FEE, ALICE, POOL, *fees).validate()
    assert caught.value.rule == "L5"


# Deposits (L6).


@pytest.mark.parametrize(("a", "b"), [(1, 1), (100, 400), (400, 100), (HELD, 1)])
def test_the_first_deposit_is_taken_whole(desk: Desk, a: int, b: int) -> None:
    """L6: for as many shares as the larger amount."""
    result = apply(desk.ctx, desk.deposit(a, b))
    assert amounts(result) == ([a, b], [max(a, b)], [])
    assert desk.balances() == (a, b, max(a, b))
    assert desk.pool.virtual_value == a * b
    assert desk.state.balance_of(ALICE, desk.share) == max(a, b)
    check_all(desk.state)


def test_only_the_owner_begins(desk: Desk) -> None:
    """L6: whoever comes later may deposit."""
    error = expect(desk.ctx, WrongAccount, desk.deposit(5, 5, BOB))
    assert (error.rule, error.limit) == ("L6", "1.2.6")
    apply(desk.ctx, desk.deposit(5, 5))
    apply(desk.ctx, desk.deposit(5, 5, BOB))


@pytest.mark.parametrize(
    ("offered", "taken", "shares"),
    [
        ((100, 400), (100, 400), 400),
        ((100, 100), (25, 100), 100),
        ((7, 400), (7, 28), 28),
        ((1, 400), (1, 4), 4),
        ((100, 3), (1, 3), 3),
        ((100, 1), (1, 1), 1),
    ],
)
def test_later_deposits_keep_the_ratio(
    offered: tuple[int, int], taken: tuple[int, int], shares: int
) -> None:
    """L6: of 100 COIN and 400 SHELL with 400 shares; shares down, what is taken up."""
    desk = filled(100, 400)
    assert amounts(apply(desk.ctx, desk.deposit(*offered, BOB))) == ([*taken], [shares], [])
    assert desk.balances() == (100 + taken[0], 400 + taken[1], 400 + shares)
    check_all(desk.state)


def test_a_deposit_that_is_worth_no_share() -> None:
    """L6: after exchanges one share may be worth more than a unit."""
    desk = filled(10, 10)
    apply(desk.ctx, desk.sell(100_000))
    assert desk.balances() == (100_010, 1, 10)
    error = expect(desk.ctx, ZeroOutcome, desk.deposit(10_000, 1, CAROL))
    assert (error.rule, error.value, error.limit) == ("L6", 0, 1)
    assert amounts(apply(desk.ctx, desk.deposit(10_001, 1, CAROL))) == ([10_001, 1], [1], [])


def test_the_maximum_supply_bounds_the_shares() -> None:
    """L6: the first deposit whole, a later one in part, none at the maximum."""
    desk = make_desk(max_supply=500)
    error = expect(desk.ctx, MaxSupplyExceeded, desk.deposit(501, 1))
    assert (error.rule, error.value, error.limit) == ("L6", 501, 500)
    apply(desk.ctx, desk.deposit(100, 400))
    assert amounts(apply(desk.ctx, desk.deposit(1000, 1000))) == ([25, 100], [100], [])
    assert desk.supply() == 500
    assert expect(desk.ctx, MaxSupplyExceeded, desk.deposit(1, 4)).value == 501


def test_the_order_of_checks_of_a_deposit(desk: Desk) -> None:
    """L6: assets, new supply, owner, maximum, then the lists of share, a and b."""
    state, coin, shell = desk.state, desk.coin, desk.shell
    wrong = LiquidityPoolDeposit(
        NO_FEE, BOB, POOL, AssetAmount(1, CORE_ASSET), AssetAmount(1, desk.share)
    )
    desk.option(desk.share, flags=DISABLE_NEW_SUPPLY, max_supply=0)
    for asset in (desk.share, coin, shell):
        desk.option(asset, blacklist_authorities=(CAROL,))
    apply(desk.ctx, AccountWhitelist(NO_FEE, CAROL, BOB, BLACK_LISTED))
    error: TransactionRejected = expect(desk.ctx, AssetMismatch, wrong)
    assert (error.value, error.limit) == ("1.3.0", "1.3.1")
    error = expect(desk.ctx, AssetMismatch, replace(wrong, amount_a=AssetAmount(1, coin)))
    assert (error.value, error.limit) == ("1.3.3", "1.3.2")
    expect(desk.ctx, NewSupplyDisabled, desk.deposit(1, 1, BOB))
    desk.option(desk.share, flags=0)
    expect(desk.ctx, WrongAccount, desk.deposit(1, 1, BOB))
    expect(desk.ctx, MaxSupplyExceeded, desk.deposit(1, 1))
    desk.option(desk.share, max_supply=100)
    apply(desk.ctx, desk.deposit(1, 1))
    for asset in (desk.share, coin, shell):
        error = expect(desk.ctx, NotAuthorized, desk.deposit(HELD + 1, 1, BOB))
        assert error.limit == state.assets.get(asset).symbol
        desk.option(asset, blacklist_authorities=())
    apply(desk.ctx, desk.deposit(1, 1, BOB))


def test_a_deposit_needs_both_amounts(desk: Desk) -> None:
    """L6, I6: a balance that is too small is found last."""
    for op in (desk.deposit(HELD + 1, 1), desk.deposit(1, HELD + 1)):
        error = expect(desk.ctx, InsufficientBalance, op)
        assert (error.value, error.limit) == (HELD, HELD + 1)


@pytest.mark.parametrize(("a", "b"), [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_bad_fields_of_a_deposit(desk: Desk, a: int, b: int) -> None:
    """L6: both above 0, the lower id first."""
    op = desk.deposit(1, 1)
    for bad in (desk.deposit(a, b), replace(op, amount_a=op.amount_b, amount_b=op.amount_a)):
        with pytest.raises(ValidationError) as caught:
            bad.validate()
        assert caught.value.rule == "L6"


def test_a_flag_that_restricts_transfers_does_not_matter(desk: Desk) -> None:
    """L6 to L8: pools are not transfers."""
    for asset in (desk.coin, desk.shell, desk.share):
        desk.option(asset, flags=TRANSFER_RESTRICTED)
    transfer = Transfer(NO_FEE, ALICE, BOB, AssetAmount(1, desk.coin), None)
    assert expect(desk.ctx, NotAuthorized, transfer).limit == account_text(COMMITTEE_ACCOUNT)
    assert amounts(apply(desk.ctx, desk.deposit(100, 100))) == ([100, 100], [100], [])
    assert amounts(apply(desk.ctx, desk.sell(10))) == ([10], [9], [0, 0, 0])
    assert amounts(apply(desk.ctx, desk.deposit(100, 100, BOB))) == ([99, 82], [90], [])
    assert amounts(apply(desk.ctx, desk.withdraw(5, BOB))) == ([5], [5, 4], [0, 0])
    assert desk.balances() == (204, 169, 185)


# Withdrawals (L7).


@pytest.mark.parametrize(
    ("fee", "shares", "paid", "fees"),
    [
        (0, 100, (25, 100), (0, 0)),
        (0, 3, (0, 3), (0, 0)),
        (0, 399, (99, 399), (0, 0)),
        (0, 400, (100, 400), (0, 0)),
        (100, 100, (25, 99), (0, 1)),
        (100, 399, (99, 396), (0, 3)),
        (100, 400, (100, 400), (0, 0)),
        (9_999, 399, (1, 1), (98, 398)),
        (10_000, 400, (100, 400), (0, 0)),
    ],
)
def test_shares_pay_both_assets(
    fee: int, shares: int, paid: tuple[int, int], fees: tuple[int, int]
) -> None:
    """L7: of 100 COIN and 400 SHELL with 400 shares; the last shares pay no fee."""
    desk = filled(100, 400, withdrawal_fee=fee)
    before = desk.state.balance_of(ALICE, desk.coin)
    assert amounts(apply(desk.ctx, desk.withdraw(shares))) == ([shares], [*paid], [*fees])
    assert desk.balances() == (100 - paid[0], 400 - paid[1], 400 - shares)
    assert desk.pool.virtual_value == desk.pool.balance_a * desk.pool.balance_b
    assert desk.state.balance_of(ALICE, desk.coin) == before + paid[0]
    check_all(desk.state)


def test_an_emptied_pool_begins_anew() -> None:
    """L6, L7: at any ratio, and again by its owner."""
    desk = filled(100, 400)
    apply(desk.ctx, desk.deposit(100, 400, BOB))
    apply(desk.ctx, desk.withdraw(400, BOB))
    apply(desk.ctx, desk.withdraw(400))
    assert desk.balances() == (0, 0, 0)
    expect(desk.ctx, WrongAccount, desk.deposit(9, 3, BOB))
    apply(desk.ctx, desk.deposit(9, 3))
    assert desk.balances() == (9, 3, 9)


def test_shares_that_pay_nothing() -> None:
    """L7: one side may be 0, both may not."""
    desk = filled(100, 400, withdrawal_fee=10_000)
    error = expect(desk.ctx, ZeroOutcome, desk.withdraw(399))
    assert (error.rule, error.value, error.limit) == ("L7", 0, 1)
    desk = filled(4, 9)
    assert amounts(apply(desk.ctx, desk.withdraw(1))) == ([1], [0, 1], [0, 0])


def test_the_order_of_checks_of_a_withdrawal(desk: Desk) -> None:
    """L7: the asset, whether there is anything, the lists of share, a and b, the supply."""
    wrong = LiquidityPoolWithdraw(NO_FEE, BOB, POOL, AssetAmount(1, desk.coin))
    error: TransactionRejected = expect(desk.ctx, AssetMismatch, wrong)
    assert (error.rule, error.value, error.limit) == ("L7", "1.3.1", "1.3.3")
    assert expect(desk.ctx, PoolEmpty, desk.withdraw(1, BOB)).value == "1.19.0"
    apply(desk.ctx, desk.deposit(100, 400))
    apply(desk.ctx, AccountWhitelist(NO_FEE, CAROL, BOB, BLACK_LISTED))
    assets = (desk.share, desk.coin, desk.shell)
    for asset in assets:
        desk.option(asset, blacklist_authorities=(CAROL,))
    for asset in assets:
        error = expect(desk.ctx, NotAuthorized, desk.withdraw(401, BOB))
        assert error.limit == desk.state.assets.get(asset).symbol
        desk.option(asset, blacklist_authorities=())
    limit = expect(desk.ctx, LimitExceeded, desk.withdraw(401, BOB))
    assert (limit.rule, limit.value, limit.limit) == ("L7", 401, 400)
    short = expect(desk.ctx, InsufficientBalance, desk.withdraw(400, BOB))
    assert (short.value, short.limit) == (0, 400)
    for amount in (0, -1):
        with pytest.raises(ValidationError) as caught:
            desk.withdraw(amount).validate()
        assert caught.value.rule == "L7"


# Exchanges (L8).


@pytest.mark.parametrize(
    ("fee", "sold", "paid", "kept"),
    [
        (0, 100, 333, 0),
        (0, 1, 3, 0),
        (0, 10**12, 3_999, 0),
        (30, 100, 333, 0),
        (100, 100, 330, 3),
        (5_000, 100, 167, 166),
        (30, 10**12, 3_988, 11),
    ],
)
def test_the_pool_pays_by_its_product(fee: int, sold: int, paid: int, kept: int) -> None:
    """L8: of 1,100 COIN and 4,000 SHELL; rounded and charged in favour of the pool."""
    desk = filled(1_100, 4_000, taker_fee=fee)
    value = desk.pool.virtual_value
    result = apply(desk.ctx, desk.sell(sold, paid))
    assert amounts(result) == ([sold], [paid], [0, 0, kept])
    assert desk.balances() == (1_100 + sold, 4_000 - paid, 4_000)
    assert desk.pool.virtual_value >= value
    assert desk.state.balance_of(BOB, desk.coin) == HELD - sold
    assert desk.state.balance_of(BOB, desk.shell) == HELD + paid
    check_all(desk.state)


def test_the_other_direction() -> None:
    """L8: shells for coins, by the same product."""
    desk = filled(1_100, 4_000, taker_fee=100)
    assert amounts(apply(desk.ctx, desk.buy(1_000, 218))) == ([1_000], [218], [0, 0, 2])
    assert desk.balances() == (882, 5_000, 4_000)


def test_market_fees_of_both_assets() -> None:
    """L8, R2.14, R2.15: the maker's of what is sold, the taker's of what is bought; the registrars
    of the pool's owner and of the seller get their parts."""
    desk = filled(100_000, 400_000, taker_fee=100)
    referral = AssetOptionsExtensions(reward_percent=5_000, taker_fee_percent=300)
    for asset in (desk.coin, desk.shell):
        desk.option(asset, flags=CHARGE_MARKET_FEE, market_fee_percent=200, extensions=referral)
    result = apply(desk.ctx, desk.sell(10_000))
    assert isinstance(result, GenericExchangeOperationResult)
    received = 400_000 - -(-100_000 * 400_000 // 109_800)
    kept = received // 100
    taken = (received - kept) * 3 // 100
    assert (received, kept, taken) == (35_701, 357, 1_060)
    assert amounts(result) == ([10_000], [34_284], [200, 1_060, 357])
    assert [item.asset_id for item in result.fees] == [desk.coin, desk.shell, desk.shell]
    assert desk.balances() == (109_800, 364_656, 400_000)
    rewards = {
        (item.owner, item.balance.asset_id): item.balance.amount
        for item in desk.state.vesting_balances.in_order()
    }
    assert rewards == {(ALICE, desk.coin): 100, (BOB, desk.shell): 530}
    assert desk.state.figures_of(desk.coin).accumulated_fees == 100
    assert desk.state.figures_of(desk.shell).accumulated_fees == 530
    check_all(desk.state)


def test_a_market_fee_that_takes_all() -> None:
    """L8: something of what is sold must reach the pool, and of what it pays the seller."""
    desk = filled(1_000, 1_000)
    desk.option(desk.coin, flags=CHARGE_MARKET_FEE, market_fee_percent=10_000)
    error = expect(desk.ctx, ZeroOutcome, desk.sell(100))
    assert (error.rule, error.value, error.limit) == ("L8", 100, 99)
    unfillable = expect(desk.ctx, UnfillablePrice, desk.buy(100))
    assert (unfillable.value, unfillable.limit) == (0, 1)
    desk.option(desk.coin, max_market_fee=99)
    apply(desk.ctx, desk.sell(101, 1))


def test_less_than_is_accepted_is_refused() -> None:
    """L8: by one unit; the refusal tells what the pool would pay."""
    desk = filled(1_100, 4_000)
    error = expect(desk.ctx, UnfillablePrice, desk.sell(100, 334))
    assert (error.rule, error.value, error.limit, error.unit) == ("L8", 333, 334, "1.3.2")
    apply(desk.ctx, desk.sell(100, 333))


def test_the_order_of_checks_of_an_exchange(desk: Desk) -> None:
    """L8: whether there is anything, the assets, the lists of a and b, the markets of both."""
    coin, shell = desk.coin, desk.shell
    core_for_coin = LiquidityPoolExchange(
        NO_FEE, BOB, POOL, AssetAmount(1, CORE_ASSET), AssetAmount(1, coin)
    )
    expect(desk.ctx, PoolEmpty, core_for_coin)
    apply(desk.ctx, desk.deposit(1_000, 1_000))
    error = expect(desk.ctx, AssetMismatch, core_for_coin)
    assert (error.rule, error.value, error.limit) == ("L8", "1.3.0", "1.3.2")
    swapped = replace(
        core_for_coin,
        amount_to_sell=AssetAmount(1, coin),
        min_to_receive=AssetAmount(1, CORE_ASSET),
    )
    error = expect(desk.ctx, AssetMismatch, swapped)
    assert (error.value, error.limit) == ("1.3.0", "1.3.2")
    apply(desk.ctx, AccountWhitelist(NO_FEE, CAROL, BOB, BLACK_LISTED))
    for asset in (coin, shell):
        desk.option(asset, blacklist_authorities=(CAROL,))
    for asset in (coin, shell):
        refused = expect(desk.ctx, NotAuthorized, desk.buy(100, 1_000))
        assert refused.limit == desk.state.assets.get(asset).symbol
        desk.option(asset, blacklist_authorities=())
    for asset, other in ((coin, shell), (shell, coin)):
        for op in (desk.buy(100, 1_000), desk.sell(100, 1_000)):
            desk.option(asset, whitelist_markets=(CORE_ASSET,))
            expect(desk.ctx, MarketNotWhitelisted, op)
            desk.option(asset, whitelist_markets=(other,), blacklist_markets=())
            expect(desk.ctx, UnfillablePrice, op)
            desk.option(asset, whitelist_markets=(), blacklist_markets=(other,))
            expect(desk.ctx, MarketBlacklisted, op)
        desk.option(asset, blacklist_markets=())
    expect(desk.ctx, UnfillablePrice, desk.sell(HELD + 1, 1_000))
    short = expect(desk.ctx, InsufficientBalance, desk.sell(HELD + 1))
    assert (short.value, short.limit) == (HELD, HELD + 1)


@pytest.mark.parametrize(("sold", "least"), [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_bad_fields_of_an_exchange(desk: Desk, sold: int, least: int) -> None:
    """L8: both above 0, of two assets."""
    same = replace(desk.sell(1), min_to_receive=AssetAmount(1, desk.coin))
    for bad in (desk.sell(sold, least), same):
        with pytest.raises(ValidationError) as caught:
            bad.validate()
        assert caught.value.rule == "L8"


def test_the_largest_amounts() -> None:
    """L1, L8: the product of two supplies needs 100 bits, and nothing overflows."""
    desk = make_desk()
    for asset in (desk.coin, desk.shell):
        issue(desk.state, ALICE, AssetAmount(MAX_SUPPLY - 3 * HELD, asset))
    most = MAX_SUPPLY - 2 * HELD
    apply(desk.ctx, desk.deposit(most, most))
    assert desk.pool.virtual_value == most**2
    apply(desk.ctx, desk.sell(HELD))
    apply(desk.ctx, desk.buy(HELD))
    check_all(desk.state)


# Around pools (L9, L10).


def test_shares_are_not_issued(desk: Desk) -> None:
    """L9: also none into an empty pool; once the pool is gone they are an asset as any other."""
    op = AssetIssue(NO_FEE, ALICE, AssetAmount(1, desk.share), ALICE)
    error = expect(desk.ctx, WrongAssetType, op)
    assert (error.rule, error.value) == ("L9", "1.19.0")
    apply(desk.ctx, LiquidityPoolDelete(NO_FEE, ALICE, POOL))
    apply(desk.ctx, op)


def test_shares_are_reserved_but_the_last(desk: Desk) -> None:
    """L9: those that are destroyed enrich the other holders."""
    op = AssetReserve(NO_FEE, ALICE, AssetAmount(1, desk.share))
    error: TransactionRejected = expect(desk.ctx, LimitExceeded, op)
    assert (error.rule, error.value, error.limit) == ("L9", 1, 0)
    apply(desk.ctx, desk.deposit(100, 400))
    error = expect(
        desk.ctx, LimitExceeded, replace(op, amount_to_reserve=AssetAmount(400, desk.share))
    )
    assert (error.rule, error.value, error.limit) == ("L9", 400, 399)
    apply(desk.ctx, replace(op, amount_to_reserve=AssetAmount(300, desk.share)))
    assert amounts(apply(desk.ctx, desk.withdraw(50))) == ([50], [50, 200], [0, 0])
    check_all(desk.state)


def test_no_balance_of_shares_is_set(desk: Desk) -> None:
    """R9.10, J2: on a development chain neither, for they would stand for nothing."""
    desk.state.log.begin()
    desk.state.developments.create(Development(DevelopmentId(0), ()))
    desk.state.log.finish()
    held = SetBalance(BOB, AssetAmount(5, desk.share))
    assert expect(desk.ctx, SupplyIsDebt, to_operation(held)).rule == "J2"
    apply(desk.ctx, to_operation(SetBalance(BOB, AssetAmount(5, desk.coin))))


def test_a_pool_and_the_book_never_meet(desk: Desk) -> None:
    """L10: an exchange leaves orders alone, at whatever price."""
    apply(desk.ctx, desk.deposit(1_000, 1_000))
    cheap = AssetAmount(100, desk.shell), AssetAmount(1, desk.coin)
    order = LimitOrderId(
        created(apply(desk.ctx, LimitOrderCreate(NO_FEE, CAROL, *cheap, MAX_TIMESTAMP)))
    )
    apply(desk.ctx, desk.sell(500))
    assert desk.state.limit_orders.get(order).for_sale == 100
    assert desk.ctx.applied == []


def test_undo_gives_a_pool_back() -> None:
    """L1: balances, product, shares and binding."""
    desk = filled(100, 400)
    before = desk.state.state_hash()
    desk.state.log.begin()
    apply(desk.ctx, desk.sell(50))
    apply(desk.ctx, desk.withdraw(400))
    apply(desk.ctx, LiquidityPoolDelete(NO_FEE, ALICE, POOL))
    desk.state.log.undo()
    assert desk.state.state_hash() == before
    again = State.restore(desk.state.dump())
    assert again.state_hash() == before
    assert again.assets.get(desk.share).for_liquidity_pool == 0


# What would make a refused operation pass (L4 to L8).


def told(desk: Desk, op: Operation) -> list[str]:
    """The remedies of a refusal, each of which `expect` follows."""
    error = refusal_of(desk.ctx, [op])
    assert error is not None
    expect(desk.ctx, type(error), op)
    return [remedy.text for remedy in explained(desk.ctx, op, error).remedies]


def test_remedies_of_refused_exchanges_and_deposits() -> None:
    """L6, L8: a lower expectation, more to sell, least amounts, or what the issuer may do."""
    desk = filled(1_100, 4_000)
    assert told(desk, desk.sell(100, 334)) == [
        "make min_to_receive at most 333 SHELL",
        "sell at least 101 COIN",
    ]
    desk.option(desk.shell, blacklist_markets=(desk.coin,))
    (admitted,) = told(desk, desk.sell(10))
    assert admitted.endswith("the issuer of SHELL, admits the market with COIN first")
    desk.option(desk.share, flags=DISABLE_NEW_SUPPLY)
    assert told(desk, desk.deposit(10, 40)) == ["alice, the issuer of LP, allows new supply first"]
    desk.option(desk.share, flags=0, max_supply=4_000)
    (raised,) = told(desk, desk.deposit(10, 40))
    assert raised == "alice, the issuer of LP, raises max_supply to 0.04001 LP first"
    desk = filled(10, 10)
    apply(desk.ctx, desk.sell(100_000))
    assert told(desk, desk.deposit(5, 1)) == ["deposit at least 10,001 COIN and 1 SHELL"]


def test_remedies_of_refused_withdrawals_and_ends() -> None:
    """L4, L5, L7: more shares, all of them before a pool ends, both fees at once."""
    desk = filled(100, 400, withdrawal_fee=10_000)
    assert told(desk, desk.withdraw(399)) == ["give back at least 0.00400 LP"]
    delete = LiquidityPoolDelete(NO_FEE, ALICE, POOL)
    assert told(desk, delete) == ["alice withdraws all 0.00400 LP first"]
    update = LiquidityPoolUpdate(NO_FEE, ALICE, POOL, 5)
    assert told(desk, update) == ["set withdrawal_fee_percent to 0 as well"]
