"""The hash of the whole state at the head, worked out in slices that all who ask share."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress

from node.chain.chain import Chain
from node.state.cut import StateCut
from node.state.errors import CutReverted
from protocol.schema import BlockId, Digest

SLICE_OBJECTS = 250
"""Objects that one step takes in; one or two milliseconds."""

HashedHead = tuple[int, BlockId, Digest]


class HeadHash:
    """The state hash of a chain's head, without pending transactions.

    While somebody works at a block's hash, whoever asks for the same joins in; the newest one is
    kept.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._runs: dict[BlockId, _Run] = {}
        self._known: HashedHead | None = None

    def steps(self) -> Generator[None, None, HashedHead]:
        """Number, id and state hash of what is the head now, or of a later one if that was popped.

        Others may have their turn at each step.
        """
        while True:
            num, block_id = self._chain.head_num, self._chain.head_id
            if self._known is not None and self._known[1] == block_id:
                return self._known
            with suppress(CutReverted):
                digest = yield from self._join(block_id)
                self._known = num, block_id, digest
                return self._known

    def _join(self, block_id: BlockId) -> Generator[None, None, Digest]:
        run = self._runs.get(block_id)
        if run is None:
            run = self._runs[block_id] = _Run(self._chain.cut())
        run.askers += 1
        try:
            while not run.advance():
                yield
            assert run.digest is not None
            return run.digest
        finally:
            run.askers -= 1
            if not run.askers or run.cut.is_reverted:
                run.cut.close()
                if self._runs.get(block_id) is run:
                    del self._runs[block_id]


class _Run:
    """The work at one block's hash."""

    def __init__(self, cut: StateCut) -> None:
        self.cut = cut
        self.askers = 0
        self.digest: Digest | None = None
        self._steps = cut.hash_slices(SLICE_OBJECTS)

    def advance(self) -> bool:
        """Do one step, unless all is done; whether it is. Raises `CutReverted`."""
        if self.digest is None:
            self.cut.check()
            try:
                next(self._steps)
            except StopIteration as end:
                self.digest = end.value
        return self.digest is not None
