"""The undo session above the head: what waits for a block is applied there and taken back again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

from node.chain.apply_block import AppliedBlock, NotApart
from node.chain.apply_transaction import apply_transaction
from node.chain.block_builder import check_fits_a_block
from node.chain.pending import NOTHING_READY, AppliedTransaction, PendingPool, Ready
from node.chain.pending_footprint import Footprint, Reading, is_balance_looked_at, stays_until
from node.chain.pending_split import Split, Splitter
from node.evaluators.base import run_proposed_operation
from node.state.context import Context
from node.state.database import State
from node.state.errors import DuplicateTransaction
from node.state.undo import EDIT, Record
from protocol.block import BlockEnvelope, OperationResults
from protocol.errors import PegboardError
from protocol.ids import WitnessId
from protocol.schema import Digest, PublicKey, TransactionId
from protocol.transaction import TransactionEnvelope

Dropped = tuple[TransactionId, PegboardError]


class Beneath(NamedTuple):
    """A block that was applied beneath what waits."""

    block: AppliedBlock
    taken_back: list[TransactionEnvelope]
    """What has to be applied again, once the block is the head; oldest first."""


class PendingSession:
    """A state with pending transactions on top; it is open but for the time of a block."""

    __slots__ = ("_chain_id", "_context", "_footprint", "_is_whole", "_reading", "_state", "pool")

    def __init__(self, state: State, chain_id: Digest, *, is_whole: bool = False) -> None:
        """With `is_whole` all objects are of one time whenever a block is checked."""
        self.pool = PendingPool()
        self._state = state
        self._chain_id = chain_id
        self._is_whole = is_whole
        self._reading = Reading(state)
        self._open()

    def _open(self) -> None:
        self._state.log.begin()
        self._footprint = Footprint()
        self._follow_head()

    def _follow_head(self) -> None:
        dynamic = self._state.dynamic
        self._context = Context(
            self._state, dynamic.time, dynamic.head_block_number + 1, run_proposed_operation
        )

    def apply_beneath(
        self, block: BlockEnvelope, apply: Callable[[Ready], AppliedBlock]
    ) -> Beneath | None:
        """Apply a block that follows the head, and take back as little as possible of what waits.

        What the block holds of it is not applied again, and what it does not touch stays as it is.
        None, and nothing done, if nothing is known that could be spared, or the block fails; but
        where nothing waits its refusal is raised.
        """
        if not self.pool:
            applied = apply(NOTHING_READY)
            self._follow_head()
            return Beneath(applied, [])
        try:
            may_stay = self._footprint.may_stay(block)
            if may_stay and self._has_nothing_to_do_with(block):
                applied = apply(Ready(is_apart=self._footprint.was_untouched))
                self._follow_head()
                return Beneath(applied, [])
            for split in Splitter(self._state, self.pool, block, may_stay).splits():
                applied_on = self._try(split, apply)
                if applied_on is not None:
                    return applied_on
        except (PegboardError, NotApart):
            return None
        except BaseException:
            self.reopen(self.close())
            raise
        return None

    def _has_nothing_to_do_with(self, block: BlockEnvelope) -> bool:
        """Whether a block holds nothing of the pool, and may be tried on top of all of it."""
        return not (
            any(self.pool.find(envelope.id) for envelope, _ in block.transactions)
            or is_balance_looked_at(self._state, block)
            or self._footprint.meets(self._state, block)
        )

    def _try(self, split: Split, apply: Callable[[Ready], AppliedBlock]) -> Beneath | None:
        """Apply a block on a part of the pool; None if it met what was to be kept."""
        log, pool = self._state.log, self.pool
        edits = split.edited_since(log.records)
        if edits is None or (edits and self._is_whole):
            return None
        log.take_back(split.end)
        ready = Ready(split.ready, split.ready_spans, split.footprint.was_untouched)
        try:
            with _taken_back(edits):
                applied = apply(ready)
        except NotApart:
            return None
        behind = list(islice(pool, len(split.ready) + len(split.kept), None))
        pool.forget(split.ready)
        pool.forget(behind)
        self._footprint = split.footprint
        self._follow_head()
        return Beneath(applied, [entry.envelope for entry in behind])

    def close(self) -> list[TransactionEnvelope]:
        """Take the pending transactions' effects back; the transactions, oldest first."""
        self._state.log.undo()
        return self.pool.take_all()

    def reopen(
        self, waiting: Iterable[TransactionEnvelope], blocks: Iterable[AppliedBlock] = ()
    ) -> list[Dropped]:
        """Open again, and have transactions wait as `push_again` does."""
        self._open()
        return self.push_again(waiting, blocks)

    def push_again(
        self, waiting: Iterable[TransactionEnvelope], blocks: Iterable[AppliedBlock] = ()
    ) -> list[Dropped]:
        """Apply on top what was taken back; what is invalid now, with the reason.

        What the new blocks hold, or the head's chain, is left out without a word: of what expires
        with its block the chain knows nothing any more.
        """
        held = {envelope.id for block in blocks for envelope, _ in block.envelope.transactions}
        dropped: list[Dropped] = []
        for envelope in waiting:
            if envelope.id in held or self._state.transaction_by_id.find(envelope.id) is not None:
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
        start = len(log.records)
        log.begin()
        try:
            results = apply_transaction(
                ctx, envelope, self._chain_id, check_signatures=check_signatures, remember=False
            )
            applied = self._note(envelope, results, log.records[start:])
            check_fits_a_block(applied, self._state.parameters.maximum_block_size)
        except BaseException:
            keep = False
            raise
        finally:
            if keep:
                self._footprint.add((applied,), log.records[start:])
                log.merge()
            else:
                log.undo()
            ctx.forget()
        return applied

    def _note(
        self, envelope: TransactionEnvelope, results: OperationResults, records: list[Record]
    ) -> AppliedTransaction:
        """What was just applied."""
        ctx = self._context
        return AppliedTransaction(
            envelope,
            results,
            ctx.applied,
            tuple(ctx.events),
            frozenset(ctx.dirty_assets),
            frozenset(ctx.requests_made),
            ctx.has_guessed_time,
            len(records),
            self._reading.of(envelope.transaction.operations, ctx.applied),
            stays_until(envelope, records),
        )

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


@contextmanager
def _taken_back(edits: Iterable[Record]) -> Iterator[None]:
    """Show objects as they were before their edits, and then again as they are."""
    now = [(table, item, table.current_values(item)) for _, table, item, _ in edits]
    for _, table, item, values in edits:
        table.undo_edit(item, values)
    try:
        yield
    finally:
        for table, item, values in now:
            table.undo_edit(item, values)
