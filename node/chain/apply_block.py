"""One block: what it must satisfy, its transactions, and its boundary (R8.1-R8.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from node.chain.apply_transaction import apply_transaction, remember_transaction
from node.chain.budget import pay_witness
from node.chain.expirations import (
    forget_expired_transactions,
    remove_expired_permissions,
    settle_expired_proposals,
)
from node.chain.finality import (
    apply_certificate,
    check_certificate,
    renew_voting_sets,
    take_checkpoint,
)
from node.chain.irreversibility import update_irreversible_num
from node.chain.maintenance import is_maintenance_due, perform_maintenance
from node.chain.pending import NOTHING_READY, AppliedTransaction, Ready
from node.chain.witness_schedule import (
    count_missed_slots,
    recently_missed_after,
    shuffle_schedule,
    slots_filled_after,
)
from node.evaluators.base import run_proposed_operation
from node.evaluators.ticket_life import process_due_tickets
from node.market.boundary import run_boundary
from node.market.credit import settle_due_credit
from node.state.context import AppliedOperation, Context
from node.state.database import State
from node.state.errors import (
    InvalidTransactionInBlock,
    TooManyMissedBlocks,
    TransactionRejected,
    WrongMerkleRoot,
)
from node.state.events import ChainEvent
from node.state.objects.transactions import BlockSummary
from node.state.undo import Revision
from protocol.block import BlockEnvelope, SignedBlockHeader, certificate_in
from protocol.constants import MAX_UNDO_HISTORY
from protocol.errors import ProtocolError
from protocol.schema import BlockId, Digest


class AppliedBlock(NamedTuple):
    """A block of the main chain and what it did."""

    envelope: BlockEnvelope
    operations: list[AppliedOperation]
    """Real and virtual operations, in the order in which they happened."""
    events: list[ChainEvent]
    revision: Revision
    """What changed in the state; reverting it pops the block."""


class NotApart(Exception):
    """A block has met what waits, on top of which it was applied: nothing of it stays."""


def apply_block(
    state: State,
    envelope: BlockEnvelope,
    chain_id: Digest,
    *,
    trusted: bool = False,
    checkpoint: BlockId | None = None,
    ready: Ready = NOTHING_READY,
    check: Callable[[Revision], None] | None = None,
) -> AppliedBlock:
    """Apply a block that follows the head, or leave no trace; no block's session may be open.

    Its header was judged by `HeaderRules` and its body by `check_merkle_root`, before it came to
    this. Raises `BlockRejected`. A trusted block, one that this node has checked before, is applied
    without looking at signatures again. With the block after it a checkpoint is irreversible (F9).

    What is `ready` of it is not applied again. Raises `NotApart` if the rest of it may not be
    applied on top of what else waits. `check` looks at what has changed, and may refuse it.
    """
    assert envelope.header.previous == state.dynamic.head_block_id, "a block follows its parent"
    certificate = certificate_in(envelope.header)
    if certificate is not None:
        check_certificate(state, certificate, chain_id, trusted=trusted)
    state.log.begin()
    try:
        own_time = envelope.header.timestamp
        ctx = Context(state, state.dynamic.time, envelope.num, run_proposed_operation, own_time)
        for position, entry in enumerate(ready.transactions):
            _take_over(ctx, entry, position)
        _apply_transactions(ctx, envelope, chain_id, len(ready.transactions), trusted=trusted)
        cross_boundary(ctx, envelope, checkpoint)
        draft = state.log.draft(ready.spans)
        if not ready.is_apart(ctx, draft.own):
            raise NotApart
        if check is not None:
            check(draft.revision)
    except BaseException:
        state.log.undo()
        raise
    return AppliedBlock(envelope, ctx.applied, ctx.events, state.log.finish(draft))


def check_merkle_root(envelope: BlockEnvelope) -> None:
    """Refuse a body that is not the header's, before anything is believed of the block (R8.1).

    Its id comes from the header alone: whoever joins a true header to another body must not make
    others refuse the true block, nor keep it out.
    """
    root, stated = envelope.merkle_root(), envelope.header.transaction_merkle_root
    if root != stated:
        raise WrongMerkleRoot(
            "the header commits to other transactions",
            rule="R8.1",
            value=stated.hex(),
            limit=root.hex(),
        )


def _take_over(ctx: Context, entry: AppliedTransaction, position: int) -> None:
    """Have a transaction that was applied before the block came belong to it."""
    remember_transaction(ctx.state, entry.envelope)
    for applied in entry.operations:
        applied.trx_in_block = position
    ctx.applied += entry.operations
    ctx.events += entry.events
    ctx.dirty_assets |= entry.dirty_assets
    ctx.requests_made |= entry.requests_made


def _apply_transactions(
    ctx: Context, envelope: BlockEnvelope, chain_id: Digest, first: int, *, trusted: bool
) -> None:
    """From the first one on, in order; the answers of their operations must be the block's."""
    for position in range(first, len(envelope.transactions)):
        transaction, stated = envelope.transactions[position]
        ctx.trx_in_block = position
        try:
            results = apply_transaction(ctx, transaction, chain_id, not trusted)
        except (TransactionRejected, ProtocolError) as error:
            raise InvalidTransactionInBlock(
                f"transaction {position}: {error}", rule="R8.1", value=transaction.id.hex()
            ) from error
        if results != stated:
            raise InvalidTransactionInBlock(
                f"transaction {position}: the block states other results",
                rule="R8.1",
                value=stated,
                limit=results,
            )
    ctx.trx_in_block = len(envelope.transactions)


