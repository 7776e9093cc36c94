"""Who is told what a node core does, and need not care for all of it."""

from __future__ import annotations

from node.chain.apply_block import AppliedBlock
from protocol.block import BlockEnvelope
from protocol.errors import PegboardError
from protocol.schema import TransactionId
from protocol.transaction import TransactionEnvelope


class QuietObserver:
    """A `ChainObserver` that notes nothing; what a test wants to know it overrides."""

    def block_applied(self, block: AppliedBlock) -> None:
        """Nothing is noted."""

    def block_popped(self, block: BlockEnvelope) -> None:
        """Nothing is noted."""

    def transaction_pending(self, envelope: TransactionEnvelope) -> None:
        """Nothing is noted."""

    def transaction_dropped(self, transaction: TransactionId, reason: PegboardError) -> None:
        """Nothing is noted."""
