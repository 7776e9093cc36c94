"""What clients cost this node, and what follows from it: delays, then the end (T-A2).

Costs are counted in units, of which one is about a millisecond of this node's time. They decay at a
steady rate. Above the soft limit a client's calls are delayed, and fewer of them may wait for
blocks; at the hard limit its connection ends. What a connection cost outlives it: the next one from
the same group of addresses, a /24 of IPv4 or a /48 of IPv6, takes it up. Many connections of one
group share an allowance of `GROUP_ALLOWANCE` connections.

Programs on this machine share their addresses without being one client, so they share no
allowance, and each costs `local_discount` times less; they are not exempt.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from node.api.errors import NotPossible

CONNECTION_COST = 5.0
CALL_COST = 0.1
BYTES_PER_UNIT = 5_000
UNITS_PER_SECOND = 1_000
"""Of the time that this node works for a client."""
FAILED_LOGIN_COST = 2_000.0
"""Five failures are worth a delay of seconds, from this machine after more."""
DELAY_MAX_S = 2.5
WAITING_MAX = 100
"""Calls of a cheap client that may wait for a block."""
GROUP_ALLOWANCE = 4
GROUPS_KEPT = 1_000
"""Groups that are remembered before those that cost nothing any more are looked for."""


@dataclass(frozen=True, slots=True)
class CostLimits:
    """Limits in units; a soft limit of 0 switches the accounting off."""

    soft: int = 1_000
    hard: int = 10_000
    decay_per_s: int = 100
    local_discount: int = 2


class ClientTooExpensive(NotPossible):
    """T-A2: the client cost more than the hard limit."""

    name = "client_too_expensive"


@dataclass(slots=True)
class Meter:
    """An amount that decays to 0."""

    decay_per_s: float
    amount: float = 0.0
    as_of: float = 0.0

    def add(self, amount: float, now: float) -> None:
        """Raise the amount."""
        self.amount = self.read(now) + amount
        self.as_of = now

    def read(self, now: float) -> float:
        """What is left of it."""
        return max(0.0, self.amount - (now - self.as_of) * self.decay_per_s)

    def take(self, now: float) -> float:
        """What is left of it; nothing stays."""
        amount, self.amount = self.read(now), 0.0
        return amount


@dataclass(slots=True)
class Group:
    """Clients whose addresses lie close together."""

    total: Meter
    """What all its connections cost, of late."""
    left_behind: Meter
    """What connections that are gone had cost; the next one takes it up."""
    is_local: bool
    members: int = 0


class ClientAccount:
    """The costs of one connection. Every `now` is in seconds, of one clock that never goes back."""

    __slots__ = ("group", "limits", "own")

    def __init__(self, group: Group, limits: CostLimits, now: float) -> None:
        self.group = group
        self.limits = limits
        self.own = Meter(limits.decay_per_s)
        self.own.add(group.left_behind.take(now), now)

    def charge(self, amount: float, now: float) -> None:
        """Add units."""
        if self.group.is_local:
            self.own.add(amount / self.limits.local_discount, now)
        else:
            self.own.add(amount, now)
            self.group.total.add(amount / GROUP_ALLOWANCE, now)

    def charge_work(self, calls: int, seconds: float, size: int, now: float) -> None:
        """Add what calls cost that took so long, and moved so many bytes in and out."""
        amount = calls * CALL_COST + seconds * UNITS_PER_SECOND + size / BYTES_PER_UNIT
        self.charge(amount, now)

    def cost(self, now: float) -> float:
        """The units that count now: the connection's own, or its share of the group's."""
        own = self.own.read(now)
        return own if self.group.is_local else max(own, self.group.total.read(now))

    def is_cheap(self, now: float) -> bool:
        """Whether the client is below the soft limit: then it is neither delayed nor refused."""
        soft = self.limits.soft
        return not soft or self.cost(now) <= soft

    def delay_s(self, now: float) -> float:
        """How long the next call is to wait before it is served."""
        return DELAY_MAX_S * self._excess(now)

    def waiting_max(self, now: float) -> int:
        """How many calls may wait for blocks at the same time."""
        return int(WAITING_MAX * (1 - self._excess(now)))

    def check(self, now: float) -> None:
        """Raise `ClientTooExpensive` from the hard limit on."""
        if self.limits.soft and (cost := self.cost(now)) >= self.limits.hard:
            raise ClientTooExpensive(
                "too many or too expensive calls",
                rule="T-A2",
                value=int(cost),
                limit=self.limits.hard,
            )

    def close(self, now: float) -> None:
        """The connection is gone; its cost stays behind, up to the hard limit."""
        left = self.group.left_behind
        room = self.limits.hard - left.read(now)
        left.add(min(self.own.read(now), room), now)
        self.group.members -= 1

    def _excess(self, now: float) -> float:
        """0 up to the soft limit, 1 from the hard limit on."""
        soft, hard = self.limits.soft, self.limits.hard
        return min(1.0, max(0.0, self.cost(now) - soft) / (hard - soft)) if soft else 0.0


class CostLedger:
    """The groups of all clients that cost anything of late."""

    def __init__(self, limits: CostLimits) -> None:
        self.limits = limits
        self.groups: dict[str, Group] = {}
        self._sweep_at = GROUPS_KEPT

    def open(self, address: str, now: float) -> ClientAccount:
        """The account of a new connection from an address."""
        if len(self.groups) >= self._sweep_at:
            self._sweep(now)
        name, is_local = group_of(address)
        group = self.groups.get(name)
        if group is None:
            decay = self.limits.decay_per_s
            group = self.groups[name] = Group(Meter(decay), Meter(decay), is_local)
        group.members += 1
        account = ClientAccount(group, self.limits, now)
        account.charge(CONNECTION_COST, now)
        return account

    def _sweep(self, now: float) -> None:
        self.groups = {
            name: group
            for name, group in self.groups.items()
            if group.members or group.total.read(now) or group.left_behind.read(now)
        }
        self._sweep_at = 2 * len(self.groups) + GROUPS_KEPT


def group_of(address: str) -> tuple[str, bool]:
    """The group of an IP address, and whether it is this machine's own."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    bits = 24 if found.version == 4 else 48
    return str(ipaddress.ip_network(f"{found}/{bits}", strict=False)), found.is_loopback