def cross_boundary(ctx: Context, envelope: BlockEnvelope, checkpoint: BlockId | None) -> None:
    """All that ends with a block, in the order of R8.3; rules see its own time now (R8.2).

    Of the block itself only the header is looked at; `ctx.trx_in_block` is how many transactions
    were applied. An undo session must be open.
    """
    state, header = ctx.state, envelope.header
    ctx.now = header.timestamp
    ctx.op_in_trx = 0
    ctx.virtual_op = 0

    _move_head(ctx, envelope, count_missed_slots(state, header.timestamp))
    _credit_witness(ctx, header)
    _follow_votes(state, header)
    if header.previous == checkpoint:
        take_checkpoint(state)
    _check_undoable(state, header)
    process_due_tickets(ctx)
    is_maintenance = is_maintenance_due(state, header.timestamp)
    if is_maintenance:
        perform_maintenance(ctx)
        renew_voting_sets(state)
    _remember_block(state, envelope)
    forget_expired_transactions(ctx)
    settle_expired_proposals(ctx)
    run_boundary(ctx)
    remove_expired_permissions(ctx)
    settle_due_credit(ctx)
    if state.dynamic.maintenance_flag != is_maintenance:
        state.dynamic_properties.edit(state.dynamic).maintenance_flag = is_maintenance
    shuffle_schedule(state)


def _move_head(ctx: Context, envelope: BlockEnvelope, missed: int) -> None:
    """The head's number, id and time, slots and participation (R8.5)."""
    header = envelope.header
    dynamic = ctx.state.dynamic_properties.edit(ctx.state.dynamic)
    dynamic.head_block_number = envelope.num
    dynamic.head_block_id = envelope.id
    dynamic.time = header.timestamp
    dynamic.current_witness = header.witness
    dynamic.recently_missed_count = (
        0 if envelope.num == 1 else recently_missed_after(dynamic.recently_missed_count, missed)
    )
    dynamic.recent_slots_filled = slots_filled_after(dynamic.recent_slots_filled, missed)
    dynamic.current_aslot += missed + 1


def _check_undoable(state: State, header: SignedBlockHeader) -> None:
    """Refuse what only adds to the blocks that can be undone, once they are many (R8.9).

    What the block itself makes irreversible counts, and a certificate lets it pass: more than two
    thirds are there, so that one of the next makes its target irreversible.
    """
    undoable = state.dynamic.head_block_number - state.dynamic.last_irreversible_block_num
    if undoable >= MAX_UNDO_HISTORY and certificate_in(header) is None:
        raise TooManyMissedBlocks(
            "too far above the last irreversible block; a checkpoint in the settings of all nodes "
            "(F9) lets the chain go on",
            rule="R8.9",
            value=undoable,
            limit=MAX_UNDO_HISTORY - 1,
        )


def _follow_votes(state: State, header: SignedBlockHeader) -> None:
    """Move the last irreversible block on, by the rule that the genesis chose (F4, R8.8)."""
    certificate = certificate_in(header)
    if certificate is not None:
        apply_certificate(state, certificate)
    elif state.finality is None:
        update_irreversible_num(state)


def _credit_witness(ctx: Context, header: SignedBlockHeader) -> None:
    """Pay the witness and note what it confirmed (R8.7)."""
    state = ctx.state
    witness = state.witnesses.get(header.witness)
    pay_witness(ctx, witness)
    state.witnesses.edit(witness)
    witness.last_aslot = state.dynamic.current_aslot
    witness.last_confirmed_block_num = state.dynamic.head_block_number


def _remember_block(state: State, envelope: BlockEnvelope) -> None:
    """Let transactions refer to the block: summary number n & 0xffff (R9.3)."""
    table = state.block_summaries
    found = state.block_summary(envelope.num)
    if found is None:
        table.create(BlockSummary(table.next_id, envelope.id))
    else:
        table.edit(found).block_id = envelope.id
