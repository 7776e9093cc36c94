"""Machines whose shell has one planted bug each; those in production code stand in `bugs`."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from node.api.durability import Durability
from node.core.effects import ReserveSlot, SaveSnapshot
from node.services.effect_queue import Batch
from protocol.ids import WitnessId
from tests.simulation.machine import Machine


class FollowsAtOnce(Machine):
    """Believes its clock wherever it steps, for slots and timers: no bug, but it makes forks."""

    def start(self) -> None:
        """Start a process that asks no other witness for the time."""
        super().start()
        assert self.core is not None
        watch = self.core.watch
        watch.read = lambda wall_ms, now_ms: []  # type: ignore[method-assign]
        watch.refusal = lambda now_ms: None  # type: ignore[method-assign]

    @property
    def now_ms(self) -> int:
        """The time on this machine's clock, for timers too."""
        return self.wall_ms


class SendsFirst(Machine):
    """Announces blocks before they are durable."""

    def carry(self, batch: Batch) -> Iterator[int]:
        """The right steps in the wrong order."""
        yield from self.carry_rest(batch)
        yield from self.persist(batch)


class TellsEarly(Machine):
    """Reports to clients whatever the core has done, stored or not."""

    def start(self) -> None:
        """Start a process that takes whatever happens for stored."""
        super().start()
        self.observer.notices.durability = Durability()


class PrunesToHead(FollowsAtOnce):
    """Forgets all forks below a snapshot, also those that may still win."""

    def prune(self, snapshot: SaveSnapshot) -> None:
        """Up to the wrong number."""
        self.disk.blocks.prune_forks(snapshot.num)


class _Forgetful(dict[WitnessId, int]):
    """Slots that were signed, forgotten at once."""

    def __setitem__(self, witness: WitnessId, slot_time_s: int) -> None:
        """Nothing."""


class ForgetsSlots(FollowsAtOnce):
    """Has no signing guard, neither in memory nor on disk, and follows its clock at once."""

    def start(self) -> None:
        """Start a process that remembers nothing."""
        super().start()
        assert self.core is not None
        self.core.own.last_signed = _Forgetful()

    def reserve(self, slot: ReserveSlot) -> None:
        """Nothing."""


class NeverFlushesBlocks(Machine):
    """Takes blocks for durable that the disk has in its cache only (P16)."""

    def flush_blocks(self) -> None:
        """Nothing."""


class NeverFlushesGuard(FollowsAtOnce):
    """Takes its record of slots and votes for durable that the disk has in its cache only."""

    def flush_guard(self) -> None:
        """Once, as an empty record is made, and never again."""
        if not self.has_flushed:
            self.disk.guard.flush()
            self.has_flushed = True

    has_flushed = False


class ForgetsFinality(Machine):
    """Keeps no record of what it has called irreversible."""

    def start(self) -> None:
        """Start a process that must guess it from the main chain."""
        self.disk.blocks._irreversible_num = 0
        super().start()


class MakesNoBlocks(Machine):
    """Votes, and leaves its slots to pass: on half of the nodes."""

    def start(self) -> None:
        """Start a process that never looks whether it is its turn."""
        super().start()
        assert self.core is not None
        if self.number % 2:
            self.core.settings = replace(self.core.settings, by_the_clock=False)
