"""Each invariant is violated once: the recount and the incremental check both find it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from node.chain.invariants import INVARIANTS, check_all
from node.chain.invariants_incremental import check_block
from node.state.balances import adjust_balance
from node.state.context import Context
from node.state.database import State
from node.state.errors import InvariantViolated
from node.state.objects.assets import NULL_FEED
from node.state.objects.base import StateObject
from node.state.objects.market import LimitOrder
from node.state.objects.transactions import TransactionHistory
from node.state.table import Table
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import CORE_ASSET
from protocol.ids import (
    AccountId,
    AssetBitassetDataId,
    AssetId,
    CallOrderId,
    LimitOrderId,
    LiquidityPoolId,
)
from protocol.operations.asset import NEW_ASSET, AssetCreate
from protocol.operations.asset_options import AssetOptions
from protocol.operations.base import Operation
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.liquidity_pool import LiquidityPoolCreate, LiquidityPoolDeposit
from protocol.schema import TransactionId
from tests.support.chain import TestChain

USD = AssetId(1)
Id = TypeVar("Id", bound=int)
Item = TypeVar("Item", bound=StateObject)


@pytest.fixture
def chain() -> TestChain:
    """Two positions, orders on both sides of the book, a feed of 1 USD for 2 TEST."""
    chain = TestChain("alice", "bob", core=10**6)
    chain.block(*chain.feed("USD", 1, 2))
    chain.block(borrow(chain, "alice", 1000, 10_000), borrow(chain, "bob", 500, 9_000))
    chain.block(
        sell(chain, "alice", (100, "USD"), (300, "TEST")),
        sell(chain, "bob", (100, "TEST"), (100, "USD")),
        sell(chain, "bob", (100, "TEST"), (90, "USD")),
    )
    make_pools(chain)
    return chain


def make_pools(chain: TestChain) -> None:
    """Alice fills 1.19.0 and leaves 1.19.1 empty."""
    alice, core, usd = chain.account("alice"), chain.amount(500), chain.amount(100, "USD")
    for number, symbol in enumerate(("SHARE", "OTHER")):
        chain.block(AssetCreate(NO_FEE, alice, symbol, 4, core_options_of(NEW_ASSET)))
        made = LiquidityPoolCreate(
            NO_FEE, alice, CORE_ASSET, USD, chain.asset(symbol), number, number
        )
        chain.block(made)
    chain.block(LiquidityPoolDeposit(NO_FEE, alice, LiquidityPoolId(0), core, usd))


def core_options_of(asset: AssetId) -> AssetOptions:
    return AssetOptions(
        10**12, 0, 0, 0, 0, Price(AssetAmount(1, asset), AssetAmount(1, CORE_ASSET))
    )


def borrow(chain: TestChain, name: str, debt: int, collateral: int) -> Operation:
    return CallOrderUpdate(
        NO_FEE, chain.account(name), chain.amount(collateral), chain.amount(debt, "USD")
    )


def sell(chain: TestChain, name: str, sold: tuple[int, str], wanted: tuple[int, str]) -> Operation:
    return LimitOrderCreate(
        NO_FEE,
        chain.account(name),
        chain.amount(*sold),
        chain.amount(*wanted),
        chain.chain.head_time + 1000,
        False,
    )


def set_field(table: Table[Id, Item], instance: Id, **values: object) -> None:
    item = table.edit(table.get(instance))
    for name, value in values.items():
        setattr(item, name, value)


def add_to(state: State, table_name: str, instance: int, field: str, amount: int) -> None:
    table: Table[int, StateObject] = getattr(state, table_name)
    set_field(table, instance, **{field: getattr(table.get(instance), field) + amount})


def replace_order(state: State, **changes: object) -> None:
    """Bob's first order again, under a new id and with other fields."""
    old = state.limit_orders.get(LimitOrderId(1))
    state.limit_orders.remove(old)
    fields = {name: getattr(old, name) for name in state.limit_orders.field_names}
    fields.update(id=state.limit_orders.next_id, **changes)
    state.limit_orders.create(LimitOrder(**fields))


def cross_the_book(state: State) -> None:
    replace_order(state, sell_price=Price(AssetAmount(100, CORE_ASSET), AssetAmount(20, USD)))


def keep_an_expired_order(state: State) -> None:
    replace_order(state, expiration=state.dynamic.time)


def remember_a_stale_transaction(state: State) -> None:
    number = state.transactions.next_id
    stale = TransactionHistory(number, TransactionId(bytes(20)), state.dynamic.time - 1)
    state.transactions.create(stale)


def make_a_balance_negative(state: State) -> None:
    """One account owes what another one has too much."""
    owner, other = (state.balances_of_account.find(AccountId(n), CORE_ASSET) for n in (9, 10))
    assert owner is not None
    assert other is not None
    state.balances.edit(owner).balance -= 10**7
    state.balances.edit(other).balance += 10**7


def forget_the_median(state: State) -> None:
    set_field(state.bitassets, AssetBitassetDataId(0), median_feed=NULL_FEED)


def settle_with_positions(state: State) -> None:
    price = Price(AssetAmount(1, USD), AssetAmount(2, CORE_ASSET))
    set_field(state.bitassets, AssetBitassetDataId(0), settlement_price=price)


def move_a_position_behind_the_index(state: State) -> None:
    state.call_orders.get(CallOrderId(0)).collateral += 10**5


def confirm_the_head(state: State) -> None:
    head = state.dynamic.head_block_number
    state.dynamic_properties.edit(state.dynamic).last_irreversible_block_num = head


