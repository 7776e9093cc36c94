"""A chain without rules: blocks that link, a longest branch, and a pool of transactions."""

from __future__ import annotations

from hashlib import sha256

from node.p2p.verdicts import BlockRefusal
from protocol.errors import DecodeError
from protocol.p2p.messages import block_num_of
from protocol.schema import BlockId, Digest, TransactionId

GENESIS_ID = BlockId(bytes(20))
CHAIN_ID = Digest(b"c" * 32)
INVALID = b"invalid"
"""A block whose payload begins so is refused."""

_HEADER_BYTES = 24


def make_block(previous: BlockId, payload: bytes = b"") -> bytes:
    """A block: its predecessor's id, its number, anything."""
    return previous + (block_num_of(previous) + 1).to_bytes(4, "big") + payload


def id_of_block(data: bytes) -> BlockId:
    """Number and hash, as the real ids are made."""
    if len(data) < _HEADER_BYTES:
        raise DecodeError("block too short", value=len(data), limit=_HEADER_BYTES)
    return BlockId(data[20:24] + sha256(data).digest()[:16])


def id_of_transaction(data: bytes) -> TransactionId:
    """Hash of the bytes."""
    if data == b"unreadable":
        raise DecodeError("transaction cannot be read")
    return TransactionId(sha256(data).digest()[:20])


class FakeChain:
    """A `ChainView`, and what the core would do with what arrives."""

    chain_id = CHAIN_ID
    block_interval_s = 5

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

    def block_bytes(self, block_id: BlockId) -> bytes | None:
        return self.blocks.get(block_id)

    def has_transaction(self, transaction_id: TransactionId) -> bool:
        return transaction_id in self.transactions

    def transaction_bytes(self, transaction_id: TransactionId) -> bytes | None:
        return self.transactions.get(transaction_id)

    def block_id_of(self, data: bytes) -> BlockId:
        return id_of_block(data)

    def transaction_id_of(self, data: bytes) -> TransactionId:
        return id_of_transaction(data)

    def push(self, data: bytes) -> BlockRefusal | None:
        """Take a block; the reason when it is refused."""
        block_id = id_of_block(data)
        previous = BlockId(data[:20])
        if self.has_block(block_id):
            return None
        if not self.has_block(previous):
            return BlockRefusal.UNLINKABLE
        if data[_HEADER_BYTES:].startswith(INVALID):
            return BlockRefusal.INVALID
        self.blocks[block_id] = data
        if block_num_of(block_id) > self.head_num:
            self._make_head(block_id)
        return None

    def extend(self, count: int, payload: bytes = b"") -> None:
        """Add blocks on the head."""
        for _ in range(count):
            assert self.push(make_block(self.head_id, payload)) is None

    def _make_head(self, block_id: BlockId) -> None:
        branch: list[BlockId] = []
        while self.id_at(block_num_of(block_id)) != block_id:
            branch.append(block_id)
            block_id = BlockId(self.blocks[block_id][:20])
        del self.main[block_num_of(block_id) + 1 :]
        self.main.extend(reversed(branch))
        self.final_num = max(self.final_num, self.head_num - self.lib_distance)
