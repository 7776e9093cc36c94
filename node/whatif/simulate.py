"""What would happen: transactions and blocks that are tried on a chain and taken back.

The code that applies blocks applies these too, but for signatures, so that what is found is what
happens once the same operations are signed and in blocks of these slots. What is pending comes
first in the first block, as it would, and the state with it is what the outcome is compared with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from node.chain.apply_block import cross_boundary
from node.chain.apply_transaction import apply_transaction
from node.chain.block_builder import HEADER_BYTES_MAX
from node.chain.chain import Chain
from node.chain.witness_schedule import scheduled_witness, slot_at, slot_time
from node.evaluators.base import run_proposed_operation
from node.state.context import Context
from node.state.database import State
from node.state.errors import TransactionTooLarge
from node.state.undo import Record, Revision
from node.whatif.outcome import Outcome, Refusal, SimulatedBlock, Stopped, difference_of
from node.whatif.plan import (
    LIMITS,
    Limits,
    Plan,
    PlannedBlock,
    Transact,
    check_plan,
    planned_blocks,
)
from protocol.block import BlockBody, BlockEnvelope, BlockHeader, merkle_root, pack_results
from protocol.constants import MAX_TRANSACTION_SIGNATURES
from protocol.errors import PegboardError
from protocol.fees import with_required_fee
from protocol.operations.authorities import required_authorities
from protocol.operations.base import Operation
from protocol.schema import BlockId, Digest, Signature
from protocol.transaction import SignedTransaction, TransactionEnvelope, reference_block

T = TypeVar("T")

Guard = Callable[[], object]
"""Asked between two steps of the work, where the state is whole: raises `WorkLimit` once a shell
has had enough of it."""

NO_SIGNATURE = Signature(bytes(65))


def unguarded() -> None:
    """The guard of a shell that lets the work come to its end."""


class WorkLimit(BaseException):
    """A simulation has done as much as it may; no rule of the chain may catch it."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(what, limit)
        self.stopped = Stopped(what, limit)


def simulate(
    chain: Chain, plan: Plan, limits: Limits = LIMITS, guard: Guard = unguarded
) -> Outcome:
    """What a plan would do at the head of a chain, which is left as it was.

    Raises `ValidationError` for a plan of too many operations. What a plan does beyond the other
    limits is not done; the outcome says so.
    """
    check_plan(plan, limits)
    return simulate_and_look(chain, plan, limits, guard, lambda _: None)[0]


def simulate_and_look(
    chain: Chain, plan: Plan, limits: Limits, guard: Guard, look: Callable[[State], T]
) -> tuple[Outcome, T]:
    """The same of a plan of any length, and what is seen of the state before it is taken back."""
    pending = [entry.envelope for entry in chain.pending]
    with chain.head_state() as state:
        trial = _Trial(state, chain.chain_id, chain.checkpoint, limits, guard)
        try:
            return trial.play(plan, pending), look(state)
        finally:
            trial.take_back()


_Waiting = tuple[TransactionEnvelope, int | None, bool]
"""A transaction, the number of its step in the plan, and whether it is free of fees."""


