"""The undo session above the head: what waits for a block is applied there and taken back again."""

from __future__ import annotations

from collections.abc import Callable

from node.chain.apply_block import AppliedBlock
from node.chain.apply_transaction import apply_transaction
from node.chain.block_builder import check_fits_a_block
from node.chain.pending import AppliedTransaction, PendingPool
from node.chain.pending_footprint import Footprint
from node.evaluators.base import run_proposed_operation
from node.state.context import Context
from node.state.database import State
from node.state.errors import DuplicateTransaction
from node.state.undo import EDIT
from protocol.block import BlockEnvelope
from protocol.errors import PegboardError
from protocol.ids import WitnessId
from protocol.schema import Digest, PublicKey, TransactionId
from protocol.transaction import TransactionEnvelope

Dropped = tuple[TransactionId, PegboardError]


class PendingSession:
    """A state with pending transactions on top; it is open but for the time of a block."""

    __slots__ = ("_chain_id", "_context", "_footprint", "_state", "pool")

    def __init__(self, state: State, chain_id: Digest) -> None:
        self.pool = PendingPool()
        self._state = state
        self._chain_id = chain_id
        self._open()

    def _open(self) -> None:
        self._state.log.begin()
        self._footprint = Footprint(self._state)
        self._follow_head()

    def _follow_head(self) -> None:
        dynamic = self._state.dynamic
        self._context = Context(
            self._state, dynamic.time, dynamic.head_block_number + 1, run_proposed_operation
        )

    def apply_beneath(
        self, block: BlockEnvelope, apply: Callable[[], AppliedBlock]
    ) -> AppliedBlock | None:
        """Apply a block that follows the head beneath what waits, which stays as it is.

        None, and nothing done, if that is not known to come to the same as to take all back, apply
        the block and then all anew: then that has to be done. So it is for a block that fails,
        unless nothing waits: then its refusal is raised.
        """
        if not self.pool:
            applied = apply()
            self._follow_head()
            return applied
        if any(self.pool.find(envelope.id) for envelope, _ in block.transactions):
            return None
        if not self._footprint.may_stay(self._state, block):
            return None
        try:
            applied = apply()
        except PegboardError:
            return None
        if not self._footprint.is_apart(applied.revision):
            self._state.log.revert(applied.revision)
            return None
        self._follow_head()
        return applied

    def close(self) -> list[TransactionEnvelope]:
        """Take the pending transactions' effects back; the transactions, oldest first."""
        self._state.log.undo()
        return self.pool.take_all()

    def reopen(self, waiting: list[TransactionEnvelope]) -> list[Dropped]:
        """Apply waiting transactions on the head; those that are invalid now, with the reason.

        Transactions that the head's chain holds already are left out without a word.
        """
        self._open()
        dropped: list[Dropped] = []
        for envelope in waiting:
            if self._state.transaction_by_id.find(envelope.id) is not None:
                continue
            try:
                self.push(envelope)
            except PegboardError as error:
                dropped.append((envelope.id, error))
        return dropped

    def push(self, envelope: TransactionEnvelope) -> AppliedTransaction:
        """See `Chain.push_transaction`."""
        self._check_new(envelope)
        self.pool.check_room(envelope)
        applied = self.attempt(envelope, keep=True)
        self.pool.add(applied)
        return applied

    def withdraw(self, transaction_id: TransactionId) -> None:
        """See `Chain.withdraw_transaction`."""
        waiting = self.close()
        self.reopen([item for item in waiting if item.id != transaction_id])

    def attempt(
        self, envelope: TransactionEnvelope, *, keep: bool, check_signatures: bool = True
    ) -> AppliedTransaction:
        """Apply in a session of its own inside this one, then merge it or take it back."""
        self._check_new(envelope)
        log, ctx = self._state.log, self._context
        ctx.trx_in_block = len(self.pool)
        start = len(log.records)
        log.begin()
        try:
            results = apply_transaction(
                ctx, envelope, self._chain_id, check_signatures=check_signatures, remember=False
            )
            applied = AppliedTransaction(envelope, results, ctx.applied)
            check_fits_a_block(applied, self._state.parameters.maximum_block_size)
        except BaseException:
            keep = False
            raise
        finally:
            if keep:
                self._footprint.add(self._state, envelope, log.records[start:])
                log.merge()
            else:
                log.undo()
            ctx.applied = []
            ctx.events = []
        return applied

    def _check_new(self, envelope: TransactionEnvelope) -> None:
        if self.pool.find(envelope.id) is not None:
            raise DuplicateTransaction("transaction is pending already", rule="R9.3")

    def signing_key(self, witness: WitnessId) -> PublicKey | None:
        """See `Chain.signing_key`."""
        witnesses = self._state.witnesses
        item = witnesses.find(witness)
        if item is None or item not in self._footprint.touched:
            return None if item is None else item.signing_key
        for kind, _, touched, values in self._state.log.records:
            if touched is item:
                return witnesses.detached(values).signing_key if kind == EDIT else None
        return item.signing_key
