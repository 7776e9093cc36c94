"""Whether this node's clock is the network's, by the blocks of the other witnesses (T-K1)."""

from __future__ import annotations

from contextlib import suppress

from node.chain.chain import Chain
from node.core.effects import Report
from node.core.own_blocks import OwnBlocks
from node.state.errors import FutureBlock
from node.witness.producer import Refusal
from node.witness.slot_clock import SlotClock
from protocol.block import HeaderEnvelope
from protocol.errors import KeyFormatError
from protocol.ids import WitnessId

TOLERANCE_MS = 1_000
"""Clocks of desks may be so far apart, however short a slot is."""

FUTURE_TOLERANCE_MS = 2_000
"""A block further ahead of this node's clock than this and one slot is refused (T-W3)."""


class ClockWatch:
    """Feeds a `SlotClock` with what the chain knows, and says when not to produce by it."""

    def __init__(self, chain: Chain, own: OwnBlocks) -> None:
        self.clock = SlotClock()
        self._chain = chain
        self._own = own

    def read(self, wall_ms: int, now_ms: int) -> list[Report]:
        """Take a reading of the wall clock; what an operator should hear of it."""
        return [
            Report("clock", {"change": news.change.value, "by_ms": news.by_ms})
            for news in self.clock.read(wall_ms, now_ms, self._own_weight())
        ]

    def note_block(self, front: HeaderEnvelope, now_ms: int) -> None:
        """A block has just come; if its witness has signed it, it tells of that one's clock.

        Whether it becomes the head, grows a fork or is refused for its time: a clock that is ahead
        makes its node build before all others, and see none of their blocks as its head. One below
        the head may have been made at any time.
        """
        header = front.header
        if front.num < self._chain.head_num or self._is_own(header.witness):
            return
        with suppress(KeyFormatError):
            if front.signing_key() == self._chain.signing_key(header.witness):
                self.clock.note_block(header.witness, header.timestamp, now_ms)

    def check(self, front: HeaderEnvelope, now_ms: int) -> None:
        """Raise `FutureBlock` for one too far ahead of this node's clock, and note it (T-W3)."""
        interval_ms = self._chain.state.parameters.block_interval * 1_000
        limit_ms = self.clock.slot_ms(now_ms) + interval_ms + FUTURE_TOLERANCE_MS
        if front.header.timestamp * 1_000 > limit_ms:
            self.note_block(front, now_ms)
            raise FutureBlock(
                "block lies in the future",
                rule="R8.1",
                value=front.header.timestamp,
                limit=limit_ms // 1_000,
            )

    def refusal(self, now_ms: int) -> Refusal | None:
        """Why no block may be signed by this clock: most of the others show another time.

        Behind by half a slot is enough. Ahead it must be so far that they refuse its blocks, since
        blocks that travel slowly look the same.
        """
        error_ms = self.clock.error_ms(now_ms, self._own_weight())
        slot_ms = self._chain.state.parameters.block_interval * 1_000
        behind_ms, ahead_ms = max(slot_ms // 2, TOLERANCE_MS), slot_ms + FUTURE_TOLERANCE_MS
        if -behind_ms <= error_ms <= ahead_ms:
            return None
        side = "ahead of" if error_ms > 0 else "behind"
        return Refusal("clock_off", f"{abs(error_ms)} ms {side} most witnesses' blocks", True)

    def _own_weight(self) -> int:
        return sum(map(self._is_own, self._chain.state.properties.active_witnesses))

    def _is_own(self, witness: WitnessId) -> bool:
        return self._chain.signing_key(witness) in self._own.secrets
