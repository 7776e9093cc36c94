"""A snapshot in the making: a slice of the state with every tick."""

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
