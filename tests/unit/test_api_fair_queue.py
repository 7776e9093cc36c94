"""Who is served next, by a clock that moves with the work: no sockets, no real time (A9, A10)."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import repeat

import pytest

from node.api.fair_queue import (
    AHEAD_ROUND_S,
    GROUP_SHARES,
    GROUPS_KEPT,
    PATIENCE,
    PAUSE_MIN_S,
    PAUSE_SHARES,
    ROUND_S,
    SAVED_S,
    SLICE_S,
    Client,
    FairQueue,
    Job,
    group_of,
)

LOCAL = "127.0.0.1"
STRANGER = "203.0.113.7"
STEP_S = SLICE_S / 4
GREEDY = 10


class Machine:
    """A queue whose only time is that of the jobs, and what each client was served."""

    def __init__(self) -> None:
        self.now = 0.0
        self.queue = FairQueue(self.read, self.read)
        self.served: dict[int, float] = {}

    def read(self) -> float:
        return self.now

    def open(self, address: str = LOCAL) -> Client:
        client = self.queue.open_client(address)
        self.served[id(client)] = 0.0
        return client

    def steps(self, client: Client, seconds: Iterator[float]) -> Generator[None, None, str]:
        for one in seconds:
            self.now += one
            self.served[id(client)] += one
            yield
        return "done"

    def job(self, client: Client, *seconds: float) -> Job[str]:
        return Job(client, self.steps(client, iter(seconds)))

    def ask_for_ever(self, client: Client, step_s: float = STEP_S) -> None:
        """A job without end, which is waiting after it."""
        self.queue.serve_at_once(Job(client, self.steps(client, repeat(step_s))))

    def run(self, rounds: int) -> None:
        for _ in range(rounds):
            self.queue.begin_round()
            self.queue.serve_waiting()

    def run_for(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.run(1)

    def run_until_over(self, job: Job[str]) -> float:
        """The time until a job is over, from now."""
        start = self.now
        while not job.is_over:
            self.run(1)
        return self.now - start


@pytest.fixture
def machine() -> Machine:
    return Machine()


# Work conserving (A9).


@pytest.mark.parametrize("address", [LOCAL, STRANGER])
@pytest.mark.parametrize("step_s", [0.0, STEP_S, 50 * SLICE_S])
def test_a_lone_client_never_waits(machine: Machine, address: str, step_s: float) -> None:
    """A9: whatever it has asked for before; also in new connections, one after the other."""
    for number in range(10_000):
        if number % 100 == 0:
            client = machine.open(address)
        machine.queue.begin_round()
        job = machine.job(client, step_s)
        machine.queue.serve_at_once(job)
        assert machine.run_until_over(job) == 0
        assert job.result() == "done"
        if number % 100 == 99:
            machine.queue.close_client(client)
    assert machine.now == pytest.approx(10_000 * step_s)


def test_a_lone_long_job_gets_every_slice(machine: Machine) -> None:
    """A9: nothing is left unused while somebody wants it."""
    client = machine.open()
    job = machine.job(client, *[STEP_S] * 400)
    machine.queue.serve_at_once(job)
    machine.run_until_over(job)
    assert machine.now == pytest.approx(400 * STEP_S)


def test_one_waits_only_for_those_who_work_now(machine: Machine) -> None:
    """A9: whoever was greedy is served at once again when the others have gone."""
    greedy, other = machine.open(), machine.open()
    machine.ask_for_ever(greedy)
    job = machine.job(other, *[STEP_S] * 40)
    machine.queue.serve_at_once(job)
    machine.run_until_over(job)
    machine.queue.close_client(other)
    before = machine.served[id(greedy)], machine.now
    machine.run(100)
    assert machine.served[id(greedy)] - before[0] == pytest.approx(machine.now - before[1])


# Fair while others wait (A10).


@pytest.mark.parametrize("address", [LOCAL, STRANGER])
def test_who_asks_for_little_waits_for_one_slice(machine: Machine, address: str) -> None:
    """A10: beside ten greedy programs, over and over; the queue is never in its way."""
    honest = machine.open(address)
    for _ in range(GREEDY):
        machine.ask_for_ever(machine.open())
    for _ in range(200):
        machine.run(3 * GREEDY)
        machine.queue.begin_round()
        machine.queue.serve_waiting()
        job = machine.job(honest, STEP_S)
        machine.queue.serve_at_once(job)
        assert machine.run_until_over(job) <= SLICE_S + STEP_S


def test_a_connection_that_comes_anew_waits_no_longer(machine: Machine) -> None:
    """A10: HTTP without keep-alive, from the address of the greedy ones."""
    for _ in range(GREEDY):
        machine.ask_for_ever(machine.open())
    for _ in range(200):
        machine.run(3 * GREEDY)
        honest = machine.open()
        job = machine.job(honest, STEP_S)
        machine.queue.serve_at_once(job)
        assert machine.run_until_over(job) <= SLICE_S + STEP_S
        machine.queue.close_client(honest)


def test_a_client_that_pauses_waits_for_no_slice_of_greedy_ones(machine: Machine) -> None:
    """A10: beside ten of them, though it asks for half as much of the node's time as they."""
    honest = machine.open()
    for _ in range(GREEDY):
        machine.ask_for_ever(machine.open())
    machine.run(10)
    for _ in range(500):
        machine.run_for(PAUSE_MIN_S + PAUSE_SHARES * SLICE_S)
        start = machine.now
        job = machine.job(honest, 3 * STEP_S)
        machine.queue.serve_at_once(job)
        machine.run_until_over(job)
        assert machine.now - start == pytest.approx(3 * STEP_S)
    assert machine.served[id(honest)] / machine.now > 0.5 / (GREEDY + 1)


