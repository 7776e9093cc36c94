"""(s) Hash time locks: what one costs to be made, redeemed, and given back, among many."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from functools import partial
from statistics import median

from msgspec.structs import replace

from node.evaluators.base import apply_operation
from node.market.boundary import run_boundary
from node.state.context import Context
from node.state.database import State
from protocol.asset import NO_FEE, AssetAmount
from protocol.chain_parameters import ChainParameters, ChainParametersExtensions, HtlcOptions
from protocol.constants import CORE_ASSET
from protocol.fees import ZERO_FEE_SCHEDULE
from protocol.ids import HtlcId
from protocol.operations.base import Operation
from protocol.operations.htlc import HtlcCreate, HtlcRedeem, hash_of_preimage
from tests.support.state import make_context, make_state
from tests.support.world import ALICE, BOB, GENESIS_TIME

from .measure import cpu_seconds, print_ratio, print_time

SIZES = (100, 10_000)
BATCH = 100
ROUNDS = 5
MAX_S = 10**6
SECRET = b"secret"


def bench_htlc() -> None:
    """(s): per contract, CPU time, without signatures."""
    states = {size: _with_contracts(size) for size in SIZES}
    costs: dict[tuple[str, int], list[float]] = {}
    for _ in range(ROUNDS):
        for size, state in states.items():
            for what, seconds in _costs(state).items():
                costs.setdefault((what, size), []).append(seconds / BATCH)
    for (what, size), found in costs.items():
        print_time("s", f"a lock {what}, among {size:,}", found)
    small, large = (costs["given back", size] for size in SIZES)
    growth = [dear / cheap for cheap, dear in zip(small, large, strict=True)]
    print_ratio("s", f"given back among {SIZES[1]:,} / among {SIZES[0]}", growth, "at most 1.5")


def _with_contracts(size: int) -> State:
    """A state in which as many contracts wait for long."""
    options = ChainParametersExtensions(HtlcOptions(MAX_S, 100))
    parameters = replace(ChainParameters(ZERO_FEE_SCHEDULE), extensions=options)
    state = make_state("alice", "bob", core=10**12, parameters=parameters)
    state.log.begin()
    ctx = make_context(state)
    for number in range(size):
        apply_operation(ctx, _lock(MAX_S - number % 97))
    state.log.finish()
    return state


def _lock(seconds: int) -> HtlcCreate:
    amount = AssetAmount(1, CORE_ASSET)
    return HtlcCreate(NO_FEE, ALICE, BOB, amount, hash_of_preimage(2, SECRET), 6, seconds)


def _costs(state: State) -> dict[str, float]:
    """Seconds of a batch of each kind, all taken back."""
    gc.collect()
    first = state.htlcs.next_id
    creates = [_lock(10) for _ in range(BATCH)]
    redeems = [HtlcRedeem(NO_FEE, HtlcId(first + n), BOB, SECRET) for n in range(BATCH)]
    state.log.begin()
    ctx = make_context(state)
    made = cpu_seconds(partial(_apply_all, ctx, creates))
    state.log.begin()
    redeemed = cpu_seconds(partial(_apply_all, ctx, redeems))
    state.log.undo()
    returned = median(_boundary_seconds(state, first) for _ in range(3))
    state.log.undo()
    return {"made": made, "redeemed": redeemed, "given back": returned}


def _apply_all(ctx: Context, operations: Sequence[Operation]) -> None:
    for op in operations:
        apply_operation(ctx, op)


def _boundary_seconds(state: State, first: int) -> float:
    """A boundary that gives all contracts of the batch back."""
    state.log.begin()
    ctx = make_context(state, GENESIS_TIME + 10)
    seconds = cpu_seconds(partial(run_boundary, ctx))
    assert state.htlcs.find(HtlcId(first)) is None, "all were due"
    state.log.undo()
    return seconds
