"""Received blocks that wait their turn: one whose keys are being recovered delays what follows it.

What is here has a good header, or links to something that has (T-P6): a stranger's blocks are
refused before they would cost anything. A lying witness's block holds up nobody else's.
"""

from __future__ import annotations

from node.chain.header_rules import HeaderVerdict
from node.core.effects import RecoverKeys
from node.p2p.effects import PeerKey
from node.p2p.verdicts import BlockRefusal, TransactionRefusal
from node.state.errors import (
    AgainstCheckpoint,
    BlockTooOld,
    FutureBlock,
    PoolFull,
    TooManyForks,
    UnlinkableBlock,
    WrongMerkleRoot,
)
from protocol.block import BlockEnvelope, HeaderEnvelope
from protocol.crypto.curve import KEY_LENGTH
from protocol.crypto.keys import NULL_KEY
from protocol.errors import PegboardError, PriceOverflow, ProtocolError
from protocol.schema import BlockId, Digest, Mutable, PublicKey
from protocol.transaction import TransactionEnvelope

WORKER_FROM_SIGNATURES = 64
"""Fewer signatures, of one block or several, are not worth a trip to the worker processes."""

INBOX_BYTES_MAX = 48 * 1024 * 1024
"""Bytes of blocks that wait; what would be beyond that may come again later (T-P6)."""

INBOX_BLOCKS_MAX = 256
"""Blocks that wait, too, since all are looked at for the next one; a quarter for strangers'."""

GATHERED_BLOCKS_MAX = 64
"""While so many wait no small one waits for others, too."""


class QueuedBlock(Mutable, gc=True):
    """A block, who sent it, and the question about its keys while that is open."""

    peer: PeerKey
    envelope: BlockEnvelope
    verdict: HeaderVerdict
    """By its header, when it came."""
    unrecovered: tuple[TransactionEnvelope, ...]
    """The transactions that it is about."""
    token: int | None = None
    """Number of the question."""

    @property
    def signatures(self) -> int:
        """How many there are in these."""
        return sum(len(one.transaction.signatures) for one in self.unrecovered)

    def set_keys(self, keys: bytes, end: int) -> int:
        """Take what the workers found, from a place on, and where that ends; a transaction that
        lacks a key is judged when applied."""
        for envelope in self.unrecovered:
            start, end = end, end + KEY_LENGTH * len(envelope.transaction.signatures)
            if end - start == KEY_LENGTH:  # the most frequent by far
                key = PublicKey(keys[start:end])
                if key != NULL_KEY:
                    envelope.set_signature_keys((key,))
                continue
            found = [PublicKey(keys[at : at + KEY_LENGTH]) for at in range(start, end, KEY_LENGTH)]
            if NULL_KEY not in found and len(set(found)) == len(found):
                envelope.set_signature_keys(found)
        return end


