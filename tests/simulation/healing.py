"""After the healing of a simulated network: it agrees, goes on, grows, and comes to one state."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from node.chain.invariants import check_all
from node.core.core import NodeCore
from protocol.schema import BlockId, PublicKey
from tests.simulation.bounds import check_rest
from tests.simulation.checkers import Violation, demand

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

HEAL_S_MAX = 420
"""After so long without faults all nodes agree: a wait before dialling again is up to 5 min."""
HALTED_SLOTS = 20
"""After so many slots without a block, operators let their witnesses go on regardless."""
ROUNDS_TO_HEAL = 3
"""Within so many rounds of blocks more is irreversible once all agree."""
TRAVELLING_BLOCKS = 2
"""How many of the newest blocks may not have reached everybody yet."""
QUIET_MS = 12_000
QUIET_ATTEMPTS = 6
GROWTH_SLOTS_MIN = 12
IN_TIME_MS = 500
"""A clock that is wrong by more may lose its witness's slots."""


class Healing:
    """The second phase of a run: no faults any more, but that some may be gone for good."""

    def __init__(self, run: Simulation) -> None:
        self.run = run

    @property
    def cores(self) -> dict[int, NodeCore]:
        """The honest nodes that run, by their numbers."""
        return {one.number: one.core for one in self.run.honest if one.core is not None}

    def await_agreement(self) -> int:
        """Let time pass until all agree and the last irreversible block moves again."""
        healed_ms = self.run.loop.elapsed_ms
        slot_ms = 1_000 * self.run.options.block_interval_s
        final = max(self._last_irreversible())
        top, top_slot, due_num = 0, 0, None
        self.run.loop.run_until(healed_ms + slot_ms * 7 // 10)
        for slot in count(1):
            self.run.loop.run_until(self.run.loop.elapsed_ms + slot_ms)
            since_s = (self.run.loop.elapsed_ms - healed_ms) // 1_000
            heads = [core.chain.head_num for core in self.cores.values()]
            if not self._agree() or self._waits_for_clock():
                due_num = None
            elif min(self._last_irreversible()) > final:
                return since_s
            else:
                due_num = due_num or self._due_num()
                demand(max(heads) <= due_num, "liveness", "only", final, *self._describe())
            demand(since_s < HEAL_S_MAX, "agreement", "after", since_s, "s:", *self._describe())
            self.run.clients.is_active = self.run.clients.is_active and since_s < 30
            if max(heads) > top:
                top, top_slot = max(heads), slot
            elif slot - top_slot == HALTED_SLOTS:
                self._override_participation()
        raise AssertionError("unreachable")

    def await_growth(self) -> None:
        """For some rounds the chain grows by two thirds of the slots of those who live, at least,
        and what the honest among them have pending gets into it (S8).

        Whose clock has not settled since the healing loses its own slots, and no others (T-K1).
        """
        slots = max(GROWTH_SLOTS_MIN, 2 * self._round)
        pending = {
            number: {applied.envelope.id for applied in core.chain.pending}
            for number, core in self.cores.items()
            if self._is_in_time(core)
        }
        before = max(core.chain.head_num for core in self.cores.values())
        live, active = self._live_witnesses()
        self.run.loop.run_until(
            self.run.loop.elapsed_ms + 1_000 * slots * self.run.options.block_interval_s
        )
        grown = max(core.chain.head_num for core in self.cores.values()) - before
        wanted = 2 * (slots - 1) * live // (3 * active)
        what = (grown, "blocks in", slots, "slots of", live, "of", active, "witnesses")
        demand(grown >= wanted, "growth", *what)
        for number, waiting in pending.items():
            core = self.cores[number]
            left = {applied.envelope.id for applied in core.chain.pending} & waiting
            demand(not left or not core.own.secrets, "inclusion", number, len(left), "wait")

    @property
    def _round(self) -> int:
        """Slots in a round, at most."""
        return (self.run.options.witnesses | 1) + self.run.options.spares

    def _is_in_time(self, core: NodeCore) -> bool:
        [machine] = [one for one in self.run.machines if one.core is core]
        error_ms = core.clock.slot_ms(machine.now_ms) - self.run.loop.now_ms
        return abs(error_ms) <= IN_TIME_MS

    def _waits_for_clock(self) -> bool:
        """Whether a clock was set of which nobody can tell whether it is right (T-K1).

        Honest others that run tell, when there are more of them than of those that are its own or
        lie. If there are not, a node waits to see whether a step lasts.
        """
        chain = next(iter(self.cores.values())).chain
        active = [chain.signing_key(one) for one in chain.state.properties.active_witnesses]
        honest = {key for core in self.cores.values() for key in core.own.secrets}
        for core in self.cores.values():
            others = sum(key in honest - set(core.own.secrets) for key in active)
            if not self._is_in_time(core) and others <= len(active) - others - self._down(active):
                return True
        return False

    def _down(self, active: Sequence[PublicKey | None]) -> int:
        """Active witnesses whose node is gone for good."""
        gone = {key for number in self.run.down for key in self.run.machines[number].own_keys}
        return sum(key in gone for key in active)

    def _live_witnesses(self) -> tuple[int, int]:
        """Active witnesses that run, are honest and know the time; and all."""
        chain = next(iter(self.cores.values())).chain
        keys = {
            key
            for core in self.cores.values()
            if self._is_in_time(core)
            for key in core.own.secrets
        }
        active = chain.state.properties.active_witnesses
        return sum(chain.signing_key(one) in keys for one in active), len(active)

    def _due_num(self) -> int:
        """At which height at the latest more must be irreversible, now that all agree.

        Three rounds, beginning above what anybody has voted for on forks that lost.
        """
        cores = self.cores.values()
        voted = [span.target_num for core in cores for span in core.ballots.last_votes.values()]
        top = max([core.chain.head_num for core in cores] + voted)
        return top + ROUNDS_TO_HEAL * self._round

    def _override_participation(self) -> None:
        """What operators do when the witnesses of a halted chain all fear to be in a minority."""
        self.run.loop.record("override")
        self.run.checkers.counts["override"] += 1
        for machine in self.run.machines:
            machine.required_participation = 0
            if machine.number not in self.run.down:
                machine.crash(silently=False)
                machine.start()

    def _agree(self) -> bool:
        """Whether all are on one chain, up to the blocks that still travel."""
        nums = [core.chain.head_num for core in self.cores.values()]
        common = min(nums) - TRAVELLING_BLOCKS
        return (
            max(nums) - min(nums) <= TRAVELLING_BLOCKS
            and len({self.run.checkers.id_at(node, common) for node in self.cores}) == 1
        )

    def await_one_head(self) -> None:
        """Stop production: then one head and one state are on all nodes (I18).

        Two blocks made at a time leave nodes in two minds until a third one; so they get a few
        more slots for each attempt.
        """
        self.run.clients.is_active = False
        slot_ms = 1_000 * self.run.options.block_interval_s
        for _ in range(QUIET_ATTEMPTS):
            self._silence(is_silent=True)
            self.run.loop.run_until(self.run.loop.elapsed_ms + QUIET_MS)
            if len(set(self._heads())) == 1:
                return
            self._silence(is_silent=False)
            self.run.loop.run_until(self.run.loop.elapsed_ms + 3 * slot_ms)
        raise Violation("agreement", " ".join(("in silence:", *self._describe())))

    def _silence(self, *, is_silent: bool) -> None:
        self.run.loop.record("silence", is_silent)
        for liar in self.run.hostile:
            liar.tell_the_truth()
        for machine in self.run.machines:
            machine.silence(is_silent=is_silent)

    def _heads(self) -> list[BlockId]:
        return [core.chain.head_id for core in self.cores.values()]

    def _last_irreversible(self) -> list[int]:
        return [core.chain.last_irreversible_num for core in self.cores.values()]

    def check_end(self) -> None:
        """All have the same state, which is sound, and nothing is left to do."""
        for number, core in self.cores.items():
            self.run.checkers.check_state(core.chain)
            check_rest(number, core)
            with core.chain.head_state() as state:
                check_all(state)

    def _describe(self) -> list[str]:
        return [
            f"{number}:{core.chain.head_num}"
            f"/{core.chain.head_id.hex()[8:14]}/{core.chain.last_irreversible_num}"
            for number, core in self.cores.items()
        ]
