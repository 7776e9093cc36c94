"""Says which task held the event loop up (T-R3)."""

from __future__ import annotations

import trio

from node.clock import monotonic_s
from node.services.event_log import log

STEP_MAX_S = 0.05
"""A task that computes for longer without letting others in is told."""


class StepWatch(trio.abc.Instrument):
    """Times each step of each task, from where it goes on to where it waits again."""

    def __init__(self) -> None:
        self._started_s = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task goes on."""
        self._started_s = monotonic_s()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """It waits again, or is over."""
        took_s = monotonic_s() - self._started_s
        if took_s > STEP_MAX_S:
            waits_at = _innermost(task)
            took_ms = round(took_s * 1_000)
            log.warning("slow_step", task=task.name, ms=took_ms, before=waits_at)


def _innermost(task: trio.lowlevel.Task) -> str:
    """Where a task waits: the line of this program's own code that is furthest in."""
    found = ""
    for frame, line in task.iter_await_frames():
        module = frame.f_globals.get("__name__", "")
        if module.startswith("node."):
            found = f"{module}:{line}"
    return found
