"""What follows when the chain moves: it is stored, and then told.

`StoreBlocks` is put before whatever follows from its blocks, and counted before anybody hears of
them. So an answer that rests on a block waits for it, and what leaves the node is on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from node.api.durability import Durability
from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain, PushResult
from node.chain.undo_marks import Rewound
from node.chain.vote_pool import VotePool
from node.core.effect_list import EffectList
from node.core.effects import Effect, FlushSessions, StoreBlocks, StoreHistory, report_of_blocks
from node.core.observer import ChainObserver
from node.core.snapshot_slices import SnapshotTurns
from node.core.unstored_blocks import UnstoredBlocks
from protocol.block import BlockEnvelope
from protocol.transaction import TransactionEnvelope


class ChainMoves:
    """Has the moves of one chain stored, and tells observers, the pool of votes and the log."""

    def __init__(
        self,
        chain: Chain,
        pool: VotePool,
        effects: EffectList,
        snapshots: SnapshotTurns,
        unstored: UnstoredBlocks | None = None,
    ) -> None:
        """`unstored` is where blocks can be read that the store lacks yet."""
        self.durability = Durability()
        self.unstored = unstored
        self._chain = chain
        self._pool = pool
        self._effects = effects
        self._snapshots = snapshots
        self._observers: list[ChainObserver] = []

    def observe(self, observer: ChainObserver) -> None:
        """Tell somebody of all that changes from now on."""
        self._observers.append(observer)

    # Pushed blocks.

    def follow(self, result: PushResult) -> None:
        """Store, report and tell what pushing a block changed.

        Nothing if it only grew a fork: what was never applied takes no disk, and is told to nobody
        (T-P6).
        """
        if result.applied:
            self.durability.make()
            self._effects.add(*self._storing(result.applied))
            self._tell(result)

    @contextmanager
    def joined(self) -> Iterator[Callable[[PushResult], None]]:
        """Follow several pushes with what it gives: one move stores all of their blocks, before
        anything that follows from any of them, also if they end midway."""
        place = len(self._effects)
        applied: list[AppliedBlock] = []

        def follow(result: PushResult) -> None:
            if not applied:
                self.durability.make()
            applied.extend(result.applied)
            self._tell(result)

        try:
            yield follow
        finally:
            if applied:
                self._effects.insert(place, *self._storing(applied))

    def _storing(self, applied: Sequence[AppliedBlock]) -> list[Effect]:
        """Store the newest blocks of the main chain as one move, which was made before anybody was
        told of them; then send what observers made of them."""
        blocks = [block.envelope for block in applied]
        lib = self._chain.last_irreversible_num
        return [
            self._keep(StoreBlocks.of_main_chain(blocks, lib, self.durability.made)),
            FlushSessions(),
            StoreHistory(self._chain.lowest_undoable_num),
            report_of_blocks(blocks, lib),
        ]

    def _tell(self, result: PushResult) -> None:
        """Tell of blocks, the last of which is the head; begin a snapshot in its turn."""
        if result.popped:
            self._effects.report(
                "fork_switch",
                popped=len(result.popped),
                applied=len(result.applied),
                head=self._chain.head_num,
            )
        for observer in self._observers:
            for popped in result.popped:
                observer.block_popped(popped)
            for block in result.applied:
                observer.block_applied(block)
            for transaction_id, reason in result.dropped:
                observer.transaction_dropped(transaction_id, reason)
        for block in result.applied:
            self._pool.note_certificate(block.envelope.id)
        for transaction_id, reason in result.dropped:
            self._effects.report("transaction_dropped", id=transaction_id.hex(), reason=str(reason))
        self._snapshots.begin()

    # Other moves, and what moves nothing.

    def follow_rewind(self, rewound: Rewound, clock_offset_ms: int) -> None:
        """Store and tell that a development chain was cut back; its clock goes back with it."""
        self._store_place(clock_offset_ms, went_back=True)
        for observer in self._observers:
            for popped in rewound.popped:
                observer.block_popped(popped.envelope)

    def store_clock(self, offset_ms: int) -> None:
        """Store how far a development chain's clock is from the machine's."""
        self._store_place(offset_ms, went_back=False)

    def store_again(self, block: BlockEnvelope) -> None:
        """Store a block once more that the chain has long had; it stays where it is."""
        kept = ((block.id, block.num, block.packed),)
        head_id, lib = self._chain.head_id, self._chain.last_irreversible_num
        move = StoreBlocks(kept, head_id, (), lib, self.durability.make())
        self._effects.add(self._keep(move))

    def stored(self, serial: int) -> None:
        """The moves up to a number are durable: `StoreBlocks.serial`."""
        if self.unstored is not None:
            self.unstored.drop(serial)
        self.durability.store(serial)

    def tell_pending(self, envelope: TransactionEnvelope) -> None:
        """Tell that a transaction entered the pending pool."""
        for observer in self._observers:
            observer.transaction_pending(envelope)
        self._effects.add(FlushSessions())

    def _store_place(self, clock_offset_ms: int, *, went_back: bool) -> None:
        if not self._chain.has_begun:
            return  # a clock that was moved is not kept before there is anything
        head_id, lib = self._chain.head_id, self._chain.last_irreversible_num
        serial = self.durability.make()
        move = StoreBlocks((), head_id, (), lib, serial, went_back, clock_offset_ms)
        self._effects.add(self._keep(move))

    def _keep(self, move: StoreBlocks) -> StoreBlocks:
        """A move whose blocks can be read from now on, although they are not stored yet."""
        if self.unstored is not None:
            self.unstored.add(move)
        return move
