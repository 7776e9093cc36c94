"""Whose call is worked on next: fair queuing over clients, and that only while others wait (T-A2).

Work is done in slices, and what a slice took is the client's cost. `Client.served_until` says up to
which virtual time a client has had its share of this node; who is least far is next. Virtual time
is where the client stands who was served last. So a client that asks for little is ahead of all
that ask for much, and one that is alone is never late, however much it asks for (start-time fair
queuing: Goyal, Vin and Cheng, 1996). Whoever pauses between two calls goes before those who never
do: a pause is worth a part of its time, and what a client saves up is limited.

Programs of this machine share an address without being one client: each connection is a client for
itself. Connections of strangers count for themselves too, but those of one group of addresses, a
/24 of IPv4 or a /48 of IPv6, have no more than `GROUP_SHARES` shares together, and what they had
outlives them.
"""

from __future__ import annotations

import heapq
import ipaddress
import math
from collections.abc import Callable, Generator
from operator import itemgetter
from typing import Generic, TypeVar

import msgspec

from protocol.schema import Mutable

T_co = TypeVar("T_co", covariant=True)

SLICE_S = 0.000_1
"""Time that one job may take at a stretch, up to its next step."""
ROUND_S = 0.000_1
"""Time of a round of the event loop after which no further slice begins..."""
AHEAD_ROUND_S = 0.002
"""...but of clients that have saved something up, who have this time for themselves."""
SAVED_S = 0.000_6
"""What a client may save up for later; a new one has as much."""
PAUSE_ROUNDS = 1
"""What is no pause: the answer goes in a round, and the next call is read in the next one..."""
PAUSE_MIN_S = 0.001
"""...nor is what it takes a program to read its answer and to send its next call."""
PAUSE_SHARES = 2
"""A client that pauses so many times as long as it is served, and `PAUSE_MIN_S`, is always ahead of
those who do not, however many they are."""
PATIENCE = 32
"""A job is left alone for at most about so many slices for each that waits, whoever comes anew."""
GROUP_SHARES = 4
GROUPS_KEPT = 1_000
"""Groups that are remembered before those without connections are forgotten, and what they had."""


class Group(Mutable):
    """Clients whose addresses lie close together."""

    is_local: bool
    members: int = 0
    served_until: float = -math.inf


class Client(Mutable, gc=True):
    """A connection, as far as fairness goes."""

    group: Group
    served_until: float
    paused_at: float = 0.0
    paused_in: int = 0
    """When, by the node's own time, and in which round, it was last worked for."""
    waiting: int = 0
    """Jobs of it that wait."""


class Job(Mutable, Generic[T_co], gc=True):
    """Work for a client; `is_over` once it has a result, has failed or was given up."""

    client: Client
    steps: Generator[None, None, T_co]
    declared_s: float = 0.0
    """What it costs beside its steps: to read, to wake and to send."""
    tell: Callable[[], object] = bool
    """Called when a job that had to wait is over."""
    results: list[T_co] = msgspec.field(default_factory=list)
    error: Exception | None = None
    spent_s: float = 0.0
    is_over: bool = False

    def result(self) -> T_co:
        """What it gave; raises what it failed with."""
        if self.error is not None:
            raise self.error
        return self.results[0]


