"""(d) A cascade of margin calls at one boundary."""

from __future__ import annotations

import gc
from statistics import median
from time import process_time

from node.chain.invariants_incremental import check_block
from node.market.boundary import run_boundary
from node.services.garbage import GarbageSchedule
from node.state.database import State
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET
from protocol.ids import AssetId
from protocol.operations.limit_order import FillOrder, LimitOrderCreate
from tests.support.state import (
    add_bitasset,
    add_position,
    apply,
    make_context,
    make_state,
    set_feed,
)

from .measure import print_ratio, print_time

SIZES = (100, 1_000, 10_000)
ROUNDS = 5
RECORDS_A_FILL = 2
"""The position's and the order's."""


def bench_cascade() -> None:
    """(d): every position is called by some bid; fills and the check of invariants, CPU time."""
    markets = {size: make_falling_market(size) for size in SIZES}
    GarbageSchedule()
    for state, usd in markets.values():
        fill_seconds(state, usd)
    costs: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(ROUNDS):
        for size, (state, usd) in markets.items():
            repeats = max(SIZES[-1] // size // 5, 1)
            costs[size].append(median(fill_seconds(state, usd) for _ in range(repeats)))
    for size in SIZES:
        print_time("d", f"{size:,} called positions, a fill", costs[size])
    growth = [dear / cheap for cheap, dear in zip(costs[SIZES[0]], costs[SIZES[-1]], strict=True)]
    print_ratio("d", f"a fill among {SIZES[-1]:,} / among {SIZES[0]}", growth, "at most 1.5")


def make_falling_market(size: int) -> tuple[State, AssetId]:
    """Positions that the highest bid calls, and about one bid for each.

    The feed is 10 CORE a unit, the squeeze protection price 15, MCR 1.75: a position that covers
    16 to 17 a unit is called by a bid of 10.5 to 12 a unit.
    """
    names = [f"borrower{number}" for number in range(size)]
    state = make_state(*names)
    state.log.begin()
    usd = add_bitasset(state, "USD")
    set_feed(state, usd, 1, 10)
    state.dynamic_properties.edit(state.dynamic).head_block_number = 1
    debts = [10_000 + number * 37 % 5_000 for number in range(size)]
    for number, (name, debt) in enumerate(zip(names, debts, strict=True)):
        collateral = debt * (16_000 + number * 7 % 1_000) // 1_000
        add_position(state, state.account_named(name).id, usd, debt, collateral)
    ctx = make_context(state)
    for number, (name, debt) in enumerate(zip(names, debts, strict=True)):
        sold = AssetAmount(debt, usd)
        wanted = AssetAmount(debt * (105 + number * 13 % 16) // 10, CORE_ASSET)
        apply(ctx, LimitOrderCreate(NO_FEE, state.account_named(name).id, sold, wanted))
    state.log.finish()
    return state, usd


def fill_seconds(state: State, usd: AssetId) -> float:
    """CPU time per fill of one boundary and the check of its invariants; it is undone after."""
    ctx = make_context(state)
    ctx.mark_dirty(usd)
    gc.collect()
    state.log.begin()
    start = process_time()
    run_boundary(ctx)
    revision = state.log.finish()
    check_block(state, revision)
    seconds = process_time() - start
    state.log.revert(revision)
    assert state.positions.count(usd) == len(state.call_orders)
    records = sum(isinstance(entry.op, FillOrder) for entry in ctx.applied)
    return seconds / (records / RECORDS_A_FILL)
