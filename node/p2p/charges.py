"""What peers make each other do: one table of prices and rates, and the accounts that pay (T-P7).

Work is counted in microseconds of one core of a small machine. Prices are nominal, so that the same
calls cost the same everywhere; time comes with each call, and no clock is read.

A peer has two accounts. To say too much is a violation, and this node says at most half of what it
accepts. What a peer has asked for, or was asked for, is no fault of it: where it costs too much,
its questions wait, and its transactions are not fetched.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocol.finality import Vote
from protocol.p2p.messages import (
    Addresses,
    BlockIds,
    BlockMessage,
    Fetch,
    GetAddresses,
    GetBlockIds,
    Inventory,
    Message,
    NotAvailable,
    Ping,
    Pong,
    TransactionMessage,
)
from protocol.schema import Record

KIB, MIB = 1024, 1024 * 1024
UNBOUNDED = 1 << 62


class Charge(Record):
    """A row of the table: what one side may send of a message in a minute, and what one costs."""

    messages: int
    total_bytes: int
    work: int
    """For the message itself; for a question without its answer."""
    work_per_item: int = 0
    """For each id in it."""
    answer: int = 0
    """For each thing that is looked up for it, or judged."""
    answer_per_kib: int = 0
    """For what is sent in answer."""


CHARGES: Mapping[type[Message], Charge] = {
    Ping: Charge(60, KIB, 20),
    Pong: Charge(60, KIB, 10),
    Inventory: Charge(6_000, 32 * MIB, 20, work_per_item=4),
    Fetch: Charge(20_000, 32 * MIB, 20, work_per_item=2, answer=60, answer_per_kib=5),
    NotAvailable: Charge(20_000, 32 * MIB, 20, work_per_item=4),
    GetBlockIds: Charge(240, 512 * KIB, 100, answer=2),
    BlockIds: Charge(240, 12 * MIB, 100, work_per_item=4),
    GetAddresses: Charge(4, 64, 2_000),
    Addresses: Charge(4, 64 * KIB, 2_000),
    Vote: Charge(12_000, 2 * MIB, 20),
    TransactionMessage: Charge(UNBOUNDED, UNBOUNDED, 0, answer=200),
    BlockMessage: Charge(UNBOUNDED, UNBOUNDED, 0),
}
"""What this node accepts of each message in a minute; it sends at most half of it, because
windows of two nodes do not begin together (T-P7). Greetings and farewells are not here, since the
states of a connection bound them; transactions and blocks have no rate, since requests do."""

RECOVERY = 100
"""For the key behind a signature."""

REFUSED_FACTOR = 10
"""What was refused costs so many times what it would have cost (P5)."""

OUTBOUND_DIVISOR = 2


class Account:
    """Work that somebody may cause: it grows with time, to a cap, and may be overdrawn once."""

    __slots__ = ("_at_ms", "_balance", "_cap", "_per_s")

    def __init__(self, per_s: int, cap: int) -> None:
        self._per_s = per_s
        self._cap = cap
        self._balance = cap
        self._at_ms: int | None = None

    def has_left(self, now_ms: int) -> bool:
        """Whether one more piece of work may be caused."""
        self._grow(now_ms)
        return self._balance > 0

    def charge(self, work: int, now_ms: int) -> bool:
        """Take work from the account; whether it was not overdrawn by more than its cap."""
        self._grow(now_ms)
        self._balance -= work
        return self._balance > -self._cap

    def _grow(self, now_ms: int) -> None:
        if self._at_ms is not None:
            gained = max(0, now_ms - self._at_ms) * self._per_s // 1_000
            self._balance = min(self._cap, self._balance + gained)
        self._at_ms = now_ms


def work_of(message: Message) -> int:
    """The price of a message without its answer."""
    charge = CHARGES.get(type(message))
    if charge is None:
        return 0
    match message:
        case Inventory() | Fetch() | NotAvailable() | BlockIds():
            return charge.work + charge.work_per_item * len(message.ids)
        case _:
            return charge.work
