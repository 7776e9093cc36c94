"""One transaction: what it must satisfy, and its operations in order (R9.3)."""

from __future__ import annotations

from node.evaluators.authority import verify_authority
from node.evaluators.base import apply_operation
from node.evaluators.development import impersonated_by, is_everybody_impersonated
from node.evaluators.samet_fund import check_all_repaid
from node.state.context import AppliedOperation, Context
from node.state.database import State
from node.state.errors import (
    DuplicateTransaction,
    ExpirationTooFar,
    InvalidReferenceBlock,
    TransactionExpired,
    TransactionRejected,
    TransactionTooLarge,
)
from node.state.objects.transactions import TransactionHistory
from protocol.block import OperationResults
from protocol.constants import COMMITTEE_ACCOUNT
from protocol.errors import TIME
from protocol.schema import Digest
from protocol.transaction import SignedTransaction, TransactionEnvelope, reference_prefix


def apply_transaction(
    ctx: Context,
    envelope: TransactionEnvelope,
    chain_id: Digest,
    check_signatures: bool = True,
    fee_free: bool = False,
    remember: bool = True,
) -> OperationResults:
    """Check a transaction and apply its operations; the answers of these, in order (R9.3).

    The caller's session takes back what a refusal leaves behind. Raises `TransactionRejected`,
    or `ProtocolError` for what needs no chain state. Authorities are checked unless a caller
    that trusts the signatures says otherwise. With `fee_free` no fee is asked for. What only
    waits for a block the chain need not `remember`. No loan outlives the transaction (U7).
    """
    state = ctx.state
    envelope.validate()
    if envelope.id in state.transaction_by_id.entries:
        raise DuplicateTransaction("transaction was applied already", rule="R9.3")
    dynamic = state.dynamic_properties.rows[0]
    parameters = state.global_properties.rows[0].parameters
    if dynamic.head_block_number:
        _check_size(envelope, parameters.maximum_transaction_size)
    transaction = envelope.transaction
    operations = transaction.operations
    if check_signatures:
        keys = envelope.signature_keys(chain_id)
        try:
            verify_authority(state, operations, keys)
        except TransactionRejected:
            if not is_everybody_impersonated(state):
                approved = impersonated_by(state, operations)
                if not approved:
                    raise
                committee = COMMITTEE_ACCOUNT in approved
                verify_authority(state, operations, keys, committee, approved, approved)
    if dynamic.head_block_number:
        latest = dynamic.time + parameters.maximum_time_until_expiration
        _check_place_and_time(state, transaction, dynamic.time, latest)

    if remember:
        remember_transaction(state, envelope)
    results = []
    for position, op in enumerate(operations):
        ctx.op_in_trx = position
        ctx.virtual_op = 0
        entry = AppliedOperation(op, ctx.trx_in_block, position, 0, False)
        ctx.applied.append(entry)
        entry.result = result = apply_operation(ctx, op, fee_free)
        results.append(result)
    if state.samet_funds.rows:
        check_all_repaid(state)
    return tuple(results)


def remember_transaction(state: State, envelope: TransactionEnvelope) -> None:
    """Have a transaction of a block refused if it comes again, until it expires (R9.3)."""
    table, expiration = state.transactions, envelope.transaction.expiration
    table.create(TransactionHistory(table.next_id, envelope.id, expiration))


def _check_size(envelope: TransactionEnvelope, limit: int) -> None:
    """Whether a block may hold it; before its signatures cost a look (T-P4)."""
    size = envelope.size
    if size > limit:
        raise TransactionTooLarge("transaction too large", rule="R9.3", value=size, limit=limit)


def _check_place_and_time(
    state: State, transaction: SignedTransaction, now: int, latest: int
) -> None:
    """TaPoS and expiration, in R9.3's order; `latest` is the latest time to expire at."""
    summary = state.block_summaries.rows.get(transaction.ref_block_num)
    prefix = None if summary is None else reference_prefix(summary.block_id)
    if prefix != transaction.ref_block_prefix:
        raise InvalidReferenceBlock(
            f"transaction refers to another block {transaction.ref_block_num}",
            rule="R9.3",
            value=transaction.ref_block_prefix,
            limit=prefix,
        )
    expiration = transaction.expiration
    if expiration > latest:
        raise ExpirationTooFar(
            "transaction expires too late",
            rule="R9.3",
            value=expiration,
            limit=latest,
            unit=TIME,
        )
    if expiration < now:
        raise TransactionExpired(
            "transaction has expired",
            rule="R9.3",
            value=expiration,
            limit=now,
            unit=TIME,
        )
