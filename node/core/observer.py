"""Who is told of what happens to the chain, in the core's own words."""

from __future__ import annotations

from typing import Protocol

from node.chain.apply_block import AppliedBlock
from protocol.block import BlockEnvelope
from protocol.errors import PegboardError
from protocol.schema import TransactionId
from protocol.transaction import TransactionEnvelope


class ChainObserver(Protocol):
    """Told of changes at once; its messages leave with the next `FlushSessions`."""

    def block_applied(self, block: AppliedBlock) -> None:
        """A block became the head."""

    def block_popped(self, block: BlockEnvelope) -> None:
        """The head block was taken back."""

    def transaction_pending(self, envelope: TransactionEnvelope) -> None:
        """A transaction entered the pending pool."""

    def transaction_dropped(self, transaction: TransactionId, reason: PegboardError) -> None:
        """A pending transaction is invalid on the new head; it will be in no block."""
