"""What the API needs of the node it speaks for; the node core implements it, tests fake it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Protocol

from node.api.development import Development
from node.chain.chain import Chain
from node.chain.vote_pool import Equivocation
from node.history.reader import HistoryReader
from node.state.context import AppliedOperation
from node.state.database import State
from node.state.undo import Revision
from node.witness.stall import Stall
from protocol.block import BlockEnvelope
from protocol.ids import WitnessId
from protocol.schema import BlockId, Digest, Record
from protocol.transaction import TransactionEnvelope


class BlockTrace(Protocol):
    """A block that was applied, with what it did; the chain's `AppliedBlock`."""

    @property
    def envelope(self) -> BlockEnvelope: ...

    @property
    def operations(self) -> list[AppliedOperation]: ...

    @property
    def revision(self) -> Revision: ...


class PeerInfo(Record):
    """One connected peer."""

    address: str
    node_id: bytes
    """Its public node key; empty before the handshake."""
    version: str
    head_num: int
    """Height that the peer greeted with."""
    outbound: bool
    received_bytes: int
    sent_bytes: int


class KnownPeer(Record):
    """An address at which a node may listen."""

    address: str
    last_seen_s: int
    """When a connection to it was last open, seconds since 1970; 0 for never."""
    is_tried: bool
    failures: int
    """Failed attempts since the last success."""


class NetworkInfo(Record):
    """What this node is towards other nodes."""

    node_id: bytes
    """The public node key of this node."""
    listen_port: int
    """0 when no node can connect to this one."""
    peers: tuple[PeerInfo, ...]
    known: tuple[KnownPeer, ...]
    parameters: Mapping[str, int]
    """Limits of the peer layer, by BitShares' names."""


class FeedInfo(Record):
    """A price that witnesses of this node, or of its network, publish by themselves."""

    asset: str
    source: str
    interval_s: int
    publishers: tuple[str, ...]


class NodeInfo(Record):
    """What this process is, beyond the chain it follows."""

    version: str
    address_prefix: str
    """Begins every key string."""
    display_prefix: str
    """Set before symbols of BitAssets where people read them."""
    producer_term: str
    """"witness" or "delegate"."""
    witnesses: tuple[WitnessId, ...]
    """Instances of the witnesses whose keys this process holds."""
    peers: tuple[PeerInfo, ...]
    block_mode: str
    """How this node's blocks come about: in their "slots", "instant" with each transaction, or
    "manual", on demand."""
    feeds: tuple[FeedInfo, ...] = ()
    stall: Stall | None = None
    """How the chain does not go on, if so, and what it waits for."""
    split: str = ""
    """Which peer claims that the network has split, if one does (T-W4)."""


class ApiBackend(Protocol):
    """The node behind the API. Refusals are `PegboardError`s and reach the caller typed."""

    @property
    def state(self) -> State:
        """The state with pending transactions applied, as BitShares' reads see it."""

    @property
    def chain(self) -> Chain:
        """The chain itself, to be tried on and left as it was."""

    @property
    def chain_id(self) -> Digest: ...

    @property
    def address_prefix(self) -> str:
        """Begins every key string."""

    @property
    def is_development(self) -> bool:
        """Whether the APIs `debug` and `pegboard_dev` may make blocks."""

    @property
    def development(self) -> Development | None:
        """Time and state of a development chain; None where nobody may change them."""

    @property
    def may_add_peers(self) -> bool:
        """Whether clients may have this node connect to others (P15)."""

    @property
    def history(self) -> HistoryReader: ...

    def now_s(self) -> int:
        """Seconds since 1970, by the node's clock."""

    def info(self) -> NodeInfo:
        """Version, prefixes, own witnesses, peers."""

    def network(self) -> NetworkInfo:
        """Peers, known addresses and limits of the peer layer."""

    def equivocations(self) -> Sequence[Equivocation]:
        """The newest proofs that a witness has lied, oldest first (F11)."""

    def add_peer(self, host: str, port: int) -> bool:
        """Connect to an address at the next chance; False when it cannot be remembered."""

    def block_at(self, num: int) -> BlockEnvelope | None:
        """The main chain's block of a number, from wherever it is kept."""

    def block_of_id(self, block_id: BlockId) -> BlockEnvelope | None:
        """A block of the main chain by its id."""

    def head_state_hash(self) -> Generator[None, None, tuple[int, BlockId, Digest]]:
        """Number, id and state hash of the head block, without pending transactions; in steps."""

    def broadcast(self, envelope: TransactionEnvelope) -> None:
        """Take a transaction into the pending pool and offer it to peers; raises its refusal."""

    def push_block(self, envelope: BlockEnvelope) -> None:
        """Take a block in and offer it to peers (development chain); raises its refusal."""

    def simulate(self, envelope: TransactionEnvelope) -> list[AppliedOperation]:
        """Apply a transaction and take it back; raises its refusal."""

    def generate_blocks(self, count: int, wif: str | None = None) -> Generator[None, None, int]:
        """Make blocks at the next slots (development chain), in steps; number of the last.

        They are signed with this node's keys, and with one more when it is given.
        """

    def travel_to(self, time_s: int) -> int:
        """Make one block at the first slot from a time on (development chain); its number."""

    def report_bug(self, method: str, error: Exception) -> None:
        """A call met an exception that is no refusal."""
