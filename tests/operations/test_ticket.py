"""Tickets: CORE that is locked, works up and down, is paid back, or stays locked for ever."""

from __future__ import annotations

import pytest

from node.chain.invariants import check_all
from node.evaluators.ticket_life import DOWNGRADE_S, process_due_tickets
from node.history.impacted import accounts_of_operation
from node.state.context import Context
from node.state.errors import (
    InsufficientBalance,
    InvariantViolated,
    LimitExceeded,
    NoSuchObject,
    OwnerMismatch,
)
from node.state.lock_errors import TicketLockedForever, TicketTargetUnchanged
from node.state.objects.accounts import TicketFigures
from node.state.objects.tickets import (
    CHARGING,
    MULTIPLIERS,
    NEVER,
    STABLE,
    WITHDRAWING,
    Ticket,
)
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET, CORE_UNIT
from protocol.errors import ValidationError
from protocol.fee_schedule import FlatFee
from protocol.fees import DEFAULT_FEE_SCHEDULE, ZERO_FEE_SCHEDULE, required_fee, with_parameters
from protocol.ids import AccountId, AssetId, ObjectId, TicketId
from protocol.operations.authorities import required_authorities
from protocol.operations.base import Operation
from protocol.operations.results import GenericOperationResult, VoidResult
from protocol.operations.ticket import TicketCreate, TicketType, TicketUpdate
from tests.support.api import ChainBackend, Client
from tests.support.chain import TestChain
from tests.support.state import apply, core, expect, make_context, make_state
from tests.support.world import ALICE, BOB, GENESIS_TIME

DAY = 86_400
FIRST, SECOND = TicketId(0), TicketId(1)


@pytest.fixture
def ctx() -> Context:
    """Alice and bob have 1000 CORE each."""
    return make_context(make_state("alice", "bob", core=1000))


def create(target: int, amount: int = 100, account: AccountId = ALICE) -> TicketCreate:
    return TicketCreate(NO_FEE, account, target, core(amount))


def update(
    target: int, part: int | None = None, ticket: TicketId = FIRST, account: AccountId = ALICE
) -> TicketUpdate:
    return TicketUpdate(NO_FEE, ticket, account, target, None if part is None else core(part))


def at(ctx: Context, day: int) -> None:
    """The boundary of a block, days after the beginning."""
    ctx.now = GENESIS_TIME + day * DAY
    head = ctx.state.dynamic_properties.rows[0]
    head.time = ctx.now
    process_due_tickets(ctx)
    check_all(ctx.state)


def looks(ctx: Context, number: TicketId = FIRST) -> tuple[int, int, int, int | None, int | None]:
    """Type, status, value, days of its next time and of its next fall; None: never."""
    found = ctx.state.tickets.get(number)
    days = [
        None if time == NEVER else (time - GENESIS_TIME) // DAY
        for time in (found.next_auto_update_time, found.next_type_downgrade_time)
    ]
    return found.current_type, found.status, found.value, days[0], days[1]


def figures(ctx: Context, account: AccountId = ALICE) -> TicketFigures | None:
    return ctx.state.statistics_of(account).tickets


def balance(ctx: Context, account: AccountId = ALICE) -> int:
    return ctx.state.balance_of(account, CORE_ASSET)


