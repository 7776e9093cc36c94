"""What waiting transactions have touched, and which blocks leave all of them as they are (R9.2).

A block is applied on its parent. Where what waits and the block have nothing to do with each other,
it comes to the same to apply the block on top of what waits: then nothing is taken back and applied
again. Three things make it so:

* a waiting transaction read nothing but what it wrote, and tables that the block does not touch;
* the block read nothing that waiting ones wrote, but for what it wrote itself;
* no object was written by both, and none created by both in one table, which numbers them.

The last is seen from the undo log once the block is applied. The others follow from the kinds of
operations, and from what falls due at the boundary: kinds that are not named here have all applied
anew, as have clocks: an expired transaction, or a reference block that is forgotten.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from node.chain.maintenance import is_maintenance_due
from node.state.database import State
from node.state.objects.base import StateObject
from node.state.undo import CREATE, Record, Revision
from protocol.block import BlockEnvelope
from protocol.constants import CORE_ASSET, TAPOS_WINDOW
from protocol.ids import AccountId, AssetId
from protocol.operations import PAYER_OF
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetPublishFeed, AssetSettle
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.operations.transfer import Transfer
from protocol.schema import MAX_TIMESTAMP
from protocol.transaction import TransactionEnvelope

APART: frozenset[type] = frozenset(
    {
        Transfer,
        LimitOrderCreate,
        LimitOrderCancel,
        CallOrderUpdate,
        AssetPublishFeed,
        AssetSettle,
    }
)
"""Operations that write each balance and each account's figures on which they depend, and nothing
of accounts, of rules for assets, or of parameters."""


class Footprint:
    """Of all waiting transactions together; `add` must hear of each, in order."""

    __slots__ = ("_created", "_expiration", "_is_local", "_references", "_rests_on", "touched")

    def __init__(self, state: State) -> None:
        self.touched: set[StateObject] = set()
        """What they have created, edited or removed."""
        self._created: set[object] = set()
        """Tables in which they have created something."""
        self._expiration = MAX_TIMESTAMP
        """When the first of them expires."""
        self._references: set[int] = set()
        """Numbers of the summaries of blocks that they refer to (R9.3)."""
        self._is_local = True
        """Whether all read only what they wrote, and `_rests_on`."""
        self._rests_on: Container[object] = {
            state.accounts,
            state.global_properties,
            state.custom_authorities,
            state.developments,
        }

    def add(self, state: State, envelope: TransactionEnvelope, records: Iterable[Record]) -> None:
        """One more transaction was applied on top of the others; its records, oldest first."""
        for kind, table, item, _ in records:
            self.touched.add(item)
            if kind == CREATE:
                self._created.add(table)
        transaction = envelope.transaction
        self._expiration = min(self._expiration, transaction.expiration)
        self._references.add(transaction.ref_block_num)
        self._is_local = self._is_local and _is_local(state, transaction.operations)

    def may_stay(self, state: State, block: BlockEnvelope) -> bool:
        """Whether a block that follows the head can be applied on top, as far as can be told now.

        What it touches, `is_apart` has to tell after that.
        """
        now = block.header.timestamp
        return (
            self._is_local
            and state.dynamic.head_block_number > 0
            and now <= self._expiration
            and block.num % TAPOS_WINDOW not in self._references
            and not _is_anything_due(state, now)
            and not any(
                self._meets(state, op)
                for envelope, _ in block.transactions
                for op in envelope.transaction.operations
            )
        )

    def is_apart(self, revision: Revision) -> bool:
        """Whether a block that was applied on top has met nothing of what waits."""
        return not any(
            item in self.touched
            or table in self._rests_on
            or (kind == CREATE and table in self._created)
            for kind, table, item, _ in revision.records
        )

    def _meets(self, state: State, op: Operation) -> bool:
        """Whether an operation of a block needs all applied anew, or surely touches the same."""
        if type(op) not in APART:
            return True
        payer = state.accounts.find(PAYER_OF[type(op)](op))
        if payer is None or state.statistics.find(payer.statistics) in self.touched:
            return True
        return isinstance(op, Transfer) and (
            self._holds(state, op.from_, op.amount.asset_id)
            or self._holds(state, op.to, op.amount.asset_id)
        )

    def _holds(self, state: State, account: AccountId, asset: AssetId) -> bool:
        return state.balances_of_account.find(account, asset) in self.touched


def _is_local(state: State, operations: Sequence[Operation]) -> bool:
    """Whether operations read only what they write and what seldom changes, and no clock.

    Transfers do, with a fee in CORE: others are paid from a pool. Custom authorities look at the
    clock.
    """
    return not state.custom_authorities.rows and all(
        type(op) is Transfer and op.fee.asset_id == CORE_ASSET for op in operations
    )


def _is_anything_due(state: State, now: int) -> bool:
    """Whether the boundary does what may look at any balance: maintenance, proposals, loans."""
    return is_maintenance_due(state, now) or any(
        due is not None and due <= now
        for due in (state.proposal_expirations.earliest(), state.credit_deals_by_end.earliest())
    )
