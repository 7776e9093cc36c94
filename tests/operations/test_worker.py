"""Workers: who may propose one, what it gets, and that its votes are counted."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.chain.invariants import check_all
from node.state.context import Context
from node.state.errors import LimitExceeded, NoSuchObject, NotAuthorized
from node.state.objects.governance import BurnWorker, RefundWorker, VestingWorker
from node.state.objects.vesting import BALANCE_WORKER, CddVesting
from protocol.asset import NO_FEE
from protocol.constants import CORE_ASSET, MAX_SUPPLY, SECONDS_PER_DAY
from protocol.errors import ValidationError
from protocol.ids import AccountId, ObjectId, VestingBalanceId, WorkerId, vote_id
from protocol.operations.account import WORKER_VOTE, AccountOptions, AccountUpdate
from protocol.operations.worker import (
    BurnWorkerInitializer,
    RefundWorkerInitializer,
    VestingBalanceWorkerInitializer,
    WorkerCreate,
)
from tests.support.chain import TestChain
from tests.support.state import add_account, apply, core, expect, make_context, make_state
from tests.support.world import ALICE, GENESIS_TIME, key_of

DAY = SECONDS_PER_DAY


@pytest.fixture
def ctx() -> Context:
    return make_context(make_state("alice", core=1000))


def work(**changes: object) -> WorkerCreate:
    op = WorkerCreate(
        NO_FEE,
        ALICE,
        GENESIS_TIME,
        GENESIS_TIME + 30 * DAY,
        50_000,
        "Better docs",
        "https://docs.example",
        VestingBalanceWorkerInitializer(2),
    )
    return replace(op, **changes)


def test_a_worker_that_is_paid_has_a_vesting_balance(ctx: Context) -> None:
    """R8.15: of its account, empty, and vesting for the days that it states."""
    assert apply(ctx, work()) == ObjectId(1, 14, 0)
    worker = ctx.state.workers.get(WorkerId(0))
    assert (worker.worker_account, worker.daily_pay, worker.name) == (ALICE, 50_000, "Better docs")
    assert worker.worker == VestingWorker(VestingBalanceId(0))
    balance = ctx.state.vesting_balances.get(VestingBalanceId(0))
    assert (balance.owner, balance.balance, balance.balance_type) == (
        ALICE,
        core(0),
        BALANCE_WORKER,
    )
    assert balance.policy == CddVesting(2 * DAY, 0, 0, GENESIS_TIME)
    check_all(ctx.state)


def test_refund_and_burn_workers_have_none(ctx: Context) -> None:
    """R8.15."""
    apply(ctx, work(initializer=RefundWorkerInitializer()))
    apply(ctx, work(initializer=BurnWorkerInitializer()))
    kinds = [worker.worker for worker in ctx.state.workers.in_order()]
    assert kinds == [RefundWorker(0), BurnWorker(0)]
    assert len(ctx.state.vesting_balances) == 0


def test_each_worker_takes_two_vote_ids(ctx: Context) -> None:
    """R8.11: one for, and the one that BitShares used for votes against."""
    apply(ctx, work())
    apply(ctx, work())
    votes = [worker.vote_for for worker in ctx.state.workers.in_order()]
    assert votes == [vote_id(WORKER_VOTE, 0), vote_id(WORKER_VOTE, 2)]
    assert ctx.state.properties.next_available_vote_id == 4


def test_only_lifetime_members_work(ctx: Context) -> None:
    """R9.6."""
    basic = add_account(ctx.state, "basic", lifetime=False)
    expect(ctx, NotAuthorized, work(owner=basic))
    expect(ctx, NoSuchObject, work(owner=AccountId(99)))


def test_work_begins_now_or_later(ctx: Context) -> None:
    """R8.15: the parent's time itself is allowed."""
    error = expect(ctx, LimitExceeded, work(work_begin_date=GENESIS_TIME - 1))
    assert (error.value, error.limit) == (GENESIS_TIME - 1, GENESIS_TIME)
    apply(ctx, work())


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"work_end_date": GENESIS_TIME}, GENESIS_TIME),
        ({"daily_pay": 0}, 1),
        ({"daily_pay": MAX_SUPPLY}, MAX_SUPPLY - 1),
        ({"name": "é" * 31 + "x"}, 62),
        ({"url": "x" * 127}, 126),
        ({"fee": core(-1)}, 0),
    ],
)
def test_senseless_workers_are_refused(changes: dict[str, object], limit: int) -> None:
    """R8.15: it ends after it begins, is paid, and has a short name and URL."""
    with pytest.raises(ValidationError) as caught:
        work(**changes).validate()
    assert caught.value.limit == limit
    work(name="é" * 31, url="x" * 126, daily_pay=MAX_SUPPLY - 1).validate()


def test_a_worker_is_voted_for_and_paid() -> None:
    """R8.11, R8.14: the pay of the interval, into its vesting balance."""
    chain = TestChain("alice", core=10**10)
    chain.block()
    state = chain.state
    alice = state.account_named("alice").id
    begin, end = state.dynamic.time, state.dynamic.time + 30 * DAY
    chain.block(work(owner=alice, work_begin_date=begin, work_end_date=end, daily_pay=24_000))
    worker = state.workers.get(WorkerId(0))
    chain.block(
        AccountUpdate(
            NO_FEE, alice, new_options=AccountOptions(key_of("alice"), votes=(worker.vote_for,))
        )
    )
    before, start = state.balance_of(alice, CORE_ASSET), state.dynamic.last_budget_time
    chain.block_at(state.dynamic.next_maintenance_time)
    assert worker.total_votes_for == before
    assert isinstance(worker.worker, VestingWorker)
    pay = 24_000 * (state.dynamic.last_budget_time - start) // DAY
    assert pay > 0
    assert state.vesting_balances.get(worker.worker.balance).balance == core(pay)
