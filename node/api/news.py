"""What a block or a transaction tells subscribers, worked out once for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from node.api.backend import ApiBackend, BlockTrace
from node.api.impacted import accounts_of_object
from node.api.views import (
    view_account_operation,
    view_object,
    view_operation,
    view_operation_record,
    view_result,
    view_transaction,
)
from node.chain.undo_marks import Rewound
from node.history.figures import market_of
from node.history.impacted import account_not_notified
from node.history.records import Market
from node.state.objects.base import StateObject
from node.state.objects.market import CallOrder, CollateralBid, ForceSettlement, LimitOrder
from node.state.table import Table
from node.state.undo import CREATE, EDIT, REMOVE, Change, UndoableTable
from protocol.block import processed
from protocol.ids import AccountHistoryId, AccountId, ObjectId, OperationHistoryId, object_id
from protocol.json_form import JsonValue, format_time
from protocol.operations.base import Operation
from protocol.operations.limit_order import FillOrder
from protocol.schema import Record, TransactionId


class ChangedObject(Record):
    """One object that a block created, changed or removed."""

    id: ObjectId
    is_changed: bool
    """False when it was created or removed."""
    accounts: tuple[AccountId, ...]
    market: Market | None
    json: JsonValue
    """The object, or the text of its id when it is gone."""


class BlockNews:
    """One applied block; whatever nobody asked for is never worked out."""

    def __init__(self, backend: ApiBackend, trace: BlockTrace) -> None:
        self.backend = backend
        self.trace = trace
        self.block_id = trace.envelope.id.hex()

    @cached_property
    def objects(self) -> list[ChangedObject]:
        """What subscribers of objects, accounts and markets are told."""
        return [self._object(change) for change in self.trace.revision.changes()]

    @cached_property
    def records(self) -> list[ChangedObject]:
        """What the block added to the histories of accounts: operations, then who has them."""
        history = self.backend.history
        entries = history.entries_in(self.trace.envelope.num)
        told: dict[OperationHistoryId, list[AccountId]] = {}
        for entry in entries:
            told.setdefault(entry.operation, []).append(entry.account)
        operations = [
            ChangedObject(
                object_id(OperationHistoryId, record.instance),
                False,
                _notified(record.op, told.get(record.instance, ())),
                None,
                view_operation_record(self.backend, record),
            )
            for record in (history.operations_in(self.trace.envelope.num) if entries else ())
        ]
        return operations + [
            ChangedObject(
                object_id(AccountHistoryId, entry.instance),
                False,
                (entry.account,),
                None,
                view_account_operation(self.backend, entry),
            )
            for entry in entries
        ]

    @cached_property
    def fills(self) -> dict[Market, list[JsonValue]]:
        """The fills of each market, as pairs of operation and result."""
        found: dict[Market, list[JsonValue]] = {}
        for applied in self.trace.operations:
            op = applied.op
            if isinstance(op, FillOrder):
                entry: JsonValue = [
                    view_operation(self.backend, op),
                    view_result(self.backend, applied.result),
                ]
                market = market_of(op.pays.asset_id, op.receives.asset_id)
                found.setdefault(market, []).append(entry)
        return found

    @cached_property
    def positions(self) -> dict[TransactionId, int]:
        """Where each transaction stands in the block."""
        transactions = self.trace.envelope.transactions
        return {envelope.id: num for num, (envelope, _) in enumerate(transactions)}

    def confirmation(self, transaction: TransactionId) -> JsonValue:
        """What somebody who waits for a transaction of this block is told."""
        num = self.positions[transaction]
        envelope, _ = self.trace.envelope.transactions[num]
        results = tuple(
            applied.result
            for applied in self.trace.operations
            if applied.trx_in_block == num and not applied.is_virtual
        )
        return {
            "id": transaction.hex(),
            "block_num": self.trace.envelope.num,
            "trx_num": num,
            "trx": view_transaction(self.backend, processed(envelope, results)),
        }

    def _object(self, change: Change) -> ChangedObject:
        return changed_object(self.backend, change.kind, change.table, change.item)


def _notified(op: Operation, concerned: Iterable[AccountId]) -> tuple[AccountId, ...]:
    """Who is told of an operation's record, of those whose history it has entered."""
    left_out = account_not_notified(op)
    return tuple(account for account in concerned if account != left_out)


class RewindNews:
    """A development chain that went back; whatever nobody asked for is never worked out."""

    def __init__(self, backend: ApiBackend, rewound: Rewound) -> None:
        self.backend = backend
        self.rewound = rewound

    @cached_property
    def view(self) -> JsonValue:
        """The head as it is again, and which blocks are no more, oldest first."""
        head = self.backend.state.dynamic
        gone: list[JsonValue] = [block.envelope.id.hex() for block in self.rewound.popped[::-1]]
        return {
            "head_block_number": head.head_block_number,
            "head_block_id": head.head_block_id.hex(),
            "head_block_time": format_time(head.time),
            "last_irreversible_block_num": head.last_irreversible_block_num,
            "popped": gone,
        }

    @cached_property
    def objects(self) -> list[ChangedObject]:
        """Every object that is another than before: changed back, gone, or here again."""
        first: dict[StateObject, tuple[int, UndoableTable]] = {}
        revisions = [block.revision for block in self.rewound.popped[::-1]]
        for revision in (*revisions, self.rewound.unpended):
            for change in revision.changes():
                first.setdefault(change.item, (change.kind, change.table))
        return [
            changed_object(self.backend, kind, table, item) for item, (kind, table) in first.items()
        ]


def changed_object(
    backend: ApiBackend, kind: int, table: UndoableTable, item: StateObject
) -> ChangedObject:
    """An object of which it is known what happened to it, as it is now."""
    assert isinstance(table, Table)
    assert kind in (CREATE, EDIT, REMOVE)
    found = table.object_id(item.id)
    is_gone = table.find(item.id) is not item
    return ChangedObject(
        found,
        kind == EDIT and not is_gone,
        accounts_of_object(item),
        market_of_object(backend, item),
        str(found) if is_gone else view_object(backend, item),
    )


def market_of_object(backend: ApiBackend, item: StateObject) -> Market | None:
    """The market in which an object is traded, if any."""
    if isinstance(item, LimitOrder):
        return market_of(item.sells, item.receives)
    if isinstance(item, CallOrder):
        return market_of(item.debt_asset, item.collateral_asset)
    if isinstance(item, CollateralBid):
        return market_of(item.debt_covered.asset_id, item.additional_collateral.asset_id)
    if isinstance(item, ForceSettlement):
        bitasset = backend.state.bitasset_of(item.balance.asset_id)
        if bitasset is not None:
            return market_of(item.balance.asset_id, bitasset.options.short_backing_asset)
    return None
