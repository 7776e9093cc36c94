"""The little that the peer layer asks of the chain; the node core provides it."""

from __future__ import annotations

from typing import Protocol

from protocol.schema import BlockId, Digest, TransactionId


class ChainView(Protocol):
    """Reads of the chain, the block store and the pending pool. None of them may write."""

    @property
    def chain_id(self) -> Digest:
        """Id of the chain."""
        ...

    @property
    def head_num(self) -> int:
        """Number of the head block; 0 when there is only the genesis."""
        ...

    @property
    def head_id(self) -> BlockId:
        """Id of the head block; 20 zeros when there is only the genesis."""
        ...

    @property
    def head_time(self) -> int:
        """Time of the head block, seconds since 1970."""
        ...

    @property
    def last_irreversible_num(self) -> int:
        """Number of the last irreversible block; 0 when there is none."""
        ...

    @property
    def block_interval_s(self) -> int:
        """Seconds between two slots."""
        ...

    def has_block(self, block_id: BlockId) -> bool:
        """Whether the block is on the main chain or linked into the fork database."""
        ...

    def id_at(self, num: int) -> BlockId | None:
        """Id of the block at a height of the main chain."""
        ...

    def ids_from(self, num: int, count: int) -> list[BlockId]:
        """At most `count` ids of the main chain from a height on, in one read."""
        ...

    def block_bytes(self, block_id: BlockId) -> bytes | None:
        """The binary form of a block that this node has."""
        ...

    def is_mending(self, block_id: BlockId) -> bool:
        """Whether the block is damaged here, and asked of peers."""
        ...

    def has_transaction(self, transaction_id: TransactionId) -> bool:
        """Whether the transaction is pending or was included and has not expired yet."""
        ...

    def transaction_bytes(self, transaction_id: TransactionId) -> bytes | None:
        """The signed binary form of a pending transaction."""
        ...
