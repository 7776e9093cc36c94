"""Workers: projects to be paid from the reserve, once they are voted for (R8.14, R8.15)."""

from __future__ import annotations

from node.evaluators.membership import check_lifetime_member, next_vote_id
from node.state.context import Context
from node.state.errors import LimitExceeded
from node.state.objects.governance import BurnWorker, RefundWorker, VestingWorker, Worker
from node.state.objects.vesting import BALANCE_WORKER, CddVesting, VestingBalance
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET, SECONDS_PER_DAY
from protocol.ids import ObjectId, VestingBalanceId
from protocol.operations.account import WORKER_VOTE
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
            "work begins in the past", rule="R8.15", value=op.work_begin_date, limit=ctx.now
        )


def apply_worker_create(ctx: Context, op: WorkerCreate, checked: None) -> ObjectId:
    """Create the worker, and the vesting balance of one that is paid into it.

    BitShares once counted votes against workers and still gives each a second vote id for them.
    """
    state = ctx.state
    vote_for = next_vote_id(state, WORKER_VOTE)
    next_vote_id(state, WORKER_VOTE)
    worker_id = state.workers.next_id
    state.workers.create(
        Worker(
            id=worker_id,
            worker_account=op.owner,
            work_begin_date=op.work_begin_date,
            work_end_date=op.work_end_date,
            daily_pay=op.daily_pay,
            worker=_kind(ctx, op),
            vote_for=vote_for,
            total_votes_for=0,
            name=op.name,
            url=op.url,
        )
    )
    return state.workers.object_id(worker_id)


def _kind(ctx: Context, op: WorkerCreate) -> RefundWorker | VestingWorker | BurnWorker:
    initializer = op.initializer
    if isinstance(initializer, VestingBalanceWorkerInitializer):
        return VestingWorker(_create_pay_balance(ctx, op, initializer.pay_vesting_period_days))
    if isinstance(initializer, RefundWorkerInitializer):
        return RefundWorker(0)
    return BurnWorker(0)


def _create_pay_balance(ctx: Context, op: WorkerCreate, days: int) -> VestingBalanceId:
    table = ctx.state.vesting_balances
    created = table.create(
        VestingBalance(
            id=table.next_id,
            owner=op.owner,
            balance=AssetAmount(0, CORE_ASSET),
            policy=CddVesting(
                vesting_seconds=days * SECONDS_PER_DAY,
                start_claim=0,
                coin_seconds_earned=0,
                coin_seconds_earned_last_update=ctx.now,
            ),
            balance_type=BALANCE_WORKER,
        )
    )
    return created.id
