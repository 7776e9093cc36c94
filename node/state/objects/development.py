"""What a development chain knows beside its rules (R9.10)."""

from __future__ import annotations

from node.state.objects.base import StateObject
from protocol.ids import AccountId, DevelopmentId


class Development(StateObject):
    """Present on chains whose genesis says `development` (2.201.0), and on no other."""

    id: DevelopmentId
    impersonated: tuple[AccountId, ...]
    """Accounts whose operations pass without signatures, ascending."""
    is_everybody: bool = False
    """Whether those of all accounts do."""