class _Trial:
    """Blocks on top of a state without open sessions, until they are taken back."""

    def __init__(
        self,
        state: State,
        chain_id: Digest,
        checkpoint: BlockId | None,
        limits: Limits,
        guard: Guard,
    ) -> None:
        self.state = state
        self.chain_id = chain_id
        self.checkpoint = checkpoint
        self.limits = limits
        self.guard = guard
        self.effects = 0
        self.serial = 0
        self.waiting: deque[_Waiting] = deque()
        self.revisions: list[Revision] = []
        self.records: list[Record] = []
        """What was done since the pending transactions, as far as blocks are whole."""
        self.mark = 0
        """From where on the open session's records belong to it."""
        self.context: Context | None = None
        self.blocks: list[SimulatedBlock] = []
        self.refusals: list[Refusal] = []

    def count_effect(self) -> None:
        """One more virtual operation; raises `WorkLimit`."""
        self.guard()
        self.effects += 1
        if self.effects > self.limits.effects:
            raise WorkLimit("effects", self.limits.effects)

    def play(self, plan: Plan, pending: list[TransactionEnvelope]) -> Outcome:
        """Make all blocks, or as many as the limits allow; what was found."""
        self.waiting.extend((envelope, None, False) for envelope in pending)
        stopped = None
        try:
            self._make_all(plan)
        except WorkLimit as limit:
            stopped = limit.stopped
        if self.context is not None:
            self._note_block(self.context)
            self.records += self.state.log.records[self.mark :]
        difference = difference_of(self.state, self.records)
        return Outcome(difference, self.blocks, self.refusals, stopped)

    def _make_all(self, plan: Plan) -> None:
        for block in planned_blocks(plan):
            if len(self.blocks) == self.limits.blocks:
                raise WorkLimit("blocks", self.limits.blocks)
            self.guard()
            self._make(block)
        self.refusals += (
            Refusal(step, _no_room(self.state)) for _, step, _ in self.waiting if step is not None
        )

    def take_back(self) -> None:
        """Leave the state as it was."""
        log = self.state.log
        while log.depth:
            log.undo()
        while self.revisions:
            log.revert(self.revisions.pop())

    def _make(self, block: PlannedBlock) -> None:
        """One block: what waits, the plan's transactions as far as they fit, and the boundary."""
        state = self.state
        slot = slot_at(state, block.earliest_s - 1) + 1
        header = BlockHeader(
            state.dynamic.head_block_id,
            slot_time(state, slot),
            scheduled_witness(state, slot),
            merkle_root(()),
            (),
        )
        envelope = BlockEnvelope.produce(header, BlockBody(), lambda _: NO_SIGNATURE)
        ctx = Context(
            state,
            state.dynamic.time,
            envelope.num,
            run_proposed_operation,
            header.timestamp,
            self.count_effect,
        )
        self.context = ctx
        state.log.begin()
        room = state.parameters.maximum_block_size - HEADER_BYTES_MAX
        room = self._transact(ctx, room)
        if not self.blocks:
            self.mark = len(state.log.records)
            state.log.save_again()
        for number, step in block.transactions:
            try:
                self.waiting.append((self._envelope(step), number, step.fee_free))
            except PegboardError as error:
                self.refusals.append(Refusal(number, error))
        self._transact(ctx, room)
        cross_boundary(ctx, envelope, self.checkpoint)
        self.revisions.append(state.log.finish())
        self.records += self.revisions[-1].records[self.mark :]
        self.mark = 0
        self._note_block(ctx)

    def _note_block(self, ctx: Context) -> None:
        self.context = None
        time = self.state.dynamic.time if ctx.now == ctx.block_time else ctx.block_time
        self.blocks.append(SimulatedBlock(ctx.block_num, time, ctx.applied, ctx.events))

    def _transact(self, ctx: Context, room: int) -> int:
        """Apply what waits, oldest first, until one does not fit (R9.4); the bytes that are left.

        What the chain refuses is left out: of the plan, with its reason.
        """
        while self.waiting and self.waiting[0][0].size <= room:
            self.guard()
            envelope, step, fee_free = self.waiting[0]
            try:
                size = self._apply(ctx, envelope, fee_free, room)
            except PegboardError as error:
                if step is not None:
                    self.refusals.append(Refusal(step, error))
            else:
                if size > room:
                    break
                room -= size
                ctx.trx_in_block += 1
            self.waiting.popleft()
        return room

    def _apply(self, ctx: Context, envelope: TransactionEnvelope, fee_free: bool, room: int) -> int:
        """Apply one transaction if it fits; the bytes that it takes in a block, with its answers.

        What it does is in a session of its own until then.
        """
        log, applied, events = self.state.log, len(ctx.applied), len(ctx.events)

        def take_back() -> None:
            log.undo()
            del ctx.applied[applied:], ctx.events[events:]

        log.begin()
        try:
            results = apply_transaction(ctx, envelope, self.chain_id, False, fee_free)
        except PegboardError:
            take_back()
            raise
        size = envelope.size + len(pack_results(results))
        if size > room:
            take_back()
        else:
            log.merge()
        return size

    def _envelope(self, step: Transact) -> TransactionEnvelope:
        """A transaction that refers to the head; each one has another expiration.

        It has room for one signature of each account that has to sign.
        """
        state, self.serial = self.state, self.serial + 1
        number, prefix = reference_block(state.dynamic.head_block_id)
        latest = state.dynamic.time + state.parameters.maximum_time_until_expiration
        operations, schedule = step.operations, state.parameters.current_fees
        if not step.fee_free:
            operations = tuple(with_required_fee(op, schedule) for op in operations)
        signatures = (NO_SIGNATURE,) * min(_signers(operations), MAX_TRANSACTION_SIGNATURES)
        return TransactionEnvelope.from_transaction(
            SignedTransaction(
                number, prefix, latest - self.serial, operations, signatures=signatures
            )
        )


def _signers(operations: Iterable[Operation]) -> int:
    """How many have to sign: accounts by one key each, as most do, and keys by themselves."""
    required = list(map(required_authorities, operations))
    accounts = {account for one in required for account in (*one.active, *one.owner)}
    return len(accounts) + sum(len(one.other) for one in required)


def _no_room(state: State) -> TransactionTooLarge:
    limit = state.parameters.maximum_block_size - HEADER_BYTES_MAX
    return TransactionTooLarge("no room in the blocks of the plan", rule="R9.4", limit=limit)
