"""Pools under random operations, beside a slow twin that computes with fractions.

One pool's share is the collateral of a BitAsset, and the other pool holds that BitAsset with the
share: deposits, exchanges, borrowing, margin calls and a global settlement meet in both.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from node.chain.invariants import check_all
from node.chain.invariants_incremental import check_block
from node.evaluators.base import apply_operation
from node.market.boundary import run_boundary
from node.state.objects.assets import Asset
from node.state.objects.governance import TRIGGER_FEED
from node.state.objects.liquidity import LiquidityPool
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import CORE_ASSET
from protocol.errors import PegboardError
from protocol.ids import AccountId, LiquidityPoolId
from protocol.operations.asset import AssetReserve
from protocol.operations.asset_options import CHARGE_MARKET_FEE
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetGlobalSettle, AssetPublishFeed, AssetSettle
from protocol.operations.bitasset_options import BitassetOptions, PriceFeed
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.liquidity_pool import (
    LiquidityPoolCreate,
    LiquidityPoolDeposit,
    LiquidityPoolExchange,
    LiquidityPoolUpdate,
    LiquidityPoolWithdraw,
)
from protocol.operations.results import GenericExchangeOperationResult
from protocol.schema import MAX_TIMESTAMP
from tests.support.state import add_asset, add_bitasset, issue, make_context, make_state
from tests.support.world import ALICE, BOB, CAROL

HELD = 10**7
PEOPLE = st.sampled_from((ALICE, BOB, CAROL))
POOLS = st.sampled_from((LiquidityPoolId(0), LiquidityPoolId(1)))
AMOUNTS = st.one_of(st.integers(1, 12), st.integers(1, 5_000))
PERCENTS = st.sampled_from((0, 1, 30, 2_500, 9_999, 10_000))


class Twin(NamedTuple):
    """A pool and its shares as fractions."""

    a: Fraction
    b: Fraction
    shares: Fraction
    max_supply: int
    taker_fee: Fraction
    withdrawal_fee: Fraction

    def deposit(self, a: int, b: int) -> tuple[int, int, int]:
        """What is taken of both, and the shares for it."""
        if self.shares == 0:
            return a, b, max(a, b)
        per_share_a, per_share_b = self.a / self.shares, self.b / self.shares
        room = self.max_supply - self.shares
        shares = floor(min(a / per_share_a, b / per_share_b, room))
        return ceil(shares * per_share_a), ceil(shares * per_share_b), shares

    def withdraw(self, shares: int) -> tuple[int, int, int, int]:
        """What is paid of both, and the fees."""
        if shares == self.shares:
            return int(self.a), int(self.b), 0, 0
        part = shares / self.shares
        due = floor(part * self.a), floor(part * self.b)
        fee_a, fee_b = (floor(one * self.withdrawal_fee) for one in due)
        return due[0] - fee_a, due[1] - fee_b, fee_a, fee_b

    def exchange(
        self, sold: int, fees: tuple[int, Fraction], is_a: bool
    ) -> tuple[int, int, int, int]:
        """What is received, and the fees: maker's, taker's, the pool's."""
        maker_fee, taker_percent = fees
        held_in, held_out = (self.a, self.b) if is_a else (self.b, self.a)
        paid = floor(held_out - self.a * self.b / (held_in + sold - maker_fee))
        pool_fee = floor(paid * self.taker_fee)
        taker_fee = floor((paid - pool_fee) * taker_percent)
        return paid - pool_fee - taker_fee, maker_fee, taker_fee, pool_fee


