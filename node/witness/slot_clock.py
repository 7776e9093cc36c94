"""What time it is for slots: the machine's wall clock, as far as it is to be believed (T-K1).

A wall clock may step: an operator sets it, a time server corrects it, a virtual machine wakes. A
step that lasts is followed, one that does not must cost nothing, and nothing must ever be signed
for a time that has not come. So after a step time goes on by the timers until the wall clock is
back, or has stood by its new word for a while. Other witnesses' signed blocks say how far this
clock is from theirs; they choose between two readings of this machine and may silence it, but
never set it.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from protocol.ids import WitnessId
from protocol.schema import Record

STEP_MS = 500
"""A wall clock that moves so far against the timers between two readings has stepped."""

SETTLE_MS = 60_000
"""So long a stepped clock has to stand by its new word before it is believed."""

DRIFT_WINDOW_MS = 60_000
"""`STEP_MS` within this time is told as drift; it is followed all the same."""

SAMPLE_AGE_MS = 60_000
"""Blocks that came longer ago say nothing about the clock any more."""

SAMPLES_MAX = 512


class ClockChange(Enum):
    """What happened to a clock."""

    STEPPED = "stepped"
    """The wall clock has jumped; time goes on as before it."""
    CAME_BACK = "came back"
    """It is where it was before the step."""
    ADOPTED = "adopted"
    """It has stood by its new word, or the others' blocks agree with it: it is followed."""
    DRIFTED = "drifted"
    """It has moved against the timers, little by little."""
    OFF = "off"
    """Most other witnesses' clocks show another time."""
    AGREES = "agrees"
    """They show the same time again."""


class ClockNews(Record):
    """A change to be told."""

    change: ClockChange
    by_ms: int
    """By how much, ahead if positive: of its own past, or of the other witnesses."""


class _Sample(Record):
    witness: WitnessId
    seen_ms: int
    offset_ms: int
    """What to add to the timers for the block's time: the witness' clock, less the delay."""


class _Doubt(Record):
    offset_ms: int
    since_ms: int


class SlotClock:
    """Adds the wall clock's distance to the timers' time; tells when that cannot be trusted.

    `now_ms` is always the timers' time in milliseconds. Until the first reading both are the same.
    """

    def __init__(self) -> None:
        self.offset_ms = 0
        """Added to the timers' time it is the time of slots."""
        self._doubt: _Doubt | None = None
        self._mark = (0, 0)
        """The offset at the start of the window in which drift is looked for, and that start."""
        self._is_off = False
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES_MAX)

    def slot_ms(self, now_ms: int) -> int:
        """The time of slots, milliseconds since 1970."""
        return now_ms + self.offset_ms

    def read(self, wall_ms: int, now_ms: int, own: int) -> list[ClockNews]:
        """Take a reading of the wall clock; what there is to tell of it.

        `own` is the number of active witnesses whose clock this is.
        """
        news = self._follow(wall_ms - now_ms, now_ms, own)
        error_ms = self.error_ms(now_ms, own)
        if not self._is_off and abs(error_ms) > STEP_MS:
            self._is_off = True
            news.append(ClockNews(ClockChange.OFF, error_ms))
        elif self._is_off and abs(error_ms) <= STEP_MS // 2:
            self._is_off = False
            news.append(ClockNews(ClockChange.AGREES, error_ms))
        return news

    def move(self, by_ms: int, now_ms: int) -> None:
        """A development chain travels in time: its wall clock shows so much more from now on."""
        self.offset_ms += by_ms
        self._mark = (self.offset_ms, now_ms)
        self._doubt = None
        self._is_off = False
        self._samples.clear()

    def note_block(self, witness: WitnessId, block_time_s: int, now_ms: int) -> None:
        """Another witness' block has just come, signed by it, as soon as it was made."""
        self._samples.append(_Sample(witness, now_ms, block_time_s * 1_000 - now_ms))

    def error_ms(self, now_ms: int, own: int) -> int:
        """How far this clock is ahead of the other witnesses' at least, as most say; 0 for not."""
        return self._error_of(self.offset_ms, now_ms, own)

    def _follow(self, seen_ms: int, now_ms: int, own: int) -> list[ClockNews]:
        moved_ms = seen_ms - self.offset_ms
        if abs(moved_ms) < STEP_MS:
            news = [] if self._doubt is None else [ClockNews(ClockChange.CAME_BACK, moved_ms)]
            self._doubt = None
            self.offset_ms = seen_ms
            return news + self._look_for_drift(now_ms)
        if self._doubt is None or abs(seen_ms - self._doubt.offset_ms) >= STEP_MS:
            self._doubt = _Doubt(seen_ms, now_ms)
            return [ClockNews(ClockChange.STEPPED, moved_ms)]
        is_confirmed = (
            abs(self.error_ms(now_ms, own)) > STEP_MS
            and abs(self._error_of(seen_ms, now_ms, own)) <= STEP_MS
        )
        if not is_confirmed and now_ms - self._doubt.since_ms < SETTLE_MS:
            return []
        self._doubt = None
        self.offset_ms = seen_ms
        self._mark = (seen_ms, now_ms)
        return [ClockNews(ClockChange.ADOPTED, moved_ms)]

    def _look_for_drift(self, now_ms: int) -> list[ClockNews]:
        offset_ms, since_ms = self._mark
        if now_ms - since_ms < DRIFT_WINDOW_MS:
            return []
        self._mark = (self.offset_ms, now_ms)
        drift_ms = self.offset_ms - offset_ms
        return [ClockNews(ClockChange.DRIFTED, drift_ms)] if abs(drift_ms) >= STEP_MS else []

    def _error_of(self, offset_ms: int, now_ms: int, own: int) -> int:
        """The median error, of which each other witness tells one; own witnesses tell 0.

        Of each witness the block that was quickest counts: what is slow is not late.
        """
        best: dict[WitnessId, int] = {}
        for sample in self._samples:
            if now_ms - sample.seen_ms <= SAMPLE_AGE_MS:
                best[sample.witness] = max(sample.offset_ms, best.get(sample.witness, -(1 << 62)))
        errors = sorted([*(offset_ms - theirs for theirs in best.values()), *[0] * max(own, 1)])
        low, high = errors[(len(errors) - 1) // 2], errors[len(errors) // 2]
        return max(low, 0) + min(high, 0)
