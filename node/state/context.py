"""What an operation or a boundary step works on, and what it leaves behind besides the state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from node.state.database import State
from node.state.events import ChainEvent
from protocol.errors import PegboardError
from protocol.ids import AssetId, ForceSettlementId
from protocol.operations.base import Operation
from protocol.operations.results import OperationResult, VoidResult
from protocol.schema import Mutable

NO_RESULT = VoidResult()
"""What an operation answers until it has answered, and most do after."""


class AppliedOperation(Mutable):
    """One operation of a block, real or virtual, with its place and its result (B7)."""

    op: Operation
    trx_in_block: int
    """0 while it waits for a block."""
    op_in_trx: int
    virtual_op: int
    is_virtual: bool
    result: OperationResult = NO_RESULT


class Context:
    """Passed to every evaluator and market function.

    `now` is the time that rules see: the parent block's while operations are applied (R8.2), the
    block's own at its boundary. `block_num` is the number of the block in the making.
    """

    __slots__ = (
        "_block_time",
        "applied",
        "block_num",
        "dirty_assets",
        "events",
        "has_guessed_time",
        "now",
        "on_effect",
        "op_in_trx",
        "proposal_depth",
        "requests_made",
        "run_operation",
        "state",
        "trx_in_block",
        "virtual_op",
    )

    def __init__(
        self,
        state: State,
        now: int,
        block_num: int,
        run_operation: Callable[[Context, Operation], OperationResult],
        block_time: int | None = None,
        on_effect: Callable[[], None] | None = None,
    ) -> None:
        self.state = state
        self.now = now
        self.block_num = block_num
        self._block_time = block_time
        self.has_guessed_time = False
        """Whether the time of a block was asked for that is not made yet."""
        self.run_operation = run_operation
        """Applies one operation of a proposal in this context (R8.23)."""
        self.on_effect = on_effect
        """Called before each virtual operation is noted, for who bounds what may happen."""
        self.applied: list[AppliedOperation] = []
        self.events: list[ChainEvent] = []
        self.dirty_assets: set[AssetId] = set()
        self.requests_made: set[ForceSettlementId] = set()
        """Settlement requests that the block itself has made, if they are still there (SM6)."""
        self.trx_in_block = 0
        self.op_in_trx = 0
        self.virtual_op = 0
        self.proposal_depth = 0
        """How many proposals are executing inside each other now (R8.23)."""

    def forget(self) -> None:
        """Begin anew, at the same time of the same block."""
        self.applied = []
        self.events = []
        self.dirty_assets.clear()
        self.requests_made.clear()
        self.has_guessed_time = False

    @property
    def block_time(self) -> int:
        """The own time of the block; of pending transactions, whose block is not made, `now`."""
        if self._block_time is not None:
            return self._block_time
        self.has_guessed_time = True
        return self.now

    @contextmanager
    def session(self) -> Iterator[None]:
        """An undo session: a refusal inside takes back the state, records and events of it."""
        applied, events, virtual_op = len(self.applied), len(self.events), self.virtual_op
        self.state.log.begin()
        try:
            yield
        except PegboardError:
            self.state.log.undo()
            del self.applied[applied:], self.events[events:]
            self.virtual_op = virtual_op
            raise
        self.state.log.merge()

    def emit(self, op: Operation) -> None:
        """Note a virtual operation: a fill, an expiry, a settlement cancelled (B6a)."""
        if self.on_effect is not None:
            self.on_effect()
        self.virtual_op = place = self.virtual_op + 1
        self.applied.append(AppliedOperation(op, self.trx_in_block, self.op_in_trx, place, True))

    def mark_dirty(self, asset_id: AssetId) -> None:
        """Have the market engine look at a BitAsset at this block's boundary (R4.12)."""
        self.dirty_assets.add(asset_id)