def group_of(address: str) -> tuple[str, bool]:
    """The group of an IP address, and whether it is this machine's own."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    bits = 24 if found.version == 4 else 48
    return str(ipaddress.ip_network(f"{found}/{bits}", strict=False)), found.is_loopback


class FairQueue:
    """All clients and the jobs that wait. Sans-I/O: the shell calls `begin_round` in each round of
    its event loop, and `serve_waiting` in those in which jobs wait.

    `clock` is for the length of slices; `cpu_clock`, which may cost more to read, for what they
    cost: others that the machine ran meanwhile are no fault of the client.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        cpu_clock: Callable[[], float],
        group_of: Callable[[str], tuple[str, bool]] = group_of,
    ) -> None:
        self.clock = clock
        self.cpu_clock = cpu_clock
        self.group_of = group_of
        self.virtual_s = 0.0
        self.groups: dict[str, Group] = {}
        self._waiting: list[tuple[float, int, Job[object]]] = []
        self._serial = self._taken = 0
        self._rounds = 0
        self._left_s = ROUND_S
        self._left_ahead_s = AHEAD_ROUND_S
        self._sweep_at = GROUPS_KEPT

    def __len__(self) -> int:
        return len(self._waiting)

    # Clients.

    def open_client(self, address: str) -> Client:
        """A new connection from an IP address."""
        if len(self.groups) >= self._sweep_at:
            self._sweep()
        name, is_local = self.group_of(address)
        group = self.groups.get(name)
        if group is None:
            group = self.groups[name] = Group(is_local)
        group.members += 1
        return Client(group, self.newcomer_s, self.cpu_clock(), self._rounds)

    @property
    def newcomer_s(self) -> float:
        """Where a client stands that has asked for nothing yet: ahead of who never pauses."""
        return self.virtual_s - SAVED_S

    def close_client(self, client: Client) -> None:
        """The connection is gone."""
        client.group.members -= 1

    def charge(self, client: Client, seconds: float) -> None:
        """Add what was done for a client to what it has had."""
        group, earliest_s = client.group, self.virtual_s - SAVED_S
        client.served_until = max(client.served_until, earliest_s) + seconds
        if not group.is_local:
            group.served_until = max(group.served_until, earliest_s) + seconds / GROUP_SHARES

    # Rounds.

    def begin_round(self) -> None:
        """The event loop has looked for what arrived."""
        self._rounds += 1
        self._left_s, self._left_ahead_s = ROUND_S, AHEAD_ROUND_S

    def serve_at_once(self, job: Job[object]) -> bool:
        """Work on a job at once if it is next and the round has time; whether it is over.

        One that is not over waits.
        """
        self._credit_pause(job.client)
        tag = self._tag(job.client)
        is_next = not self._waiting or tag <= min(self.virtual_s, self._waiting[0][0])
        if is_next and self._has_time(tag):
            self._run_slice(job, tag)
        if not job.is_over:
            self._wait(job)
        return job.is_over

    def serve_waiting(self) -> None:
        """Work on the jobs that wait, in their order, for what is left of the round's time."""
        while self._waiting and self._has_time(self._waiting[0][0]):
            tag, job = self._take_next()
            self._run_slice(job, tag)
            if job.is_over:
                job.tell()
            else:
                self._wait(job)

    def give_up(self, job: Job[object]) -> None:
        """Forget a job that waits."""
        job.is_over = True
        job.steps.close()
        self._forget(job)

    def _credit_pause(self, client: Client) -> None:
        if not client.waiting and self._rounds - client.paused_in > PAUSE_ROUNDS:
            pause_s = self.cpu_clock() - client.paused_at - PAUSE_MIN_S
            client.served_until -= max(pause_s, 0.0) / PAUSE_SHARES

    def _is_ahead(self, tag: float) -> bool:
        return tag < self.virtual_s - SAVED_S / 2

    def _has_time(self, tag: float) -> bool:
        """Whether a client that stands there may be served in this round."""
        return (self._left_ahead_s if self._is_ahead(tag) else self._left_s) > 0

    def _tag(self, client: Client) -> float:
        saved_until = self.virtual_s - SAVED_S
        return max(saved_until, client.served_until, client.group.served_until)

    def _wait(self, job: Job[object]) -> None:
        self._serial += 1
        job.client.waiting += 1
        heapq.heappush(self._waiting, (self._tag(job.client), self._serial, job))

    def _take_next(self) -> tuple[float, Job[object]]:
        self._taken += 1
        if self._taken % PATIENCE == 0:
            _, serial, oldest = min(self._waiting, key=itemgetter(1))
            if self._serial - serial > PATIENCE * len(self._waiting):
                self._forget(oldest)
                return self.virtual_s, oldest
        tag, _, job = heapq.heappop(self._waiting)
        job.client.waiting -= 1
        return tag, job

    def _forget(self, job: Job[object]) -> None:
        job.client.waiting -= 1
        self._waiting = [entry for entry in self._waiting if entry[2] is not job]
        heapq.heapify(self._waiting)

    def _run_slice(self, job: Job[object], tag: float) -> None:
        """Go on for one slice with a job whose client stands there."""
        client, is_ahead = job.client, self._is_ahead(tag)
        self.virtual_s = max(self.virtual_s, tag)
        start_s = self.cpu_clock()
        end = self.clock() + SLICE_S
        try:
            while True:
                next(job.steps)
                if self.clock() >= end:
                    rest_s = SLICE_S - (self.cpu_clock() - start_s)
                    if rest_s <= 0:
                        break
                    end = self.clock() + rest_s
        except StopIteration as finish:
            job.results.append(finish.value)
            job.is_over = True
        except Exception as error:  # noqa: BLE001  # told to who waits for the result
            job.error = error
            job.is_over = True
        client.paused_at, client.paused_in = self.cpu_clock(), self._rounds
        seconds = client.paused_at - start_s
        job.spent_s += seconds
        if is_ahead:
            self._left_ahead_s -= seconds
        else:
            self._left_s -= seconds
        self.charge(client, seconds + job.declared_s if job.is_over else seconds)

    def _sweep(self) -> None:
        self.groups = {name: group for name, group in self.groups.items() if group.members}
        self._sweep_at = 2 * len(self.groups) + GROUPS_KEPT