def adding(table: str, instance: int, field: str, amount: int) -> Callable[[State], None]:
    return lambda state: add_to(state, table, instance, field, amount)


def forget_a_pool(state: State) -> None:
    set_field(state.assets, AssetId(3), for_liquidity_pool=None)


def bind_to_another_pool(state: State) -> None:
    set_field(state.assets, AssetId(1), for_liquidity_pool=LiquidityPoolId(0))


def take_one_side_out(state: State) -> None:
    adjust_balance(state, AccountId(9), CORE_ASSET, 500)
    state.liquidity_pools.edit(state.liquidity_pools.rows[0]).change(-500, 0)


def make_a_share_of_nothing(state: State) -> None:
    adjust_balance(state, AccountId(9), AssetId(3), 1)
    add_to(state, "asset_dynamic_data", 3, "current_supply", 1)


def swap_the_assets(state: State) -> None:
    set_field(state.liquidity_pools, LiquidityPoolId(1), asset_a=USD, asset_b=CORE_ASSET)


VIOLATIONS: list[tuple[str, Callable[[State], None]]] = [
    ("I1", adding("asset_dynamic_data", 1, "accumulated_fees", 1)),
    ("I1", adding("limit_orders", 0, "for_sale", 1)),
    ("I2", adding("balances", 0, "balance", 1)),
    ("I2", adding("asset_dynamic_data", 1, "fee_pool", 1)),
    ("I2", adding("statistics", 6, "pending_fees", 1)),
    ("I2", adding("statistics", 6, "pending_vested_fees", 1)),
    ("I2", adding("dynamic_properties", 0, "witness_budget", 1)),
    ("I2", adding("limit_orders", 0, "deferred_fee", 1)),
    ("I2", adding("asset_dynamic_data", 1, "accumulated_collateral_fees", 1)),
    ("I3", adding("call_orders", 0, "debt", 1)),
    ("I3", adding("asset_dynamic_data", 1, "current_supply", 1)),
    ("I4", adding("bitassets", 0, "settlement_fund", 1)),
    ("I4", settle_with_positions),
    ("I5", adding("statistics", 6, "total_core_in_orders", 1)),
    ("I6", adding("call_orders", 0, "collateral", -10_000)),
    ("I6", adding("limit_orders", 0, "for_sale", -100)),
    ("I6", make_a_balance_negative),
    ("I7", cross_the_book),
    ("I2", adding("asset_dynamic_data", 0, "fee_pool", 1)),
    ("I6", adding("asset_dynamic_data", 0, "fee_pool", -1)),
    ("I1", adding("liquidity_pools", 0, "balance_b", 1)),
    ("I2", adding("liquidity_pools", 0, "balance_a", 1)),
    ("J2", adding("liquidity_pools", 0, "virtual_value", 1)),
    ("J2", forget_a_pool),
    ("J2", bind_to_another_pool),
    ("J2", take_one_side_out),
    ("J2", make_a_share_of_nothing),
    ("J2", swap_the_assets),
    ("I14", remember_a_stale_transaction),
    ("I14", confirm_the_head),
    ("I17", keep_an_expired_order),
]


@pytest.mark.parametrize(("rule", "violate"), VIOLATIONS)
def test_a_violation_is_found_by_both(
    chain: TestChain, rule: str, violate: Callable[[State], None]
) -> None:
    """T-E4, J2: the recount names the broken rule, and the incremental check fails too."""
    with chain.chain.head_state() as state:
        check_all(state)
        state.log.begin()
        violate(state)
        revision = state.log.finish()
        assert rule in broken_rules(state)
        with pytest.raises(InvariantViolated):
            check_block(state, revision)
        state.log.revert(revision)
        check_all(state)


@pytest.mark.parametrize(
    ("rule", "violate"),
    [("I15", forget_the_median), ("I16", move_a_position_behind_the_index)],
)
def test_a_violation_is_found_by_the_recount(
    chain: TestChain, rule: str, violate: Callable[[State], None]
) -> None:
    """T-E4, I15, I16: these two compare with what only a recount computes."""
    with chain.chain.head_state() as state:
        check_all(state)
        state.log.begin()
        violate(state)
        assert rule in broken_rules(state)
        state.log.undo()


def broken_rules(state: State) -> set[str]:
    """The rules that the recount finds broken."""
    rules = set()
    for check in INVARIANTS:
        try:
            check(state)
        except InvariantViolated as violation:
            rules.add(violation.rule)
    return rules


@pytest.mark.usefixtures("interpreted")
def test_a_block_that_breaks_an_invariant_is_not_kept(
    chain: TestChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-E4: A bug in the boundary stops the block: no trace of it, and the diff is told."""
    before, head = chain.chain.state_hash(), chain.chain.head_id

    def mint(ctx: Context) -> None:
        adjust_balance(ctx.state, AccountId(9), CORE_ASSET, 5)

    pending = chain.transaction(chain.transfer("alice", "bob", 1))
    chain.chain.push_transaction(pending)
    envelope = chain.build()
    monkeypatch.setattr("node.chain.apply_block.run_boundary", mint)
    with pytest.raises(InvariantViolated) as violation:
        chain.chain.push_block(envelope)
    assert (violation.value.rule, violation.value.value) == ("I2", 5)
    assert (chain.chain.head_id, chain.chain.state_hash()) == (head, before)
    assert chain.chain.pending_transaction(pending.id) is pending
    monkeypatch.undo()
    assert len(chain.chain.push_block(envelope).applied) == 1
