"""Runs: what a row of the database holds of operations and of accounts' histories.

A row costs about as much as all else that is done for an operation. So operations of one block
that follow each other share a row, and so do the entries of an account that are written together.
Which entries share one depends on when they were written; what they say does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple, cast

import msgspec

from node.history.block import BlockHistory
from node.history.records import (
    AccountOperation,
    AccountRun,
    AccountTotal,
    OperationRecord,
    OperationRun,
)
from node.state.context import NO_RESULT, AppliedOperation
from protocol.binary import packer_for, reader_for
from protocol.block import OperationResults
from protocol.ids import AccountHistoryId, AccountId, OperationHistoryId
from protocol.operations.base import Operation, TaggedOperation
from protocol.operations.results import OperationResult
from protocol.transaction import TransactionEnvelope

OPERATIONS_A_RUN = 16
"""At most; of small ones, so many fit in a page of a database."""
ENTRIES_A_RUN = 64
"""At most: whoever asks for one reads all of its run."""

_Packed = tuple[bytes, bytes, int, int, int, bool]
"""An operation: its binary form, that of its result, its place in the block, whether virtual."""
_ENTRY = 3
"""Numbers of an entry: its operation, its instance, the id of the operation's class."""

_SOLE_START, _SOLE_END = 11, -1
"""Where the binary form of a transaction of one operation has that, without the signatures."""


class MadeRun(NamedTuple):
    """A run that is to be written."""

    run: AccountRun
    length: int
    """Its entries."""
    types: frozenset[int]
    """Ids of the classes of their operations."""


_encode = msgspec.msgpack.Encoder().encode
_decode_operations = msgspec.msgpack.Decoder(list[_Packed]).decode
_decode_entries = msgspec.msgpack.Decoder(list[int]).decode


def operation_runs(block: BlockHistory) -> list[OperationRun]:
    """All operations of a block."""
    pack_operation, pack_result = _packers()
    no_result = pack_result(NO_RESULT)
    transactions, operations = block.transactions, block.operations
    packed: list[_Packed] = []
    for one in operations:
        result = one.result
        packed.append(
            (
                _sole_operation(one, transactions) or pack_operation(one.op),
                no_result if result is NO_RESULT else pack_result(result),
                one.trx_in_block,
                one.op_in_trx,
                one.virtual_op,
                one.is_virtual,
            )
        )
    return [
        OperationRun(
            OperationHistoryId(block.first_operation + start),
            block.num,
            block.time,
            _encode(packed[start : start + OPERATIONS_A_RUN]),
        )
        for start in range(0, len(packed), OPERATIONS_A_RUN)
    ]


def _sole_operation(
    one: AppliedOperation, transactions: Sequence[tuple[TransactionEnvelope, OperationResults]]
) -> bytes | None:
    """The binary form, as it came, of an operation that is alone in its transaction."""
    if one.trx_in_block >= len(transactions):
        return None
    envelope = transactions[one.trx_in_block][0]
    operations = envelope.transaction.operations
    if len(operations) != 1 or operations[0] is not one.op:
        return None
    return envelope.body[_SOLE_START:_SOLE_END]


def records_of(run: OperationRun, first: int, last: int) -> Iterator[OperationRecord]:
    """The operations of a run with ids within bounds, ascending."""
    read_operation, read_result = _readers()
    for instance, packed in enumerate(_decode_operations(run.operations), run.instance):
        if first <= instance <= last:
            op, result, trx_in_block, op_in_trx, virtual_op, is_virtual = packed
            yield OperationRecord(
                OperationHistoryId(instance),
                read_operation(op, 0, 0)[0],
                read_result(result, 0, 0)[0],
                run.block_num,
                run.block_time,
                trx_in_block,
                op_in_trx,
                virtual_op,
                is_virtual,
            )


def account_runs(blocks: Iterable[BlockHistory]) -> list[MadeRun]:
    """All entries of blocks that follow each other."""
    found: dict[AccountId, list[int]] = {}
    for block in blocks:
        instance = block.first_entry
        for account, number, operation, operation_type in block.entries:
            known = found.get(account)
            if known is None:
                found[account] = [number, operation, instance, operation_type]
            else:
                known += (operation, instance, operation_type)
            instance += 1
    runs: list[MadeRun] = []
    for account, numbers in found.items():
        runs += _runs_of(account, numbers[0], numbers[1:])
    return runs


def _runs_of(account: AccountId, number: int, numbers: list[int]) -> list[MadeRun]:
    """Entries as runs, the first of which has a number."""
    size = _ENTRY * ENTRIES_A_RUN
    runs: list[MadeRun] = []
    for start in range(0, len(numbers), size):
        part = numbers[start : start + size]
        operation, newest = OperationHistoryId(part[0]), AccountHistoryId(part[-2])
        first = number + start // _ENTRY
        run = AccountRun(account, first, operation, newest, _encode(part))
        runs.append(MadeRun(run, len(part) // _ENTRY, frozenset(part[2::_ENTRY])))
    return runs


def totals_of(runs: Iterable[MadeRun]) -> dict[AccountId, AccountTotal]:
    """Of each account with a run, what there is of it up to its last."""
    return {
        run.account: AccountTotal(run.account, run.number + length - 1, run.newest)
        for run, length, _ in runs
    }


def entries_of(run: AccountRun) -> list[AccountOperation]:
    """The entries of a run, ascending."""
    numbers = _decode_entries(run.entries)
    parts = zip(numbers[::_ENTRY], numbers[1::_ENTRY], numbers[2::_ENTRY], strict=True)
    return [
        AccountOperation(
            run.account,
            number,
            OperationHistoryId(operation),
            AccountHistoryId(instance),
            operation_type,
        )
        for number, (operation, instance, operation_type) in enumerate(parts, run.number)
    ]


def cut_run(run: AccountRun, entries: int) -> list[MadeRun]:
    """What is left of a run of which entries from an instance on are gone: one, or none."""
    numbers = _decode_entries(run.entries)
    kept = sum(instance < entries for instance in numbers[1::_ENTRY])
    return _runs_of(run.account, run.number, numbers[: _ENTRY * kept])


_OperationReader = Callable[[bytes, int, int], tuple[Operation, int]]
_ResultReader = Callable[[bytes, int, int], tuple[OperationResult, int]]


@cache
def _packers() -> tuple[Callable[[Operation], bytes], Callable[[OperationResult], bytes]]:
    return packer_for(TaggedOperation), packer_for(OperationResult)


@cache
def _readers() -> tuple[_OperationReader, _ResultReader]:
    operation, result = reader_for(TaggedOperation), reader_for(OperationResult)
    return cast(_OperationReader, operation), cast(_ResultReader, result)
