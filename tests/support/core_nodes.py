"""Node cores with stores in memory, linked two by two; no socket, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import assert_never

from node.chain.chain import Chain
from node.core.chain_reader import ChainReader
from node.core.core import NodeCore
from node.core.effects import (
    Effect,
    FlushSessions,
    RecoverKeys,
    Report,
    ReserveSlot,
    ReserveVote,
    SaveSnapshot,
    StopNode,
    StoreBlocks,
    StoreEvidence,
    StoreHistory,
)
from node.core.proofs import PROOFS_FILE, load_proofs
from node.core.settings import CoreSettings
from node.core.startup import start_chain
from node.p2p.config import PeerConfig
from node.p2p.effects import ClosePeer, OpenConnection, PeerAddress, PeerKey, SendBytes
from node.p2p.limits import PeerLimits
from node.p2p.manager import PeerManager
from node.storage.interface import (
    BlockStorage,
    SignedSlot,
    SignedVote,
    SigningStorage,
    SnapshotStorage,
)
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET
from protocol.genesis_form import Genesis
from protocol.operations.base import Operation
from protocol.operations.transfer import Transfer
from protocol.p2p.transport import PlainTransport
from protocol.schema import BlockId
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign
from tests.support.memory_stores import MemoryBlockStore, MemorySigningGuard, MemorySnapshots
from tests.support.world import GENESIS_TIME, secret_of

ADDRESS = PeerAddress("127.0.0.1", 1)
START_MS = GENESIS_TIME * 1_000


class CoreNode:
    """A node core with stores in memory and a shell that does what it is told at once."""

    def __init__(
        self,
        genesis: Genesis,
        witnesses: Sequence[str] = (),
        settings: CoreSettings | None = None,
        name: int = 1,
        stores: tuple[BlockStorage, SigningStorage, SnapshotStorage] | None = None,
        checkpoint: BlockId | None = None,
        proofs: bytes = b"[]",
        limits: PeerLimits = PeerLimits(),  # noqa: B008, it cannot change
    ) -> None:
        memory = MemoryBlockStore(), MemorySigningGuard(), MemorySnapshots()
        self.blocks: BlockStorage
        self.guard: SigningStorage
        self.snapshots: SnapshotStorage
        self.blocks, self.guard, self.snapshots = stores or memory
        self.started = start_chain(genesis, self.blocks, self.snapshots, checkpoint=checkpoint)
        self.chain = self.started.chain
        reader = ChainReader(self.chain, self.blocks)
        peers = PeerManager(
            reader,
            PeerConfig(bytes([name]) * 32, "test", limits=limits),
            Random(name),
            make_transport=PlainTransport,
        )
        self.core = NodeCore(
            self.chain,
            peers,
            settings or CoreSettings(enable_stale=True, start_grace_ms=0),
            reader=reader,
            secrets=[secret_of(f"{witness} block") for witness in witnesses],
            last_signed=self.guard.load(),
            last_votes=self.guard.load_votes(),
            proofs=load_proofs(proofs),
        )
        self.links: dict[PeerKey, tuple[CoreNode, PeerKey]] = {}
        """The other end of each connection, and its name for it."""
        self.seen: list[Effect] = []
        self.evidence = {PROOFS_FILE: proofs}
        """Files of proofs that it has kept."""

    def connect(self, other: CoreNode, now_ms: int) -> None:
        """Open a connection; this node is the one who dialled."""
        near, far = PeerKey(len(self.links) + 1), PeerKey(len(other.links) + 1)
        self.links[near], other.links[far] = (other, far), (self, near)
        self.core.peer_connected(near, ADDRESS, now_ms, outbound=True)
        other.core.peer_connected(far, ADDRESS, now_ms, outbound=False)

    def carry(self, now_ms: int) -> bool:
        """Carry the waiting effects out; whether there were any.

        What a peer is sent meanwhile arrives in one piece, as over a socket.
        """
        effects = self.core.take_effects()
        self.seen += effects
        sent: dict[PeerKey, bytes] = {}
        for effect in effects:
            match effect:
                case StoreBlocks():
                    self.blocks.append(effect.blocks, effect.head, effect.main_chain)
                    self.core.moves_stored(effect.serial)
                case ReserveSlot():
                    slot = SignedSlot(effect.witness, effect.slot_time_s, effect.block_num)
                    self.guard.reserve([slot])
                case ReserveVote():
                    vote = SignedVote(effect.key, effect.source_num, effect.target_num)
                    self.guard.reserve([], [vote])
                case SaveSnapshot():
                    self.snapshots.save(effect.num, effect.block_id, *effect.payload)
                case SendBytes():
                    self.core.peer_written(effect.peer, len(effect.data), now_ms)
                    sent[effect.peer] = sent.get(effect.peer, b"") + effect.data
                case ClosePeer():
                    self._pass_on(effect.peer, sent.pop(effect.peer, b""), now_ms)
                    if effect.peer in self.links:
                        other, key = self.links[effect.peer]
                        other.core.peer_disconnected(key, now_ms)
                case StoreEvidence():
                    self.evidence[effect.name] = effect.payload
                case RecoverKeys() | StoreHistory() | FlushSessions() | Report() | StopNode():
                    pass  # a test may look at them in `seen`
                case OpenConnection():
                    pass  # `connect` is how these nodes meet
                case _:
                    assert_never(effect)
        for peer, data in sent.items():
            self._pass_on(peer, data, now_ms)
        return bool(effects)

    def _pass_on(self, peer: PeerKey, data: bytes, now_ms: int) -> None:
        if data and peer in self.links:
            other, key = self.links[peer]
            other.core.peer_received(key, data, now_ms)


def run(nodes: Sequence[CoreNode], start_ms: int, seconds: int, *, tick_ms: int = 100) -> int:
    """Ticks for all nodes, ten a second or as told; the time at the end."""
    for now_ms in range(start_ms, start_ms + seconds * 1_000, tick_ms):
        for node in nodes:
            node.core.tick(now_ms)
        while sum(node.carry(now_ms) for node in nodes):
            pass
    return start_ms + seconds * 1_000


def transfer(
    chain: Chain,
    amount: int,
    expiration: int | None = None,
    reference: tuple[int, int] | None = None,
) -> TransactionEnvelope:
    """A signed transfer from alice to bob."""
    alice = chain.state.account_named("alice").id
    bob = chain.state.account_named("bob").id
    op = Transfer(NO_FEE, alice, bob, AssetAmount(amount, CORE_ASSET), None)
    return signed(chain, op, "alice", expiration, reference)


def signed(
    chain: Chain,
    op: Operation,
    signer: str,
    expiration: int | None = None,
    reference: tuple[int, int] | None = None,
) -> TransactionEnvelope:
    """A transaction of one operation; it refers to the head unless something else is given."""
    num, prefix = reference or reference_block(chain.head_id)
    until = chain.head_time + 60 if expiration is None else expiration
    transaction = Transaction(num, prefix, until, (op,), ())
    return TransactionEnvelope.from_transaction(
        sign(transaction, [secret_of(signer)], chain.chain_id)
    )
