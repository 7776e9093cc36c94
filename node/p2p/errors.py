"""A peer's fault: what it did, how much it counts, and what it is told.

Our own faults are not here: they are assertions and stop the node.
"""

from __future__ import annotations

from node.p2p.limits import BAN_SCORE
from protocol.errors import PegboardError
from protocol.p2p.messages import GoodbyeCode


class PeerError(PegboardError):
    """A peer broke a rule. `points` go to its score, `code` is the reason it is told."""

    name = "peer_error"
    points = BAN_SCORE
    is_banned = True
    """Whether a peer that is dropped for it has to stay away for a while."""
    code = GoodbyeCode.UNEXPECTED_MESSAGE


class MalformedMessage(PeerError):
    """A frame or message that cannot be read (T-P1)."""

    name = "malformed_message"
    code = GoodbyeCode.MALFORMED


class BrokenTransport(PeerError):
    """Bytes that the transport cannot open (T-P12).

    Whoever is on the way could cause it, so neither end is banned for it.
    """

    name = "broken_transport"
    is_banned = False
    code = GoodbyeCode.MALFORMED


class UnexpectedMessage(PeerError):
    """A message that the state of the connection does not allow, or an unasked answer (T-P10)."""

    name = "unexpected_message"


class UnrequestedItem(PeerError):
    """A block or transaction that this node did not ask that peer for (T-P7)."""

    name = "unrequested_item"
    code = GoodbyeCode.UNREQUESTED_ITEM


class RepeatedItem(PeerError):
    """An item that the same peer delivered before; counts little, links may repeat (T-P8)."""

    name = "repeated_item"
    points = 5
    code = GoodbyeCode.UNREQUESTED_ITEM


class RateExceeded(PeerError):
    """More of a message than its row of the rate table allows (T-P7)."""

    name = "rate_exceeded"
    code = GoodbyeCode.RATE_LIMIT


class InvalidItem(PeerError):
    """A block or transaction that no honest node passes on (T-P4, T-P6)."""

    name = "invalid_item"
    code = GoodbyeCode.INVALID_ITEM


class LyingSync(PeerError):
    """Block ids whose blocks do not exist, do not link, or are known to be invalid (T-N5)."""

    name = "lying_sync"
    points = 50
    code = GoodbyeCode.LYING_SYNC


class ForkBelowIrreversible(PeerError):
    """The peer's main chain does not contain our last irreversible block.

    An honest peer on a minority fork gets over it, so it may come back at once.
    """

    name = "fork_below_irreversible"
    is_banned = False
    code = GoodbyeCode.FORK_BELOW_IRREVERSIBLE
