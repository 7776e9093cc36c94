"""What the chain remembers of transactions and blocks, and proposed transactions."""

from __future__ import annotations

from typing import Annotated

from node.state.objects.base import StateObject
from protocol.ids import AccountId, BlockSummaryId, ProposalId, TransactionHistoryId
from protocol.schema import SORTED, BlockId, PublicKey, Timestamp, TransactionId
from protocol.transaction import Transaction

AccountSet = Annotated[tuple[AccountId, ...], SORTED]


class TransactionHistory(StateObject):
    """A transaction that must not be applied again before it expires (2.7.n, R9.3)."""

    id: TransactionHistoryId
    trx_id: TransactionId
    expiration: Timestamp


class BlockSummary(StateObject):
    """The id of the newest block whose number ends in these 16 bits (2.8.n, R9.3)."""

    id: BlockSummaryId
    block_id: BlockId


class Proposal(StateObject):
    """A transaction that waits for approvals (1.10.n, R8.23)."""

    id: ProposalId
    expiration_time: Timestamp
    review_period_time: Timestamp | None
    """From then on no account can approve any more; it executes at its expiration."""
    proposed_transaction: Transaction
    required_active_approvals: AccountSet
    available_active_approvals: AccountSet
    required_owner_approvals: AccountSet
    available_owner_approvals: AccountSet
    available_key_approvals: Annotated[tuple[PublicKey, ...], SORTED]
    proposer: AccountId
    fail_reason: str
    """Why the last attempt to execute it failed; empty when there was none."""
