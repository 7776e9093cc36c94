"""The budget of a maintenance interval: pay of witnesses and workers (R8.7, R8.14, R8.15)."""

from __future__ import annotations

from msgspec.structs import replace

from node.market.vesting import deposit, deposit_lazy
from node.state.balances import adjust_balance
from node.state.context import Context
from node.state.objects.governance import (
    BudgetFigures,
    BudgetRecord,
    RefundWorker,
    VestingWorker,
    Witness,
    Worker,
)
from node.state.objects.vesting import BALANCE_WITNESS
from protocol.asset import ceil_div
from protocol.chain_parameters import WITNESS_PAY_VESTING_S
from protocol.constants import (
    CORE_ASSET,
    CORE_CYCLE_RATE,
    CORE_CYCLE_RATE_BITS,
    MAX_AMOUNT,
    NULL_ACCOUNT,
    SECONDS_PER_DAY,
)


def pay_witness(ctx: Context, witness: Witness) -> None:
    """Pay for the block just built, as far as the budget reaches (R8.7)."""
    state = ctx.state
    pay = min(state.parameters.witness_pay_per_block, state.dynamic.witness_budget)
    if pay == 0:
        return
    state.dynamic_properties.edit(state.dynamic).witness_budget -= pay
    created = deposit_lazy(
        ctx, witness.pay_vb, witness.witness_account, pay, WITNESS_PAY_VESTING_S, BALANCE_WITNESS
    )
    if created is not None:
        state.witnesses.edit(witness).pay_vb = created


def total_budget(reserve: int, elapsed_s: int) -> int:
    """CORE that an interval may spend of the reserve: a fixed rate, rounded up (R8.14)."""
    spent = ceil_div(reserve * elapsed_s * CORE_CYCLE_RATE, 1 << CORE_CYCLE_RATE_BITS)
    return min(reserve, spent)


def process_budget(ctx: Context) -> None:
    """Set the witnesses' budget until the next maintenance, pay the workers (R8.14).

    What the last interval did not spend and the fees of the network return to the reserve first;
    the supply changes by the difference.
    """
    state = ctx.state
    dynamic = state.dynamic
    core = state.figures_of(CORE_ASSET)
    plan = _plan(ctx)
    leftover = _pay_workers(ctx, plan.worker_budget)

    spent = plan.witness_budget + plan.worker_budget - leftover
    delta = spent - plan.from_accumulated_fees - plan.from_unused_witness_budget
    state.asset_dynamic_data.edit(core)
    core.current_supply += delta
    core.accumulated_fees = 0
    state.dynamic_properties.edit(dynamic)
    dynamic.witness_budget = plan.witness_budget
    dynamic.last_budget_time = ctx.now
    record = replace(
        plan,
        leftover_worker_funds=leftover,
        supply_delta=delta,
        current_supply=core.current_supply,
    )
    record_id = state.budget_records.next_id
    state.budget_records.create(BudgetRecord(record_id, ctx.now, record))


def _plan(ctx: Context) -> BudgetFigures:
    """The figures before any worker is paid."""
    state = ctx.state
    dynamic, parameters = state.dynamic, state.parameters
    core = state.figures_of(CORE_ASSET)
    max_supply = state.assets.get(CORE_ASSET).options.max_supply
    unissued = max_supply - core.current_supply
    reserve = unissued + core.accumulated_fees + dynamic.witness_budget
    elapsed = ctx.now - dynamic.last_budget_time if dynamic.last_budget_time else 0
    total = total_budget(reserve, elapsed)

    remaining = dynamic.next_maintenance_time - ctx.now
    assert remaining >= 0, "the next maintenance lies ahead, or at the end of all time"
    blocks = ceil_div(remaining, parameters.block_interval)
    requested = min(parameters.witness_pay_per_block * blocks, MAX_AMOUNT)
    witness_budget = min(requested, total)
    worker_limit = parameters.worker_budget_per_day * remaining // SECONDS_PER_DAY
    return BudgetFigures(
        time_since_last_budget=elapsed,
        from_initial_reserve=unissued,
        from_accumulated_fees=core.accumulated_fees,
        from_unused_witness_budget=dynamic.witness_budget,
        requested_witness_budget=requested,
        total_budget=total,
        witness_budget=witness_budget,
        worker_budget=min(worker_limit, total - witness_budget),
        leftover_worker_funds=0,
        supply_delta=0,
        max_supply=max_supply,
        current_supply=core.current_supply,
    )


def _pay_workers(ctx: Context, budget: int) -> int:
    """Pay workers by votes, then age, until the budget is used; what is left (R8.14)."""
    elapsed = ctx.now - ctx.state.dynamic.last_budget_time
    active = [
        worker
        for worker in ctx.state.workers.in_order()
        if worker.work_begin_date <= ctx.now <= worker.work_end_date and worker.total_votes_for > 0
    ]
    for worker in sorted(active, key=lambda item: (-item.total_votes_for, item.id)):
        pay = min(budget, worker.daily_pay * elapsed // SECONDS_PER_DAY)
        if pay > 0:
            _pay_worker(ctx, worker, pay)
            budget -= pay
    return budget


def _pay_worker(ctx: Context, worker: Worker, pay: int) -> None:
    """Refund workers give their pay back, burning ones to nobody, others let it vest (R8.15)."""
    state, kind = ctx.state, worker.worker
    if isinstance(kind, VestingWorker):
        deposit(ctx, state.vesting_balances.get(kind.balance), pay)
        return
    if isinstance(kind, RefundWorker):
        state.asset_dynamic_data.edit(state.figures_of(CORE_ASSET)).current_supply -= pay
    else:
        adjust_balance(state, NULL_ACCOUNT, CORE_ASSET, pay)
    burned = replace(kind, total_burned=kind.total_burned + pay)
    state.workers.edit(worker).worker = burned
