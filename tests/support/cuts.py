"""A cut that is read bit by bit, beside the state that was written out at once."""

from __future__ import annotations

from node.chain.chain import Chain
from node.state.errors import CutReverted
from protocol.msgpack_form import pack_document
from protocol.schema import Digest


class CutTwin:
    """Reads the state of a chain's head in small slices; the slow twin has read all of it."""

    __test__ = False

    def __init__(self, chain: Chain, size: int) -> None:
        self.block_id = chain.head_id
        self.expected = pack_document(chain.dump()), chain.state_hash()
        self.cuts = chain.cut(), chain.cut()
        self.dump = self.cuts[0].dump_slices(size)
        self.hash = self.cuts[1].hash_slices(size)
        self.parts: list[bytes] = []
        self.digest: Digest | None = None
        self.is_over = False
        self.is_reverted = False

    def advance(self) -> None:
        """Read one more slice each; when both are at their end, compare."""
        try:
            part = next(self.dump, None)
            if part is not None:
                self.parts.append(part)
            if self.digest is None:
                try:
                    next(self.hash)
                except StopIteration as end:
                    self.digest = end.value
        except CutReverted:
            self.is_reverted = self.is_over = True
            return
        if part is None and self.digest is not None:
            self.is_over = True
            assert b"".join(self.parts) == self.expected[0]
            assert self.digest == self.expected[1]
        if self.is_over:
            for cut in self.cuts:
                cut.close()

    def finish(self) -> None:
        """Read to the end."""
        while not self.is_over:
            self.advance()
