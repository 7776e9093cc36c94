"""Workers: projects to be paid from the reserve, once they are voted for (R8.14, R8.15)."""

from __future__ import annotations

from node.evaluators.membership import check_lifetime_member
from node.state.context import Context
from node.state.creation import create_vesting_balance, create_worker
from node.state.errors import LimitExceeded
from node.state.objects.governance import BurnWorker, RefundWorker, VestingWorker, WorkerPay
from node.state.objects.vesting import BALANCE_WORKER, CddVesting
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET, SECONDS_PER_DAY
from protocol.errors import TIME
from protocol.ids import ObjectId, VestingBalanceId
from protocol.operations.worker import (
    RefundWorkerInitializer,
    VestingBalanceWorkerInitializer,
    WorkerCreate,
)


def evaluate_worker_create(ctx: Context, op: WorkerCreate) -> None:
    """A lifetime member whose work has not begun (R8.15)."""
    check_lifetime_member(ctx.state.accounts.get(op.owner))
    if op.work_begin_date < ctx.now:
        raise LimitExceeded(
            "work begins in the past",
            rule="R8.15",
            value=op.work_begin_date,
            limit=ctx.now,
            unit=TIME,
        )


def apply_worker_create(ctx: Context, op: WorkerCreate, checked: None) -> ObjectId:
    """Create the worker, and the vesting balance of one that is paid into it."""
    state = ctx.state
    worker = create_worker(
        state,
        op.owner,
        _pay(ctx, op),
        begin=op.work_begin_date,
        end=op.work_end_date,
        daily_pay=op.daily_pay,
        name=op.name,
        url=op.url,
    )
    return state.workers.object_id(worker.id)


def _pay(ctx: Context, op: WorkerCreate) -> WorkerPay:
    initializer = op.initializer
    if isinstance(initializer, VestingBalanceWorkerInitializer):
        return VestingWorker(_create_pay_balance(ctx, op, initializer.pay_vesting_period_days))
    if isinstance(initializer, RefundWorkerInitializer):
        return RefundWorker(0)
    return BurnWorker(0)


def _create_pay_balance(ctx: Context, op: WorkerCreate, days: int) -> VestingBalanceId:
    policy = CddVesting(
        vesting_seconds=days * SECONDS_PER_DAY,
        start_claim=0,
        coin_seconds_earned=0,
        coin_seconds_earned_last_update=ctx.now,
    )
    nothing = AssetAmount(0, CORE_ASSET)
    created = create_vesting_balance(ctx.state, op.owner, nothing, policy, BALANCE_WORKER)
    return created.id
