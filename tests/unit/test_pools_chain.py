"""Liquidity pools in blocks: with positions, settled assets, proposals, fees and forks."""

from __future__ import annotations

import pytest

from node.state.errors import UnfillablePrice
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import CORE_UNIT
from protocol.fee_schedule import FeeSchedule
from protocol.fees import required_fee
from protocol.ids import AssetId, LiquidityPoolId, ProposalId
from protocol.operations.asset import NEW_ASSET, AssetCreate, AssetUpdate
from protocol.operations.asset_options import (
    DEFAULT_UIA_PERMISSIONS,
    ENABLE_BITS_MASK,
    AssetOptions,
)
from protocol.operations.base import Operation
from protocol.operations.bitasset import (
    AssetGlobalSettle,
    AssetPublishFeed,
    AssetSettle,
    AssetUpdateFeedProducers,
)
from protocol.operations.bitasset_options import BitassetOptions, PriceFeed
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import FillOrder, LimitOrderCreate
from protocol.operations.liquidity_pool import (
    LiquidityPoolCreate,
    LiquidityPoolDelete,
    LiquidityPoolDeposit,
    LiquidityPoolExchange,
    LiquidityPoolUpdate,
    LiquidityPoolWithdraw,
)
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from protocol.operations.results import GenericExchangeOperationResult
from protocol.schema import MAX_TIMESTAMP
from tests.support.chain import TestChain, make_genesis
from tests.support.pools import deposit, exchange, new_pool, share_asset, withdraw
from tests.support.world import BOB

POOL = LiquidityPoolId(0)


@pytest.fixture
def chain() -> TestChain:
    """Alice fills 1.19.0 of TEST and USD with the share SHARE; PEG is backed by SHARE."""
    chain = TestChain(genesis=make_genesis("alice", "bob", "carol", core=10**9, trigger="feed"))
    chain.block(*chain.feed("USD", 1, 10))
    for name in ("alice", "bob", "carol"):
        debt = chain.amount(10**6, "USD")
        chain.block(CallOrderUpdate(NO_FEE, chain.account(name), chain.amount(10**8), debt))
    chain.block(share_asset(chain, "alice", "SHARE"))
    chain.block(new_pool(chain, "alice", ("TEST", "USD"), "SHARE", 100))
    chain.block(deposit(chain, "alice", 0, 1_000_000, 100_000))
    chain.block(deposit(chain, "bob", 0, 500_000, 50_000))
    chain.block(deposit(chain, "carol", 0, 500_000, 50_000))
    alice = chain.account("alice")
    rate = Price(AssetAmount(1, NEW_ASSET), chain.amount(1))
    options = AssetOptions(10**15, 0, 0, ENABLE_BITS_MASK, 0, rate)
    backed = BitassetOptions(short_backing_asset=chain.asset("SHARE"))
    chain.block(AssetCreate(NO_FEE, alice, "PEG", 4, options, backed))
    chain.block(AssetUpdateFeedProducers(NO_FEE, alice, chain.asset("PEG"), (alice,)))
    chain.block(publish(chain, 10))
    return chain


def publish(chain: TestChain, shares: int) -> AssetPublishFeed:
    """One PEG for so many shares."""
    price = Price(chain.amount(1, "PEG"), chain.amount(shares, "SHARE"))
    rate = Price(chain.amount(1, "PEG"), chain.amount(1))
    feed = PriceFeed(
        settlement_price=price,
        core_exchange_rate=rate,
        maintenance_collateral_ratio=1750,
        maximum_short_squeeze_ratio=1100,
    )
    return AssetPublishFeed(NO_FEE, chain.account("alice"), chain.asset("PEG"), feed)


def borrow(chain: TestChain, name: str, debt: int, shares: int) -> Operation:
    held, owed = chain.amount(shares, "SHARE"), chain.amount(debt, "PEG")
    return CallOrderUpdate(NO_FEE, chain.account(name), held, owed)