def test_clients_that_pause_are_served_in_the_round_they_come_in(machine: Machine) -> None:
    """A10: ten at the same time wait for each other, and for no slice of the greedy ones."""
    honest = [machine.open() for _ in range(10)]
    for _ in range(GREEDY):
        machine.ask_for_ever(machine.open())
    for _ in range(100):
        machine.run_for(PAUSE_MIN_S + len(honest) * PAUSE_SHARES * STEP_S)
        jobs = [machine.job(client, STEP_S) for client in honest]
        machine.queue.begin_round()
        for job in jobs:
            machine.queue.serve_at_once(job)
        assert all(job.is_over for job in jobs)


@pytest.mark.parametrize(("pause_s", "is_ahead"), [(PAUSE_MIN_S, False), (3 * PAUSE_MIN_S, True)])
def test_the_time_to_read_an_answer_is_no_pause(
    machine: Machine, pause_s: float, is_ahead: bool
) -> None:
    """A10: a program that asks again and again is not ahead of others because it is a slow one."""
    client = machine.open()
    for _ in range(GREEDY):
        machine.ask_for_ever(machine.open())
    for _ in range(20):
        job = machine.job(client, *[STEP_S] * 8)
        machine.queue.serve_at_once(job)
        machine.run_until_over(job)
        machine.run_for(pause_s - SLICE_S)
    job = machine.job(client, STEP_S)
    machine.queue.serve_at_once(job)
    assert job.is_over is is_ahead


def test_who_asks_again_at_once_has_not_paused(machine: Machine) -> None:
    """A10: calls one after the other, or many at a time, are worth no more than one without end."""
    steady, brief = machine.open(), machine.open()
    machine.ask_for_ever(steady)
    job = machine.job(brief, STEP_S)
    machine.queue.serve_at_once(job)
    for _ in range(4_000):
        if job.is_over:
            job = machine.job(brief, *[STEP_S] * 8)
            machine.queue.serve_at_once(job)
        machine.run(1)
    assert machine.served[id(brief)] / machine.now == pytest.approx(0.5, abs=0.05)