class PoolMachine(RuleBasedStateMachine):
    """Three people, two pools, and a BitAsset that is backed by the shares of the first."""

    @initialize(taker_fee=PERCENTS, withdrawal_fee=PERCENTS, max_supply=st.integers(300, 10**6))
    def start(self, taker_fee: int, withdrawal_fee: int, max_supply: int) -> None:
        self.state = make_state(
            "alice", "bob", "carol", core=HELD, margin_call_trigger=TRIGGER_FEED
        )
        self.ctx = make_context(self.state)
        state = self.state
        self.coin = add_asset(state, "COIN", issuer=ALICE)
        self.share = add_asset(state, "SHARE", issuer=ALICE)
        self.other = add_asset(state, "OTHER", issuer=BOB)
        for account in (ALICE, BOB, CAROL):
            issue(state, account, AssetAmount(HELD, self.coin))
        options = BitassetOptions(short_backing_asset=self.share, minimum_feeds=1)
        self.peg = add_bitasset(state, "PEG", issuer=ALICE, bitasset_options=options)
        state.log.begin()
        share = state.assets.edit(state.assets.get(self.other))
        share.options = replace(share.options, max_supply=max_supply)
        data = state.bitasset_of(self.peg)
        assert data is not None
        state.bitassets.edit(data).feeds = ((ALICE, (0, data.median_feed)),)
        state.dynamic_properties.edit(state.dynamic).head_block_number = 1
        state.log.finish()
        self.act(
            LiquidityPoolCreate(NO_FEE, ALICE, CORE_ASSET, self.coin, self.share, 0, 0),
            LiquidityPoolCreate(
                NO_FEE, BOB, self.share, self.peg, self.other, taker_fee, withdrawal_fee
            ),
        )
        for who in (ALICE, BOB, CAROL):
            self.deposit(LiquidityPoolId(0), who, 50_000, 40_000)
        self.publish(10)
        for who in (ALICE, BOB):
            self.borrow(who, 600, 25)
        self.deposit(LiquidityPoolId(1), BOB, 3_000, 300)

    def act(self, *operations: Operation) -> list[object]:
        """Some operations and the boundary after them, as a block; the results, none if refused."""
        log = self.state.log
        log.begin()
        ctx = make_context(self.state)
        try:
            results: list[object] = []
            for op in operations:
                op.validate()
                results.append(apply_operation(ctx, op))
        except PegboardError:
            log.undo()
            return []
        run_boundary(ctx)
        revision = log.finish()
        check_block(self.state, revision)
        return results

    def pool(self, pool_id: LiquidityPoolId) -> LiquidityPool:
        return self.state.liquidity_pools.get(pool_id)

    def twin(self, pool: LiquidityPool) -> Twin:
        share = self.state.assets.get(pool.share_asset)
        return Twin(
            Fraction(pool.balance_a),
            Fraction(pool.balance_b),
            Fraction(self.state.figures_of(share.id).current_supply),
            share.options.max_supply,
            Fraction(pool.taker_fee_percent, 10_000),
            Fraction(pool.withdrawal_fee_percent, 10_000),
        )

    def played(self, op: Operation, wanted: tuple[list[int], list[int], list[int]]) -> bool:
        """Whether an operation passes; then its amounts are those wanted."""
        results = self.act(op)
        if not results:
            return False
        (result,) = results
        assert isinstance(result, GenericExchangeOperationResult)
        sides = result.paid, result.received, result.fees
        assert tuple([item.amount for item in side] for side in sides) == wanted
        return True

    @rule(pool_id=POOLS, who=PEOPLE, a=AMOUNTS, b=AMOUNTS)
    def deposit(self, pool_id: LiquidityPoolId, who: AccountId, a: int, b: int) -> None:
        """L6, J2: and nobody else loses by it."""
        pool = self.pool(pool_id)
        before = self.twin(pool)
        taken_a, taken_b, shares = before.deposit(a, b)
        op = LiquidityPoolDeposit(
            NO_FEE, who, pool_id, AssetAmount(a, pool.asset_a), AssetAmount(b, pool.asset_b)
        )
        if self.played(op, ([taken_a, taken_b], [shares], [])):
            assert shares > 0
            after = self.twin(pool)
            if before.shares:
                assert after.a / after.shares >= before.a / before.shares
                assert after.b / after.shares >= before.b / before.shares

    @rule(pool_id=POOLS, who=PEOPLE, shares=AMOUNTS, is_all=st.booleans())
    def withdraw(self, pool_id: LiquidityPoolId, who: AccountId, shares: int, is_all: bool) -> None:
        """L7, J2: the product falls, but not what the other holders have."""
        pool = self.pool(pool_id)
        if is_all:
            shares = self.state.balance_of(who, pool.share_asset)
        before = self.twin(pool)
        if not 0 < shares <= before.shares:
            return
        paid_a, paid_b, *fees = before.withdraw(shares)
        op = LiquidityPoolWithdraw(NO_FEE, who, pool_id, AssetAmount(shares, pool.share_asset))
        if self.played(op, ([shares], [paid_a, paid_b], fees)):
            after = self.twin(pool)
            if after.shares:
                assert after.a / after.shares >= before.a / before.shares
                assert after.b / after.shares >= before.b / before.shares
            else:
                assert after.a == after.b == 0

    @rule(pool_id=POOLS, who=PEOPLE, is_a=st.booleans(), sold=AMOUNTS, least=st.integers(1, 3))
    def exchange(
        self, pool_id: LiquidityPoolId, who: AccountId, is_a: bool, sold: int, least: int
    ) -> None:
        """L8, J2: the product never falls, and nobody's shares change."""
        pool = self.pool(pool_id)
        if pool.is_empty:
            return
        before = self.twin(pool)
        assets = (pool.asset_a, pool.asset_b) if is_a else (pool.asset_b, pool.asset_a)
        sells, wants = (self.state.assets.get(asset) for asset in assets)
        maker_fee = floor(sold * _fee_of(sells))
        received, *fees = before.exchange(sold, (maker_fee, _fee_of(wants)), is_a)
        op = LiquidityPoolExchange(
            NO_FEE, who, pool_id, AssetAmount(sold, sells.id), AssetAmount(least, wants.id)
        )
        if self.played(op, ([sold], [received], fees)):
            assert received >= least
            after = self.twin(pool)
            assert after.a * after.b >= before.a * before.b
            assert after.shares == before.shares

    @rule(taker_fee=PERCENTS, is_free=st.booleans())
    def change_fees(self, taker_fee: int, is_free: bool) -> None:
        """L5: nothing but the fees changes."""
        self.act(
            LiquidityPoolUpdate(NO_FEE, BOB, LiquidityPoolId(1), taker_fee, 0 if is_free else None)
        )

    @rule(asset=st.sampled_from(("coin", "share", "peg")), percent=PERCENTS)
    def charge(self, asset: str, percent: int) -> None:
        """R2.14: market fees of what is exchanged, around the rules."""
        self.state.log.begin()
        item = self.state.assets.edit(self.state.assets.get(getattr(self, asset)))
        item.options = replace(
            item.options, flags=item.options.flags | CHARGE_MARKET_FEE, market_fee_percent=percent
        )
        self.state.log.finish()

    @rule(who=PEOPLE, debt=AMOUNTS, ratio=st.integers(17, 30))
    def borrow(self, who: AccountId, debt: int, ratio: int) -> None:
        """R3.1: with shares of a pool as collateral, at a ratio of tenths."""
        collateral = debt * self.shares * ratio // 10
        held, owed = AssetAmount(collateral, self.share), AssetAmount(debt, self.peg)
        self.act(CallOrderUpdate(NO_FEE, who, held, owed))

    @rule(shares=st.integers(6, 18))
    def publish(self, shares: int) -> None:
        """R4.2: a price of the BitAsset in shares, by which positions are called."""
        self.shares = shares
        price = Price(AssetAmount(1, self.peg), AssetAmount(shares, self.share))
        rate = Price(AssetAmount(1, self.peg), AssetAmount(1, CORE_ASSET))
        feed = PriceFeed(settlement_price=price, core_exchange_rate=rate)
        self.act(AssetPublishFeed(NO_FEE, ALICE, self.peg, feed))

    @rule(who=PEOPLE, sold=AMOUNTS, percent=st.integers(90, 160))
    def bid(self, who: AccountId, sold: int, percent: int) -> None:
        """R4.7: the BitAsset for the shares of somebody who is called."""
        shares = sold * self.shares * percent // 100
        amounts = AssetAmount(sold, self.peg), AssetAmount(shares, self.share)
        self.act(LimitOrderCreate(NO_FEE, who, *amounts, MAX_TIMESTAMP))

    @rule(who=PEOPLE, redeemed=AMOUNTS)
    def settle(self, who: AccountId, redeemed: int) -> None:
        """R6.3, R5.3: a pool goes on holding what is settled as a whole, and is redeemed."""
        price = Price(AssetAmount(1, self.peg), AssetAmount(self.shares, self.share))
        self.act(AssetGlobalSettle(NO_FEE, ALICE, self.peg, price))
        self.act(AssetSettle(NO_FEE, who, AssetAmount(redeemed, self.peg)))

    @rule(who=PEOPLE, amount=AMOUNTS)
    def reserve(self, who: AccountId, amount: int) -> None:
        """L9: shares that are destroyed; never the last one."""
        self.act(AssetReserve(NO_FEE, who, AssetAmount(amount, self.share)))

    @invariant()
    def everything_adds_up(self) -> None:
        """I1, I3, J2: over the whole state."""
        if hasattr(self, "other"):
            check_all(self.state)


def _fee_of(asset: Asset) -> Fraction:
    """The market fee of an asset; none of these has a limit that is reached."""
    if not asset.options.flags & CHARGE_MARKET_FEE:
        return Fraction(0)
    return Fraction(asset.options.market_fee_percent, 10_000)


TestPools = PoolMachine.TestCase
TestPools.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
