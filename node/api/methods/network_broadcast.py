"""API `network_broadcast`: transactions come in, and are refused in the same call or kept."""

from __future__ import annotations

from collections.abc import Callable

from node.api.arguments import Block, Callback, Transaction
from node.api.call import Answer, Call, Later, Outcome, Wait
from node.api.errors import no_development
from protocol.binary import pack
from protocol.block import BlockEnvelope
from protocol.errors import PegboardError
from protocol.transaction import SignedTransaction, TransactionEnvelope


def broadcast_transaction(call: Call, transaction: Transaction) -> Answer:
    """Take a transaction into the pending pool and offer it to the peers; null, or its refusal."""
    call.backend.broadcast(TransactionEnvelope.from_transaction(transaction))
    return None


def broadcast_transaction_with_callback(
    call: Call, callback: Callback, transaction: Transaction
) -> Answer:
    """The same; once the transaction is in a block, the callback is told.

    It is not told when no block will take the transaction any more, nor does bitshares-core tell
    it: clients take any call of it for the confirmation, and the dialect has no other word for it.
    """
    call.session.subscriptions.require_push()

    def confirm(outcome: Outcome) -> None:
        if not isinstance(outcome, PegboardError):
            call.session.push(callback, outcome)

    _broadcast(call, transaction, confirm)
    return None


def broadcast_transaction_synchronous(call: Call, transaction: Transaction) -> Answer:
    """The same; the answer comes once the transaction is in a block, or is dropped for none.

    Dropped is what expires or becomes invalid by a block without it; the answer names the reason.
    """
    call.session.require_room()
    later = Later()
    _broadcast(call, transaction, later.settle)
    return later


def broadcast_block(call: Call, block: Block) -> Answer:
    """Take a signed block in and offer it to the peers; null, or its refusal.

    Only a development chain takes blocks of clients (D11); others get them of their peers.
    """
    if not call.backend.is_development:
        raise no_development()
    call.backend.push_block(BlockEnvelope.from_bytes(pack(block)))
    return None


def _broadcast(call: Call, transaction: SignedTransaction, done: Callable[[Outcome], None]) -> None:
    """Wait first: a development chain makes the block inside the very call that broadcasts."""
    envelope = TransactionEnvelope.from_transaction(transaction)
    wait = Wait(call.session, envelope.id, done)
    call.services.wait_for(wait)
    try:
        call.backend.broadcast(envelope)
    except PegboardError:
        call.services.stop_waiting(wait)
        raise


METHODS = (
    broadcast_transaction,
    broadcast_transaction_with_callback,
    broadcast_transaction_synchronous,
    broadcast_block,
)
