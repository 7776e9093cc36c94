"""(d) A cascade of margin calls at one boundary."""

from __future__ import annotations

import statistics
from functools import partial

from node.app import settle_memory
from node.chain.invariants_incremental import check_block
from node.market.boundary import run_boundary
from node.state.context import Context
from node.state.database import State
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET
from protocol.ids import AssetId
from protocol.operations.limit_order import FillOrder, LimitOrderCreate
from tests.support.state import (
    FREE,
    add_bitasset,
    add_position,
    apply,
    make_context,
    make_state,
    set_feed,
)

from .measure import cpu_seconds, print_time, print_value

SIZES = (100, 1_000, 10_000)
ROUNDS = 3


def bench_cascade() -> None:
    """(d): every position is called by some bid; fills and the check of invariants, CPU time."""
    medians: dict[int, float] = {}
    for size in SIZES:
        state, usd = make_falling_market(size)
        settle_memory()
        fills = run_block(state, usd)
        rounds = max(ROUNDS, SIZES[-1] // (10 * size))
        seconds = [cpu_seconds(partial(run_block, state, usd)) / fills for _ in range(rounds)]
        medians[size] = statistics.median(seconds)
        print_time("d", f"{size:,} called positions, a fill", seconds, f"{fills:,} fills")
    growth = max(medians.values()) / medians[SIZES[0]]
    print_value("d", "cost of a fill, dearest to smallest cascade", f"{growth:.2f}", "at most 1.5")


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
        apply(ctx, LimitOrderCreate(FREE, state.account_named(name).id, sold, wanted))
    state.log.finish()
    return state, usd


def run_block(state: State, usd: AssetId) -> int:
    """One boundary with its invariants, taken back again; how many fills of positions it had."""
    ctx = make_context(state)
    ctx.mark_dirty(usd)
    state.log.begin()
    run_boundary(ctx)
    revision = state.log.finish()
    check_block(state, revision)
    state.log.revert(revision)
    return _count_fills(ctx)


def _count_fills(ctx: Context) -> int:
    return sum(isinstance(entry.op, FillOrder) for entry in ctx.applied) // 2
