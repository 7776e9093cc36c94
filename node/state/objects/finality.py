"""What the chain knows of votes on irreversibility (F4, F8)."""

from __future__ import annotations

from node.state.objects.base import StateObject
from protocol.ids import FinalityId, WitnessId
from protocol.schema import PublicKey, Record, UInt32


class VotingSet(Record):
    """Witnesses and the keys that they vote with, fixed when the set was made (F8)."""

    since_num: UInt32
    """Certificates for targets above this block need the set's quorum."""
    members: tuple[tuple[WitnessId, PublicKey], ...]
    """In ascending order of witnesses."""


class Finality(StateObject):
    """Justified blocks and voting sets (2.200.0); a chain of BitShares' rule has none (F10)."""

    id: FinalityId
    justified: tuple[UInt32, ...]
    """Numbers of the newest justified blocks, ascending, from the irreversible one on (F4)."""
    sets: tuple[VotingSet, ...]
    """The set in force, then those that wait for their block to be irreversible (F8)."""