def test_a_slice_is_of_the_nodes_own_time() -> None:
    """A10: what other programs take of the machine amid a call does not send it to wait."""
    machine = Machine()
    stolen = 0.0

    def wall() -> float:
        nonlocal stolen
        stolen += 10 * SLICE_S
        return machine.now + stolen

    machine.queue.clock = wall
    machine.ask_for_ever(machine.open())
    job = machine.job(machine.open(), *[STEP_S / 10] * 10)
    machine.queue.begin_round()
    assert machine.queue.serve_at_once(job)


def test_greedy_clients_share_alike(machine: Machine) -> None:
    """A10: by time, not by calls: long steps are paid for by waiting."""
    clients = [machine.open() for _ in range(4)]
    for client, step_s in zip(clients, (STEP_S, SLICE_S, 7 * SLICE_S, 20 * SLICE_S), strict=True):
        machine.ask_for_ever(client, step_s)
    machine.run(10_000)
    shares = [machine.served[id(client)] / machine.now for client in clients]
    assert shares == pytest.approx([0.25] * 4, rel=0.05)


def test_declared_costs_count(machine: Machine) -> None:
    """A10: what a job costs beside its steps is paid for in the same way."""
    frugal, costly = machine.open(), machine.open()
    done = {id(frugal): 0, id(costly): 0}

    def ask(client: Client, declared_s: float) -> None:
        def again() -> None:
            done[id(client)] += 1
            ask(client, declared_s)

        job = machine.job(client, STEP_S)
        job.declared_s, job.tell = declared_s, again
        machine.queue._wait(job)

    ask(frugal, 0.0)
    ask(costly, 3 * STEP_S)
    machine.run(4_000)
    assert done[id(frugal)] / done[id(costly)] == pytest.approx(4, rel=0.05)


def test_a_slow_step_is_paid_for_before_the_next(machine: Machine) -> None:
    """A10: after 40 slices at a stretch, the other client has its 40 first."""
    greedy, other = machine.open(), machine.open()
    machine.queue.serve_at_once(machine.job(greedy, 40 * SLICE_S))
    machine.ask_for_ever(other)
    job = machine.job(greedy, STEP_S)
    machine.queue.serve_at_once(job)
    machine.run_until_over(job)
    assert machine.served[id(other)] == pytest.approx(40 * SLICE_S, rel=0.25)


def test_little_is_saved_up(machine: Machine) -> None:
    """A10: who comes back after long gets its share from then on, and hardly more."""
    first, idle = machine.open(), machine.open()
    machine.ask_for_ever(first)
    machine.run(1_000)
    before, start = machine.served[id(first)], machine.now
    machine.ask_for_ever(idle)
    machine.run(1_000)
    share = (machine.served[id(first)] - before) / (machine.now - start)
    assert share == pytest.approx(0.5, rel=0.05)


def test_new_connections_do_not_starve_the_others(machine: Machine) -> None:
    """A10: a flood of new local connections leaves a long call its part."""
    waiting = machine.open()
    machine.queue.serve_at_once(machine.job(waiting, 40 * SLICE_S))
    machine.ask_for_ever(waiting)
    for _ in range(2_000):
        machine.queue.begin_round()
        for _ in range(7):
            client = machine.open()
            machine.queue.serve_at_once(machine.job(client, STEP_S))
            machine.queue.close_client(client)
        machine.queue.serve_waiting()
    assert machine.served[id(waiting)] / machine.now > 0.4 / PATIENCE


def test_strangers_of_one_network_share_an_allowance(machine: Machine) -> None:
    """A10: twenty connections of one /24 get as much as four; others are not touched."""
    crowd = [machine.open(f"203.0.113.{number}") for number in range(20)]
    others = [machine.open("198.51.100.1"), machine.open()]
    for client in (*crowd, *others):
        machine.ask_for_ever(client)
    machine.run(20_000)
    crowded = sum(machine.served[id(client)] for client in crowd)
    for client in others:
        assert machine.served[id(client)] == pytest.approx(crowded / GROUP_SHARES, rel=0.1)


