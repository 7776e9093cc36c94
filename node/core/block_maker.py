"""The blocks that this node makes: at its turns, for what is pending, or on demand.

Each becomes the head, and nobody is told of it yet: it is the core's to store it, and to tell.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from node.chain.chain import Chain, PushResult
from node.chain.vote_pool import VotePool
from node.core.breakdown import BROKEN, Breakdown
from node.core.clock_watch import ClockWatch
from node.core.effect_list import EffectList
from node.core.effects import ReserveSlot
from node.core.own_blocks import OwnBlocks
from node.witness.producer import ProduceDecision, Production
from node.witness.undo_reserve import standstill
from protocol.block import BlockEnvelope
from protocol.crypto.keys import PrivateKey
from protocol.errors import PegboardError
from protocol.schema import Record


class MadeBlock(Record, gc=True):
    """A block of this node that is the head, of which nobody has been told yet."""

    envelope: BlockEnvelope
    result: PushResult


class BlockMaker:
    """Makes blocks with this node's keys, and says why it makes none."""

    def __init__(
        self,
        chain: Chain,
        own: OwnBlocks,
        pool: VotePool,
        watch: ClockWatch,
        breakdown: Breakdown,
        effects: EffectList,
    ) -> None:
        self.refusal = ""
        """Why the last block that was due was not made; nothing once another one is."""
        self._chain = chain
        self._own = own
        self._pool = pool
        self._watch = watch
        self._breakdown = breakdown
        self._effects = effects
        self._last_refusal = ""

    def by_the_clock(self, now_ms: int) -> MadeBlock | None:
        """Make the block of the present slot if it is this node's; else report why not."""
        if not self._own.secrets:
            return None
        decision = self._decide(now_ms)
        if isinstance(decision, Production):
            return self._attempt(partial(self._make, decision))
        if decision.worth_telling:
            self._report_refusal(decision.name, decision.detail)
        else:
            self._last_refusal = decision.name
        return None

    def if_pending(self, now_ms: int) -> MadeBlock | None:
        """Make the block that an instant node owes what is pending, or report why not."""
        return self._attempt(partial(self.for_pending, now_ms)) if self._chain.pending else None

    def for_pending(self, now_ms: int) -> MadeBlock | None:
        """Make the block that an instant node owes what is pending, if the clock lets it; raises
        the refusal."""
        production = self._own.for_pending(self._watch.clock.slot_ms(now_ms))
        return None if production is None else self._make(production)

    def on_demand(
        self, secret: PrivateKey | None = None, *, earliest_s: int = 0, made: int = 0
    ) -> MadeBlock:
        """Make the next block that there is a key for, whatever the clock says.

        See `OwnBlocks.on_demand`, also for what it raises.
        """
        production = self._own.on_demand(secret, earliest_s=earliest_s, made=made)
        return self._make(production, secret)

    def _decide(self, now_ms: int) -> ProduceDecision:
        slot_ms = self._watch.clock.slot_ms(now_ms)
        decision = self._watch.refusal(now_ms) or self._own.by_the_clock(slot_ms, now_ms)
        if isinstance(decision, Production):
            return standstill(self._chain, decision, self._pool.certificate) or decision
        return decision

    def _attempt(self, make: Callable[[], MadeBlock | None]) -> MadeBlock | None:
        try:
            made = make()
        except BROKEN:
            return None
        except PegboardError as error:
            self._report_refusal(error.name, error.detail)
            return None
        if made is not None:
            self._last_refusal = self.refusal = ""
        return made

    def _make(self, production: Production, more: PrivateKey | None = None) -> MadeBlock:
        """Sign a block, and make it the head."""
        envelope = self._own.build(production, self._pool.certificate(), more)
        slot = ReserveSlot(production.witness, production.slot_time_s, envelope.num)
        self._effects.add(slot)
        with self._breakdown.if_broken():
            return MadeBlock(envelope, self._chain.push_block(envelope))

    def _report_refusal(self, name: str, detail: str) -> None:
        """Report why no block is made, once until something else happens."""
        if name != self._last_refusal:
            self._effects.report("not_producing", reason=name, detail=detail)
        self._last_refusal, self.refusal = name, f"{name}: {detail}"
