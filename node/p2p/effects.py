"""What the peer manager wants done: the shell and the node core carry these out, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, NewType

from protocol.p2p.messages import GoodbyeCode, Hello
from protocol.schema import BlockId, TransactionId

PeerKey = NewType("PeerKey", int)
"""Names one connection; chosen by the shell, never used twice."""


class PeerAddress(NamedTuple):
    """Where a node accepts connections. Seeds may have a name as host; all others a number."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SendBytes:
    """Write to the connection, after all that was to be written before."""

    peer: PeerKey
    data: bytes


@dataclass(frozen=True, slots=True)
class ClosePeer:
    """Write out what is queued, then close. The manager has forgotten the peer already."""

    peer: PeerKey
    code: GoodbyeCode
    reason: str


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """Dial; the outcome is told by `connected` or `connection_failed`."""

    address: PeerAddress


@dataclass(frozen=True, slots=True)
class PeerReady:
    """The handshake with a peer is done."""

    peer: PeerKey
    hello: Hello
    address: PeerAddress | None


@dataclass(frozen=True, slots=True)
class BlockReceived:
    """A block that was asked for; answer with `block_accepted` or `block_rejected`."""

    peer: PeerKey
    block_id: BlockId
    data: bytes


@dataclass(frozen=True, slots=True)
class TransactionReceived:
    """A transaction that was asked for; answer with `transaction_accepted` or `…_rejected`."""

    peer: PeerKey
    transaction_id: TransactionId
    data: bytes


@dataclass(frozen=True, slots=True)
class PeerPenalised:
    """A peer broke a rule; for the log."""

    peer: PeerKey
    points: int
    score: int
    reason: str


Effect = (
    SendBytes
    | ClosePeer
    | OpenConnection
    | PeerReady
    | BlockReceived
    | TransactionReceived
    | PeerPenalised
)