def test_what_strangers_had_outlives_their_connections(machine: Machine) -> None:
    """A10: to connect anew gains a stranger nothing."""
    steady = machine.open("198.51.100.1")
    machine.ask_for_ever(steady)
    for _ in range(2_000):
        client = machine.open(STRANGER)
        job = machine.job(client, STEP_S)
        machine.queue.begin_round()
        machine.queue.serve_at_once(job)
        machine.run_until_over(job)
        machine.queue.close_client(client)
    hopping = 2_000 * STEP_S
    assert hopping <= GROUP_SHARES * machine.served[id(steady)] * 1.1


# Rounds.


def test_a_round_is_short(machine: Machine) -> None:
    """T-A2: between two rounds the loop makes blocks, so no slice begins after `ROUND_S`."""
    for _ in range(GREEDY):
        machine.ask_for_ever(machine.open())
    machine.run(100)
    for _ in range(100):
        start = machine.now
        machine.run(1)
        assert 0 < machine.now - start < ROUND_S + SLICE_S + STEP_S


def test_a_round_is_of_work_and_not_of_what_is_declared(machine: Machine) -> None:
    """A9: what a call costs beside its steps is paid for, and makes nobody else wait a round."""
    clients = [machine.open() for _ in range(3)]
    for client in clients:
        machine.queue.charge(client, SAVED_S)
    jobs = [machine.job(client, STEP_S) for client in clients]
    machine.queue.begin_round()
    for job in jobs:
        job.declared_s = ROUND_S
        machine.queue.serve_at_once(job)
    assert all(job.is_over for job in jobs)


def test_a_round_serves_no_crowd_at_once(machine: Machine) -> None:
    """T-A2: a hundred short calls that come in together are spread over rounds, though all of them
    are of newcomers."""
    jobs = [machine.job(machine.open(), STEP_S) for _ in range(100)]
    machine.queue.begin_round()
    for job in jobs:
        machine.queue.serve_at_once(job)
    assert machine.now <= AHEAD_ROUND_S + STEP_S
    assert sum(job.is_over for job in jobs) == pytest.approx(AHEAD_ROUND_S / STEP_S, abs=1)
    machine.run(100)
    assert all(job.is_over for job in jobs)


def test_jobs_fail_for_themselves(machine: Machine) -> None:
    """What a job raises is told to who waits for it, and the next one is served."""

    def fail() -> Generator[None, None, str]:
        yield
        raise ValueError("a bug")

    client, told = machine.open(), []
    machine.ask_for_ever(machine.open())
    job = Job(client, fail(), tell=lambda: told.append("over"))
    machine.queue._wait(job)
    machine.run(3)
    assert told == ["over"]
    with pytest.raises(ValueError, match="a bug"):
        job.result()
    assert len(machine.queue) == 1


def test_a_job_that_is_given_up_is_gone(machine: Machine) -> None:
    """T-A2: it takes no time any more, and its generator is closed."""
    client, other = machine.open(), machine.open()
    job = machine.job(client, *[STEP_S] * 100)
    machine.queue.serve_at_once(job)
    machine.ask_for_ever(other)
    machine.queue.give_up(job)
    before = machine.served[id(client)]
    machine.run(10)
    assert machine.served[id(client)] == before
    assert len(machine.queue) == 1


# Groups.


def test_groups_without_connections_are_forgotten(machine: Machine) -> None:
    """T-A3: a stranger with many addresses does not fill the memory."""
    for number in range(20 * GROUPS_KEPT):
        client = machine.open(f"10.{number >> 8 & 255}.{number & 255}.1")
        machine.queue.begin_round()
        machine.queue.serve_at_once(machine.job(client, STEP_S))
        machine.queue.close_client(client)
    assert len(machine.queue.groups) <= 2 * GROUPS_KEPT


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