def test_five_types() -> None:
    """K1.1: what a unit is worth, and how long a ticket that falls stays where it falls to."""
    assert list(MULTIPLIERS) == [0, 2, 4, 8, 8]
    assert [seconds // DAY for seconds in DOWNGRADE_S] == [180, 180, 360]
    assert [one.name.lower() for one in TicketType] == [
        "liquid", "lock_180_days", "lock_360_days", "lock_720_days", "lock_forever",
    ]  # fmt: skip


def test_a_new_ticket(ctx: Context) -> None:
    """K1.2, K2.1, K3.4: it holds the amount, counts as locked, and charges without value."""
    assert apply(ctx, create(3)) == ObjectId(1, 18, 0)
    assert looks(ctx) == (0, CHARGING, 0, 15, None)
    assert ctx.state.tickets.get(FIRST).target_type == 3
    assert figures(ctx) == TicketFigures(total_core_pol=100)
    assert balance(ctx) == 900
    assert ctx.state.tickets_of_account.items(ALICE) == [ctx.state.tickets.get(FIRST)]
    error = expect(ctx, InsufficientBalance, create(1, 901))
    assert (error.value, error.limit, error.rule) == (900, 901, "K2.1")
    apply(ctx, create(4, 900))
    check_all(ctx.state)


@pytest.mark.parametrize(
    "op",
    [
        create(0),
        create(5),
        create(1, 0),
        TicketCreate(NO_FEE, ALICE, 1, AssetAmount(1, AssetId(1))),
        TicketCreate(core(-1), ALICE, 1, core(1)),
        update(5),
        update(1, 0),
        TicketUpdate(NO_FEE, FIRST, ALICE, 1, AssetAmount(1, AssetId(1))),
        TicketUpdate(core(-1), FIRST, ALICE, 1),
    ],
    ids=str,
)
def test_what_no_chain_takes(op: Operation) -> None:
    """K2.1, K2.2."""
    with pytest.raises(ValidationError):
        op.validate()


def test_fees_and_who_signs() -> None:
    """K2.4: 50 CORE whatever the schedule says, times its scale; the owner signs and is told."""
    schedule = with_parameters(DEFAULT_FEE_SCHEDULE, 57, FlatFee(7))
    for op in (create(1), update(2)):
        assert required_fee(op, schedule) == 50 * CORE_UNIT
        assert required_fee(op, ZERO_FEE_SCHEDULE) == 0
        assert required_authorities(op).active == (ALICE,)
        assert accounts_of_operation(op, VoidResult()) == (ALICE,)


def test_up_to_720_days_and_back(ctx: Context) -> None:
    """K1.3, K2.3, K3.1, K3.2: a step in 15 days up; 360, 180 and 180 days down, then it is paid."""
    apply(ctx, create(3))
    at(ctx, 14)
    assert looks(ctx) == (0, CHARGING, 0, 15, None)
    at(ctx, 15)
    assert looks(ctx) == (1, CHARGING, 200, 30, None)
    at(ctx, 30)
    assert looks(ctx) == (2, CHARGING, 400, 45, None)
    at(ctx, 45)
    assert looks(ctx) == (3, STABLE, 800, None, None)
    assert figures(ctx) == TicketFigures(total_core_pol=100, total_pol_value=800)
    at(ctx, 100)
    assert apply(ctx, update(0)) == GenericOperationResult(updated_objects=(ObjectId(1, 18, 0),))
    assert looks(ctx) == (2, WITHDRAWING, 400, 460, 460)
    at(ctx, 460)
    assert looks(ctx) == (1, WITHDRAWING, 200, 640, 640)
    at(ctx, 640)
    assert looks(ctx) == (0, WITHDRAWING, 0, 820, 820)
    at(ctx, 819)
    assert balance(ctx) == 900
    at(ctx, 820)
    assert balance(ctx) == 1000
    assert figures(ctx) is None
    assert len(ctx.state.tickets) == 0


def test_a_late_block_catches_up(ctx: Context) -> None:
    """K3.1: times go on from when they were due, the earliest first, the older first at one."""
    apply(ctx, create(3))
    apply(ctx, create(2))
    at(ctx, 44)
    assert looks(ctx) == (2, CHARGING, 400, 45, None)
    assert looks(ctx, SECOND) == (2, STABLE, 400, None, None)
    apply(ctx, update(0))
    at(ctx, 2_000)
    assert [item.id for item in ctx.state.tickets.in_order()] == [SECOND]


def test_falling_to_a_type_in_between(ctx: Context) -> None:
    """K3.2: a ticket that has fallen to its target rests there once its time there is over."""
    apply(ctx, create(3))
    at(ctx, 45)
    apply(ctx, update(1))
    assert looks(ctx) == (2, WITHDRAWING, 400, 405, 405)
    at(ctx, 405)
    assert looks(ctx) == (1, WITHDRAWING, 200, 585, 585)
    at(ctx, 585)
    assert looks(ctx) == (1, STABLE, 200, None, None)


def test_giving_up_before_the_first_step(ctx: Context) -> None:
    """K2.3: 7 days, whatever the target was; a liquid one is paid back then."""
    apply(ctx, create(3))
    at(ctx, 3)
    apply(ctx, update(0))
    assert looks(ctx) == (0, WITHDRAWING, 0, 10, 10)
    at(ctx, 10)
    assert balance(ctx) == 1000
    apply(ctx, create(3))
    at(ctx, 25)
    apply(ctx, update(1, ticket=SECOND))
    assert looks(ctx, SECOND) == (1, WITHDRAWING, 200, 32, 32)
    at(ctx, 32)
    assert looks(ctx, SECOND) == (1, STABLE, 200, None, None)


def test_a_time_to_fall_is_kept_while_it_charges(ctx: Context) -> None:
    """K2.3, K2.2: turned back after that time, it falls at once, and may even be paid back."""
    apply(ctx, create(1))
    at(ctx, 5)
    apply(ctx, update(0))
    apply(ctx, update(2))
    assert looks(ctx) == (0, CHARGING, 0, 20, 12)
    at(ctx, 6)
    apply(ctx, update(3))
    assert looks(ctx) == (0, CHARGING, 0, 20, 12), "it charges already"
    at(ctx, 13)
    assert apply(ctx, update(0)) == GenericOperationResult(removed_objects=(ObjectId(1, 18, 0),))
    assert balance(ctx) == 1000
    check_all(ctx.state)


def test_a_step_up_forgets_the_fall(ctx: Context) -> None:
    """K3.2."""
    apply(ctx, create(2))
    at(ctx, 30)
    apply(ctx, update(0))
    assert looks(ctx) == (1, WITHDRAWING, 200, 210, 210)
    apply(ctx, update(2))
    assert looks(ctx) == (1, CHARGING, 200, 45, 210)
    at(ctx, 45)
    assert looks(ctx) == (2, STABLE, 400, None, None)


def test_for_ever(ctx: Context) -> None:
    """K3.3, K3.4: 8, 6, 4, 2, 0 times the amount; nothing is changed and nothing paid back."""
    apply(ctx, create(4))
    at(ctx, 59)
    assert looks(ctx) == (3, CHARGING, 800, 60, None)
    at(ctx, 60)
    for step, value in enumerate((800, 600, 400, 200)):
        assert looks(ctx) == (4, WITHDRAWING, value, 240 + 180 * step, None)
        assert figures(ctx) == TicketFigures(total_core_pob=100, total_pob_value=value)
        assert ctx.state.dynamic.total_pob == 100
        expect(ctx, TicketLockedForever, update(0))
        at(ctx, 240 + 180 * step)
    assert looks(ctx) == (4, STABLE, 0, None, None)
    assert figures(ctx) == TicketFigures(total_core_inactive=100)
    assert (ctx.state.dynamic.total_pob, ctx.state.dynamic.total_inactive) == (0, 100)
    at(ctx, 10_000)
    assert balance(ctx) == 900


def test_who_changes_what(ctx: Context) -> None:
    """K2.2: in the order of the checks; the whole amount is no part."""
    apply(ctx, create(2))
    expect(ctx, NoSuchObject, update(1, ticket=SECOND))
    assert expect(ctx, OwnerMismatch, update(2, 101, account=BOB)).rule == "K2.2"
    assert expect(ctx, TicketTargetUnchanged, update(2, 101)).value == "LOCK_360_DAYS"
    error = expect(ctx, LimitExceeded, update(1, 101))
    assert (error.value, error.limit, error.unit) == (101, 100, "1.3.0")
    apply(ctx, update(1, 100))
    assert len(ctx.state.tickets) == 1


def test_a_split(ctx: Context) -> None:
    """K2.2: the part gets the new target and a number of its own; all else is alike."""
    apply(ctx, create(3))
    at(ctx, 20)
    result = apply(ctx, update(1, 30))
    assert result == GenericOperationResult((ObjectId(1, 18, 1),), (ObjectId(1, 18, 0),))
    assert looks(ctx) == (1, CHARGING, 140, 30, None)
    assert looks(ctx, SECOND) == (1, WITHDRAWING, 60, 27, 27)
    assert ctx.state.tickets.get(FIRST).amount == core(70)
    assert figures(ctx) == TicketFigures(total_core_pol=100, total_pol_value=200)
    check_all(ctx.state)


def test_a_split_that_is_paid_back_at_once(ctx: Context) -> None:
    """K2.2: it is new and removed, and no ticket is updated but the old one."""
    apply(ctx, create(1))
    at(ctx, 5)
    apply(ctx, update(0))
    apply(ctx, update(2))
    at(ctx, 13)
    assert apply(ctx, update(0, 40)) == GenericOperationResult(
        (ObjectId(1, 18, 1),), (ObjectId(1, 18, 0),), (ObjectId(1, 18, 1),)
    )
    assert (balance(ctx), figures(ctx)) == (940, TicketFigures(total_core_pol=60))


def test_no_time_is_beyond_all_times(ctx: Context) -> None:
    """K1.2: a step that would come after 2106 never comes."""
    ctx.now = NEVER - DAY
    apply(ctx, create(1))
    assert ctx.state.tickets.get(FIRST).next_auto_update_time == NEVER
    ctx.now = NEVER
    assert process_due_tickets(ctx) == (set(), set())


def test_a_chain_pays_back_before_it_counts_votes() -> None:
    """K3.1: at the boundary, without a record; a popped block takes all back."""
    chain = TestChain("alice", core=1000)
    chain.block()
    alice = chain.account("alice")
    chain.block(TicketCreate(NO_FEE, alice, 1, chain.amount(400)))
    chain.block(TicketUpdate(NO_FEE, FIRST, alice, 0))
    before = chain.chain.state_hash()
    applied = chain.block_at(chain.chain.head_time + 8 * DAY)
    assert chain.state.dynamic.maintenance_flag
    assert applied.operations == []
    statistics = chain.state.statistics_of(alice)
    assert (statistics.core_in_balance, statistics.tickets) == (1000, None)
    with chain.chain.head_state() as state:
        state.log.revert(applied.revision)
        assert state.state_hash() == before
        assert state.tickets.get(FIRST).status == WITHDRAWING


def broken(ticket: Ticket, name: str, value: object) -> None:
    setattr(ticket, name, value)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("amount", core(101), "I2"),
        ("value", 1, "K6.1"),
        ("next_auto_update_time", GENESIS_TIME, "K6.1"),
        ("current_type", 4, "K6.1"),
    ],
)
def test_what_holds_is_checked(ctx: Context, name: str, value: object, rule: str) -> None:
    """K6.1, I2: amounts, values, times, figures of accounts and of the chain."""
    apply(ctx, create(3))
    check_all(ctx.state)
    ctx.state.dynamic_properties.rows[0].head_block_number = 1
    broken(ctx.state.tickets.get(FIRST), name, value)
    with pytest.raises(InvariantViolated) as found:
        check_all(ctx.state)
    assert found.value.rule == rule


