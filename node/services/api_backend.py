"""The node behind the API: a `NodeCore`, its stores and its clock as one `ApiBackend`."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from node.api.backend import FeedInfo, KnownPeer, NetworkInfo, NodeInfo, PeerInfo
from node.api.development import Development
from node.api.errors import no_development
from node.chain.chain import Chain
from node.chain.vote_pool import Equivocation
from node.clock import cpu_s
from node.core.chain_reader import ChainReader
from node.core.head_hash import HashedHead, HeadHash
from node.history.reader import HistoryReader
from node.p2p.effects import PeerAddress
from node.p2p.peer_database import MAX_RETRY_MS
from node.services.development import NodeDevelopment, has_actions
from node.services.event_log import log
from node.services.node_inputs import NodeInputs
from node.state.context import AppliedOperation
from node.state.database import State
from node.version import VERSION
from protocol.block import BlockEnvelope
from protocol.crypto.keys import parse_wif
from protocol.genesis_form import Genesis
from protocol.p2p.messages import MAX_ADDRESSES
from protocol.schema import BlockId, Digest
from protocol.transaction import TransactionEnvelope

STEP_S = 0.002
"""Time for which blocks on demand keep everybody else waiting, about; and at least one."""
BLOCKS_FIRST, BLOCKS_A_STEP_MAX = 8, 64
"""How many are made before it is known what they take, and at most."""


class NodeApiBackend:
    """`node.api.backend.ApiBackend` of a running node."""

    def __init__(
        self,
        inputs: NodeInputs,
        reader: ChainReader,
        genesis: Genesis,
        history: HistoryReader,
        *,
        is_development: bool,
        may_add_peers: bool = False,
        feeds: tuple[FeedInfo, ...] = (),
        development: NodeDevelopment | None = None,
    ) -> None:
        """`development` is what a node in a network of development keys has; one that is a chain of
        its own, `is_development`, has it anyway."""
        self.inputs = inputs
        self.core = inputs.core
        self.reader = reader
        self.genesis = genesis
        self.history = history
        self.is_development = is_development
        self.may_add_peers = may_add_peers or is_development
        self.feeds = feeds
        if development is None and is_development:
            development = NodeDevelopment(inputs, genesis)
        self._development = development
        self._head_hash = HeadHash(self.core.chain)

    @property
    def development(self) -> Development | None:
        """Time and state of a development chain; None where nobody may change them."""
        return self._development

    @property
    def state(self) -> State:
        """The state with pending transactions applied."""
        return self.core.chain.state

    @property
    def chain(self) -> Chain:
        """The chain itself."""
        return self.core.chain

    @property
    def chain_id(self) -> Digest:
        """Id of the chain."""
        return self.core.chain.chain_id

    @property
    def address_prefix(self) -> str:
        """Begins every key string."""
        return self.genesis.settings().address_prefix

    def now_s(self) -> int:
        """Seconds since 1970, by the node's clock."""
        return self.inputs.slot_s()

    def info(self) -> NodeInfo:
        """Version, prefixes, own witnesses, peers."""
        keys = self.core.own.secrets.keys()
        witnesses = self.state.witnesses.in_order()
        return NodeInfo(
            version=VERSION,
            address_prefix=self.address_prefix,
            display_prefix=self.genesis.settings().display_prefix,
            producer_term=self.genesis.settings().producer_term,
            witnesses=tuple(item.id for item in witnesses if item.signing_key in keys),
            peers=self._peers(),
            block_mode=self._block_mode(),
            feeds=self.feeds,
            stall=self.core.stalls.stall,
            split=str(self.core.peers.split or ""),
        )

    def network(self) -> NetworkInfo:
        """Peers, known addresses and limits of the peer layer."""
        peers, limits = self.core.peers, self.core.peers.config.limits
        return NetworkInfo(
            node_id=peers.config.node_id,
            listen_port=peers.config.listen_port,
            peers=self._peers(),
            known=tuple(
                KnownPeer(str(item.address), item.last_seen_s, item.is_tried, item.failures)
                for item in peers.database.records()
            ),
            parameters={
                "peer_connection_retry_timeout": MAX_RETRY_MS // 1_000,
                "desired_number_of_connections": limits.target_outbound,
                "maximum_number_of_connections": limits.target_outbound + limits.max_inbound,
                "max_addresses_to_handle_at_once": MAX_ADDRESSES,
                "max_blocks_to_handle_at_once": limits.sync_unjudged,
                "max_sync_blocks_to_prefetch": limits.sync_window,
                "max_sync_blocks_per_peer": limits.sync_requests_per_peer,
            },
        )

    def equivocations(self) -> Sequence[Equivocation]:
        """The newest proofs that a witness has lied, oldest first (F11)."""
        return self.core.ballots.pool.equivocations

    def add_peer(self, host: str, port: int) -> bool:
        """Connect to an address, now or when there is room; False when it cannot be remembered."""
        return self.inputs.add_peer(PeerAddress(host, port))

    def block_at(self, num: int) -> BlockEnvelope | None:
        """The main chain's block of a number, from wherever it is kept; raises `DamagedData`."""
        block_id = self.reader.read_id_at(num)
        return None if block_id is None else self.block_of_id(block_id)

    def block_of_id(self, block_id: BlockId) -> BlockEnvelope | None:
        """A block by its id, from wherever it is kept; raises `DamagedData`."""
        known = self.core.chain.block_envelope(block_id)
        if known is not None:
            return known
        data = self.reader.read_block(block_id)
        return None if data is None else BlockEnvelope.from_bytes(data)

    def head_state_hash(self) -> Generator[None, None, HashedHead]:
        """Number, id and state hash of the head block, without pending transactions; in steps."""
        return self._head_hash.steps()

    def broadcast(self, envelope: TransactionEnvelope) -> None:
        """Take a transaction into the pending pool and offer it to peers; raises its refusal."""
        if self._development is None and has_actions(envelope):
            raise no_development()
        self.inputs.broadcast(envelope)

    def push_block(self, envelope: BlockEnvelope) -> None:
        """Take a block in and offer it to peers (development chain); raises its refusal."""
        self.inputs.push_block(envelope)

    def simulate(self, envelope: TransactionEnvelope) -> list[AppliedOperation]:
        """Apply a transaction and take it back; raises its refusal."""
        return self.core.chain.simulate(envelope).operations

    def generate_blocks(self, count: int, wif: str | None = None) -> Generator[None, None, int]:
        """Make blocks at the next slots, for about `STEP_S` at once; number of the last of them."""
        secret = None if wif is None else parse_wif(wif)
        made, size = 0, BLOCKS_FIRST
        while True:
            size = min(size, count - made)
            start_s = cpu_s()
            to_come = count - made - size
            blocks = self.inputs.generate_blocks(size, secret, made=made, to_come=to_come)
            took_s = cpu_s() - start_s
            made += size
            if made >= count:
                return blocks[-1].num
            yield
            fitting = int(size * STEP_S / took_s) if took_s else BLOCKS_A_STEP_MAX
            size = max(1, min(fitting, 2 * size, BLOCKS_A_STEP_MAX))

    def travel_to(self, time_s: int) -> int:
        """Make one block at the first slot from a time on; its number."""
        self.inputs.generate_blocks(1, earliest_s=time_s)
        self.inputs.go(lambda travel, now: travel.catch_up(now))
        return self.core.chain.head_num

    def report_bug(self, method: str, error: Exception) -> None:
        """Log an exception that is no refusal."""
        log.warning("api_bug", method=method, error=repr(error), exc_info=error)

    def _block_mode(self) -> str:
        settings = self.core.settings
        if settings.instant:
            return "instant"
        return "slots" if settings.by_the_clock else "manual"

    def _peers(self) -> tuple[PeerInfo, ...]:
        return tuple(
            PeerInfo(
                str(peer.address),
                peer.node_id,
                peer.user_agent,
                peer.head_num,
                peer.outbound,
                peer.received_bytes,
                peer.sent_bytes,
            )
            for peer in self.core.peers.statistics().peers
        )
