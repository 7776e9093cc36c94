"""Received blocks that wait their turn: one whose keys are being recovered holds up the rest."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from node.core.effects import RecoverKeys
from node.p2p.effects import PeerKey
from node.p2p.verdicts import BlockRefusal, TransactionRefusal
from node.state.errors import BlockTooOld, FutureBlock, UnlinkableBlock, WrongMerkleRoot
from protocol.asset import PriceOverflow
from protocol.block import BlockEnvelope
from protocol.errors import PegboardError, ProtocolError
from protocol.schema import Digest, PublicKey
from protocol.transaction import TransactionEnvelope

WORKER_FROM_SIGNATURES = 64
"""Blocks with fewer signatures are not worth a trip to the worker process."""


@dataclass(slots=True)
class QueuedBlock:
    """A block, who sent it, and the question about its keys while that is open."""

    peer: PeerKey
    envelope: BlockEnvelope
    token: int | None = None
    """Number of the question."""
    unrecovered: tuple[TransactionEnvelope, ...] = ()
    """The transactions that it is about."""

    def set_keys(self, keys: Sequence[PublicKey | None]) -> None:
        """Take what the worker found; a transaction that lacks a key is judged when applied."""
        position = 0
        for envelope in self.unrecovered:
            count = len(envelope.transaction.signatures)
            found = [key for key in keys[position : position + count] if key is not None]
            position += count
            if len(found) == count == len(set(found)):
                envelope.set_signature_keys(found)


class BlockInbox:
    """Blocks in the order of their arrival."""

    def __init__(self, chain_id: Digest) -> None:
        self._chain_id = chain_id
        self._blocks: deque[QueuedBlock] = deque()
        self._last_token = 0

    def __len__(self) -> int:
        return len(self._blocks)

    def add(self, peer: PeerKey, envelope: BlockEnvelope) -> RecoverKeys | None:
        """Queue a block; what to ask the worker about it, if anything."""
        queued = QueuedBlock(peer, envelope)
        self._blocks.append(queued)
        unrecovered = tuple(
            transaction
            for transaction, _ in envelope.transactions
            if not transaction.knows_signature_keys()
        )
        items = tuple(
            (transaction.digest(self._chain_id), signature)
            for transaction in unrecovered
            for signature in transaction.transaction.signatures
        )
        if len(items) < WORKER_FROM_SIGNATURES:
            return None
        self._last_token += 1
        queued.token = self._last_token
        queued.unrecovered = unrecovered
        return RecoverKeys(queued.token, items)

    def set_keys(self, token: int, keys: Sequence[PublicKey | None]) -> None:
        """Take the worker's answer to the question with this number."""
        for queued in self._blocks:
            if queued.token == token:
                queued.token = None
                queued.set_keys(keys)

    def take_ready(self) -> QueuedBlock | None:
        """The oldest block, once its keys are not waited for; it leaves the inbox."""
        if self._blocks and self._blocks[0].token is None:
            return self._blocks.popleft()
        return None

    def clear(self) -> None:
        """Forget all blocks."""
        self._blocks.clear()


def block_refusal(error: PegboardError) -> BlockRefusal:
    """What a refused block says about the peer that sent it, and about its descendants.

    A block that cannot be read is corrupt: its id comes from its header alone, which may be true.
    """
    if isinstance(error, UnlinkableBlock):
        return BlockRefusal.UNLINKABLE
    if isinstance(error, WrongMerkleRoot | ProtocolError):
        return BlockRefusal.CORRUPT
    if isinstance(error, FutureBlock | BlockTooOld):
        return BlockRefusal.NOT_NOW
    return BlockRefusal.INVALID


def transaction_refusal(error: PegboardError) -> TransactionRefusal:
    """Whether a refused transaction is wrong wherever it is, or only in the present state."""
    if isinstance(error, ProtocolError) and not isinstance(error, PriceOverflow):
        return TransactionRefusal.INVALID
    return TransactionRefusal.REFUSED
