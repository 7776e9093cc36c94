"""The chain as peers and clients see it: the state, the fork database, and blocks stored or not."""

from __future__ import annotations

from typing import Protocol

from node.chain.chain import Chain
from node.core.damaged_blocks import DamagedBlocks
from node.core.unstored_blocks import UnstoredBlocks
from protocol.block import block_num_of
from protocol.errors import DamagedData
from protocol.schema import BlockId, Digest, TransactionId


class BlockReader(Protocol):
    """Stored blocks; met by every `BlockStorage`. All reads raise `DamagedData`."""

    def block(self, block_id: BlockId) -> bytes | None: ...

    def id_at(self, num: int) -> BlockId | None: ...

    def ids_from(self, num: int, count: int) -> list[BlockId]: ...


class ChainReader:
    """`node.p2p.chain_view.ChainView` of one chain; what the store lacks yet, the chain has.

    To a peer, a damaged block is one that this node has not got (T-S3).
    """

    def __init__(self, chain: Chain, store: BlockReader) -> None:
        self.chain = chain
        self.store = store
        self.unstored = UnstoredBlocks()
        self.damaged = DamagedBlocks()

    @property
    def chain_id(self) -> Digest:
        return self.chain.chain_id

    @property
    def head_num(self) -> int:
        return self.chain.head_num

    @property
    def head_id(self) -> BlockId:
        return self.chain.head_id

    @property
    def head_time(self) -> int:
        return self.chain.head_time

    @property
    def last_irreversible_num(self) -> int:
        return self.chain.last_irreversible_num

    @property
    def block_interval_s(self) -> int:
        return self.chain.state.parameters.block_interval

    def has_block(self, block_id: BlockId) -> bool:
        """Whether the block is on the main chain or linked into the fork database."""
        num = block_num_of(block_id)
        return self.chain.has_block(block_id) or (
            num < self.chain.last_irreversible_num and self.id_at(num) == block_id
        )

    def id_at(self, num: int) -> BlockId | None:
        """Id of the main chain's block of a number; None, too, when the store has it damaged."""
        try:
            return self.read_id_at(num)
        except DamagedData:
            return None

    def read_id_at(self, num: int) -> BlockId | None:
        """Id of the main chain's block of a number; raises `DamagedData`.

        The store may still have blocks above the head, which a development chain went back to.
        """
        if num > self.chain.head_num:
            return None
        known = self.chain.id_at(num) or self.unstored.id_at(num)
        if known is not None:
            return known
        try:
            return self.store.id_at(num)
        except DamagedData as error:
            self.damaged.note(error)
            raise

    def ids_from(self, num: int, count: int) -> list[BlockId]:
        """At most `count` ids of the main chain from a number on; the store is read once."""
        end = min(self.chain.head_num + 1, num + count)
        ids = []
        while num < end and (known := self.chain.id_at(num) or self.unstored.id_at(num)) is None:
            stored = self._stored_ids(num, end - num)
            ids += stored
            if not stored:
                return ids
            num += len(stored)
        for at in range(num, end):
            known = self.id_at(at)
            if known is None:
                break
            ids.append(known)
        return ids

    def _stored_ids(self, num: int, count: int) -> list[BlockId]:
        try:
            return self.store.ids_from(num, count)
        except DamagedData as error:
            self.damaged.note(error)
            return []

    def block_bytes(self, block_id: BlockId) -> bytes | None:
        """The binary form of a block that this node has, whole."""
        try:
            return self.read_block(block_id)
        except DamagedData:
            return None

    def read_block(self, block_id: BlockId) -> bytes | None:
        """The binary form of a block that this node has; raises `DamagedData`."""
        envelope = self.chain.block_envelope(block_id)
        if envelope is not None:
            return envelope.packed
        unstored = self.unstored.block(block_id)
        if unstored is not None:
            return unstored
        try:
            return self.store.block(block_id)
        except DamagedData as error:
            self.damaged.note(error)
            raise

    def is_mending(self, block_id: BlockId) -> bool:
        """Whether a damaged block is being fetched again."""
        return block_id in self.damaged

    def has_transaction(self, transaction_id: TransactionId) -> bool:
        """Whether the transaction is pending, or included and not expired yet."""
        return self.chain.has_transaction(transaction_id)

    def transaction_bytes(self, transaction_id: TransactionId) -> bytes | None:
        """The signed binary form of a pending transaction."""
        envelope = self.chain.pending_transaction(transaction_id)
        return None if envelope is None else envelope.packed()
