"""Slots, whose turn it is, who missed a turn, and the shuffle of each round (R8.4-R8.6)."""

from __future__ import annotations

from collections.abc import Sequence

from node.state.database import State
from protocol.constants import HUNDRED_PERCENT
from protocol.ids import WitnessId
from protocol.schema import Record

SLOT_HISTORY_BITS = 128
"""Slots that the participation is measured over (R8.5)."""

MISSED_INCREMENT = 4
MISSED_DECREMENT = 3
_RECENTLY_MISSED_MAX = (1 << 32) - 1

_MULTIPLIER = 2_685_821_657_736_338_717
_WORD = (1 << 64) - 1


class NextSlots(Record):
    """The slots after a block, as the state that it left says; slot 1 is the next one."""

    base_s: int
    """Time from which slots are counted, in seconds."""
    interval_s: int
    aslot: int
    """Slots since the genesis up to the block."""
    witnesses: tuple[WitnessId, ...]
    """Whose turns make a round, in their order."""

    @classmethod
    def after(cls, state: State) -> NextSlots:
        """The slots after the head."""
        order = state.witness_schedules.rows[0].current_shuffled_witnesses
        interval = state.parameters.block_interval
        return cls(_base_of(state), interval, state.dynamic.current_aslot, order)

    def time_of(self, slot: int) -> int:
        """Time of a slot in seconds (R8.4)."""
        assert slot > 0, slot
        return self.base_s + slot * self.interval_s

    def at(self, time_s: int) -> int:
        """The slot that holds a time; 0 before the next slot begins (R8.4)."""
        return max(0, (time_s - self.base_s) // self.interval_s)

    def witness_of(self, slot: int) -> WitnessId:
        """Whose turn a slot is (R8.5)."""
        return self.witnesses[(self.aslot + slot) % len(self.witnesses)]


def _base_of(state: State) -> int:
    """Time from which the slots after the head are counted, in seconds (R8.4)."""
    dynamic, parameters = state.dynamic, state.parameters
    if dynamic.head_block_number == 0:
        return dynamic.time
    skipped = parameters.maintenance_skip_slots if dynamic.maintenance_flag else 0
    return (dynamic.time // parameters.block_interval + skipped) * parameters.block_interval


def slot_time(state: State, slot: int) -> int:
    """Time in seconds of a slot after the head; slot 1 is the next one (R8.4)."""
    return NextSlots.after(state).time_of(slot)


def slot_at(state: State, time_s: int) -> int:
    """The slot that holds a time; 0 before the next slot begins (R8.4)."""
    return NextSlots.after(state).at(time_s)


def scheduled_witness(state: State, slot: int) -> WitnessId:
    """Whose turn a slot after the head is (R8.5)."""
    return NextSlots.after(state).witness_of(slot)


def participation(state: State) -> int:
    """Share of the last 128 slots that have a block, over 10,000 (R8.5)."""
    filled = state.dynamic.recent_slots_filled.bit_count()
    return filled * HUNDRED_PERCENT // SLOT_HISTORY_BITS


def count_missed_slots(state: State, block_time_s: int) -> int:
    """Charge the witnesses of the slots skipped before a block; says how many slots (R8.5)."""
    missed = (block_time_s - _base_of(state)) // state.parameters.block_interval - 1
    assert missed >= 0, block_time_s
    if missed < len(state.witness_schedules.rows[0].current_shuffled_witnesses):
        for slot in range(1, missed + 1):
            witness = state.witnesses.edit(state.witnesses.get(scheduled_witness(state, slot)))
            witness.total_missed += 1
    return missed


def slots_filled_after(filled: int, missed: int) -> int:
    """The bits of the last 128 slots after missed slots and one block, as BitShares shifts them.

    The new block's bit moves up with the slots missed before it.
    """
    window = (1 << SLOT_HISTORY_BITS) - 1
    return ((filled << 1 | 1) << min(missed, SLOT_HISTORY_BITS)) & window


def recently_missed_after(count: int, missed: int) -> int:
    """The smoothed count of missed slots after missed slots and one block (R8.5)."""
    if missed:
        return min(count + MISSED_INCREMENT * missed, _RECENTLY_MISSED_MAX)
    if count > MISSED_INCREMENT:
        return count - MISSED_DECREMENT
    return max(count - 1, 0)


def shuffle_schedule(state: State) -> None:
    """Draw the order of the next round when a round ends (R8.6)."""
    active = state.properties.active_witnesses
    dynamic = state.dynamic
    if dynamic.head_block_number % len(active) == 0:
        schedule = state.witness_schedules.edit(state.witness_schedules.rows[0])
        schedule.current_shuffled_witnesses = shuffled(active, dynamic.time)


def shuffled(witnesses: Sequence[WitnessId], time_s: int) -> tuple[WitnessId, ...]:
    """The witnesses, given in ascending order, in the order that a head time draws (R8.6)."""
    order = sorted(witnesses)
    high = time_s << 32
    for position in range(len(order)):
        draw = (high + position * _MULTIPLIER) & _WORD
        draw ^= draw >> 12
        draw ^= (draw << 25) & _WORD
        draw ^= draw >> 27
        draw = draw * _MULTIPLIER & _WORD
        other = position + draw % (len(order) - position)
        order[position], order[other] = order[other], order[position]
    return tuple(order)