def sell(chain: TestChain, name: str, sold: int, shares: int) -> Operation:
    """PEG for shares."""
    amounts = chain.amount(sold, "PEG"), chain.amount(shares, "SHARE")
    return LimitOrderCreate(NO_FEE, chain.account(name), *amounts, MAX_TIMESTAMP)


def pool_of(chain: TestChain) -> tuple[int, int, int]:
    """Both balances, and the supply of shares."""
    pool = chain.state.liquidity_pools.get(POOL)
    return pool.balance_a, pool.balance_b, chain.state.figures_of(pool.share_asset).current_supply


def test_shares_are_collateral(chain: TestChain) -> None:
    """L9, R3.1, R4.7: locked shares stay shares of the pool, which their owner may not withdraw; a
    position that is called pays with them, and whoever gets them withdraws."""
    chain.block(borrow(chain, "bob", 10_000, 200_000), borrow(chain, "carol", 10_000, 400_000))
    assert chain.balance("bob", "SHARE") == 300_000
    assert pool_of(chain) == (2_000_000, 200_000, 2_000_000)
    chain.block(sell(chain, "carol", 10_000, 120_000))
    applied = chain.block(publish(chain, 12))
    called, bid = (entry.op for entry in applied.operations if isinstance(entry.op, FillOrder))
    assert isinstance(called, FillOrder)
    assert isinstance(bid, FillOrder)
    assert (called.pays.amount, called.receives.amount) == (120_000, 10_000)
    assert bid.receives == chain.amount(120_000, "SHARE")
    assert chain.balance("bob", "SHARE") == 300_000 + 80_000
    assert chain.balance("carol", "SHARE") == 100_000 + 120_000
    assert pool_of(chain)[2] == 2_000_000
    before = chain.balance("carol"), chain.balance("carol", "USD")
    chain.block(withdraw(chain, "carol", 0, 220_000))
    gained = chain.balance("carol") - before[0], chain.balance("carol", "USD") - before[1]
    assert gained == (220_000, 22_000)


def test_a_globally_settled_asset_in_a_pool(chain: TestChain) -> None:
    """L3, L8: it goes on being exchanged, and is redeemed from its fund."""
    chain.block(borrow(chain, "bob", 10_000, 300_000))
    chain.block(share_asset(chain, "bob", "OTHER"))
    chain.block(new_pool(chain, "bob", ("TEST", "PEG"), "OTHER"))
    chain.block(deposit(chain, "bob", 1, 40_000, 4_000))
    price = Price(chain.amount(1, "PEG"), chain.amount(10, "SHARE"))
    alice = chain.account("alice")
    chain.block(AssetGlobalSettle(NO_FEE, alice, chain.asset("PEG"), price))
    chain.block(exchange(chain, "carol", 1, (10_000, "TEST"), (800, "PEG")))
    assert chain.balance("carol", "PEG") == 800
    shares = chain.balance("carol", "SHARE")
    chain.block(AssetSettle(NO_FEE, chain.account("carol"), chain.amount(800, "PEG")))
    assert chain.balance("carol", "SHARE") == shares + 8_000
    chain.block(exchange(chain, "bob", 1, (800, "PEG"), (10_000, "TEST")))
    pool = chain.state.liquidity_pools.get(LiquidityPoolId(1))
    assert (pool.balance_a, pool.balance_b) == (40_000, 4_000)


def propose(chain: TestChain, *operations: Operation) -> ProposalId:
    expiration = chain.chain.head_time + 600
    proposed = tuple(map(ProposedOperation, operations))
    chain.block(ProposalCreate(NO_FEE, chain.account("alice"), expiration, proposed))
    return ProposalId(chain.state.proposals.next_id - 1)


def approve(chain: TestChain, proposal: ProposalId, name: str) -> Operation:
    account = chain.account(name)
    return ProposalUpdate(NO_FEE, account, proposal, active_approvals_to_add=(account,))


