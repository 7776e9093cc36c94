"""API `pegboard`: lessons, in which each sentence of the rules is guessed first and then played.

Nothing of a learner is kept: every call plays the lesson from its start, on a chain of its own,
with the guesses so far. It takes milliseconds, and is done aside (T-A2).
"""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import TEXT, Boolean, Text, at_most, list_of
from node.api.call import Answer, Call
from node.api.errors import NotPossible
from node.api.json_text import write_json
from node.api.teacher import Course, Teacher
from node.state.objects.governance import TRIGGER_NAMES
from node.whatif.simulate import Guard
from protocol.constants import CORE_ASSET

GUESSES_MAX = 100
Since = Annotated[int, at_most(GUESSES_MAX)]
Guesses = Annotated[list[str], list_of(TEXT, GUESSES_MAX)]


def list_lessons(call: Call) -> Answer:
    """Which lessons there are, each with its title in every language that it is told in."""
    return _teacher(call).listed()


def play_lesson(
    call: Call,
    lesson: Text,
    language: Text,
    guesses: Guesses,
    preset: Text = "",
    trigger: Text = "",
    strict_release: Boolean = False,
    since: Since = 0,
) -> Answer:
    """A lesson with the guesses so far: `judged` says what became of each, beside the answer that
    the chain gave, its calculation and its rules; `question` is the next one, null at the end.

    A guess is a text as people type it: "1.5", "1,5", "150%"; "" asks for the answer. Without a
    `preset` the words are those of this chain, and without a `trigger` ("bid", "feed") its own.
    Of the first `since` guesses, which the caller knows of, nothing is told.
    """
    teacher, state = _teacher(call), call.state
    course = Course(
        lesson,
        language,
        preset,
        state.assets.get(CORE_ASSET).symbol,
        trigger or TRIGGER_NAMES[state.chain.margin_call_trigger],
        strict_release,
    )

    def work(guard: Guard) -> bytes:
        return write_json(teacher.play(course, guesses, since))

    return call.services.ask_aside(call.session, work)


def _teacher(call: Call) -> Teacher:
    teacher = call.services.teacher
    if teacher is None:
        raise NotPossible("nobody teaches here", rule="T-A2")
    return teacher


METHODS = (list_lessons, play_lesson)
