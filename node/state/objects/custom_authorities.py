"""Custom authorities: who else may act for an account, in one kind of operation (C)."""

from __future__ import annotations

from typing import Annotated

from node.state.objects.base import StateObject
from protocol.authority import Authority
from protocol.ids import AccountId, CustomAuthorityId
from protocol.operations.restriction import Restriction
from protocol.schema import SORTED, Timestamp, UInt16, UInt32


class CustomAuthority(StateObject):
    """Lets an authority approve operations of a type that keep to restrictions (1.17.n, C1.2)."""

    id: CustomAuthorityId
    account: AccountId
    """Account that is acted for."""
    enabled: bool
    valid_from: Timestamp
    valid_to: Timestamp
    operation_type: UInt32
    auth: Authority
    restrictions: Annotated[tuple[tuple[UInt16, Restriction], ...], SORTED]
    """By their numbers, which are never used again."""
    restriction_counter: UInt16
    """The number of the next restriction."""

    def is_effective(self, now: int) -> bool:
        """Whether it counts at a time."""
        return self.enabled and self.valid_from <= now < self.valid_to
