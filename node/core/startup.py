"""From stores to a running chain (S6): the newest snapshot that is safe, and the blocks above."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain
from node.state.database import State
from protocol.block import BlockEnvelope
from protocol.errors import PegboardError
from protocol.genesis_form import Genesis
from protocol.schema import BlockId, Record

FORK_DIRECTORY = "fork"
"""Beside the genesis of a forked chain: the state that it goes on from."""
REPLAY_BATCH = 500
"""Blocks read from the store at a time."""


class StoredBlocks(Protocol):
    """What is needed of a block store."""

    def head(self) -> tuple[int, BlockId] | None: ...

    def id_at(self, num: int) -> BlockId | None: ...

    def irreversible_num(self) -> int: ...

    def blocks_from(self, num: int, count: int) -> Sequence[tuple[BlockId, int, bytes]]: ...


class StoredSnapshots(Protocol):
    """What is needed of a snapshot store."""

    def latest(
        self, at_most_num: int | None = None
    ) -> tuple[tuple[int, BlockId, bytes] | None, Sequence[object]]: ...


class HistoryKeeper(Protocol):
    """What is needed of a history that follows the chain."""

    @property
    def stored_num(self) -> int:
        """The newest block that it has kept; it knows those already, and wants those above."""

    def apply_block(self, trace: AppliedBlock) -> None: ...

    def write_all(self, irreversible_num: int) -> None:
        """Keep what may be kept."""

    def go_back(self, num: int) -> None:
        """Forget all above a block."""


class ForkUnreadable(PegboardError):
    """The state of a forked chain, without which its blocks mean nothing, cannot be read."""

    name = "fork_unreadable"


class Started(Record, gc=True):
    """A chain that stands where its store does."""

    chain: Chain
    replayed: int
    """Blocks applied from the store."""
    skipped_snapshots: tuple[object, ...]
    """Snapshots passed over, and why."""


def start_chain(
    genesis: Genesis,
    blocks: StoredBlocks,
    snapshots: StoredSnapshots | None,
    *,
    paranoid: bool = False,
    history: HistoryKeeper | None = None,
    checkpoint: BlockId | None = None,
    fork: StoredSnapshots | None = None,
) -> Started:
    """Restore the chain of a store (T-S6).

    Without snapshots, every block is replayed, on the genesis or on the state that a `fork` goes on
    from. A snapshot serves only when its block is on the
    stored main chain and irreversible: a fork can then never reach below it. It must not lie above
    the history either, which is told of each replayed block and lacks what comes before. Stored
    blocks are trusted in their signatures, not in their effects. Raises what the stores raise, and
    `BlockRejected` when the store contradicts the genesis.
    """
    head = blocks.head()
    skipped: list[object] = []
    at_most = 0 if head is None else head[0] - 1
    if history is not None:
        at_most = min(at_most, history.stored_num)
    while snapshots is not None and at_most > 0:
        snapshot, passed_over = snapshots.latest(at_most)
        skipped += passed_over
        if snapshot is None:
            break
        num, block_id, payload = snapshot
        at_most = num - 1
        if blocks.id_at(num) != block_id:
            skipped.append(f"snapshot of block {num} is not on the main chain")
            continue
        try:
            chain = Chain.continue_from(
                genesis, State.read(payload), paranoid=paranoid, checkpoint=checkpoint
            )
        except PegboardError as error:
            skipped.append(error)
            continue
        replayed = _replay(chain, blocks, history)
        if chain.state.dynamic.last_irreversible_block_num >= num:
            return Started(chain, replayed, tuple(skipped))
        skipped.append(f"snapshot of block {num} is not irreversible")
        if history is not None:
            at_most = min(at_most, history.stored_num)
    if fork is None:
        chain = Chain(genesis, paranoid=paranoid, checkpoint=checkpoint)
    else:
        state = _state_of_fork(genesis, fork)
        chain = Chain.continue_from(genesis, state, paranoid=paranoid, checkpoint=checkpoint)
    return Started(chain, _replay(chain, blocks, history), tuple(skipped))


def _state_of_fork(genesis: Genesis, fork: StoredSnapshots) -> State:
    """The state that a forked chain goes on from; raises `ForkUnreadable`."""
    point = genesis.pegboard.fork
    assert point is not None, "only a forked chain has a state to go on from"
    snapshot, skipped = fork.latest()
    if snapshot is None or snapshot[:2] != (point.block_num, point.block_id):
        reason = f": {skipped[0]}" if skipped else ""
        raise ForkUnreadable(
            f"the state that this chain goes on from is missing or damaged{reason}; fork it again",
            value=None if snapshot is None else snapshot[0],
            limit=point.block_num,
        )
    return State.read(snapshot[2])


def _replay(chain: Chain, blocks: StoredBlocks, history: HistoryKeeper | None) -> int:
    replayed = 0
    reversible: deque[AppliedBlock] = deque()
    while batch := blocks.blocks_from(chain.head_num + 1, REPLAY_BATCH):
        for _, _, data in batch:
            for applied in chain.push_block(BlockEnvelope.from_bytes(data), trusted=True).applied:
                if history is not None:
                    history.apply_block(applied)
                    reversible.append(applied)
            replayed += 1
            while reversible and reversible[0].envelope.num <= chain.last_irreversible_num:
                reversible.popleft()
        if history is not None:
            history.write_all(chain.last_irreversible_num)
    chain.keep_irreversible(min(blocks.irreversible_num(), chain.head_num))
    if history is not None and history.stored_num > chain.last_irreversible_num:
        # a chain that was cut back on purpose: these were irreversible once, and are no more
        history.go_back(chain.last_irreversible_num)
        for applied in reversible:
            history.apply_block(applied)
    return replayed
