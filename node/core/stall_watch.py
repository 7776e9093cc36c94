"""Whether the chain goes on, looked at with each tick; an operator hears of it once (P6)."""

from __future__ import annotations

from node.chain.chain import Chain
from node.chain.vote_pool import VotePool
from node.core.clock_watch import ClockWatch
from node.core.effects import Report
from node.core.own_blocks import OwnBlocks
from node.p2p.manager import PeerManager
from node.witness.stall import Stall, Surroundings, find_stall


class StallWatch:
    """Remembers how the chain stalls."""

    def __init__(self, chain: Chain, pool: VotePool, own: OwnBlocks, clock: ClockWatch) -> None:
        self.stall: Stall | None = None
        """As of the last look; only what has lasted for a round of slots counts."""
        self._chain = chain
        self._pool = pool
        self._own = own
        self._clock = clock
        self._since_ms: int | None = None

    def look(self, now_ms: int, peers: PeerManager, refusal: str) -> list[Report]:
        """What there is to tell: a stall, another reason for it, or its end.

        `now_ms` is the time of the timers, `refusal` why this node makes no block.
        """
        before, self.stall = self.stall, self._find(now_ms, peers, refusal)
        if self.stall is None:
            return [] if before is None else [Report("stall_over", {"head": self._chain.head_num})]
        if before is not None and before.kind == self.stall.kind:
            return []
        return [
            Report(
                "stall",
                {
                    "what": self.stall.what,
                    "head": self.stall.head_num,
                    "lib": self.stall.irreversible_num,
                    "waits_for": "; ".join(map(str, self.stall.waits_for)),
                },
            )
        ]

    def _find(self, now_ms: int, peers: PeerManager, refusal: str) -> Stall | None:
        clock = self._clock.refusal(now_ms)
        around = Surroundings(
            "" if clock is None else clock.detail,
            peers.ready_count,
            peers.is_syncing,
            refusal,
            frozenset(self._own.secrets),
            "" if peers.split is None else str(peers.split),
        )
        slot_s = self._clock.clock.slot_ms(now_ms) // 1_000
        found = find_stall(self._chain, self._pool, slot_s, around)
        if found is None:
            self._since_ms = None
            return None
        if self._since_ms is None:
            self._since_ms = now_ms
        lasts = now_ms - self._since_ms >= self._round_ms()
        return found if lasts or self.stall is not None else None

    def _round_ms(self) -> int:
        state = self._chain.state
        return len(state.properties.active_witnesses) * state.parameters.block_interval * 1_000
