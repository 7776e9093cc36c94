"""Slots, schedule, missed slots, participation and irreversibility (R8.4-R8.8)."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.chain.irreversibility import irreversible_num
from node.chain.witness_schedule import recently_missed_after, shuffled, slots_filled_after
from protocol.ids import WitnessId
from tests.support.chain import TestChain, make_genesis, make_parameters
from tests.support.world import GENESIS_TIME


def reference_shuffle(witnesses: list[int], time_s: int) -> list[int]:
    """R8.6 written with machine words, as a C program would do it."""
    order = sorted(witnesses)
    for i in range(len(order)):
        k = ctypes.c_uint64((time_s << 32) + i * 2685821657736338717).value
        k ^= k >> 12
        k ^= ctypes.c_uint64(k << 25).value
        k ^= k >> 27
        k = ctypes.c_uint64(k * 2685821657736338717).value
        j = i + k % (len(order) - i)
        order[i], order[j] = order[j], order[i]
    return order


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_the_shuffle_is_the_reference_one(time_s: int, count: int) -> None:
    """R8.6: compared with an independently written version."""
    witnesses = [WitnessId(n) for n in range(1, count + 1)]
    assert list(shuffled(witnesses, time_s)) == reference_shuffle(list(witnesses), time_s)


def test_the_schedule_is_drawn_when_a_round_ends() -> None:
    """R8.6: at heights divisible by the number of active witnesses, and only there."""
    chain = TestChain(witnesses=5)
    first = chain.state.witness_schedules.rows[0].current_shuffled_witnesses
    assert first == (1, 2, 3, 4, 5)
    for num in range(1, 11):
        chain.block()
        schedule = chain.state.witness_schedules.rows[0].current_shuffled_witnesses
        if num % 5 == 0:
            assert list(schedule) == reference_shuffle([1, 2, 3, 4, 5], chain.chain.head_time)
            first = schedule
        assert schedule == first


def test_slots_before_the_first_block() -> None:
    """R8.4: before block 1, slot k lies k intervals after the genesis."""
    chain = TestChain()
    assert [chain.chain.slot_time(k) for k in (1, 2)] == [GENESIS_TIME + 5, GENESIS_TIME + 10]
    assert chain.chain.slot_at(GENESIS_TIME + 4) == 0
    assert chain.chain.slot_at(GENESIS_TIME + 5) == 1
    assert chain.chain.slot_at(GENESIS_TIME + 9) == 1
    assert chain.chain.slot_at(GENESIS_TIME + 10) == 2


def test_slots_are_skipped_after_a_maintenance_block() -> None:
    """R8.4: block 1 is a maintenance block, so block 2 waits for the skipped slots too."""
    parameters = make_parameters(maintenance_skip_slots=3)
    chain = TestChain(genesis=make_genesis("alice", parameters=parameters))
    chain.block()
    head = chain.chain.head_time
    assert chain.chain.slot_time(1) == head + 20
    assert chain.chain.slot_at(head + 19) == 0
    chain.block()
    assert chain.chain.head_time == head + 20
    assert chain.chain.slot_time(1) == head + 25


def test_missed_slots_are_charged() -> None:
    """R8.5: each skipped slot's witness missed one; the absolute slot counts them."""
    chain = TestChain(witnesses=5)
    chain.block()
    missing = [chain.chain.scheduled_witness(slot) for slot in (1, 2)]
    chain.block(slot=3)
    missed = {w.id: w.total_missed for w in chain.state.witnesses.in_order() if w.total_missed}
    assert missed == dict.fromkeys(missing, 1)
    assert chain.state.dynamic.current_aslot == 4
    assert chain.state.dynamic.recently_missed_count == 8


def test_a_long_gap_is_nobodys_fault() -> None:
    """R8.5: when a whole round or more was missed, no witness is charged."""
    chain = TestChain(witnesses=5)
    chain.block()
    chain.block(slot=6)
    assert all(w.total_missed == 0 for w in chain.state.witnesses.in_order())
    chain.block(slot=5)
    assert sum(w.total_missed for w in chain.state.witnesses.in_order()) == 4


def test_participation_falls_and_recovers() -> None:
    """R8.5: filled slots of the last 128."""
    chain = TestChain()
    chain.block()
    assert chain.chain.participation() == 10_000
    chain.block(slot=65)
    assert chain.chain.participation() == 64 * 10_000 // 128
    chain.block()
    assert chain.chain.participation() == 64 * 10_000 // 128
    chain.blocks(127)
    assert chain.chain.participation() == 10_000


@pytest.mark.parametrize(
    ("filled", "missed", "after"),
    [
        (0b1, 0, 0b11),
        (0b1, 2, 0b1100),
        (2**128 - 1, 0, 2**128 - 1),
        (2**128 - 1, 128, 0),
        (2**128 - 1, 10**9, 0),
    ],
)
def test_the_filled_bits(filled: int, missed: int, after: int) -> None:
    """R8.5: ((x << 1) | 1) << missed, within 128 bits, however long the gap."""
    assert slots_filled_after(filled, missed) == after


@pytest.mark.parametrize(
    ("count", "missed", "after"), [(0, 0, 0), (1, 0, 0), (4, 0, 3), (5, 0, 2), (5, 2, 13)]
)
def test_the_recently_missed_count(count: int, missed: int, after: int) -> None:
    """R8.5: four more for each missed slot, else three or one less."""
    assert recently_missed_after(count, missed) == after


@pytest.mark.parametrize(("witnesses", "lag"), [(1, 1), (3, 3), (7, 5), (10, 7), (11, 8)])
def test_seventy_percent_confirm(witnesses: int, lag: int) -> None:
    """R8.8: index floor(0.3 n) of the ascending confirmations; with one witness below the head."""
    chain = TestChain(witnesses=witnesses)
    chain.blocks(5)
    with chain.chain.head_state() as state:
        for position, witness in enumerate(state.properties.active_witnesses):
            state.witnesses.get(witness).last_confirmed_block_num = 100 - position
        state.dynamic.head_block_number = 100
        assert irreversible_num(state) == 100 - lag + (0 if witnesses == 1 else 1)


def test_one_lone_witness_stays_below_the_head() -> None:
    """R8.8: clients take their reference block from the one after the irreversible one."""
    chain = TestChain("alice", witnesses=1)
    for num in range(1, 6):
        chain.block()
        assert chain.chain.last_irreversible_num == num - 1


def test_irreversibility_never_goes_back() -> None:
    """R8.8, I14: not even when a witness that confirmed long ago becomes active."""
    chain = TestChain(witnesses=3)
    chain.blocks(10)
    last = chain.chain.last_irreversible_num
    assert last >= 7
    with chain.chain.head_state() as state:
        state.witnesses.get(WitnessId(1)).last_confirmed_block_num = 2
    while chain.chain.scheduled_witness(1) == 1:
        chain.block(slot=2)
    chain.block()
    assert chain.chain.last_irreversible_num >= last
    assert chain.state.dynamic.last_irreversible_block_num >= last
