"""What the API needs of the node it speaks for; the node core implements it, tests fake it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from node.api.history import HistoryReader
from node.state.context import AppliedOperation
from node.state.database import State
from node.state.undo import Revision
from protocol.block import BlockEnvelope
from protocol.schema import BlockId, Digest
from protocol.transaction import TransactionEnvelope


class BlockTrace(Protocol):
    """A block that was applied, with what it did; the chain's `AppliedBlock`."""

    @property
    def envelope(self) -> BlockEnvelope: ...

    @property
    def operations(self) -> list[AppliedOperation]: ...

    @property
    def revision(self) -> Revision: ...


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """One connected peer."""

    address: str
    version: str
    head_num: int
    outbound: bool


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """What this process is, beyond the chain it follows."""

    version: str
    address_prefix: str
    """Begins every key string."""
    display_prefix: str
    """Set before symbols of BitAssets where people read them."""
    producer_term: str
    """"witness" or "delegate"."""
    witnesses: tuple[int, ...]
    """Instances of the witnesses whose keys this process holds."""
    peers: tuple[PeerInfo, ...]


class ApiBackend(Protocol):
    """The node behind the API. Refusals are `PegboardError`s and reach the caller typed."""

    @property
    def state(self) -> State:
        """The state with pending transactions applied, as BitShares' reads see it."""

    @property
    def chain_id(self) -> Digest: ...

    @property
    def address_prefix(self) -> str:
        """Begins every key string."""

    @property
    def is_development(self) -> bool:
        """Whether the `debug` API may make blocks."""

    @property
    def history(self) -> HistoryReader: ...

    def now_s(self) -> int:
        """Seconds since 1970, by the node's clock."""

    def info(self) -> NodeInfo:
        """Version, prefixes, own witnesses, peers."""

    def block_at(self, num: int) -> BlockEnvelope | None:
        """The main chain's block of a number, from wherever it is kept."""

    def block_of_id(self, block_id: BlockId) -> BlockEnvelope | None:
        """A block of the main chain by its id."""

    def head_state_hash(self) -> tuple[int, BlockId, Digest]:
        """Number, id and state hash of the head block, without pending transactions."""

    def broadcast(self, envelope: TransactionEnvelope) -> None:
        """Take a transaction into the pending pool and offer it to peers; raises its refusal."""

    def simulate(self, envelope: TransactionEnvelope) -> list[AppliedOperation]:
        """Apply a transaction and take it back; raises its refusal."""

    def generate_blocks(self, wif: str, count: int) -> int:
        """Make blocks at the next slots (development chain); number of the new head."""

    def report_bug(self, method: str, error: Exception) -> None:
        """A call met an exception that is no refusal."""
