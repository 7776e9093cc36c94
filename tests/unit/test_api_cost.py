"""What clients cost, what survives their connections, and what follows."""

from __future__ import annotations

import pytest

from node.api.cost import (
    CONNECTION_COST,
    DELAY_MAX_S,
    FAILED_LOGIN_COST,
    GROUP_ALLOWANCE,
    GROUPS_KEPT,
    WAITING_MAX,
    ClientTooExpensive,
    CostLedger,
    CostLimits,
    group_of,
)

LIMITS = CostLimits(soft=1_000, hard=10_000, decay_per_s=100, local_discount=10)
STRANGER = "203.0.113.7"


@pytest.fixture
def ledger() -> CostLedger:
    return CostLedger(LIMITS)


def test_work_is_charged_by_calls_time_and_bytes(ledger: CostLedger) -> None:
    """T-A2: a tenth of a unit a call, a unit a millisecond, a unit for 5,000 bytes."""
    account = ledger.open(STRANGER, 0)
    assert account.cost(0) == CONNECTION_COST
    account.charge_work(10, 0.25, 50_000, 0)
    assert account.cost(0) == CONNECTION_COST + 1 + 250 + 10


def test_costs_decay_to_nothing(ledger: CostLedger) -> None:
    """T-A2: at a steady rate, and never below 0."""
    account = ledger.open(STRANGER, 10)
    account.charge(495, 10)
    assert account.cost(12.5) == pytest.approx(250)
    assert account.cost(100) == 0
    account.charge(1, 100)
    assert account.cost(100) == 1


@pytest.mark.parametrize(
    ("cost", "delay_s", "waiting"),
    [(1_000, 0.0, WAITING_MAX), (5_500, DELAY_MAX_S / 2, 50), (10_000, DELAY_MAX_S, 0)],
)
def test_between_the_limits_a_client_is_slowed(
    ledger: CostLedger, cost: int, delay_s: float, waiting: int
) -> None:
    """T-A2: delays rise to 2.5 s, and calls that may wait for blocks fall to none."""
    account = ledger.open(STRANGER, 0)
    account.charge(cost - CONNECTION_COST, 0)
    assert account.delay_s(0) == pytest.approx(delay_s)
    assert account.waiting_max(0) == waiting


def test_the_hard_limit_ends_a_connection(ledger: CostLedger) -> None:
    """T-A2: from the limit on, with the numbers."""
    account = ledger.open(STRANGER, 0)
    account.charge(9_990, 0)
    account.check(0)
    account.charge(5, 0)
    with pytest.raises(ClientTooExpensive) as refusal:
        account.check(0)
    assert (refusal.value.value, refusal.value.limit) == (10_000, 10_000)
    account.check(1)


@pytest.mark.parametrize("address", [STRANGER, "127.0.0.1"])
def test_a_new_connection_takes_up_what_the_last_one_cost(ledger: CostLedger, address: str) -> None:
    """T-A2: reconnecting gains nothing; what is taken up once is not taken up again."""
    first = ledger.open(address, 0)
    first.charge(50_000, 0)
    before = first.own.read(0)
    first.close(0)
    second = ledger.open(address, 1)
    assert second.own.read(1) >= min(before, LIMITS.hard) - LIMITS.decay_per_s
    third = ledger.open(address, 1)
    assert third.own.read(1) <= CONNECTION_COST


def test_what_is_left_behind_is_at_most_the_hard_limit(ledger: CostLedger) -> None:
    """T-A2: a group is shut out for minutes, not for days."""
    for _ in range(3):
        account = ledger.open("127.0.0.1", 0)
        account.charge(10**9, 0)
        account.close(0)
    assert ledger.open("127.0.0.1", 100).own.read(100) < LIMITS.soft


def test_connections_of_one_group_share_an_allowance(ledger: CostLedger) -> None:
    """T-A2: one /24 with many connections is slowed as a whole, its neighbours are not."""
    accounts = [ledger.open(f"203.0.113.{number}", 0) for number in range(50)]
    for account in accounts:
        account.charge(900, 0)
    share = 50 * (900 + CONNECTION_COST) / GROUP_ALLOWANCE
    assert accounts[0].cost(0) == pytest.approx(share)
    assert accounts[0].delay_s(0) > 0
    assert ledger.open("203.0.114.1", 0).delay_s(0) == 0


def test_programs_of_this_machine_pay_less_each_for_itself(ledger: CostLedger) -> None:
    """T-A2: loopback is not exempt, but a program does not pay for its neighbours."""
    greedy, honest = ledger.open("127.0.0.1", 0), ledger.open("127.0.0.1", 0)
    greedy.charge(60_000, 0)
    assert greedy.cost(0) == 6_000 + CONNECTION_COST / 10
    assert greedy.delay_s(0) > 0
    assert honest.delay_s(0) == 0


def test_five_failed_logins_are_slowed(ledger: CostLedger) -> None:
    """T-A6: a stranger who tries tokens waits for seconds, over connections."""
    delays = []
    for _ in range(5):
        account = ledger.open(STRANGER, 0)
        delays.append(account.delay_s(0))
        account.charge(FAILED_LOGIN_COST, 0)
        account.close(0)
    assert delays == sorted(delays)
    assert delays[0] == 0
    assert ledger.open(STRANGER, 0).delay_s(0) > 2


def test_accounting_can_be_switched_off() -> None:
    """A soft limit of 0: no delays, no end."""
    account = CostLedger(CostLimits(soft=0)).open(STRANGER, 0)
    account.charge(10**9, 0)
    account.check(0)
    assert (account.delay_s(0), account.waiting_max(0)) == (0, WAITING_MAX)


def test_groups_that_cost_nothing_are_forgotten(ledger: CostLedger) -> None:
    """T-A3: a stranger with many addresses does not fill the memory."""
    for number in range(20 * GROUPS_KEPT):
        address = f"10.{number >> 8 & 255}.{number & 255}.1"
        ledger.open(address, number).close(number)
    assert len(ledger.groups) <= 2 * GROUPS_KEPT


@pytest.mark.parametrize(
    ("address", "group", "is_local"),
    [
        ("203.0.113.7", "203.0.113.0/24", False),
        ("127.0.0.1", "127.0.0.0/24", True),
        ("::1", "::/48", True),
        ("2001:db8:1:2::3", "2001:db8:1::/48", False),
        ("fe80::1%eth0", "fe80::/48", False),
        ("::ffff:203.0.113.9", "203.0.113.0/24", False),
    ],
)
def test_groups_are_networks(address: str, group: str, is_local: bool) -> None:
    """T-A2: /24 and /48; an IPv4 address within IPv6 is one of IPv4."""
    assert group_of(address) == (group, is_local)
