"""Database API: blocks and their transactions."""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import BLOCK_NUM, BlockNum, Boolean, TransactionIdArg, list_of
from node.api.call import Answer, Call, Listing
from node.api.views import view_block, view_header, view_transaction
from node.state.errors import NoSuchObject
from protocol.json_form import JsonValue

BlockNums = Annotated[list[int], list_of(BLOCK_NUM)]


def get_block(call: Call, block_num: BlockNum) -> Answer:
    """A block of the main chain; null above the head and for 0."""
    envelope = call.backend.block_at(block_num)
    return None if envelope is None else view_block(call.backend, envelope)


def get_block_header(
    call: Call, block_num: BlockNum, with_witness_signature: Boolean = False
) -> Answer:
    """A block's header; null above the head and for 0."""
    return _header(call, block_num, signed=with_witness_signature)


def get_block_header_batch(
    call: Call, block_nums: BlockNums, with_witness_signatures: Boolean = False
) -> Answer:
    """Pairs of block number and header, ascending and each once; null where there is none."""
    numbers = sorted(set(block_nums))
    return Listing(
        lambda: ([num, _header(call, num, signed=with_witness_signatures)] for num in numbers)
    )


def get_transaction(call: Call, block_num: BlockNum, trx_in_block: BlockNum) -> Answer:
    """One transaction of a block, with what its operations answered."""
    envelope = call.backend.block_at(block_num)
    if envelope is None:
        raise NoSuchObject("no such block", rule="R0.1", value=block_num)
    transactions = view_block(call.backend, envelope)["transactions"]
    assert isinstance(transactions, list)
    if trx_in_block >= len(transactions):
        raise NoSuchObject(
            "no such transaction", rule="R0.1", value=trx_in_block, limit=len(transactions)
        )
    return transactions[trx_in_block]


def get_recent_transaction_by_id(call: Call, transaction_id: TransactionIdArg) -> Answer:
    """A transaction that is pending or in a block, and has not expired yet; else null.

    Of the transactions that this process has not seen since it started nothing is told.
    """
    found = call.services.recent.find(call.backend.chain, transaction_id)
    return None if found is None else view_transaction(call.backend, found.transaction)


def _header(call: Call, num: int, *, signed: bool) -> JsonValue:
    envelope = call.backend.block_at(num)
    if envelope is None:
        return None
    header = view_header(call.backend, envelope)
    if signed:
        header["witness_signature"] = envelope.header.witness_signature.hex()
    return header


METHODS = (
    get_block,
    get_block_header,
    get_block_header_batch,
    get_transaction,
    get_recent_transaction_by_id,
)