class BlockInbox:
    """Blocks in the order of their arrival."""

    def __init__(self, chain_id: Digest) -> None:
        self._chain_id = chain_id
        self._blocks: dict[BlockId, QueuedBlock] = {}
        self._bytes = 0
        self._gathered: list[QueuedBlock] = []
        self._signatures = 0
        """Of what is gathered."""
        self._token = 1
        """Of the next question."""

    @property
    def is_gathering(self) -> bool:
        """Whether blocks wait for others to be asked about with, or to be let go."""
        return bool(self._gathered)

    def __len__(self) -> int:
        return len(self._blocks)

    def header_of(self, block_id: BlockId) -> HeaderEnvelope | None:
        """The header of a block that waits here."""
        queued = self._blocks.get(block_id)
        return None if queued is None else queued.envelope.front

    def add(
        self, peer: PeerKey, envelope: BlockEnvelope, verdict: HeaderVerdict
    ) -> RecoverKeys | None:
        """Queue a block; what to ask the workers about it and those gathered before, if anything.

        Keys are recovered beforehand only if a witness has signed the block (T-P6). A block that
        waits already, with the same verdict to come, changes nothing. Raises `TooManyForks` for one
        that had to wait and finds no room; one that need not is never kept out.
        """
        if envelope.id in self._blocks:
            return None
        unrecovered = () if verdict is HeaderVerdict.STRANGE else _unrecovered(envelope)
        queued = QueuedBlock(peer, envelope, verdict, unrecovered)
        signatures = queued.signatures
        is_long = signatures >= WORKER_FROM_SIGNATURES
        if is_long or envelope.header.previous in self._blocks:
            self._check_room(queued)
        if signatures and (is_long or self._may_gather(queued)):
            queued.token = self._token
            self._gathered.append(queued)
            self._signatures += signatures
        self._blocks[envelope.id] = queued
        self._bytes += len(envelope.packed)
        return self._ask() if self._signatures >= WORKER_FROM_SIGNATURES else None

    def let_go(self) -> None:
        """No more blocks come now: what is gathered is not worth a question."""
        for queued in self._gathered:
            queued.token = None
        self._forget_gathered()

    def _may_gather(self, queued: QueuedBlock) -> bool:
        """Whether there is room for one that need not wait: it is kept out for no lack of it."""
        size = len(queued.envelope.packed)
        return len(self._blocks) < GATHERED_BLOCKS_MAX and self._bytes + size <= INBOX_BYTES_MAX

    def _check_room(self, queued: QueuedBlock) -> None:
        is_strange = queued.verdict is HeaderVerdict.STRANGE
        limit = INBOX_BLOCKS_MAX // 4 if is_strange else INBOX_BLOCKS_MAX
        size = len(queued.envelope.packed)
        if len(self._blocks) >= limit:
            raise TooManyForks("too many blocks wait", rule="T-P6", value=limit, limit=limit)
        if self._blocks and self._bytes + size > INBOX_BYTES_MAX:
            raise TooManyForks(
                "too many bytes of blocks wait",
                rule="T-P6",
                value=self._bytes + size,
                limit=INBOX_BYTES_MAX,
            )

    def _ask(self) -> RecoverKeys:
        """One question about all that is gathered, in its order."""
        parts: list[bytes] = []
        for queued in self._gathered:
            for transaction in queued.unrecovered:
                digest = transaction.digest(self._chain_id)
                for signature in transaction.transaction.signatures:
                    parts += (digest, signature)
        question = RecoverKeys(self._token, b"".join(parts))
        self._token += 1
        self._forget_gathered()
        return question

    def _forget_gathered(self) -> None:
        self._gathered = []
        self._signatures = 0

    def set_keys(self, token: int, keys: bytes) -> None:
        """Take the workers' answer to the question with this number."""
        end = 0
        for queued in self._blocks.values():
            if queued.token == token:
                queued.token = None
                end = queued.set_keys(keys, end)

    def take_ready(self) -> QueuedBlock | None:
        """The oldest block that waits neither for its keys nor for its parent; it leaves."""
        for block_id, queued in self._blocks.items():
            if queued.token is None and queued.envelope.header.previous not in self._blocks:
                del self._blocks[block_id]
                self._bytes -= len(queued.envelope.packed)
                return queued
        return None

    def clear(self) -> None:
        """Forget all blocks."""
        self._blocks.clear()
        self._bytes = 0
        self._forget_gathered()


def _unrecovered(envelope: BlockEnvelope) -> tuple[TransactionEnvelope, ...]:
    return tuple(
        transaction
        for transaction, _ in envelope.transactions
        if not transaction.knows_signature_keys()
    )


def block_refusal(error: PegboardError) -> BlockRefusal:
    """What a refused block says about the peer that sent it, and about its descendants.

    A block that cannot be read is corrupt: its id comes from its header alone, which may be true.
    Nodes pass on only what they have applied, so that whoever delivers a block that is invalid for
    good has not done so in good faith. What follows from this node's clock, memory or settings is
    nobody's fault.
    """
    if isinstance(error, UnlinkableBlock):
        return BlockRefusal.UNLINKABLE
    if isinstance(error, WrongMerkleRoot | ProtocolError):
        return BlockRefusal.CORRUPT
    if isinstance(error, FutureBlock | BlockTooOld | TooManyForks):
        return BlockRefusal.NOT_NOW
    if isinstance(error, AgainstCheckpoint):
        return BlockRefusal.OTHER_FORK
    return BlockRefusal.INVALID


def transaction_refusal(error: PegboardError) -> TransactionRefusal:
    """Whether a refused transaction is wrong wherever it is, or only in the present state."""
    if isinstance(error, PoolFull):
        return TransactionRefusal.NO_ROOM
    if isinstance(error, ProtocolError) and not isinstance(error, PriceOverflow):
        return TransactionRefusal.INVALID
    return TransactionRefusal.REFUSED
