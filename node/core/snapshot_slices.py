"""Snapshots in the making: a slice of the state with every tick, one snapshot at a time."""

from __future__ import annotations

from node.chain.chain import Chain
from node.core.effects import SaveSnapshot
from node.state.errors import CutReverted

SLICE_OBJECTS = 1_000
"""Objects of the state that one step of the main loop packs; some ten milliseconds."""


class SnapshotSlices:
    """The state after the head block, to be packed while further blocks come."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._num, self._id = chain.head_num, chain.head_id
        self._cut = chain.cut()
        self._slices = self._cut.dump_slices(SLICE_OBJECTS)
        self._packed: list[bytes] = []
        self.is_over = False

    def advance(self) -> SaveSnapshot | None:
        """Pack one more slice; the snapshot if it was the last one.

        It comes to nothing when its block is taken back: it is over then without a snapshot.
        """
        try:
            packed = next(self._slices, None)
        except CutReverted:
            self._close()
            return None
        if packed is not None:
            self._packed.append(packed)
            return None
        self._close()
        return SaveSnapshot(
            self._num, self._id, tuple(self._packed), self._chain.last_irreversible_num
        )

    def _close(self) -> None:
        self.is_over = True
        self._cut.close()


class SnapshotTurns:
    """A snapshot of every so manieth block, unless the one before it is not done yet."""

    def __init__(self, chain: Chain, interval: int) -> None:
        self._chain = chain
        self._interval = interval
        self._begun: SnapshotSlices | None = None

    def begin(self) -> None:
        """Begin one of the head, if it is its turn."""
        if self._chain.head_num % self._interval == 0:
            self._begun = self._begun or SnapshotSlices(self._chain)

    def advance(self) -> SaveSnapshot | None:
        """Pack one more slice of what was begun; the snapshot if that was its last."""
        if self._begun is None:
            return None
        saved = self._begun.advance()
        if self._begun.is_over:
            self._begun = None
        return saved