def test_the_chain_s_sums_are_checked(ctx: Context) -> None:
    """K6.1."""
    apply(ctx, create(4))
    at(ctx, 60)
    ctx.state.dynamic_properties.rows[0].total_pob = 99
    with pytest.raises(InvariantViolated, match="locked for ever"):
        check_all(ctx.state)


def test_clients_ask_for_tickets() -> None:
    """K5.1, K1.2: words for types and status, from an id on, at most 101, all optional."""
    backend = ChainBackend(TestChain("alice", "bob", core=1000))
    backend.produce()
    chain, client = backend.test_chain, Client(backend)
    client.call("set_subscribe_callback", 9, False)
    client.call("get_full_accounts", ["alice"], True)
    for name in ("alice", "bob", "alice"):
        backend.produce(TicketCreate(NO_FEE, chain.account(name), 1, chain.amount(5)))
    told = [item for _, (objects,) in client.notices() for item in objects]
    assert {"1.18.0", "1.18.2"} <= {item["id"] for item in told if item["id"][:5] == "1.18."}
    found = client.call("list_tickets")
    assert [item["id"] for item in found] == ["1.18.0", "1.18.1", "1.18.2"]
    assert found[0] | {"next_auto_update_time": ""} == {
        "id": "1.18.0",
        "account": found[0]["account"],
        "target_type": "lock_180_days",
        "amount": {"amount": 5, "asset_id": "1.3.0"},
        "current_type": "liquid",
        "status": "charging",
        "value": 0,
        "next_auto_update_time": "",
        "next_type_downgrade_time": "2106-02-07T06:28:15",
    }
    assert [item["id"] for item in client.call("list_tickets", 1, "1.18.1")] == ["1.18.1"]
    own = client.call("get_tickets_by_account", "alice", None, "1.18.1")
    assert [item["id"] for item in own] == ["1.18.2"]
    assert client.refuse("list_tickets", 102)["code"] == -32602
    statistics = client.call("get_full_accounts", ["alice"], False)[0][1]["statistics"]
    assert (statistics["total_core_pol"], statistics["total_pol_value"]) == (10, 0)
    dynamic = client.call("get_dynamic_global_properties")
    assert (dynamic["total_pob"], dynamic["total_inactive"]) == (0, 0)
