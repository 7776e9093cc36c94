"""What the peer manager wants done: the shell and the node core carry these out, in order."""

from __future__ import annotations

from typing import NamedTuple, NewType

from protocol.block import HeaderEnvelope
from protocol.finality import Vote
from protocol.p2p.messages import GoodbyeCode, Hello
from protocol.schema import Record
from protocol.transaction import TransactionEnvelope

PeerKey = NewType("PeerKey", int)
"""Names one connection; chosen by the shell, never used twice."""


class PeerAddress(NamedTuple):
    """Where a node accepts connections. Seeds may have a name as host; all others a number."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class SendBytes(Record):
    """Write to the connection, after all that was to be written before."""

    peer: PeerKey
    data: bytes


class ClosePeer(Record):
    """Write out what is queued, then close. The manager has forgotten the peer already."""

    peer: PeerKey
    code: GoodbyeCode
    reason: str
    host: str = ""
    """Where the other end is, for the log."""


class OpenConnection(Record):
    """Dial; the outcome is told by `connected` or `connection_failed`."""

    address: PeerAddress


class PeerReady(Record):
    """The handshake with a peer is done."""

    peer: PeerKey
    hello: Hello


class BlockReceived(Record):
    """A block that was asked for, its header read and the rest not.

    Answer with `block_accepted` or `block_rejected`.
    """

    peer: PeerKey
    """Who delivered it."""
    front: HeaderEnvelope
    data: bytes
    """Binary form of the whole block."""


class BlockRefetched(Record):
    """A block that is damaged here, sent again; its header read and the rest not.

    Answer with `block_rejected` if it is not that block, and fetch it again then.
    """

    peer: PeerKey
    front: HeaderEnvelope
    data: bytes


class TransactionReceived(Record):
    """A transaction that was asked for; answer with `announce_transaction` or
    `transaction_rejected`."""

    peer: PeerKey
    envelope: TransactionEnvelope


class VoteReceived(Record):
    """A vote on irreversibility; answer with `announce_vote`, with `vote_refused`, or not."""

    peer: PeerKey
    vote: Vote


class PeerPenalised(Record):
    """A peer broke a rule; for the log."""

    peer: PeerKey
    points: int
    score: int
    reason: str


class SplitClaimed(Record):
    """Irreversible blocks of a peer and of this node contradict each other, by what the peer says:
    no proof, which alone would end a node (T-W4)."""

    peer: PeerKey
    host: str
    num: int
    """Of the block of the one that the other does not have."""
    at_ms: int

    def __str__(self) -> str:
        return (
            f"{self.host} calls another block than this node irreversible at or below {self.num},"
            " if it says the truth: then the network has split (T-W4)"
        )


ConnectionEffect = SendBytes | ClosePeer | OpenConnection
"""What the shell does with connections; the core passes it on."""

CoreEffect = (
    PeerReady
    | BlockReceived
    | BlockRefetched
    | TransactionReceived
    | VoteReceived
    | PeerPenalised
    | SplitClaimed
)
"""What the core does itself."""

Effect = ConnectionEffect | CoreEffect
