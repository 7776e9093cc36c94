"""A chain without rules: blocks that link, a longest branch, and a pool of transactions."""

from __future__ import annotations

from node.p2p.verdicts import BlockRefusal
from protocol.asset import NO_FEE
from protocol.block import (
    NO_BLOCK,
    BlockBody,
    BlockEnvelope,
    BlockHeader,
    HeaderEnvelope,
    block_num_of,
    merkle_root,
    pack_results,
)
from protocol.ids import AccountId, WitnessId
from protocol.operations.custom import Custom
from protocol.schema import BlockId, Digest, Signature, TransactionId
from protocol.transaction import SignedTransaction, TransactionEnvelope
from tests.support.world import BLOCK_INTERVAL_S

GENESIS_ID = NO_BLOCK
CHAIN_ID = Digest(b"c" * 32)
INVALID = b"invalid"
"""A block that contains it is refused."""


def make_block(previous: BlockId, payload: bytes = b"") -> bytes:
    """A block that can be read and nothing more; a payload stands in a transaction of its own."""
    return make_envelope(previous, payload).packed


def make_envelope(previous: BlockId, payload: bytes = b"") -> BlockEnvelope:
    """The envelope of such a block."""
    body = BlockBody()
    if payload:
        transaction = make_transaction(payload)
        body.append(transaction, (), transaction.packed() + pack_results(()))
    time_s = (block_num_of(previous) + 1) * BLOCK_INTERVAL_S
    header = BlockHeader(previous, time_s, WitnessId(1), merkle_root(body.digests))
    return BlockEnvelope.produce(header, body, lambda _: Signature(bytes(65)))


def make_transaction(payload: bytes) -> TransactionEnvelope:
    """A transaction that can be read and nothing more."""
    operation = Custom(NO_FEE, AccountId(0), (), 0, payload)
    transaction = SignedTransaction(0, 0, 0, (operation,), (), ())
    return TransactionEnvelope.from_transaction(transaction)


def id_of_block(data: bytes) -> BlockId:
    """The id of a block by its bytes."""
    return HeaderEnvelope.read(data).id


class FakeChain:
    """A `ChainView`, and what the core would do with what arrives."""

    chain_id = CHAIN_ID
    block_interval_s = BLOCK_INTERVAL_S

    def __init__(self, lib_distance: int = 20) -> None:
        self.lib_distance = lib_distance
        self.blocks: dict[BlockId, bytes] = {}
        self.main: list[BlockId] = [GENESIS_ID]
        self.transactions: dict[TransactionId, bytes] = {}
        self.final_num = 0

    @property
    def head_num(self) -> int:
        return len(self.main) - 1

    @property
    def head_id(self) -> BlockId:
        return self.main[-1]

    @property
    def head_time(self) -> int:
        return self.head_num * self.block_interval_s

    @property
    def last_irreversible_num(self) -> int:
        return self.final_num

    def has_block(self, block_id: BlockId) -> bool:
        return block_id in self.blocks or block_id == GENESIS_ID

    def id_at(self, num: int) -> BlockId | None:
        return self.main[num] if 0 <= num < len(self.main) else None

    def ids_from(self, num: int, count: int) -> list[BlockId]:
        return self.main[num : num + count] if num >= 0 else []

    def block_bytes(self, block_id: BlockId) -> bytes | None:
        return self.blocks.get(block_id)

    def is_mending(self, block_id: BlockId) -> bool:
        return False

    def has_transaction(self, transaction_id: TransactionId) -> bool:
        return transaction_id in self.transactions

    def transaction_bytes(self, transaction_id: TransactionId) -> bytes | None:
        return self.transactions.get(transaction_id)

    def add_transaction(self, envelope: TransactionEnvelope) -> None:
        """Take a transaction."""
        self.transactions[envelope.id] = envelope.packed()

    def push(self, data: bytes) -> BlockRefusal | None:
        """Take a block; the reason when it is refused."""
        block_id = id_of_block(data)
        previous = self.previous(data)
        if self.has_block(block_id):
            return None
        if not self.has_block(previous):
            return BlockRefusal.UNLINKABLE
        if INVALID in data:
            return BlockRefusal.INVALID
        self.blocks[block_id] = data
        if block_num_of(block_id) > self.head_num:
            self._make_head(block_id)
        return None

    def extend(self, count: int, payload: bytes = b"") -> None:
        """Add blocks on the head."""
        for _ in range(count):
            assert self.push(make_block(self.head_id, payload)) is None

    @staticmethod
    def previous(data: bytes) -> BlockId:
        """The id of the block before; it stands first in a block."""
        return BlockId(data[:20])

    def _make_head(self, block_id: BlockId) -> None:
        branch: list[BlockId] = []
        while self.id_at(block_num_of(block_id)) != block_id:
            branch.append(block_id)
            block_id = self.previous(self.blocks[block_id])
        del self.main[block_num_of(block_id) + 1 :]
        self.main.extend(reversed(branch))
        self.final_num = max(self.final_num, self.head_num - self.lib_distance)
