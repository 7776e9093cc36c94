"""The clock that slots follow: steps, drift, and what other witnesses' blocks say of it (T-K1)."""

from __future__ import annotations

from node.witness.slot_clock import (
    DRIFT_WINDOW_MS,
    SAMPLE_AGE_MS,
    SETTLE_MS,
    STEP_MS,
    ClockChange,
    ClockNews,
    SlotClock,
)
from protocol.ids import WitnessId

START_MS = 1_600_000_000_000
HOUR_MS = 3_600_000


class Machine:
    """A wall clock that can be set, and the readings of a node ten times a second."""

    def __init__(self, own: int = 1) -> None:
        self.clock = SlotClock()
        self.own = own
        self.now_ms = START_MS
        self.ahead_ms = 0
        self.news: list[ClockNews] = []

    def run(self, duration_ms: int, *, drift_per_tick_ms: int = 0) -> list[ClockNews]:
        """Let time pass; what is told meanwhile."""
        told: list[ClockNews] = []
        for _ in range(duration_ms // 100):
            self.now_ms += 100
            self.ahead_ms += drift_per_tick_ms
            told += self.clock.read(self.now_ms + self.ahead_ms, self.now_ms, self.own)
        return told

    def slot_error_ms(self) -> int:
        """How far the time of slots is ahead of true time."""
        return self.clock.slot_ms(self.now_ms) - self.now_ms

    def hear(self, witness: int, ahead_ms: int = 0, delay_ms: int = 0) -> None:
        """A block of another witness comes in, by a clock that is so far ahead."""
        block_time_s = (self.now_ms + ahead_ms - delay_ms) // 1_000
        self.clock.note_block(WitnessId(witness), block_time_s, self.now_ms)


def test_a_step_that_does_not_last_costs_nothing() -> None:
    """P9: an hour ahead for ten seconds; time goes on as before, and both changes are told."""
    for step_ms in (HOUR_MS, -HOUR_MS, STEP_MS, -STEP_MS):
        machine = Machine()
        machine.run(1_000)
        machine.ahead_ms = step_ms
        assert machine.run(10_000) == [ClockNews(ClockChange.STEPPED, step_ms)]
        assert machine.slot_error_ms() == 0
        machine.ahead_ms = 0
        assert machine.run(10_000) == [ClockNews(ClockChange.CAME_BACK, 0)]
        assert machine.slot_error_ms() == 0


def test_a_step_that_lasts_is_followed() -> None:
    """T-K1: once the clock has stood by it; a second step begins the wait anew."""
    machine = Machine()
    machine.ahead_ms = HOUR_MS
    machine.run(SETTLE_MS // 2)
    machine.ahead_ms = 2 * HOUR_MS
    assert machine.run(SETTLE_MS) == [ClockNews(ClockChange.STEPPED, 2 * HOUR_MS)]
    assert machine.slot_error_ms() == 0
    assert machine.run(100) == [ClockNews(ClockChange.ADOPTED, 2 * HOUR_MS)]
    assert machine.slot_error_ms() == 2 * HOUR_MS
    assert machine.run(SETTLE_MS) == []


def test_small_corrections_are_followed_at_once() -> None:
    """What a time server trims is no step."""
    machine = Machine()
    machine.ahead_ms = STEP_MS - 1
    assert machine.run(100) == []
    assert machine.slot_error_ms() == STEP_MS - 1


def test_drift_is_followed_and_told() -> None:
    """T-K1: 1 % is half a second in a minute; a tenth of that is within what clocks do."""
    machine = Machine()
    machine.run(DRIFT_WINDOW_MS)
    told = machine.run(DRIFT_WINDOW_MS + 100, drift_per_tick_ms=1)
    assert [news.change for news in told] == [ClockChange.DRIFTED]
    assert abs(told[0].by_ms - 600) <= 1
    assert machine.slot_error_ms() == machine.ahead_ms
    machine.run(DRIFT_WINDOW_MS)
    machine.ahead_ms += 60
    assert machine.run(2 * DRIFT_WINDOW_MS) == []


def test_most_other_witnesses_tell_how_far_a_clock_is_off() -> None:
    """T-K1: told once when they disagree, and once when they agree again."""
    machine = Machine()
    machine.ahead_ms = 0
    for witness in (2, 3, 4):
        machine.hear(witness, ahead_ms=-HOUR_MS)
    assert machine.run(1_000) == [ClockNews(ClockChange.OFF, HOUR_MS)]
    assert machine.clock.error_ms(machine.now_ms, 1) == HOUR_MS
    told = machine.run(SAMPLE_AGE_MS)
    assert told == [ClockNews(ClockChange.AGREES, 0)], "what is old says nothing"


def test_a_minority_of_clocks_convinces_nobody() -> None:
    """T-K1: one witness an hour off silences no other one; nor do two of two pairs."""
    for off_ms in (HOUR_MS, -HOUR_MS):
        for own, others, wrong in ((1, 1, 1), (1, 3, 1), (2, 2, 2), (0, 1, 1)):
            machine = Machine(own)
            for witness in range(others):
                machine.hear(witness, ahead_ms=off_ms if witness < wrong else 0)
            assert machine.clock.error_ms(machine.now_ms, own) == 0, (own, others, wrong)


def test_the_quickest_block_of_each_witness_counts() -> None:
    """A node that was busy gets its blocks late; that is no sign of a clock ahead."""
    machine = Machine()
    for witness in (2, 3, 4):
        machine.hear(witness)
        machine.hear(witness, delay_ms=9_000)
    assert machine.clock.error_ms(machine.now_ms, 1) == 0


def test_blocks_of_others_end_the_doubt_about_a_clock_that_woke_up() -> None:
    """A machine that slept without its timers is put right at once, not after a minute."""
    machine = Machine()
    machine.ahead_ms = 8 * HOUR_MS
    machine.run(2_000)
    for witness in (2, 3, 4):
        machine.hear(witness, ahead_ms=8 * HOUR_MS)
    told = machine.run(100)
    assert told == [ClockNews(ClockChange.ADOPTED, 8 * HOUR_MS)]


def test_blocks_of_others_never_set_a_clock() -> None:
    """They choose between two readings of this machine, and a third time is none of them."""
    machine = Machine()
    machine.ahead_ms = HOUR_MS
    for witness in (2, 3, 4):
        machine.hear(witness, ahead_ms=5 * HOUR_MS)
    machine.run(2_000)
    assert machine.slot_error_ms() == 0
