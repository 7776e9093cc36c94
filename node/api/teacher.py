"""Lessons as the API asks for them; who teaches them stands above it and is handed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from protocol.json_form import JsonValue
from protocol.schema import Record


class Course(Record):
    """A lesson, and the chain that it is to be played on."""

    lesson: str
    language: str
    preset: str
    """Whose words; "" for those of the chain with this `core` token."""
    core: str
    trigger: str
    strict_release: bool


class Teacher(Protocol):
    """Plays lessons on chains of their own."""

    def listed(self) -> JsonValue:
        """Which lessons there are, in which languages, and under which titles."""

    def play(self, course: Course, guesses: Sequence[str], since: int) -> JsonValue:
        """Play a lesson from its start with the guesses so far: what became of each but the first
        `since`, and the next question.

        Raises typed refusals for what it does not know and cannot read.
        """
