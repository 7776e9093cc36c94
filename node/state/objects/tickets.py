"""Tickets: CORE that an account has locked for a time, or for ever (K)."""

from __future__ import annotations

from node.state.objects.accounts import TicketFigures
from node.state.objects.base import StateObject
from protocol.asset import AssetAmount
from protocol.ids import AccountId, TicketId
from protocol.operations.ticket import TicketType
from protocol.schema import MAX_TIMESTAMP, Int64, Timestamp, UInt8

CHARGING, STABLE, WITHDRAWING = range(3)
STATUS_NAMES = ("charging", "stable", "withdrawing")
"""What becomes of a ticket by itself, by its number."""

MULTIPLIERS = (0, 2, 4, 8, 8)
"""What a unit counts, by the type that a ticket has reached (K1.1)."""

NEVER = MAX_TIMESTAMP


class Ticket(StateObject):
    """An amount of CORE on its way to a type of lock (1.18.n, K1.2)."""

    id: TicketId
    account: AccountId
    target_type: UInt8
    """The `TicketType` that it works up or down to."""
    amount: AssetAmount
    current_type: UInt8
    """The `TicketType` that it has reached."""
    status: UInt8
    """`CHARGING`, `STABLE` or `WITHDRAWING`."""
    value: Int64
    """The amount times what its type makes of it; of one that is locked for ever it decays."""
    next_auto_update_time: Timestamp
    next_type_downgrade_time: Timestamp
    """When it falls by a type; `NEVER` while it does not."""

    def is_forever(self) -> bool:
        """Whether its CORE is locked for ever."""
        return self.current_type == TicketType.LOCK_FOREVER

    def full_value(self) -> int:
        """What its type makes of its amount (K1.3)."""
        return self.amount.amount * MULTIPLIERS[self.current_type]

    def figures(self) -> TicketFigures:
        """What it adds to the figures of its account (K3.4)."""
        amount = self.amount.amount
        if not self.is_forever():
            return TicketFigures(total_core_pol=amount, total_pol_value=self.value)
        if self.value > 0:
            return TicketFigures(total_core_pob=amount, total_pob_value=self.value)
        return TicketFigures(total_core_inactive=amount)
