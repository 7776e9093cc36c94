"""What waiting transactions have touched, and which blocks leave them as they are (R9.2).

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

from collections.abc import Collection, Iterable, Sequence

from node.chain.maintenance import is_maintenance_due
from node.chain.pending import AppliedTransaction, Reads
from node.state.context import AppliedOperation, Context
from node.state.database import State
from node.state.objects.base import StateObject
from node.state.objects.market import LimitOrder
from node.state.undo import CREATE, REMOVE, Record, item_of, kind_of, table_of
from protocol.block import BlockEnvelope
from protocol.constants import CORE_ASSET, TAPOS_WINDOW
from protocol.ids import AccountId, AssetId
from protocol.operations import PAYER_OF
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetPublishFeed, AssetSettle
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.operations.transfer import Transfer
from protocol.schema import MAX_TIMESTAMP, Timestamp
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


class Reading:
    """Which tables transactions of a state read and do not write, where that is known."""

    __slots__ = ("_of_orders", "_of_transfers", "_state")

    def __init__(self, state: State) -> None:
        self._state = state
        seldom = (
            state.accounts,
            state.global_properties,
            state.custom_authorities,
            state.developments,
        )
        self._of_transfers = frozenset[object](seldom)
        self._of_orders = frozenset[object]((*seldom, state.assets, state.limit_orders))

    def of(self, operations: Sequence[Operation], applied: Sequence[AppliedOperation]) -> Reads:
        """What operations that were applied have read; None for all that may look at a clock.

        Transfers and cancelled orders are known, with a fee in CORE, since others are paid from a
        pool; and orders that have found nobody to trade with. Custom authorities look at the clock.
        """
        if self._state.custom_authorities.rows or len(applied) > len(operations):
            return None
        reads = self._of_transfers
        for op in operations:
            if op.fee.asset_id != CORE_ASSET:
                return None
            if type(op) is LimitOrderCancel or (
                isinstance(op, LimitOrderCreate) and op.extensions.on_fill is None
            ):
                reads = self._of_orders
            elif type(op) is not Transfer:
                return None
        return reads


class Footprint:
    """Of waiting transactions together; it must hear of each, in order."""

    __slots__ = (
        "_cancelled",
        "_created",
        "_is_known",
        "_reads",
        "_references",
        "_stays_until",
        "_tables",
        "touched",
    )

    def __init__(self) -> None:
        self.touched: set[StateObject] = set()
        """What they have created, edited or removed."""
        self._tables: set[object] = set()
        """The tables of that..."""
        self._created: set[object] = set()
        """...and those in which they have created something."""
        self._cancelled: set[tuple[AssetId, AssetId]] = set()
        """Markets in which they have cancelled orders."""
        self._stays_until: Timestamp = MAX_TIMESTAMP
        """The last time at which none of them has expired, nor an order that they touched."""
        self._references: set[int] = set()
        """Numbers of the summaries of blocks that they refer to (R9.3)."""
        self._is_known = True
        """Whether it is known what each of them read..."""
        self._reads: set[object] = set()
        """...and the tables of that, unless they wrote the same objects."""

    def add(self, entries: Iterable[AppliedTransaction], records: Collection[Record]) -> None:
        """More transactions were applied on top of the others; their records, oldest first."""
        self.touched.update(map(item_of, records))
        self._tables.update(map(table_of, records))
        kinds = set(map(kind_of, records))
        if CREATE in kinds:
            self._created.update(table for kind, table, _, _ in records if kind == CREATE)
        if REMOVE in kinds:
            gone = (item for kind, _, item, _ in records if kind == REMOVE)
            self._cancelled.update(
                (item.sells, item.receives) for item in gone if isinstance(item, LimitOrder)
            )
        for entry in entries:
            if entry.stays_until < self._stays_until:
                self._stays_until = entry.stays_until
            self._references.add(entry.envelope.transaction.ref_block_num)
            if entry.reads is None:
                self._is_known = False
            elif not self._reads >= entry.reads:
                self._reads |= entry.reads

    def has_read(self, table: object) -> bool:
        """Whether some of them have read a table: of orders, there is another book without them."""
        return table in self._reads

    def may_stay(self, block: BlockEnvelope) -> bool:
        """Whether each of them `may_stay` beneath the next block, answered for all at once."""
        return (
            self._is_known
            and block.header.timestamp <= self._stays_until
            and block.num % TAPOS_WINDOW not in self._references
        )

    def meets(self, state: State, block: BlockEnvelope, first: int = 0) -> bool:
        """Whether a block may look at what waits, or surely touches the same.

        That are its transactions, from the first one on that is not applied yet, and margin calls
        that were put off (BK1a).
        """
        if self.has_read(state.limit_orders) and state.bitassets_to_look_at.first(True) is not None:
            return True
        return any(
            self._meets(state, op)
            for envelope, _ in block.transactions[first:]
            for op in envelope.transaction.operations
        )

    def was_untouched(self, ctx: Context, records: Iterable[Record]) -> bool:
        """Whether a block that was applied on top has neither met what waits nor looked at it."""
        state = ctx.state
        return self.is_apart(records) and not (
            self.has_read(state.limit_orders)
            and any(self._has_bid(state, asset) for asset in ctx.dirty_assets)
        )

    def is_apart(self, records: Iterable[Record]) -> bool:
        """Whether what was applied on top has touched nothing that waiting ones have touched."""
        return not any(
            item in self.touched
            or table in self._reads
            or (kind == CREATE and table in self._created)
            for kind, table, item, _ in records
        )

    def may_change_places(self, entry: AppliedTransaction, records: Sequence[Record]) -> bool:
        """Whether a transaction that came after these could as well have come before them."""
        return (
            self._is_known
            and entry.reads is not None
            and self._tables.isdisjoint(entry.reads)
            and self.is_apart(records)
        )

    def _has_bid(self, state: State, asset: AssetId) -> bool:
        """Whether the last bid that margin calls saw is of what waits, or was another without it.

        The bids before it were filled, so they were touched (R4.1, BS8).
        """
        bitasset = state.bitasset_of(asset)
        if bitasset is None:
            return False
        market = (asset, bitasset.options.short_backing_asset)
        return market in self._cancelled or state.book.first(market) in self.touched

    def _meets(self, state: State, op: Operation) -> bool:
        if type(op) not in APART or (
            self.has_read(state.limit_orders) and type(op) is not Transfer
        ):
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


def stays_until(envelope: TransactionEnvelope, records: Iterable[Record]) -> Timestamp:
    """The last time at which a transaction is not expired, nor an order that it has touched.

    One that it has cancelled would still be there when the boundary looks for what expires.
    """
    found = envelope.transaction.expiration
    for _, _, item, _ in records:
        if isinstance(item, LimitOrder) and item.expiration <= found:
            found = item.expiration - 1
    return found


def may_stay(entry: AppliedTransaction, block: BlockEnvelope) -> bool:
    """Whether it is known what a transaction read, and no clock has it fail beneath the next block,
    which is this one (R9.3)."""
    return (
        entry.reads is not None
        and block.header.timestamp <= entry.stays_until
        and block.num % TAPOS_WINDOW != entry.envelope.transaction.ref_block_num
    )


def is_balance_looked_at(state: State, block: BlockEnvelope) -> bool:
    """Whether the boundary may look at any balance: maintenance, proposals, loans."""
    now = block.header.timestamp
    return is_maintenance_due(state, now) or any(
        due is not None and due <= now
        for due in (state.proposal_expirations.earliest(), state.credit_deals_by_end.earliest())
    )
