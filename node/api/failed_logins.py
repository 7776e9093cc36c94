"""Who tries tokens has to wait, longer each time, and is turned away for a while (T-A6)."""

from __future__ import annotations

from protocol.schema import Record

DELAY_S = 0.5
"""For each failure of late from the same group of addresses."""
FAILURES_MAX = 5
FORGIVEN_EVERY_S = 20.0
GROUPS_KEPT = 1_000
"""Groups that are remembered before those whose failures are forgiven are looked for."""


class Failures(Record):
    """How many there were of late, as of a time in seconds."""

    number: float
    as_of: float

    def left(self, now: float) -> float:
        """Those that are not forgiven yet."""
        return max(0.0, self.number - (now - self.as_of) / FORGIVEN_EVERY_S)


class FailedLogins:
    """Failures by group of addresses; who knows the token never notices those of its neighbours.

    Every `now` is in seconds, of one clock that never goes back.
    """

    def __init__(self) -> None:
        self.groups: dict[str, Failures] = {}
        self._sweep_at = GROUPS_KEPT

    def add(self, group: str, now: float) -> None:
        """Somebody of a group did not know the token."""
        if len(self.groups) >= self._sweep_at:
            self.groups = {name: one for name, one in self.groups.items() if one.left(now)}
            self._sweep_at = 2 * len(self.groups) + GROUPS_KEPT
        self.groups[group] = Failures(self._left(group, now) + 1, now)

    def delay_s(self, group: str, now: float) -> float:
        """How long the answer to the latest failure is to wait."""
        return DELAY_S * min(FAILURES_MAX, self._left(group, now))

    def is_shut_out(self, group: str, now: float) -> bool:
        """Whether there were so many failures that the next is told only that."""
        return self._left(group, now) > FAILURES_MAX - 1

    def _left(self, group: str, now: float) -> float:
        failures = self.groups.get(group)
        return failures.left(now) if failures else 0.0
