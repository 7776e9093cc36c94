"""What accounts let others do with their funds."""

from __future__ import annotations

from node.state.objects.base import StateObject
from protocol.asset import AssetAmount
from protocol.ids import AccountId, WithdrawPermissionId
from protocol.schema import Int64, Timestamp, UInt32


class WithdrawPermission(StateObject):
    """Lets an account take a limited amount from another in every period (1.12.n)."""

    id: WithdrawPermissionId
    withdraw_from_account: AccountId
    authorized_account: AccountId
    withdrawal_limit: AssetAmount
    """The most that may be withdrawn in one period."""
    withdrawal_period_sec: UInt32
    period_start_time: Timestamp
    """Start of the period of the last withdrawal, or of the first period."""
    expiration: Timestamp
    """Time at which the permission ends: the end of its last period."""
    claimed_this_period: Int64
    """What was withdrawn in the period that began at `period_start_time`."""

    def periods_passed(self, now: int) -> int:
        """Whole periods between `period_start_time` and now; the first period must have begun."""
        return (now - self.period_start_time) // self.withdrawal_period_sec

    def available(self, now: int) -> int:
        """What may still be withdrawn in the present period, in smallest units."""
        limit = self.withdrawal_limit.amount
        if self.periods_passed(now) > 0:
            return limit
        return max(limit - self.claimed_this_period, 0)
