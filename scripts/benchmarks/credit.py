"""(v) Credit deals: what one costs to be made, and to end by default or by itself, among many."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from functools import partial

from node.evaluators.base import apply_operation
from node.market.credit import settle_due_credit
from node.state.context import Context
from node.state.database import State
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import CORE_ASSET
from protocol.ids import AssetId, CreditOfferId
from protocol.operations.base import Operation
from protocol.operations.credit_offer import (
    AutoRepayment,
    CreditOfferAccept,
    CreditOfferAcceptExtensions,
    CreditOfferCreate,
    CreditOfferUpdate,
)
from tests.support.state import add_asset, issue, make_context, make_state
from tests.support.world import ALICE, BOB, GENESIS_TIME

from .measure import cpu_seconds, print_ratio, print_time

SIZES = (100, 100_000)
BATCH = 100
ROUNDS = 5
LONG_S = 10**6
SHORT_S = 10
OFFER = CreditOfferId(0)


def bench_credit() -> None:
    """(v): per deal, CPU time, without signatures."""
    states = {size: _with_deals(size) for size in SIZES}
    costs: dict[tuple[str, int], list[float]] = {}
    for _ in range(ROUNDS):
        for size, state in states.items():
            for what, seconds in _costs(state).items():
                costs.setdefault((what, size), []).append(seconds / BATCH)
    for (what, size), found in costs.items():
        print_time("v", f"a deal {what}, among {size:,}", found)
    small, large = (costs["defaults", size] for size in SIZES)
    growth = [dear / cheap for cheap, dear in zip(small, large, strict=True)]
    print_ratio("v", f"defaults among {SIZES[1]:,} / among {SIZES[0]}", growth, "at most 1.5")


def _with_deals(size: int) -> State:
    """A state in which as many deals of one offer last for long."""
    state = make_state("alice", "bob", core=10**12)
    state.log.begin()
    gold = add_asset(state, "GOLD")
    issue(state, BOB, AssetAmount(10**12, gold))
    ctx = make_context(state)
    accepted = ((gold, Price(AssetAmount(1, CORE_ASSET), AssetAmount(1, gold))),)
    terms = (CORE_ASSET, 10**11, 10_000, LONG_S, 0, True, GENESIS_TIME + LONG_S, accepted, ())
    _apply_all(ctx, [CreditOfferCreate(NO_FEE, ALICE, *terms)])
    _apply_all(ctx, [_borrow(gold, AutoRepayment.NONE)] * size)
    _apply_all(ctx, [CreditOfferUpdate(NO_FEE, ALICE, OFFER, max_duration_seconds=SHORT_S)])
    state.log.finish()
    return state


def _borrow(gold: AssetId, auto_repay: AutoRepayment) -> CreditOfferAccept:
    lent, locked = AssetAmount(100, CORE_ASSET), AssetAmount(100, gold)
    extensions = CreditOfferAcceptExtensions(auto_repay)
    return CreditOfferAccept(NO_FEE, BOB, OFFER, lent, locked, 10_000, 0, extensions)


def _costs(state: State) -> dict[str, float]:
    """Seconds of a batch of each kind, all taken back."""
    gold = state.asset_named("GOLD").id
    found: dict[str, float] = {}
    for what, auto_repay in (
        ("defaults", AutoRepayment.NONE),
        ("repays itself", AutoRepayment.ONLY_FULL),
    ):
        gc.collect()
        state.log.begin()
        loans = [_borrow(gold, auto_repay)] * BATCH
        before = len(state.credit_deals)
        found["is made"] = cpu_seconds(partial(_apply_all, make_context(state), loans))
        ctx = make_context(state, GENESIS_TIME + SHORT_S)
        found[what] = cpu_seconds(partial(settle_due_credit, ctx))
        assert len(state.credit_deals) == before, "all were due"
        state.log.undo()
    return found


def _apply_all(ctx: Context, operations: Sequence[Operation]) -> None:
    for op in operations:
        apply_operation(ctx, op)