def test_a_proposal_that_exchanges(chain: TestChain) -> None:
    """R8.23, L8: with its result beside it; one that the pool does not fill leaves no trace."""
    good = propose(chain, exchange(chain, "bob", 0, (10_000, "TEST"), (900, "USD")))
    bad = propose(
        chain,
        withdraw(chain, "bob", 0, 1_000),
        exchange(chain, "bob", 0, (10_000, "TEST"), (1_000, "USD")),
    )
    usd = chain.balance("bob", "USD")
    applied = chain.block(approve(chain, good, "bob"))
    (entry,) = (entry for entry in applied.operations if entry.is_virtual)
    assert isinstance(entry.result, GenericExchangeOperationResult)
    assert [item.amount for item in entry.result.received] == [986]
    assert chain.balance("bob", "USD") == usd + 986
    before = pool_of(chain)
    applied = chain.block(approve(chain, bad, "bob"))
    assert not any(entry.is_virtual for entry in applied.operations)
    assert pool_of(chain) == before
    assert "unfillable_price" in chain.state.proposals.get(bad).fail_reason


def test_a_price_that_moved_in_the_same_block(chain: TestChain) -> None:
    """L8: each exchange sees those before it; the later one is refused by itself."""
    op = exchange(chain, "bob", 0, (100_000, "TEST"), (9_000, "USD"))
    chain.push(op)
    error = chain.expect(UnfillablePrice, op)
    assert (error.value, error.limit) == (8_576, 9_000)
    applied = chain.block()
    assert len(applied.operations) == 1


def test_another_fork_has_other_pools(chain: TestChain) -> None:
    """I18: blocks with all operations of pools are taken back, and applied elsewhere alike."""
    twin = chain.twin()
    twin.follow(chain)
    assert twin.chain.state_hash() == chain.chain.state_hash()
    alice = chain.account("alice")
    chain.block(exchange(chain, "carol", 0, (5_000, "USD"), (1, "TEST")))
    chain.block(LiquidityPoolUpdate(NO_FEE, alice, POOL, 7))
    for name in ("alice", "bob", "carol"):
        chain.block(withdraw(chain, name, 0, chain.balance(name, "SHARE")))
    assert pool_of(chain) == (0, 0, 0)
    options = chain.state.asset_named("SHARE").options
    chain.block(LiquidityPoolDelete(NO_FEE, alice, POOL))
    renamed = AssetOptions(
        10**15, 0, 0, DEFAULT_UIA_PERMISSIONS, 0, options.core_exchange_rate, description="free"
    )
    chain.block(AssetUpdate(NO_FEE, alice, chain.asset("SHARE"), None, renamed))
    twin.block(exchange(twin, "bob", 0, (100, "TEST"), (1, "USD")))
    twin.follow(chain)
    assert twin.chain.state_hash() == chain.chain.state_hash()
    assert chain.chain.restore(chain.genesis, chain.chain.dump()).state_hash() == (
        chain.chain.state_hash()
    )


ONE, TWO = AssetAmount(1, AssetId(1)), AssetAmount(1, AssetId(2))
FEES: list[tuple[Operation, int]] = [
    (LiquidityPoolCreate(NO_FEE, BOB, AssetId(1), AssetId(2), AssetId(3), 0, 0), 50 * CORE_UNIT),
    (LiquidityPoolDelete(NO_FEE, BOB, POOL), 0),
    (LiquidityPoolDeposit(NO_FEE, BOB, POOL, ONE, TWO), CORE_UNIT // 10),
    (LiquidityPoolWithdraw(NO_FEE, BOB, POOL, ONE), 5 * CORE_UNIT),
    (LiquidityPoolExchange(NO_FEE, BOB, POOL, ONE, TWO), CORE_UNIT),
    (LiquidityPoolUpdate(NO_FEE, BOB, POOL, 1), CORE_UNIT),
]


@pytest.mark.parametrize(("op", "fee"), FEES, ids=lambda value: type(value).__name__)
def test_fees_without_an_entry_in_the_schedule(op: Operation, fee: int) -> None:
    """R8.17: the default of the operation, not nothing."""
    assert required_fee(op, FeeSchedule((), scale=10_000)) == fee
